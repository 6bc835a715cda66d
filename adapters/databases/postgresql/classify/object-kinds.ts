import type { Node, ObjectType } from 'libpg-query';
import type { ObjectRef } from '../../../../src/risk/change.js';
import { writeIdentifier } from './identifiers.js';
import { bodiesOf, bodyOf, dottedName, memberRef, rangeRef, refOf, textsOf, typeText } from './tree.js';
import type { Body } from './tree.js';

/** SQL's words for PostgreSQL's object classes where they are not simply the class name in lower case. */
const irregularKinds: Partial<Record<ObjectType, string>> = {
  OBJECT_ACCESS_METHOD: 'access method',
  OBJECT_MATVIEW: 'materialized view',
  OBJECT_TABCONSTRAINT: 'constraint',
  OBJECT_DOMCONSTRAINT: 'domain constraint',
  OBJECT_STATISTIC_EXT: 'statistics',
  OBJECT_FDW: 'foreign data wrapper',
  OBJECT_FOREIGN_SERVER: 'server',
  OBJECT_OPCLASS: 'operator class',
  OBJECT_OPFAMILY: 'operator family',
  OBJECT_LARGEOBJECT: 'large object',
  OBJECT_TSCONFIGURATION: 'text search configuration',
  OBJECT_TSDICTIONARY: 'text search dictionary',
  OBJECT_TSPARSER: 'text search parser',
  OBJECT_TSTEMPLATE: 'text search template',
};

/** Object classes whose instances belong to a table and are named by table and own name. */
const memberTypes: ReadonlySet<ObjectType> = new Set<ObjectType>([
  'OBJECT_COLUMN',
  'OBJECT_TABCONSTRAINT',
  'OBJECT_TRIGGER',
  'OBJECT_RULE',
  'OBJECT_POLICY',
]);

/** SQL's word for an object class, in lower case: "table", "materialized view", "function". */
export function kindOf(type: ObjectType | undefined): string {
  if (type === undefined) return 'object';
  return irregularKinds[type] ?? type.slice('OBJECT_'.length).toLowerCase().replaceAll('_', ' ');
}

/** True for classes that are named together with the table they belong to. */
export function belongsToTable(type: ObjectType | undefined): boolean {
  return type !== undefined && memberTypes.has(type);
}

/** Input argument types of a routine reference, as DROP FUNCTION wants them; undefined when the statement gives none. */
export function argumentTypes(routine: Body<'ObjectWithArgs'>): string | undefined {
  if (routine.args_unspecified === true) return undefined;
  return (routine.objargs ?? []).map((node) => typeText(bodyOf(node, 'TypeName'), writeIdentifier)).join(', ');
}

/** Input argument types of a routine definition: what identifies it. */
export function parameterTypes(parameters: readonly Node[] | undefined): string {
  return bodiesOf(parameters, 'FunctionParameter')
    .filter((parameter) => parameter.mode !== 'FUNC_PARAM_OUT' && parameter.mode !== 'FUNC_PARAM_TABLE')
    .map((parameter) => typeText(parameter.argType, writeIdentifier))
    .join(', ');
}

/** The object that a DROP, COMMENT, RENAME … names by a node of the form its class has. */
export function objectRef(type: ObjectType | undefined, object: Node | undefined): ObjectRef {
  const kind = kindOf(type);
  const routine = bodyOf(object, 'ObjectWithArgs');
  if (routine !== undefined) {
    const signature = argumentTypes(routine);
    const ref = refOf(kind, textsOf(routine.objname));
    return signature === undefined ? ref : { ...ref, signature };
  }
  const range = bodyOf(object, 'RangeVar');
  if (range !== undefined) return rangeRef(range, kind);
  if (type === 'OBJECT_CAST') {
    const [from, to] = bodyOf(object, 'List')?.items ?? [];
    const text = [from, to].map((node) => typeText(bodyOf(node, 'TypeName'), writeIdentifier)).join(' AS ');
    return { kind, name: text };
  }
  if (type === 'OBJECT_DOMCONSTRAINT') {
    const [domain, name] = bodyOf(object, 'List')?.items ?? [];
    return memberRef(kind, refOf(kind, dottedName(domain)), dottedName(name).at(-1) ?? '');
  }
  const parts = dottedName(object);
  if (belongsToTable(type)) return memberRef(kind, refOf(kind, parts.slice(0, -1)), parts.at(-1) ?? '');
  // An operator class or family comes as access method, then name.
  if (type === 'OBJECT_OPCLASS' || type === 'OBJECT_OPFAMILY') return refOf(kind, parts.slice(1));
  return refOf(kind, parts);
}
