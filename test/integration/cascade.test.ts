import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withProject } from '../../src/compose/open-project.js';
import { planRollback } from '../../src/plan/plan-rollback.js';
import { createDatabase, forEachMajor, type TestDatabase } from '../harness/postgres.js';
import { createProject, type TestProject } from '../harness/project.js';

/* What the plan says CASCADE would sweep, against the NOTICE of the server that does it (and takes it back). */

const schema = `
CREATE SCHEMA other; CREATE SCHEMA "Od d";
CREATE TABLE a (id int PRIMARY KEY, name text, code text UNIQUE, total numeric DEFAULT 0);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a, code text REFERENCES a (code));
CREATE TABLE other.c (a int CONSTRAINT "c to a" REFERENCES a ON DELETE CASCADE);
CREATE VIEW v1 AS SELECT id, name FROM a;
CREATE VIEW v2 AS SELECT name FROM v1;
CREATE VIEW other.v3 AS SELECT v2.name, b.id FROM v2 CROSS JOIN b;
CREATE MATERIALIZED VIEW m AS SELECT id FROM v1;
CREATE INDEX m_id ON m (id);
CREATE MATERIALIZED VIEW mm AS SELECT id FROM m;
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TYPE pair AS (x int, y mood);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE typed (m mood, p pair, d positive, list mood[]);
CREATE TABLE of_type OF pair;
CREATE VIEW moods AS SELECT m FROM typed;
CREATE FUNCTION f(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i + 1';
CREATE FUNCTION takes(x mood) RETURNS a LANGUAGE sql AS 'SELECT * FROM a';
CREATE FUNCTION trig() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TABLE computed (i int DEFAULT f(1), g int GENERATED ALWAYS AS (f(3)) STORED, CHECK (f(2) > 0));
CREATE INDEX computed_f ON computed (f(i));
CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION trig();
CREATE TRIGGER t BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION trig();
CREATE POLICY pol ON a USING (f(id) > 0);
CREATE SEQUENCE s;
CREATE TABLE numbered (id int DEFAULT nextval('s'), own int GENERATED ALWAYS AS IDENTITY, ser serial);
CREATE TABLE parts (k int, v text, PRIMARY KEY (k)) PARTITION BY RANGE (k);
CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts2 PARTITION OF parts FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (k);
CREATE TABLE parts2a PARTITION OF parts2 FOR VALUES FROM (10) TO (15);
CREATE INDEX parts_v ON parts (v);
CREATE TABLE to_parts (k int REFERENCES parts);
CREATE VIEW of_parts1 AS SELECT * FROM parts1;
CREATE TABLE root (x int); CREATE TABLE child (y int) INHERITS (root); CREATE TABLE grand () INHERITS (child);
CREATE RULE r AS ON INSERT TO root DO ALSO INSERT INTO numbered (id) VALUES (1);
CREATE PROCEDURE proc() LANGUAGE sql BEGIN ATOMIC DELETE FROM root; INSERT INTO b VALUES (1); END;
CREATE TABLE "Od d"."T t" ("C c" int PRIMARY KEY); CREATE VIEW "Od d"."V ""v" AS SELECT "C c" FROM "Od d"."T t";
CREATE AGGREGATE agg (int) (sfunc = int4pl, stype = int);
CREATE VIEW uses_agg AS SELECT agg(id) FROM a;
CREATE STATISTICS st ON id, name FROM a;
CREATE COLLATION other.coll (locale = 'C'); CREATE TABLE collated (x text COLLATE other.coll);
CREATE EXTENSION hstore; CREATE TABLE h (x hstore); CREATE INDEX h_x ON h USING gin (x);
CREATE PUBLICATION pub FOR TABLE a;
`;

