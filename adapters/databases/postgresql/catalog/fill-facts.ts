import type { QueryResult, Session } from '../../../../src/adapter/database.js';
import type { TypeFacts } from '../../../../src/proof/fill-values.js';
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

function reached(names: readonly string[]): string {
  return `WITH RECURSIVE reached(oid) AS (SELECT o FROM unnest(${oidsOf(names)}) o WHERE o IS NOT NULL UNION
 SELECT x.oid FROM reached r CROSS JOIN LATERAL (SELECT k.confrelid AS oid FROM pg_constraint k WHERE k.conrelid = r.oid AND ${ownKey}
 UNION ALL (SELECT i.inhrelid FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent AND c.relkind = 'p' JOIN pg_class l ON l.oid = i.inhrelid WHERE i.inhparent = r.oid ORDER BY l.relname LIMIT ${partitionsAtMost})) x)`;
}

/** Asks for everything at once, inside an open transaction whose search_path is pg_catalog alone. */
export async function readFillFacts(session: Session, names: readonly string[]): Promise<FillFacts> {
  const closure = reached(names);
  const [asked, tables, columns, constraints, indexes, types] = await session.query(
    [
      `SELECT n, to_regclass(n)::oid FROM unnest(ARRAY[${names.map((name) => literal(name)).join(', ')}]::text[]) n`,
      `${closure} SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relkind, pg_get_partition_constraintdef(c.oid),
 (SELECT string_agg(quote_ident(t.tgname), ', ' ORDER BY t.tgname) FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('A', 'R') AND t.tgtype & 4 = 4),
 (SELECT string_agg(quote_ident(w.rulename), ', ' ORDER BY w.rulename) FROM pg_rewrite w WHERE w.ev_class = c.oid AND w.ev_type = '3' AND w.ev_enabled IN ('A', 'R')),
 (SELECT json_agg(i.inhrelid::text ORDER BY l.relname) FROM pg_inherits i JOIN pg_class l ON l.oid = i.inhrelid WHERE i.inhparent = c.oid AND c.relkind = 'p' AND l.oid IN (SELECT oid FROM reached))
 FROM reached r JOIN pg_class c ON c.oid = r.oid JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 2`,
      `${closure} SELECT a.attrelid, a.attnum, quote_ident(a.attname), a.attname, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod), a.attnotnull, CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END,
 a.attidentity = '' AND a.attgenerated = '' AND d.adbin IS NOT NULL AND pg_get_expr(d.adbin, d.adrelid) !~* 'nextval'
 FROM reached r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum ORDER BY a.attrelid, a.attname COLLATE "C"`,
      `${closure} SELECT k.conrelid, quote_ident(k.conname), k.contype, to_json(k.conkey), k.confrelid, to_json(k.confkey), CASE WHEN k.contype = 'c' THEN pg_get_expr(k.conbin, k.conrelid) END
 FROM reached r JOIN pg_constraint k ON k.conrelid = r.oid WHERE (k.contype IN ('c', 'p', 'u') OR ${ownKey}) AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true) ORDER BY k.conrelid, k.conname COLLATE "C"`,
      `${closure} SELECT i.indrelid, to_json(string_to_array(i.indkey::text, ' ')::int[]) FROM reached r JOIN pg_index i ON i.indrelid = r.oid WHERE i.indisunique AND NOT (0 = ANY (i.indkey)) AND i.indnkeyatts = i.indnatts`,
      `${closure}, used(oid) AS (SELECT a.atttypid FROM reached r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped UNION
 SELECT x.oid FROM used u JOIN pg_type t ON t.oid = u.oid CROSS JOIN LATERAL (SELECT t.typbasetype AS oid WHERE t.typbasetype <> 0 UNION ALL SELECT t.typelem WHERE t.typelem <> 0
 UNION ALL SELECT g.rngsubtype FROM pg_range g WHERE g.rngtypid = t.oid OR g.rngmultitypid = t.oid UNION ALL SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) x)
 SELECT t.oid, t.typname, t.oid < 16384, t.typtype, t.typcategory = 'A' AND t.typelem <> 0 AND t.typlen = -1 AND t.typname NOT IN ('int2vector', 'oidvector'), t.typelem, t.typbasetype, t.typtypmod,
 (SELECT g.rngsubtype FROM pg_range g WHERE g.rngtypid = t.oid OR g.rngmultitypid = t.oid), (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
 (SELECT json_agg(json_build_array(a.atttypid::text, a.atttypmod) ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped),
 (SELECT json_agg(pg_get_expr(k.conbin, 0) ORDER BY k.conname) FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'), format_type(t.oid, NULL), t.typnotnull
 FROM used u JOIN pg_type t ON t.oid = u.oid`,
    ].join(';\n'),
  );
  return {
    asked: new Map((asked?.rows ?? []).map(([name, oid]) => [name ?? '', oid ?? undefined])),
    tables: await toTables(session, { tables, columns, constraints, indexes }),
    ...toTypes(types),
  };
}

function literal(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

interface TableAnswers {
  readonly tables: QueryResult | undefined;
  readonly columns: QueryResult | undefined;
  readonly constraints: QueryResult | undefined;
  readonly indexes: QueryResult | undefined;
}

async function toTables(session: Session, answers: TableAnswers): Promise<ReadonlyMap<string, FillTable>> {
  const rows = answers.tables?.rows ?? [];
  const plain = rows.filter(([, , kind]) => kind === 'r');
  const filled = new Set<string>();
  if (plain.length > 0) {
    const [looked] = await session.query(
      plain
        .map(([oid, name]) => `SELECT '${oid ?? ''}' WHERE EXISTS (SELECT FROM ONLY ${name ?? ''})`)
        .join(' UNION ALL '),
    );
    for (const [oid] of looked?.rows ?? []) filled.add(oid ?? '');
  }
  const columnNames = new Map(
    (answers.columns?.rows ?? []).map(([table, number, name]) => [`${table ?? ''} ${number ?? ''}`, name ?? '']),
  );
  const named = (table: string, numbers: string | null): readonly string[] =>
    (JSON.parse(numbers ?? '[]') as readonly number[]).map((number) => columnNames.get(`${table} ${number}`) ?? '');
  const of = (answer: QueryResult | undefined, oid: string): readonly (readonly (string | null)[])[] =>
    (answer?.rows ?? []).filter(([table]) => table === oid);
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
            })),
          uniqueKeys: of(answers.indexes, oid).map((row) => named(oid, row[1] ?? null)),
        },
      ];
    }),
  );
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

function toTypes(answer: QueryResult | undefined): Pick<FillFacts, 'types' | 'domainChecks' | 'typeTexts'> {
  const rows = answer?.rows ?? [];
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
