import type { DatabaseAdapter } from '../../../src/adapter/database.js';
import type { ScratchHistory } from '../../../src/adapter/history.js';
import type { QualifiedName } from '../../../src/history/history.js';
import type { Migration } from '../../../src/history/migration.js';

/**
 * Knex's own layout of its tables, the lock and its row among them (table-creator.js), and its insert with a batch of its own
 * for each migration.
 */
export const scratchHistory: ScratchHistory = {
  createTable: (database: DatabaseAdapter, table: QualifiedName) => {
    const [id, time] =
      database.name === 'mysql'
        ? ['int unsigned NOT NULL AUTO_INCREMENT', 'timestamp NULL']
        : ['serial', 'timestamptz'];
    const lock = database.sql.qualified({ ...table, name: `${table.name}_lock` });
    return `CREATE TABLE IF NOT EXISTS ${database.sql.qualified(table)} (
 id ${id} PRIMARY KEY,
 name varchar(255),
 batch integer,
 migration_time ${time});
CREATE TABLE IF NOT EXISTS ${lock} (${database.dialect.quoteIdentifier('index')} ${id} PRIMARY KEY, is_locked integer);
INSERT INTO ${lock} (is_locked) SELECT 0 FROM (SELECT count(*) AS held FROM ${lock}) AS existing WHERE held = 0`;
  },

  clearTable: (database: DatabaseAdapter, table: QualifiedName) => `DELETE FROM ${database.sql.qualified(table)}`,

  insertRow: (database: DatabaseAdapter, table: QualifiedName, migration: Migration) => {
    const name = database.sql.qualified(table);
    return `INSERT INTO ${name} (name, batch, migration_time)
SELECT ${database.dialect.quoteLiteral(migration.script)}, coalesce(max(batch), 0) + 1, now() FROM ${name}`;
  },
};
