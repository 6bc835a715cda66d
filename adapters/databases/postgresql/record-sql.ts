import type { RecordRow, RecordSql } from '../../../src/adapter/database.js';
import type { QualifiedName } from '../../../src/history/history.js';
import { qualified, quoteLiteral } from './quoting.js';

/** Long table names get a short guard name of their own: identifiers are cut at 63 bytes. */
function guardName(table: QualifiedName): string {
  return qualified({
    schema: table.schema,
    name: `${Buffer.from(table.name)
      .subarray(0, 50)
      .toString('utf8')
      .replace(/\uFFFD+$/, '')}_guard`,
  });
}

/**
 * Whether the role may lock the table against other writers: with UPDATE, DELETE or TRUNCATE, and from 17 on with
 * MAINTAIN, which older servers do not know (PostgreSQL manual, "LOCK"). INSERT does not allow it.
 */
function mayLock(table: QualifiedName): string {
  const oid = `pg_catalog.to_regclass(${quoteLiteral(qualified(table))})`;
  return `CASE WHEN pg_catalog.has_table_privilege(${oid}, 'UPDATE, DELETE, TRUNCATE') THEN true
 WHEN pg_catalog.current_setting('server_version_num')::int >= 170000 THEN pg_catalog.has_table_privilege(${oid}, 'MAINTAIN') ELSE false END`;
}

/** SQL of the record table. A unique previous_hash makes a fork of the chain impossible. */
export const recordSql: RecordSql = {
  describe: (
    table: QualifiedName,
  ) => `SELECT (SELECT c.relkind::text FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass(${quoteLiteral(qualified(table))})),
 (SELECT string_agg(a.attname, ',' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = pg_catalog.to_regclass(${quoteLiteral(qualified(table))}) AND a.attnum > 0 AND NOT a.attisdropped),
 (SELECT pg_catalog.has_schema_privilege(n.oid, 'CREATE') FROM pg_catalog.pg_namespace n WHERE n.nspname = ${quoteLiteral(table.schema)}),
 CASE WHEN pg_catalog.to_regclass(${quoteLiteral(qualified(table))}) IS NULL THEN NULL ELSE pg_catalog.has_table_privilege(pg_catalog.to_regclass(${quoteLiteral(qualified(table))}), 'INSERT') AND pg_catalog.has_table_privilege(pg_catalog.to_regclass(${quoteLiteral(qualified(table))}), 'SELECT') AND ${mayLock(table)} END`,

  // The guard trigger fires ALWAYS, because a rollback script may leave replica mode on around it.
  create: (table: QualifiedName) => `CREATE TABLE ${qualified(table)} (
 id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
 entry text NOT NULL,
 previous_hash text NOT NULL UNIQUE,
 hash text NOT NULL UNIQUE);
COMMENT ON TABLE ${qualified(table)} IS 'flyback: what was rolled back, by whom and why. Append-only; each entry carries the hash of the one before.';
CREATE OR REPLACE FUNCTION ${guardName(table)}() RETURNS trigger LANGUAGE plpgsql AS $guard$ BEGIN RAISE EXCEPTION 'the record of flyback is append-only'; END $guard$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ${qualified(table)} FOR EACH STATEMENT EXECUTE FUNCTION ${guardName(table)}();
ALTER TABLE ${qualified(table)} ENABLE ALWAYS TRIGGER append_only`,

  isGuarded: (table: QualifiedName) =>
    `EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = ${quoteLiteral(qualified(table))}::regclass AND t.tgname = 'append_only' AND t.tgenabled = 'A')`,

  head: (table: QualifiedName) =>
    `SELECT hash, pg_catalog.substring(entry, '^\\{"format":([0-9]+)') FROM ${qualified(table)} ORDER BY id DESC LIMIT 1`,

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

  lock: (table: QualifiedName) => `LOCK TABLE ${qualified(table)} IN SHARE ROW EXCLUSIVE MODE`,

  find: (table: QualifiedName, hash: string) => `SELECT id FROM ${qualified(table)} WHERE hash = '${hash}'`,
};
