import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FilledTable, FillReach, ProofQueries } from '../../../src/adapter/proof-queries.js';
import type { Session } from '../../../src/adapter/database.js';
import { connect, loadProjectConfig } from '../../../src/compose/open-project.js';
import { compareRows } from '../../../src/proof/compare-rows.js';
import { createDatabase, forEachMajor, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';
import { createProject, type TestProject } from '../../harness/project.js';
import { toolbox } from '../../harness/toolbox.js';

/*
 * Generated rows: for every shape of table the server itself says whether they satisfy what the table demands.
 */

interface Shape {
  readonly what: string;
  /** Makes app.t, and what it needs. */
  readonly sql: string;
  /** Rows that app.t must get; 3 unless said. */
  readonly rows?: number;
  /** Columns of app.t that may be NULL, or hold the same value twice. */
  readonly mayRepeat?: readonly string[];
  readonly from?: number;
}

const shapes: readonly Shape[] = [
  // Types
  { what: 'whole numbers', sql: 'CREATE TABLE app.t (a smallint, b int, c bigint)' },
  {
    what: 'numerics',
    sql: 'CREATE TABLE app.t (a numeric, b numeric(10,2), c numeric(3,0), d numeric(38,10), e numeric(2,2))',
  },
  { what: 'numerics with odd scales', sql: 'CREATE TABLE app.t (a numeric(3,5), b numeric(2,-3))', from: 15 },
  { what: 'floats and money', sql: 'CREATE TABLE app.t (a real, b double precision, c money)' },
  {
    what: 'texts',
    sql: 'CREATE TABLE app.t (a text, b varchar(5), c varchar(300), d char(10), e varchar, f name, g "char", h varchar(1), i char(2))',
  },
  {
    what: 'calendar types',
    sql: 'CREATE TABLE app.t (a date, b time, c timetz, d timestamp, e timestamptz, f interval, g timestamp(0), h timestamptz(3), i interval day to second)',
  },
  { what: 'bytea and uuid', sql: 'CREATE TABLE app.t (a bytea, b uuid)' },
  { what: 'json', sql: 'CREATE TABLE app.t (a json, b jsonb, c jsonpath)' },
  { what: 'xml', sql: 'CREATE TABLE app.t (a xml)' },
  { what: 'network types', sql: 'CREATE TABLE app.t (a inet, b cidr, c macaddr, d macaddr8)' },
  { what: 'bits', sql: 'CREATE TABLE app.t (a bit(8), b bit varying(20), c bit varying, d bit(2))' },
  { what: 'geometric types', sql: 'CREATE TABLE app.t (a point, b line, c lseg, d box, e path, f polygon, g circle)' },
  { what: 'text search', sql: 'CREATE TABLE app.t (a tsvector, b tsquery)' },
  {
    what: 'object ids',
    sql: 'CREATE TABLE app.t (a oid, b regclass, c regtype, d regproc, e regprocedure, f regrole, g regnamespace, h regconfig, i regdictionary, j xid, k xid8, l pg_lsn, m tid, n pg_snapshot, o int2vector)',
  },
  {
    what: 'ranges',
    sql: 'CREATE TABLE app.t (a int4range, b int8range, c numrange, d daterange, e tsrange, f tstzrange, g int4multirange, h datemultirange)',
  },
  {
    what: 'a range of its own',
    sql: 'CREATE TYPE app.span AS RANGE (subtype = float8); CREATE TABLE app.t (a app.span, b app.span[])',
  },
  {
    what: 'arrays',
    sql: 'CREATE TABLE app.t (a int[], b text[], c numeric(5,2)[], d timestamptz[], e jsonb[], f varchar(3)[], g int[][])',
  },
  {
    what: 'an enum',
    sql: `CREATE TYPE app.mood AS ENUM ('sad', 'so, so', 'it''s "fine"'); CREATE TABLE app.t (a app.mood, b app.mood[])`,
  },
  {
    what: 'an enum with one label',
    sql: `CREATE TYPE app.mood AS ENUM ('only'); CREATE TABLE app.t (id int, a app.mood)`,
    mayRepeat: ['a'],
  },
  {
    what: 'a column and a check that call what names things without their schema',
    sql: `SET LOCAL search_path = app; CREATE DOMAIN word AS text;
 CREATE FUNCTION loud(text) RETURNS word IMMUTABLE LANGUAGE sql AS 'SELECT upper($1)::word';
 CREATE TABLE t (a text, b text GENERATED ALWAYS AS (loud(a)) STORED, c int CHECK (loud(c::text) <> ''))`,
  },
  {
    what: 'a composite type',
    sql: 'CREATE TYPE app.place AS (street text, "no" int, at point); CREATE TABLE app.t (a app.place, b app.place[])',
  },
  {
    what: 'a composite type with a domain',
    sql: "CREATE DOMAIN app.zip AS text CHECK (VALUE ~ '^\\d{5}$'); CREATE TYPE app.place AS (zip app.zip); CREATE TABLE app.t (a app.place)",
  },
  { what: 'booleans', sql: 'CREATE TABLE app.t (a boolean, b boolean NOT NULL, c int)', mayRepeat: ['a', 'b'] },
  {
    what: 'extensions',
    sql: 'CREATE EXTENSION citext SCHEMA app; CREATE EXTENSION hstore SCHEMA app; CREATE EXTENSION ltree SCHEMA app; CREATE EXTENSION cube SCHEMA app; CREATE TABLE app.t (a app.citext UNIQUE, b app.hstore, c app.ltree, d app.cube)',
  },
  {
    what: 'a type that only the server knows',
    sql: 'CREATE EXTENSION isn SCHEMA app; CREATE EXTENSION seg SCHEMA app; CREATE TABLE app.t (id int, a app.seg)',
  },
  { what: 'a table as a type', sql: 'CREATE TABLE app.line (x int, y text); CREATE TABLE app.t (a app.line)' },
  // Domains
  { what: 'a domain', sql: 'CREATE DOMAIN app.positive AS int CHECK (VALUE > 0); CREATE TABLE app.t (a app.positive)' },
  {
    what: 'a domain in a narrow range',
    sql: 'CREATE DOMAIN app.percent AS numeric(5,2) CHECK (VALUE BETWEEN 0 AND 1); CREATE TABLE app.t (a app.percent NOT NULL)',
  },
  {
    what: 'a domain of a domain',
    sql: `CREATE DOMAIN app.code AS varchar(8) CHECK (length(VALUE) >= 3); CREATE DOMAIN app.upper_code AS app.code NOT NULL CHECK (VALUE = upper(VALUE)); CREATE TABLE app.t (a app.upper_code)`,
  },
  {
    what: 'a domain with a pattern, and a check on top',
    sql: `CREATE DOMAIN app.email AS text CHECK (VALUE ~* '^[a-z0-9._]+@[a-z]+\\.[a-z]{2,}$'); CREATE TABLE app.t (a app.email CHECK (length(a) < 30))`,
  },
  {
    what: 'an array of a domain',
    sql: `CREATE DOMAIN app.iso AS text CHECK (VALUE IN ('de', 'fr', 'it', 'nl')); CREATE TABLE app.t (a app.iso[] NOT NULL)`,
  },
  // Checks
  {
    what: 'a comparison',
    sql: 'CREATE TABLE app.t (a int CHECK (a > 10 AND a < 20), b numeric(6,3) CHECK (b >= 0 AND b < 1))',
  },
  {
    what: 'a negative number',
    sql: 'CREATE TABLE app.t (a int CHECK (a < -5), b numeric CHECK (b BETWEEN -90 AND -80.5))',
  },
  {
    what: 'a list',
    sql: `CREATE TABLE app.t (a text CHECK (a IN ('new', 'paid', 'it''s shipped')), b varchar(9) NOT NULL CHECK (b IN ('x', 'y', 'z')), c int CHECK (c = ANY (ARRAY[3, 5, 9])))`,
  },
  {
    what: 'a list with one member',
    sql: `CREATE TABLE app.t (id int PRIMARY KEY, a text CHECK (a = 'only'))`,
    mayRepeat: ['a'],
  },
  {
    what: 'a length',
    sql: 'CREATE TABLE app.t (a text CHECK (char_length(a) = 3), b text CHECK (length(b) BETWEEN 10 AND 12), c varchar(50) CHECK (length(trim(c)) > 0), d bytea CHECK (octet_length(d) = 32))',
  },
  {
    what: 'regular expressions',
    sql: `CREATE TABLE app.t (a text CHECK (a ~ '^[A-Z]{2}-\\d{4}$'), b text CHECK (b ~* '^https?://[^/]+/'), c text CHECK (c ~ '^(foo|bar)_[a-z]+[0-9]?$'), d text CHECK (d !~ '\\s'), e text CHECK (e ~ '^[[:alpha:]_][[:alnum:]_]*$'), f char(7) CHECK (f ~ '^#[0-9a-f]{6}$'))`,
  },
  {
    what: 'patterns of LIKE and SIMILAR TO',
    sql: `CREATE TABLE app.t (a text CHECK (a LIKE 'ab\\_%z'), b text CHECK (b SIMILAR TO '(x|y)%'), c text CHECK (c NOT LIKE '% %'), d text CHECK (d ILIKE 'A_c%'))`,
  },
  {
    what: 'case and blanks',
    sql: "CREATE TABLE app.t (a text CHECK (a = lower(a)), b text CHECK (b = upper(b)), c text CHECK (c = btrim(c) AND c <> ''))",
  },
  {
    what: 'columns compared with each other',
    sql: 'CREATE TABLE app.t (a date NOT NULL, b date NOT NULL CHECK (b > a), c int, d int, e int, CHECK (c < d AND d < e))',
  },
  {
    what: 'dates and times',
    sql: `CREATE TABLE app.t (a date CHECK (a >= '2030-01-01' AND a < '2031-01-01'), b timestamptz CHECK (b < '1990-01-01 00:00:00+00'), c time CHECK (c BETWEEN '09:00' AND '17:00'), d timestamp CHECK (date_trunc('day', d) = d))`,
  },
  {
    what: 'either of two columns',
    sql: 'CREATE TABLE app.t (a int, b int, CHECK (num_nonnulls(a, b) = 1))',
    mayRepeat: ['a', 'b'],
  },
  {
    what: 'a column that needs another',
    sql: `CREATE TABLE app.t (state text NOT NULL CHECK (state IN ('open', 'closed')), closed_at timestamptz, CHECK ((state = 'closed') = (closed_at IS NOT NULL)))`,
    mayRepeat: ['state', 'closed_at'],
  },
  {
    what: 'json of a shape',
    sql: `CREATE TABLE app.t (a jsonb CHECK (jsonb_typeof(a) = 'array'), b jsonb CHECK (b ? 'name' AND b ? 'age'), c jsonb NOT NULL CHECK (c ->> 'kind' = 'x'), d json CHECK (json_typeof(d) = 'object'))`,
    mayRepeat: ['a', 'b', 'c', 'd'],
  },
  {
    what: 'arrays of a size and of members',
    sql: `CREATE TABLE app.t (a int[] CHECK (cardinality(a) = 4), b text[] CHECK (b <@ ARRAY['r', 'w', 'x']), c int[] CHECK (array_length(c, 1) >= 1 AND 5 = ANY (c)))`,
  },
  {
    what: 'ranges of a kind',
    sql: `CREATE TABLE app.t (a daterange CHECK (NOT isempty(a) AND lower(a) >= '2025-01-01'), b tstzrange CHECK (upper_inf(b)), c int4range CHECK (c <@ int4range(1, 100)))`,
    mayRepeat: ['a', 'b', 'c'],
  },
  {
    what: 'a check that fails for some values',
    sql: 'CREATE TABLE app.t (a int CHECK (100 / a > 2), b text CHECK (b::int > 5))',
  },
  {
    what: 'a function as a check',
    sql: `CREATE FUNCTION app.even(a int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT a % 2 = 0'; CREATE TABLE app.t (a int CHECK (app.even(a)))`,
  },
  {
    what: 'a check that is not validated',
    sql: 'CREATE TABLE app.t (a int); ALTER TABLE app.t ADD CHECK (a < 7) NOT VALID',
  },
  { what: 'a check that is not enforced', sql: 'CREATE TABLE app.t (a int CHECK (a < 7) NOT ENFORCED)', from: 18 },
  {
    what: 'one row at most',
    sql: 'CREATE TABLE app.t (id boolean PRIMARY KEY DEFAULT true CHECK (id), a text)',
    rows: 1,
  },
  // Generated, identity, defaults
  {
    what: 'generated columns',
    sql: "CREATE TABLE app.t (a numeric(8,2), b int, c numeric GENERATED ALWAYS AS (a * b) STORED, d text GENERATED ALWAYS AS ('x') STORED)",
    mayRepeat: ['d'],
  },
  {
    what: 'a product that overflows for large numbers',
    sql: 'CREATE TABLE app.t (a int, b int, c int GENERATED ALWAYS AS (a * b) STORED)',
  },
  {
    what: 'a check of a generated column',
    sql: 'CREATE TABLE app.t (a int, b int, c int GENERATED ALWAYS AS (a + b) STORED CHECK (c < 100 AND c > 50))',
  },
  { what: 'a virtual column', sql: 'CREATE TABLE app.t (a int, b int GENERATED ALWAYS AS (a / 2) VIRTUAL)', from: 18 },
  {
    what: 'identities and serials',
    sql: 'CREATE TABLE app.t (a int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b bigserial, c smallserial, d text)',
  },
  {
    what: 'defaults',
    sql: `CREATE TABLE app.t (a int DEFAULT 7, b timestamptz NOT NULL DEFAULT now(), c uuid DEFAULT gen_random_uuid())`,
  },
  { what: 'no columns', sql: 'CREATE TABLE app.t ()' },
  // Keys
  {
    what: 'a key of small types',
    sql: 'CREATE TABLE app.t (a boolean, b boolean, PRIMARY KEY (a, b))',
    mayRepeat: ['a', 'b'],
  },
  {
    what: 'several keys',
    sql: `CREATE TYPE app.kind AS ENUM ('a', 'b'); CREATE TABLE app.t (id int PRIMARY KEY, k app.kind, v varchar(1) UNIQUE, UNIQUE (k, v))`,
    mayRepeat: ['k'],
  },
  {
    what: 'a deferred key',
    sql: 'CREATE TABLE app.t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED, b boolean, UNIQUE (b) DEFERRABLE)',
    rows: 2,
  },
  {
    what: 'unique expressions and parts',
    sql: 'CREATE TABLE app.t (a text, b text); CREATE UNIQUE INDEX ON app.t (lower(a)); CREATE UNIQUE INDEX ON app.t (b) WHERE b IS NOT NULL',
  },
  { what: 'one row, by an index', sql: 'CREATE TABLE app.t (a int); CREATE UNIQUE INDEX ON app.t ((true))', rows: 1 },
  {
    what: 'exclusion',
    sql: 'CREATE EXTENSION btree_gist SCHEMA app; CREATE TABLE app.t (room int, during tstzrange, at box, EXCLUDE USING gist (room WITH =, during WITH &&), EXCLUDE USING gist (at WITH &&))',
  },
  {
    what: 'keys of time',
    sql: 'CREATE EXTENSION btree_gist SCHEMA app; CREATE TABLE app.p (id int, valid daterange, PRIMARY KEY (id, valid WITHOUT OVERLAPS)); CREATE TABLE app.t (p int, valid daterange, FOREIGN KEY (p, PERIOD valid) REFERENCES app.p (id, PERIOD valid))',
    from: 18,
  },
  { what: 'a long unique text', sql: 'CREATE TABLE app.t (a varchar(8000) UNIQUE, b varchar(4000) UNIQUE)' },
  {
    what: 'a foreign key',
    sql: 'CREATE TABLE app.p (id bigint PRIMARY KEY, name text); CREATE TABLE app.t (id int PRIMARY KEY, p bigint NOT NULL REFERENCES app.p)',
  },
  {
    what: 'a foreign key of another type',
    sql: 'CREATE TABLE app.p (id smallint PRIMARY KEY); CREATE TABLE app.t (p bigint REFERENCES app.p)',
  },
  {
    what: 'a foreign key to a table with rows',
    sql: `CREATE TABLE app.p (code text PRIMARY KEY); INSERT INTO app.p VALUES ('one'), ('two'); CREATE TABLE app.t (p text NOT NULL REFERENCES app.p)`,
    mayRepeat: ['p'],
  },
  {
    what: 'one to one',
    sql: 'CREATE TABLE app.p (id uuid PRIMARY KEY); CREATE TABLE app.t (id uuid PRIMARY KEY REFERENCES app.p ON DELETE CASCADE, a text)',
  },
  {
    what: 'keys that share a column',
    sql: 'CREATE TABLE app.tenant (id int PRIMARY KEY); CREATE TABLE app.u (tenant int REFERENCES app.tenant, id int, PRIMARY KEY (tenant, id)); CREATE TABLE app.g (tenant int REFERENCES app.tenant, id int, PRIMARY KEY (tenant, id)); CREATE TABLE app.t (tenant int, u int, g int, PRIMARY KEY (tenant, u, g), FOREIGN KEY (tenant, u) REFERENCES app.u, FOREIGN KEY (tenant, g) REFERENCES app.g)',
  },
  {
    what: 'a chain of keys',
    sql: 'CREATE TABLE app.a (id int PRIMARY KEY); CREATE TABLE app.b (id int PRIMARY KEY, a int NOT NULL REFERENCES app.a); CREATE TABLE app.c (id int PRIMARY KEY, b int NOT NULL REFERENCES app.b); CREATE TABLE app.t (c int NOT NULL REFERENCES app.c)',
  },
  {
    what: 'a table that refers to itself',
    sql: 'CREATE TABLE app.t (id int PRIMARY KEY, parent int REFERENCES app.t, CHECK (parent <> id))',
  },
  {
    what: 'a table that must refer to itself',
    sql: 'CREATE TABLE app.t (id int PRIMARY KEY, parent int NOT NULL REFERENCES app.t)',
  },
  {
    what: 'a table that refers to itself within a tenant',
    sql: 'CREATE TABLE app.t (tenant int, id int, parent int, PRIMARY KEY (tenant, id), FOREIGN KEY (tenant, parent) REFERENCES app.t (tenant, id))',
    mayRepeat: ['tenant'],
  },
  {
    what: 'a circle of keys',
    sql: 'CREATE TABLE app.a (id int PRIMARY KEY, t int); CREATE TABLE app.t (id int PRIMARY KEY, a int REFERENCES app.a); ALTER TABLE app.a ADD FOREIGN KEY (t) REFERENCES app.t',
  },
  {
    what: 'a circle without NULL',
    sql: 'CREATE TABLE app.a (id int PRIMARY KEY, t int NOT NULL); CREATE TABLE app.t (id int PRIMARY KEY, a int NOT NULL REFERENCES app.a DEFERRABLE INITIALLY DEFERRED); ALTER TABLE app.a ADD FOREIGN KEY (t) REFERENCES app.t DEFERRABLE INITIALLY DEFERRED',
  },
  {
    what: 'one of several parents',
    sql: 'CREATE TABLE app.a (id int PRIMARY KEY); CREATE TABLE app.b (id int PRIMARY KEY); CREATE TABLE app.t (a int REFERENCES app.a, b int REFERENCES app.b, CHECK ((a IS NULL) <> (b IS NULL)))',
    mayRepeat: ['a', 'b'],
  },
  {
    what: 'a check of a key',
    sql: `CREATE TABLE app.p (id int PRIMARY KEY); INSERT INTO app.p VALUES (1), (2), (50); CREATE TABLE app.t (p int NOT NULL REFERENCES app.p CHECK (p > 10))`,
    mayRepeat: ['p'],
  },
  {
    what: 'a key that nobody can satisfy, and need not',
    sql: 'CREATE TABLE app.p (id int PRIMARY KEY CHECK (id > id)); CREATE TABLE app.t (a int, p int REFERENCES app.p)',
    mayRepeat: ['p'],
  },
  // Partitions and inheritance
  {
    what: 'a partition by range',
    sql: `CREATE TABLE app.whole (at date NOT NULL, v int) PARTITION BY RANGE (at); CREATE TABLE app.t PARTITION OF app.whole FOR VALUES FROM ('2031-03-01') TO ('2031-04-01')`,
  },
  {
    what: 'a partition by list',
    sql: `CREATE TABLE app.whole (k text, v int) PARTITION BY LIST (k); CREATE TABLE app.t PARTITION OF app.whole FOR VALUES IN ('north', 'south')`,
    mayRepeat: ['k'],
  },
  {
    what: 'a partition by hash',
    sql: 'CREATE TABLE app.whole (k int PRIMARY KEY) PARTITION BY HASH (k); CREATE TABLE app.t PARTITION OF app.whole FOR VALUES WITH (MODULUS 3, REMAINDER 1)',
  },
  {
    what: 'a default partition',
    sql: `CREATE TABLE app.whole (k text) PARTITION BY LIST (k); CREATE TABLE app.o PARTITION OF app.whole FOR VALUES IN ('x'); CREATE TABLE app.t PARTITION OF app.whole DEFAULT`,
  },
  {
    what: 'a partition of a partition, with an expression',
    sql: `CREATE TABLE app.whole (at timestamptz, k int) PARTITION BY RANGE (date_trunc('day', at AT TIME ZONE 'UTC')); CREATE TABLE app.part PARTITION OF app.whole FOR VALUES FROM ('2030-01-01') TO ('2040-01-01') PARTITION BY LIST (k); CREATE TABLE app.t PARTITION OF app.part FOR VALUES IN (1, 2)`,
    mayRepeat: ['k'],
  },
  {
    what: 'a partitioned table',
    sql: `CREATE TABLE app.t (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE TABLE app.t1 PARTITION OF app.t FOR VALUES FROM ('2030-01-01') TO ('2030-02-01'); CREATE TABLE app.t2 PARTITION OF app.t FOR VALUES FROM ('2030-02-01') TO (MAXVALUE)`,
    rows: 6,
    mayRepeat: ['id', 'at'],
  },
  {
    what: 'a key to a partitioned table',
    sql: `CREATE TABLE app.p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES FROM (1) TO (100); CREATE TABLE app.t (p int NOT NULL REFERENCES app.p)`,
  },
  {
    what: 'a table with children',
    sql: 'CREATE TABLE app.mother (a int CHECK (a < 50)); CREATE TABLE app.t (b text) INHERITS (app.mother)',
  },
  // What would get in the way
  {
    what: 'a trigger that refuses',
    sql: `CREATE FUNCTION app.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$; CREATE TABLE app.t (a int); CREATE TRIGGER no BEFORE INSERT OR DELETE ON app.t FOR EACH ROW EXECUTE FUNCTION app.no()`,
  },
  {
    what: 'a rule that does something else',
    sql: 'CREATE TABLE app.t (a int); CREATE RULE no AS ON INSERT TO app.t DO INSTEAD NOTHING',
  },
  {
    what: 'row security',
    sql: 'CREATE TABLE app.t (a int); ALTER TABLE app.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
  },
  {
    what: 'names of every kind',
    sql: `CREATE TABLE app.t ("Upper ""x""" int CHECK ("Upper ""x""" > 3), "a.b" text CHECK ("a.b" ~ '^x+$'), "select" int, "VALUE" int CHECK ("VALUE" < 9), "🦊" int, "${'n'.repeat(63)}" int, CHECK ("select" < "🦊"))`,
  },
  {
    what: 'many checks at once',
    sql: `CREATE TABLE app.t (id bigint PRIMARY KEY CHECK (id > 0), sku varchar(12) NOT NULL UNIQUE CHECK (sku ~ '^[A-Z]{3}[0-9]{5}$'), price numeric(8,2) NOT NULL CHECK (price >= 0), discount numeric(8,2) CHECK (discount >= 0 AND discount <= price), stock int NOT NULL CHECK (stock >= 0 AND stock <= 10000), status text NOT NULL CHECK (status IN ('draft', 'live', 'gone')), starts date, ends date, CHECK (ends IS NULL OR starts IS NULL OR ends >= starts))`,
  },
  {
    what: 'sixty columns with a check each',
    sql: `CREATE TABLE app.t (${Array.from({ length: 60 }, (_, at) => `c${at} int NOT NULL CHECK (c${at} > ${at * 10})`).join(', ')})`,
  },
];

/** Tables that cannot be filled, and what must be said of them. */
const honest: readonly {
  readonly what: string;
  readonly sql: string;
  readonly reason: RegExp;
  readonly from?: number;
}[] = [
  {
    what: 'a check that nothing passes',
    sql: 'CREATE TABLE app.t (a int NOT NULL CHECK (a > 5 AND a < 3))',
    reason: /^app\.t could not be filled: no values were found for a that satisfy the check t_a_check\.$/,
  },
  {
    what: 'a check that nobody guesses',
    sql: `CREATE TABLE app.t (a text NOT NULL CHECK (md5(a) = 'd41d8cd98f00b204e9800998ecf8427f' AND length(a) > 2))`,
    reason: /^app\.t could not be filled: no values were found for a that satisfy the check t_a_check\.$/,
  },
  {
    what: 'a parent that cannot be filled',
    sql: 'CREATE TABLE app.p (id int PRIMARY KEY CHECK (id <> id)); CREATE TABLE app.t (p int NOT NULL REFERENCES app.p)',
    reason:
      /^app\.t could not be filled: its key t_p_fkey needs a row of app\.p, and app\.p could not be filled: no values/,
  },
  {
    what: 'a foreign table',
    sql: 'CREATE FOREIGN DATA WRAPPER far; CREATE SERVER there FOREIGN DATA WRAPPER far; CREATE FOREIGN TABLE app.t (a int) SERVER there',
    reason: /^app\.t is a foreign table: its rows lie in another database\.$/,
  },
  { what: 'a view', sql: 'CREATE VIEW app.t AS SELECT 1 AS a', reason: /^app\.t is a view\.$/ },
  {
    what: 'a partitioned table without partitions',
    sql: 'CREATE TABLE app.t (a int) PARTITION BY LIST (a)',
    reason: /^app\.t has no partition that could take a row\.$/,
  },
  {
    what: 'a trigger that fires always',
    sql: `CREATE FUNCTION app.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; CREATE TABLE app.t (a int); CREATE TRIGGER always BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.no(); ALTER TABLE app.t ENABLE ALWAYS TRIGGER always`,
    reason: /^app\.t has a trigger that fires even in replica mode \(always\), and what it does is not known\.$/,
  },
  {
    what: 'a domain that nobody can satisfy',
    sql: 'CREATE DOMAIN app.never AS int NOT NULL CHECK (VALUE <> VALUE); CREATE TABLE app.t (a app.never)',
    reason: /^app\.t could not be filled: no value of the type app\.never is known for its column a\.$/,
  },
  { what: 'a table that is not there', sql: 'SELECT 1', reason: /^app\.t does not exist\.$/ },
  {
    what: 'an index that always fails',
    sql: 'CREATE TABLE app.t (a int NOT NULL); CREATE INDEX ON app.t ((1 / (a - a)))',
    reason: /^app\.t could not be filled: the server refused every row that was tried: division by zero\.$/,
  },
];

forEachMajor((server) => {
  let database: TestDatabase;
  let project: TestProject;
  let session: Session;
  let queries: ProofQueries;

  beforeAll(async () => {
    database = await createDatabase(server.url);
    project = await createProject({ database });
    session = await connect(await loadProjectConfig({ folder: project.folder, environment: {} }));
    queries = await toolbox.database.loadProofQueries();
  });
  afterAll(async () => {
    await session.close();
    await project.remove();
    await database.drop();
  });

  async function inside<T>(sql: string, work: () => Promise<T>): Promise<T> {
    await session.query('BEGIN; CREATE SCHEMA app');
    try {
      await session.query(sql);
      return await work();
    } finally {
      await session.query('ROLLBACK');
    }
  }

  async function valuesOf(sql: string): Promise<readonly (readonly (string | null)[])[]> {
    const results = await session.query(sql);
    return results.at(-1)?.rows ?? [];
  }

  /** Has the server check every key again, from its definition: it knows nothing of how the rows came in. */
  async function checkKeysAgain(): Promise<void> {
    const keys =
      await valuesOf(`SELECT c.oid::regclass, pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
 WHERE c.relnamespace = 'app'::regnamespace AND (k.contype = 'f' OR k.contype IN ('u', 'x') AND k.condeferrable) AND k.conparentid = 0`);
    for (const [at, [table, definition]] of keys.entries()) {
      await session.query(`ALTER TABLE ${table ?? ''} ADD CONSTRAINT judge_${at} ${definition ?? ''}`);
    }
  }

  const everything = 'SELECT name, setting FROM pg_settings ORDER BY name';

  describe('rows for', () => {
    test.each(shapes.filter(({ from = 0 }) => from <= server.major))(
      '$what',
      async ({ sql, rows = 3, mayRepeat = [] }) => {
        await inside(sql, async () => {
          const [before, sequences, settings] = [
            await queries.readRows(session, []),
            await queries.readSequences(session, []),
            await valuesOf(everything),
          ];
          await session.query('SAVEPOINT empty');
          const filled = await queries.fillTables(session, ['app.t']);
          expect(filled[0]).toMatchObject({ table: 'app.t', rows, reason: undefined });
          const after = await queries.readRows(session, []);
          expect(await queries.readSequences(session, [])).toEqual(sequences);
          expect(await valuesOf(everything)).toEqual(settings);
          const [counted] = await valuesOf('SELECT count(*) FROM app.t');
          expect(counted).toEqual([String(rows)]);
          // Every column holds values, and another one in each row, where its type and its checks have so many.
          const columns = await valuesOf(
            `SELECT quote_ident(attname), attname FROM pg_attribute WHERE attrelid = 'app.t'::regclass AND attnum > 0`,
          );
          for (const [quoted, name] of columns) {
            const [numbers] = await valuesOf(
              `SELECT count(DISTINCT format('%s', ${quoted ?? ''})), count(*) FILTER (WHERE num_nulls(${quoted ?? ''}) = 1) FROM app.t`,
            );
            if (!mayRepeat.includes(name ?? '') && rows === 3)
              expect([name, ...(numbers ?? [])]).toEqual([name, '3', '0']);
          }
          // Taken away, nothing is left of them; made again, they are the same.
          await queries.emptyTables(session, filled);
          expect(await queries.readRows(session, [])).toEqual(before);
          await queries.fillTables(session, ['app.t']);
          expect(await queries.readRows(session, [])).toEqual(after);
          await checkKeysAgain();
        });
      },
    );
  });

  describe('says aloud why there are none for', () => {
    test.each(honest.filter(({ from = 0 }) => from <= server.major))('$what', async ({ sql, reason }) => {
      await inside(sql, async () => {
        const [filled] = await queries.fillTables(session, ['app.t']);
        expect(filled).toMatchObject({ table: 'app.t', rows: 0 });
        expect(filled?.reason).toMatch(reason);
        // The transaction goes on.
        await session.query('CREATE TABLE app.still (a int)');
      });
    });
  });

  test('leaves tables with rows alone, and fills parents that are empty', async () => {
    await inside(
      'CREATE TABLE app.p (id int PRIMARY KEY); CREATE TABLE app.t (p int REFERENCES app.p); CREATE TABLE app.full (a int); INSERT INTO app.full VALUES (1)',
      async () => {
        const filled = await queries.fillTables(session, ['app."full"', 'app.t']);
        expect(filled.map(({ table, rows, reason }) => [table, rows, reason])).toEqual([
          ['app."full"', 0, undefined],
          ['app.t', 3, undefined],
          ['app.p', 3, undefined],
        ]);
        expect(await queries.fillTables(session, [])).toEqual([]);
      },
    );
  });

  test('takes away its own rows and no others', async () => {
    await inside('CREATE TABLE app.t (a text)', async () => {
      const filled = await queries.fillTables(session, ['app.t']);
      await session.query(`INSERT INTO app.t SELECT a FROM app.t LIMIT 1; INSERT INTO app.t VALUES ('other')`);
      await queries.emptyTables(session, filled);
      const left = await valuesOf('SELECT a FROM app.t');
      expect(left).toHaveLength(2);
      expect(left).toContainEqual(['other']);
    });
  });

  test('takes nothing away when other rows refer to its own by now', async () => {
    await inside('CREATE TABLE app.p (id int PRIMARY KEY); CREATE TABLE app.t (p int REFERENCES app.p)', async () => {
      const filled = await queries.fillTables(session, ['app.p']);
      await session.query('INSERT INTO app.t SELECT id FROM app.p');
      await expect(queries.emptyTables(session, filled)).rejects.toMatchObject({
        code: 'script-failed',
        message: 'The generated rows cannot be taken away: rows of app.t refer to them.',
      });
      expect(await valuesOf('SELECT count(*) FROM app.p')).toEqual([['3']]);
    });
  });

  test('modest values fit narrower types', async () => {
    await inside('CREATE TABLE app.t (a bigint, b varchar(200), c numeric(20,4))', async () => {
      await queries.fillTables(session, ['app.t'], 'modest');
      await session.query(
        'ALTER TABLE app.t ALTER a TYPE smallint, ALTER b TYPE varchar(20), ALTER c TYPE numeric(8,4)',
      );
    });
  });

  /** What a rollback loses, with generated rows in the table: change, and what is meant to undo it. */
  const losses: readonly {
    readonly what: string;
    readonly sql: string;
    readonly up: string;
    readonly down: string;
    readonly reach?: FillReach;
  }[] = [
    {
      what: 'a rename undone by drop and add',
      sql: 'a text, b int',
      up: 'RENAME COLUMN a TO c',
      down: 'DROP COLUMN c, ADD COLUMN a text',
    },
    { what: 'a column that was dropped', sql: 'a text, b int', up: 'DROP COLUMN a', down: 'ADD COLUMN a text' },
    {
      what: 'a column that came back with a default',
      sql: 'a int NOT NULL, b int',
      up: 'DROP COLUMN a',
      down: 'ADD COLUMN a int NOT NULL DEFAULT 0',
    },
    { what: 'decimals', sql: 'a numeric(12,4)', up: 'ALTER a TYPE numeric(12,2)', down: 'ALTER a TYPE numeric(12,4)' },
    {
      what: 'the scale',
      sql: 'a numeric(12,4)',
      up: 'ALTER a TYPE int USING trunc(a)',
      down: 'ALTER a TYPE numeric(12,4)',
    },
    { what: 'microseconds', sql: 'a timestamp', up: 'ALTER a TYPE timestamp(0)', down: 'ALTER a TYPE timestamp' },
    { what: 'the time of a day', sql: 'a timestamptz', up: 'ALTER a TYPE date', down: 'ALTER a TYPE timestamptz' },
    {
      what: 'digits of a float',
      sql: 'a double precision',
      up: 'ALTER a TYPE real',
      down: 'ALTER a TYPE double precision',
    },
    {
      what: 'the end of a text',
      sql: 'a varchar(200)',
      up: 'ALTER a TYPE varchar(20) USING left(a, 20)',
      down: 'ALTER a TYPE varchar(200)',
    },
    {
      what: 'the last letter of a text',
      sql: 'a varchar(50)',
      up: 'ALTER a TYPE varchar(49) USING left(a, 49)',
      down: 'ALTER a TYPE varchar(50)',
    },
    {
      what: 'the case of a text',
      sql: 'a text',
      up: 'ALTER a TYPE text USING upper(a)',
      down: 'ALTER a TYPE text USING lower(a)',
    },
    { what: 'the text of a json', sql: 'a json', up: 'ALTER a TYPE jsonb', down: 'ALTER a TYPE json' },
    {
      what: 'the zone of a time',
      sql: 'a timetz',
      up: 'ALTER a TYPE time',
      down: `ALTER a TYPE timetz USING a::text::timetz`,
    },
    {
      what: 'the mask of an address',
      sql: 'a inet',
      up: 'ALTER a TYPE text USING host(a)',
      down: 'ALTER a TYPE inet USING a::inet',
    },
    {
      what: 'all but one element of an array',
      sql: 'a int[]',
      up: 'ALTER a TYPE int USING a[1]',
      down: 'ALTER a TYPE int[] USING ARRAY[a]',
    },
    {
      what: 'the order of two columns',
      sql: 'a int, b int',
      up: 'RENAME a TO c',
      down: 'RENAME b TO a; ALTER TABLE app.t RENAME c TO b',
    },
    {
      what: 'the months of an interval',
      sql: 'a interval',
      up: 'ALTER a TYPE float8 USING extract(epoch FROM a)',
      down: `ALTER a TYPE interval USING a * interval '1 second'`,
    },
    { what: 'large numbers', sql: 'a bigint', up: 'ALTER a TYPE float8', down: 'ALTER a TYPE bigint' },
    {
      what: 'a comment in an xml',
      sql: 'a xml',
      up: `ALTER a TYPE text USING regexp_replace(a::text, '<!--.*-->', '')`,
      down: 'ALTER a TYPE xml USING a::xml',
    },
  ];

  describe('with them it is noticed that a rollback loses', () => {
    test.each(losses)('$what', async ({ sql, up, down, reach }) => {
      await inside(`CREATE TABLE app.t (id int PRIMARY KEY, ${sql})`, async () => {
        const loses = async (): Promise<boolean> => {
          const before = await queries.readRows(session, []);
          await session.query(`ALTER TABLE app.t ${up}; ALTER TABLE app.t ${down}`);
          return compareRows(before, await queries.readRows(session, [])).length > 0;
        };
        await session.query('SAVEPOINT empty');
        expect(await loses(), 'without rows').toBe(false);
        await session.query('ROLLBACK TO SAVEPOINT empty');
        const [filled] = await queries.fillTables(session, ['app.t'], reach);
        expect(filled?.rows).toBe(3);
        expect(await loses(), 'with rows').toBe(true);
      });
    });
  });

  describe('tables that have a column in common, with which the id of the one referred to is a key', () => {
    const tables = `CREATE TABLE app.p (id int PRIMARY KEY, tenant text NOT NULL, UNIQUE (tenant, id));
 CREATE TABLE app.q (id int PRIMARY KEY, tenant text NOT NULL, name text NOT NULL, UNIQUE (tenant, id));
 CREATE TABLE app.t (id int PRIMARY KEY, tenant text NOT NULL, name text NOT NULL, p int NOT NULL REFERENCES app.p, q int REFERENCES app.q)`;
    const belonging = `SELECT count(*) FROM app.t JOIN app.p ON (p.id, p.tenant) = (t.p, t.tenant) JOIN app.q ON (q.id, q.tenant) = (t.q, t.tenant)`;

    test('have the same value there in rows that refer to each other', async () => {
      await inside(tables, async () => {
        const filled = await queries.fillTables(session, ['app.t']);
        expect(filled.map(({ table, rows }) => [table, rows])).toEqual([
          ['app.t', 3],
          ['app.p', 3],
          ['app.q', 3],
        ]);
        expect(await valuesOf(belonging)).toEqual([['3']]);
        expect(await valuesOf('SELECT count(DISTINCT tenant), count(DISTINCT name) FROM app.t')).toEqual([['3', '3']]);
      });
    });

    test('have other values in columns that only are called the same', async () => {
      await inside(tables, async () => {
        await queries.fillTables(session, ['app.t']);
        expect(await valuesOf('SELECT count(*) FROM app.t JOIN app.q ON q.name = t.name')).toEqual([['0']]);
      });
      await inside(tables.replaceAll(', UNIQUE (tenant, id)', ''), async () => {
        expect((await queries.fillTables(session, ['app.t']))[0]).toMatchObject({ rows: 3, reason: undefined });
        expect(await valuesOf('SELECT count(*) FROM app.t JOIN app.p USING (tenant)')).toEqual([['0']]);
      });
    });

    test('are filled all the same where the rows that are there have no value in common', async () => {
      await inside(
        `${tables}; INSERT INTO app.p VALUES (1, 'one'); INSERT INTO app.q VALUES (1, 'other', 'x')`,
        async () => {
          expect((await queries.fillTables(session, ['app.t']))[0]).toMatchObject({ rows: 3, reason: undefined });
        },
      );
    });

    test('have it when they refer to each other in a circle', async () => {
      const circle = 'ALTER TABLE app.p ADD t int REFERENCES app.t; CREATE UNIQUE INDEX ON app.t (tenant, id)';
      await inside(`${tables}; ${circle}`, async () => {
        const filled = await queries.fillTables(session, ['app.t', 'app.p']);
        expect(filled.slice(0, 2).map(({ rows }) => rows)).toEqual([3, 3]);
        expect(await valuesOf(belonging)).toEqual([['3']]);
        const back = 'SELECT count(*) FROM app.p JOIN app.t ON (t.id, t.tenant) = (p.t, p.tenant)';
        expect(await valuesOf(back)).toEqual([['3']]);
        await checkKeysAgain();
      });
    });

    test.each([
      ['nothing is lost by a rollback that finds rows by it', 't.name', 0],
      ['it is noticed what a rollback loses that finds rows by it', 'p.tenant', 1],
    ])('%s', async (_, name, lost) => {
      await inside(tables, async () => {
        await queries.fillTables(session, ['app.t']);
        const before = await queries.readRows(session, []);
        await session.query(`CREATE TABLE app.moved AS SELECT t.* FROM app.t JOIN app.p ON (p.id, p.tenant) = (t.p, t.tenant); DELETE FROM app.t;
 INSERT INTO app.t SELECT t.id, t.tenant, ${name}, t.p, t.q FROM app.moved t JOIN app.p ON (p.id, p.tenant) = (t.p, t.tenant); DROP TABLE app.moved`);
        expect(compareRows(before, await queries.readRows(session, []))).toHaveLength(lost);
      });
    });
  });

  test('a table dropped and made again is noticed', async () => {
    await inside('CREATE TABLE app.t (a int)', async () => {
      await queries.fillTables(session, ['app.t']);
      const before = await queries.readRows(session, []);
      await session.query('DROP TABLE app.t; CREATE TABLE app.t (a int)');
      expect(compareRows(before, await queries.readRows(session, []))).toHaveLength(1);
    });
  });

  test('forty tables that refer to each other are filled', async () => {
    const tables = Array.from({ length: 40 }, (_, at) => `app.n${at}`);
    const sql = tables.map(
      (name, at) =>
        `CREATE TABLE ${name} (id int PRIMARY KEY, a text NOT NULL${at === 0 ? '' : `, p int NOT NULL REFERENCES app.n${at - 1}, q int REFERENCES app.n${Math.floor(at / 2)}`})`,
    );
    await inside(sql.join(';'), async () => {
      const filled: readonly FilledTable[] = await queries.fillTables(session, [...tables].reverse());
      expect(filled.filter(({ rows }) => rows !== 3)).toEqual([]);
      await checkKeysAgain();
      await queries.emptyTables(session, filled);
      expect(await queries.readRows(session, [])).toEqual(new Map());
    });
  });
});

describe('a role that may not switch triggers off', () => {
  let database: TestDatabase;
  let project: TestProject;
  let session: Session;
  let queries: ProofQueries;

  beforeAll(async () => {
    database = await createDatabase(newestServer().url);
    await runOn(
      database.url,
      `CREATE ROLE rows_owner LOGIN PASSWORD 'rows'; GRANT CREATE ON DATABASE "${database.name}" TO rows_owner`,
    );
    project = await createProject({
      database,
      connection: { url: database.jdbcUrl, user: 'rows_owner', password: 'rows' },
    });
    session = await connect(await loadProjectConfig({ folder: project.folder, environment: {} }));
    queries = await toolbox.database.loadProofQueries();
    expect(session.facts.mayUseReplicaMode).toBe(false);
  });
  afterAll(async () => {
    await session.close();
    await project.remove();
    await database.drop();
    await runOn(newestServer().url, 'DROP ROLE rows_owner');
  });

  test.each([
    ['keys', 'CREATE TABLE app.p (id int PRIMARY KEY); CREATE TABLE app.t (p int NOT NULL REFERENCES app.p)', 3],
    ['a table that refers to itself', 'CREATE TABLE app.t (id int PRIMARY KEY, parent int REFERENCES app.t)', 3],
    [
      'a circle',
      'CREATE TABLE app.a (id int PRIMARY KEY, t int); CREATE TABLE app.t (id int PRIMARY KEY, a int REFERENCES app.a); ALTER TABLE app.a ADD FOREIGN KEY (t) REFERENCES app.t',
      3,
    ],
    [
      'a table that must refer to itself',
      'CREATE TABLE app.t (id int PRIMARY KEY, parent int NOT NULL REFERENCES app.t)',
      0,
    ],
    [
      'a trigger that refuses',
      `CREATE FUNCTION app.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no rows today'; END $$; CREATE TABLE app.t (a int); CREATE TRIGGER no BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.no()`,
      0,
    ],
    [
      'a trigger that takes rows away',
      `CREATE FUNCTION app.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; CREATE TABLE app.t (a int); CREATE TRIGGER no BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.no()`,
      0,
    ],
    [
      'a rule that does something else',
      'CREATE TABLE app.t (a int); CREATE RULE no AS ON INSERT TO app.t DO INSTEAD NOTHING',
      0,
    ],
    [
      'row security of its own',
      'CREATE TABLE app.t (a int); ALTER TABLE app.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
      0,
    ],
  ])('fills %s as far as it can, and says where not', async (_, sql, rows) => {
    await session.query('BEGIN; CREATE SCHEMA app');
    try {
      await session.query(sql);
      const filled = await queries.fillTables(session, ['app.t']);
      expect(filled[0]).toMatchObject({ table: 'app.t', rows });
      if (rows === 0) expect(filled[0]?.reason).toMatch(/^app\.t .+\.$/);
      else {
        const [counted] = await session.query('SELECT count(*) FROM app.t');
        expect(counted?.rows).toEqual([[String(rows)]]);
        await queries.emptyTables(session, filled);
        expect(await queries.readRows(session, [])).toEqual(new Map());
      }
    } finally {
      await session.query('ROLLBACK');
    }
  });
});
