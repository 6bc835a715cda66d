import type { Command } from '../adapter/database.js';
import type { QualifiedName } from '../history/history.js';
import { stepSettings, type RunRequest } from './run-request.js';

/** What a script may not do to the plans that the server keeps; found by the bare word, in dynamic SQL too. */
const endsPlans = /\b(?:deallocate|discard)\b/i;

/** The SQL around the scripts that is the same for every step of a run with a transaction for each version. */
export interface StepTexts {
  /** Opens a transaction with all its guards but that of the history. */
  readonly open: readonly Command[];
  /** Once it is open: whose memory of the history is older, as toolApproach tells; and the guard that nobody's is. */
  readonly approach: readonly Command[];
  readonly guardApproach: readonly Command[];
  /** The cheaper guard, which may see somebody where nobody is. */
  readonly suspectApproach: readonly Command[];
  /** After the script: its influence ended, deferred constraints fired. */
  readonly after: readonly Command[];
  /** One row that tells the touched constraints. */
  readonly touched: Command;
  /** After the history row is gone: nothing but that row was written to flyback's tables. */
  readonly guard: Command;
  readonly commit: Command;
  /** A command that every step has, its values apart. */
  repeated(command: Command): Command;
}

/** Builds the texts once for a run. */
export function stepTexts(request: RunRequest, record: QualifiedName | undefined): StepTexts {
  const { toolbox, plan, session } = request;
  const { sql } = toolbox.database;
  const history = plan.history.table;
  const settings = stepSettings(request);
  const lock = toolbox.history.toolLock(toolbox.database, history, session.facts);
  // Planning one of these queries costs several times its execution, and reading any text more than keeping it.
  const keepsPlan =
    plan.steps.length > 1 &&
    // A pooler may answer from another server process, which knows nothing of what was prepared.
    !session.facts.proxied &&
    !request.scripts.some((script) => endsPlans.test(script.text));
  // A run before this one, on the same session, may have had a script that ended them.
  session.forgetPlans();
  const repeated = (command: Command): Command => ({ ...command, keepsPlan });
  const commands = (...texts: readonly string[]): readonly Command[] =>
    texts.flatMap((text) =>
      toolbox.database.dialect.split(text).statements.map((statement) => repeated({ sql: statement.text })),
    );
  return {
    open: commands(sql.openStep(session.facts, settings, lock, { history, record })),
    approach: commands(sql.toolApproach(lock)),
    guardApproach: commands(sql.guardApproach(lock)),
    suspectApproach: commands(sql.suspectApproach(session.facts, lock)),
    after: commands(sql.afterScript(session.facts, settings)),
    touched: repeated({ sql: sql.touchedConstraints() }),
    commit: repeated({ sql: sql.commit }),
    guard: repeated({ sql: sql.guardWrites(history, record, { removed: 1, appended: 0 }) }),
    repeated,
  };
}
