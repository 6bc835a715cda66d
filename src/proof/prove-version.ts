import { compareCatalogs } from './compare-catalogs.js';
import { compareRows } from './compare-rows.js';
import { footprintOf, type Footprint } from './footprint.js';
import { kindOfChange, type Grade } from './grade.js';
import type { ProofStep, TableRows, VersionProof } from './proof.js';
import { comparePictures, picture, readRows } from './picture.js';
import { proveWithRows } from './prove-with-rows.js';
import { runTwice } from './run-twice.js';
import { verdictOf } from './verdict.js';
import { attemptsInto, migrate, takeBack, type ProofRequest } from './version-run.js';
import { writtenTables } from './written-tables.js';

export type { ProofRequest } from './version-run.js';

/**
 * Applies a migration to the scratch database, takes it back with the very run that production would see, compares
 * catalog and rows with what was there before, applies it again, and does the same with generated rows in tables that are
 * empty. Leaves the version applied when the grade is better than `failed`; otherwise the database is of no further use.
 * Reads the whole catalog and every row each time: nothing has to be known about what a migration may change.
 */
export async function proveVersion(request: ProofRequest): Promise<VersionProof> {
  return (await proveVersionThere(request)).proof;
}

/** The same; `isClean`: the database is as if nothing but the migration had run there. */
export async function proveVersionThere(
  request: ProofRequest,
): Promise<{ readonly proof: VersionProof; readonly isClean: boolean }> {
  const { migration, project } = request;
  const started = performance.now();
  const steps: ProofStep[] = [];
  const finish = (
    grade: Grade,
    found: Partial<VersionProof>,
    isClean = false,
  ): { readonly proof: VersionProof; readonly isClean: boolean } => ({
    proof: {
      ...unproven(migration, grade, found.reason),
      ...found,
      grade,
      steps,
      durationMs: performance.now() - started,
    },
    isClean,
  });
  const attempt = attemptsInto(steps);

  let at = request;
  const { renew } = request;
  const renewed = renew && (async (): Promise<void> => void (at = { ...at, session: await renew() }));
  const before = await picture(at);
  const failedMigration = await attempt('migrate', () => migrate(at));
  if (failedMigration !== undefined) {
    return finish('not-possible', { reason: `The migration does not run here: ${failedMigration.message}` });
  }
  const applied = await picture(at);
  const footprint = footprintOf(before.catalog, applied.catalog);
  const takeItBack = async (): Promise<void> => {
    await takeBack(at, { kind: 'steps', steps: 1 });
  };
  const failedRollback = await attempt('roll back', takeItBack);
  if (failedRollback !== undefined) return finish('failed', { reason: failedRollback.message, footprint });
  const after = await picture(at);
  const verdict = verdictOf(project, migration, comparePictures(before, after), compareRows(before.rows, after.rows));
  const { database, history } = project.toolbox;
  const script = project.pairs.find(({ version }) => version.key === migration.version?.key)?.script;
  const schema = history.scriptSchema(project.config.tool, at.table, at.session.facts.currentSchema);
  const twice = await runTwice(at.session, project.toolbox, script, schema, project.config.prove.statementTimeoutMs);
  const found = { ...verdict, twice, footprint };
  const failedAgain = await attempt('migrate again', () => migrate(at));
  if (failedAgain !== undefined) {
    return finish('failed', {
      ...found,
      reason: `After the rollback the migration does not run again: ${failedAgain.message}`,
    });
  }
  const again = compareCatalogs(applied.catalog, (await picture(at)).catalog);
  // A database that is not as it was shows nothing more.
  const isAsItWas =
    verdict.changes.every((change) => kindOfChange(change) !== 'substance') && verdict.rows.length === 0;
  const written = [migration.sql, script?.text ?? ''].flatMap((sql) =>
    database.dialect.split(sql).statements.map(({ text }) => text),
  );
  const tables =
    isAsItWas && request.rows !== 'present'
      ? touchedTables(footprint, writtenTables(written, before.catalog), before.rows)
      : [];
  const withoutRows = { ...found, again };
  const isAsIfNew = verdict.changes.length + verdict.rows.length + verdict.left.length + again.length === 0;
  if (tables.length === 0) return finish(verdict.grade, withoutRows, isAsIfNew);

  const failedTwice = await attempt('roll back', takeItBack);
  if (failedTwice !== undefined) {
    return finish('failed', { ...withoutRows, reason: `A second rollback does not run: ${failedTwice.message}` });
  }
  const withRows = await proveWithRows({
    get session() {
      return at.session;
    },
    renew: renewed,
    queries: await database.loadProofQueries(),
    commit: database.sql.commit,
    rollback: database.sql.rollback,
    tables,
    migrate: () => attempt('migrate', () => migrate(at)),
    takeBack: () => attempt('roll back', takeItBack),
    readRows: (names) => readRows(at, names),
  });
  const { generated, unsuited, notMigrated } = withRows;
  const notes = [...withRows.notes, ...[unsuited, notMigrated].filter((note) => note !== undefined)];
  const complete = { ...withoutRows, generated, notes };
  if (withRows.failed !== undefined) return finish('failed', { ...complete, reason: withRows.failed });
  if (unsuited !== undefined) return finish(verdict.grade, complete);
  const lost =
    withRows.rows.length === 0
      ? verdict
      : { ...verdictOf(project, migration, verdict.changes, withRows.rows), left: verdict.left };
  const failedWithRows = await attempt('migrate again', () => migrate(at));
  if (failedWithRows !== undefined) {
    return finish('failed', {
      ...complete,
      ...lost,
      reason: `With the rows of ${generated.join(', ')} as the rollback left them the migration does not run again: ${failedWithRows.message}`,
    });
  }
  return finish(lost.grade, { ...complete, ...lost }, isAsIfNew && withRows.rows.length === 0 && withRows.isClean);
}

/** Nothing is known of this version but why. */
export function unproven(migration: ProofRequest['migration'], grade: Grade, reason: string | undefined): VersionProof {
  return {
    version: migration.version?.text ?? '',
    description: migration.description,
    grade,
    reason,
    changes: [],
    rows: [],
    left: [],
    again: [],
    twice: undefined,
    footprint: [],
    generated: [],
    notes: [],
    steps: [],
    durationMs: 0,
  };
}

/** Empty tables that were there before the migration and that it changed, or something of them, or that are written. */
function touchedTables(
  footprint: Footprint,
  written: readonly string[],
  rows: ReadonlyMap<string, TableRows>,
): readonly string[] {
  const tables = new Set(
    footprint.flatMap(({ kind, name, before }) => (kind === 'table' && before !== undefined ? [name] : [])),
  );
  const changed = footprint.flatMap(({ relation, before, applied }) =>
    relation !== undefined && before !== applied && tables.has(relation) ? [relation] : [],
  );
  return [...new Set([...changed, ...written])].filter((name) => !rows.has(name));
}
