import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mysql } from '../../../adapters/databases/mysql/index.js';
import { mysqlProofQueries as queries } from '../../../adapters/databases/mysql/catalog/proof-queries.js';
import type { Session } from '../../../src/adapter/database.js';
import type { CatalogChange } from '../../../src/proof/compare-catalogs.js';
import { compareRows } from '../../../src/proof/compare-rows.js';
import { gradeOfCatalog } from '../../../src/proof/grade.js';
import { comparePictures, type Picture } from '../../../src/proof/picture.js';
import { createDatabase, forEachMysql, type MysqlDatabase } from '../../harness/mysql.js';
import { mysqlSettings } from '../../harness/mysql-settings.js';

/* The judge on real servers: what is other must show, and what is the same must not. */

/** Every kind of thing that a database can hold, each with a property that some mutant changes. */
const base = [
  `CREATE TABLE customers (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL DEFAULT 'x', mail VARCHAR(80) COLLATE utf8mb4_bin, state ENUM('new', 'old') NOT NULL DEFAULT 'new',
   flags SET('a', 'b'), note TEXT COMMENT 'said; on the telephone', born DATE, total DECIMAL(10,2) GENERATED ALWAYS AS (LENGTH(name) * 2) STORED, changed TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
   KEY by_name (name, state), UNIQUE KEY by_mail (mail(20)), FULLTEXT KEY words (note)) COMMENT 'people'`,
  `CREATE TABLE orders (id INT PRIMARY KEY, customer INT NOT NULL, amount INT NOT NULL, CONSTRAINT positive CHECK (amount > 0), CONSTRAINT owner FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE)`,
  `CREATE TABLE parts (id INT NOT NULL, at INT NOT NULL) PARTITION BY RANGE (at) (PARTITION early VALUES LESS THAN (10), PARTITION late VALUES LESS THAN MAXVALUE)`,
  `CREATE TABLE counters (id INT AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 40`,
  `CREATE TABLE log (text VARCHAR(200))`,
  `CREATE VIEW names AS SELECT id, name FROM customers WHERE id > 0`,
  `CREATE TRIGGER noted AFTER INSERT ON orders FOR EACH ROW INSERT INTO log VALUES ('new')`,
  `CREATE TRIGGER noted_too AFTER INSERT ON orders FOR EACH ROW INSERT INTO log VALUES ('newer')`,
  `CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 2`,
  `CREATE PROCEDURE tidy(IN days INT) MODIFIES SQL DATA BEGIN DELETE FROM log; END`,
  `CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 03:00:00' DO DELETE FROM log`,
  `INSERT INTO customers (id, name, mail, changed) VALUES (1, 'Ada', 'a@x', NULL), (2, 'Bob', 'b@x', NULL)`,
];

