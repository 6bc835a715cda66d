import type { QueryResult, Session } from '../../../../src/adapter/database.js';
import type { TypeFacts } from '../../../../src/proof/fill-values.js';
import { quoteLiteral } from '../quoting.js';
import { oidsOf } from './plain-reading.js';

/** What has to be known of a table to make rows for it. Names are quoted where SQL would need it. */
export interface FillTable {
  readonly oid: string;
  readonly name: string;
  /** pg_class.relkind. */
  readonly kind: string;
  readonly isEmpty: boolean;
  /** Why rows must not be made, as the end of a sentence that begins with the table's name. */
  readonly refusal: string | undefined;
  /** Of a partitioned table: those of its partitions that take the rows, by id. */
  readonly partitions: readonly string[];
  readonly columns: readonly FillColumn[];
  readonly checks: readonly FillCheck[];
  readonly foreignKeys: readonly ForeignKey[];
  /** Columns of which no two rows may have the same values. */
  readonly uniqueKeys: readonly (readonly string[])[];
}

export interface FillColumn {
  readonly name: string;
  /** As the catalog has it, without quotes. */
  readonly rawName: string;
  readonly type: string;
  readonly modifier: number;
  /** As SQL writes the type. */
  readonly typeText: string;
  readonly isNotNull: boolean;
  /** Expression of a generated column, which gets no value. */
  readonly generated: string | undefined;
  /** A default that takes no value from a sequence. */
  readonly hasPlainDefault: boolean;
  /** A generated column without a value of its own. */
  readonly isVirtual: boolean;
}

/** A condition that every row must not make false: a check constraint, or the bound of a partition. */
export interface FillCheck {
  readonly name: string;
  readonly expression: string;
}

export interface ForeignKey {
  readonly name: string;
  readonly columns: readonly string[];
  readonly parent: string;
  readonly parentColumns: readonly string[];
  /** Column by column, with the parent's on the left. */
  readonly operators: readonly string[];
  /**
   * Columns, such as that of a tenant, that child and parent have by the same name and that are a unique key of the parent
   * together with those referred to: rows that belong together hold the same there, though no key demands it.
   */
  readonly beside: readonly string[];
}

export interface FillFacts {
  /** By id: those asked for, their partitions, and all that they refer to. */
  readonly tables: ReadonlyMap<string, FillTable>;
  /** Name as asked for → id; undefined: there is no such relation. */
  readonly asked: ReadonlyMap<string, string | undefined>;
  readonly types: ReadonlyMap<string, TypeFacts>;
  /** Conditions of domains, their bases' included, by the domain's id. */
  readonly domainChecks: ReadonlyMap<string, readonly string[]>;
  readonly typeTexts: ReadonlyMap<string, string>;
}

/** How many partitions of one table get rows. */
const partitionsAtMost = 8;

/** A foreign key to a partitioned table has a copy for each partition on its other side. */
const ownKey = `k.contype = 'f' AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)`;

/** Queries about the relations of a list of ids. Each finds its rows by an index, however large the schema is. */
function tableQueries(ids: string): readonly string[] {
  return [
    `SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relkind, pg_get_partition_constraintdef(c.oid),
 (SELECT string_agg(quote_ident(t.tgname), ', ' ORDER BY t.tgname) FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('A', 'R') AND t.tgtype & 4 = 4),
 (SELECT string_agg(quote_ident(w.rulename), ', ' ORDER BY w.rulename) FROM pg_rewrite w WHERE w.ev_class = c.oid AND w.ev_type = '3' AND w.ev_enabled IN ('A', 'R')),
 CASE WHEN c.relkind = 'p' THEN (SELECT json_agg(x.oid::text ORDER BY x.relname) FROM (SELECT l.oid, l.relname FROM pg_inherits i JOIN pg_class l ON l.oid = i.inhrelid WHERE i.inhparent = c.oid ORDER BY l.relname LIMIT ${partitionsAtMost}) x) END,
 c.relkind = 'r' AND pg_relation_size(c.oid) > 0
 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY (${ids})`,
    `SELECT a.attrelid, a.attnum, quote_ident(a.attname), a.attname, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod), a.attnotnull, CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END,
 a.attidentity = '' AND a.attgenerated = '' AND d.adbin IS NOT NULL AND pg_get_expr(d.adbin, d.adrelid) !~* 'nextval', a.attgenerated = 'v'
 FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = ANY (${ids}) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attname COLLATE "C"`,
    `SELECT k.conrelid, quote_ident(k.conname), k.contype, to_json(k.conkey), k.confrelid, to_json(k.confkey), CASE WHEN k.contype = 'c' THEN pg_get_expr(k.conbin, k.conrelid) END,
 (SELECT json_agg(format('OPERATOR(%I.%s)', w.nspname, o.oprname) ORDER BY u.n) FROM unnest(k.conpfeqop) WITH ORDINALITY u(op, n) JOIN pg_operator o ON o.oid = u.op JOIN pg_namespace w ON w.oid = o.oprnamespace)
 FROM pg_constraint k WHERE k.conrelid = ANY (${ids}) AND (k.contype = 'c' OR ${ownKey}) AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true) ORDER BY k.conrelid, k.conname COLLATE "C"`,
    `SELECT i.indrelid, to_json(string_to_array(i.indkey::text, ' ')::int[]) FROM pg_index i WHERE i.indrelid = ANY (${ids}) AND i.indisunique AND NOT (0 = ANY (i.indkey)) AND i.indnkeyatts = i.indnatts`,
  ];
}

