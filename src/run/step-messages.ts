import type { Command, OwnWrites } from '../adapter/database.js';
import type { HistoryEntry, QualifiedName } from '../history/history.js';
import type { PlannedStatement, PlanStep } from '../plan/plan.js';
import type { ChangeType } from '../risk/change.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import type { RunRequest } from './run-request.js';
import type { StepTexts } from './step-texts.js';

/** What a statement of a step is for; its failure and its answer are understood by that. */
export type StepMessage = Command &
  (
    | {
        readonly kind: 'open' | 'approach' | 'triggers-off' | 'after' | 'touched' | 'triggers-on' | 'guard' | 'remove';
      }
    | {
        readonly kind: 'statement';
        readonly statement: number;
        readonly copyData?: string | undefined;
      }
    | { readonly kind: 'verification'; readonly verification: number }
  );

/**
 * Opens the transaction of a step: every condition is a guard on the server that raises an error. `remaining` are the
 * rows that must be there, by rank. Only between two steps of one run; the first opening is openTransaction. `guard`: which
 * of the two tells of those who may have read the history before.
 */
export function openingMessages(
  request: RunRequest,
  texts: StepTexts,
  remaining: readonly HistoryEntry[],
  guard: 'guardApproach' | 'suspectApproach',
): readonly StepMessage[] {
  const { toolbox, plan } = request;
  const history = toolbox.database.sql.guardHistory(
    plan.history.table,
    toolbox.history.expectRows(toolbox.database, remaining),
  );
  return [
    ...[...texts.open, texts.repeated(history)].map((command) => ({ kind: 'open', ...command }) as const),
    // Where readers are not shut out, the commit before was guarded so, in the same message.
    ...(toolbox.database.sql.historyLock === 'writers' ? [] : texts[guard]).map(
      (command) => ({ kind: 'approach', ...command }) as const,
    ),
  ];
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
 * Everything between the opening and the commit, in order: replica mode, the script, its influence ended, deferred
 * constraints, which constraints to check (where they may have been off), the history row, the verification queries.
 */
export function stepMessages(
  request: RunRequest,
  texts: StepTexts,
  step: PlanStep,
  script: RollbackScript,
  own: OwnTables,
): readonly StepMessage[] {
  const { toolbox, plan } = request;
  const { sql } = toolbox.database;
  const isOrdinary = own.writes.removed === 1 && own.writes.appended === 0;
  const isReplica = step.triggers === 'replica' && mayFireTriggers(request, step);
  const actsInTheDark = script.statements.some((statement) => acting.test(statement.text));
  return [
    ...(isReplica ? [{ kind: 'triggers-off', sql: sql.enterReplicaMode() } as const] : []),
    ...script.statements.map(
      (statement, index) =>
        ({ kind: 'statement', sql: statement.text, statement: index, copyData: statement.copyData }) as const,
    ),
    ...texts.after.map((command) => ({ kind: 'after', ...command }) as const),
    ...(isReplica || maySwitchConstraints(step.statements) ? [{ kind: 'touched', ...texts.touched } as const] : []),
    ...(own.record !== undefined && actsInTheDark
      ? [{ kind: 'guard', sql: sql.guardRecord(own.record) } as const]
      : []),
    {
      kind: 'remove',
      ...texts.repeated(toolbox.history.removeRowValues(toolbox.database, plan.history.table, step.entry)),
    },
    {
      kind: 'guard',
      ...(isOrdinary ? texts.guard : { sql: sql.guardWrites(plan.history.table, own.record, own.writes) }),
    },
    ...script.verifications.map(
      (verification, index) =>
        ({ kind: 'verification', sql: verification.query.text, tellsColumns: true, verification: index }) as const,
    ),
  ];
}

/**
 * The same, where the answers to statements and verification queries are told of as they come, and those before them: a person
 * waits for these, and the record tells how long each took, from the answer before to its own. What does so already stays as it is.
 */
export function timely<T extends Command>(commands: readonly T[]): readonly T[] {
  return commands.map((command, index) =>
    command.answersAtOnce !== true && (isTimed(command) || isTimed(commands[index + 1]))
      ? { ...command, answersAtOnce: true }
      : command,
  );
}

function isTimed(command: Command | StepMessage | undefined): boolean {
  return (
    command !== undefined && 'kind' in command && (command.kind === 'statement' || command.kind === 'verification')
  );
}

/** The same, with single triggers switched off before the script, and on behind it. */
export function withTriggers(
  messages: readonly StepMessage[],
  { off, on }: { readonly off: readonly string[]; readonly on: readonly string[] },
): readonly StepMessage[] {
  if (off.length + on.length === 0) return messages;
  const first = messages.findIndex(({ kind }) => kind === 'statement');
  const behind = messages.findIndex(({ kind }, index) => index > first && (kind === 'guard' || kind === 'remove'));
  return [
    ...messages.slice(0, first),
    ...off.map((sql) => ({ kind: 'triggers-off', sql }) as const),
    ...messages.slice(first, behind),
    ...on.map((sql) => ({ kind: 'triggers-on', sql }) as const),
    ...messages.slice(behind),
  ];
}

/** Words with which a script may switch constraints off by itself, whatever the mode. */
const switching = /replication_role|foreign_key_checks|\btrigger\b/i;

/** True when one of the statements could switch foreign keys or deferrable keys off without being told to. */
export function maySwitchConstraints(statements: readonly PlannedStatement[]): boolean {
  return statements.some((statement) => statement.changes.includes('procedural') || switching.test(statement.sql));
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
