import type { ScratchHistory } from '../../../src/adapter/history.js';

/** The table as SequelizeStorage makes it, without timestamps, and its insert. */
export function scratchHistory(column: string): ScratchHistory {
  return {
    createTable: (database, table) => {
      const name = database.dialect.quoteIdentifier(column);
      return `CREATE TABLE IF NOT EXISTS ${database.sql.qualified(table)} (${name} VARCHAR(255) NOT NULL PRIMARY KEY)`;
    },
    insertRow: (database, table, migration) =>
      `INSERT INTO ${database.sql.qualified(table)} (${database.dialect.quoteIdentifier(column)}) VALUES (${database.dialect.quoteLiteral(migration.script)})`,
    clearTable: (database, table) => `DELETE FROM ${database.sql.qualified(table)}`,
  };
}
