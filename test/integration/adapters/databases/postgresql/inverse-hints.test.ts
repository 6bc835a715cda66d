import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadClassifier } from '../../../../../adapters/databases/postgresql/classifier.js';
import { writeIdentifier } from '../../../../../adapters/databases/postgresql/classify/identifiers.js';
import { steadyFunctions } from '../../../../../adapters/databases/postgresql/classify/volatility.js';
import type { Classifier } from '../../../../../src/adapter/database.js';
import { createDatabase, forEachMajor, type TestDatabase } from '../../../../harness/postgres.js';

const fixture = `
  CREATE SCHEMA elsewhere;
  CREATE SCHEMA shop;
  SET search_path = shop;
  CREATE TYPE mood AS ENUM ('good', 'bad');
  CREATE TYPE pair AS (a int, b int);
  CREATE DOMAIN price AS numeric;
  CREATE DOMAIN positive AS int CONSTRAINT above CHECK (value > 0);
  CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
  CREATE FUNCTION answer(int) RETURNS int LANGUAGE sql AS 'SELECT 42';
  CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL, note varchar(50));
  CREATE TABLE lone (id int, a int, b text, "Odd Name" text);
  ALTER TABLE lone ADD CONSTRAINT lone_later CHECK (a < 1000) NOT VALID;
  CREATE INDEX lone_a ON lone (a);
  CREATE UNIQUE INDEX lone_ready ON lone (id);
  CREATE TRIGGER touched BEFORE INSERT ON lone FOR EACH ROW EXECUTE FUNCTION touch();
  CREATE RULE quiet AS ON DELETE TO lone WHERE old.id = 77 DO INSTEAD NOTHING;
  CREATE POLICY mine ON lone USING (id > 0);
  CREATE VIEW rich AS SELECT id, name FROM customer;
  CREATE MATERIALIZED VIEW tally AS SELECT count(*) AS n FROM customer;
  CREATE SEQUENCE counter;
  CREATE TABLE event (at date NOT NULL, what text) PARTITION BY RANGE (at);
  CREATE TABLE event_1 (at date NOT NULL, what text);
  CREATE TABLE base (id int);
  CREATE TABLE apart (id int);
  CREATE UNLOGGED TABLE fleeting (id int);
  CREATE TABLE a_table_with_a_very_long_name_that_leaves_little_room (a_column_with_a_long_name_as_well int, ü int);
  CREATE TABLE "Größe" ("Straße" int, "straße_und_hausnummer_mit_zusatz_und_ortsteil_und_länge" int);
`;

