import type { Inspection, StatementRecovery } from '../../../../src/adapter/database.js';
import { bodiesOf } from '../classify/tree.js';
import type { Body } from '../classify/tree.js';
import { quoteLiteral } from '../quoting.js';
import {
  buildersOn,
  done,
  dropIndex,
  indexRows,
  indexState,
  notDone,
  partly,
  printName,
  relationId,
  stillBuilding,
  unknown,
} from './inspection.js';
import type { IndexRow, Rows } from './inspection.js';

/** What an index is like, as far as both a statement and the catalog say it plainly. */
interface Shape {
  readonly unique: boolean;
  readonly method: string;
  /** Column names; null for an expression. */
  readonly keys: readonly (string | null)[];
  readonly included: readonly (string | null)[];
  readonly partial: boolean;
  readonly nullsNotDistinct: boolean;
}

interface Index extends IndexRow {
  readonly shape: Shape;
}

interface Answer {
  /** Undefined when the name means no relation. */
  readonly table: { readonly id: string; readonly schema: string; readonly name: string } | undefined;
  /** All indexes of the table. */
  readonly indexes: readonly Index[];
  /** Whether another relation in the table's schema has the index's name. */
  readonly nameTaken: boolean;
  readonly rows: Rows;
}

interface Wanted {
  readonly name: string | undefined;
  readonly ifNotExists: boolean;
  readonly shape: Shape;
}

/** CREATE INDEX CONCURRENTLY: what it leaves behind is an INVALID index (PostgreSQL manual, "Building Indexes Concurrently"). */
export function indexCreation(statement: Body<'IndexStmt'>): StatementRecovery {
  const columns = (nodes: Body<'IndexStmt'>['indexParams']): readonly (string | null)[] =>
    bodiesOf(nodes, 'IndexElem').map((element) => element.name ?? null);
  const wanted: Wanted = {
    name: statement.idxname,
    ifNotExists: statement.if_not_exists === true,
    shape: {
      unique: statement.unique === true,
      method: statement.accessMethod === 'rtree' ? 'gist' : (statement.accessMethod ?? 'btree'),
      keys: columns(statement.indexParams),
      included: columns(statement.indexIncludingParams),
      partial: statement.whereClause !== undefined,
      nullsNotDistinct: statement.nulls_not_distinct === true,
    },
  };
  return {
    kind: 'inspectable',
    waitsAside: true,
    failsCleanly: false,
    inspect: question(relationId(statement.relation ?? {}), wanted.name),
    judge: (before, now) => judge(wanted, before === null ? undefined : read(before), read(now)),
  };
}

/** PostgreSQL 14 has no column pg_index.indnullsnotdistinct, so it is asked for by name within the row as JSON. */
function question(table: string, name: string | undefined): string {
  const columns = (range: string): string =>
    `(SELECT pg_catalog.json_agg(a.attname ORDER BY k.n) FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, n) ` +
    `LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.n ${range} i.indnkeyatts)`;
  const namesake = `
UNION ALL
SELECT 'namesake', c.oid::text, t.nspname::text, c.relname::text, NULL, NULL
FROM target t JOIN pg_catalog.pg_class c ON c.relnamespace = t.relnamespace AND c.relname = ${quoteLiteral(name ?? '')}
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indexrelid = c.oid AND i.indrelid = t.oid)`;
  return `WITH target AS (SELECT c.oid, c.relname, c.relnamespace, n.nspname
 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ${table})
SELECT 'table', oid::text, nspname::text, relname::text, NULL, NULL FROM target
UNION ALL
SELECT 'index', c.oid::text, t.nspname::text, c.relname::text, ${indexState('i')}, pg_catalog.json_build_object(
 'unique', i.indisunique, 'method', m.amname, 'keys', ${columns('<=')}, 'included', ${columns('>')}, 'partial', i.indpred IS NOT NULL,
 'nullsNotDistinct', coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false))::text
FROM target t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
 JOIN pg_catalog.pg_am m ON m.oid = c.relam${name === undefined ? '' : namesake}
UNION ALL
${buildersOn('target')}`;
}

function read(rows: Rows): Answer {
  const table = rows.find((row) => row[0] === 'table');
  const shapes = rows.filter((row) => row[0] === 'index').map((row) => readShape(row[5]));
  return {
    table: table === undefined ? undefined : { id: table[1] ?? '', schema: table[2] ?? '', name: table[3] ?? '' },
    indexes: indexRows(rows, 'index').map((index, at) => ({ ...index, shape: shapes[at] as Shape })),
    nameTaken: rows.some((row) => row[0] === 'namesake'),
    rows,
  };
}

