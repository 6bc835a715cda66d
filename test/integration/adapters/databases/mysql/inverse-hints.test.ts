import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadClassifier } from '../../../../../adapters/databases/mysql/classifier.js';
import type { Classifier } from '../../../../../src/adapter/database.js';
import { createDatabase, forEachMysql, type MysqlDatabase } from '../../../../harness/mysql.js';

/*
 * The server is the judge: after a statement and the lines of its hint that are SQL, every table, view, routine and trigger is as
 * it was before. Where only a person can know, there is no such line.
 */

const fixture = `
  CREATE TABLE customer (id INT PRIMARY KEY, name VARCHAR(20) NOT NULL, note VARCHAR(50));
  CREATE TABLE purchase (id INT PRIMARY KEY, customer_id INT, amount INT DEFAULT 5, KEY by_customer (customer_id),
    CONSTRAINT positive CHECK (amount > 0));
  CREATE TABLE \`odd \`\`name\` (id INT NOT NULL);
  CREATE TABLE parts (id INT NOT NULL) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10));
  CREATE TABLE apart (id INT NOT NULL);
  INSERT INTO customer VALUES (1, 'a', NULL);
  CREATE VIEW rich AS SELECT id FROM customer;
  CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1;
`;

const reversible: readonly { readonly sql: string; readonly only?: 'MariaDB' | 'MySQL' }[] = [
  { sql: 'CREATE TABLE fresh (id INT)' },
  { sql: 'CREATE TABLE IF NOT EXISTS `fre``sh` LIKE customer' },
  { sql: 'CREATE TABLE fresh AS SELECT * FROM customer' },
  { sql: 'RENAME TABLE customer TO old_customer, apart TO customer' },
  { sql: 'ALTER TABLE apart RENAME TO apart_2, ADD COLUMN z INT' },
  { sql: 'ALTER TABLE purchase ADD COLUMN z INT, ADD (y INT, x INT)' },
  { sql: 'ALTER TABLE purchase ADD COLUMN z INT FIRST, ADD INDEX by_z (z)' },
  { sql: 'ALTER TABLE purchase ADD INDEX (amount), ADD UNIQUE KEY uq (amount)' },
  { sql: 'ALTER TABLE `odd ``name` ADD PRIMARY KEY (id)' },
  { sql: 'ALTER TABLE purchase ADD CONSTRAINT to_customer FOREIGN KEY (customer_id) REFERENCES customer (id)' },
  { sql: 'ALTER TABLE purchase ADD CONSTRAINT small CHECK (amount < 100)' },
  { sql: 'ALTER TABLE purchase RENAME COLUMN amount TO total, RENAME INDEX by_customer TO by_c', only: 'MySQL' },
  { sql: 'ALTER TABLE customer RENAME COLUMN note TO remark' },
  { sql: 'ALTER TABLE purchase RENAME INDEX by_customer TO by_c' },
  { sql: "ALTER TABLE customer ALTER name SET DEFAULT 'x'" },
  { sql: 'ALTER TABLE purchase ALTER INDEX by_customer IGNORED', only: 'MariaDB' },
  { sql: 'ALTER TABLE purchase ALTER INDEX by_customer INVISIBLE', only: 'MySQL' },
  { sql: 'ALTER TABLE apart PARTITION BY HASH (id) PARTITIONS 2' },
  { sql: 'ALTER TABLE parts EXCHANGE PARTITION p0 WITH TABLE apart' },
  { sql: 'ALTER TABLE apart ADD SYSTEM VERSIONING', only: 'MariaDB' },
  { sql: 'CREATE INDEX by_amount ON purchase (amount)' },
  { sql: 'CREATE UNIQUE INDEX by_name ON customer (name(5)) USING BTREE' },
  { sql: 'CREATE VIEW v AS SELECT 1 AS a' },
  { sql: 'CREATE DEFINER = CURRENT_USER SQL SECURITY INVOKER VIEW v AS SELECT 1 AS a' },
  { sql: 'CREATE PROCEDURE p() SELECT 1' },
  { sql: 'CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1' },
  { sql: 'CREATE TRIGGER tr BEFORE INSERT ON customer FOR EACH ROW SET NEW.note = "x"' },
  { sql: 'CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1' },
  { sql: 'ALTER EVENT nightly RENAME TO daily' },
  { sql: 'ALTER EVENT nightly ENABLE' },
  { sql: 'CREATE SEQUENCE s', only: 'MariaDB' },
  { sql: "INSERT INTO customer (name, id) VALUES ('it''s', 7), ('b', -8)" },
  { sql: 'SET @x = 1' },
];

