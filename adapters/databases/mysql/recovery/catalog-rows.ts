import { quoteIdentifier, quoteLiteral } from '../quoting.js';
import type { Rows } from './inspection.js';
import type { ObjectName } from './statement-reader.js';

/*
 * Questions to information_schema. Each object that is there gives one row: its place in the question, a hash of what it
 * looks like without its own name, and one of its whole definition; of a table the server's version too. What only one of the servers has stands in a comment
 * that only this server reads: MariaDB leaves out those for MySQL 5.7 and newer, MySQL takes those of MariaDB for comments.
 */

export type ObjectKind = 'table' | 'view' | 'sequence' | 'relation' | 'trigger' | 'routine' | 'event';

export interface FoundObject {
  readonly shape: string;
  readonly definition: string;
}

/** What is there of the objects of a question, by their place in it. */
export function foundObjects(rows: Rows): ReadonlyMap<number, FoundObject> {
  return new Map(
    rows.map(([place, shape, definition]) => [
      Number(place ?? -1),
      { shape: shape ?? '', definition: definition ?? '' },
    ]),
  );
}

export function printName({ schema, name }: ObjectName): string {
  return schema === undefined ? name : `${schema}.${name}`;
}

export function quoteName({ schema, name }: ObjectName): string {
  return schema === undefined ? quoteIdentifier(name) : `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}

/** One query about all of them. */
export function askObjects(kind: ObjectKind, names: readonly ObjectName[]): string {
  return names.map((name, place) => askObject(kind, name, place)).join('\nUNION ALL\n');
}

function askObject(kind: ObjectKind, name: ObjectName, place: number): string {
  switch (kind) {
    case 'table':
      return askRelation(name, place, `o.TABLE_TYPE NOT IN ('VIEW', 'SYSTEM VIEW', 'SEQUENCE', 'TEMPORARY')`);
    case 'view':
      return `SELECT ${place}, '', ${hash(['o.VIEW_DEFINITION', 'o.CHECK_OPTION', 'o.DEFINER', 'o.SECURITY_TYPE'])}
 FROM information_schema.VIEWS o WHERE ${isNamed('o.TABLE_SCHEMA', 'o.TABLE_NAME', name)}`;
    case 'sequence':
      return askRelation(name, place, `o.TABLE_TYPE = 'SEQUENCE'`);
    case 'relation':
      return askRelation(name, place, `o.TABLE_TYPE <> 'TEMPORARY'`);
    case 'trigger':
      return `SELECT ${place}, '', ${hash(['o.EVENT_OBJECT_TABLE', 'o.EVENT_MANIPULATION', 'o.ACTION_TIMING', 'o.ACTION_ORDER', 'o.ACTION_STATEMENT', 'o.DEFINER', 'o.SQL_MODE'])}
 FROM information_schema.TRIGGERS o WHERE ${isNamed('o.TRIGGER_SCHEMA', 'o.TRIGGER_NAME', name)}`;
    case 'routine':
      throw new Error('A routine is asked for by its kind.');
    case 'event':
      // Column by column as they are: an event that runs changes LAST_EXECUTED, and its STATUS when it has ended.
      return `SELECT ${place}, '', ${hash(['o.EVENT_DEFINITION', 'o.EVENT_TYPE', 'o.EXECUTE_AT', 'o.INTERVAL_VALUE', 'o.INTERVAL_FIELD', 'o.STARTS', 'o.ENDS', 'o.ON_COMPLETION', 'o.EVENT_COMMENT', 'o.DEFINER', 'o.SQL_MODE'])}
 FROM information_schema.EVENTS o WHERE ${isNamed('o.EVENT_SCHEMA', 'o.EVENT_NAME', name, 'folded')}`;
  }
}

/** The same rows without definitions: to read those of a table takes the server longer than to drop it. */
export function askPresence(kind: 'table' | 'view' | 'sequence', names: readonly ObjectName[]): string {
  const condition = {
    table: `o.TABLE_TYPE NOT IN ('VIEW', 'SYSTEM VIEW', 'SEQUENCE', 'TEMPORARY')`,
    view: `o.TABLE_TYPE = 'VIEW'`,
    sequence: `o.TABLE_TYPE = 'SEQUENCE'`,
  }[kind];
  return names
    .map(
      (name, place) =>
        `SELECT ${place}, '', '' FROM information_schema.TABLES o WHERE ${isNamed('o.TABLE_SCHEMA', 'o.TABLE_NAME', name)} AND ${condition}`,
    )
    .join('\nUNION ALL\n');
}

/** Names of routines do not depend on case anywhere. `type`: PROCEDURE, FUNCTION, PACKAGE, PACKAGE BODY. */
export function askRoutine(type: string, name: ObjectName): string {
  return `SELECT 0, '', ${hash(['o.ROUTINE_DEFINITION', 'o.DTD_IDENTIFIER', 'o.IS_DETERMINISTIC', 'o.SQL_DATA_ACCESS', 'o.SECURITY_TYPE', 'o.ROUTINE_COMMENT', 'o.DEFINER', 'o.SQL_MODE'])}
 FROM information_schema.ROUTINES o WHERE o.ROUTINE_TYPE = ${quoteLiteral(type)} AND ${isNamed('o.ROUTINE_SCHEMA', 'o.ROUTINE_NAME', name, 'folded')}`;
}

/** One row when the table has an index of this name. */
export function askIndex(table: ObjectName, index: string): string {
  return `SELECT DISTINCT 0, '', o.INDEX_NAME FROM information_schema.STATISTICS o
 WHERE ${isNamed('o.TABLE_SCHEMA', 'o.TABLE_NAME', table)} AND LOWER(o.INDEX_NAME) = LOWER(${literal(index)})`;
}

/** One row when the database is there: how many objects it holds. */
export function askDatabase(name: string): string {
  const count = (table: string, column: string): string =>
    `(SELECT COUNT(*) FROM information_schema.${table} c WHERE c.${column} = o.SCHEMA_NAME)`;
  return `SELECT 0, '', ${count('TABLES', 'TABLE_SCHEMA')} + ${count('ROUTINES', 'ROUTINE_SCHEMA')} + ${count('EVENTS', 'EVENT_SCHEMA')}
 FROM information_schema.SCHEMATA o WHERE ${isSame('o.SCHEMA_NAME', literal(name))}`;
}

function askRelation(name: ObjectName, place: number, condition: string): string {
  const from = (table: string, schema = 'TABLE_SCHEMA', column = 'TABLE_NAME'): string =>
    `FROM information_schema.${table} p WHERE ${isNamed(`p.${schema}`, `p.${column}`, name)}`;
  const columns = hashes(
    [
      'p.COLUMN_NAME',
      'p.ORDINAL_POSITION',
      'p.COLUMN_DEFAULT',
      'p.IS_NULLABLE',
      'p.COLUMN_TYPE',
      'p.CHARACTER_SET_NAME',
      'p.COLLATION_NAME',
      'p.EXTRA',
      'p.COLUMN_COMMENT',
      'p.GENERATION_EXPRESSION',
    ],
    from('COLUMNS'),
    '/*!80003 , QUOTE(p.SRS_ID) */',
  );
  const indexes = hashes(
    [
      'p.INDEX_NAME',
      'p.NON_UNIQUE',
      'p.SEQ_IN_INDEX',
      'p.COLUMN_NAME',
      'p.SUB_PART',
      'p.COLLATION',
      'p.INDEX_TYPE',
      'p.COMMENT',
      'p.INDEX_COMMENT',
    ],
    from('STATISTICS'),
    '/*!80000 , QUOTE(p.IS_VISIBLE) */ /*!80013 , QUOTE(p.EXPRESSION) */ /*M!100600 , QUOTE(p.IGNORED) */',
  );
  const keys = hashes(
    [
      'p.CONSTRAINT_NAME',
      'p.COLUMN_NAME',
      'p.ORDINAL_POSITION',
      'p.REFERENCED_TABLE_SCHEMA',
      'p.REFERENCED_TABLE_NAME',
      'p.REFERENCED_COLUMN_NAME',
    ],
    from('KEY_COLUMN_USAGE'),
  );
  const references = hashes(
    ['p.CONSTRAINT_NAME', 'p.REFERENCED_TABLE_NAME', 'p.MATCH_OPTION', 'p.UPDATE_RULE', 'p.DELETE_RULE'],
    from('REFERENTIAL_CONSTRAINTS', 'CONSTRAINT_SCHEMA'),
  );
  const partitions = hashes(
    [
      'p.PARTITION_NAME',
      'p.SUBPARTITION_NAME',
      'p.PARTITION_ORDINAL_POSITION',
      'p.SUBPARTITION_ORDINAL_POSITION',
      'p.PARTITION_METHOD',
      'p.SUBPARTITION_METHOD',
      'p.PARTITION_EXPRESSION',
      'p.SUBPARTITION_EXPRESSION',
      'p.PARTITION_DESCRIPTION',
      'p.PARTITION_COMMENT',
    ],
    from('PARTITIONS'),
  );
  const isChecked = isNamed('c.TABLE_SCHEMA', 'c.TABLE_NAME', name);
  const checks = `/*!80016 , ${hashes(
    ['p.CONSTRAINT_NAME', 'p.CHECK_CLAUSE', 'c.ENFORCED'],
    `FROM information_schema.TABLE_CONSTRAINTS c JOIN information_schema.CHECK_CONSTRAINTS p
 ON p.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND p.CONSTRAINT_NAME = c.CONSTRAINT_NAME WHERE c.CONSTRAINT_TYPE = 'CHECK' AND ${isChecked}`,
  )} */ /*M!100600 , ${hashes(['p.CONSTRAINT_NAME', 'p.CHECK_CLAUSE'], from('CHECK_CONSTRAINTS', 'CONSTRAINT_SCHEMA'))} */`;
  const options = 'o.TABLE_TYPE, o.ENGINE, o.ROW_FORMAT, o.TABLE_COLLATION, o.CREATE_OPTIONS, o.TABLE_COMMENT'.split(
    ', ',
  );
  // Of what a column or key is called on another table nothing remains when the table is renamed, its columns do.
  return `SELECT ${place}, ${columns}, CONCAT_WS('/', ${hash(options)}, ${columns}, ${indexes}, ${keys}, ${references}, ${partitions} ${checks}), VERSION()
 FROM information_schema.TABLES o WHERE ${isNamed('o.TABLE_SCHEMA', 'o.TABLE_NAME', name)} AND ${condition}`;
}

function quoted(columns: readonly string[], more = ''): string {
  return `CONCAT_WS(',', ${columns.map((column) => `QUOTE(${column})`).join(', ')} ${more})`;
}

function hash(columns: readonly string[]): string {
  return `LEFT(SHA2(${quoted(columns)}, 256), 32)`;
}

/** Over all rows in whatever order; not by GROUP_CONCAT, which group_concat_max_len cuts short without an error. */
function hashes(columns: readonly string[], from: string, more = ''): string {
  const number = `CAST(CONV(LEFT(SHA2(${quoted(columns, more)}, 256), 15), 16, 10) AS UNSIGNED)`;
  return `(SELECT CONCAT(COUNT(*), ':', BIT_XOR(${number})) ${from})`;
}

/** The comparison that the servers have an index for, and the one that counts. */
function isNamed(schema: string, column: string, { schema: given, name }: ObjectName, folded?: 'folded'): string {
  const where = given === undefined ? 'DATABASE()' : literal(given);
  const isName =
    folded === undefined
      ? isSame(column, literal(name))
      : `${column} = ${literal(name)} AND LOWER(${column}) = LOWER(${literal(name)})`;
  return `${isSame(schema, where)} AND ${isName}`;
}

/** Names of databases, tables, views and triggers: lower_case_table_names decides whether case counts. */
function isSame(column: string, value: string): string {
  const stored = (text: string): string => `CAST(IF(@@lower_case_table_names = 0, ${text}, LOWER(${text})) AS BINARY)`;
  return `${column} = ${value} AND ${stored(column)} = ${stored(value)}`;
}

/** A name as text that reads the same whatever character set the script has told the server. */
function literal(name: string): string {
  return /^[\u0020-\u007e]*$/.test(name)
    ? quoteLiteral(name)
    : `_utf8mb4 X'${Buffer.from(name, 'utf8').toString('hex')}'`;
}
