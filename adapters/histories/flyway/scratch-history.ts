import type { DatabaseAdapter } from '../../../src/adapter/database.js';
import type { ScratchHistory } from '../../../src/adapter/history.js';
import type { QualifiedName } from '../../../src/history/history.js';
import type { Migration } from '../../../src/history/migration.js';

/** Flyway's own layout of the table and its index (PostgreSQLDatabase, MySQLDatabase), and its insert (SchemaHistory). */
export const scratchHistory: ScratchHistory = {
  createTable: (database: DatabaseAdapter, table: QualifiedName) => {
    const name = database.sql.qualified(table);
    const own = (suffix: string): string => database.dialect.quoteIdentifier(`${table.name}${suffix}`);
    if (database.name === 'mysql') {
      return `CREATE TABLE IF NOT EXISTS ${name} (
 installed_rank INT NOT NULL,
 version VARCHAR(50),
 description VARCHAR(200) NOT NULL,
 type VARCHAR(20) NOT NULL,
 script VARCHAR(1000) NOT NULL,
 checksum INT,
 installed_by VARCHAR(100) NOT NULL,
 installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
 execution_time INT NOT NULL,
 success BOOL NOT NULL,
 PRIMARY KEY (installed_rank),
 KEY ${own('_s_idx')} (success)) ENGINE=InnoDB`;
    }
    return `CREATE TABLE IF NOT EXISTS ${name} (
 installed_rank INT NOT NULL CONSTRAINT ${own('_pk')} PRIMARY KEY,
 version VARCHAR(50),
 description VARCHAR(200) NOT NULL,
 type VARCHAR(20) NOT NULL,
 script VARCHAR(1000) NOT NULL,
 checksum INTEGER,
 installed_by VARCHAR(100) NOT NULL,
 installed_on TIMESTAMP NOT NULL DEFAULT now(),
 execution_time INTEGER NOT NULL,
 success BOOLEAN NOT NULL);
CREATE INDEX IF NOT EXISTS ${own('_s_idx')} ON ${name} (success)`;
  },

  clearTable: (database: DatabaseAdapter, table: QualifiedName) => `DELETE FROM ${database.sql.qualified(table)}`,

  insertRow: (database: DatabaseAdapter, table: QualifiedName, migration: Migration, executionTimeMs: number) => {
    const text = (value: string): string => database.dialect.quoteLiteral(value);
    const version = migration.version === undefined ? 'NULL' : text(migration.version.text);
    const name = database.sql.qualified(table);
    const user = database.name === 'mysql' ? `substring_index(user(), '@', 1)` : 'current_user';
    return `INSERT INTO ${name} (installed_rank, version, description, type, script, checksum, installed_by, execution_time, success)
SELECT coalesce(max(installed_rank), 0) + 1, ${version}, ${text(migration.description)}, 'SQL', ${text(migration.script)}, ${migration.checksum ?? 'NULL'}, ${user}, ${Math.round(executionTimeMs)}, true FROM ${name}`;
  },
};