/** What is done to the database, and the object that has to be named for it. */
const mutants: Readonly<Record<string, readonly [sql: string | readonly string[], found: string]>> = {
  'a column more': ['ALTER TABLE orders ADD extra INT', 'column orders.extra'],
  'a column less': ['ALTER TABLE customers DROP born', 'column customers.born'],
  'the order of columns': ['ALTER TABLE customers MODIFY born DATE FIRST', 'column order customers'],
  'the type of a column': [
    'ALTER TABLE customers MODIFY name VARCHAR(41) NOT NULL DEFAULT "x"',
    'column customers.name',
  ],
  'whether a number has a sign': ['ALTER TABLE orders MODIFY amount INT UNSIGNED NOT NULL', 'column orders.amount'],
  'a default': ["ALTER TABLE customers ALTER name SET DEFAULT 'y'", 'column customers.name'],
  'no default': ['ALTER TABLE customers ALTER name DROP DEFAULT', 'column customers.name'],
  'NULL allowed': ["ALTER TABLE customers MODIFY name VARCHAR(40) DEFAULT 'x'", 'column customers.name'],
  'the collation of a column': [
    'ALTER TABLE customers MODIFY mail VARCHAR(80) COLLATE utf8mb4_unicode_ci',
    'column customers.mail',
  ],
  'the character set of a column': ['ALTER TABLE log MODIFY text VARCHAR(200) CHARACTER SET latin1', 'column log.text'],
  'the order of enum labels': [
    "ALTER TABLE customers MODIFY state ENUM('old', 'new') NOT NULL DEFAULT 'new'",
    'column customers.state',
  ],
  'an enum label more': [
    "ALTER TABLE customers MODIFY state ENUM('new', 'old', 'gone') NOT NULL DEFAULT 'new'",
    'column customers.state',
  ],
  'a set member less': ["ALTER TABLE customers MODIFY flags SET('a')", 'column customers.flags'],
  'the comment of a column': ["ALTER TABLE customers MODIFY note TEXT COMMENT 'said'", 'column customers.note'],
  'the expression of a generated column': [
    'ALTER TABLE customers MODIFY total DECIMAL(10,2) GENERATED ALWAYS AS (LENGTH(name) * 3) STORED',
    'column customers.total',
  ],
  'ON UPDATE of a column': [
    'ALTER TABLE customers MODIFY changed TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP',
    'column customers.changed',
  ],
  'AUTO_INCREMENT of a column': ['ALTER TABLE counters MODIFY id INT NOT NULL', 'column counters.id'],
  'an invisible column': ['ALTER TABLE customers MODIFY born DATE INVISIBLE', 'column customers.born'],
  'a table more': ['CREATE TABLE extra (id INT)', 'table extra'],
  'a table less': ['DROP TABLE parts', 'table parts'],
  'another name of a table': ['RENAME TABLE log TO logs', 'table log'],
  'the comment of a table': ["ALTER TABLE customers COMMENT 'folk'", 'table customers'],
  'the engine': ['ALTER TABLE log ENGINE = MyISAM', 'table log'],
  'the row format': ['ALTER TABLE log ROW_FORMAT = COMPACT', 'table log'],
  'the default collation of a table': ['ALTER TABLE log DEFAULT COLLATE utf8mb4_bin', 'table log'],
  'the statistics of a table': ['ALTER TABLE log STATS_PERSISTENT = 1', 'table log'],
  'a partition more': [
    'ALTER TABLE parts REORGANIZE PARTITION late INTO (PARTITION mid VALUES LESS THAN (20), PARTITION late VALUES LESS THAN MAXVALUE)',
    'table parts',
  ],
  'no partitions': ['ALTER TABLE parts REMOVE PARTITIONING', 'table parts'],
  'an index less': ['ALTER TABLE customers DROP KEY by_name', 'index by_name on customers'],
  'an index more': ['CREATE INDEX extra ON orders (amount)', 'index extra on orders'],
  'the order of columns in an index': [
    'ALTER TABLE customers DROP KEY by_name, ADD KEY by_name (state, name)',
    'index by_name on customers',
  ],
  'the direction in an index': [
    'ALTER TABLE customers DROP KEY by_name, ADD KEY by_name (name DESC, state)',
    'index by_name on customers',
  ],
  'the length of a prefix': [
    'ALTER TABLE customers DROP KEY by_mail, ADD UNIQUE KEY by_mail (mail(21))',
    'index by_mail on customers',
  ],
  uniqueness: ['ALTER TABLE customers DROP KEY by_mail, ADD KEY by_mail (mail(20))', 'index by_mail on customers'],
  'the comment of an index': [
    "ALTER TABLE customers DROP KEY by_name, ADD KEY by_name (name, state) COMMENT 'n'",
    'index by_name on customers',
  ],
  'a full-text index that is a plain one': [
    'ALTER TABLE customers DROP KEY words, ADD KEY words (note(10))',
    'index words on customers',
  ],
  'the primary key': ['ALTER TABLE orders DROP PRIMARY KEY, ADD PRIMARY KEY (id, customer)', 'index PRIMARY on orders'],
  'the rule of a foreign key': [
    'ALTER TABLE orders DROP FOREIGN KEY owner; ALTER TABLE orders ADD CONSTRAINT owner FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE ON UPDATE CASCADE'.split(
      '; ',
    ),
    'constraint owner on orders',
  ],
  'the name of a foreign key': [
    'ALTER TABLE orders DROP FOREIGN KEY owner; ALTER TABLE orders ADD CONSTRAINT owns FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE'.split(
      '; ',
    ),
    'constraint owner on orders',
  ],
  'no foreign key': ['ALTER TABLE orders DROP FOREIGN KEY owner', 'constraint owner on orders'],
  'a check': [
    'ALTER TABLE orders DROP CONSTRAINT positive; ALTER TABLE orders ADD CONSTRAINT positive CHECK (amount >= 0)'.split(
      '; ',
    ),
    'constraint positive on orders',
  ],
  'no check': ['ALTER TABLE orders DROP CONSTRAINT positive', 'constraint positive on orders'],
  'the query of a view': ['CREATE OR REPLACE VIEW names AS SELECT id, name FROM customers WHERE id > 1', 'view names'],
  'the security of a view': [
    'CREATE OR REPLACE SQL SECURITY INVOKER VIEW names AS SELECT id, name FROM customers WHERE id > 0',
    'view names',
  ],
  'the algorithm of a view': [
    'CREATE OR REPLACE ALGORITHM = MERGE VIEW names AS SELECT id, name FROM customers WHERE id > 0',
    'view names',
  ],
  'a check option': [
    'CREATE OR REPLACE VIEW names AS SELECT id, name FROM customers WHERE id > 0 WITH CHECK OPTION',
    'view names',
  ],
  'a view less': ['DROP VIEW names', 'view names'],
  'the body of a trigger': [
    [
      'DROP TRIGGER noted_too',
      "CREATE TRIGGER noted_too AFTER INSERT ON orders FOR EACH ROW INSERT INTO log VALUES ('newest')",
    ],
    'trigger noted_too on orders',
  ],
  'the order of triggers': [
    ['DROP TRIGGER noted', "CREATE TRIGGER noted AFTER INSERT ON orders FOR EACH ROW INSERT INTO log VALUES ('new')"],
    'trigger noted on orders',
  ],
  'when a trigger fires': [
    [
      'DROP TRIGGER noted_too',
      "CREATE TRIGGER noted_too AFTER UPDATE ON orders FOR EACH ROW INSERT INTO log VALUES ('newer')",
    ],
    'trigger noted_too on orders',
  ],
  'the sql_mode of a trigger': [
    [
      "SET sql_mode = 'ANSI_QUOTES'",
      'DROP TRIGGER noted_too',
      "CREATE TRIGGER noted_too AFTER INSERT ON orders FOR EACH ROW INSERT INTO log VALUES ('newer')",
    ],
    'trigger noted_too on orders',
  ],
  'the body of a function': [
    ['DROP FUNCTION twice', 'CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 3'],
    'function twice',
  ],
  'what a function returns': [
    ['DROP FUNCTION twice', 'CREATE FUNCTION twice(n INT) RETURNS BIGINT DETERMINISTIC RETURN n * 2'],
    'function twice',
  ],
  'what a function takes': [
    ['DROP FUNCTION twice', 'CREATE FUNCTION twice(n BIGINT) RETURNS INT DETERMINISTIC RETURN n * 2'],
    'function twice',
  ],
  'whether a function is deterministic': [
    ['DROP FUNCTION twice', 'CREATE FUNCTION twice(n INT) RETURNS INT NO SQL RETURN n * 2'],
    'function twice',
  ],
  'the direction of a parameter': [
    ['DROP PROCEDURE tidy', 'CREATE PROCEDURE tidy(OUT days INT) MODIFIES SQL DATA BEGIN DELETE FROM log; END'],
    'procedure tidy',
  ],
  'the data access of a procedure': ['ALTER PROCEDURE tidy READS SQL DATA', 'procedure tidy'],
  'the security of a procedure': ['ALTER PROCEDURE tidy SQL SECURITY INVOKER', 'procedure tidy'],
  'the comment of a procedure': ["ALTER PROCEDURE tidy COMMENT 'c'", 'procedure tidy'],
  'when an event runs': ['ALTER EVENT nightly ON SCHEDULE EVERY 2 DAY', 'event nightly'],
  'when an event begins': ["ALTER EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2031-01-01 03:00:00'", 'event nightly'],
  'what an event does': ['ALTER EVENT nightly DO DELETE FROM parts', 'event nightly'],
  'an event that is off': ['ALTER EVENT nightly DISABLE', 'event nightly'],
  'an event less': ['DROP EVENT nightly', 'event nightly'],
  'a privilege on the database': ['GRANT SELECT ON DATABASE.* TO reader', "grant 'READER'@'%' on the database"],
  'a privilege on a table': ['GRANT SELECT ON DATABASE.log TO reader', "grant 'READER'@'%' on table log"],
  'a privilege on a column': ['GRANT UPDATE (text) ON DATABASE.log TO reader', "grant 'READER'@'%' on column log.text"],
  'a privilege on a routine': [
    'GRANT EXECUTE ON PROCEDURE DATABASE.tidy TO reader',
    "grant 'READER'@'%' on procedure tidy",
  ],
  'the default collation of the database': ['ALTER DATABASE DATABASE COLLATE utf8mb4_bin', 'database of the project'],
  'a position put back': ['ALTER TABLE customers AUTO_INCREMENT = 90', 'sequence position customers.id'],
};

