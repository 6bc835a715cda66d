import { FlybackError } from '../errors/error.js';
import type { Migration } from '../history/migration.js';
import type { Version } from '../history/version.js';
import type { Project } from '../project/project.js';
import { applyMigrations, inOrder } from '../scratch/apply-migrations.js';
import { applyFixture, readFixtures } from '../scratch/fixtures.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import { cancelWhileAborted } from './cancel-while-aborted.js';
import type { CatalogChange } from './compare-catalogs.js';
import { compareRows } from './compare-rows.js';
import type { Grade } from './grade.js';
import { compareSequences } from './compare-sequences.js';
import { comparePictures, picture, type Picture } from './picture.js';
import { projectIn } from './project-in.js';
import type { RowChange } from './proof.js';
import type { ScratchPlace } from './scratch-place.js';
import { throwIfCancelled } from './throw-if-cancelled.js';
import { verdictOfScripts } from './verdict.js';
import { applyRequest, attempted, takeBack, type ProofRequest } from './version-run.js';
import { mayMakeServerObjects } from './watchable.js';

/** What became of a database that was taken all the way down, and up again. */
export interface ChainProof {
  /** How many versions were taken back, the newest first: all, or those above the newest without a rollback script. */
  readonly versions: number;
  /** The version at which it stopped, because that has no rollback script; undefined: nothing was left. */
  readonly stoppedAt: string | undefined;
  readonly grade: Grade;
  readonly reason: string | undefined;
  readonly changes: readonly CatalogChange[];
  readonly rows: readonly RowChange[];
  /** What is other than it was when everything was applied again. */
  readonly again: readonly CatalogChange[];
  readonly durationMs: number;
}

/**
 * Applies every migration, takes back every version down to an empty database (or to the newest one that has no rollback
 * script), compares, applies them again and compares again. Fixtures run with their
 * versions, both times. Undefined when the newest version has no script.
 */
export async function proveChain(
  project: Project,
  place: ScratchPlace,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ChainProof | undefined> {
  const programs = project.functions === undefined ? 'leave-out' : 'include';
  const versioned = inOrder(project.migrations.migrations, project.toolbox, programs).filter(
    ({ kind }) => kind === 'versioned',
  );
  const known = new Map(project.pairs.map(({ version, script }) => [version.key, script]));
  const scripts = versioned.map(({ version }) => (version === undefined ? undefined : known.get(version.key)));
  const kept = scripts.lastIndexOf(undefined) + 1;
  if (kept === versioned.length) return undefined;
  const [lower, upper] = [versioned.slice(0, kept), versioned.slice(kept)];
  // What earlier proofs made on their server, such as a role, would be in the way.
  const other = mayMakeServerObjects(project) ? await place.another?.() : undefined;
  const own = other ?? place;
  try {
    const name = await own.create();
    const session = await own.connect(name);
    const stopListening = cancelWhileAborted(options.signal, [session]);
    try {
      return await proveThere({ project, session, signal: options.signal }, { lower, upper, scripts });
    } finally {
      stopListening();
      await session.close();
      await own.drop(name);
    }
  } finally {
    await other?.close();
  }
}

/** What is applied first and stays, what comes down and goes up again, and the scripts of all. */
interface Versions {
  readonly lower: readonly Migration[];
  readonly upper: readonly Migration[];
  readonly scripts: readonly (RollbackScript | undefined)[];
}

async function proveThere(
  { project, session, signal }: Pick<ProofRequest, 'project' | 'session' | 'signal'>,
  { lower, upper, scripts }: Versions,
): Promise<ChainProof> {
  const started = performance.now();
  const base = { versions: upper.length, stoppedAt: lower.at(-1)?.version?.text };
  const finish = (found: Pick<ChainProof, 'grade' | 'reason'> & Partial<ChainProof>): ChainProof => ({
    ...base,
    changes: [],
    rows: [],
    again: [],
    ...found,
    durationMs: performance.now() - started,
  });
  const own = projectIn(project, session);
  const at = { project: own, session, table: own.table, signal };
  const fixtures = readFixtures(project);
  const apply = async (
    migrations: readonly Migration[],
    runFixture: (version: Version) => Promise<void>,
  ): Promise<string | undefined> => {
    const done = await attempted(async () => {
      if (fixtures.size === 0) return applyMigrations({ ...applyRequest(at), migrations });
      for (const migration of migrations) {
        await applyMigrations({ ...applyRequest(at), migrations: [migration] });
        const fixture = fixtures.get(migration.version?.key ?? '');
        if (fixture !== undefined) await runFixture(fixture.version);
      }
    });
    throwIfCancelled(signal);
    return done.error?.message;
  };
  const fill = (version: Version): Promise<void> => applyFixture({ ...applyRequest(at), fixtures }, version);
  try {
    const notApplied = await apply(lower, fill);
    const below = await picture(at);
    // What a fixture of a version above puts into a table below, no rollback takes back.
    const remains = new Map<string, ReadonlySet<string>>();
    const fillAbove = async (version: Version): Promise<void> => {
      const before = lower.length === 0 ? undefined : await picture(at);
      await fill(version);
      if (before === undefined) return;
      const names = changedNames(before, await picture(at)).filter((name) => isIn(below, name));
      if (names.length > 0) remains.set(version.key, new Set(names));
    };
    const failed = notApplied ?? (await apply(upper, fillAbove));
    if (failed !== undefined) return finish({ grade: 'not-possible', reason: failed });
    const above = await picture(at);
    const back = await attempted(() => takeBack(at, { kind: 'steps', steps: upper.length }));
    if (back.error !== undefined) return finish({ grade: 'failed', reason: back.error.message });
    const after = await picture(at);
    const isFilled = (name: string): boolean => [...remains.values()].some((names) => names.has(name));
    const verdict = verdictOfScripts(
      scripts.filter((script): script is RollbackScript => script !== undefined),
      comparePictures(below, after).filter(({ kind, name }) => kind !== 'sequence position' || !isFilled(name)),
      compareRows(below.rows, after.rows).filter((change) => !isFilled(change.table)),
    );
    const notAgain = await apply(upper, async (version) => {
      if (!remains.has(version.key)) await fill(version);
    });
    if (notAgain !== undefined) {
      return finish({ ...verdict, grade: 'failed', reason: `The migrations do not run again: ${notAgain}` });
    }
    return finish({ ...verdict, again: comparePictures(above, await picture(at)) });
  } catch (error) {
    if (!(error instanceof FlybackError) || error.code === 'cancelled' || error.code === 'internal') throw error;
    return finish({ grade: 'failed', reason: error.message });
  }
}

/** Tables with other rows, and sequences that stand elsewhere. */
function changedNames(before: Picture, after: Picture): readonly string[] {
  return [
    ...compareRows(before.rows, after.rows).map(({ table }) => table),
    ...compareSequences(before.sequences, after.sequences).map(({ name }) => name),
  ];
}

function isIn({ catalog, sequences }: Picture, name: string): boolean {
  return sequences.has(name) || catalog.objects.some((object) => object.kind === 'table' && object.name === name);
}
