import type { DatabaseAdapter } from '../../../src/adapter/database.js';
import type { ScratchHistory } from '../../../src/adapter/history.js';
import type { QualifiedName } from '../../../src/history/history.js';
import type { Migration } from '../../../src/history/migration.js';

/** golang-migrate's own layout of the table (database/postgres/postgres.go, ensureVersionTable). */
export const scratchHistory: ScratchHistory = {
  createTable: (database: DatabaseAdapter, table: QualifiedName) =>
    `CREATE TABLE IF NOT EXISTS ${database.sql.qualified(table)} (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)`,

  clearTable: (database: DatabaseAdapter, table: QualifiedName) => `DELETE FROM ${database.sql.qualified(table)}`,

  insertRow: (database: DatabaseAdapter, table: QualifiedName, migration: Migration) => {
    const name = database.sql.qualified(table);
    return `DELETE FROM ${name};INSERT INTO ${name} (version, dirty) VALUES (${migration.version?.text ?? '-1'}, false)`;
  },
};
