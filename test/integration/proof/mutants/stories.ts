import { onDatabase } from './access.js';
import { nothing, type Scenario } from './subject.js';

/*
 * What goes wrong in practice and is no single property: things that fall with what they hang on, names, rows, and what the
 * server itself cannot restore.
 */

type Story = Omit<Scenario, 'from' | 'until' | 'fault'> & Partial<Pick<Scenario, 'fault'>>;

const told: readonly Story[] = [
  {
    title: 'a view that fell with its table',
    before: 'CREATE TABLE app.t (a int); CREATE VIEW app.v AS SELECT a FROM app.t',
    up: 'DROP TABLE app.t CASCADE',
    faithful: 'CREATE TABLE app.t (a int); CREATE VIEW app.v AS SELECT a FROM app.t',
    faulty: 'CREATE TABLE app.t (a int)',
    named: 'view app.v',
    change: 'missing',
  },
  {
    title: 'a foreign key that fell with the table it refers to',
    before: 'CREATE TABLE app.o (id int PRIMARY KEY); CREATE TABLE app.t (a int CONSTRAINT to_o REFERENCES app.o)',
    up: 'DROP TABLE app.o CASCADE',
    faithful:
      'CREATE TABLE app.o (id int PRIMARY KEY); ALTER TABLE app.t ADD CONSTRAINT to_o FOREIGN KEY (a) REFERENCES app.o',
    faulty: 'CREATE TABLE app.o (id int PRIMARY KEY)',
    named: 'constraint to_o on app.t',
    change: 'missing',
  },
  {
    title: 'an index that fell with its column',
    before: 'CREATE TABLE app.t (a int, b int); CREATE INDEX t_b ON app.t (b)',
    up: 'ALTER TABLE app.t DROP COLUMN b',
    faithful: 'ALTER TABLE app.t ADD COLUMN b int; CREATE INDEX t_b ON app.t (b)',
    faulty: 'ALTER TABLE app.t ADD COLUMN b int',
    named: 'index app.t_b',
    change: 'missing',
  },
  {
    title: 'a trigger that fell with its function',
    before:
      'CREATE TABLE app.t (a int); CREATE FUNCTION app.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; CREATE TRIGGER x BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.f()',
    up: 'DROP FUNCTION app.f() CASCADE',
    faithful:
      'CREATE FUNCTION app.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; CREATE TRIGGER x BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.f()',
    faulty: 'CREATE FUNCTION app.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$',
    named: 'trigger x on app.t',
    change: 'missing',
  },
  {
    title: 'a column that fell with its type',
    before: `CREATE TYPE app.mood AS ENUM ('sad'); CREATE TABLE app.t (a int, m app.mood)`,
    up: 'DROP TYPE app.mood CASCADE',
    faithful: `CREATE TYPE app.mood AS ENUM ('sad'); ALTER TABLE app.t ADD COLUMN m app.mood`,
    faulty: `CREATE TYPE app.mood AS ENUM ('sad')`,
    named: 'column app.t.m',
    change: 'missing',
  },
  {
    title: 'a policy that fell with its table',
    before:
      'CREATE TABLE app.t (a int); ALTER TABLE app.t ENABLE ROW LEVEL SECURITY; CREATE POLICY x ON app.t USING (a > 0)',
    up: 'DROP TABLE app.t',
    faithful:
      'CREATE TABLE app.t (a int); ALTER TABLE app.t ENABLE ROW LEVEL SECURITY; CREATE POLICY x ON app.t USING (a > 0)',
    faulty: 'CREATE TABLE app.t (a int); ALTER TABLE app.t ENABLE ROW LEVEL SECURITY',
    named: 'policy x on app.t',
    change: 'missing',
  },
  {
    title: 'the place of a table in a publication, which fell with it',
    before: 'CREATE TABLE app.t (a int); CREATE PUBLICATION app_news FOR TABLE app.t',
    up: 'DROP TABLE app.t',
    faithful: 'CREATE TABLE app.t (a int); ALTER PUBLICATION app_news ADD TABLE app.t',
    faulty: 'CREATE TABLE app.t (a int)',
    named: 'publication table app.t in app_news',
    change: 'missing',
  },
  {
    title: 'a privilege that came from another role',
    before:
      'CREATE TABLE app.t (a int); CREATE ROLE app_giver; GRANT USAGE ON SCHEMA app TO app_giver; GRANT SELECT ON app.t TO app_giver WITH GRANT OPTION; SET ROLE app_giver; GRANT SELECT ON app.t TO mutant_reader; RESET ROLE',
    up: 'REVOKE SELECT ON app.t FROM app_giver CASCADE',
    faithful:
      'GRANT SELECT ON app.t TO app_giver WITH GRANT OPTION; SET ROLE app_giver; GRANT SELECT ON app.t TO mutant_reader; RESET ROLE',
    faulty: 'GRANT SELECT ON app.t TO app_giver WITH GRANT OPTION; GRANT SELECT ON app.t TO mutant_reader',
    named: 'table app.t',
    change: 'different',
  },
  {
    title: 'default privileges that take something away',
    before: 'CREATE ROLE app_maker',
    up: 'ALTER DEFAULT PRIVILEGES FOR ROLE app_maker REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC',
    faithful: 'ALTER DEFAULT PRIVILEGES FOR ROLE app_maker GRANT EXECUTE ON FUNCTIONS TO PUBLIC',
    faulty: nothing,
    named: 'default privileges of app_maker on functions',
    change: 'left-over',
  },
  {
    title: 'a column that is no longer only inherited',
    before: 'CREATE TABLE app.base (a int); CREATE TABLE app.heir (b int) INHERITS (app.base)',
    up: 'DROP TABLE app.heir',
    faithful: 'CREATE TABLE app.heir (b int) INHERITS (app.base)',
    faulty: 'CREATE TABLE app.heir (a int, b int); ALTER TABLE app.heir INHERIT app.base',
    named: 'column app.heir.a',
    change: 'different',
  },
  {
    title: 'names written with another search_path',
    before:
      'CREATE FUNCTION app.f() RETURNS int LANGUAGE sql IMMUTABLE RETURN 1; CREATE DOMAIN app.d AS int DEFAULT app.f() CHECK (VALUE > app.f()); CREATE TABLE app.t (a app.d DEFAULT app.f()); CREATE INDEX i ON app.t (app.f()); CREATE VIEW app.v AS SELECT a, app.f() AS f FROM app.t',
    up: 'DROP VIEW app.v; DROP TABLE app.t; DROP DOMAIN app.d',
    faithful:
      'SET LOCAL search_path = app; CREATE DOMAIN d AS int DEFAULT f() CHECK (VALUE > f()); CREATE TABLE t (a d DEFAULT f()); CREATE INDEX i ON t (f()); CREATE VIEW v AS SELECT a, f() AS f FROM t; SET LOCAL search_path = public',
    faulty:
      'SET LOCAL search_path = app; CREATE DOMAIN d AS int DEFAULT f() CHECK (VALUE > f()); CREATE TABLE t (a d DEFAULT f()); CREATE INDEX i ON t (f()); SET LOCAL search_path = public',
    named: 'view app.v',
    change: 'missing',
  },
];

