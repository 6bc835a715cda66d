/*
 * Pieces of the catalog queries. Sources: PostgreSQL manual, "System Catalogs"; each query runs with search_path =
 * pg_catalog alone, so that the server writes every other name with its schema.
 */

/**
 * What is read anew together when something of it may have changed: the objects that belong to one row of a catalog, told
 * by its oid, or all objects of a kind, when one of the catalogs was written that they are made from.
 */
export type Scope =
  | {
      readonly catalog: 'pg_class' | 'pg_proc' | 'pg_type';
      readonly oid: string;
      /** A scope of its own within that of the row: a change to it writes this catalog, or renames something. */
      readonly part?: RelationPart;
      /** Only rows of pg_class of this relkind have such objects. */
      readonly relkind?: 'S';
    }
  | { readonly catalogs: readonly string[] };

export const relationParts = ['pg_trigger', 'pg_rewrite', 'pg_policy'] as const;
export type RelationPart = (typeof relationParts)[number];

/** One query: rows (kind, name, properties as JSON, scope). */
export interface CatalogQuery {
  readonly scope: Scope;
  /** `only` restricts it by a condition. */
  readonly sql: (only?: string) => string;
  /** Oldest and newest major that it is for; undefined: every one. */
  readonly from?: number | undefined;
  readonly until?: number | undefined;
}

/** Neither the server's own schemas nor temporary ones. */
export function ours(namespace: string): string {
  return `${namespace}.nspname !~ '^pg_' AND ${namespace}.nspname <> 'information_schema'`;
}

/** Made by a person: initdb gives its objects lower ids. */
export function made(oid: string): string {
  return `${oid} >= 16384`;
}

/** Members belong to their extension, which is compared as a whole. */
export function notMember(catalog: string, oid: string): string {
  return `NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = '${catalog}'::regclass AND x.objid = ${oid} AND x.deptype = 'e')`;
}

/** The relation is none of the tables left out, and no index of one. */
export function notLeftOut(relation: string): string {
  return `NOT (${relation} = ANY (ARRAY(SELECT left_out FROM without)))`;
}

function exploded(acl: string): string {
  return `(SELECT string_agg(format('%s %s%s from %s', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
 a.privilege_type, CASE WHEN a.is_grantable THEN ' with grant option' ELSE '' END, a.grantor::regrole), ', ' ORDER BY
 CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, a.privilege_type, a.is_grantable, a.grantor::regrole::text) FROM aclexplode(${acl}) a)`;
}

/**
 * Privileges in words, or NULL for the default ones: the server writes them out as soon as anything was granted or revoked,
 * and equal privileges must look equal. `type` is that of acldefault().
 */
export function privileges(acl: string, type: string, owner: string): string {
  return `CASE WHEN ${acl} IS NULL THEN NULL ELSE nullif(coalesce(${exploded(acl)}, 'nobody'), coalesce(${exploded(`acldefault('${type}', ${owner})`)}, 'nobody')) END`;
}

/** Privileges that have no default (columns, default privileges). */
export function plainPrivileges(acl: string): string {
  return `CASE WHEN ${acl} IS NULL OR cardinality(${acl}) = 0 THEN NULL ELSE ${exploded(acl)} END`;
}

/** Options in a stable order; NULL when there are none. */
export function options(list: string): string {
  return `(SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(${list}) o)`;
}

/** A boolean property that is left out when it has its usual value. */
export function unless(usual: 'true' | 'false', value: string): string {
  return `nullif(${value}, ${usual})`;
}

interface ObjectsOptions {
  readonly groupBy?: string;
  readonly from?: number;
  readonly until?: number;
}

/** A query for one kind of object; properties are name → SQL expression. */
export function objects(
  scope: Scope,
  kind: string,
  name: string,
  properties: Readonly<Record<string, string>>,
  from: string,
  { groupBy, ...majors }: ObjectsOptions = {},
): CatalogQuery {
  const pairs = Object.entries(properties).map(([key, value]) => `'${key}', ${value}`);
  // A constant kind is a word in quotes; an expression comes with its parentheses.
  const kindText = kind.startsWith('(') ? kind : `'${kind}'`;
  const json = pairs.length === 0 ? `'{}'::jsonb` : `jsonb_strip_nulls(jsonb_build_object(${pairs.join(', ')}))`;
  const scopeText =
    'oid' in scope
      ? `'${scope.catalog}/' || ${scope.oid}${scope.part === undefined ? '' : ` || '/${scope.part}'`}`
      : quoted(scope.catalogs.join(' '));
  const hasWhere = /\bWHERE\b/.test(withoutParentheses(from));
  return {
    ...majors,
    scope,
    sql: (only) =>
      `SELECT ${kindText}::text, (${name})::text, (${json})::text, (${scopeText})::text FROM ${from}${
        only === undefined ? '' : ` ${hasWhere ? 'AND' : 'WHERE'} ${only}`
      }${groupBy === undefined ? '' : ` GROUP BY ${groupBy}`}`,
  };
}

function quoted(text: string): string {
  return `'${text}'`;
}

/** What stands outside every parenthesis. */
function withoutParentheses(sql: string): string {
  const inner = sql.replace(/\([^()]*\)/g, '');
  return inner === sql ? sql : withoutParentheses(inner);
}
