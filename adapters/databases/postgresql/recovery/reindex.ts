import type { Inspection, StatementRecovery } from '../../../../src/adapter/database.js';
import type { Body } from '../classify/tree.js';
import { quoteIdentifier, quoteLiteral } from '../quoting.js';
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

interface Answer {
  /** Ids of the indexes that the statement would rebuild. A rebuilt index is a new one under the old name. */
  readonly targets: ReadonlySet<string>;
  /** Indexes on the same tables that are not valid, or named as REINDEX CONCURRENTLY names its temporary ones. */
  readonly odd: readonly IndexRow[];
  readonly rows: Rows;
}

/**
 * REINDEX … CONCURRENTLY: leaves INVALID indexes behind, `_ccnew` before and `_ccold` after the new index has taken the
 * old one's name (PostgreSQL manual, REINDEX, "Rebuilding Indexes Concurrently"). Undefined for a form that the server
 * refuses.
 */
export function concurrentReindex(statement: Body<'ReindexStmt'>): StatementRecovery | undefined {
  const scope = scopeOf(statement);
  if (scope === undefined) return undefined;
  return {
    kind: 'inspectable',
    waitsAside: true,
    failsCleanly: false,
    inspect: question(scope),
    judge: (before, now) => judge(before === null ? undefined : read(before), read(now)),
  };
}

interface Scope {
  /** Query for the ids of the relations that the statement names: an index, tables, materialized views. */
  readonly named: string;
  readonly ofIndex: boolean;
}

function scopeOf(statement: Body<'ReindexStmt'>): Scope | undefined {
  switch (statement.kind) {
    case 'REINDEX_OBJECT_INDEX':
    case 'REINDEX_OBJECT_TABLE': {
      const named = `SELECT id.oid FROM (SELECT ${relationId(statement.relation ?? {})}) id(oid) WHERE id.oid IS NOT NULL`;
      return { named, ofIndex: statement.kind === 'REINDEX_OBJECT_INDEX' };
    }
    case 'REINDEX_OBJECT_SCHEMA': {
      const schema = quoteLiteral(quoteIdentifier(statement.name ?? ''));
      return { named: tablesWhere(`c.relnamespace = pg_catalog.to_regnamespace(${schema})::oid`), ofIndex: false };
    }
    case 'REINDEX_OBJECT_DATABASE':
      return { named: tablesWhere(`c.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace`), ofIndex: false };
    default:
      return undefined;
  }
}

function tablesWhere(condition: string): string {
  return `SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND ${condition}`;
}

/** The ids of the targets come as one text: there may be thousands, and the journal keeps them. */
function question({ named, ofIndex }: Scope): string {
  const tables = ofIndex
    ? `SELECT DISTINCT i.indrelid AS oid FROM tree JOIN pg_catalog.pg_index i ON i.indexrelid = tree.oid`
    : `SELECT tree.oid FROM tree
 UNION SELECT c.reltoastrelid FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid WHERE c.reltoastrelid <> 0`;
  const targets = ofIndex
    ? `SELECT tree.oid FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid WHERE c.relkind = 'i'`
    : `SELECT i.indexrelid FROM tables JOIN pg_catalog.pg_index i ON i.indrelid = tables.oid JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  WHERE c.relkind = 'i' AND c.relpersistence <> 't' AND i.indisvalid AND NOT i.indisexclusion`;
  return `WITH RECURSIVE tree(oid) AS (${named}
 UNION SELECT h.inhrelid FROM tree JOIN pg_catalog.pg_class p ON p.oid = tree.oid AND p.relkind IN ('p', 'I')
  JOIN pg_catalog.pg_inherits h ON h.inhparent = p.oid),
tables(oid) AS (${tables}),
targets(oid) AS (${targets})
SELECT 'targets', pg_catalog.string_agg(oid::text, ' ' ORDER BY oid), NULL, NULL, NULL, NULL FROM targets
UNION ALL
SELECT 'odd', c.oid::text, n.nspname::text, c.relname::text, ${indexState('i')}, NULL
FROM tables JOIN pg_catalog.pg_index i ON i.indrelid = tables.oid JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid OR c.relname ~ '_cc(new|old)[0-9]*$'
UNION ALL
${buildersOn('tables')}`;
}

function read(rows: Rows): Answer {
  const ids = rows.find((row) => row[0] === 'targets')?.[1] ?? '';
  return { targets: new Set(ids === '' ? [] : ids.split(' ')), odd: indexRows(rows, 'odd'), rows };
}

const newMark = /_ccnew\d*$/;
const oldMark = /_ccold\d*$/;

function judge(was: Answer | undefined, is: Answer): Inspection {
  const invalid = is.odd.filter(({ state }) => state !== 'valid');
  if (was === undefined) {
    const suspects = invalid.filter(({ name }) => newMark.test(name) || oldMark.test(name));
    return suspects.length === 0
      ? notDone('Nothing is left over; rebuilding once more does no harm.')
      : unknown(`INVALID and named like a left-over: ${print(suspects)}; nothing tells whether it was there before.`);
  }
  const leftOver = invalid.filter((index) => isLeftOver(index, was));
  const kept = [...was.targets].filter((id) => is.targets.has(id));
  // Fewer than before: somebody has dropped one, so nothing tells whether it had been rebuilt.
  const rebuilt = was.targets.size > 0 && kept.length === 0 && is.targets.size >= was.targets.size;
  const [first] = leftOver;
  if (first !== undefined) {
    return (
      stillBuilding(is.rows, first) ??
      partly(
        `The statement has left behind what it could not finish, INVALID: ${print(leftOver)}.`,
        leftOver.map(dropIndex),
        rebuilt ? 'done' : 'run-again',
      )
    );
  }
  if (rebuilt) return done('Every index has been rebuilt.');
  return notDone(
    kept.length === was.targets.size
      ? 'No index has been rebuilt, and nothing is left over.'
      : `${was.targets.size - kept.length} of ${was.targets.size} indexes have been rebuilt, and nothing is left over.`,
  );
}

/** The one being built was not there before; the one replaced was there, under its own name. */
function isLeftOver(index: IndexRow, was: Answer): boolean {
  const wasOdd = was.odd.find(({ id }) => id === index.id);
  if (newMark.test(index.name)) return wasOdd === undefined && !was.targets.has(index.id);
  return oldMark.test(index.name) && was.targets.has(index.id) && wasOdd?.name !== index.name;
}

function print(indexes: readonly IndexRow[]): string {
  return indexes.map(({ schema, name }) => `index ${printName(schema, name)}`).join(', ');
}
