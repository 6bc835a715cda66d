import type { Node, ObjectType } from 'libpg-query';
import type { ChangeType, DataLoss, ObjectRef } from '../../../../src/risk/change.js';
import { createdObject } from './created.js';
import type { CreatedObject } from './created.js';
import type { ImpactCollector } from './impact.js';
import { belongsToTable, kindOf, objectRef } from './object-kinds.js';
import { readTables } from './queries.js';
import { switchOf } from './options.js';
import { bodiesOf, memberRef, rangeRef, refOf, textsOf } from './tree.js';
import type { Body, Handlers } from './tree.js';

/** Kinds that are relations: dropping, renaming or moving one locks it like a table. */
const relationKinds = new Set(['table', 'view', 'materialized view', 'index', 'sequence', 'foreign table']);

function tableOf(member: ObjectRef): ObjectRef {
  return member.schema === undefined
    ? { kind: 'table', name: member.name }
    : { kind: 'table', schema: member.schema, name: member.name };
}

function createChange(created: CreatedObject): ChangeType {
  if (created.ref.kind === 'schema') return 'create-schema';
  if (created.ref.kind === 'extension') return 'extension';
  if (created.ref.kind === 'sequence') return 'sequence';
  return created.replaces ? 'replace-object' : 'create-object';
}

function create(statement: Node, impact: ImpactCollector): CreatedObject | undefined {
  const created = createdObject(statement);
  if (created === undefined) return undefined;
  impact.change(createChange(created));
  impact.object(created.ref);
  return created;
}

function trigger(body: Body<'CreateTrigStmt'>, impact: ImpactCollector): void {
  create({ CreateTrigStmt: body }, impact);
  impact.lock('SHARE ROW EXCLUSIVE', rangeRef(body.relation));
  if (body.constrrel !== undefined) impact.lock('ACCESS SHARE', rangeRef(body.constrrel));
}

function view(body: Body<'ViewStmt'>, impact: ImpactCollector): void {
  const created = create({ ViewStmt: body }, impact);
  readTables(body.query, impact);
  if (created?.replaces === true) impact.lock('ACCESS EXCLUSIVE', created.ref);
}

function publication(
  body: Body<'CreatePublicationStmt'> | Body<'AlterPublicationStmt'>,
  impact: ImpactCollector,
): void {
  for (const item of bodiesOf(body.pubobjects, 'PublicationObjSpec')) {
    if (item.pubtable?.relation !== undefined) {
      impact.lock('SHARE UPDATE EXCLUSIVE', rangeRef(item.pubtable.relation));
    }
  }
}

interface DropRule {
  readonly change: ChangeType;
  readonly loss: DataLoss;
  /** With CASCADE columns or tables may go with it. */
  readonly lossWithCascade?: DataLoss;
}

const dropRules: Partial<Record<ObjectType, DropRule>> = {
  OBJECT_TABLE: { change: 'drop-table', loss: 'yes' },
  OBJECT_FOREIGN_TABLE: { change: 'drop-table', loss: 'no' },
  OBJECT_INDEX: { change: 'drop-index', loss: 'no' },
  // A schema without CASCADE must be empty.
  OBJECT_SCHEMA: { change: 'drop-schema', loss: 'no', lossWithCascade: 'yes' },
  OBJECT_SEQUENCE: { change: 'sequence', loss: 'maybe' },
  OBJECT_EXTENSION: { change: 'extension', loss: 'maybe' },
  OBJECT_TYPE: { change: 'drop-object', loss: 'no', lossWithCascade: 'yes' },
  OBJECT_DOMAIN: { change: 'drop-object', loss: 'no', lossWithCascade: 'yes' },
  OBJECT_FUNCTION: { change: 'drop-object', loss: 'no', lossWithCascade: 'maybe' },
};

