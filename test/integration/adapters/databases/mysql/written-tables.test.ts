import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadClassifier } from '../../../../../adapters/databases/mysql/classifier.js';
import type { Classifier } from '../../../../../src/adapter/database.js';
import { createDatabase, forEachMysql, type MysqlDatabase } from '../../../../harness/mysql.js';

/* The server is the judge: each statement runs for real, and the tables of which the checksum is another one then are those written. */

const tables = ['customer', 'orders', 'line', 'stock'] as const;
const fixture = `
  DROP TABLE IF EXISTS ${tables.join(', ')};
  CREATE TABLE customer (id INT PRIMARY KEY, name VARCHAR(20), n INT DEFAULT 0);
  CREATE TABLE orders (id INT PRIMARY KEY, customer_id INT, total INT DEFAULT 0, note VARCHAR(20));
  CREATE TABLE line (id INT PRIMARY KEY, order_id INT, amount INT, seen INT DEFAULT 0);
  CREATE TABLE stock (id INT PRIMARY KEY, amount INT);
  INSERT INTO customer (id, name) VALUES (1, 'a'), (2, 'b');
  INSERT INTO orders (id, customer_id) VALUES (1, 1), (2, 2);
  INSERT INTO line (id, order_id, amount) VALUES (1, 1, 5), (2, 2, 7);
  INSERT INTO stock VALUES (1, 10), (2, 20);
`;

const statements: readonly { readonly sql: string; readonly only?: 'MariaDB' | 'MySQL' }[] = [
  { sql: "INSERT INTO customer (id, name) SELECT id + 10, 'c' FROM orders" },
  { sql: 'INSERT INTO stock VALUES (1, 1) ON DUPLICATE KEY UPDATE amount = 11' },
  { sql: 'REPLACE stock SET id = 1, amount = 12' },
  { sql: 'UPDATE orders SET total = (SELECT SUM(amount) FROM line)' },
  { sql: 'UPDATE orders o JOIN line l ON l.order_id = o.id SET o.total = l.amount' },
  { sql: 'UPDATE orders o, line l SET o.total = l.amount, l.seen = 1 WHERE l.order_id = o.id' },
  {
    sql: 'UPDATE orders AS o LEFT JOIN (SELECT order_id, MAX(amount) AS a FROM line GROUP BY 1) x ON x.order_id = o.id SET o.total = x.a',
  },
  {
    sql: 'UPDATE (orders o JOIN customer c ON c.id = o.customer_id) JOIN line ON line.id = o.id SET c.n = 1, line.seen = 2',
  },
  { sql: 'UPDATE LOW_PRIORITY IGNORE `stock` SET `stock`.`amount` = 3 ORDER BY id LIMIT 1' },
  { sql: 'DELETE FROM line WHERE order_id IN (SELECT id FROM orders)' },
  { sql: 'DELETE o FROM orders o JOIN line l ON l.order_id = o.id' },
  { sql: 'DELETE o, line.* FROM orders AS o JOIN line ON line.order_id = o.id JOIN customer c' },
  { sql: 'DELETE FROM c USING customer AS c JOIN orders ON orders.customer_id = c.id' },
  { sql: 'DELETE QUICK FROM stock LIMIT 1' },
  { sql: 'TRUNCATE TABLE stock' },
  { sql: 'TRUNCATE line' },
  { sql: 'WITH x AS (SELECT 1 AS id) SELECT * FROM x JOIN stock USING (id) FOR UPDATE' },
  { sql: 'WITH x AS (SELECT 1 AS id) DELETE FROM stock WHERE id IN (SELECT id FROM x)', only: 'MySQL' },
  { sql: 'WITH x AS (SELECT 1 AS id) UPDATE stock JOIN x USING (id) SET amount = 4', only: 'MySQL' },
  {
    sql: 'BEGIN NOT ATOMIC IF 1 THEN DELETE FROM line; ELSE SET @x = 1; END IF; UPDATE stock SET amount = 0; END',
    only: 'MariaDB',
  },
  { sql: "EXECUTE IMMEDIATE 'DELETE FROM `line` WHERE id = 1'", only: 'MariaDB' },
  { sql: 'SET STATEMENT max_statement_time = 10 FOR UPDATE customer SET n = 9', only: 'MariaDB' },
  { sql: 'DELETE FROM stock WHERE id = 1 RETURNING *', only: 'MariaDB' },
  { sql: '/*!50000 UPDATE customer SET n = 8 */' },
  { sql: 'ALTER TABLE stock ADD b INT' },
  { sql: 'SELECT * FROM customer, orders' },
];

forEachMysql('written tables', (server) => {
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

  async function rows(): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for (const table of tables) {
      const [list] = await connection.query<RowDataPacket[]>(`SELECT * FROM ${table} ORDER BY id`);
      // A column that is added is no row that is written.
      found.set(table, JSON.stringify(list.map(({ b: _added, ...row }) => row as unknown)));
    }
    return found;
  }

  it.each(statements.filter(({ only }) => only === undefined || only === server.product))('$sql', async ({ sql }) => {
    const impact = classifier.classify(sql);
    if (!('changes' in impact)) throw new Error(impact.message);
    await connection.query(fixture);
    const before = await rows();
    await connection.query(sql);
    const after = await rows();
    const written = tables.filter((table) => before.get(table) !== after.get(table));
    expect(impact.writes.map(({ name }) => name).sort()).toEqual([...written].sort());
  });
});
