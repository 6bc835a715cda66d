import type { AlterTableType, Node } from 'libpg-query';
import type { ChangeType, ObjectRef } from '../../../../src/risk/change.js';
import type { ImpactCollector, LockLevel } from './impact.js';
import { kindOf } from './object-kinds.js';
import { readTables } from './queries.js';
import { bodiesOf, bodyOf, memberRef, rangeRef, textsOf } from './tree.js';
import type { Body, Handlers } from './tree.js';
import { isVolatile } from './volatility.js';

/** A new foreign key puts triggers on both tables. Source: PostgreSQL manual, "Explicit Locking", SHARE ROW EXCLUSIVE. */
function lockReferenced(constraints: readonly Node[] | undefined, self: ObjectRef, impact: ImpactCollector): void {
  for (const constraint of bodiesOf(constraints, 'Constraint')) {
    if (constraint.pktable === undefined) continue;
    const referenced = rangeRef(constraint.pktable);
    if (referenced.name !== self.name || referenced.schema !== self.schema) {
      impact.lock('SHARE ROW EXCLUSIVE', referenced);
    }
  }
}

function createTable(body: Body<'CreateStmt'>, impact: ImpactCollector, kind = 'table'): void {
  const table = rangeRef(body.relation, kind);
  impact.change('create-table');
  impact.object(table);
  lockReferenced(body.constraints, table, impact);
  lockReferenced(body.tableElts, table, impact);
  for (const column of bodiesOf(body.tableElts, 'ColumnDef')) lockReferenced(column.constraints, table, impact);
  for (const like of bodiesOf(body.tableElts, 'TableLikeClause')) impact.lock('ACCESS SHARE', rangeRef(like.relation));
  const isPartition = body.partbound !== undefined;
  if (isPartition) impact.change('partition');
  for (const parent of bodiesOf(body.inhRelations, 'RangeVar')) {
    impact.lock(isPartition ? 'ACCESS EXCLUSIVE' : 'SHARE UPDATE EXCLUSIVE', rangeRef(parent));
  }
}

interface CommandRule {
  readonly change: ChangeType;
  readonly level: LockLevel;
  readonly work?: 'scan' | 'rewrite';
  /** What an argument adds to the rule. */
  readonly detail?: (command: Body<'AlterTableCmd'>, table: ObjectRef, impact: ImpactCollector) => void;
}

const exclusive = (change: ChangeType, extra: Omit<CommandRule, 'change' | 'level'> = {}): CommandRule => ({
  change,
  level: 'ACCESS EXCLUSIVE',
  ...extra,
});
const shared = (change: ChangeType, extra: Omit<CommandRule, 'change' | 'level'> = {}): CommandRule => ({
  change,
  level: 'SHARE UPDATE EXCLUSIVE',
  ...extra,
});
const triggers: CommandRule = { change: 'trigger-state', level: 'SHARE ROW EXCLUSIVE' };

const serialTypes = new Set(['serial', 'serial2', 'serial4', 'serial8', 'bigserial', 'smallserial']);

function column(kind: string, table: ObjectRef, name: string | undefined, impact: ImpactCollector): void {
  impact.object(memberRef(kind, table, name ?? ''));
}

function addColumn(command: Body<'AlterTableCmd'>, table: ObjectRef, impact: ImpactCollector): void {
  const definition = bodyOf(command.def, 'ColumnDef');
  column('column', table, definition?.colname, impact);
  const constraints = bodiesOf(definition?.constraints, 'Constraint');
  lockReferenced(definition?.constraints, table, impact);
  if (serialTypes.has(textsOf(definition?.typeName?.names).at(-1) ?? '')) impact.work('rewrite');
  const hasDefault = constraints.some((constraint) => constraint.contype === 'CONSTR_DEFAULT');
  for (const constraint of constraints) {
    switch (constraint.contype) {
      case 'CONSTR_DEFAULT':
        if (isVolatile(constraint.raw_expr)) impact.work('rewrite');
        break;
      case 'CONSTR_IDENTITY':
        impact.work('rewrite');
        break;
      case 'CONSTR_GENERATED':
        // A virtual column (PostgreSQL 18) stores nothing.
        if (constraint.generated_kind !== 'v') impact.work('rewrite');
        break;
      case 'CONSTR_NOTNULL':
        // A constant default is known not to be null; without one every row is checked (and fails).
        if (!hasDefault) impact.work('scan');
        break;
      case 'CONSTR_FOREIGN':
        // Without a default all values are NULL, which no foreign key looks at.
        if (hasDefault) impact.work('scan');
        break;
      case 'CONSTR_CHECK':
      case 'CONSTR_PRIMARY':
      case 'CONSTR_UNIQUE':
        impact.work('scan');
        break;
      default:
    }
  }
}