/** What was there before is nowhere in these: nothing may be run. */
const advised: readonly string[] = [
  'DROP TABLE purchase',
  'DROP VIEW rich',
  'DROP INDEX by_customer ON purchase',
  'ALTER TABLE purchase DROP COLUMN amount',
  'ALTER TABLE purchase DROP INDEX by_customer, DROP CONSTRAINT positive',
  'ALTER TABLE purchase MODIFY amount BIGINT',
  'ALTER TABLE purchase CHANGE amount total BIGINT NOT NULL',
  'ALTER TABLE purchase ALTER amount DROP DEFAULT',
  'ALTER TABLE purchase ADD CHECK (amount < 7)',
  "ALTER TABLE purchase COMMENT = 'x'",
  'ALTER TABLE purchase CONVERT TO CHARACTER SET latin1',
  'ALTER TABLE parts DROP PARTITION p0',
  'UPDATE customer SET name = 1',
  'DELETE FROM customer',
  'TRUNCATE customer',
  'INSERT INTO customer SELECT * FROM customer',
  'CALL p()',
  'GRANT SELECT ON customer TO somebody',
  'SET GLOBAL max_connections = 5',
];

forEachMysql('inverse hints', (server) => {
  let database: MysqlDatabase;
  let connection: Connection;
  let classifier: Classifier;

  beforeAll(async () => {
    database = await createDatabase(server);
    connection = await createConnection({ uri: database.rootUrl, multipleStatements: true });
    classifier = await loadClassifier();
  });
  afterAll(async () => {
    await connection.end();
    await database.drop();
  });

  const ask = async (sql: string): Promise<readonly RowDataPacket[]> =>
    (await connection.query<RowDataPacket[]>(sql))[0];

  async function snapshot(): Promise<readonly string[]> {
    const parts: string[] = [];
    for (const { name } of await ask(
      'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1',
    )) {
      const quoted = `\`${String(name).replaceAll('`', '``')}\``;
      const [created] = await ask(`SHOW CREATE TABLE ${quoted}`);
      parts.push(JSON.stringify(created).replaceAll(/ AUTO_INCREMENT=\d+/g, ''));
      parts.push(JSON.stringify(await ask(`SELECT * FROM ${quoted} ORDER BY 1`)));
    }
    parts.push(
      JSON.stringify(
        await ask(`SELECT routine_name, routine_type FROM information_schema.routines WHERE routine_schema = DATABASE()
          UNION ALL SELECT trigger_name, event_object_table FROM information_schema.triggers WHERE trigger_schema = DATABASE()
          UNION ALL SELECT event_name, status FROM information_schema.events WHERE event_schema = DATABASE() ORDER BY 1, 2`),
      ),
    );
    return parts;
  }

  const fresh = async (): Promise<void> => {
    await connection.query(
      `DROP DATABASE \`${database.name}\`; CREATE DATABASE \`${database.name}\` CHARACTER SET utf8mb4; USE \`${database.name}\``,
    );
    await connection.query(fixture);
  };

  it.each(reversible.filter(({ only }) => only === undefined || only === server.product))('$sql', async ({ sql }) => {
    await fresh();
    const before = await snapshot();
    await connection.query(sql);
    const lines = classifier.inverseHints(sql).filter((line) => !line.startsWith('-- '));
    if (!sql.startsWith('SET @')) expect(lines).not.toEqual([]);
    for (const line of lines) await connection.query(line);
    expect(await snapshot()).toEqual(before);
  });

  it.each(advised)('%s', (sql) => {
    const lines = classifier.inverseHints(sql);
    expect(lines).not.toEqual([]);
    for (const line of lines) expect(line).toMatch(/^-- /);
  });
});
