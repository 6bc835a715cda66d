import type { ObjectFacts, ObjectQuestion, Session } from '../../../src/adapter/database.js';
import type { ObjectRef } from '../../../src/risk/change.js';
import { foldNames } from './facts.js';
import { quoteLiteral } from './quoting.js';

/*
 * information_schema shows what the user may see. TABLE_ROWS is an estimate of InnoDB's; MySQL 8 remembers the numbers for
 * information_schema_stats_expiry seconds, a day as a rule (MySQL manual, "The INFORMATION_SCHEMA TABLES Table").
 */

/** For the kinds that are tables: what TABLE_TYPE says. */
const tableTypes: Readonly<Record<string, string>> = {
  table: `TABLE_TYPE NOT IN ('VIEW', 'SYSTEM VIEW', 'SEQUENCE')`,
  view: `TABLE_TYPE IN ('VIEW', 'SYSTEM VIEW')`,
  sequence: `TABLE_TYPE = 'SEQUENCE'`,
};
const routineKinds = new Set(['procedure', 'function', 'package', 'package body']);

/**
 * Asks information_schema about all objects in one query; names without a schema are those of the current database. Users, roles
 * and what else it does not list answer exists = null.
 */
export async function readObjectFacts(
  session: Session,
  refs: readonly ObjectRef[],
  question: ObjectQuestion,
): Promise<readonly ObjectFacts[]> {
  const parts = refs.flatMap((ref, index) => {
    const select = factsSql(ref, question);
    return select === undefined ? [] : [`SELECT ${index}, ${select}`];
  });
  const [result] = parts.length === 0 ? [] : await session.query(parts.join('\nUNION ALL '));
  const fold = foldNames(session.facts);
  return refs.map((ref, index): ObjectFacts => {
    if (factsSql(ref, question) === undefined) {
      return { ref, exists: null, rows: null, bytes: null, alsoLocks: [], dependents: 0 };
    }
    const found = result?.rows.find(
      ([number, name]) => number === String(index) && fold(name ?? '') === fold(ref.name),
    );
    return {
      ref,
      exists: found !== undefined,
      rows: toNumber(found?.[2]),
      bytes: toNumber(found?.[3]),
      alsoLocks: found?.[4] === null || found?.[4] === undefined ? [] : found[4].split('\n'),
      dependents: toNumber(found?.[5]) ?? 0,
    };
  });
}

function toNumber(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : Number(text);
}

/** The other columns (name, rows, bytes, tables on the other side of foreign keys, how many go) with FROM and WHERE. */
function factsSql(ref: ObjectRef, { sizes, dependents }: ObjectQuestion): string | undefined {
  const schema = ref.schema === undefined ? 'DATABASE()' : quoteLiteral(ref.schema);
  const name = quoteLiteral(ref.name);
  const member = quoteLiteral(ref.member ?? '');
  const size = sizes ? 't.TABLE_ROWS, t.DATA_LENGTH + t.INDEX_LENGTH' : 'NULL, NULL';
  const tableType = tableTypes[ref.kind];
  if (tableType !== undefined) {
    const related = ref.kind === 'table' ? relatedSql(schema, name) : 'NULL';
    return `t.TABLE_NAME, ${size}, ${related}, 1 FROM information_schema.TABLES t WHERE t.TABLE_SCHEMA = ${schema} AND t.TABLE_NAME = ${name} AND t.${tableType}`;
  }
  if (routineKinds.has(ref.kind)) {
    return `ROUTINE_NAME, NULL, NULL, NULL, 1 FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ${schema} AND ROUTINE_NAME = ${name} AND ROUTINE_TYPE = '${ref.kind.toUpperCase()}'`;
  }
  switch (ref.kind) {
    case 'column':
      return `c.TABLE_NAME, ${size}, NULL, 1 FROM information_schema.COLUMNS c JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = ${schema} AND t.TABLE_NAME = ${name} WHERE c.TABLE_SCHEMA = ${schema} AND c.TABLE_NAME = ${name} AND c.COLUMN_NAME = ${member}`;
    case 'index':
      return `TABLE_NAME, NULL, NULL, NULL, 1 FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ${schema} AND TABLE_NAME = ${name} AND INDEX_NAME = ${member} AND SEQ_IN_INDEX = 1`;
    case 'constraint':
      return `TABLE_NAME, NULL, NULL, NULL, 1 FROM information_schema.TABLE_CONSTRAINTS WHERE TABLE_SCHEMA = ${schema} AND TABLE_NAME = ${name} AND CONSTRAINT_NAME = ${member}`;
    case 'schema': {
      const sum = (value: string): string =>
        `(SELECT ${value} FROM information_schema.TABLES t WHERE t.TABLE_SCHEMA = ${name})`;
      const sums = sizes ? `${sum('SUM(t.TABLE_ROWS)')}, ${sum('SUM(t.DATA_LENGTH + t.INDEX_LENGTH)')}` : 'NULL, NULL';
      return `SCHEMA_NAME, ${sums}, NULL, ${dependents ? sum('COUNT(*) + 1') : '1'} FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ${name}`;
    }
    case 'trigger':
      return `TRIGGER_NAME, NULL, NULL, NULL, 1 FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ${schema} AND TRIGGER_NAME = ${name}`;
    case 'event':
      return `EVENT_NAME, NULL, NULL, NULL, 1 FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ${schema} AND EVENT_NAME = ${name}`;
    default:
      return undefined;
  }
}

/**
 * The other tables of the foreign keys that the table has, or that refer to it from its own schema: dropping it locks them too
 * (MySQL manual, "Metadata Locking"). One to a line.
 */
function relatedSql(schema: string, name: string): string {
  return `(SELECT GROUP_CONCAT(DISTINCT IF(k.TABLE_NAME = ${name}, k.REFERENCED_TABLE_NAME, k.TABLE_NAME) SEPARATOR '\n')
  FROM information_schema.REFERENTIAL_CONSTRAINTS k WHERE k.CONSTRAINT_SCHEMA = ${schema} AND k.TABLE_NAME <> k.REFERENCED_TABLE_NAME AND (k.TABLE_NAME = ${name} OR (k.UNIQUE_CONSTRAINT_SCHEMA = ${schema} AND k.REFERENCED_TABLE_NAME = ${name})))`;
}
