import type { JournalSql } from '../../../src/adapter/database.js';
import type { QualifiedName } from '../../../src/history/history.js';
import { qualified, quoteLiteral } from './quoting.js';

/** SQL of the journal of rollbacks that run statement by statement. */
export const journalSql: JournalSql = {
  describe: ({ schema, name }: QualifiedName) =>
    `SELECT IF(EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = ${quoteLiteral(schema)} AND table_name = ${quoteLiteral(name)}), 't', 'f')`,

  create: (table: QualifiedName) =>
    `CREATE TABLE ${qualified(table)} (
 id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
 run VARCHAR(64) NOT NULL,
 entry LONGTEXT NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = 'flyback: rollbacks without a transaction that have not ended. Not empty: run flyback resume.'`,

  append: (table: QualifiedName, run: string, entry: string) =>
    `INSERT INTO ${qualified(table)} (run, entry) VALUES (${quoteLiteral(run)}, ${quoteLiteral(entry)})`,

  read: (table: QualifiedName) => `SELECT id, run, entry FROM ${qualified(table)} ORDER BY id`,

  clear: (table: QualifiedName, run: string) => `DELETE FROM ${qualified(table)} WHERE run = ${quoteLiteral(run)}`,
};
