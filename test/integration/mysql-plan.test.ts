import { afterAll, beforeAll, expect, it } from 'vitest';
import { planText } from '../../src/cli/output/plan-text.js';
import { withProject } from '../../src/compose/open-project.js';
import { parsePlan } from '../../src/plan/plan-file.js';
import { planRollback } from '../../src/plan/plan-rollback.js';
import type { Plan } from '../../src/plan/plan.js';
import { createDatabase, forEachMysql, type MysqlDatabase } from '../harness/mysql.js';
import { createMysqlProject, emptyDatabase, mysqlSnapshot } from '../harness/mysql-project.js';
import type { TestProject } from '../harness/project.js';

/* What a plan tells of MySQL and MariaDB: how each table is changed while it is in use, and what that means for others. */

const up = `
  CREATE TABLE customer (id INT PRIMARY KEY);
  CREATE TABLE orders (id INT PRIMARY KEY, note VARCHAR(20), customer_id INT, n INT, KEY by_n (n),
    CONSTRAINT to_customer FOREIGN KEY (customer_id) REFERENCES customer (id));
  INSERT INTO orders VALUES (1, 'a', NULL, 1), (2, 'b', NULL, 2)`;

forEachMysql('a plan', (server) => {
  let database: MysqlDatabase;
  let project: TestProject;

  beforeAll(async () => {
    database = await createDatabase(server);
    project = await createMysqlProject({ database });
  });
  afterAll(async () => {
    await project.remove();
    await database.drop();
  });

  async function planOf(down: string): Promise<Plan> {
    await emptyDatabase(database);
    await project.apply([{ version: '1', up, down }]);
    const applied = await mysqlSnapshot(database);
    const { plan } = await withProject({ folder: project.folder, flags: {}, environment: {} }, async (opened) =>
      planRollback(opened, { target: { kind: 'steps', steps: 1 } }),
    );
    expect(await mysqlSnapshot(database)).toBe(applied);
    return plan;
  }

  it('tells of each statement how the table is changed, and warns where others wait', async () => {
    const plan = await planOf(`ALTER TABLE orders MODIFY note VARCHAR(10);
ALTER TABLE orders DROP INDEX by_n, ALGORITHM = COPY;
ALTER TABLE orders ADD COLUMN z INT;
UPDATE orders SET n = 1;
DROP TABLE orders;
`);
    const [step] = plan.steps;
    expect(step?.transaction).toBe('off');
    expect(step?.statements.map(({ online }) => online)).toEqual([
      { algorithm: 'COPY', lock: 'SHARED', isCertain: false },
      { algorithm: 'COPY', lock: 'SHARED', isCertain: true },
      { algorithm: 'INSTANT', lock: 'NONE', isCertain: true },
      null,
      null,
    ]);
    expect(step?.statements.at(-1)?.estimate).toMatchObject({ alsoLocks: ['customer'] });
    expect(step?.statements[0]?.estimate?.bytes).toBeGreaterThan(0);
    const rewrites = plan.hazards.filter(({ code }) => code === 'table-rewrite');
    expect(rewrites.map(({ subject }) => subject)).toEqual(['1, line 1', '1, line 2']);
    expect(rewrites[0]?.message).toMatch(/may copy orders.*writers wait.*ALGORITHM=COPY, LOCK=SHARED/);
    expect(rewrites[0]?.hint).toMatch(/ALGORITHM=INPLACE, LOCK=NONE/);
    expect(rewrites[1]?.message).toMatch(/statement copies orders.*writers wait/);
    const text = planText(plan, process.stderr);
    expect(text).toContain('at worst ALGORITHM=COPY, LOCK=SHARED (writers wait)');
    expect(text).toContain('· ALGORITHM=INSTANT, LOCK=NONE (others read and write)');
    expect(text).toContain('runs alone: ALTER TABLE commits what is open, and itself.');
    expect(text).toContain('also locks EXCLUSIVE on customer');
    expect(text).not.toContain('ACCESS EXCLUSIVE');
    expect(parsePlan(JSON.stringify(plan), 'plan.json')).toEqual(JSON.parse(JSON.stringify(plan)));
  });

  it('says in the words of the server that an index is dropped without copying, and warns of nothing', async () => {
    const plan = await planOf('ALTER TABLE orders DROP INDEX by_n;\n');
    expect(plan.steps[0]?.statements[0]?.online?.algorithm).toBe(server.product === 'MySQL' ? 'INPLACE' : 'NOCOPY');
    expect(plan.hazards.map(({ code }) => code)).not.toContain('table-rewrite');
  });

  it('warns of what is not there, and not of what is', async () => {
    const plan = await planOf(`ALTER TABLE orders DROP FOREIGN KEY to_customer;
ALTER TABLE orders DROP FOREIGN KEY to_nobody;
DROP INDEX nowhere ON orders;
DROP INDEX by_n ON orders;
`);
    expect(plan.hazards.filter(({ code }) => code === 'object-absent').map(({ subject }) => subject)).toEqual([
      '1, line 2',
      '1, line 3',
    ]);
  });
});
