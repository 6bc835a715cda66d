import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeTable } from '../../../../../adapters/databases/postgresql/row-sql.js';
import type { Session } from '../../../../../src/adapter/database.js';
import { createDatabase, forEachMajor, runOn, type TestDatabase } from '../../../../harness/postgres.js';
import { connectTo } from '../../../../harness/session.js';

interface PlanNode {
  readonly Alias?: string;
  readonly 'Actual Loops': number;
  readonly Plans?: readonly PlanNode[];
}

forEachMajor((server) => {
  let database: TestDatabase;
  let session: Session;
  beforeEach(async () => {
    database = await createDatabase(server.url);
    session = await connectTo(database);
    await runOn(
      database.url,
      `CREATE TABLE history (id int, name varchar(50) NOT NULL); CREATE SCHEMA other; CREATE TABLE other."History" (id int);
       CREATE VIEW other.old_history AS SELECT 1 AS id`,
    );
  });
  afterEach(async () => {
    await session.close();
    await database.drop();
  });

  const describe = async (schema: string, name: string): Promise<unknown> =>
    (await session.query(describeTable({ schema, name }, ['old_history'])))[0]?.rows;

  test('the columns of the table meant, and no other table', async () => {
    expect(await describe('public', 'history')).toEqual([
      ['public', 'history', 'table', 'id', 'integer'],
      ['public', 'history', 'table', 'name', 'character varying'],
    ]);
  });

  test('where it is missing, whatever has its name or a usual one', async () => {
    expect(await describe('third', 'HISTORY')).toEqual([
      ['other', 'History', 'table', 'id', 'integer'],
      ['other', 'old_history', 'other', 'id', 'integer'],
      ['public', 'history', 'table', 'id', 'integer'],
      ['public', 'history', 'table', 'name', 'character varying'],
    ]);
    expect(await describe('third', 'nothing')).toEqual([['other', 'old_history', 'other', 'id', 'integer']]);
  });

  test.each([
    ['only a miss looks through the names of all tables', 'history', 0],
    ['a miss does', 'missing', 1],
  ])('%s', async (_, name, loops) => {
    const [answer] = await session.query(
      `EXPLAIN (ANALYZE, FORMAT JSON) ${describeTable({ schema: 'public', name }, [])}`,
    );
    const [explained] = JSON.parse(answer?.rows[0]?.[0] ?? '[]') as readonly { readonly Plan: PlanNode }[];
    const found: number[] = [];
    const visit = (node: PlanNode): void => {
      if (node.Alias === 'other') found.push(node['Actual Loops']);
      node.Plans?.forEach(visit);
    };
    if (explained !== undefined) visit(explained.Plan);
    expect(found).toEqual([loops]);
  });
});
