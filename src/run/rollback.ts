import { randomUUID } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import packageJson from '../../package.json' with { type: 'json' };
import type { Session } from '../adapter/database.js';
import { createRedactor } from '../config/create-redactor.js';
import { FlybackError } from '../errors/error.js';
import { redactError } from '../errors/redact-error.js';
import type { BuiltPlan } from '../plan/build-plan.js';
import { surveyRequest } from '../locks/survey-locks.js';
import type { ConnectedProject } from '../project/project.js';
import { driftInspector } from '../receipt/inspect-drift.js';
import { endBlockers } from './end-blockers.js';
import { runPlan } from './run-plan.js';
import type { RunRequest } from './run-request.js';
import type { RunEvent, RunResult } from './run-result.js';

export interface RollbackOptions {
  readonly mode?: 'for-real' | 'dry-run' | undefined;
  readonly reason?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: RunEvent) => void) | undefined;
  /** Opens a second session when the first one broke, to find out or note down what happened. */
  readonly reconnect?: (() => Promise<Session>) | undefined;
  /**
   * Ends the sessions that hold what the plan needs, before the run and whenever it has to wait: cancels what is running,
   * terminates what is idle in a transaction. Whom it leaves alone: endingOf in src/locks. Not in a dry run.
   */
  readonly cancelBlockers?: boolean | undefined;
}

/**
 * Runs a plan that planRollback made for this project. Resolves also when the run failed: read `outcome` and `failure`.
 */
export async function rollback(
  project: ConnectedProject,
  built: BuiltPlan,
  options: RollbackOptions = {},
): Promise<RunResult> {
  const { session } = project;
  if (session.facts.readOnly) {
    throw new FlybackError(
      'server-read-only',
      `Nothing can be rolled back here: the server of ${session.facts.databaseName} is a replica, or default_transaction_read_only is on.`,
      { hint: 'Connect to the primary server with a role that may write.' },
    );
  }
  const asked = requestOf(project, built, options);
  const request =
    options.cancelBlockers === true ? { ...asked, cancelBlockers: { ended: await endNow(project, asked) } } : asked;
  const result = await runPlan(request);
  return {
    ...result,
    failure: result.failure === undefined ? undefined : redactError(result.failure, request.redact),
    warnings: result.warnings.map(request.redact),
  };
}

async function endNow(project: ConnectedProject, request: RunRequest): Promise<readonly string[]> {
  if (request.mode === 'dry-run') {
    throw new FlybackError(
      'usage-invalid',
      'A dry run ends nobody: it changes nothing, in the database or around it.',
      {
        hint: 'Leave out --cancel-blockers, or --dry-run.',
      },
    );
  }
  return endBlockers(surveyRequest(project, request.plan, request.redact), request.onEvent, request.signal);
}

/** Everything that a run of this plan in this project needs. */
export function requestOf(project: ConnectedProject, built: BuiltPlan, options: RollbackOptions): RunRequest {
  const { config, toolbox, session } = project;
  return {
    plan: built.plan,
    scripts: built.scripts,
    entries: project.entries,
    migrations: project.migrations.migrations,
    session,
    toolbox,
    settings: config.run,
    functions: project.functions?.on(session),
    scriptSchema: toolbox.history.scriptSchema(config.tool, project.table, session.facts.currentSchema),
    mode: options.mode ?? 'for-real',
    reason: options.reason,
    who: { systemUser: systemUser(), host: hostname() },
    flybackVersion: packageJson.version,
    runId: randomUUID(),
    redact: createRedactor(config.secrets),
    now: () => new Date(),
    signal: options.signal,
    onEvent: options.onEvent,
    reconnect: options.reconnect,
    inspect: project.proofs === undefined ? undefined : driftInspector(project, project.proofs, built.plan.steps),
  };
}

/** The account that runs flyback; containers may run under a number without a name. */
function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
