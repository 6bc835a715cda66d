import type { ProofQueries } from '../../../../src/adapter/proof-queries.js';
import { FlybackError } from '../../../../src/errors/error.js';

function notYet(): never {
  throw new FlybackError('internal', 'Proofs on MySQL are not made yet.');
}

/** What a proof compares on MySQL and MariaDB. */
export const mysqlProofQueries: ProofQueries = {
  readCatalog: async () => notYet(),
  readPart: async () => notYet(),
  readRows: async () => notYet(),
  readSequences: async () => notYet(),
  readLargeObjects: async () => notYet(),
  fillTables: async () => notYet(),
  emptyTables: async () => notYet(),
  readServerObjects: async () => notYet(),
  watchCatalog: () => notYet(),
};
