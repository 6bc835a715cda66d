import type { QueryResult, Session } from '../../../../src/adapter/database.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import type { Catalog, CatalogObject } from '../../../../src/proof/catalog.js';
import { quoteIdentifier, quoteLiteral } from '../quoting.js';
import { readCreateTable } from './create-table.js';
import { shown, withoutSchema } from './names.js';
import { ask, withPlainSettings } from './plain-reading.js';
import { readServerPart } from './read-server.js';

type Row = QueryResult['rows'][number];

/** Everything in the session's database, and what belongs to the server as a whole. Restores the session's settings. */
export async function readCatalog(session: Session, without: readonly QualifiedName[]): Promise<Catalog> {
  return withPlainSettings(session, async () => ({
    objects: sorted([...(await readObjects(session, without)), ...(await readServerPart(session, without))]),
  }));
}

/** By kind and name. */
export function sorted(objects: readonly CatalogObject[]): readonly CatalogObject[] {
  return [...objects].sort((a, b) => compare(a.kind, b.kind) || compare(a.name, b.name));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Names of this database that are left out, without its own name. */
export function leftOutNames(session: Session, without: readonly QualifiedName[]): ReadonlySet<string> {
  return new Set(without.filter(({ schema }) => schema === session.facts.databaseName).map(({ name }) => name));
}

/** A condition on a column that holds names of tables. */
export function notIn(column: string, names: ReadonlySet<string>): string {
  return names.size === 0 ? 'TRUE' : `${column} NOT IN (${[...names].map(quoteLiteral).join(', ')})`;
}

/** `only`: names of tables and views to which relations and their parts are restricted. */
export async function readObjects(
  session: Session,
  without: readonly QualifiedName[],
  only?: ReadonlySet<string>,
): Promise<readonly CatalogObject[]> {
  const schema = quoteLiteral(session.facts.databaseName);
  const leftOut = leftOutNames(session, without);
  const relations = (column: string): string =>
    `${notIn(column, leftOut)}${only === undefined ? '' : ` AND ${column} IN (${[...only, ''].map(quoteLiteral).join(', ')})`}`;
  const [tables, collations, indexes, routines, parameters, triggers, events] = await ask(session, 'The catalog', [
    `SELECT TABLE_NAME, TABLE_TYPE, ROW_FORMAT, TABLE_COLLATION FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${schema} AND ${relations('TABLE_NAME')}`,
    `SELECT TABLE_NAME, COLUMN_NAME, COLLATION_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ${schema} AND ${relations('TABLE_NAME')} AND COLLATION_NAME IS NOT NULL`,
    `SELECT DISTINCT TABLE_NAME, INDEX_NAME, INDEX_TYPE FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ${schema} AND ${relations('TABLE_NAME')}`,
    `SELECT ROUTINE_NAME, ROUTINE_TYPE, ${routineProperties} FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ${schema}`,
    `SELECT SPECIFIC_NAME, ROUTINE_TYPE, ORDINAL_POSITION, PARAMETER_MODE, PARAMETER_NAME, DTD_IDENTIFIER, COLLATION_NAME FROM information_schema.PARAMETERS WHERE SPECIFIC_SCHEMA = ${schema} ORDER BY SPECIFIC_NAME, ROUTINE_TYPE, ORDINAL_POSITION`,
    `SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER, ACTION_STATEMENT, DEFINER, SQL_MODE, CHARACTER_SET_CLIENT, COLLATION_CONNECTION FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ${schema} AND ${relations('EVENT_OBJECT_TABLE')}`,
    `SELECT EVENT_NAME, ${eventProperties} FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ${schema}`,
  ]);
  const listed = tables?.rows ?? [];
  const collationOf = new Map((collations?.rows ?? []).map(([table, column, name]) => [pair(table, column), name]));
  const typeOf = new Map((indexes?.rows ?? []).map(([table, index, type]) => [pair(table, index), type]));
  const definitions = await readDefinitions(session, listed);
  return [
    ...listed.flatMap(([name, type, rowFormat, collation]) => {
      const definition = definitions.get(name ?? '') ?? '';
      if (type === 'VIEW') return [viewObject(name ?? '', definition, session.facts.databaseName)];
      if (type === 'SEQUENCE') return [sequenceObject(name ?? '', definition)];
      return tableObjects({
        table: name ?? '',
        sql: withoutSchema(definition, session.facts.databaseName),
        rowFormat: rowFormat ?? null,
        collation: collation ?? null,
        collationOf: (column) => collationOf.get(pair(name, column)) ?? null,
        indexTypeOf: (index) => typeOf.get(pair(name, index)) ?? null,
      });
    }),
    ...(routines?.rows ?? []).map((row) => routineObject(row, parameters?.rows ?? [])),
    ...(triggers?.rows ?? []).map(triggerObject),
    ...(events?.rows ?? []).map(eventObject),
  ];
}

function pair(a: string | null | undefined, b: string | null | undefined): string {
  return `${a ?? ''}\n${b ?? ''}`;
}

/** SHOW CREATE of each relation, by name. */
async function readDefinitions(session: Session, tables: readonly Row[]): Promise<ReadonlyMap<string, string>> {
  const schema = quoteIdentifier(session.facts.databaseName);
  const answers = await ask(
    session,
    'The definition of a table',
    tables.map(([name, type]) => {
      const kind = type === 'VIEW' ? 'VIEW' : type === 'SEQUENCE' ? 'SEQUENCE' : 'TABLE';
      return `SHOW CREATE ${kind} ${schema}.${quoteIdentifier(name ?? '')}`;
    }),
  );
  return new Map(tables.map(([name], at) => [name ?? '', answers[at]?.rows[0]?.[1] ?? '']));
}

/** Without the properties that are not set. */
function objectOf(kind: string, name: string, properties: Record<string, string | null | undefined>): CatalogObject {
  const given = Object.entries(properties).flatMap(([key, value]): readonly (readonly [string, string])[] =>
    value === null || value === undefined || value === '' ? [] : [[key, value]],
  );
  return { kind, name, properties: Object.fromEntries(given.sort(([a], [b]) => compare(a, b))) };
}

interface TableFacts {
  readonly table: string;
  readonly sql: string;
  readonly rowFormat: string | null;
  readonly collation: string | null;
  readonly collationOf: (column: string) => string | null;
  readonly indexTypeOf: (index: string) => string | null;
}

function tableObjects({
  table,
  sql,
  rowFormat,
  collation,
  collationOf,
  indexTypeOf,
}: TableFacts): readonly CatalogObject[] {
  const { columns, keys, constraints, others, options, partitions } = readCreateTable(sql);
  const name = shown(table);
  return [
    objectOf('table', name, {
      options,
      'row format': rowFormat,
      'text collation': collation,
      partitions,
      clauses: others.length === 0 ? undefined : others.join('\n'),
    }),
    objectOf('column order', name, { columns: columns.map((column) => shown(column.name)).join(', ') }),
    ...columns.map((column) =>
      objectOf('column', `${name}.${shown(column.name)}`, {
        definition: column.definition,
        'text collation': collationOf(column.name),
      }),
    ),
    ...keys.map((key) =>
      objectOf('index', `${shown(key.name)} on ${name}`, {
        definition: key.definition,
        type: indexTypeOf(key.name),
      }),
    ),
    ...constraints.map((constraint) =>
      objectOf('constraint', `${shown(constraint.name)} on ${name}`, { definition: constraint.definition }),
    ),
  ];
}

const viewHead =
  /^CREATE (?:ALGORITHM=(\w+) )?(?:DEFINER=(`(?:[^`]|``)*`(?:@`(?:[^`]|``)*`)?) )?(?:SQL SECURITY (\w+) )?VIEW .*? AS (.*)$/s;

