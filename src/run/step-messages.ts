import type { OwnWrites } from '../adapter/database.js';
import type { HistoryEntry, QualifiedName } from '../history/history.js';
import type { PlanStep } from '../plan/plan.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import { stepSettings, type RunRequest } from './run-request.js';

/** What a message of a step is for; its failure and its answer are understood by that. */
export type StepMessage =
  | {
      readonly kind: 'open' | 'triggers-off' | 'triggers-on' | 'after' | 'constraints' | 'remove';
      readonly sql: string;
    }
  | {
      readonly kind: 'statement';
      readonly sql: string;
      readonly statement: number;
      readonly copyData?: string | undefined;
    }
  | { readonly kind: 'verification'; readonly sql: string; readonly verification: number };

/**
 * Opens the transaction of a step without waiting for answers: every condition is a guard on the server that raises
 * an error, so that nothing after it runs. Only between two steps of one run; the first opening is openTransaction.
 */
export function openingMessage(request: RunRequest, remaining: readonly HistoryEntry[], triggers: string): StepMessage {
  const { toolbox, plan, session } = request;
  const { sql } = toolbox.database;
  const lock = toolbox.history.toolLock(toolbox.database, plan.history.table);
  const maxRank = remaining.reduce((highest, entry) => Math.max(highest, entry.rank), 0);
  return {
    kind: 'open',
    sql: [
      sql.beginStep(session.facts, stepSettings(request, triggers)),
      sql.guardToolLock(session.facts, lock),
      sql.lockTables(plan.history.table, plan.recordTable),
      sql.noteWrites(plan.history.table, plan.recordTable),
      sql.guardHistory(plan.history.table, remaining.length, maxRank),
    ].join(';'),
  };
}

/** What flyback's own tables have seen of flyback itself when a step has removed its row. */
export interface OwnTables {
  /** Undefined in a dry run before the first real one: the record does not exist. */
  readonly record: QualifiedName | undefined;
  readonly writes: OwnWrites;
}

/** Words of statements that may run dynamic SQL: what stands in the open was read when the script was. */
const acting = /\b(?:do|call|select|values|execute)\b/i;

/**
 * Everything between the opening and the commit, in order: triggers off, the script, triggers on, deferred constraints,
 * which foreign keys to check, the history row, the verification queries.
 */
export function stepMessages(
  request: RunRequest,
  step: PlanStep,
  script: RollbackScript,
  triggers: { readonly off: readonly string[]; readonly on: readonly string[] },
  own: OwnTables,
): readonly StepMessage[] {
  const { toolbox, plan, session } = request;
  const { sql } = toolbox.database;
  return [
    ...(step.triggers === 'replica' ? [{ kind: 'triggers-off', sql: sql.enterReplicaMode() } as const] : []),
    ...triggers.off.map((text) => ({ kind: 'triggers-off', sql: text }) as const),
    ...script.statements.map(
      (statement, index) =>
        ({ kind: 'statement', sql: statement.text, statement: index, copyData: statement.copyData }) as const,
    ),
    { kind: 'after', sql: sql.afterScript(session.facts, stepSettings(request, step.triggers)) },
    ...triggers.on.map((text) => ({ kind: 'triggers-on', sql: text }) as const),
    { kind: 'constraints', sql: sql.touchedConstraints() },
    {
      kind: 'remove',
      sql: [
        toolbox.history.removeRow(toolbox.database, plan.history.table, step.entry),
        sql.guardWrites(plan.history.table, own.record, own.writes),
        ...(own.record !== undefined && script.statements.some((statement) => acting.test(statement.text))
          ? [sql.guardRecord(own.record)]
          : []),
      ].join(';'),
    },
    ...script.verifications.map(
      (verification, index) => ({ kind: 'verification', sql: verification.query.text, verification: index }) as const,
    ),
  ];
}