function typesQuery(ids: string): string {
  return `SELECT t.oid, t.typname, t.oid < 16384, t.typtype, t.typcategory = 'A' AND t.typelem <> 0 AND t.typlen = -1 AND t.typname NOT IN ('int2vector', 'oidvector'), t.typelem, t.typbasetype, t.typtypmod,
 CASE WHEN t.typtype IN ('r', 'm') THEN (SELECT g.rngsubtype FROM pg_range g WHERE g.rngtypid = t.oid OR g.rngmultitypid = t.oid) END,
 CASE WHEN t.typtype = 'e' THEN (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) END,
 CASE WHEN t.typtype = 'c' THEN (SELECT json_agg(json_build_array(a.atttypid::text, a.atttypmod) ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) END,
 CASE WHEN t.typtype = 'd' THEN (SELECT json_agg(pg_get_expr(k.conbin, 0) ORDER BY k.conname) FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c') END,
 format_type(t.oid, NULL), t.typnotnull
 FROM pg_type t WHERE t.oid = ANY (${ids})`;
}

function idList(oids: Iterable<string>): string {
  return `'{${[...oids].join(',')}}'::oid[]`;
}

type Answers = [QueryResult[], QueryResult[], QueryResult[], QueryResult[]];

/**
 * Asks what has to be known of tables, of their partitions, and, as far as those are empty, of the tables that they refer
 * to: once for all of them, then once for all that these have named. Inside an open transaction whose search_path is
 * pg_catalog alone.
 */
export async function readFillFacts(session: Session, names: readonly string[]): Promise<FillFacts> {
  const answers: Answers = [[], [], [], []];
  const asked = new Map<string, string | undefined>();
  const known = new Set<string>();
  const filled = new Set<string>();
  for (let ids = oidsOf(names); ids !== '';) {
    const first = known.size === 0 && asked.size === 0;
    const results = await session.query(
      [
        ...tableQueries(ids),
        ...(first
          ? [`SELECT n, to_regclass(n)::oid FROM unnest(ARRAY[${names.map(quoteLiteral).join(', ')}]::text[]) n`]
          : []),
      ].join(';\n'),
    );
    for (const [at, list] of answers.entries()) list.push(...results.slice(at, at + 1));
    if (first) for (const [name, oid] of results[4]?.rows ?? []) asked.set(name ?? '', oid ?? undefined);
    const tables = results[0]?.rows ?? [];
    for (const [oid] of tables) known.add(oid ?? '');
    const perhaps = tables.filter((row) => row[7] === 't');
    if (perhaps.length > 0) {
      const looked = perhaps.map(
        ([oid, name]) => `SELECT '${oid ?? ''}' WHERE EXISTS (SELECT FROM ONLY ${name ?? ''})`,
      );
      for (const [oid] of (await session.query(looked.join(' UNION ALL ')))[0]?.rows ?? []) filled.add(oid ?? '');
    }
    const next = new Set([
      ...tables.flatMap((row) => JSON.parse(row[6] ?? '[]') as readonly string[]),
      ...(results[2]?.rows ?? []).flatMap((row) =>
        row[2] === 'f' && !filled.has(row[0] ?? '') && row[4] !== null ? (row[4] ?? []) : [],
      ),
    ]);
    const unknown = [...next].filter((oid) => !known.has(oid));
    ids = unknown.length === 0 ? '' : idList(unknown);
  }
  const [tables, columns, constraints, indexes] = answers.map((list) => list.flatMap(({ rows }) => rows));
  return {
    asked,
    tables: withBeside(toTables({ tables, columns, constraints, indexes }, filled)),
    ...toTypes(await readTypes(session, new Set((columns ?? []).map((row) => row[4] ?? '')))),
  };
}

