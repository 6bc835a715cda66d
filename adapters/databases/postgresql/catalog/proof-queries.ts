import type { ProofQueries } from '../../../../src/adapter/proof-queries.js';
import { emptyTables, fillTables } from './fill-tables.js';
import { readCatalog } from './read-catalog.js';
import { readPart } from './read-part.js';
import { readLargeObjects, readSequences } from './read-positions.js';
import { readRows } from './read-rows.js';
import { readServerObjects } from './server-objects.js';
import { createCatalogWatch } from './watch.js';

/** What a proof compares, asked of PostgreSQL. */
export const postgresqlProofQueries: ProofQueries = {
  readCatalog,
  readPart,
  readRows,
  readSequences,
  readLargeObjects,
  fillTables,
  emptyTables,
  readServerObjects,
  watchCatalog: createCatalogWatch,
};
