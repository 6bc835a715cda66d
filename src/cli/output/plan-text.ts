import type { Plan, PlannedStatement, PlanStep } from '../../plan/plan.js';
import type { ObjectRef, OnlineChange } from '../../risk/change.js';
import { findingText, paint } from './error-text.js';
import { count, printBytes } from './numbers.js';

const riskStyle = {
  none: 'green',
  minimal: 'green',
  low: 'green',
  medium: 'yellow',
  high: 'red',
  critical: 'red',
} as const;

/** The plan as an engineer reads it before saying yes. */
export function planText(plan: Plan, stream: NodeJS.WriteStream): string {
  const { table } = plan.history;
  return [
    `Plan to take back ${count(plan.steps.length, 'version')} in ${plan.database.databaseName} (${plan.database.name} ${plan.database.serverVersion}, as ${plan.database.user})`,
    `  history      ${table.schema}.${table.name}, ${count(plan.history.rowCount, 'row')}`,
    `  transaction  ${transactionText(plan)}`,
    `  triggers     ${plan.triggers.mode} (${plan.triggers.reason})`,
    `  record       ${plan.recordTable.schema}.${plan.recordTable.name}`,
    '',
    ...plan.steps.flatMap((step, index) => stepText(step, index, plan, stream)),
    ...(plan.hazards.length === 0
      ? []
      : ['Know before you say yes', ...plan.hazards.map((hazard) => indent(findingText(hazard, stream))), '']),
    'Afterwards',
    `  applied      ${plan.after.applied.length === 0 ? 'nothing' : plan.after.applied.length > 8 ? `${count(plan.after.applied.length, 'version')}, up to ${plan.after.applied.at(-1) ?? ''}` : plan.after.applied.join(', ')}`,
    `  next migrate ${plan.after.forecast}`,
    ...(plan.repeatables.length === 0
      ? []
      : [`  repeatables  ran after a version that goes and may need to run again: ${plan.repeatables.join(', ')}`]),
    `  plan hash    ${plan.hash}`,
  ].join('\n');
}

const sourceNote = { rollback: '', undo: ' (undo file)', function: ' (its down function)' } as const;

function transactionText({ transaction, steps }: Plan): string {
  if (transaction === 'single') return 'one for all versions';
  const without = steps.filter((step) => step.transaction === 'off').length;
  if (without === 0) return steps.length === 1 ? 'one' : 'one for each version';
  return without === steps.length ? 'none: statement by statement' : `one for each version, but none for ${without}`;
}

function stepText(step: PlanStep, index: number, plan: Plan, stream: NodeJS.WriteStream): readonly string[] {
  const proof = plan.proofs?.[step.version];
  return [
    `${index + 1}/${plan.steps.length}  version ${step.version}  ${step.description}`,
    `  script       ${step.script.file}${sourceNote[step.script.source]}`,
    `  risk         ${paint(riskStyle[step.risk], step.risk, stream)}, data loss: ${step.dataLoss}${step.approval === undefined ? '' : `, approved: ${step.approval}`}`,
    ...(proof === undefined ? [] : [`  proof        ${proof}`]),
    ...(step.transaction === 'on' ? [] : ['  transaction  none: each statement is journalled, then committed']),
    ...(step.triggers === 'replica' ? [] : [`  triggers     ${step.triggers}`]),
    ...step.statements.flatMap((statement) => statementText(statement, plan.database.name)),
    ...step.verifications.map(
      (verification) => `  ${String(verification.line).padStart(4)}  verify ${verification.name}`,
    ),
    ...step.takenOver.map((part) => `  ${String(part.line).padStart(4)}  ${firstLine(part.text)} – ${part.instead}`),
    '',
  ];
}

/** Stops nobody but whoever would drop the table: every SELECT takes it. */
const readersLocks: ReadonlySet<string> = new Set(['ACCESS SHARE', 'SHARED READ']);

function statementText(statement: PlannedStatement, database: string): readonly string[] {
  const { estimate } = statement;
  const strong = statement.locks.filter((lock) => !readersLocks.has(lock.level));
  const exclusive = database === 'mysql' ? 'EXCLUSIVE' : 'ACCESS EXCLUSIVE';
  const locks = [...new Set(strong.map((lock) => `${lock.level} on ${objectName(lock.on)}`))];
  const facts = [
    `${statement.changes.join(', ')}; risk ${statement.risk}`,
    ...(locks.length === 0 ? [] : [`locks ${locks.join(', ')}`]),
    ...(statement.work === 'none' ? [] : [statement.work === 'scan' ? 'reads the whole table' : 'rewrites the table']),
    ...(statement.online === null ? [] : [onlineText(statement.online)]),
    ...(estimate === null ? [] : estimate.alsoLocks.map((table) => `also locks ${exclusive} on ${table}`)),
    ...(estimate === null || estimate.bytes === null
      ? []
      : [
          `${estimate.rows === null ? 'rows not known (never analyzed)' : `about ${count(estimate.rows, 'row')}`}, ${printBytes(estimate.bytes)}`,
        ]),
    ...(statement.dataLoss === 'no' ? [] : [`data loss: ${statement.dataLoss}`]),
    ...(statement.alone === null ? [] : [`runs alone: ${statement.alone}`]),
    ...statement.cascade.map((victim) => `CASCADE also removes ${victim}`),
  ];
  const [first = '', ...rest] = statement.sql.split(/\r\n|\r|\n/);
  return [
    `  ${String(statement.line).padStart(4)}  ${first}`,
    ...rest.map((line) => `        ${line}`),
    ...facts.map((fact) => `          · ${fact}`),
  ];
}

const whoWaits = { NONE: 'others read and write', SHARED: 'writers wait', EXCLUSIVE: 'others wait' } as const;

function onlineText({ algorithm, lock, isCertain }: OnlineChange): string {
  return `${isCertain ? '' : 'at worst '}ALGORITHM=${algorithm}, LOCK=${lock} (${whoWaits[lock]})`;
}

function objectName(ref: ObjectRef): string {
  return `${ref.schema === undefined ? '' : `${ref.schema}.`}${ref.name}`;
}

function firstLine(text: string): string {
  return text.split(/\r\n|\r|\n/, 1)[0] ?? '';
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}