function drop(body: Body<'DropStmt'>, impact: ImpactCollector): void {
  const rule = body.removeType === undefined ? undefined : dropRules[body.removeType];
  const cascades = body.behavior === 'DROP_CASCADE';
  impact.change(rule?.change ?? 'drop-object');
  impact.lose((cascades ? rule?.lossWithCascade : undefined) ?? rule?.loss ?? 'no');
  impact.cascade(body.behavior);
  const level = body.concurrent === true ? 'SHARE UPDATE EXCLUSIVE' : 'ACCESS EXCLUSIVE';
  for (const object of body.objects ?? []) {
    const ref = objectRef(body.removeType, object);
    impact.drop(ref);
    if (relationKinds.has(ref.kind)) impact.lock(level, ref);
    if (belongsToTable(body.removeType)) impact.lock('ACCESS EXCLUSIVE', tableOf(ref));
  }
  if (body.concurrent === true) impact.refuseTransaction('DROP INDEX CONCURRENTLY');
}

function rename(body: Body<'RenameStmt'>, impact: ImpactCollector): void {
  impact.change('rename');
  if (body.relation === undefined) {
    impact.object(renamedRef(body));
    return;
  }
  const isMember = body.subname !== undefined;
  const owner = isMember && body.renameType !== 'OBJECT_ATTRIBUTE' ? relationKindOf(body) : kindOf(body.renameType);
  const relation = rangeRef(body.relation, owner === 'attribute' ? 'type' : owner);
  impact.object(isMember ? memberRef(kindOf(body.renameType), relation, body.subname ?? '') : relation);
  if (relation.kind === 'type') return;
  impact.lock(body.renameType === 'OBJECT_INDEX' ? 'SHARE UPDATE EXCLUSIVE' : 'ACCESS EXCLUSIVE', relation);
}

/** Schemas and roles come as a bare name, a domain's constraint as the domain and a name. */
function renamedRef(body: Body<'RenameStmt'>): ObjectRef {
  if (body.renameType === 'OBJECT_DOMCONSTRAINT') {
    return memberRef('domain constraint', objectRef('OBJECT_DOMAIN', body.object), body.subname ?? '');
  }
  if (body.object === undefined) return { kind: kindOf(body.renameType), name: body.subname ?? '' };
  return objectRef(body.renameType, body.object);
}

/** For columns the grammar says what they belong to; triggers, policies, rules and constraints belong to tables. */
function relationKindOf(body: Body<'RenameStmt'>): string {
  return body.renameType === 'OBJECT_COLUMN' ? kindOf(body.relationType) : 'table';
}

function setSchema(body: Body<'AlterObjectSchemaStmt'>, impact: ImpactCollector): void {
  impact.change('rename');
  const ref =
    body.relation === undefined
      ? objectRef(body.objectType, body.object)
      : rangeRef(body.relation, kindOf(body.objectType));
  impact.object(ref);
  if (relationKinds.has(ref.kind)) impact.lock('ACCESS EXCLUSIVE', ref);
}

function comment(body: Body<'CommentStmt'>, impact: ImpactCollector): void {
  impact.change('comment');
  const ref = objectRef(body.objtype, body.object);
  impact.object(ref);
  if (relationKinds.has(ref.kind)) impact.lock('SHARE UPDATE EXCLUSIVE', ref);
  // A column's comment is locked like its table's; a constraint's, trigger's, rule's or policy's only looks it up.
  if (belongsToTable(body.objtype)) {
    impact.lock(body.objtype === 'OBJECT_COLUMN' ? 'SHARE UPDATE EXCLUSIVE' : 'ACCESS SHARE', tableOf(ref));
  }
}

function grant(body: Body<'GrantStmt'>, impact: ImpactCollector): void {
  impact.change('privilege');
  for (const object of body.objects ?? []) {
    const ref = objectRef(body.objtype, object);
    impact.object(ref);
    // Since PostgreSQL 18 so that the table cannot vanish meanwhile.
    if (body.targtype === 'ACL_TARGET_OBJECT' && relationKinds.has(ref.kind)) impact.lock('ACCESS SHARE', ref);
  }
}

function alterEnum(body: Body<'AlterEnumStmt'>, impact: ImpactCollector): void {
  impact.change(body.oldVal === undefined ? 'enum-value' : 'rename');
  impact.object(refOf('type', textsOf(body.typeName)));
}

