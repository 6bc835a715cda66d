import type { Session } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import type { ServerCondition } from '../errors/server-condition.js';
import type { QualifiedName } from '../history/history.js';
import type { Migration } from '../history/migration.js';
import { journalTableOf } from '../journal/journal.js';
import type { BuiltPlan } from '../plan/build-plan.js';
import type { Target } from '../plan/plan.js';
import { planRollback } from '../plan/plan-rollback.js';
import type { ConnectedProject, Project } from '../project/project.js';
import { rollback } from '../run/rollback.js';
import { applyMigrations, type ApplyRequest } from '../scratch/apply-migrations.js';
import type { ProofStep } from './proof.js';

/** What a proof works in: a project's files, and a scratch database in which every earlier version is applied. */
export interface ProofRequest {
  readonly project: Project;
  readonly session: Session;
  readonly table: QualifiedName;
  readonly migration: Migration;
  /** Rows to compare: those that are there, or also generated ones in tables that are empty. Default: generated. */
  readonly rows?: 'present' | 'generated' | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * Where a migration that fails leaves half of itself: a session to a new database as this one was before the migration, in
   * the place of this one. Undefined: what fails changes nothing.
   */
  readonly renew?: (() => Promise<Session>) | undefined;
}

/** The tools' own tables, which are no part of what is compared. */
export function ownTables({ project, table }: Pick<ProofRequest, 'project' | 'table'>): readonly QualifiedName[] {
  return [table, project.recordTable, journalTableOf(project.recordTable)];
}

export async function migrate(request: ProofRequest): Promise<void> {
  await applyMigrations({ ...applyRequest(request), migrations: [request.migration] });
}

/** How files are run for proofs: none of their statements for ever. */
export function applyRequest({
  project: { toolbox, config, functions },
  session,
  table,
  signal,
}: Pick<ProofRequest, 'project' | 'session' | 'table' | 'signal'>): Omit<ApplyRequest, 'migrations'> {
  return {
    functions,
    signal,
    session,
    toolbox,
    settings: config.tool,
    table,
    statementTimeoutMs: config.prove.statementTimeoutMs,
  };
}

/** With the same plan and the same run as in production; says what was planned. */
export async function takeBack(request: Omit<ProofRequest, 'migration'>, target: Target): Promise<BuiltPlan> {
  const { project, session, table, signal } = request;
  const { toolbox, config } = project;
  const [answer] = await session.query(toolbox.history.readRows(toolbox.database, table));
  if (answer === undefined) throw new FlybackError('internal', 'The history of the scratch database cannot be read.');
  const entries = toolbox.history.parseRows(answer, project.migrations.migrations);
  const history = toolbox.history.interpret(table, entries);
  const rows = new Map(history.applied.map((row) => [row.version?.key, row]));
  const connected: ConnectedProject = {
    ...project,
    config: {
      ...config,
      // Where rollbacks have a bound in production, they have it here.
      run: { ...config.run, statementTimeoutMs: config.run.statementTimeoutMs || config.prove.statementTimeoutMs },
    },
    table,
    session,
    entries,
    history,
    journal: [],
    pairs: project.pairs.map((pair) => ({ ...pair, row: rows.get(pair.version.key) })),
  };
  const built = await planRollback(connected, { target, estimates: 'leave-out', locks: 'leave-out', signal });
  const result = await rollback(connected, built, { reason: 'proof', signal });
  if (result.failure !== undefined) throw result.failure;
  return built;
}

/** Why a step did not work. */
export interface StepFailure {
  readonly message: string;
  readonly condition: ServerCondition | undefined;
}

/** Runs steps one after the other and keeps how each went in `steps`; each resolves with why it did not work. */
export function attemptsInto(
  steps: ProofStep[],
): (action: ProofStep['action'], work: () => Promise<unknown>) => Promise<StepFailure | undefined> {
  return async (action, work) => {
    const { error, durationMs } = await attempted(work);
    steps.push({ action, error: error?.message, durationMs });
    return error;
  };
}

/** Runs a step, timed; resolves with why it did not work. Throws what is no fault of the project. */
export async function attempted(
  work: () => Promise<unknown>,
): Promise<{ error: StepFailure | undefined; durationMs: number }> {
  const started = performance.now();
  let error: StepFailure | undefined;
  try {
    await work();
  } catch (cause) {
    if (!(cause instanceof FlybackError) || cause.code === 'cancelled' || cause.code === 'internal') throw cause;
    // A refused plan says in its findings what is wrong.
    const message = [cause.message, ...cause.findings.map((finding) => finding.message)].join(' ');
    error = { message, condition: cause.condition };
  }
  return { error, durationMs: performance.now() - started };
}
