import type { ProofQueries } from '../../../../src/adapter/proof-queries.js';
import { readCatalog } from './read-catalog.js';
import { readRows } from './read-rows.js';

/** What a proof compares, asked of PostgreSQL. */
export const postgresqlProofQueries: ProofQueries = { readCatalog, readRows };
