import type { VersionFiles } from '../harness/project.js';

/*
 * Three versions whose rollbacks take a little time and are not idempotent: whatever ran twice, or half, shows in a row,
 * an object or the list of what was done.
 */

/**
 * How the rollbacks run: each version in a transaction; the middle one statement by statement; or all of them so.
 */
export type Form = 'transactional' | 'mixed' | 'journalled';

export interface FixtureVersion {
  readonly version: string;
  readonly up: string;
  /** The rollback's statements in order, without semicolons. */
  readonly down: readonly string[];
  readonly transactional: boolean;
}

/**
 * There before the first migration, and after the last rollback: a list without any constraint, so that a statement
 * that runs twice leaves two rows, and a procedure that commits, of which nobody but its author can know whether it ran.
 */
export const ground = `CREATE TABLE done (what text);
CREATE PROCEDURE mark(what text) LANGUAGE plpgsql AS $$ BEGIN INSERT INTO done VALUES (what); COMMIT; PERFORM pg_sleep(0.01); END $$`;

const ups = {
  '1': `CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, city text NOT NULL);
INSERT INTO customers SELECT n, 'name ' || n, 'city ' || n % 3 FROM generate_series(1, 20) n;
CREATE INDEX customers_name ON customers (name);
CREATE VIEW names AS SELECT id, name FROM customers;
`,
  '2': `CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL REFERENCES customers, total int NOT NULL);
INSERT INTO orders SELECT n, 1 + n % 20, n * 10 FROM generate_series(1, 30) n;
DROP INDEX customers_name;
CREATE INDEX customers_city ON customers (city);
ALTER TABLE customers ADD COLUMN vip boolean NOT NULL DEFAULT false;
UPDATE customers SET city = upper(city), vip = id % 2 = 0;
`,
  '3': `ALTER TABLE orders ADD COLUMN note text;
UPDATE orders SET note = 'order ' || id, total = total + 1;
CREATE INDEX orders_note ON orders (note);
DROP VIEW names;
CREATE VIEW overview AS SELECT o.id, c.name, o.total, o.note FROM orders o JOIN customers c ON c.id = o.customer;
`,
} as const;

const inTransaction = {
  '3': [
    'DROP VIEW overview',
    `INSERT INTO done VALUES ('overview dropped')`,
    'SELECT pg_sleep(0.02)',
    'UPDATE orders SET total = total - 1',
    'DROP INDEX orders_note',
    'ALTER TABLE orders DROP COLUMN note',
    'SELECT pg_sleep(0.01)',
    'CREATE VIEW names AS SELECT id, name FROM customers',
  ],
  '2': [
    'DROP INDEX customers_city',
    'CREATE INDEX customers_name ON customers (name)',
    `INSERT INTO done VALUES ('index of names back')`,
    'SELECT pg_sleep(0.02)',
    `UPDATE customers SET city = 'city ' || id % 3, name = name || '!'`,
    'ALTER TABLE customers DROP COLUMN vip',
    'SELECT pg_sleep(0.01)',
    'DROP TABLE orders',
  ],
  '1': [
    'DROP VIEW names',
    `INSERT INTO done VALUES ('names dropped')`,
    'SELECT pg_sleep(0.02)',
    'DROP INDEX customers_name',
    'DROP TABLE customers',
    `INSERT INTO done VALUES ('customers dropped')`,
  ],
} as const;

const oneByOne = {
  '3': [
    'DROP VIEW overview',
    'DROP INDEX CONCURRENTLY orders_note',
    `INSERT INTO done VALUES ('overview dropped')`,
    'UPDATE orders SET total = total - 1',
    'SELECT pg_sleep(0.01)',
    'REINDEX INDEX CONCURRENTLY orders_pkey',
    'ALTER TABLE orders DROP COLUMN note',
    'CREATE VIEW names AS SELECT id, name FROM customers',
  ],
  '2': [
    'DROP INDEX CONCURRENTLY customers_city',
    'CREATE INDEX CONCURRENTLY customers_name ON customers (name)',
    `INSERT INTO done VALUES ('index of names back')`,
    `UPDATE customers SET city = 'city ' || id % 3, name = name || '!'`,
    `CALL mark('marked')`,
    'ALTER TABLE customers DROP COLUMN vip',
    'SELECT pg_sleep(0.01)',
    'DROP TABLE orders',
  ],
  '1': [
    'DROP VIEW names',
    `INSERT INTO done VALUES ('names dropped')`,
    'DROP INDEX CONCURRENTLY customers_name',
    'SELECT pg_sleep(0.01)',
    'DROP TABLE customers',
    `INSERT INTO done VALUES ('customers dropped')`,
  ],
} as const;

/** The statement after whose interruption only a person can say whether it was done. */
export const unknowable = `CALL mark('marked')`;

/** Whether the unknowable statement has happened, as a condition. */
export const unknowableDone = `EXISTS (SELECT FROM done WHERE what = 'marked')`;

const gone = { '3': 'overview', '2': 'orders', '1': 'customers' } as const;

/** The versions in the order in which they are rolled back: newest first. */
export function fixtureVersions(form: Form): readonly FixtureVersion[] {
  return (['3', '2', '1'] as const).map((version) => {
    const transactional = form === 'transactional' || (form === 'mixed' && version !== '2');
    return { version, up: ups[version], down: (transactional ? inTransaction : oneByOne)[version], transactional };
  });
}

/** The files of a version. */
export function filesOf({ version, up, down }: FixtureVersion): VersionFiles {
  const object = gone[version as keyof typeof gone];
  const verification = `-- flyback: verify gone\nSELECT to_regclass('${object}') IS NULL;\n-- expect: true\n`;
  return { version, up, down: `${down.join(';\n')};\n${verification}` };
}
