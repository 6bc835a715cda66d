import type { Node } from 'libpg-query';
import { createdObject } from '../classify/created.js';
import { tagOf } from '../classify/tree.js';
import { dataHints } from './data.js';
import { dropCreated, objectHints } from './objects.js';
import { tableHints } from './tables.js';
import { advice } from './words.js';

type Hint = (body: unknown, context: undefined) => readonly string[];

const hints = { ...tableHints, ...dataHints, ...objectHints } as Readonly<Record<string, Hint>>;

/** Statements that leave nothing behind once their session or transaction has ended. */
const passing = new Set<string>([
  'TransactionStmt',
  'VariableSetStmt',
  'VariableShowStmt',
  'ConstraintsSetStmt',
  'DiscardStmt',
  'ListenStmt',
  'UnlistenStmt',
  'NotifyStmt',
  'LoadStmt',
  'LockStmt',
  'CheckPointStmt',
  'ExplainStmt',
  'VacuumStmt',
  'ClusterStmt',
  'ReindexStmt',
  'RefreshMatViewStmt',
  'PrepareStmt',
  'DeallocateStmt',
  'DeclareCursorStmt',
  'FetchStmt',
  'ClosePortalStmt',
]);

/**
 * How to take one statement back: lines of SQL that end with a semicolon, and lines of advice that begin with "-- "
 * where only a person can know. Running the lines as they are is right when nothing existed before under these names.
 * Empty when there is nothing to take back.
 */
export function inverseOf(statement: Node): readonly string[] {
  const tag = tagOf(statement);
  if (tag === undefined || passing.has(tag)) return [];
  const hint = hints[tag];
  if (hint !== undefined) return hint((statement as Readonly<Record<string, unknown>>)[tag], undefined);
  const created = createdObject(statement);
  if (created !== undefined) return dropCreated(created);
  return [advice('Write here what takes this statement back.')];
}
