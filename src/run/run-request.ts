import type { Session, StepSettings } from '../adapter/database.js';
import type { Toolbox } from '../adapter/toolbox.js';
import type { RunSettings } from '../config/config.js';
import type { Finding } from '../errors/finding.js';
import type { FunctionCalls } from '../functions/function-runner.js';
import type { HistoryEntry } from '../history/history.js';
import type { Migration } from '../history/migration.js';
import type { Plan, PlanStep } from '../plan/plan.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import type { RunEvent } from './run-result.js';

/** Everything a run needs; nothing is read from the environment. */
export interface RunRequest {
  readonly plan: Plan;
  /** The scripts of the plan's steps, in the order of the steps; their checksums must equal the plan's. */
  readonly scripts: readonly RollbackScript[];
  /** Every history row as it was when the plan was made, by rank. */
  readonly entries: readonly HistoryEntry[];
  /** The migration files, from which some tools' histories are inferred. */
  readonly migrations: readonly Migration[];
  readonly session: Session;
  readonly toolbox: Toolbox;
  readonly settings: RunSettings;
  /** Calls down functions on the session; undefined where no step needs one. */
  readonly functions?: FunctionCalls | undefined;
  readonly scriptSchema: string;
  /** `dry-run` runs all steps in one transaction and rolls it back. */
  readonly mode: 'for-real' | 'dry-run';
  readonly reason: string | undefined;
  readonly who: { readonly systemUser: string; readonly host: string };
  readonly flybackVersion: string;
  readonly runId: string;
  /** When the plan given here is a part of a longer one: how many steps came before, and how many there are. */
  readonly part?: { readonly before: number; readonly of: number } | undefined;
  /** The caller holds the migration tool's lock for the session, and gives it back itself. */
  readonly holdsLock?: boolean | undefined;
  /** Takes secrets out of text before it is recorded. */
  readonly redact: (text: string) => string;
  readonly now: () => Date;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: RunEvent) => void) | undefined;
  /** Opens another session to the same server, to find out or note down what happened when this one broke. */
  readonly reconnect?: (() => Promise<Session>) | undefined;
  /** Given: sessions that keep the run waiting for a lock are ended. With a sentence about each ended before it began. */
  readonly cancelBlockers?: { readonly ended: readonly string[] } | undefined;
  /** Who looks at the database around the script of a step. None: not a message more is sent for it. */
  readonly inspect?: ((step: PlanStep) => StepInspector | undefined) | undefined;
  /** Sentences about the sessions that were ended for this run so far; for the record. */
  readonly endedSessions?: (() => readonly string[]) | undefined;
}

/**
 * Looks at the database in a step's own transaction and says what is not as it should be. Throws FlybackError to have the
 * step rolled back. Around a script without a transaction it looks in those that begin and finish the step: when it throws
 * before, nothing has happened; when it throws drift-found afterwards, that is told and changes nothing.
 */
export interface StepInspector {
  /** The history is locked, nothing of the script was sent. */
  before(session: Session): Promise<readonly Finding[]>;
  /** Everything is done and verified; the commit comes next. */
  after(session: Session): Promise<readonly Finding[]>;
}

export function stepSettings(request: RunRequest): StepSettings {
  return {
    lockTimeoutMs: request.settings.lockTimeoutMs,
    statementTimeoutMs: request.settings.statementTimeoutMs,
    scriptSchema: request.scriptSchema,
  };
}
