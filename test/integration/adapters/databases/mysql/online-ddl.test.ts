import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadClassifier } from '../../../../../adapters/databases/mysql/classifier.js';
import type { Classifier } from '../../../../../src/adapter/database.js';
import type { OnlineChange } from '../../../../../src/risk/change.js';
import { createDatabase, forEachMysql, type MysqlDatabase } from '../../../../harness/mysql.js';

/*
 * The server is the judge: it accepts ALGORITHM = …, LOCK = … as the classifier foresaw them, and refuses the next cheaper
 * ones where the classifier was certain. What is not certain is told as the worst, which the server always accepts.
 */

const fixture = `
  SET foreign_key_checks = 0;
  DROP TABLE IF EXISTS renamed, plain, generated, keyless, parts, other;
  SET foreign_key_checks = 1;
  CREATE TABLE other (id INT PRIMARY KEY, a INT) ENGINE = InnoDB;
  CREATE TABLE plain (id INT PRIMARY KEY, a INT, b VARCHAR(20), c VARCHAR(20) NOT NULL DEFAULT 'x', e ENUM('p', 'q'),
    i INT, n INT NOT NULL, fk INT, KEY ki (i), UNIQUE KEY uq (n), KEY kfk (fk), CONSTRAINT ck CHECK (a > 0),
    CONSTRAINT f1 FOREIGN KEY (fk) REFERENCES other (id)) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
  CREATE TABLE generated (id INT PRIMARY KEY, a INT, i INT, g INT AS (a + 1) VIRTUAL, gs INT AS (a + 2) STORED, KEY ki (i))
    ENGINE = InnoDB;
  CREATE TABLE keyless (id INT NOT NULL, x INT) ENGINE = InnoDB;
  CREATE TABLE parts (id INT NOT NULL, a INT) ENGINE = InnoDB PARTITION BY RANGE (id)
    (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20));
  INSERT INTO other VALUES (1, 1);
  INSERT INTO plain (id, a, b, e, i, n, fk) VALUES (1, 1, 'a', 'p', 1, 1, 1), (2, 2, 'b', 'q', 2, 2, 1);
  INSERT INTO generated (id, a, i) VALUES (1, 1, 1);
  INSERT INTO keyless VALUES (1, 1);
`;

const items: readonly (readonly [table: string, item: string])[] = [
  ['plain', 'ADD z INT'],
  ['plain', "ADD COLUMN z VARCHAR(9) NOT NULL DEFAULT 'x' COMMENT 'y'"],
  ['plain', 'ADD z DATETIME DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP'],
  ['plain', 'ADD (y INT, z INT)'],
  ['plain', 'ADD (y INT, INDEX (y))'],
  ['plain', 'ADD z INT FIRST'],
  ['generated', 'ADD z INT AFTER a'],
  ['plain', 'ADD z INT AS (a + 1) VIRTUAL'],
  ['plain', 'ADD z INT AS (a + 1) STORED'],
  ['plain', 'ADD z INT GENERATED ALWAYS AS (a + 1) PERSISTENT'],
  ['plain', 'ADD z INT DEFAULT (a + 1)'],
  ['plain', 'ADD z INT UNIQUE'],
  ['keyless', 'ADD z INT PRIMARY KEY'],
  ['keyless', 'ADD z INT AUTO_INCREMENT PRIMARY KEY'],
  ['keyless', 'ADD z INT AUTO_INCREMENT UNIQUE'],
  ['plain', 'ADD z INT CHECK (z > 0)'],
  ['plain', 'ADD z INT REFERENCES other (id)'],
  ['plain', 'ADD z INT, ADD INDEX (a)'],
  ['plain', "ADD z INT, COMMENT = 'x'"],
  ['plain', 'ADD z INT, DROP INDEX ki'],
  ['plain', 'ADD z INT, DROP FOREIGN KEY f1'],
  ['plain', 'DROP b'],
  ['plain', 'DROP COLUMN i'],
  ['generated', 'DROP g'],
  ['generated', 'DROP a, DROP g, DROP gs'],
  ['generated', 'DROP i, ADD INDEX (a)'],
  ['generated', 'ADD z INT, DROP gs, DROP i'],
  ['plain', 'DROP b, ADD z INT'],
  ['plain', 'RENAME COLUMN b TO z'],
  ['plain', 'RENAME COLUMN b TO z, ADD INDEX (a)'],
  ['plain', 'CHANGE b z VARCHAR(20)'],
  ['plain', "ALTER b SET DEFAULT 'q'"],
  ['plain', 'ALTER COLUMN c DROP DEFAULT'],
  ['plain', "MODIFY e ENUM('p', 'r', 'q')"],
  ['plain', "MODIFY e ENUM('p', 'q', 'r')"],
  ['plain', 'MODIFY b VARCHAR(40)'],
  ['plain', 'MODIFY b VARCHAR(10)'],
  ['plain', 'MODIFY b VARCHAR(20) NOT NULL'],
  ['plain', 'MODIFY c VARCHAR(20) NULL'],
  ['plain', 'MODIFY a BIGINT'],
  ['plain', 'ADD INDEX (a)'],
  ['plain', 'ADD KEY k (a), ADD UNIQUE (b)'],
  ['plain', 'ADD CONSTRAINT q UNIQUE (a)'],
  ['plain', 'ADD FULLTEXT (b)'],
  ['plain', 'ADD INDEX (a), ADD FULLTEXT KEY ft (b)'],
  ['plain', 'DROP INDEX ki'],
  ['plain', 'DROP KEY uq'],
  ['plain', 'DROP CONSTRAINT uq'],
  ['plain', 'DROP CONSTRAINT ck'],
  ['plain', 'DROP FOREIGN KEY f1'],
  ['plain', 'DROP FOREIGN KEY f1, DROP INDEX kfk'],
  ['plain', 'RENAME INDEX ki TO kz'],
  ['plain', 'ALTER INDEX ki IGNORED'],
  ['keyless', 'ADD PRIMARY KEY (id)'],
  ['generated', 'DROP PRIMARY KEY'],
  ['plain', 'DROP PRIMARY KEY, ADD PRIMARY KEY (n)'],
  ['plain', 'ADD CHECK (a > 0)'],
  ['plain', 'ADD CONSTRAINT c2 CHECK (a > 0)'],
  ['keyless', 'ADD CONSTRAINT f2 FOREIGN KEY (x) REFERENCES other (id)'],
  ['plain', "COMMENT = 'x'"],
  ['plain', 'AUTO_INCREMENT = 50'],
  ['plain', 'FORCE'],
  ['plain', 'ENGINE = InnoDB'],
  ['plain', 'ROW_FORMAT = COMPACT'],
  ['plain', 'STATS_PERSISTENT = 1, MAX_ROWS = 100'],
  ['plain', 'KEY_BLOCK_SIZE = 8'],
  ['plain', 'DEFAULT CHARACTER SET latin1'],
  ['plain', 'CONVERT TO CHARACTER SET latin1'],
  ['plain', 'CONVERT TO CHARACTER SET utf8mb4'],
  ['keyless', 'ADD SYSTEM VERSIONING'],
  ['keyless', 'RENAME TO renamed'],
  ['keyless', 'RENAME TO renamed, ADD z INT'],
  ['keyless', 'DISABLE KEYS'],
  ['parts', 'ADD INDEX (a)'],
];