/** Ways to say the same, or to do something and take it back. */
const equals: Readonly<Record<string, readonly string[]>> = {
  nothing: [],
  'a column added and dropped': ['ALTER TABLE orders ADD extra INT', 'ALTER TABLE orders DROP extra'],
  'the same words of a type': [
    'ALTER TABLE orders MODIFY amount INTEGER NOT NULL',
    'ALTER TABLE customers MODIFY name CHARACTER VARYING(40) NOT NULL DEFAULT "x"',
  ],
  'an explicit collation that is the default': ['ALTER TABLE log MODIFY text VARCHAR(200) CHARACTER SET utf8mb4'],
  'an explicit NULL': ['ALTER TABLE customers MODIFY born DATE NULL DEFAULT NULL'],
  'an index with USING BTREE': ['ALTER TABLE customers DROP KEY by_name, ADD KEY by_name (name, state) USING BTREE'],
  'an ascending index': ['ALTER TABLE customers DROP KEY by_name, ADD INDEX by_name (name ASC, state ASC)'],
  'a rule that is the usual one': [
    'ALTER TABLE orders DROP FOREIGN KEY owner',
    'ALTER TABLE orders ADD CONSTRAINT owner FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE ON UPDATE NO ACTION',
  ],
  'a view with other blanks': ['CREATE OR REPLACE VIEW names AS select  id ,name from customers\n where id>0'],
  'a view that names the database': [
    'CREATE OR REPLACE VIEW names AS SELECT id, name FROM DATABASE.customers WHERE id > 0',
  ],
  'a check with other blanks': [
    'ALTER TABLE orders DROP CONSTRAINT positive',
    'ALTER TABLE orders ADD CONSTRAINT positive CHECK ((amount>0))',
  ],
  'the usual row format': ['ALTER TABLE log ROW_FORMAT = DYNAMIC'],
  'a rename and back': ['RENAME TABLE log TO logs', 'RENAME TABLE logs TO log'],
  'another mode of the session': [
    "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', time_zone = '+05:00', sql_quote_show_create = 0",
  ],
  'analysed statistics': ['ANALYZE TABLE customers, orders'],
};