/** Everything in the catalog that a dump of the schema would show, one row an object. */
const catalog = `
  SELECT kind, name, definition FROM (
    SELECT 'relation' AS kind, c.oid::regclass::text AS name,
      concat_ws('|', relkind, relpersistence, reloptions::text, relrowsecurity, relforcerowsecurity, relreplident, relispartition,
        pg_get_userbyid(relowner), pg_get_expr(relpartbound, c.oid),
        CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END) AS definition
      FROM pg_class c WHERE relkind NOT IN ('t')
    UNION ALL SELECT 'column', attrelid::regclass || '.' || attname,
      concat_ws('|', format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, coalesce(attstattarget, -1), attoptions::text,
        pg_get_expr(adbin, adrelid))
      FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE NOT attisdropped AND attnum > 0
    UNION ALL SELECT 'constraint', conrelid::regclass || '.' || contypid::regtype || '.' || conname, concat_ws('|', pg_get_constraintdef(oid), convalidated) FROM pg_constraint
    UNION ALL SELECT 'index', indexrelid::regclass::text, concat_ws('|', pg_get_indexdef(indexrelid), indisclustered, indisreplident) FROM pg_index
    UNION ALL SELECT 'trigger', tgrelid::regclass || '.' || tgname, concat_ws('|', pg_get_triggerdef(oid), tgenabled) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'rule', ev_class::regclass || '.' || rulename, concat_ws('|', pg_get_ruledef(oid), ev_enabled) FROM pg_rewrite
    UNION ALL SELECT 'policy', polrelid::regclass || '.' || polname, concat_ws('|', polcmd, polpermissive, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) FROM pg_policy
    UNION ALL SELECT 'routine', oid::regprocedure::text, concat_ws('|', prokind, prosrc, provolatile, proconfig::text, prorettype::regtype) FROM pg_proc WHERE pronamespace <> 'pg_catalog'::regnamespace
    UNION ALL SELECT 'operator', oid::regoperator::text, oprcode::text FROM pg_operator WHERE oprnamespace <> 'pg_catalog'::regnamespace
    UNION ALL SELECT 'type', oid::regtype::text, concat_ws('|', typtype, typnotnull, typdefault, (SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)) FROM pg_type t
    UNION ALL SELECT 'cast', castsource::regtype || ' ' || casttarget::regtype, castcontext::text FROM pg_cast
    UNION ALL SELECT 'inheritance', inhrelid::regclass || ' of ' || inhparent::regclass, inhseqno::text FROM pg_inherits
    UNION ALL SELECT 'statistics', stxnamespace::regnamespace || '.' || stxname, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
    UNION ALL SELECT 'schema', nspname, pg_get_userbyid(nspowner) FROM pg_namespace
    UNION ALL SELECT 'extension', extname, extversion FROM pg_extension
    UNION ALL SELECT 'publication', pubname, (SELECT string_agg(prrelid::regclass::text, ',') FROM pg_publication_rel WHERE prpubid = p.oid) FROM pg_publication p
    UNION ALL SELECT 'comment', classoid::regclass || ' ' || objoid || ' ' || objsubid, description FROM pg_description WHERE objoid >= 16384
    UNION ALL SELECT 'grant', c.oid::regclass::text, string_agg(a.grantee::regrole || ' ' || a.privilege_type || a.is_grantable, ',' ORDER BY a.grantee::regrole || ' ' || a.privilege_type || a.is_grantable)
      FROM pg_class c, aclexplode(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner))) a GROUP BY c.oid
    UNION ALL SELECT 'column grant', attrelid::regclass || '.' || attname, string_agg(a.privilege_type, ',' ORDER BY a.privilege_type) FROM pg_attribute, aclexplode(attacl) a GROUP BY 2
    UNION ALL SELECT 'schema grant', nspname, string_agg(a.grantee::text || a.privilege_type, ',' ORDER BY a.grantee::text || a.privilege_type) FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a GROUP BY 2
    UNION ALL SELECT 'routine grant', p.oid::regprocedure::text, string_agg(a.grantee::text || a.privilege_type, ',' ORDER BY a.grantee::text || a.privilege_type) FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a WHERE pronamespace <> 'pg_catalog'::regnamespace GROUP BY 2
    UNION ALL SELECT 'default grant', oid::text, defaclacl::text FROM pg_default_acl
  ) everything ORDER BY 1, 2, 3`;

interface Case {
  readonly sql: string;
  readonly since?: number;
}

