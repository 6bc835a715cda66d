import type { Catalog } from './catalog.js';
import { compareCatalogs } from './compare-catalogs.js';
import { compareRows } from './compare-rows.js';
import { footprintOf } from './footprint.js';
import type { Grade } from './grade.js';
import type { ProofStep, TableRows, VersionProof } from './proof.js';
import { verdictOf } from './verdict.js';
import { attempted, migrate, ownTables, takeBack, type ProofRequest } from './version-run.js';

export type { ProofRequest } from './version-run.js';

/** A database at one moment. */
interface Picture {
  readonly catalog: Catalog;
  readonly rows: ReadonlyMap<string, TableRows>;
}

/**
 * Applies a migration to the scratch database, takes it back with the very run that production would see, compares
 * catalog and rows with what was there before, and applies it again. Leaves the version applied when the grade is
 * better than `failed`; otherwise the database is of no further use. Reads the whole catalog and every row each time:
 * nothing has to be known about what a migration may change.
 */
export async function proveVersion(request: ProofRequest): Promise<VersionProof> {
  const { migration, project } = request;
  const started = performance.now();
  const steps: ProofStep[] = [];
  const finish = (grade: Grade, found: Partial<VersionProof>): VersionProof => ({
    ...unproven(migration, grade, found.reason),
    ...found,
    steps,
    durationMs: performance.now() - started,
  });
  const attempt = async (action: ProofStep['action'], work: () => Promise<unknown>): Promise<string | undefined> => {
    const done = await attempted(work);
    steps.push({ action, ...done });
    return done.error;
  };

  const before = await picture(request);
  const failedMigration = await attempt('migrate', () => migrate(request));
  if (failedMigration !== undefined) {
    return finish('not-possible', { reason: `The migration does not run here: ${failedMigration}` });
  }
  const applied = await picture(request);
  const footprint = footprintOf(before.catalog, applied.catalog);
  const failedRollback = await attempt('roll back', () => takeBack(request, { kind: 'steps', steps: 1 }));
  if (failedRollback !== undefined) return finish('failed', { reason: failedRollback, footprint });
  const after = await picture(request);
  const verdict = verdictOf(
    project,
    migration,
    compareCatalogs(before.catalog, after.catalog),
    compareRows(before.rows, after.rows),
  );
  const failedAgain = await attempt('migrate again', () => migrate(request));
  if (failedAgain !== undefined) {
    return finish('failed', {
      ...verdict,
      grade: 'failed',
      reason: `After the rollback the migration does not run again: ${failedAgain}`,
      footprint,
    });
  }
  const twice = await picture(request);
  const again = compareCatalogs(applied.catalog, twice.catalog);
  return finish(verdict.grade, { ...verdict, again, footprint });
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
    notes: [],
    steps: [],
    durationMs: 0,
  };
}

async function picture(request: ProofRequest): Promise<Picture> {
  const { session } = request;
  const { database } = request.project.toolbox;
  const queries = await database.loadProofQueries();
  const without = ownTables(request);
  await session.query('BEGIN');
  try {
    return {
      catalog: await queries.readCatalog(session, without),
      rows: await queries.readRows(session, without),
    };
  } finally {
    await session.query(database.sql.rollback);
  }
}
