import type { QueryResult, Session } from '../../../../src/adapter/database.js';
import { quoteLiteral } from '../quoting.js';
import { ask } from './plain-reading.js';

/** What has to be known of a table to make rows for it. Names are plain. */
export interface FillTable {
  readonly name: string;
  readonly isEmpty: boolean;
  /** Why rows must not be made, as the end of a sentence that begins with the table's name. */
  readonly refusal: string | undefined;
  readonly columns: readonly FillColumn[];
  readonly checks: readonly { readonly name: string; readonly expression: string }[];
  readonly foreignKeys: readonly ForeignKey[];
  /** What AUTO_INCREMENT gives next; undefined: the table has none. */
  readonly nextValue: string | undefined;
}

export interface FillColumn {
  readonly name: string;
  /** "int", "varchar". */
  readonly type: string;
  /** "int(10) unsigned", "enum('a','b')". */
  readonly fullType: string;
  readonly isNullable: boolean;
  readonly length: number | undefined;
  readonly precision: number | undefined;
  readonly scale: number | undefined;
  readonly countsUp: boolean;
}

export interface ForeignKey {
  readonly name: string;
  readonly columns: readonly string[];
  readonly parent: string;
  readonly parentColumns: readonly string[];
}

type Row = QueryResult['rows'][number];

/** Facts of these tables and of all that they refer to, by name; a name without a table is missing. Read with plain settings. */
export async function readFillFacts(
  session: Session,
  names: readonly string[],
): Promise<ReadonlyMap<string, FillTable>> {
  const facts = new Map<string, FillTable>();
  for (let wanted = [...new Set(names)]; wanted.length > 0;) {
    const read = await readTables(session, wanted);
    for (const table of read) facts.set(table.name, table);
    const parents = new Set(read.flatMap(({ foreignKeys }) => foreignKeys.map(({ parent }) => parent)));
    wanted = [...parents].filter((parent) => !facts.has(parent));
  }
  return facts;
}

async function readTables(session: Session, names: readonly string[]): Promise<readonly FillTable[]> {
  const schema = quoteLiteral(session.facts.databaseName);
  const list = names.map(quoteLiteral).join(', ');
  const checksSql =
    session.facts.mysql?.product === 'MariaDB'
      ? `SELECT TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = ${schema} AND TABLE_NAME IN (${list})`
      : `SELECT t.TABLE_NAME, t.CONSTRAINT_NAME, c.CHECK_CLAUSE FROM information_schema.TABLE_CONSTRAINTS t JOIN information_schema.CHECK_CONSTRAINTS c ON c.CONSTRAINT_SCHEMA = t.CONSTRAINT_SCHEMA AND c.CONSTRAINT_NAME = t.CONSTRAINT_NAME WHERE t.TABLE_SCHEMA = ${schema} AND t.TABLE_NAME IN (${list}) AND t.ENFORCED = 'YES'`;
  const [tables, columns, checks, keys, triggers] = await ask(session, 'What rows of a table need', [
    `SELECT TABLE_NAME, TABLE_TYPE, AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${schema} AND TABLE_NAME IN (${list})`,
    `SELECT TABLE_NAME, COLUMN_NAME, LOWER(DATA_TYPE), COLUMN_TYPE, IS_NULLABLE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, EXTRA FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ${schema} AND TABLE_NAME IN (${list}) ORDER BY TABLE_NAME, COLUMN_NAME`,
    checksSql,
    `SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = ${schema} AND TABLE_NAME IN (${list}) AND REFERENCED_TABLE_NAME IS NOT NULL ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION`,
    `SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ${schema} AND EVENT_OBJECT_TABLE IN (${list}) AND EVENT_MANIPULATION IN ('INSERT', 'DELETE') ORDER BY TRIGGER_NAME`,
  ]);
  const rows = tables?.rows ?? [];
  const filled = await ask(
    session,
    'Whether a table has rows',
    rows.map(([name]) => `SELECT EXISTS (SELECT 1 FROM \`${(name ?? '').replaceAll('`', '``')}\`)`),
  );
  const of = (answer: QueryResult | undefined, table: string | null | undefined): readonly Row[] =>
    (answer?.rows ?? []).filter(([name]) => name === table);
  return rows.map(([name, type, next], at): FillTable => {
    const firing = of(triggers, name).map(([, trigger]) => trigger ?? '');
    const foreign = of(keys, name).find((row) => row[3] !== session.facts.databaseName);
    return {
      name: name ?? '',
      isEmpty: filled[at]?.rows[0]?.[0] === '0',
      refusal:
        type === 'VIEW'
          ? 'is a view'
          : type === 'SEQUENCE'
            ? 'is a sequence'
            : firing.length > 0
              ? `has a trigger that fires for each row (${firing.join(', ')}), and what it does is not known`
              : foreign === undefined
                ? undefined
                : `refers to ${foreign[3] ?? ''}.${foreign[4] ?? ''} in another database`,
      columns: of(columns, name)
        .filter((row) => !/\b(?:VIRTUAL|STORED|PERSISTENT) GENERATED\b/i.test(row[8] ?? ''))
        .map((row) => ({
          name: row[1] ?? '',
          type: row[2] ?? '',
          fullType: row[3] ?? '',
          isNullable: row[4] === 'YES',
          length: numberOf(row[5]),
          precision: numberOf(row[6]),
          scale: numberOf(row[7]),
          countsUp: /auto_increment/i.test(row[8] ?? ''),
        })),
      checks: of(checks, name).map((row) => ({ name: row[1] ?? '', expression: row[2] ?? '' })),
      foreignKeys: foreignKeysOf(of(keys, name)),
      nextValue: next ?? undefined,
    };
  });
}

function numberOf(text: string | null | undefined): number | undefined {
  return text === null || text === undefined ? undefined : Number(text);
}

function foreignKeysOf(rows: readonly Row[]): readonly ForeignKey[] {
  return [...new Set(rows.map((row) => row[1] ?? ''))].map((name) => {
    const own = rows.filter((row) => row[1] === name);
    return {
      name,
      columns: own.map((row) => row[2] ?? ''),
      parent: own[0]?.[4] ?? '',
      parentColumns: own.map((row) => row[5] ?? ''),
    };
  });
}