const structural: readonly Case[] = [
  { sql: 'CREATE TABLE fresh (id int PRIMARY KEY, c int REFERENCES customer)' },
  { sql: 'CREATE TABLE elsewhere."Odd Table" (id int)' },
  { sql: 'CREATE TABLE IF NOT EXISTS fresh (id int)' },
  { sql: 'CREATE TABLE fresh AS SELECT * FROM customer' },
  { sql: 'SELECT * INTO fresh FROM customer' },
  { sql: "CREATE TABLE fresh PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')" },
  { sql: 'ALTER TABLE lone ADD COLUMN n int' },
  { sql: 'ALTER TABLE lone ADD COLUMN "Select" serial UNIQUE CHECK ("Select" > 0)' },
  { sql: 'ALTER TABLE lone ADD COLUMN n int, ADD CONSTRAINT n_positive CHECK (n > 0), ALTER COLUMN n SET NOT NULL' },
  { sql: 'ALTER TABLE lone ALTER COLUMN a SET NOT NULL' },
  { sql: 'ALTER TABLE customer ALTER COLUMN name DROP NOT NULL' },
  { sql: "ALTER TABLE lone ALTER COLUMN b SET DEFAULT 'x'" },
  { sql: 'ALTER TABLE lone ALTER COLUMN a SET STATISTICS 100' },
  { sql: 'ALTER TABLE lone ALTER COLUMN a SET (n_distinct = 5)' },
  { sql: 'ALTER TABLE lone ADD CONSTRAINT n CHECK (a > 0)' },
  { sql: 'ALTER TABLE lone ADD CHECK (a > 0)' },
  { sql: 'ALTER TABLE lone ADD CHECK (a > 0 OR id > 0)' },
  { sql: 'ALTER TABLE lone ADD CHECK (a > 0 AND a < 9)' },
  { sql: 'ALTER TABLE lone ADD UNIQUE (a, b)' },
  { sql: 'ALTER TABLE lone ADD UNIQUE (a) INCLUDE (b)' },
  { sql: 'ALTER TABLE lone ADD PRIMARY KEY (id, a)' },
  { sql: 'ALTER TABLE lone ADD FOREIGN KEY (a) REFERENCES customer' },
  { sql: 'ALTER TABLE lone ADD EXCLUDE (a WITH =, lower(b) WITH =)' },
  { sql: 'ALTER TABLE lone ADD UNIQUE ("Odd Name")' },
  {
    sql: 'ALTER TABLE a_table_with_a_very_long_name_that_leaves_little_room ADD UNIQUE (a_column_with_a_long_name_as_well, ü)',
  },
  { sql: 'ALTER TABLE "Größe" ADD UNIQUE ("straße_und_hausnummer_mit_zusatz_und_ortsteil_und_länge", "Straße")' },
  { sql: 'ALTER TABLE lone ADD CONSTRAINT n NOT NULL a', since: 18 },
  { sql: 'ALTER TABLE lone ADD NOT NULL a', since: 18 },
  { sql: 'CREATE INDEX fresh ON lone (a)' },
  { sql: 'CREATE INDEX ON lone (a, lower(b) DESC)' },
  { sql: 'CREATE INDEX ON lone ((a + 1), (a + 2), b)' },
  { sql: 'CREATE INDEX ON lone (a, a) INCLUDE (b)' },
  { sql: "CREATE INDEX ON lone (coalesce(b, ''), (b::varchar), (CASE WHEN a > 0 THEN 1 END))" },
  {
    sql: 'CREATE INDEX ON shop.a_table_with_a_very_long_name_that_leaves_little_room (a_column_with_a_long_name_as_well)',
  },
  { sql: 'ALTER TABLE apart SET UNLOGGED' },
  { sql: 'ALTER TABLE fleeting SET LOGGED' },
  { sql: 'ALTER TABLE lone SET (fillfactor = 70, autovacuum_enabled = false)' },
  { sql: 'ALTER TABLE lone CLUSTER ON lone_a' },
  { sql: 'ALTER TABLE lone DISABLE TRIGGER touched' },
  { sql: 'ALTER TABLE lone DISABLE TRIGGER ALL' },
  { sql: 'ALTER TABLE lone DISABLE RULE quiet' },
  { sql: 'ALTER TABLE lone ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY' },
  { sql: 'ALTER TABLE lone REPLICA IDENTITY FULL' },
  { sql: 'ALTER TABLE apart INHERIT base' },
  { sql: "ALTER TABLE event ATTACH PARTITION event_1 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')" },
  { sql: 'ALTER TABLE lone RENAME TO other' },
  { sql: 'ALTER TABLE lone RENAME COLUMN "Odd Name" TO plain' },
  { sql: 'ALTER TABLE lone RENAME CONSTRAINT lone_later TO "Sooner"' },
  { sql: 'ALTER INDEX lone_a RENAME TO lone_aa' },
  { sql: 'ALTER VIEW rich RENAME TO richer' },
  { sql: 'ALTER VIEW rich RENAME COLUMN name TO label' },
  { sql: 'ALTER MATERIALIZED VIEW tally RENAME TO count' },
  { sql: 'ALTER TRIGGER touched ON lone RENAME TO felt' },
  { sql: 'ALTER POLICY mine ON lone RENAME TO yours' },
  { sql: 'ALTER FUNCTION answer(int) RENAME TO reply' },
  { sql: 'ALTER TYPE mood RENAME TO temper' },
  { sql: 'ALTER TYPE pair RENAME ATTRIBUTE a TO c' },
  { sql: "ALTER TYPE mood RENAME VALUE 'bad' TO 'it''s worse'" },
  { sql: 'ALTER TYPE pair ADD ATTRIBUTE c text' },
  { sql: 'ALTER SCHEMA elsewhere RENAME TO nowhere' },
  { sql: 'ALTER TABLE shop.apart SET SCHEMA elsewhere' },
  { sql: 'ALTER FUNCTION shop.answer(int) SET SCHEMA elsewhere' },
  { sql: 'ALTER DOMAIN price ADD CONSTRAINT positive CHECK (value > 0)' },
  { sql: 'ALTER DOMAIN positive RENAME CONSTRAINT above TO higher' },
  { sql: 'ALTER DOMAIN price SET NOT NULL' },
  { sql: 'ALTER DOMAIN price SET DEFAULT 1' },
  { sql: 'CREATE VIEW fresh AS SELECT * FROM customer' },
  { sql: 'CREATE OR REPLACE VIEW fresh AS SELECT * FROM customer' },
  { sql: 'CREATE MATERIALIZED VIEW fresh AS SELECT * FROM customer' },
  {
    sql: "CREATE FUNCTION fresh(x int, OUT y text, z mood[] DEFAULT '{}', VARIADIC w timestamptz[] DEFAULT '{}') LANGUAGE sql AS 'SELECT 1::text'",
  },
  { sql: "CREATE FUNCTION fresh(c varchar(20), d numeric(5, 2)) RETURNS TABLE (n int) LANGUAGE sql AS 'SELECT 1'" },
  { sql: "CREATE PROCEDURE fresh(x double precision) LANGUAGE sql AS 'SELECT 1'" },
  { sql: 'CREATE AGGREGATE fresh(int) (sfunc = int4pl, stype = int)' },
  { sql: 'CREATE OPERATOR @#@ (leftarg = int, rightarg = int, function = int4pl)' },
  { sql: 'CREATE CAST (text AS price) WITH INOUT' },
  { sql: "CREATE TYPE fresh AS ENUM ('x')" },
  { sql: 'CREATE TYPE fresh AS (x int)' },
  { sql: 'CREATE TYPE fresh AS RANGE (subtype = float8)' },
  { sql: 'CREATE DOMAIN fresh AS int CHECK (value > 0)' },
  { sql: 'CREATE SEQUENCE fresh' },
  { sql: 'CREATE SCHEMA fresh' },
  { sql: 'CREATE STATISTICS fresh ON a, b FROM lone' },
  { sql: 'CREATE TRIGGER fresh BEFORE UPDATE ON shop.lone FOR EACH ROW EXECUTE FUNCTION touch()' },
  { sql: 'CREATE RULE fresh AS ON UPDATE TO lone DO INSTEAD NOTHING' },
  { sql: 'CREATE POLICY fresh ON lone USING (true)' },
  { sql: 'CREATE PUBLICATION fresh FOR TABLE lone' },
  { sql: 'GRANT SELECT, UPDATE ON lone, customer TO PUBLIC' },
  { sql: 'GRANT SELECT (a) ON lone TO PUBLIC' },
  { sql: 'GRANT CREATE ON SCHEMA shop TO PUBLIC' },
  { sql: 'REVOKE EXECUTE ON FUNCTION answer(int) FROM PUBLIC' },
  { sql: 'GRANT SELECT ON ALL TABLES IN SCHEMA shop TO PUBLIC' },
  { sql: 'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC' },
  { sql: "COMMENT ON TABLE lone IS 'x'" },
  { sql: 'COMMENT ON COLUMN shop.lone."Odd Name" IS \'x\'' },
  { sql: "COMMENT ON FUNCTION answer(int) IS 'x'" },
  { sql: "COMMENT ON CONSTRAINT lone_later ON lone IS 'x'" },
];

