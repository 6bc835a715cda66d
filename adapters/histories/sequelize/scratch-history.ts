import type { ScratchHistory } from '../../../src/adapter/history.js';

/** The table as SequelizeStorage makes it, without timestamps, and its insert. */
export function scratchHistory(column: string): ScratchHistory {
  return {
    createTable: (database, table) => {
      const name = database.dialect.quoteIdentifier(column);
      const columns = `${name} VARCHAR(255) NOT NULL PRIMARY KEY`;
      return database.name === 'mysql'
        ? `CREATE TABLE IF NOT EXISTS ${database.sql.qualified(table)} (${columns}, UNIQUE KEY ${name} (${name})) ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_unicode_ci`
        : `CREATE TABLE IF NOT EXISTS ${database.sql.qualified(table)} (${columns})`;
    },
    insertRow: (database, table, migration) =>
      `INSERT INTO ${database.sql.qualified(table)} (${database.dialect.quoteIdentifier(column)}) VALUES (${database.dialect.quoteLiteral(migration.script)})`,
    clearTable: (database, table) => `DELETE FROM ${database.sql.qualified(table)}`,
  };
}
