import type { Node } from 'libpg-query';
import type { StatementRecovery } from '../../../src/adapter/database.js';
import { switchOf } from './classify/options.js';
import { bodiesOf, bodyOf, dottedName, textsOf } from './classify/tree.js';
import { loadParser } from './parser.js';
import { indexCreation } from './recovery/create-index.js';
import { indexRemoval } from './recovery/drop-index.js';
import { notDone, unknown } from './recovery/inspection.js';
import {
  databaseCreation,
  databaseMove,
  databaseRemoval,
  publicationListChange,
  subscriptionCreation,
  subscriptionRemoval,
  tablespaceCreation,
  tablespaceRemoval,
} from './recovery/named-objects.js';
import { partitionDetachment } from './recovery/partitions.js';
import { concurrentReindex } from './recovery/reindex.js';

/**
 * What can be found out about a statement that ran alone and was interrupted. Loads the parser. A statement that cannot
 * be parsed, or is more than one, is of an unknown kind.
 */
export async function recovery(statement: string): Promise<StatementRecovery> {
  const parseSync = await loadParser();
  let parsed: readonly (Node | undefined)[];
  try {
    parsed = (parseSync(statement).stmts ?? []).map(({ stmt }) => stmt);
  } catch {
    return unclear();
  }
  const [node, ...others] = parsed;
  if (node === undefined || others.length > 0) return unclear();
  return isRepeatable(node) ? repeatable : (inspectable(node) ?? unclear());
}

/**
 * Upkeep changes no content, and a setting is written whole or not at all: what an error may leave of it (a table
 * vacuumed, an index rebuilt) is no difference to anybody.
 */
const repeatable: StatementRecovery = {
  kind: 'repeatable',
  waitsAside: false,
  failsCleanly: true,
  inspect: undefined,
  judge: () => notDone('How far it came does not matter: running it again does no harm and ends in the same state.'),
};

function isRepeatable(node: Node): boolean {
  const reindex = bodyOf(node, 'ReindexStmt');
  if (reindex !== undefined) return switchOf(reindex.params, 'concurrently') !== true;
  const subscription = bodyOf(node, 'AlterSubscriptionStmt');
  if (subscription !== undefined) return !/_(?:ADD|DROP)_PUBLICATION$/.test(subscription.kind ?? '');
  return ['AlterSystemStmt', 'VacuumStmt', 'ClusterStmt', 'CheckPointStmt', 'DiscardStmt'].some((tag) => tag in node);
}

function inspectable(node: Node): StatementRecovery | undefined {
  const index = bodyOf(node, 'IndexStmt');
  if (index?.concurrent === true) return indexCreation(index);
  const drop = bodyOf(node, 'DropStmt');
  if (drop?.concurrent === true) return indexRemoval(drop);
  const reindex = bodyOf(node, 'ReindexStmt');
  if (reindex !== undefined) return concurrentReindex(reindex);
  const table = bodyOf(node, 'AlterTableStmt');
  if (table !== undefined) return partitionDetachment(table);
  return ofServerObject(node);
}

function ofServerObject(node: Node): StatementRecovery | undefined {
  const newDatabase = bodyOf(node, 'CreatedbStmt');
  if (newDatabase !== undefined) return databaseCreation(newDatabase.dbname ?? '');
  const oldDatabase = bodyOf(node, 'DropdbStmt');
  if (oldDatabase !== undefined) return databaseRemoval(oldDatabase.dbname ?? '', oldDatabase.missing_ok === true);
  const database = bodyOf(node, 'AlterDatabaseStmt');
  if (database !== undefined) {
    const tablespace = bodiesOf(database.options, 'DefElem').find(({ defname }) => defname === 'tablespace');
    const target = dottedName(tablespace?.arg).at(-1);
    return target === undefined ? undefined : databaseMove(database.dbname ?? '', target);
  }
  const newSpace = bodyOf(node, 'CreateTableSpaceStmt');
  if (newSpace !== undefined) return tablespaceCreation(newSpace.tablespacename ?? '');
  const oldSpace = bodyOf(node, 'DropTableSpaceStmt');
  if (oldSpace !== undefined) return tablespaceRemoval(oldSpace.tablespacename ?? '', oldSpace.missing_ok === true);
  const newSubscription = bodyOf(node, 'CreateSubscriptionStmt');
  if (newSubscription !== undefined) return subscriptionCreation(newSubscription.subname ?? '');
  const oldSubscription = bodyOf(node, 'DropSubscriptionStmt');
  if (oldSubscription !== undefined) {
    return subscriptionRemoval(oldSubscription.subname ?? '', oldSubscription.missing_ok === true);
  }
  const subscription = bodyOf(node, 'AlterSubscriptionStmt');
  if (subscription === undefined) return undefined;
  const change = subscription.kind === 'ALTER_SUBSCRIPTION_ADD_PUBLICATION' ? 'add' : 'drop';
  return publicationListChange(subscription.subname ?? '', change, textsOf(subscription.publication));
}

function unclear(): StatementRecovery {
  return {
    kind: 'unknown',
    waitsAside: false,
    failsCleanly: false,
    inspect: undefined,
    judge: () => unknown('It may have committed a part of its work; nothing in the catalog tells how far it came.'),
  };
}
