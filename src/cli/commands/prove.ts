import { readFilesOnly } from '../../compose/open-project.js';
import { openScratchPlace } from '../../compose/scratch-place.js';
import { exitCodes, FlybackError } from '../../errors/error.js';
import { findVersion } from '../../history/find-version.js';
import type { Project } from '../../project/project.js';
import type { VersionProof } from '../../proof/proof.js';
import { proveChain, type ChainProof } from '../../proof/prove-chain.js';
import { proveProject, type ScratchPlace } from '../../proof/prove-project.js';
import { changedSince } from '../../receipt/changed-since.js';
import { checkReceipts, keepReceipts, type Checked, type Kept } from '../../receipt/keep-receipts.js';
import { readProofBook } from '../../receipt/proof-book.js';
import { readReceipts } from '../../receipt/receipt-file.js';
import type { ServerEdition } from '../../receipt/server-edition.js';
import { out, outJson, progress, type CommandContext } from '../command.js';
import { chainText, checkText, keptText, proofLine, proofsTable, proofsText } from '../output/prove-text.js';
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
  const { connection, projectFolder, prove: policy } = project.config;
  // A file that cannot be read could not be written either: better now than after the proofs.
  if (flags.write || flags.check === true)
    await readReceipts(project.config.projectFolder, project.toolbox.history.versions);
  // A server takes most of the time of a command that finds nothing to do: it is started when it is needed.
  let opened: Promise<OpenedPlace> | undefined;
  const open = (): Promise<OpenedPlace> => (opened ??= openScratchPlace(policy.scratch, connection, projectFolder));
  try {
    const edition = policy.sameMajor ? async (): Promise<ServerEdition> => editionAt(await open()) : undefined;
    const choice = await choose(project, versions, flags, edition);
    return await report(context, flags, project, choice, await prove(context, project, choice, flags, open));
  } finally {
    await project.functions?.close();
    await opened?.then((place) => place.close());
  }
}

function editionAt({ product, majorVersion }: Pick<ScratchPlace, 'product' | 'majorVersion'>): ServerEdition {
  return { product, major: majorVersion };
}

type OpenedPlace = Awaited<ReturnType<typeof openScratchPlace>>;

interface Proven {
  readonly proofs: readonly VersionProof[];
  /** All the way down and up again; undefined: not tried. */
  readonly chain: ChainProof | undefined;
  /** Undefined when there was nothing to prove. */
  readonly place: Pick<ScratchPlace, 'description' | 'majorVersion' | 'product'> | undefined;
}

async function prove(
  context: CommandContext,
  project: Project,
  { keys }: Choice,
  flags: ProveFlags,
  open: () => Promise<OpenedPlace>,
): Promise<Proven> {
  if (keys.size === 0) return { proofs: [], chain: undefined, place: undefined };
  const place = await open();
  progress(`proving on ${place.description}`);
  let made: readonly VersionProof[] = [];
  try {
    const proofs = await proveProject(project, place, {
      versions: keys,
      signal: context.signal,
      onProof: (proof, done, of) => progress(proofLine(proof, done, of, process.stderr)),
      onInterrupted: (proven) => (made = proven),
    });
    made = proofs;
    // What does not come down one by one does not come down in a row.
    const isPassing = proofs.every(({ grade }) => project.config.prove.passes.includes(grade));
    const chain =
      flags.all === true && isPassing ? await proveChain(project, place, { signal: context.signal }) : undefined;
    return { proofs, chain, place };
  } catch (error) {
    const isInterrupted = error instanceof FlybackError && error.code === 'cancelled' && made.length > 0;
    if (isInterrupted && flags.write && flags.check !== true) {
      progress(keptText(await keepReceipts(project, made, editionAt(place), project.config.prove)));
    }
    throw error;
  }
}

async function report(
  context: CommandContext,
  flags: ProveFlags,
  project: Project,
  { upToDate, withoutRollback }: Choice,
  { proofs, chain, place }: Proven,
): Promise<number> {
  const policy = project.config.prove;
  const isRestored = [...proofs, ...(chain === undefined ? [] : [chain])].every(({ grade }) =>
    policy.passes.includes(grade),
  );
  let kept: Kept | undefined;
  let checked: readonly Checked[] | undefined;
  if (place !== undefined && flags.check === true) {
    checked = await checkReceipts(project, proofs, editionAt(place), policy);
  } else if (place !== undefined && flags.write) {
    kept = await keepReceipts(project, proofs, editionAt(place), policy);
  }
  // Nothing to prove is a pass where everything is proven, and none where there is no rollback script at all.
  const isEmpty = proofs.length + upToDate.length === 0 && flags.since === undefined;
  const passed = isRestored && !isEmpty && (checked?.every(({ result }) => result === 'confirmed') ?? true);
  if (context.json) {
    outJson({
      passed,
      scratch: place?.description ?? null,
      proofs,
      ...(chain === undefined ? {} : { chain }),
      upToDate,
      withoutRollback,
      ...(kept === undefined ? {} : { receipts: kept }),
      ...(checked === undefined ? {} : { checked }),
    });
  } else {
    if (proofs.length > 0) out(`${await proofsTable(proofs)}\n`);
    if (chain !== undefined) out(await chainText(chain, process.stdout));
    if (checked !== undefined) out(checkText(checked));
    if (kept !== undefined) out(keptText(kept));
    out(await proofsText(proofs, { upToDate, withoutRollback, since: flags.since }, passed, process.stdout));
  }
  return passed ? exitCodes.done : exitCodes.findings;
}

/** `edition` tells on which server proofs are made; undefined: receipts of every one count. */
async function choose(
  project: Project,
  versions: readonly string[],
  flags: ProveFlags,
  edition: (() => Promise<ServerEdition>) | undefined,
): Promise<Choice> {
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
  const book = isEach ? undefined : await readProofBook(project, await edition?.());
  if (book?.failure !== undefined) throw book.failure;
  const upToDate = withScript.filter(({ version }) => book?.states.get(version.key)?.state === 'proven');
  return {
    keys: new Set(withScript.filter((pair) => !upToDate.includes(pair)).map(({ version }) => version.key)),
    upToDate: upToDate.map(({ version }) => version.text),
    withoutRollback,
  };
}

function keyOf(project: Project, text: string): string {
  const known = project.pairs.map((pair) => pair.version);
  const version = findVersion(text, project.toolbox.history.versions, known);
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