/** Names: migration, rollback, and what is missing without it. */
const renamed: readonly (readonly [up: string, down: string, named: string])[] = [
  ['TABLE app.t RENAME TO u', 'TABLE app.u RENAME TO t', 'table app.t'],
  ['TABLE app.t RENAME COLUMN a TO z', 'TABLE app.t RENAME COLUMN z TO a', 'column app.t.a'],
  ['TABLE app.t RENAME CONSTRAINT c TO d', 'TABLE app.t RENAME CONSTRAINT d TO c', 'constraint c on app.t'],
  ['INDEX app.i RENAME TO j', 'INDEX app.j RENAME TO i', 'index app.i'],
  ['FUNCTION app.f() RENAME TO g', 'FUNCTION app.g() RENAME TO f', 'function app.f()'],
  ['TYPE app.e RENAME TO h', 'TYPE app.h RENAME TO e', 'enum app.e'],
  ['SEQUENCE app.s RENAME TO r', 'SEQUENCE app.r RENAME TO s', 'sequence app.s'],
  ['VIEW app.v RENAME TO w', 'VIEW app.w RENAME TO v', 'view app.v'],
  ['VIEW app.v RENAME COLUMN one TO two', 'VIEW app.v RENAME COLUMN two TO one', 'column app.v.one'],
  ['SCHEMA app_more RENAME TO app_less', 'SCHEMA app_less RENAME TO app_more', 'schema app_more'],
  ['TRIGGER x ON app.t RENAME TO y', 'TRIGGER y ON app.t RENAME TO x', 'trigger x on app.t'],
  ['POLICY x ON app.t RENAME TO y', 'POLICY y ON app.t RENAME TO x', 'policy x on app.t'],
  ['TABLE app.t SET SCHEMA app_more', 'TABLE app_more.t SET SCHEMA app', 'table app.t'],
  ['FUNCTION app.f() SET SCHEMA app_more', 'FUNCTION app_more.f() SET SCHEMA app', 'function app.f()'],
];