function addConstraint(command: Body<'AlterTableCmd'>, table: ObjectRef, impact: ImpactCollector): void {
  const constraint = bodyOf(command.def, 'Constraint');
  if (constraint === undefined) return;
  if (constraint.conname !== undefined) column('constraint', table, constraint.conname, impact);
  if (command.def !== undefined) lockReferenced([command.def], table, impact);
  impact.lock(constraint.contype === 'CONSTR_FOREIGN' ? 'SHARE ROW EXCLUSIVE' : 'ACCESS EXCLUSIVE', table);
  if (constraint.contype === 'CONSTR_NOTNULL') impact.change('set-not-null');
  const unproven = constraint.skip_validation === true || constraint.is_enforced === false;
  // UNIQUE USING INDEX adopts a finished index; PRIMARY KEY USING INDEX may still look for nulls.
  const adopted = constraint.indexname !== undefined && constraint.contype === 'CONSTR_UNIQUE';
  if (!unproven && !adopted) impact.work('scan');
}

function dropMember(kind: 'column' | 'constraint') {
  return (command: Body<'AlterTableCmd'>, table: ObjectRef, impact: ImpactCollector): void => {
    impact.drop(memberRef(kind, table, command.name ?? ''));
    impact.cascade(command.behavior);
    if (kind === 'column') impact.lose('yes');
  };
}

function alterMember(kind: 'column' | 'constraint') {
  return (command: Body<'AlterTableCmd'>, table: ObjectRef, impact: ImpactCollector): void => {
    column(kind, table, command.name ?? bodyOf(command.def, 'ATAlterConstraint')?.conname, impact);
  };
}

const ofColumn = alterMember('column');

function attachPartition(command: Body<'AlterTableCmd'>, _table: ObjectRef, impact: ImpactCollector): void {
  const partition = rangeRef(bodyOf(command.def, 'PartitionCmd')?.name);
  impact.object(partition);
  impact.lock('ACCESS EXCLUSIVE', partition);
}

function detachPartition(command: Body<'AlterTableCmd'>, table: ObjectRef, impact: ImpactCollector): void {
  const partition = bodyOf(command.def, 'PartitionCmd');
  const ref = rangeRef(partition?.name);
  impact.object(ref);
  if (partition?.concurrent === true) impact.refuseTransaction('ALTER TABLE … DETACH CONCURRENTLY');
  impact.lock(partition?.concurrent === true ? 'SHARE UPDATE EXCLUSIVE' : 'ACCESS EXCLUSIVE', table);
  impact.lock('ACCESS EXCLUSIVE', ref);
}

/** Storage parameters whose change needs more than SHARE UPDATE EXCLUSIVE (lockmode in the server's reloptions.c). */
const exclusiveParameters = new Set([
  'user_catalog_table',
  'security_barrier',
  'security_invoker',
  'check_option',
  'fastupdate',
  'gin_pending_list_limit',
  'autosummarize',
  'pages_per_range',
  'buffering',
]);

function storageParameters(command: Body<'AlterTableCmd'>, table: ObjectRef, impact: ImpactCollector): void {
  const names = bodiesOf(bodyOf(command.def, 'List')?.items, 'DefElem').map((option) => option.defname ?? '');
  if (names.some((name) => exclusiveParameters.has(name))) impact.lock('ACCESS EXCLUSIVE', table);
}

function lockParent(level: LockLevel) {
  return (command: Body<'AlterTableCmd'>, _table: ObjectRef, impact: ImpactCollector): void => {
    const parent = bodyOf(command.def, 'RangeVar');
    if (parent !== undefined) impact.lock(level, rangeRef(parent));
  };
}

/**
 * Each subcommand of ALTER TABLE (and of ALTER VIEW, INDEX, SEQUENCE …, which share it) with the lock it takes: the
 * server's AlterTableGetLockLevel, told on the manual page ALTER TABLE. The same from PostgreSQL 14 to 18.
 */
