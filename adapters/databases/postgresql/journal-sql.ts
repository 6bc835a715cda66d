import type { JournalSql } from '../../../src/adapter/database.js';
import type { QualifiedName } from '../../../src/history/history.js';
import { qualified, quoteLiteral } from './quoting.js';

/** SQL of the journal of rollbacks without a transaction. */
export const journalSql: JournalSql = {
  describe: (table: QualifiedName) => `SELECT pg_catalog.to_regclass(${quoteLiteral(qualified(table))}) IS NOT NULL`,

  create: (table: QualifiedName) => `CREATE TABLE ${qualified(table)} (
 id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
 run text NOT NULL,
 entry text NOT NULL);
COMMENT ON TABLE ${qualified(table)} IS 'flyback: rollbacks without a transaction that have not ended. Not empty: run flyback resume.'`,

  append: (table: QualifiedName, run: string, entry: string) =>
    `INSERT INTO ${qualified(table)} (run, entry) VALUES (${quoteLiteral(run)}, ${quoteLiteral(entry)})`,

  read: (table: QualifiedName) => `SELECT id, run, entry FROM ${qualified(table)} ORDER BY id`,

  clear: (table: QualifiedName, run: string) => `DELETE FROM ${qualified(table)} WHERE run = ${quoteLiteral(run)}`,
};
