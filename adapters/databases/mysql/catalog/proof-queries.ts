import type { ProofQueries } from '../../../../src/adapter/proof-queries.js';
import { FlybackError } from '../../../../src/errors/error.js';
import { emptyTables, fillTables } from './fill-tables.js';
import { readCatalog } from './read-catalog.js';
import { readPart } from './read-part.js';
import { readSequences } from './read-positions.js';
import { readRows } from './read-rows.js';
import { readServerObjects } from './read-server.js';

/** What a proof compares, asked of MySQL and MariaDB. */
export const mysqlProofQueries: ProofQueries = {
  readCatalog,
  readPart,
  readRows,
  readSequences,
  // Neither server has any.
  readLargeObjects: async () => new Map(),
  fillTables,
  emptyTables,
  readServerObjects,
  watchCatalog: () => {
    throw new FlybackError('internal', 'Transactions are not watched where statements commit by themselves.');
  },
};
