import type { Node, RangeVar, TypeName } from 'libpg-query';
import type { ObjectRef } from '../../../../src/risk/change.js';

type TagOf<N> = N extends unknown ? keyof N : never;

/** Name of a node type of PostgreSQL's parse tree ("CreateStmt"). */
export type Tag = TagOf<Node>;

/** The fields of one node type. */
export type Body<T extends Tag> = Extract<Node, Record<T, unknown>>[T];

/** Functions by the node type that they understand. */
export type Handlers<Result, Context> = {
  readonly [T in Tag]?: (body: Body<T>, context: Context) => Result;
};

/** The fields of a node when it is of that type, else undefined. */
export function bodyOf<T extends Tag>(node: Node | undefined, tag: T): Body<T> | undefined {
  if (node === undefined || !(tag in node)) return undefined;
  return (node as unknown as Readonly<Record<T, Body<T>>>)[tag];
}

/** The fields of those nodes of a list that are of that type, in order. */
export function bodiesOf<T extends Tag>(nodes: readonly Node[] | undefined, tag: T): readonly Body<T>[] {
  const bodies: Body<T>[] = [];
  for (const node of nodes ?? []) {
    const body = bodyOf(node, tag);
    if (body !== undefined) bodies.push(body);
  }
  return bodies;
}

/** Type and fields of a node; undefined for the empty node. */
export function tagOf(node: Node): Tag | undefined {
  for (const tag in node) return tag as Tag;
  return undefined;
}

/** Texts of a list of String nodes; other nodes are left out. */
export function textsOf(nodes: readonly Node[] | undefined): readonly string[] {
  return bodiesOf(nodes, 'String').map((text) => text.sval ?? '');
}

/** Texts of a dotted name given as one node: a List of Strings, a single String, or a type name. */
export function dottedName(node: Node | undefined): readonly string[] {
  if (node === undefined) return [];
  const text = bodyOf(node, 'String');
  if (text !== undefined) return [text.sval ?? ''];
  const type = bodyOf(node, 'TypeName');
  if (type !== undefined) return textsOf(type.names);
  return textsOf(bodyOf(node, 'List')?.items);
}

/** The object that a possibly qualified name means; a leading database name is dropped. */
export function refOf(kind: string, parts: readonly string[]): ObjectRef {
  const name = parts.at(-1) ?? '';
  const schema = parts.at(-2);
  return schema === undefined ? { kind, name } : { kind, schema, name };
}

/** The object that a table reference means. */
export function rangeRef(range: RangeVar | undefined, kind = 'table'): ObjectRef {
  const name = range?.relname ?? '';
  return range?.schemaname === undefined ? { kind, name } : { kind, schema: range.schemaname, name };
}

/** A part (column, constraint, trigger …) of a table. */
export function memberRef(kind: string, table: ObjectRef, member: string): ObjectRef {
  return table.schema === undefined
    ? { kind, name: table.name, member }
    : { kind, schema: table.schema, name: table.name, member };
}

/** Names that SQL has for the types which the grammar turns into pg_catalog names. */
const sqlTypeNames: Readonly<Record<string, string>> = {
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
  float4: 'real',
  float8: 'double precision',
  bool: 'boolean',
  bpchar: 'character',
  varchar: 'character varying',
  varbit: 'bit varying',
  timestamptz: 'timestamp with time zone',
  timestamp: 'timestamp without time zone',
  timetz: 'time with time zone',
  time: 'time without time zone',
};

/** A type as SQL writes it, without length or precision; `quote` protects each name. */
export function typeText(type: TypeName | undefined, quote: (name: string) => string): string {
  const names = textsOf(type?.names);
  const last = names.at(-1) ?? '';
  const builtIn = names.length === 2 && names[0] === 'pg_catalog';
  const base = builtIn ? (sqlTypeNames[last] ?? last) : names.map(quote).join('.');
  return `${base}${type?.pct_type === true ? '%TYPE' : ''}${'[]'.repeat(type?.arrayBounds?.length ?? 0)}`;
}