forEachMysql('the catalog of', (server) => {
  const made: MysqlDatabase[] = [];
  const reader = `u${Date.now().toString(36)}r`;
  const open = async (name?: string): Promise<{ session: Session; database: MysqlDatabase }> => {
    const database = await createDatabase(server, name);
    made.push(database);
    const session = await mysql.connect(mysqlSettings(database.rootUrl));
    await run(session, base);
    return { session, database };
  };
  const close = async ({ session, database }: Awaited<ReturnType<typeof open>>): Promise<void> => {
    await session.close();
    await database.drop();
    made.splice(made.indexOf(database), 1);
  };
  beforeAll(async () => {
    const { session, database } = await open();
    await run(session, [`CREATE USER ${reader}@'%'`]);
    await close({ session, database });
  });
  afterAll(async () => {
    const { session, database } = await open();
    await run(session, [`DROP USER ${reader}@'%'`]);
    await close({ session, database });
    for (const left of made) await left.drop();
  });

  describe('says different for', () => {
    test.each(Object.entries(mutants))('%s', async (_, [statements, found]) => {
      const opened = await open();
      const { session, database } = opened;
      const before = await look(session);
      const list = typeof statements === 'string' ? [statements] : statements;
      await run(
        session,
        list.map((sql) =>
          sql
            .replaceAll('DATABASE ', `${database.name} `)
            .replaceAll('DATABASE.', `${database.name}.`)
            .replaceAll('reader', `${reader}@'%'`)
            .replace(`ALTER ${database.name} `, 'ALTER DATABASE '),
        ),
      );
      const changes = comparePictures(before, await look(session));
      expect(changes.map(subject)).toContain(found.replace('READER', reader));
      // And whoever puts it back, is told nothing of it again.
      expect(comparePictures(before, before)).toEqual([]);
      await close(opened);
    });
  });

  describe('says equal for', () => {
    test.each(Object.entries(equals))('%s', async (_, statements) => {
      const opened = await open();
      const before = await look(opened.session);
      await run(
        opened.session,
        statements.map((sql) => sql.replaceAll('DATABASE', opened.database.name)),
      );
      const after = await look(opened.session);
      expect(comparePictures(before, after)).toEqual([]);
      expect(compareRows(before.rows, after.rows)).toEqual([]);
      await close(opened);
    });

    test('the same in a database of another name', async () => {
      const one = await open();
      const other = await open(`shop \`${Date.now()}`);
      const [a, b] = [await look(one.session), await look(other.session)];
      const isOfDatabase = ({ kind }: CatalogChange): boolean => kind === 'grant';
      expect(comparePictures(a, b).filter((change) => !isOfDatabase(change))).toEqual([]);
      expect(compareRows(a.rows, b.rows)).toEqual([]);
      await close(one);
      await close(other);
    });
  });

  test('a position that stands further on is residue, one that stands behind is a difference', async () => {
    const opened = await open();
    const before = await look(opened.session);
    await run(opened.session, ['INSERT INTO counters VALUES (NULL)', 'DELETE FROM counters']);
    const after = await look(opened.session);
    expect(gradeOfCatalog(comparePictures(before, after))).toBe('residue');
    expect(gradeOfCatalog(comparePictures(after, before))).toBe('different');
    await close(opened);
  });

  test('settings and the database of the session are as they were afterwards', async () => {
    const opened = await open();
    const settings = 'SELECT DATABASE(), @@sql_mode, @@time_zone, @@sql_quote_show_create';
    await run(opened.session, ["SET sql_mode = 'ANSI_QUOTES', time_zone = '+03:00'", 'USE mysql']);
    const [before] = await opened.session.query(settings);
    const seen = await look(opened.session);
    expect(seen.catalog.objects.some(({ kind, name }) => kind === 'table' && name === 'customers')).toBe(true);
    expect((await opened.session.query(settings))[0]?.rows).toEqual(before?.rows);
    await close(opened);
  });
});

async function run(session: Session, statements: readonly string[]): Promise<void> {
  for (const sql of statements) {
    const { failure } = await session.pipeline([sql]);
    if (failure !== undefined) throw new Error(`${sql}: ${failure.error.message}`);
  }
}

/** Without the accounts of the server, which other tests make and remove meanwhile. */
async function look(session: Session): Promise<Picture> {
  const { objects } = await queries.readCatalog(session, []);
  return {
    catalog: { objects: objects.filter(({ kind }) => kind !== 'role') },
    rows: await queries.readRows(session, []),
    sequences: await queries.readSequences(session, []),
    largeObjects: await queries.readLargeObjects(session),
  };
}

function subject({ kind, name }: CatalogChange): string {
  return `${kind} ${name}`;
}