const statements = [
  'DROP TABLE a CASCADE',
  'DROP TABLE b CASCADE',
  'DROP TABLE a, b CASCADE',
  'DROP TABLE a, b, other.c CASCADE',
  'DROP VIEW v1 CASCADE',
  'DROP VIEW v1, v2 CASCADE',
  'DROP VIEW v2 CASCADE',
  'DROP MATERIALIZED VIEW m CASCADE',
  'DROP TYPE mood CASCADE',
  'DROP TYPE pair CASCADE',
  'DROP DOMAIN positive CASCADE',
  'DROP FUNCTION f(int) CASCADE',
  'DROP FUNCTION f CASCADE',
  'DROP FUNCTION trig() CASCADE',
  'DROP SEQUENCE s CASCADE',
  'DROP SEQUENCE numbered_ser_seq CASCADE',
  'DROP TABLE parts CASCADE',
  'DROP TABLE parts1 CASCADE',
  'DROP TABLE parts2 CASCADE',
  'DROP TABLE root CASCADE',
  'DROP TABLE child CASCADE',
  'DROP TABLE numbered CASCADE',
  'DROP TABLE typed CASCADE',
  'DROP SCHEMA other CASCADE',
  'DROP SCHEMA "Od d" CASCADE',
  'DROP SCHEMA other, "Od d" CASCADE',
  'DROP TABLE "Od d"."T t" CASCADE',
  'DROP EXTENSION hstore CASCADE',
  'DROP AGGREGATE agg (int) CASCADE',
  'DROP INDEX parts_v CASCADE',
  'DROP COLLATION other.coll CASCADE',
  'ALTER TABLE a DROP COLUMN name CASCADE',
  'ALTER TABLE a DROP COLUMN id CASCADE',
  'ALTER TABLE a DROP COLUMN total CASCADE',
  'ALTER TABLE a DROP CONSTRAINT a_pkey CASCADE',
  'ALTER TABLE a DROP CONSTRAINT a_code_key CASCADE',
  'ALTER TABLE parts DROP CONSTRAINT parts_pkey CASCADE',
  'ALTER TABLE parts DROP COLUMN v CASCADE',
  'ALTER TABLE root DROP COLUMN x CASCADE',
  'ALTER TABLE b DROP COLUMN a CASCADE, DROP COLUMN code CASCADE',
  'DROP TABLE IF EXISTS nowhere CASCADE',
  'DROP TABLE a',
];

forEachMajor((server) => {
  describe('CASCADE', () => {
    let database: TestDatabase;
    let project: TestProject;
    beforeAll(async () => {
      database = await createDatabase(server.url);
      project = await createProject({ database });
      await project.apply([{ version: '1', up: schema, down: 'SELECT 1;' }]);
    });
    afterAll(async () => {
      await project.remove();
      await database.drop();
    });

    test.each(statements)('%s', async (sql) => {
      const swept = await sweptBy(database, sql);
      await project.write({ version: '1', up: schema, down: `${sql};` });
      const { plan } = await withProject({ folder: project.folder, environment: {} }, async (opened) =>
        planRollback(opened, { target: { kind: 'steps', steps: 1 } }),
      );
      const planned = plan.steps[0]?.statements[0]?.cascade ?? [];
      expect([...planned].sort()).toEqual([...swept].sort());
      const warned = plan.hazards.filter((hazard) => hazard.code === 'cascade-sweeps');
      expect(warned).toHaveLength(swept.length);
    });
  });
});

/** What the server says goes besides what was named. */
async function sweptBy(database: TestDatabase, sql: string): Promise<readonly string[]> {
  if (!sql.includes('CASCADE')) return [];
  const client = new pg.Client({ connectionString: database.url });
  const lines: string[] = [];
  client.on('notice', (notice) => {
    const text = notice.detail === undefined || notice.detail === '' ? (notice.message ?? '') : notice.detail;
    lines.push(...text.split('\n').filter((line) => line.startsWith('drop cascades to ')));
  });
  await client.connect();
  try {
    await client.query(`BEGIN; SET LOCAL client_min_messages = notice; ${sql}; ROLLBACK`);
  } finally {
    await client.end();
  }
  return lines.map((line) => line.replace('drop cascades to ', ''));
}
