import type { RecordRow, RecordSql } from '../../../src/adapter/database.js';
import type { QualifiedName } from '../../../src/history/history.js';
import { qualified, quoteLiteral } from './quoting.js';

function named({ schema, name }: QualifiedName): string {
  return `table_schema = ${quoteLiteral(schema)} AND table_name = ${quoteLiteral(name)}`;
}

/**
 * SQL of the record table. A unique previous_hash makes a fork of the chain impossible. No trigger guards it: making one
 * takes rights that few accounts have where a binary log is written. The chain of hashes tells of every change.
 */
export const recordSql: RecordSql = {
  describe: (table: QualifiedName) =>
    `SELECT (SELECT t.table_type FROM information_schema.tables t WHERE ${named(table)}),
 (SELECT GROUP_CONCAT(c.column_name ORDER BY c.ordinal_position) FROM information_schema.columns c WHERE ${named(table)}),
 (SELECT 't' FROM information_schema.schemata s WHERE s.schema_name = ${quoteLiteral(table.schema)}), 't'`,

  create: (table: QualifiedName) =>
    `CREATE TABLE ${qualified(table)} (
 id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
 entry LONGTEXT NOT NULL,
 previous_hash VARCHAR(64) NOT NULL UNIQUE,
 hash VARCHAR(64) NOT NULL UNIQUE
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = 'flyback: what was rolled back, by whom and why. Append-only; each entry carries the hash of the one before.'`,

  isGuarded: () => 'TRUE',

  head: (table: QualifiedName) =>
    `SELECT hash, IF(entry LIKE '{"format":%', SUBSTRING_INDEX(SUBSTRING(entry, 11, 12), ',', 1), NULL) FROM ${qualified(table)} ORDER BY id DESC LIMIT 1`,

  append: (table: QualifiedName, row: RecordRow) =>
    `INSERT INTO ${qualified(table)} (entry, previous_hash, hash) VALUES (${quoteLiteral(row.entry)}, '${row.previousHash}', '${row.hash}')`,

  appendValues: (table: QualifiedName, row: RecordRow) => ({
    sql: `INSERT INTO ${qualified(table)} (entry, previous_hash, hash) VALUES ($1, $2, $3)`,
    values: [row.entry, row.previousHash, row.hash],
  }),

  read: (table: QualifiedName, limit?: number) =>
    limit === undefined
      ? `SELECT id, entry, previous_hash, hash FROM ${qualified(table)} ORDER BY id`
      : `SELECT * FROM (SELECT id, entry, previous_hash, hash FROM ${qualified(table)} ORDER BY id DESC LIMIT ${limit}) newest ORDER BY id`,

  // The newest row and the gap behind it: nobody else appends until the transaction ends.
  lock: (table: QualifiedName) => `SELECT id FROM ${qualified(table)} ORDER BY id DESC LIMIT 1 FOR UPDATE`,

  find: (table: QualifiedName, hash: string) => `SELECT id FROM ${qualified(table)} WHERE hash = '${hash}'`,
};
