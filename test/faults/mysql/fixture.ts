import { checksumOf } from '../../../adapters/histories/flyway/checksum.js';
import type { VersionFiles } from '../../harness/project.js';

/*
 * Three versions whose rollbacks are not idempotent: whatever ran twice, or half, shows in a row, in an object, or in the
 * list of what was done. The newest is DML alone, hence one transaction; the others are DDL and DML in turn.
 */

export interface FixtureVersion {
  readonly version: string;
  readonly up: readonly string[];
  /** The rollback's statements in order, without semicolons. */
  readonly down: readonly string[];
  readonly isTransactional: boolean;
}

/** There before the first migration, and after the last rollback: a list without any constraint. */
export const ground: readonly string[] = ['CREATE TABLE done (what VARCHAR(40))'];

/** The versions in the order in which they are rolled back: newest first. */
export const versions: readonly FixtureVersion[] = [
  {
    version: '3',
    isTransactional: true,
    up: ["UPDATE orders SET total = total + 1, note = CONCAT('order ', id)"],
    down: [
      'UPDATE orders SET total = total - 1, note = NULL',
      "INSERT INTO done VALUES ('orders as before')",
      'DO SLEEP(0.02)',
      "UPDATE customers SET name = CONCAT(name, '!')",
    ],
  },
  {
    version: '2',
    isTransactional: false,
    up: [
      'CREATE TABLE orders (id INT PRIMARY KEY, customer INT NOT NULL, total INT NOT NULL, note VARCHAR(40), CONSTRAINT of_customer FOREIGN KEY (customer) REFERENCES customers (id))',
      'INSERT INTO orders (id, customer, total) SELECT id, id, id * 10 FROM customers',
      'DROP INDEX by_name ON customers',
      'CREATE INDEX by_city ON customers (city)',
      'ALTER TABLE customers ADD COLUMN vip TINYINT NOT NULL DEFAULT 0',
      'CREATE TABLE log_a (i INT)',
      'CREATE TABLE log_b (i INT)',
    ],
    down: [
      'DROP INDEX by_city ON customers',
      'CREATE INDEX by_name ON customers (name)',
      "INSERT INTO done VALUES ('index of names back')",
      "UPDATE customers SET city = CONCAT(city, '?')",
      'ALTER TABLE customers DROP COLUMN vip',
      'DROP TABLE log_a, log_b',
      'ALTER TABLE orders DROP FOREIGN KEY of_customer, MODIFY COLUMN note TEXT, ALGORITHM = COPY',
      'DO SLEEP(0.01)',
      'DROP TABLE orders',
    ],
  },
  {
    version: '1',
    isTransactional: false,
    up: [
      'CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL, city VARCHAR(40) NOT NULL)',
      `INSERT INTO customers VALUES ${Array.from({ length: 20 }, (_, at) => `(${at + 1}, 'name ${at}', 'city ${at % 3}')`).join(', ')}`,
      'CREATE INDEX by_name ON customers (name)',
      'CREATE VIEW names AS SELECT id, name FROM customers',
      "CREATE TRIGGER on_customer BEFORE DELETE ON customers FOR EACH ROW INSERT INTO done VALUES ('fired')",
    ],
    down: [
      'DROP VIEW names',
      'DROP TRIGGER on_customer',
      "INSERT INTO done VALUES ('names dropped')",
      'RENAME TABLE customers TO clients',
      'DELETE FROM clients WHERE id > 10',
      "INSERT INTO done VALUES ('clients halved')",
      'DROP TABLE clients',
    ],
  },
];

/** The files of a version. */
export function filesOf({ version, up, down }: FixtureVersion): VersionFiles {
  return {
    version,
    up: `${up.join(';\n')};\n`,
    down: `${down.join(';\n')};\n-- flyback: verify nothing fired\nSELECT COUNT(*) FROM done WHERE what = 'fired';\n-- expect: 0\n`,
  };
}

const historyTable = `CREATE TABLE flyway_schema_history (
 installed_rank INT NOT NULL PRIMARY KEY, version VARCHAR(50), description VARCHAR(200) NOT NULL, type VARCHAR(20) NOT NULL, script VARCHAR(1000) NOT NULL,
 checksum INT, installed_by VARCHAR(100) NOT NULL, installed_on TIMESTAMP NOT NULL, execution_time INT NOT NULL, success BOOL NOT NULL, KEY flyway_schema_history_s_idx (success))`;

/** In an empty database: everything up to the three applied versions, and the history as Flyway writes it. */
export function fixtureStatements(): readonly string[] {
  const applied = versions
    .toReversed()
    .flatMap((version, index) => [
      ...version.up,
      `INSERT INTO flyway_schema_history VALUES (${index + 1}, '${version.version}', 'step', 'SQL', 'V${version.version}__step.sql', ${String(checksumOf(filesOf(version).up))}, 'somebody', '2026-01-02 03:04:05', 1, 1)`,
    ]);
  return [...ground, historyTable, ...applied];
}