const manyThings = `CREATE SCHEMA app_more; CREATE TABLE app.t (a int, CONSTRAINT c CHECK (a > 0)); CREATE INDEX i ON app.t (a);
CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE app.e AS ENUM ('x'); CREATE SEQUENCE app.s;
CREATE VIEW app.v AS SELECT 1 AS one; CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER x BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.touch(); CREATE POLICY x ON app.t USING (true)`;

const people = `CREATE TABLE app.people (id int PRIMARY KEY, name text); INSERT INTO app.people VALUES (1, 'Ada'), (2, 'Grace')`;
const peopleCopy = 'CREATE TABLE app.kept AS SELECT * FROM app.people';

/** Rows that a rollback loses, brings back otherwise or leaves. */
const rows: readonly Story[] = (
  [
    {
      title: 'the rows of a table that was dropped',
      up: 'ALTER TABLE app.people RENAME TO kept',
      faithful: 'ALTER TABLE app.kept RENAME TO people',
      faulty: 'DROP TABLE app.kept; CREATE TABLE app.people (id int PRIMARY KEY, name text)',
    },
    {
      title: 'the values of a column that was renamed',
      up: 'ALTER TABLE app.people RENAME COLUMN name TO full_name',
      faithful: 'ALTER TABLE app.people RENAME COLUMN full_name TO name',
      faulty: 'ALTER TABLE app.people DROP COLUMN full_name; ALTER TABLE app.people ADD COLUMN name text',
    },
    {
      title: 'values that were cut',
      up: 'ALTER TABLE app.people ALTER name TYPE varchar(9)',
      faithful: 'ALTER TABLE app.people ALTER name TYPE text',
      faulty:
        'ALTER TABLE app.people ALTER name TYPE char(2) USING left(name, 2); ALTER TABLE app.people ALTER name TYPE text',
    },
    {
      title: 'values in another case',
      up: 'ALTER TABLE app.people ADD COLUMN loud text; UPDATE app.people SET loud = upper(name)',
      faithful: 'ALTER TABLE app.people DROP COLUMN loud',
      faulty: 'UPDATE app.people SET name = loud; ALTER TABLE app.people DROP COLUMN loud',
    },
    {
      title: 'a row that was deleted',
      up: 'DELETE FROM app.people WHERE id = 2',
      faithful: `INSERT INTO app.people VALUES (2, 'Grace')`,
      faulty: nothing,
    },
    {
      title: 'a value that was updated',
      up: `UPDATE app.people SET name = 'Ada Lovelace' WHERE id = 1`,
      faithful: `UPDATE app.people SET name = 'Ada' WHERE id = 1`,
      faulty: nothing,
    },
    {
      title: 'NULL instead of an empty text',
      up: `UPDATE app.people SET name = '' WHERE id = 1`,
      faithful: `UPDATE app.people SET name = 'Ada' WHERE id = 1`,
      faulty: 'UPDATE app.people SET name = NULL WHERE id = 1',
    },
    {
      title: 'rows that are there twice',
      up: `ALTER TABLE app.people DROP CONSTRAINT people_pkey, ALTER id DROP NOT NULL`,
      faithful: 'ALTER TABLE app.people ADD PRIMARY KEY (id)',
      faulty: `INSERT INTO app.people VALUES (3, 'Ada'); ALTER TABLE app.people ADD PRIMARY KEY (id)`,
    },
    {
      title: "values of two columns in each other's place",
      up: 'ALTER TABLE app.people ADD COLUMN other text; UPDATE app.people SET other = name, name = NULL',
      faithful: 'UPDATE app.people SET name = other; ALTER TABLE app.people DROP COLUMN other',
      faulty: 'ALTER TABLE app.people DROP COLUMN other',
    },
    {
      title: 'all rows, truncated',
      up: `${peopleCopy}; TRUNCATE app.people`,
      faithful: 'INSERT INTO app.people SELECT * FROM app.kept; DROP TABLE app.kept',
      faulty: 'DROP TABLE app.kept',
    },
    {
      title: 'digits after the point',
      up: 'ALTER TABLE app.prices ALTER price TYPE numeric(12,3)',
      faithful: 'ALTER TABLE app.prices ALTER price TYPE numeric(10,2)',
      faulty: 'ALTER TABLE app.prices ALTER price TYPE int; ALTER TABLE app.prices ALTER price TYPE numeric(10,2)',
      before: 'CREATE TABLE app.prices (id int, price numeric(10,2)); INSERT INTO app.prices VALUES (1, 9.95)',
      named: 'rows app.prices',
    },
    {
      title: 'time of day',
      up: 'ALTER TABLE app.prices ALTER at TYPE timestamptz',
      faithful: 'ALTER TABLE app.prices ALTER at TYPE timestamp',
      faulty: 'ALTER TABLE app.prices ALTER at TYPE date; ALTER TABLE app.prices ALTER at TYPE timestamp',
      before: `CREATE TABLE app.prices (id int, at timestamp); INSERT INTO app.prices VALUES (1, '2025-03-01 12:30')`,
      named: 'rows app.prices',
    },
    {
      title: 'rows of a partition',
      up: 'ALTER TABLE app.p DETACH PARTITION app.p1',
      faithful: 'ALTER TABLE app.p ATTACH PARTITION app.p1 FOR VALUES FROM (0) TO (10)',
      faulty: 'DROP TABLE app.p1; CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES FROM (0) TO (10)',
      before:
        'CREATE TABLE app.p (a int) PARTITION BY RANGE (a); CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES FROM (0) TO (10); INSERT INTO app.p VALUES (5)',
      named: 'rows app.p1',
    },
  ] as readonly (Pick<Story, 'title' | 'up' | 'faithful' | 'faulty'> & Partial<Story>)[]
).map((story) => ({ before: people, named: 'rows app.people', change: 'rows', fault: 'lost', ...story }));

