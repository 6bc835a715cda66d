import type { QualifiedName } from '../history/history.js';
import { stepSettings, type RunRequest } from './run-request.js';

/**
 * From this many steps on, the queries that are the same in every step are prepared on the server: planning one costs
 * several times its execution. For fewer, the round trip that prepares them costs more than it saves.
 */
const stepsWorthPreparing = 10;

/** What a script may not do to prepared statements; found by the bare word, in dynamic SQL too. */
const endsPrepared = /\b(?:deallocate|discard)\b/i;

/** The SQL around the scripts that is the same for every step of a run with a transaction for each version. */
export interface StepTexts {
  /** Sent once, inside the first transaction; undefined when nothing is prepared. */
  readonly prepare: string | undefined;
  /** Sent once at the end, on the same terms. */
  readonly release: string | undefined;
  /** Opens a transaction with all its guards but that of the history. */
  readonly open: string;
  /** Once it is open: whose memory of the history is older. */
  readonly approach: string;
  /** After the script: its influence ended, deferred constraints fired, then one row that tells the touched constraints. */
  readonly after: string;
  /** After the history row is gone: nothing but that row was written to flyback's tables. */
  readonly guard: string;
}

/** Builds the texts once for a run. */
export function stepTexts(request: RunRequest, record: QualifiedName | undefined): StepTexts {
  const { toolbox, plan, session } = request;
  const { sql } = toolbox.database;
  const history = plan.history.table;
  const settings = stepSettings(request);
  const lock = toolbox.history.toolLock(toolbox.database, history);
  const plain = {
    open: [
      sql.beginStep(session.facts, settings),
      sql.guardToolLock(session.facts, lock),
      sql.lockTables(history, record),
      sql.noteWrites(history, record),
    ].join(';'),
    approach: sql.toolApproach(lock),
    after: `${sql.afterScript(session.facts, settings)};${sql.touchedConstraints()}`,
    guard: sql.guardWrites(history, record, { removed: 1, appended: 0 }),
  };
  const isWorthIt =
    plan.steps.length >= stepsWorthPreparing &&
    // A pooler may answer from another server process, which knows nothing of what was prepared.
    !session.facts.proxied &&
    !request.scripts.some((script) => endsPrepared.test(script.text));
  if (!isWorthIt) return { ...plain, prepare: undefined, release: undefined };
  const names: string[] = [];
  const prepare = [sql.useScriptPath(session.facts, request.scriptSchema)];
  const shorten = (text: string): string =>
    toolbox.database.dialect
      .split(text)
      .statements.map((statement) => {
        if (!/^SELECT\b/.test(statement.text)) return statement.text;
        // The run's own name, so that two runs on one session do not meet.
        const name = `flyback_${request.runId.slice(0, 8)}_${names.length}`;
        names.push(name);
        prepare.push(sql.prepare(name, statement.text));
        return sql.execute(name);
      })
      .join(';');
  const short = {
    open: shorten(plain.open),
    approach: shorten(plain.approach),
    after: shorten(plain.after),
    guard: shorten(plain.guard),
  };
  return {
    ...short,
    prepare: prepare.join(';'),
    release: names.map((name) => sql.unprepare(name)).join(';'),
  };
}