function viewObject(name: string, sql: string, schema: string): CatalogObject {
  const [, algorithm, definer, security, definition = sql] = viewHead.exec(sql) ?? [];
  return objectOf('view', shown(name), {
    algorithm: algorithm === 'UNDEFINED' ? undefined : algorithm,
    definer,
    security: security === 'DEFINER' ? undefined : security,
    definition: withoutSchema(definition, schema),
  });
}

function sequenceObject(name: string, sql: string): CatalogObject {
  return objectOf('sequence', shown(name), { definition: sql.replace(/^CREATE SEQUENCE `(?:[^`]|``)*` /, '') });
}

const routineProperties = `ROUTINE_DEFINITION, DTD_IDENTIFIER, COLLATION_NAME, SQL_DATA_ACCESS, IS_DETERMINISTIC, SECURITY_TYPE, ROUTINE_COMMENT, DEFINER, SQL_MODE, CHARACTER_SET_CLIENT, COLLATION_CONNECTION`;

function routineObject(row: Row, parameters: readonly Row[]): CatalogObject {
  const [name, type, definition, returns, collation, access, deterministic, security, comment, definer, ...session] =
    row;
  // The one at place 0 is what a function returns.
  const own = parameters.filter(
    ([routine, kind, place]) => routine === name && (kind ?? type) === type && place !== '0',
  );
  const list = own.map(([, , , mode, parameter, typeText, sort]) =>
    [mode === 'IN' ? null : mode, shown(parameter ?? ''), typeText, sort === null ? null : `collate ${sort ?? ''}`]
      .filter((word) => word !== null && word !== undefined)
      .join(' '),
  );
  return objectOf((type ?? '').toLowerCase(), shown(name ?? ''), {
    definition,
    parameters: list.join(', '),
    returns: [returns, collation === null ? null : `collate ${collation ?? ''}`]
      .filter((word) => word !== null && word !== undefined && word !== '')
      .join(' '),
    access: access === 'CONTAINS SQL' ? undefined : access,
    deterministic: deterministic === 'YES' ? 'YES' : undefined,
    security: security === 'DEFINER' ? undefined : security,
    comment,
    definer,
    ...sessionProperties(session),
  });
}

/** What a stored program keeps of the session that made it. */
function sessionProperties(values: readonly (string | null)[]): Record<string, string | undefined> {
  const [mode, charset, collation] = values;
  return { 'sql mode': mode ?? undefined, 'character set of its session': `${charset ?? ''} ${collation ?? ''}` };
}

function triggerObject(row: Row): CatalogObject {
  const [name, table, timing, event, order, definition, definer, ...session] = row;
  return objectOf('trigger', `${shown(name ?? '')} on ${shown(table ?? '')}`, {
    timing: `${timing ?? ''} ${event ?? ''}`,
    order,
    definition,
    definer,
    ...sessionProperties(session),
  });
}

/** An interval begins when the event is made, unless somebody says otherwise. */
const eventProperties = `EVENT_DEFINITION, EVENT_TYPE, EXECUTE_AT, CONCAT(INTERVAL_VALUE, ' ', INTERVAL_FIELD), IF(ABS(TIMESTAMPDIFF(SECOND, STARTS, LAST_ALTERED)) <= 1 OR ABS(TIMESTAMPDIFF(SECOND, STARTS, CREATED)) <= 1, NULL, STARTS), ENDS, STATUS, ON_COMPLETION, EVENT_COMMENT, TIME_ZONE, DEFINER, SQL_MODE, CHARACTER_SET_CLIENT, COLLATION_CONNECTION`;

function eventObject(row: Row): CatalogObject {
  const [name, definition, , at, every, starts, ends, status, completion, comment, zone, definer, ...session] = row;
  return objectOf('event', shown(name ?? ''), {
    definition,
    at,
    every,
    starts,
    ends,
    status: status === 'ENABLED' ? undefined : status,
    completion: completion === 'NOT PRESERVE' ? undefined : completion,
    comment,
    'time zone': zone,
    definer,
    ...sessionProperties(session),
  });
}