/** What no rollback can restore: the faithful one gets another grade than exact, the faulty one goes beyond it. */
const residues: readonly Story[] = [
  {
    title: 'a column in the middle',
    before: 'CREATE TABLE app.t (a int, b text NOT NULL, c int)',
    up: 'ALTER TABLE app.t DROP COLUMN b',
    faithful: 'ALTER TABLE app.t ADD COLUMN b text NOT NULL',
    faulty: 'ALTER TABLE app.t ADD COLUMN b text',
    named: 'column app.t.b',
    change: 'different',
    fault: 'changed',
    grade: 'column-order',
  },
  {
    title: 'the table of a column in the middle',
    before: 'CREATE TABLE app.t (a int, b text, c int); CREATE INDEX i ON app.t (b)',
    up: 'ALTER TABLE app.t DROP COLUMN b',
    faithful: 'ALTER TABLE app.t ADD COLUMN b text; CREATE INDEX i ON app.t (b)',
    faulty: 'ALTER TABLE app.t ADD COLUMN b text',
    named: 'index app.i',
    change: 'missing',
    grade: 'column-order',
  },
  {
    title: 'a label of an enum',
    before: `CREATE TYPE app.mood AS ENUM ('sad', 'glad'); CREATE TABLE app.t (m app.mood)`,
    up: `ALTER TYPE app.mood ADD VALUE IF NOT EXISTS 'calm' BEFORE 'glad'; CREATE INDEX i ON app.t (m)`,
    faithful: 'DROP INDEX app.i',
    faulty: nothing,
    named: 'index app.i',
    change: 'left-over',
    fault: 'left behind',
    grade: 'residue',
  },
];