function readShape(text: string | null | undefined): Shape {
  const shape = JSON.parse(text ?? '{}') as Partial<{ [K in keyof Shape]: Shape[K] | null }>;
  return {
    unique: shape.unique === true,
    method: shape.method ?? '',
    keys: shape.keys ?? [],
    included: shape.included ?? [],
    partial: shape.partial === true,
    nullsNotDistinct: shape.nullsNotDistinct === true,
  };
}

function judge(wanted: Wanted, was: Answer | undefined, is: Answer): Inspection {
  if (is.table === undefined) return notDone('The table is not there, so the index is not either.');
  return wanted.name === undefined
    ? judgeUnnamed(wanted, was, is)
    : judgeNamed({ ...wanted, name: wanted.name }, was, is, is.table.schema);
}

function judgeNamed(
  wanted: Wanted & { name: string },
  was: Answer | undefined,
  is: Answer,
  schema: string,
): Inspection {
  const printed = printName(schema, wanted.name);
  const index = is.indexes.find(({ name }) => name === wanted.name);
  if (index === undefined) {
    return notDone(
      is.nameTaken ? `There is no such index; ${printed} is another object.` : `There is no index ${printed}.`,
    );
  }
  const condition = index.state === 'valid' ? 'valid' : 'INVALID';
  if (was === undefined) {
    return wanted.ifNotExists && index.state === 'valid' && isLike(wanted.shape, index.shape)
      ? done(`Index ${printed} is there and valid.`)
      : unknown(`Index ${printed} is there and ${condition}; nothing tells whether it was there before the statement.`);
  }
  if (was.indexes.some(({ id }) => id === index.id)) {
    return wanted.ifNotExists
      ? done(`Index ${printed} was there before the statement, which leaves it as it is: ${condition}.`)
      : notDone(`Index ${printed} was there before the statement, which cannot make another of that name.`);
  }
  return judgeNew(index, wanted, was, is);
}

/** The server chooses a name that is free: what counts is that an index like this was not there before. */
function judgeUnnamed(wanted: Wanted, was: Answer | undefined, is: Answer): Inspection {
  const table = printName(is.table?.schema, is.table?.name ?? '');
  const found = is.indexes.filter(
    (index) => isLike(wanted.shape, index.shape) && !was?.indexes.some(({ id }) => id === index.id),
  );
  const [index, ...others] = found;
  if (index === undefined) return notDone(`Table ${table} has no new index like this.`);
  const names = found.map(({ schema, name }) => printName(schema, name)).join(', ');
  if (was === undefined) {
    return unknown(`Table ${table} has such an index (${names}); nothing tells whether it was there before.`);
  }
  if (others.length > 0) {
    return unknown(
      `Table ${table} has several new indexes like this (${names}); nothing tells which is the statement's.`,
    );
  }
  return judgeNew(index, wanted, was, is);
}

function judgeNew(index: Index, wanted: Wanted, was: Answer, is: Answer): Inspection {
  const printed = printName(index.schema, index.name);
  if (was.table?.id !== is.table?.id) {
    return unknown(`Index ${printed} is there, but its table is not the one that was there before the statement.`);
  }
  if (!isLike(wanted.shape, index.shape)) {
    return unknown(`An index ${printed} has appeared, but it is not like the one that the statement describes.`);
  }
  if (index.state === 'valid') return done(`Index ${printed} is there and valid.`);
  return (
    stillBuilding(is.rows, index) ??
    partly(
      `Index ${printed} is INVALID: the statement began to build it and did not end.`,
      [dropIndex(index)],
      'run-again',
    )
  );
}

/** A parenthesised column is an expression in the statement and a column in the catalog. */
function isLike(wanted: Shape, found: Shape): boolean {
  const sameColumns = (left: readonly (string | null)[], right: readonly (string | null)[]): boolean =>
    left.length === right.length && left.every((name, at) => name === null || name === right[at]);
  return (
    wanted.unique === found.unique &&
    wanted.method === found.method &&
    wanted.partial === found.partial &&
    wanted.nullsNotDistinct === found.nullsNotDistinct &&
    sameColumns(wanted.keys, found.keys) &&
    sameColumns(wanted.included, found.included)
  );
}
