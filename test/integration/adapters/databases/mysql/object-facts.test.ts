import { afterAll, beforeAll, expect, it } from 'vitest';
import { readObjectFacts } from '../../../../../adapters/databases/mysql/object-facts.js';
import { connectMysql, type MysqlSession } from '../../../../../adapters/databases/mysql/session.js';
import type { ObjectRef } from '../../../../../src/risk/change.js';
import { createDatabase, forEachMysql, type MysqlDatabase, runOn } from '../../../../harness/mysql.js';
import { mysqlSettings } from '../../../../harness/mysql-settings.js';

const fixture = `
  CREATE TABLE parent (id INT PRIMARY KEY) ENGINE = InnoDB;
  CREATE TABLE middle (id INT PRIMARY KEY, p INT, self INT, CONSTRAINT to_parent FOREIGN KEY (p) REFERENCES parent (id),
    CONSTRAINT to_self FOREIGN KEY (self) REFERENCES middle (id)) ENGINE = InnoDB;
  CREATE TABLE child (id INT PRIMARY KEY, m INT, FOREIGN KEY (m) REFERENCES middle (id)) ENGINE = InnoDB;
  CREATE TABLE \`o'dd \\ \`\`name\` (\`a b\` INT, KEY \`k k\` (\`a b\`)) ENGINE = InnoDB;
  CREATE VIEW seen AS SELECT * FROM parent;
  CREATE PROCEDURE act() SELECT 1;
  CREATE TRIGGER tr BEFORE INSERT ON parent FOR EACH ROW SET @x = 1;
  CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1;
  INSERT INTO parent VALUES (1), (2), (3);
  ANALYZE TABLE parent;
`;

forEachMysql('facts about objects', (server) => {
  let database: MysqlDatabase;
  let session: MysqlSession;

  beforeAll(async () => {
    database = await createDatabase(server);
    await runOn(database.rootUrl, fixture);
    session = await connectMysql(mysqlSettings(database.url));
  });
  afterAll(async () => {
    await session.close();
    await database.drop();
  });

  const sizes = { sizes: true, dependents: true };
  const odd = "o'dd \\ `name";

  const there: readonly ObjectRef[] = [
    { kind: 'table', name: 'parent' },
    { kind: 'table', name: odd },
    { kind: 'view', name: 'seen' },
    { kind: 'column', name: 'middle', member: 'p' },
    { kind: 'column', name: odd, member: 'a b' },
    { kind: 'index', name: 'parent', member: 'PRIMARY' },
    { kind: 'index', name: odd, member: 'k k' },
    { kind: 'constraint', name: 'middle', member: 'to_parent' },
    { kind: 'procedure', name: 'act' },
    { kind: 'trigger', name: 'tr' },
    { kind: 'event', name: 'ev' },
  ];
  const missing: readonly ObjectRef[] = [
    { kind: 'table', name: 'nowhere' },
    { kind: 'table', name: 'seen' },
    { kind: 'view', name: 'parent' },
    { kind: 'column', name: 'middle', member: 'nowhere' },
    { kind: 'index', name: 'parent', member: 'nowhere' },
    { kind: 'constraint', name: 'parent', member: 'to_parent' },
    { kind: 'function', name: 'act' },
    { kind: 'trigger', name: 'nowhere' },
    { kind: 'table', schema: 'no such schema', name: 'parent' },
    { kind: 'schema', name: 'no such schema' },
  ];

  it('tells what is there and what is not, in the order asked', async () => {
    const schema = database.name;
    const facts = await readObjectFacts(
      session,
      [...missing, ...there, ...there.map((ref) => ({ ...ref, schema })), { kind: 'schema', name: schema }],
      sizes,
    );
    expect(facts.map(({ exists }) => exists)).toEqual([
      ...missing.map(() => false),
      ...there.map(() => true),
      ...there.map(() => true),
      true,
    ]);
  });

  it('does not know what information_schema does not list', async () => {
    expect(await readObjectFacts(session, [{ kind: 'user', name: 'root@%' }], sizes)).toEqual([
      { ref: { kind: 'user', name: 'root@%' }, exists: null, rows: null, bytes: null, alsoLocks: [], dependents: 0 },
    ]);
    expect(await readObjectFacts(session, [], sizes)).toEqual([]);
  });

  it('takes names for what they are where the server tells case apart', async () => {
    const [facts] = await readObjectFacts(session, [{ kind: 'table', name: 'PARENT' }], sizes);
    expect(facts?.exists).toBe(session.facts.mysql?.lowerCaseTableNames !== 0);
  });

  it('tells the size of a table, also for a column of it, only when asked', async () => {
    const refs = [
      { kind: 'table', name: 'parent' },
      { kind: 'column', name: 'parent', member: 'id' },
      { kind: 'view', name: 'seen' },
    ];
    const asked = await readObjectFacts(session, refs, sizes);
    expect(asked.map(({ rows }) => rows)).toEqual([3, 3, null]);
    expect(asked[0]?.bytes).toBeGreaterThanOrEqual(16_384);
    const unasked = await readObjectFacts(session, refs, { sizes: false, dependents: false });
    expect(unasked.map(({ rows, bytes }) => [rows, bytes])).toEqual([
      [null, null],
      [null, null],
      [null, null],
    ]);
  });

  it('names the tables on the other side of foreign keys, on both sides', async () => {
    const refs = ['parent', 'middle', 'child', odd].map((name) => ({ kind: 'table', name }));
    const facts = await readObjectFacts(session, refs, sizes);
    expect(facts.map(({ alsoLocks }) => [...alsoLocks].sort())).toEqual([
      ['middle'],
      ['child', 'parent'],
      ['middle'],
      [],
    ]);
  });

  it('counts the tables of a database', async () => {
    const [facts] = await readObjectFacts(session, [{ kind: 'schema', name: database.name }], sizes);
    expect(facts?.dependents).toBe(6);
    expect(facts?.rows).toBeGreaterThanOrEqual(3);
  });
});
