import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  compareCatalogs,
  readCatalog,
  readCatalogIn,
  type CatalogComparison,
  type CatalogText,
} from '../../harness/catalog-text.js';
import { createDatabase, forEachMajor, runOn, type TestDatabase } from '../../harness/postgres.js';

const schema = `
  CREATE TYPE mood AS ENUM ('calm', 'cross');
  CREATE DOMAIN percent AS integer CHECK (VALUE BETWEEN 0 AND 100);
  CREATE TYPE pair AS (a integer, b integer);
  CREATE TABLE parent (id integer PRIMARY KEY, name text NOT NULL DEFAULT 'x', part percent, how mood);
  CREATE TABLE child (id integer PRIMARY KEY, parent_id integer REFERENCES parent (id), amount integer CHECK (amount > 0));
  CREATE INDEX child_by_parent ON child (parent_id);
  CREATE TABLE logs (at date NOT NULL, what text) PARTITION BY RANGE (at);
  CREATE TABLE logs_2025 PARTITION OF logs FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
  CREATE VIEW names AS SELECT id, name FROM parent;
  CREATE SEQUENCE numbers;
  CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER stamp_child BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION stamp();
  COMMENT ON TABLE parent IS 'a parent';
  INSERT INTO parent VALUES (1, 'one', 10, 'calm'), (2, 'two', 20, 'cross');
  INSERT INTO child VALUES (1, 1, 5);
  INSERT INTO logs VALUES ('2025-05-05', 'spring');
  CREATE TABLE flyway_schema_history (installed_rank integer PRIMARY KEY);`;

/** Change → a word of the line in which it must show. */
const changes: readonly (readonly [sql: string, word: string])[] = [
  ['CREATE INDEX extra ON child (amount)', 'extra'],
  ['DROP INDEX child_by_parent', 'child_by_parent'],
  ['ALTER TABLE child ADD COLUMN note text', 'note'],
  ['ALTER TABLE parent ALTER COLUMN name DROP DEFAULT', 'parent.name'],
  ['ALTER TABLE parent ALTER COLUMN name DROP NOT NULL', 'parent.name'],
  ['ALTER TABLE parent ALTER COLUMN name SET STORAGE EXTERNAL', 'parent.name'],
  ['ALTER TABLE parent ALTER COLUMN name SET STATISTICS 500', 'parent.name'],
  ['ALTER TABLE child ALTER COLUMN amount TYPE bigint', 'child.amount'],
  ['ALTER TABLE child DROP CONSTRAINT child_amount_check', 'child_amount_check'],
  [
    'ALTER TABLE child DROP CONSTRAINT child_parent_id_fkey, ADD CONSTRAINT child_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES parent ON DELETE CASCADE',
    'CASCADE',
  ],
  [
    'ALTER TABLE child DROP CONSTRAINT child_parent_id_fkey, ADD CONSTRAINT child_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES parent NOT VALID',
    'NOT VALID',
  ],
  ['ALTER TABLE child DISABLE TRIGGER stamp_child', 'stamp_child'],
  ['ALTER TABLE child DISABLE TRIGGER ALL', 'internal triggers of public.child'],
  ['ALTER TABLE child SET (fillfactor = 70)', 'fillfactor'],
  ['ALTER TABLE child ENABLE ROW LEVEL SECURITY', 'relation public.child'],
  ['ALTER TABLE logs DETACH PARTITION logs_2025', 'logs_2025'],
  ['CREATE POLICY own ON child USING (amount > 3)', 'policy own'],
  ['GRANT SELECT ON child TO PUBLIC', 'relation public.child'],
  ['GRANT SELECT (id) ON child TO PUBLIC', 'child.id'],
  ['CREATE OR REPLACE VIEW names AS SELECT id, upper(name) AS name FROM parent', 'upper'],
  ["CREATE OR REPLACE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 2'", 'SELECT 2'],
  ['ALTER FUNCTION one() SECURITY DEFINER', 'SECURITY DEFINER'],
  ["CREATE FUNCTION one(x integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'", 'one(integer)'],
  ['ALTER SEQUENCE numbers INCREMENT 5', 'numbers'],
  ["ALTER TYPE mood ADD VALUE 'glad' BEFORE 'cross'", 'glad'],
  ['ALTER DOMAIN percent SET NOT NULL', 'percent'],
  ['ALTER TYPE pair ADD ATTRIBUTE c integer', 'pair.c'],
  ["COMMENT ON COLUMN parent.name IS 'a name'", 'a name'],
  ["COMMENT ON TABLE parent IS 'no parent'", 'no parent'],
  ['CREATE STATISTICS related ON parent_id, amount FROM child', 'related'],
  ['CREATE RULE ignored AS ON DELETE TO child DO INSTEAD NOTHING', 'ignored'],
  ['CREATE SCHEMA elsewhere', 'elsewhere'],
  ['CLUSTER child USING child_by_parent', 'child_by_parent'],
];

forEachMajor((server) => {
  let database: TestDatabase;
  let before: CatalogText;
  beforeAll(async () => {
    database = await createDatabase(server.url);
    await runOn(database.url, schema);
    before = await readCatalog(database.url);
  });
  afterAll(() => database.drop());

  const compareAfter = async (sql: string): Promise<CatalogComparison> => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query(sql);
      return compareCatalogs(before, await readCatalogIn(client));
    } finally {
      // Without COMMIT the change goes with the connection.
      await client.end();
    }
  };

  it('finds two databases equal that were made by the same statements', async () => {
    const other = await createDatabase(server.url);
    try {
      await runOn(other.url, schema);
      expect(compareCatalogs(before, await readCatalog(other.url))).toEqual({
        objects: [],
        columnOrders: [],
        rows: [],
      });
    } finally {
      await other.drop();
    }
  });

  it.each(changes)('notices %s', async (sql, word) => {
    const { objects } = await compareAfter(sql);
    expect(objects.filter((line) => line.includes(word))).not.toEqual([]);
  });

  it('tells an order of columns apart from a difference', async () => {
    const comparison = await compareAfter(
      `CREATE TEMPORARY TABLE kept AS SELECT id, parent_id FROM child; DROP INDEX child_by_parent;
       ALTER TABLE child DROP COLUMN parent_id; ALTER TABLE child ADD COLUMN parent_id integer;
       UPDATE child SET parent_id = kept.parent_id FROM kept WHERE kept.id = child.id; SET CONSTRAINTS ALL IMMEDIATE;
       ALTER TABLE child ADD FOREIGN KEY (parent_id) REFERENCES parent (id);
       CREATE INDEX child_by_parent ON child (parent_id)`,
    );
    expect(comparison).toEqual({
      objects: [],
      columnOrders: [
        '- columns of public.child: id, parent_id, amount',
        '+ columns of public.child: id, amount, parent_id',
      ],
      rows: [],
    });
  });

  it('notices a changed, a missing and a doubled row, and leaves the history out', async () => {
    const comparison = await compareAfter(
      `UPDATE parent SET part = 11 WHERE id = 1; DELETE FROM child; INSERT INTO logs SELECT * FROM logs;
       INSERT INTO flyway_schema_history VALUES (1)`,
    );
    expect(comparison).toEqual({
      objects: [],
      columnOrders: [],
      rows: [
        '- public.child {"id": 1, "amount": 5, "parent_id": 1}',
        '- public.parent {"id": 1, "how": "calm", "name": "one", "part": 10}',
        '+ public.logs_2025 {"at": "2025-05-05", "what": "spring"}',
        '+ public.parent {"id": 1, "how": "calm", "name": "one", "part": 11}',
      ],
    });
  });
});
