import type { OwnWrites } from '../adapter/database.js';
import type { HistoryEntry, QualifiedName } from '../history/history.js';
import type { PlanStep } from '../plan/plan.js';
import type { ChangeType } from '../risk/change.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import type { RunRequest } from './run-request.js';
import type { StepTexts } from './step-texts.js';

/** What a message of a step is for; its failure and its answer are understood by that. */
export type StepMessage =
  | {
      readonly kind: 'open' | 'triggers-off' | 'after' | 'triggers-on' | 'remove' | 'finish';
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
 * Opens the transaction of a step in one message: every condition is a guard on the server that raises an error. Only
 * between two steps of one run; the first opening is openTransaction. The answer ends with that of toolApproach.
 */
export function openingMessage(request: RunRequest, texts: StepTexts, remaining: readonly HistoryEntry[]): StepMessage {
  const { toolbox, plan } = request;
  const maxRank = remaining.reduce((highest, entry) => Math.max(highest, entry.rank), 0);
  const guard = toolbox.database.sql.guardHistory(plan.history.table, remaining.length, maxRank);
  return { kind: 'open', sql: `${texts.open};${guard};${texts.approach}` };
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
 * Everything between the opening and the commit, in order: triggers off, the script, its influence ended, triggers on,
 * deferred constraints, which constraints to check, the history row, the verification queries. As few messages as can
 * be: what needs no answer of its own travels with its neighbour. In the answer to `remove` the last three results are
 * the touched constraints, the removed row and the guard; to `finish` the last two.
 */
export function stepMessages(
  request: RunRequest,
  texts: StepTexts,
  step: PlanStep,
  script: RollbackScript,
  triggers: { readonly off: readonly string[]; readonly on: readonly string[] },
  own: OwnTables,
): readonly StepMessage[] {
  const { toolbox, plan } = request;
  const { sql } = toolbox.database;
  const isOrdinary = own.writes.removed === 1 && own.writes.appended === 0;
  const guard = isOrdinary ? texts.guard : sql.guardWrites(plan.history.table, own.record, own.writes);
  const remove = `${toolbox.history.removeRow(toolbox.database, plan.history.table, step.entry)};${guard}`;
  const guardRecord =
    own.record !== undefined && script.statements.some((statement) => acting.test(statement.text))
      ? `${sql.guardRecord(own.record)};`
      : '';
  return [
    ...(step.triggers === 'replica' && mayFireTriggers(request, step)
      ? [{ kind: 'triggers-off', sql: sql.enterReplicaMode() } as const]
      : []),
    ...triggers.off.map((text) => ({ kind: 'triggers-off', sql: text }) as const),
    ...script.statements.map(
      (statement, index) =>
        ({ kind: 'statement', sql: statement.text, statement: index, copyData: statement.copyData }) as const,
    ),
    ...(triggers.on.length === 0 && guardRecord === ''
      ? [{ kind: 'remove', sql: `${texts.after};${remove}` } as const]
      : [
          { kind: 'after', sql: texts.after } as const,
          ...triggers.on.map((text) => ({ kind: 'triggers-on', sql: text }) as const),
          { kind: 'finish', sql: `${guardRecord}${remove}` } as const,
        ]),
    ...script.verifications.map(
      (verification, index) => ({ kind: 'verification', sql: verification.query.text, verification: index }) as const,
    ),
  ];
}

/** Changes that touch no row of any table: no trigger and no foreign key can have a say in them. */
const withoutRows: ReadonlySet<ChangeType> = new Set([
  'drop-table',
  'drop-column',
  'add-index',
  'drop-index',
  'drop-constraint',
  'drop-not-null',
  'rename',
  'comment',
]);

/**
 * False when nothing in the script could fire a trigger, so that replica mode would change nothing. Switching it makes
 * the server throw away every plan of the session, which costs a run of many versions a third of its time.
 */
function mayFireTriggers(request: RunRequest, step: PlanStep): boolean {
  return (
    request.session.facts.hasEventTriggers ||
    !step.statements.every(
      (statement) =>
        statement.writes.length === 0 &&
        statement.work !== 'rewrite' &&
        statement.changes.every((change) => withoutRows.has(change)),
    )
  );
}
