import type { Inspection, StatementRecovery } from '../../../../src/adapter/database.js';
import { dottedName } from '../classify/tree.js';
import type { Body } from '../classify/tree.js';
import { quoteLiteral } from '../quoting.js';
import {
  done,
  dropIndex,
  indexRows,
  indexState,
  notDone,
  partly,
  printName,
  relationId,
  unknown,
} from './inspection.js';
import type { IndexRow, Rows } from './inspection.js';

interface Answer {
  /** Id of what the name means on the search_path; null when nothing. */
  readonly named: string | null;
  /** All indexes of that name, in whichever schema unless the statement names one. */
  readonly indexes: readonly IndexRow[];
}

interface Wanted {
  readonly schema: string | undefined;
  readonly name: string;
  readonly ifExists: boolean;
}

/** DROP INDEX CONCURRENTLY: marks the index INVALID, then dead, and only then removes it, each committed on its own. */
export function indexRemoval(statement: Body<'DropStmt'>): StatementRecovery | undefined {
  const [object, ...others] = statement.objects ?? [];
  // The server refuses more than one.
  if (object === undefined || others.length > 0) return undefined;
  const parts = dottedName(object);
  const wanted: Wanted = {
    schema: parts.at(-2),
    name: parts.at(-1) ?? '',
    ifExists: statement.missing_ok === true,
  };
  return {
    kind: 'inspectable',
    waitsAside: true,
    failsCleanly: false,
    inspect: question(wanted),
    judge: (before, now) => judge(wanted, before === null ? undefined : read(before), read(now)),
  };
}

function question({ schema, name }: Wanted): string {
  const range = schema === undefined ? { relname: name } : { schemaname: schema, relname: name };
  const within = schema === undefined ? '' : ` AND n.nspname = ${quoteLiteral(schema)}`;
  return `SELECT 'named', ${relationId(range)}::text, NULL, NULL, NULL
UNION ALL
SELECT 'index', c.oid::text, n.nspname::text, c.relname::text, ${indexState('i')}
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
WHERE c.relkind = 'i' AND c.relname = ${quoteLiteral(name)}${within}`;
}

function read(rows: Rows): Answer {
  return { named: rows.find((row) => row[0] === 'named')?.[1] ?? null, indexes: indexRows(rows, 'index') };
}

function judge(wanted: Wanted, was: Answer | undefined, is: Answer): Inspection {
  const printed = printName(wanted.schema, wanted.name);
  if (was === undefined) return judgeAlone(wanted, is, printed);
  if (was.named === null) {
    if (is.named !== null) return unknown(`${printed} was not there before the statement, and is there now.`);
    return wanted.ifExists
      ? done(`There is no index ${printed}, and there was none before.`)
      : notDone(`There is no index ${printed}, and there was none before.`);
  }
  const before = was.indexes.find(({ id }) => id === was.named);
  const after = is.indexes.find(({ id }) => id === was.named);
  if (before === undefined) {
    return is.named === was.named
      ? notDone(`${printed} is not an index that can be dropped like this.`)
      : unknown(`${printed} is not what it was before the statement.`);
  }
  const exact = printName(before.schema, before.name);
  if (after === undefined) return done(`Index ${exact} is gone.`);
  if (after.state !== before.state) {
    return partly(
      `Index ${exact} is ${after.state === 'dead' ? 'no longer in use' : 'INVALID'}: the statement began to drop it.`,
      [dropIndex(after)],
      'done',
    );
  }
  if (is.named !== was.named) return unknown(`Index ${exact} is as it was, but ${printed} means something else now.`);
  return notDone(`Index ${exact} is as it was before the statement${after.state === 'valid' ? '' : ': INVALID'}.`);
}

/** Without an answer from before. An unqualified name may mean another index since the first of that name has gone. */
function judgeAlone(wanted: Wanted, is: Answer, printed: string): Inspection {
  if (is.named === null) {
    return wanted.ifExists
      ? done(`There is no index ${printed}.`)
      : unknown(`There is no index ${printed}; nothing tells whether the statement dropped it.`);
  }
  const index = is.indexes.find(({ id }) => id === is.named);
  if (index === undefined || wanted.schema === undefined) {
    return unknown(`${printed} is there; nothing tells whether it is what was there before the statement.`);
  }
  return notDone(`Index ${printed} is there${index.state === 'valid' ? '' : ', and INVALID'}.`);
}
