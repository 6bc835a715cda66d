import type { RiskAssessment } from '../pairing/pair.js';
import type { ChangeType, DataLoss, ObjectRef, Risk, StatementImpact } from './change.js';
import { risks } from './change.js';
import { matrix } from './matrix.js';

const losses: readonly DataLoss[] = ['no', 'maybe', 'yes'];

/** The highest of some risks; "none" when there are none. */
export function riskiest(values: readonly Risk[]): Risk {
  return risks[Math.max(0, ...values.map((risk) => risks.indexOf(risk)))] ?? 'none';
}

/** The worst of some data losses; "no" when there are none. */
export function worstLoss(values: readonly DataLoss[]): DataLoss {
  return losses[Math.max(0, ...values.map((loss) => losses.indexOf(loss)))] ?? 'no';
}

function raise(risk: Risk): Risk {
  return risks[Math.min(risks.indexOf(risk) + 1, risks.length - 1)] ?? 'critical';
}

/**
 * The risk of running a statement that makes this change, as opposed to the matrix: the risk of having to take it back.
 * Data loss, rewriting, CASCADE and the lack of a transaction come on top (statementRisk).
 */
const runRisks: Readonly<Record<ChangeType, Risk>> = {
  'create-table': 'minimal',
  'drop-table': 'high',
  'add-column': 'low',
  'drop-column': 'high',
  'add-index': 'low',
  'drop-index': 'minimal',
  'add-constraint': 'medium',
  'drop-constraint': 'low',
  'alter-type': 'medium',
  'insert-data': 'minimal',
  'update-data': 'medium',
  'delete-data': 'high',
  truncate: 'critical',
  rename: 'low',
  'set-not-null': 'medium',
  'drop-not-null': 'minimal',
  'change-default': 'minimal',
  'create-object': 'minimal',
  'drop-object': 'low',
  'replace-object': 'low',
  'create-schema': 'minimal',
  'drop-schema': 'medium',
  extension: 'medium',
  'enum-value': 'medium',
  sequence: 'low',
  partition: 'medium',
  privilege: 'low',
  owner: 'low',
  comment: 'minimal',
  'row-security': 'medium',
  'trigger-state': 'low',
  storage: 'minimal',
  'server-setting': 'high',
  'session-setting': 'none',
  'data-copy': 'minimal',
  maintenance: 'minimal',
  query: 'none',
  procedural: 'medium',
  'transaction-control': 'high',
  other: 'medium',
};

/** The risk of running one statement now: what it can lose, block or break. */
export function statementRisk(impact: StatementImpact): Risk {
  const found = impact.changes.map((change) => runRisks[change]);
  if (impact.dataLoss === 'yes') found.push('high');
  if (impact.work === 'rewrite') found.push('medium');
  if (impact.work === 'scan' && impact.locks.some((lock) => lock.level === 'ACCESS EXCLUSIVE')) found.push('medium');
  // Half of it would stay if it failed: there is no transaction around it.
  if (impact.notTransactional !== undefined) found.push('medium');
  const risk = riskiest(found);
  return impact.cascade && impact.drops.length > 0 ? raise(risk) : risk;
}

function isSame(a: ObjectRef, b: ObjectRef): boolean {
  if (a.kind !== b.kind || a.name !== b.name || a.member !== b.member) return false;
  // What leaves the schema to the search_path may be the same object.
  return a.schema === undefined || b.schema === undefined || a.schema === b.schema;
}

function touches(impacts: readonly StatementImpact[], change: ChangeType, ref: ObjectRef): boolean {
  return impacts.some(
    (impact) => impact.changes.includes(change) && impact.objects.some((known) => isSame(known, ref)),
  );
}

/**
 * True when a rollback statement destroys only what the migration itself made: dropping its tables and columns, deleting
 * from tables it filled. The matrix has already judged that.
 */