function alterSequence(body: Body<'AlterSeqStmt'>, impact: ImpactCollector): void {
  const sequence = rangeRef(body.sequence, 'sequence');
  impact.change('sequence');
  impact.object(sequence);
  impact.lock('SHARE ROW EXCLUSIVE', sequence);
  const owner = bodiesOf(body.options, 'DefElem').find((option) => option.defname === 'owned_by');
  if (owner !== undefined) {
    const parts = textsOf((owner.arg as { List?: Body<'List'> } | undefined)?.List?.items);
    if (parts.length > 1) impact.lock('ACCESS SHARE', refOf('table', parts.slice(0, -1)));
  }
}

/** AlterDomainStmt.subtype: T default, N drop not null, O set not null, C add, X drop, V validate a constraint. */
function alterDomain(body: Body<'AlterDomainStmt'>, impact: ImpactCollector): void {
  const changes: Readonly<Record<string, ChangeType>> = {
    T: 'change-default',
    N: 'drop-not-null',
    O: 'set-not-null',
    C: 'add-constraint',
    X: 'drop-constraint',
    V: 'maintenance',
  };
  const domain = refOf('domain', textsOf(body.typeName));
  impact.change(changes[body.subtype ?? ''] ?? 'other');
  impact.object(domain);
  if (body.subtype === 'X') {
    impact.drop(memberRef('domain constraint', domain, body.name ?? ''));
    impact.cascade(body.behavior);
  }
  // Every table with a column of the domain is read; which ones only the server knows.
  if (body.subtype === 'O' || body.subtype === 'C' || body.subtype === 'V') impact.work('scan');
}

const publicationLists = new Set([
  'ALTER_SUBSCRIPTION_SET_PUBLICATION',
  'ALTER_SUBSCRIPTION_ADD_PUBLICATION',
  'ALTER_SUBSCRIPTION_DROP_PUBLICATION',
]);

/** Which parameters change the slot at the publisher: failover since PostgreSQL 17, two_phase = false since 18. */
function alterSubscription(body: Body<'AlterSubscriptionStmt'>, impact: ImpactCollector): void {
  if (body.kind === 'ALTER_SUBSCRIPTION_REFRESH') impact.refuseTransaction('ALTER SUBSCRIPTION ... REFRESH');
  if (publicationLists.has(body.kind ?? '') && (switchOf(body.options, 'refresh') ?? true)) {
    impact.refuseTransaction('ALTER SUBSCRIPTION with refresh');
  }
  if (body.kind !== 'ALTER_SUBSCRIPTION_OPTIONS') return;
  if (switchOf(body.options, 'failover') !== undefined) {
    impact.refuseTransaction('ALTER SUBSCRIPTION ... SET (failover)');
  } else if (switchOf(body.options, 'two_phase') === false) {
    impact.refuseTransaction('ALTER SUBSCRIPTION ... SET (two_phase)');
  }
}

function alterNamed(kind: string, name: string | undefined, impact: ImpactCollector): void {
  impact.change('other');
  impact.object({ kind, name: name ?? '' });
}