const commandRules: Partial<Record<AlterTableType, CommandRule>> = {
  AT_AddColumn: exclusive('add-column', { detail: addColumn }),
  AT_ColumnDefault: exclusive('change-default', { detail: ofColumn }),
  AT_DropNotNull: exclusive('drop-not-null', { detail: ofColumn }),
  AT_SetNotNull: exclusive('set-not-null', { work: 'scan', detail: ofColumn }),
  AT_SetExpression: exclusive('change-default', { work: 'rewrite', detail: ofColumn }),
  AT_DropExpression: exclusive('change-default', { detail: ofColumn }),
  AT_AddIdentity: exclusive('change-default', { detail: ofColumn }),
  AT_SetIdentity: exclusive('change-default', { detail: ofColumn }),
  AT_DropIdentity: exclusive('change-default', { detail: ofColumn }),
  AT_SetStatistics: shared('storage', { detail: ofColumn }),
  AT_SetOptions: shared('storage', { detail: ofColumn }),
  AT_ResetOptions: shared('storage', { detail: ofColumn }),
  AT_SetStorage: exclusive('storage', { detail: ofColumn }),
  AT_SetCompression: exclusive('storage', { detail: ofColumn }),
  AT_DropColumn: exclusive('drop-column', { detail: dropMember('column') }),
  // Its own lock depends on the constraint: addConstraint adds it.
  AT_AddConstraint: { change: 'add-constraint', level: 'SHARE ROW EXCLUSIVE', detail: addConstraint },
  AT_AlterConstraint: exclusive('other', { detail: alterMember('constraint') }),
  AT_ValidateConstraint: shared('maintenance', { work: 'scan', detail: alterMember('constraint') }),
  AT_DropConstraint: exclusive('drop-constraint', { detail: dropMember('constraint') }),
  AT_AlterColumnType: exclusive('alter-type', {
    work: 'rewrite',
    detail: (command, table, impact) => {
      column('column', table, command.name, impact);
      impact.lose('maybe');
    },
  }),
  AT_AlterColumnGenericOptions: exclusive('storage', { detail: ofColumn }),
  AT_ChangeOwner: exclusive('owner'),
  AT_ClusterOn: shared('storage'),
  AT_DropCluster: shared('storage'),
  AT_SetLogged: exclusive('storage', { work: 'rewrite' }),
  AT_SetUnLogged: exclusive('storage', { work: 'rewrite' }),
  AT_DropOids: exclusive('storage'),
  AT_SetAccessMethod: exclusive('storage', { work: 'rewrite' }),
  AT_SetTableSpace: exclusive('storage', { work: 'rewrite' }),
  AT_SetRelOptions: shared('storage', { detail: storageParameters }),
  AT_ResetRelOptions: shared('storage', { detail: storageParameters }),
  AT_EnableTrig: triggers,
  AT_EnableAlwaysTrig: triggers,
  AT_EnableReplicaTrig: triggers,
  AT_DisableTrig: triggers,
  AT_EnableTrigAll: triggers,
  AT_DisableTrigAll: triggers,
  AT_EnableTrigUser: triggers,
  AT_DisableTrigUser: triggers,
  AT_EnableRule: exclusive('trigger-state'),
  AT_EnableAlwaysRule: exclusive('trigger-state'),
  AT_EnableReplicaRule: exclusive('trigger-state'),
  AT_DisableRule: exclusive('trigger-state'),
  AT_AddInherit: exclusive('partition', { detail: lockParent('SHARE UPDATE EXCLUSIVE') }),
  AT_DropInherit: exclusive('partition', { detail: lockParent('ACCESS SHARE') }),
  AT_AddOf: exclusive('other'),
  AT_DropOf: exclusive('other'),
  AT_ReplicaIdentity: exclusive('storage'),
  AT_EnableRowSecurity: exclusive('row-security'),
  AT_DisableRowSecurity: exclusive('row-security'),
  AT_ForceRowSecurity: exclusive('row-security'),
  AT_NoForceRowSecurity: exclusive('row-security'),
  AT_GenericOptions: exclusive('storage'),
  AT_AttachPartition: shared('partition', { work: 'scan', detail: attachPartition }),
  AT_DetachPartition: shared('partition', { detail: detachPartition }),
  AT_DetachPartitionFinalize: shared('partition', { detail: detachPartition }),
};

function alterTable(body: Body<'AlterTableStmt'>, impact: ImpactCollector): void {
  const kind = kindOf(body.objtype);
  const table = rangeRef(body.relation, kind);
  impact.object(table);
  const isRelation = kind !== 'type';
  for (const command of bodiesOf(body.cmds, 'AlterTableCmd')) {
    const rule = command.subtype === undefined ? undefined : commandRules[command.subtype];
    if (rule === undefined) {
      impact.change('other');
      impact.lock('ACCESS EXCLUSIVE', table);
      continue;
    }
    // A composite type's attribute has no rows of its own.
    impact.change(isRelation ? rule.change : 'alter-type');
    if (isRelation) impact.lock(rule.level, table);
    if (isRelation && rule.work !== undefined) impact.work(rule.work);
    rule.detail?.(command, table, impact);
  }
}

function createTableAs(body: Body<'CreateTableAsStmt'>, impact: ImpactCollector): void {
  const isView = body.objtype === 'OBJECT_MATVIEW';
  impact.change(isView ? 'create-object' : 'create-table');
  impact.object(rangeRef(body.into?.rel, isView ? 'materialized view' : 'table'));
  readTables(body.query, impact);
}

/** Statements that create or alter tables. */
export const tableHandlers: Handlers<void, ImpactCollector> = {
  CreateStmt: (body, impact) => {
    createTable(body, impact);
  },
  CreateForeignTableStmt: (body, impact) => {
    if (body.base !== undefined) createTable(body.base, impact, 'foreign table');
  },
  CreateTableAsStmt: createTableAs,
  AlterTableStmt: alterTable,
  AlterTableMoveAllStmt: (_body, impact) => {
    impact.change('storage');
    impact.work('rewrite');
  },
};