/** What belongs to the database or the server as a whole. */
const wholes: readonly Story[] = [
  {
    title: 'the connection limit of the database',
    up: onDatabase('CONNECTION LIMIT 5'),
    faithful: onDatabase('CONNECTION LIMIT -1'),
    named: 'database this one',
  },
  {
    title: 'the owner of the database',
    up: onDatabase('OWNER TO mutant_writer'),
    faithful: onDatabase('OWNER TO CURRENT_USER'),
    named: 'database this one',
  },
  {
    title: 'privileges of the database',
    up: databaseGrant('GRANT CREATE', 'TO'),
    faithful: databaseGrant('REVOKE CREATE', 'FROM'),
    named: 'database this one',
  },
  {
    title: 'privileges of the schema public',
    up: 'GRANT CREATE ON SCHEMA public TO mutant_reader',
    faithful: 'REVOKE CREATE ON SCHEMA public FROM mutant_reader',
    named: 'schema public',
  },
].map((story) => ({ ...story, before: '', faulty: nothing, change: 'different', fault: 'changed', alone: true }));

function databaseGrant(verb: string, direction: string): string {
  return `DO $do$ BEGIN EXECUTE format('${verb} ON DATABASE %I ${direction} mutant_reader', current_database()); END $do$`;
}

/** A privilege on a parameter; older servers have none. */
const parameters: Scenario = {
  title: 'privileges of a parameter',
  // They belong to the server, and outlive the database of an earlier test.
  before: 'REVOKE SET ON PARAMETER log_statement FROM mutant_reader',
  up: 'GRANT SET ON PARAMETER log_statement TO mutant_reader',
  faithful: 'REVOKE SET ON PARAMETER log_statement FROM mutant_reader',
  faulty: nothing,
  named: 'parameter privileges log_statement',
  change: 'left-over',
  fault: 'left behind',
  alone: true,
  from: 15,
  until: Infinity,
};

/** Where sequences stand, and what large objects hold. */
const positions: readonly Story[] = [
  {
    title: 'a sequence that starts again',
    before: `CREATE SEQUENCE app.s; SELECT setval('app.s', 41)`,
    up: 'DROP SEQUENCE app.s',
    faithful: `CREATE SEQUENCE app.s; SELECT setval('app.s', 41)`,
    faulty: 'CREATE SEQUENCE app.s',
    named: 'sequence position app.s',
    change: 'different',
  },
  {
    title: 'the sequence of a column that starts again',
    before: 'CREATE TABLE app.t (a int, id bigserial PRIMARY KEY); INSERT INTO app.t (a) VALUES (7), (8)',
    up: 'ALTER SEQUENCE app.t_id_seq RESTART WITH 100',
    faithful: 'ALTER SEQUENCE app.t_id_seq RESTART WITH 3',
    faulty: 'ALTER SEQUENCE app.t_id_seq RESTART WITH 1',
    named: 'sequence position app.t_id_seq',
    change: 'different',
  },
  {
    title: 'a sequence that has gone on',
    before: 'CREATE SEQUENCE app.s',
    up: `SELECT nextval('app.s')`,
    faithful: `SELECT setval('app.s', 1, false); DO $$ BEGIN PERFORM 1; END $$`,
    faulty: nothing,
    named: 'sequence position app.s',
    change: 'different',
    fault: 'left behind',
    caught: 'residue',
  },
  {
    title: 'the content of a large object',
    before: `SELECT lo_from_bytea(LOID, '\\x0102')`,
    up: `SELECT lo_put(LOID, 0, '\\x03')`,
    faithful: `DO $$ BEGIN PERFORM lo_put(LOID, 0, '\\x01'); END $$`,
    faulty: nothing,
    named: 'large object content LOID',
    change: 'different',
    fault: 'changed',
  },
];

export const stories: readonly Scenario[] = [
  ...told,
  ...renamed.map(([up, down, named]): Story => ({
    title: `a name: ${up.toLowerCase()}`,
    before: manyThings,
    up: `ALTER ${up}`,
    faithful: `ALTER ${down}`,
    faulty: nothing,
    named,
    change: 'missing',
  })),
  ...rows,
  ...residues,
  ...positions,
  ...wholes,
]
  .map((story): Scenario => ({ fault: 'lost', from: 0, until: Infinity, ...story }))
  .concat(parameters);