const algorithms: readonly OnlineChange['algorithm'][] = ['INSTANT', 'NOCOPY', 'INPLACE', 'COPY'];
const locks: readonly OnlineChange['lock'][] = ['NONE', 'SHARED', 'EXCLUSIVE'];

forEachMysql('changes of a table in use', (server) => {
  let database: MysqlDatabase;
  let connection: Connection;
  let classifier: Classifier;

  beforeAll(async () => {
    database = await createDatabase(server);
    connection = await createConnection({ uri: database.url, multipleStatements: true });
    classifier = await loadClassifier();
  });
  afterAll(async () => {
    await connection.end();
    await database.drop();
  });

  function foreseen(sql: string): OnlineChange {
    const impact = classifier.classify(sql);
    if (!('changes' in impact) || impact.online === undefined) throw new Error(`Nothing is foreseen for ${sql}.`);
    return impact.online;
  }

  /** Undefined when the server did it; else what it said. */
  async function tryIt(sql: string): Promise<string | undefined> {
    await connection.query(fixture);
    return connection.query(sql).then(
      () => undefined,
      (error: unknown) => (error as Error).message,
    );
  }

  const judge = async (sql: string, separator: string): Promise<void> => {
    const { algorithm, lock, isCertain } = foreseen(sql);
    const as = (way: string, who: string): string => [sql, `ALGORITHM = ${way}`, `LOCK = ${who}`].join(separator);
    // Only MariaDB tells more than COPY and INPLACE apart in the same words.
    const isTold = server.product === 'MariaDB' || algorithm === 'COPY';
    if (!isTold) return;
    expect(await tryIt(as(algorithm, lock)), `${algorithm}, ${lock} was foreseen`).toBeUndefined();
    if (!isCertain || server.product !== 'MariaDB') return;
    const cheaper = algorithms[algorithms.indexOf(algorithm) - 1];
    if (cheaper !== undefined) {
      expect(await tryIt(as(cheaper, 'DEFAULT')), `${algorithm} was foreseen`).toMatch(/ALGORITHM=.* is not supported/);
    }
    const looser = locks[locks.indexOf(lock) - 1];
    if (looser !== undefined) {
      expect(await tryIt(as(algorithm, looser)), `${lock} was foreseen`).toMatch(/LOCK=.* is not supported/);
    }
  };

  it.each(items)('ALTER TABLE %s %s', async (table, item) => {
    await judge(`ALTER TABLE ${table} ${item}`, ', ');
  });

  it.each([
    'CREATE INDEX k ON plain (a)',
    'CREATE UNIQUE INDEX k ON plain (a, b)',
    'CREATE FULLTEXT INDEX k ON plain (b)',
  ])('%s', async (sql) => {
    await judge(sql, ' ');
  });

  it.each([
    ['ALTER TABLE plain ADD z INT, ALGORITHM = COPY', 'COPY', 'SHARED'],
    ['ALTER TABLE plain ADD INDEX (a), ALGORITHM = INPLACE, LOCK = SHARED', 'INPLACE', 'SHARED'],
    ['ALTER TABLE plain MODIFY b VARCHAR(40), ALGORITHM = INSTANT', 'INSTANT', 'NONE'],
    ['CREATE INDEX k ON plain (a) LOCK = EXCLUSIVE', 'NOCOPY', 'EXCLUSIVE'],
  ])('%s says how itself', async (sql, algorithm, lock) => {
    expect(foreseen(sql)).toEqual({ algorithm, lock, isCertain: true });
    expect(await tryIt(sql)).toBeUndefined();
  });
});
