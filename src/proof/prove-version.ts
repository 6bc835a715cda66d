import type { Session } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import type { QualifiedName } from '../history/history.js';
import { journalTableOf } from '../journal/journal.js';
import type { Migration } from '../history/migration.js';
import { planRollback } from '../plan/plan-rollback.js';
import type { ConnectedProject, Project } from '../project/project.js';
import { rollback } from '../run/rollback.js';
import { applyMigrations } from '../scratch/apply-migrations.js';
import type { Catalog } from './catalog.js';
import { compareCatalogs } from './compare-catalogs.js';
import { compareRows } from './compare-rows.js';
import { gradeOfCatalog, kindOfChange, worse, type Grade } from './grade.js';
import type { ProofStep, RowChange, TableRows, VersionProof } from './proof.js';

/** What a proof works in: a project's files, and a scratch database in which every earlier version is applied. */
export interface ProofRequest {
  readonly project: Project;
  readonly session: Session;
  readonly table: QualifiedName;
  readonly migration: Migration;
  readonly signal?: AbortSignal | undefined;
}

/** A statement that hangs must not hang the proof; where the configuration bounds statements, its own bound holds. */
const longestStatementMs = 60_000;

/** A database at one moment. */
interface Picture {
  readonly catalog: Catalog;
  readonly rows: ReadonlyMap<string, TableRows>;
}

/**
 * Applies a migration to the scratch database, takes it back with the very run that production would see, compares
 * catalog and rows with what was there before, and applies it again. Leaves the version applied when the grade is
 * better than `failed`; otherwise the database is of no further use.
 */
export async function proveVersion(request: ProofRequest): Promise<VersionProof> {
  const { migration } = request;
  const started = performance.now();
  const steps: ProofStep[] = [];
  const finish = (
    grade: Grade,
    found: Partial<Pick<VersionProof, 'reason' | 'changes' | 'rows' | 'left' | 'again'>>,
  ): VersionProof => ({
    version: migration.version?.text ?? '',
    description: migration.description,
    grade,
    reason: found.reason,
    changes: found.changes ?? [],
    rows: found.rows ?? [],
    left: found.left ?? [],
    again: found.again ?? [],
    steps,
    durationMs: performance.now() - started,
  });
  const attempt = async (action: ProofStep['action'], work: () => Promise<void>): Promise<string | undefined> => {
    const at = performance.now();
    let error: string | undefined;
    try {
      await work();
    } catch (cause) {
      if (!(cause instanceof FlybackError)) throw cause;
      error = cause.message;
    }
    steps.push({ action, durationMs: performance.now() - at, error });
    return error;
  };

  const before = await picture(request);
  const failedMigration = await attempt('migrate', () => migrate(request));
  if (failedMigration !== undefined) {
    return finish('not-possible', { reason: `The migration does not run here: ${failedMigration}` });
  }
  const applied = await picture(request);
  const failedRollback = await attempt('roll back', () => takeBack(request));
  if (failedRollback !== undefined) return finish('failed', { reason: failedRollback });
  const after = await picture(request);
  const declared = declaredLeft(request);
  const all = compareCatalogs(before.catalog, after.catalog);
  const changes = all.filter((change) => !(change.change === 'left-over' && declared(change.name)));
  const rows = compareRows(before.rows, after.rows).filter(({ table }) => !declared(table));
  const left = all.filter((change) => !changes.includes(change)).map(({ kind, name }) => `${kind} ${name}`);
  const failedAgain = await attempt('migrate again', () => migrate(request));
  if (failedAgain !== undefined) {
    return finish('failed', {
      reason: `After the rollback the migration does not run again: ${failedAgain}`,
      changes,
      rows,
      left,
    });
  }
  const twice = await picture(request);
  const again = compareCatalogs(applied.catalog, twice.catalog);
  const grade = rows.length === 0 ? gradeOfCatalog(changes) : worse(gradeOfCatalog(changes), gradeOfRows(rows));
  return finish(grade, { reason: reasonOf(grade, changes, rows), changes, rows, left, again });
}

/** Whether an object of this name lies in what the script's directive `leaves` names. */
function declaredLeft({ project, migration }: ProofRequest): (name: string) => boolean {
  const pair = project.pairs.find(({ version }) => version.key === migration.version?.key);
  const names = pair?.script?.directives.leaves ?? [];
  // "index kept.x", "trigger t on kept.x", "on table column kept.x.y": the name stands at the beginning of a word.
  const patterns = names.map(
    (left) => new RegExp(`(?:^|\\s)${left.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}(?:[.\\s]|$)`),
  );
  return (name) => patterns.some((pattern) => pattern.test(name));
}

/** Rows that are gone or changed are lost; rows that are there although they were not are a difference. */
function gradeOfRows(rows: readonly RowChange[]): Grade {
  return rows.some(({ before, after }) => (before?.count ?? 0) < (after?.count ?? 0)) ? 'different' : 'data-lost';
}

function reasonOf(grade: Grade, changes: VersionProof['changes'], rows: readonly RowChange[]): string | undefined {
  if (grade === 'exact') return undefined;
  const worst = changes.filter((change) => kindOfChange(change) === 'substance');
  const told = (worst.length > 0 ? worst : changes).map(({ kind, name, change }) =>
    change === 'different'
      ? `${kind} ${name} is not as it was`
      : `${kind} ${name} is ${change === 'missing' ? 'missing' : 'left over'}`,
  );
  const lost = rows.map(
    ({ table, before, after }) =>
      `${table} has ${after?.count ?? 0} rows instead of ${before?.count ?? 0}${before?.count === after?.count ? ', with other values' : ''}`,
  );
  const all = [...told, ...lost];
  return `${all.slice(0, 3).join('; ')}${all.length > 3 ? ` and ${all.length - 3} more` : ''}.`;
}

async function picture({ project, session, table }: ProofRequest): Promise<Picture> {
  const { database } = project.toolbox;
  const queries = await database.loadProofQueries();
  const without = [table, project.recordTable, journalTableOf(project.recordTable)];
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

async function migrate({ project, session, table, migration }: ProofRequest): Promise<void> {
  const { toolbox, config } = project;
  await applyMigrations({ session, toolbox, settings: config.flyway, table, migrations: [migration] });
}

/** With the same plan and the same run as in production. */
async function takeBack({ project, session, table, migration, signal }: ProofRequest): Promise<void> {
  const { toolbox, config } = project;
  const [answer] = await session.query(toolbox.history.readRows(toolbox.database, table));
  if (answer === undefined) throw new FlybackError('internal', 'The history of the scratch database cannot be read.');
  const entries = toolbox.history.parseRows(answer);
  const history = toolbox.history.interpret(table, entries);
  const key = migration.version?.key;
  const row = history.applied.find((candidate) => candidate.version?.key === key);
  const connected: ConnectedProject = {
    ...project,
    config: {
      ...config,
      run: { ...config.run, statementTimeoutMs: config.run.statementTimeoutMs || longestStatementMs },
    },
    table,
    session,
    entries,
    history,
    journal: [],
    pairs: project.pairs.map((pair) => (pair.version.key === key ? { ...pair, row } : pair)),
  };
  const built = await planRollback(connected, {
    target: { kind: 'steps', steps: 1 },
    estimates: 'leave-out',
  });
  const result = await rollback(connected, built, { reason: 'proof', signal });
  if (result.failure !== undefined) throw result.failure;
}
