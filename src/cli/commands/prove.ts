import { readFilesOnly, toolbox } from '../../compose/open-project.js';
import { openScratchPlace } from '../../compose/scratch-place.js';
import { exitCodes, FlybackError } from '../../errors/error.js';
import type { Project } from '../../project/project.js';
import type { VersionProof } from '../../proof/proof.js';
import { proveProject } from '../../proof/prove-project.js';
import { changedSince } from '../../receipt/changed-since.js';
import { checkReceipts, keepReceipts, type Checked, type Kept } from '../../receipt/keep-receipts.js';
import { readProofBook } from '../../receipt/proof-book.js';
import { out, outJson, progress, type CommandContext } from '../command.js';
import { checkText, keptText, proofLine, proofsTable, proofsText } from '../output/prove-text.js';
import type { ProveFlags } from '../program.js';

/** Which versions are proven, by their keys. */
interface Choice {
  readonly keys: ReadonlySet<string>;
  /** Versions whose receipts count, and that are left alone for that. */
  readonly upToDate: readonly string[];
  /** Versions without a rollback script among those asked for. */
  readonly withoutRollback: readonly string[];
}

/** flyback prove: applies, takes back and compares in a scratch database; exit code 1 when a version is not restored. */
export async function runProve(
  context: CommandContext,
  versions: readonly string[],
  flags: ProveFlags,
): Promise<number> {
  const project = await readFilesOnly(context.open);
  const choice = await choose(project, versions, flags);
  const { proofs, scratch, major } = await prove(context, project, choice);
  const policy = project.config.prove;
  const isRestored = proofs.every(({ grade }) => policy.passes.includes(grade));
  let kept: Kept | undefined;
  let checked: readonly Checked[] | undefined;
  if (flags.check === true) checked = await checkReceipts(project, proofs, major, policy);
  else if (flags.write && proofs.length > 0) kept = await keepReceipts(project, proofs, major, policy);
  // Nothing to prove is a pass where everything is proven, and none where there is no rollback script at all.
  const isEmpty = proofs.length + choice.upToDate.length === 0 && flags.since === undefined;
  const passed = isRestored && !isEmpty && (checked?.every(({ result }) => result === 'confirmed') ?? true);
  const { upToDate, withoutRollback } = choice;
  if (context.json) {
    outJson({
      passed,
      scratch: scratch ?? null,
      proofs,
      upToDate,
      withoutRollback,
      ...(kept === undefined ? {} : { receipts: kept }),
      ...(checked === undefined ? {} : { checked }),
    });
  } else {
    if (proofs.length > 0) out(`${await proofsTable(proofs)}\n`);
    if (checked !== undefined) out(checkText(checked));
    if (kept !== undefined) out(keptText(kept));
    out(proofsText(proofs, { upToDate, withoutRollback, since: flags.since }, passed, process.stdout));
  }
  return passed ? exitCodes.done : exitCodes.findings;
}

interface Proven {
  readonly proofs: readonly VersionProof[];
  /** Undefined when there was nothing to prove: no server is started for that. */
  readonly scratch: string | undefined;
  readonly major: number;
}

async function prove(context: CommandContext, project: Project, { keys }: Choice): Promise<Proven> {
  if (keys.size === 0) return { proofs: [], scratch: undefined, major: 0 };
  const { config } = project;
  const place = await openScratchPlace(config.prove.scratch, config.connection);
  try {
    progress(`proving on ${place.description}`);
    const proofs = await proveProject(project, place, {
      versions: keys,
      signal: context.signal,
      onProof: (proof, done, of) => progress(proofLine(proof, done, of, process.stderr)),
    });
    return { proofs, scratch: place.description, major: place.majorVersion };
  } finally {
    await place.close();
  }
}

async function choose(project: Project, versions: readonly string[], flags: ProveFlags): Promise<Choice> {
  if (versions.length > 0 && (flags.all === true || flags.since !== undefined)) {
    throw new FlybackError('usage-invalid', 'Versions by name, --all and --since are three ways to choose.', {
      hint: 'Give one of them.',
    });
  }
  const files = project.pairs.filter(({ migration }) => migration !== undefined);
  const named =
    versions.length > 0
      ? new Set(versions.map((text) => keyOf(project, text)))
      : flags.since === undefined
        ? undefined
        : await changedSince(project, flags.since);
  const asked = files.filter(({ version }) => named?.has(version.key) ?? true);
  const withScript = asked.filter(({ script }) => script !== undefined);
  const withoutRollback = asked.filter(({ script }) => script === undefined).map(({ version }) => version.text);
  const isEach = named !== undefined || flags.all === true || flags.check === true;
  const book = isEach ? undefined : await readProofBook(project, undefined);
  if (book?.failure !== undefined) throw book.failure;
  const upToDate = withScript.filter(({ version }) => book?.states.get(version.key)?.state === 'proven');
  return {
    keys: new Set(withScript.filter((pair) => !upToDate.includes(pair)).map(({ version }) => version.key)),
    upToDate: upToDate.map(({ version }) => version.text),
    withoutRollback,
  };
}

function keyOf(project: Project, text: string): string {
  const version = toolbox.history.versions.parse(text);
  if (version === undefined) {
    throw new FlybackError('version-invalid', `"${text}" is not a version.`, {
      hint: 'flyback status lists the versions.',
    });
  }
  const pair = project.pairs.find((candidate) => candidate.version.key === version.key);
  if (pair?.migration === undefined) {
    throw new FlybackError('version-unknown', `There is no migration of version ${text} to prove.`, {
      hint: 'flyback audit --offline lists the versions of the files.',
    });
  }
  if (pair.script === undefined) {
    throw new FlybackError('plan-refused', `Version ${text} has no rollback script to prove.`, {
      hint: `Write one, starting from: flyback stub ${text}`,
    });
  }
  return version.key;
}