function isForeseen(statement: StatementImpact, migration: readonly StatementImpact[]): boolean {
  if (statement.cascade) return false;
  const madeDrops = statement.drops.every((drop) => isMade(drop, migration));
  const madeRows = statement.writes.every(
    (table) => touches(migration, 'insert-data', table) || isMade(table, migration),
  );
  return madeDrops && madeRows && statement.drops.length + statement.writes.length > 0;
}

/** An object that one of the migration's statements made, or that lies in a table which it made. */
function isMade(ref: ObjectRef, migration: readonly StatementImpact[]): boolean {
  if (ref.member !== undefined) {
    const table: ObjectRef = { kind: 'table', schema: ref.schema, name: ref.name };
    if (touches(migration, 'create-table', table)) return true;
    return touches(migration, memberMakerOf[ref.kind] ?? 'add-constraint', ref);
  }
  return touches(migration, makerOf[ref.kind] ?? 'create-object', ref);
}

/** The same for parts of a table; every other is made by add-constraint. On MySQL an index is one. */
const memberMakerOf: Readonly<Record<string, ChangeType>> = { column: 'add-column', index: 'add-index' };

/** The change that makes an object of a kind; every other kind is made by create-object. */
const makerOf: Readonly<Record<string, ChangeType>> = {
  table: 'create-table',
  'foreign table': 'create-table',
  index: 'add-index',
  schema: 'create-schema',
  sequence: 'sequence',
  extension: 'extension',
};

function changesOf(impacts: readonly StatementImpact[], rank: (change: ChangeType) => Risk): readonly ChangeType[] {
  const found = [...new Set(impacts.flatMap((impact) => impact.changes))];
  return found.sort((a, b) => risks.indexOf(rank(b)) - risks.indexOf(rank(a)));
}

/**
 * Judges taking one version back. The decision matrix says what the migration's changes cost; every rollback statement
 * that can destroy something the migration did not make adds its own risk. Data loss is the worst of the matrix and of
 * what the rollback's statements themselves destroy. Without a migration to look at, the rollback alone is judged.
 */
export function assessRisk(
  migration: readonly StatementImpact[] | undefined,
  rollback: readonly StatementImpact[] | undefined,
): RiskAssessment {
  const forward = migration ?? [];
  const back = rollback ?? [];
  const migrationChanges = changesOf(forward, (change) => matrix[change].risk);
  const rollbackChanges = changesOf(back, (change) => runRisks[change]);
  const worst = migrationChanges[0];
  const matrixRisk = worst === undefined ? 'none' : matrix[worst].risk;
  const surprises = back
    .filter((statement) => statement.dataLoss !== 'no' && !isForeseen(statement, forward))
    .filter((statement) => forward.length === 0 || !isRestoring(statement, migrationChanges));
  const extraRisk = riskiest((forward.length === 0 ? back : surprises).map(statementRisk));
  const isRaised = risks.indexOf(extraRisk) > risks.indexOf(matrixRisk);
  return {
    risk: riskiest([matrixRisk, extraRisk]),
    action: isRaised || worst === undefined ? actionFor(extraRisk) : matrix[worst].action,
    dataLoss: worstLoss([
      ...migrationChanges.map((change) => matrix[change].dataLoss),
      ...back.map((statement) => statement.dataLoss),
    ]),
    migrationChanges,
    rollbackChanges,
  };
}

/** A type put back after ALTER TYPE, values put back after UPDATE: the very restoring that the matrix recommends. */
function isRestoring(statement: StatementImpact, migrationChanges: readonly ChangeType[]): boolean {
  const restoring: readonly ChangeType[] = ['alter-type', 'update-data'];
  return (
    statement.dataLoss === 'maybe' &&
    statement.changes.every((change) => restoring.includes(change) && migrationChanges.includes(change))
  );
}

function actionFor(risk: Risk): string {
  return risk === 'none' ? 'Nothing to do' : 'Review the rollback script';
}
