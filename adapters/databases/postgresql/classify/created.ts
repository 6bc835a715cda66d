import type { Node } from 'libpg-query';
import type { ObjectRef } from '../../../../src/risk/change.js';
import { writeIdentifier } from './identifiers.js';
import { kindOf, parameterTypes } from './object-kinds.js';
import { bodyOf, memberRef, rangeRef, refOf, tagOf, textsOf, typeText } from './tree.js';
import type { Body, Handlers } from './tree.js';

/** An object that a CREATE statement makes, other than tables and indexes. */
export interface CreatedObject {
  readonly ref: ObjectRef;
  /** The statement says OR REPLACE: there may have been one before. */
  readonly replaces: boolean;
  /** The statement says IF NOT EXISTS: there may have been one before, left as it was. */
  readonly mayExist: boolean;
}

function fresh(ref: ObjectRef): CreatedObject {
  return { ref, replaces: false, mayExist: false };
}

function named(kind: string, name: string | undefined): ObjectRef {
  return { kind, name: name ?? '' };
}

function routine(body: Body<'CreateFunctionStmt'>): CreatedObject {
  const kind = body.is_procedure === true ? 'procedure' : 'function';
  const ref = { ...refOf(kind, textsOf(body.funcname)), signature: parameterTypes(body.parameters) };
  return { ref, replaces: body.replace === true, mayExist: false };
}

/** CREATE AGGREGATE, OPERATOR, TYPE, COLLATION and the text search objects share one form. */
function defined(body: Body<'DefineStmt'>): CreatedObject {
  const ref = refOf(kindOf(body.kind), textsOf(body.defnames));
  const flags = { replaces: body.replace === true, mayExist: body.if_not_exists === true };
  if (body.kind === 'OBJECT_AGGREGATE') {
    const [list] = body.args ?? [];
    return { ref: { ...ref, signature: parameterTypes(bodyOf(list, 'List')?.items) || '*' }, ...flags };
  }
  if (body.kind === 'OBJECT_OPERATOR') {
    const side = (name: string): string => {
      const element = body.definition?.map((node) => bodyOf(node, 'DefElem')).find((item) => item?.defname === name);
      const type = bodyOf(element?.arg, 'TypeName');
      return type === undefined ? 'NONE' : typeText(type, writeIdentifier);
    };
    return { ref: { ...ref, signature: `${side('leftarg')}, ${side('rightarg')}` }, ...flags };
  }
  return { ref, ...flags };
}

const creators: Handlers<CreatedObject, undefined> = {
  ViewStmt: (body) => ({ ref: rangeRef(body.view, 'view'), replaces: body.replace === true, mayExist: false }),
  CreateFunctionStmt: routine,
  DefineStmt: defined,
  CreateTrigStmt: (body) => ({
    ref: memberRef('trigger', rangeRef(body.relation), body.trigname ?? ''),
    replaces: body.replace === true,
    mayExist: false,
  }),
  RuleStmt: (body) => ({
    ref: memberRef('rule', rangeRef(body.relation), body.rulename ?? ''),
    replaces: body.replace === true,
    mayExist: false,
  }),
  CreatePolicyStmt: (body) => fresh(memberRef('policy', rangeRef(body.table), body.policy_name ?? '')),
  CompositeTypeStmt: (body) => fresh(rangeRef(body.typevar, 'type')),
  CreateEnumStmt: (body) => fresh(refOf('type', textsOf(body.typeName))),
  CreateRangeStmt: (body) => fresh(refOf('type', textsOf(body.typeName))),
  CreateDomainStmt: (body) => fresh(refOf('domain', textsOf(body.domainname))),
  CreateSeqStmt: (body) => ({
    ref: rangeRef(body.sequence, 'sequence'),
    replaces: false,
    mayExist: body.if_not_exists === true,
  }),
  CreateStatsStmt: (body) => ({
    ref: refOf('statistics', textsOf(body.defnames)),
    replaces: false,
    mayExist: body.if_not_exists === true,
  }),
  CreateSchemaStmt: (body) => ({
    ref: named('schema', body.schemaname ?? body.authrole?.rolename),
    replaces: false,
    mayExist: body.if_not_exists === true,
  }),
  CreateExtensionStmt: (body) => ({
    ref: named('extension', body.extname),
    replaces: false,
    mayExist: body.if_not_exists === true,
  }),
  CreateCastStmt: (body) =>
    fresh(
      named('cast', `${typeText(body.sourcetype, writeIdentifier)} AS ${typeText(body.targettype, writeIdentifier)}`),
    ),
  CreateOpClassStmt: (body) => fresh({ ...refOf('operator class', textsOf(body.opclassname)), signature: body.amname }),
  CreateOpFamilyStmt: (body) =>
    fresh({ ...refOf('operator family', textsOf(body.opfamilyname)), signature: body.amname }),
  CreateConversionStmt: (body) => fresh(refOf('conversion', textsOf(body.conversion_name))),
  CreateTransformStmt: (body) => ({
    ref: { kind: 'transform', name: typeText(body.type_name, writeIdentifier), signature: body.lang },
    replaces: body.replace === true,
    mayExist: false,
  }),
  CreatePLangStmt: (body) => ({
    ref: named('language', body.plname),
    replaces: body.replace === true,
    mayExist: false,
  }),
  CreateAmStmt: (body) => fresh(named('access method', body.amname)),
  CreateFdwStmt: (body) => fresh(named('foreign data wrapper', body.fdwname)),
  CreateForeignServerStmt: (body) => ({
    ref: named('server', body.servername),
    replaces: false,
    mayExist: body.if_not_exists === true,
  }),
  CreateUserMappingStmt: (body) => ({
    ref: { kind: 'user mapping', name: body.servername ?? '', member: body.user?.rolename ?? 'PUBLIC' },
    replaces: false,
    mayExist: body.if_not_exists === true,
  }),
  CreateEventTrigStmt: (body) => fresh(named('event trigger', body.trigname)),
  CreatePublicationStmt: (body) => fresh(named('publication', body.pubname)),
  CreateSubscriptionStmt: (body) => fresh(named('subscription', body.subname)),
  CreateRoleStmt: (body) => fresh(named('role', body.role)),
  CreatedbStmt: (body) => fresh(named('database', body.dbname)),
  CreateTableSpaceStmt: (body) => fresh(named('tablespace', body.tablespacename)),
};

type Creator = (body: unknown, context: undefined) => CreatedObject;

/** What a CREATE statement makes; undefined when it is not one, or makes a table or an index. */
export function createdObject(statement: Node): CreatedObject | undefined {
  const tag = tagOf(statement);
  if (tag === undefined) return undefined;
  const creator = (creators as Readonly<Record<string, Creator | undefined>>)[tag];
  return creator?.((statement as Readonly<Record<string, unknown>>)[tag], undefined);
}
