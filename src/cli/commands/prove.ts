import { readFilesOnly, toolbox } from '../../compose/open-project.js';
import { openScratchPlace } from '../../compose/scratch-place.js';
import { exitCodes, FlybackError } from '../../errors/error.js';
import type { Project } from '../../project/project.js';
import type { Grade } from '../../proof/grade.js';
import { proveProject } from '../../proof/prove-project.js';
import { out, outJson, progress, type CommandContext } from '../command.js';
import { proofLine, proofsText } from '../output/prove-text.js';

/** Grades with which a rollback passes: a column that comes back stands last, whatever the script does. */
const passing: ReadonlySet<Grade> = new Set(['exact', 'column-order']);

/** flyback prove: applies, takes back and compares in a scratch database; exit code 1 when a version is not restored. */
export async function runProve(context: CommandContext, versions: readonly string[]): Promise<number> {
  const project = await readFilesOnly(context.open);
  const wanted = versions.length === 0 ? undefined : new Set(versions.map((text) => keyOf(project, text)));
  const place = await openScratchPlace();
  try {
    progress(`proving on ${place.description}`);
    const proofs = await proveProject(project, place, {
      versions: wanted,
      signal: context.signal,
      onProof: (proof, done, of) => progress(proofLine(proof, done, of, process.stderr)),
    });
    const passed = proofs.length > 0 && proofs.every(({ grade }) => passing.has(grade));
    const unproven = project.pairs
      .filter(
        ({ migration, script, version }) =>
          migration !== undefined && script === undefined && (wanted?.has(version.key) ?? true),
      )
      .map(({ version }) => version.text);
    if (context.json) outJson({ passed, scratch: place.description, proofs, withoutRollback: unproven });
    else out(proofsText(proofs, unproven, passed, process.stdout));
    return passed ? exitCodes.done : exitCodes.findings;
  } finally {
    await place.close();
  }
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