forEachMajor((server) => {
  let database: TestDatabase;
  let client: pg.Client;
  let classifier: Classifier;

  beforeAll(async () => {
    classifier = await loadClassifier();
    database = await createDatabase(server.url);
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(fixture);
  });
  afterAll(async () => {
    await client.end();
    await database.drop();
  });

  async function snapshot(): Promise<readonly string[]> {
    const result = await client.query<Record<string, string>>(catalog);
    return result.rows.map((row) => Object.values(row).join(' | '));
  }

  async function inTransaction(work: () => Promise<void>): Promise<void> {
    await client.query('BEGIN');
    try {
      await work();
    } finally {
      await client.query('ROLLBACK');
    }
  }

  const applicable = structural.filter(({ since }) => server.major >= (since ?? 0));

  it.each(applicable)('the hint restores the catalog after: $sql', async ({ sql }) => {
    await inTransaction(async () => {
      const before = await snapshot();
      await client.query(sql);
      expect(await snapshot()).not.toEqual(before);
      await client.query(classifier.inverseHints(sql).join('\n'));
      expect(await snapshot()).toEqual(before);
    });
  });

  it.each([
    "INSERT INTO customer (id, name) VALUES (1, 'a'), (2, 'b')",
    "INSERT INTO customer (name, id) VALUES ('it''s', -3)",
    "INSERT INTO lone (\"Odd Name\", a) VALUES ('back\\slash', 1), ('x', 2)",
    "INSERT INTO lone (b, a) VALUES ('x'::text, 1 + 1)",
  ])('the hint removes the rows and no others: %s', async (sql) => {
    await inTransaction(async () => {
      await client.query("INSERT INTO customer VALUES (50, 'kept'); INSERT INTO lone VALUES (50, 50, 'kept', 'kept')");
      const rows = async (): Promise<unknown> =>
        (await client.query('SELECT c::text FROM customer c UNION ALL SELECT l::text FROM lone l')).rows;
      const before = await rows();
      await client.query(sql);
      expect(await rows()).not.toEqual(before);
      await client.query(classifier.inverseHints(sql).join('\n'));
      expect(await rows()).toEqual(before);
    });
  });

  describe('the tables that the classifier carries agree with the server', () => {
    it('quotes an identifier exactly where quote_ident does', async () => {
      const words = await client.query<{ word: string; quoted: string }>(
        `SELECT word, quote_ident(word) AS quoted FROM pg_get_keywords()
         UNION ALL SELECT w, quote_ident(w) FROM unnest(ARRAY['plain', 'With Case', '1st', '_x', 'a"b', 'ä', 'a$b', '']) w`,
      );
      // A word that only a newer server reserves is quoted too early, which harms nobody.
      const wrong = words.rows.filter(
        ({ word, quoted }) =>
          writeIdentifier(word) !== quoted && (server.major >= 18 || writeIdentifier(word) !== `"${word}"`),
      );
      expect(wrong).toEqual([]);
    });

    it('calls no function steady that the server calls volatile', async () => {
      const volatile = await client.query<{ proname: string }>(
        `SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND provolatile = 'v' AND proname = ANY($1)`,
        [[...steadyFunctions]],
      );
      expect(volatile.rows).toEqual([]);
    });
  });
});