/** Types, and those that they are made of. */
async function readTypes(session: Session, wanted: ReadonlySet<string>): Promise<readonly ResultRow[]> {
  const rows: ResultRow[] = [];
  const known = new Set<string>();
  for (let next = wanted; next.size > 0;) {
    const read = (await session.query(typesQuery(idList(next))))[0]?.rows ?? [];
    rows.push(...read);
    for (const oid of next) known.add(oid);
    const inner = read.flatMap(([, , , kind, isArray, element, base, , subtype, , attributes]) => [
      ...[kind === 'd' ? base : isArray === 't' ? element : subtype].flatMap((oid) => oid ?? []),
      ...(JSON.parse(attributes ?? '[]') as readonly [string, number][]).map(([type]) => type),
    ]);
    next = new Set(inner.filter((oid) => !known.has(oid)));
  }
  return rows;
}

type ResultRow = QueryResult['rows'][number];

interface TableRowsOf {
  readonly tables: readonly ResultRow[] | undefined;
  readonly columns: readonly ResultRow[] | undefined;
  readonly constraints: readonly ResultRow[] | undefined;
  readonly indexes: readonly ResultRow[] | undefined;
}

function toTables(answers: TableRowsOf, filled: ReadonlySet<string>): ReadonlyMap<string, FillTable> {
  const rows = answers.tables ?? [];
  const columnNames = new Map(
    (answers.columns ?? []).map(([table, number, name]) => [`${table ?? ''} ${number ?? ''}`, name ?? '']),
  );
  const named = (table: string, numbers: string | null): readonly string[] =>
    (JSON.parse(numbers ?? '[]') as readonly number[]).map((number) => columnNames.get(`${table} ${number}`) ?? '');
  const of = (list: readonly ResultRow[] | undefined, oid: string): readonly ResultRow[] =>
    (list ?? []).filter(([table]) => table === oid);
  return new Map(
    rows.map(([id, name, kind, bound, triggers, rules, partitions]): [string, FillTable] => {
      const oid = id ?? '';
      const constraints = of(answers.constraints, oid);
      return [
        oid,
        {
          oid,
          name: name ?? '',
          kind: kind ?? '',
          isEmpty: !filled.has(oid),
          refusal: refusalOf(kind ?? '', triggers ?? null, rules ?? null),
          partitions: JSON.parse(partitions ?? '[]') as readonly string[],
          columns: of(answers.columns, oid).map((row) => ({
            name: row[2] ?? '',
            rawName: row[3] ?? '',
            type: row[4] ?? '',
            modifier: Number(row[5]),
            typeText: row[6] ?? '',
            isNotNull: row[7] === 't',
            generated: row[8] ?? undefined,
            hasPlainDefault: row[9] === 't',
            isVirtual: row[10] === 't',
          })),
          checks: [
            ...constraints
              .filter((row) => row[2] === 'c')
              .map((row) => ({ name: `the check ${row[1] ?? ''}`, expression: row[6] ?? '' })),
            ...(bound === null || bound === undefined
              ? []
              : [{ name: 'the bound of the partition', expression: bound }]),
          ],
          foreignKeys: constraints
            .filter((row) => row[2] === 'f')
            .map((row) => ({
              name: row[1] ?? '',
              columns: named(oid, row[3] ?? null),
              parent: row[4] ?? '',
              parentColumns: named(row[4] ?? '', row[5] ?? null),
              operators: JSON.parse(row[7] ?? '[]') as readonly string[],
              beside: [],
            })),
          uniqueKeys: of(answers.indexes, oid).map((row) => named(oid, row[1] ?? null)),
        },
      ];
    }),
  );
}