/** Statements about every other kind of object, and those that apply to all kinds (DROP, RENAME, COMMENT, GRANT …). */
export const objectHandlers: Handlers<void, ImpactCollector> = {
  CreateTrigStmt: trigger,
  ViewStmt: view,
  CreatePolicyStmt: (body, impact) => {
    create({ CreatePolicyStmt: body }, impact);
    impact.change('row-security');
    impact.lock('ACCESS EXCLUSIVE', rangeRef(body.table));
  },
  AlterPolicyStmt: (body, impact) => {
    impact.change('row-security');
    impact.object(memberRef('policy', rangeRef(body.table), body.policy_name ?? ''));
    impact.lock('ACCESS EXCLUSIVE', rangeRef(body.table));
  },
  RuleStmt: (body, impact) => {
    create({ RuleStmt: body }, impact);
    impact.lock('ACCESS EXCLUSIVE', rangeRef(body.relation));
  },
  CreateStatsStmt: (body, impact) => {
    create({ CreateStatsStmt: body }, impact);
    for (const range of bodiesOf(body.relations, 'RangeVar')) impact.lock('SHARE UPDATE EXCLUSIVE', rangeRef(range));
  },
  CreatePublicationStmt: (body, impact) => {
    create({ CreatePublicationStmt: body }, impact);
    publication(body, impact);
  },
  AlterPublicationStmt: (body, impact) => {
    impact.change('other');
    impact.object({ kind: 'publication', name: body.pubname ?? '' });
    publication(body, impact);
  },
  DropStmt: drop,
  RenameStmt: rename,
  AlterObjectSchemaStmt: setSchema,
  AlterOwnerStmt: (body, impact) => {
    impact.change('owner');
    impact.object(
      body.relation === undefined
        ? objectRef(body.objectType, body.object)
        : rangeRef(body.relation, kindOf(body.objectType)),
    );
  },
  CommentStmt: comment,
  SecLabelStmt: (body, impact) => {
    impact.change('comment');
    impact.object(objectRef(body.objtype, body.object));
  },
  GrantStmt: grant,
  GrantRoleStmt: (_body, impact) => {
    impact.change('privilege');
  },
  AlterDefaultPrivilegesStmt: (_body, impact) => {
    impact.change('privilege');
  },
  ReassignOwnedStmt: (_body, impact) => {
    impact.change('owner');
  },
  DropOwnedStmt: (body, impact) => {
    impact.change('drop-object', 'privilege');
    impact.lose('yes');
    impact.cascade(body.behavior);
  },
  AlterEnumStmt: alterEnum,
  AlterSeqStmt: alterSequence,
  AlterDomainStmt: alterDomain,
  AlterFunctionStmt: (body, impact) => {
    impact.change('replace-object');
    impact.object(objectRef(body.objtype, body.func === undefined ? undefined : { ObjectWithArgs: body.func }));
  },
  AlterTypeStmt: (body, impact) => {
    impact.change('other');
    impact.object(refOf('type', textsOf(body.typeName)));
  },
  AlterStatsStmt: (body, impact) => {
    impact.change('storage');
    impact.object(refOf('statistics', textsOf(body.defnames)));
  },
  AlterExtensionStmt: (body, impact) => {
    impact.change('extension');
    impact.object({ kind: 'extension', name: body.extname ?? '' });
  },
  AlterExtensionContentsStmt: (body, impact) => {
    impact.change('extension');
    impact.object({ kind: 'extension', name: body.extname ?? '' });
  },
  CreateExtensionStmt: (body, impact) => {
    create({ CreateExtensionStmt: body }, impact);
  },
  CreateSchemaStmt: (body, impact) => {
    create({ CreateSchemaStmt: body }, impact);
  },
  AlterFdwStmt: (body, impact) => {
    alterNamed('foreign data wrapper', body.fdwname, impact);
  },
  AlterForeignServerStmt: (body, impact) => {
    alterNamed('server', body.servername, impact);
  },
  AlterEventTrigStmt: (body, impact) => {
    alterNamed('event trigger', body.trigname, impact);
  },
  ImportForeignSchemaStmt: (body, impact) => {
    impact.change('create-table');
    impact.object({ kind: 'schema', name: body.local_schema ?? '' });
  },
  CreateSubscriptionStmt: (body, impact) => {
    create({ CreateSubscriptionStmt: body }, impact);
    const creates = switchOf(body.options, 'create_slot') ?? switchOf(body.options, 'connect') ?? true;
    if (creates) impact.refuseTransaction('CREATE SUBSCRIPTION ... WITH (create_slot = true)');
  },
  AlterSubscriptionStmt: (body, impact) => {
    impact.change('other');
    impact.object({ kind: 'subscription', name: body.subname ?? '' });
    alterSubscription(body, impact);
  },
  DropSubscriptionStmt: (body, impact) => {
    impact.change('drop-object');
    impact.drop({ kind: 'subscription', name: body.subname ?? '' });
    impact.refuseTransaction('DROP SUBSCRIPTION');
  },
  DropUserMappingStmt: (body, impact) => {
    impact.change('drop-object');
    impact.drop({ kind: 'user mapping', name: body.servername ?? '' });
  },
};

/** Notes any other CREATE statement; false when the statement is none. */
export function classifyCreation(statement: Node, impact: ImpactCollector): boolean {
  return create(statement, impact) !== undefined;
}
