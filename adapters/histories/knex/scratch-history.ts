import type { DatabaseAdapter } from '../../../src/adapter/database.js';
import type { ScratchHistory } from '../../../src/adapter/history.js';
import type { QualifiedName } from '../../../src/history/history.js';
import type { Migration } from '../../../src/history/migration.js';

/** Knex's own layout of the table (table-creator.js), and its insert with a batch of its own for each migration. */
export const scratchHistory: ScratchHistory = {
  createTable: (database: DatabaseAdapter, table: QualifiedName) => {
    const [id, time] =
      database.name === 'mysql'
        ? ['int unsigned NOT NULL AUTO_INCREMENT', 'timestamp NULL']
        : ['serial', 'timestamptz'];
    return `CREATE TABLE IF NOT EXISTS ${database.sql.qualified(table)} (
 id ${id} PRIMARY KEY,
 name varchar(255),
 batch integer,
 migration_time ${time})`;
  },

  clearTable: (database: DatabaseAdapter, table: QualifiedName) => `DELETE FROM ${database.sql.qualified(table)}`,

  insertRow: (database: DatabaseAdapter, table: QualifiedName, migration: Migration) => {
    const name = database.sql.qualified(table);
    return `INSERT INTO ${name} (name, batch, migration_time)
SELECT ${database.dialect.quoteLiteral(migration.script)}, coalesce(max(batch), 0) + 1, now() FROM ${name}`;
  },
};