function withBeside(tables: ReadonlyMap<string, FillTable>): ReadonlyMap<string, FillTable> {
  return new Map(
    [...tables].map(([oid, table]): [string, FillTable] => [
      oid,
      {
        ...table,
        foreignKeys: table.foreignKeys.map((key) => ({ ...key, beside: besideOf(table, key, tables.get(key.parent)) })),
      },
    ]),
  );
}

function besideOf(child: FillTable, key: ForeignKey, parent: FillTable | undefined): readonly string[] {
  if (parent === undefined || parent === child) return [];
  const isShared = (name: string): boolean => {
    const [own, other] = [child, parent].map(({ columns }) => columns.find((column) => column.name === name));
    if (own === undefined || own.typeText !== other?.typeText) return false;
    return [own, other].every(({ isNotNull, generated }) => isNotNull && generated === undefined);
  };
  const shared = parent.uniqueKeys
    .filter((unique) => key.parentColumns.every((name) => unique.includes(name)))
    .map((unique) => unique.filter((name) => !key.parentColumns.includes(name)))
    .filter((rest) => rest.every((name) => !key.columns.includes(name) && isShared(name)));
  return [...new Set(shared.flat())].sort();
}

function refusalOf(kind: string, triggers: string | null, rules: string | null): string | undefined {
  const kinds: Readonly<Record<string, string>> = {
    f: 'is a foreign table: its rows lie in another database',
    v: 'is a view',
    m: 'is a materialized view: its rows come from its query',
    S: 'is a sequence',
    c: 'is a type',
    i: 'is an index',
    I: 'is an index',
  };
  if (kinds[kind] !== undefined) return kinds[kind];
  if (triggers !== null)
    return `has a trigger that fires even in replica mode (${triggers}), and what it does is not known`;
  if (rules !== null) return `has a rule that holds even in replica mode (${rules}), and what it does is not known`;
  return undefined;
}

function toTypes(rows: readonly ResultRow[]): Pick<FillFacts, 'types' | 'domainChecks' | 'typeTexts'> {
  const types = new Map<string, TypeFacts>();
  const own = new Map<string, readonly string[]>();
  const typeTexts = new Map<string, string>();
  for (const row of rows) {
    const [
      oid = '',
      name,
      builtIn,
      kind,
      isArray,
      element,
      base,
      modifier,
      subtype,
      labels,
      attributes,
      checks,
      text,
      isNotNull,
    ] = row;
    const id = oid ?? '';
    typeTexts.set(id, text ?? '');
    own.set(id, JSON.parse(checks ?? '[]') as readonly string[]);
    const kinds: Readonly<Record<string, TypeFacts['kind']>> = {
      b: isArray === 't' ? 'array' : 'base',
      c: 'composite',
      d: 'domain',
      e: 'enum',
      r: 'range',
      m: 'multirange',
    };
    const inner = kind === 'd' ? base : isArray === 't' ? element : subtype;
    types.set(id, {
      name: name ?? '',
      isBuiltIn: builtIn === 't',
      isNotNull: isNotNull === 't',
      kind: kinds[kind ?? ''] ?? 'other',
      of:
        inner === null || inner === undefined || inner === '0'
          ? undefined
          : { type: inner, modifier: kind === 'd' ? Number(modifier) : -1 },
      labels: labels === null || labels === undefined ? undefined : (JSON.parse(labels) as readonly string[]),
      attributes:
        attributes === null || attributes === undefined
          ? undefined
          : (JSON.parse(attributes) as readonly [string, number][]).map(([type, typmod]) => ({
              type,
              modifier: typmod,
            })),
    });
  }
  const domainChecks = new Map<string, readonly string[]>();
  for (const [oid, facts] of types) {
    if (facts.kind !== 'domain') continue;
    const checks: string[] = [];
    for (let at: string | undefined = oid; at !== undefined;) {
      checks.push(...(own.get(at) ?? []));
      const next: TypeFacts | undefined = types.get(at);
      at = next?.kind === 'domain' ? next.of?.type : undefined;
    }
    if (checks.length > 0) domainChecks.set(oid, checks);
  }
  return { types, domainChecks, typeTexts };
}
