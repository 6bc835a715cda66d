import * as fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDatabase as createMysqlDatabase, forEachMysql } from '../../harness/mysql.js';
import { createKnexProject, type KnexProject } from '../../harness/knex.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';
import { until } from '../../harness/lock-arena.js';
import { isAlive } from '../../harness/processes.js';
import { finished, snapshot, type CommandResult } from '../../harness/project.js';
import { createSequelizeProject, createUmzugProject, nameOf, type SequelizeProject } from '../../harness/sequelize.js';

/*
 * Versions whose rollback is the down function of their own migration, applied by the real tools and taken back by the built
 * command.
 */

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase(newestServer().url);
});
afterAll(() => database.drop());
beforeEach(async () => {
  await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
});

async function wentWell(running: Promise<CommandResult>): Promise<CommandResult> {
  const done = await running;
  expect(done, `${done.stdout}\n${done.stderr}`).toMatchObject({ code: 0 });
  return done;
}

interface StoredPlan {
  readonly steps: readonly {
    readonly version: string;
    readonly script: { readonly file: string; readonly source: string };
    readonly statements: readonly { readonly sql: string; readonly changes: readonly string[] }[];
  }[];
}

const down = '[knex]\nload = true\ndown = true\n';

describe('the down functions of Knex', () => {
  let project: KnexProject;
  let before: string;

  afterEach(() => project.remove());

  /** Each migration: name without its day → text of the module. All but those in `later` are applied. */
  async function applied(modules: Readonly<Record<string, string>>, flyback = down): Promise<void> {
    project = await createKnexProject({ database, flyback });
    const names = Object.keys(modules).sort();
    for (const name of names) {
      await fs.writeFile(path.join(project.folder, 'migrations', `2024010${name}.js`), modules[name] ?? '');
    }
    await wentWell(project.knex('migrate:up'));
    before = await snapshot(database);
    await wentWell(project.knex('migrate:latest'));
  }

  const run = (...commandLine: readonly string[]): Promise<CommandResult> => project.run(commandLine);
  const rollback = (...more: readonly string[]): Promise<CommandResult> => run('rollback', '--yes', ...more);
  const versions = async (): Promise<readonly string[]> =>
    (await runOn(database.url, 'SELECT name FROM knex_migrations ORDER BY id')).map((row) =>
      String(row['name']).slice(7, -3),
    );

  const users = `exports.up = (knex) => knex.schema.createTable('users', (table) => {
    table.increments('id');
    table.string('name').notNullable();
  });
  exports.down = (knex) => knex.schema.dropTable('users');`;
  const email = `exports.up = async (knex) => {
    await knex.schema.alterTable('users', (table) => table.string('email').defaultTo("o'hara@x.org"));
    await knex('users').insert({ id: 7, name: "O'Hara" });
  };
  exports.down = async function (knex) {
    if (!(await knex.schema.hasColumn('users', 'email'))) return;
    await knex('users').where({ name: "O'Hara", email: "o'hara@x.org" }).del();
    await knex.transaction((inner) => inner.schema.alterTable('users', (table) => table.dropColumn('email')));
  };`;
  const orders = `exports.up = (knex) => knex.schema.createTable('orders', (table) => {
    table.increments('id');
    table.integer('user_id').references('users.id').index();
  });
  exports.down = (knex) => knex.schema.dropTable('orders');`;

  test('are shown in the plan, run in one transaction with row and record, and leave what was there', async () => {
    await applied({ '1_users': users, '2_email': email, '3_orders': orders });
    expect((await wentWell(run('status'))).stdout).toMatch(/20240103_orders .*down\(\)|3_orders\s.*down\(\)/);
    const all = await snapshot(database);
    const { stdout, stderr } = await wentWell(run('plan', '--to', '20240101', '--json'));
    expect(stderr).toContain('calling 2 down functions in a transaction that is rolled back');
    expect(await snapshot(database), 'a plan changes nothing').toBe(all);
    const { steps } = JSON.parse(stdout) as StoredPlan;
    expect(steps.map(({ version, script }) => [version, script])).toEqual([
      ['20240103_orders', expect.objectContaining({ source: 'function', file: 'migrations/20240103_orders.js' })],
      ['20240102_email', expect.objectContaining({ source: 'function', file: 'migrations/20240102_email.js' })],
    ]);
    const sql = steps.map(({ statements }) => statements.map((statement) => statement.sql).join('\n'));
    expect(sql[0]).toBe('drop table "orders"');
    expect(sql[1]).toContain(`"email" = 'o''hara@x.org'`);
    expect(sql[1]).toContain('alter table "users" drop column "email"');
    expect(steps[0]?.statements[0]?.changes).toContain('drop-table');

    await wentWell(run('rollback', '--to', '20240101', '--dry-run'));
    expect(await versions()).toEqual(['1_users', '2_email', '3_orders']);
    await wentWell(rollback('--to', '20240101'));
    expect(await versions()).toEqual(['1_users']);
    await runOn(database.url, 'DROP TABLE flyback_record');
    expect(await snapshot(database)).toBe(before);
    expect((await wentWell(project.knex('migrate:list'))).stdout).toContain('Found 2 Pending');
    await wentWell(project.knex('migrate:latest'));
    expect(await versions()).toEqual(['1_users', '2_email', '3_orders']);
  });

  test('a stored plan holds, and is refused when the function has changed', async () => {
    await applied({ '1_users': users, '2_orders': orders });
    const { stdout } = await wentWell(run('plan', '--json'));
    const file = path.join(project.folder, 'plan.json');
    await fs.writeFile(file, stdout);
    const migration = path.join(project.folder, 'migrations', '20240102_orders.js');
    await fs.appendFile(migration, '\n// another text');
    expect(await run('rollback', '--plan', file, '--yes')).toMatchObject({ code: 1 });
    await fs.writeFile(migration, orders);
    await wentWell(run('rollback', '--plan', file, '--yes'));
    expect(await versions()).toEqual(['1_users']);
    const { stdout: log } = await wentWell(run('log', '--json'));
    expect(log).toContain('"source": "function"');
    expect(log).toContain('drop table \\"orders\\"');
    await wentWell(run('log', '--verify'));
  });

  test('a script goes before the function, and runs for what a function below needs to see', async () => {
    await applied({ '1_users': users, '2_email': email, '3_orders': orders });
    await fs.writeFile(
      path.join(project.folder, 'rollbacks', 'R20240103__orders.sql'),
      'DROP TABLE orders;\nALTER TABLE users RENAME COLUMN name TO name;\n'.replace('name TO name', 'id TO key'),
    );
    await fs.writeFile(
      path.join(project.folder, 'migrations', '20240102_email.js'),
      `exports.up = () => {};
       exports.down = async (knex) => {
         if (!(await knex.schema.hasColumn('users', 'key'))) throw new Error('the script has not run');
         await knex.schema.alterTable('users', (table) => { table.renameColumn('key', 'id'); table.dropColumn('email'); });
       };`,
    );
    await wentWell(rollback('--to', '20240101', '--single-transaction'));
    expect(await versions()).toEqual(['1_users']);
    expect(await runOn(database.url, 'SELECT id, name FROM users')).toHaveLength(1);
  });

  test('nothing of them is called without down = true', async () => {
    await applied({ '1_users': users, '2_orders': orders }, '[knex]\nload = true\n');
    const refused = await rollback();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('has no rollback script');
    expect((await wentWell(run('status'))).stdout).toContain('missing');
  });

  const broken: readonly (readonly [string, string, number, RegExp])[] = [
    ['sends nothing', 'exports.down = async () => {};', 1, /script-(empty|no-effect)/],
    ['only looks', `exports.down = (knex) => knex('users');`, 1, /script-no-effect/],
    ['is not there', '', 3, /no down function/],
    [
      'throws',
      `exports.down = async (knex) => { await knex.schema.dropTable('orders');\n throw new TypeError('secret-1'); };`,
      3,
      /function-failed.*TypeError in line 2/s,
    ],
    [
      'is refused by the server',
      `exports.down = (knex) => knex.schema.dropTable('nowhere');`,
      3,
      /"nowhere" does not exist.*20240102_orders\.js, SQL of its down function:1:1\n.*drop table "nowhere"/s,
    ],
    [
      'goes on after the server refused',
      `exports.down = async (knex) => { await knex.schema.dropTable('nowhere').catch(() => {}); };`,
      3,
      /"nowhere" does not exist/,
    ],
    [
      'commits',
      `exports.down = async (knex) => { await knex.raw('DROP TABLE orders'); await knex.raw('DROP TABLE users; COMMIT'); };`,
      3,
      /cannot be used/,
    ],
    [
      'rolls back',
      `exports.down = async (knex) => { const inner = await knex.transaction(); await inner.raw('DROP TABLE orders'); await inner.rollback(); };`,
      3,
      /cannot be used/,
    ],
    [
      'needs no transaction',
      `exports.config = { transaction: false };\nexports.down = (knex) => knex.raw('DROP INDEX CONCURRENTLY orders_user_id_index');`,
      3,
      /cannot run inside a transaction/,
    ],
    [
      'takes the row out of the history',
      `exports.down = (knex) => knex('knex_migrations').where('name', '20240102_orders.js').del();`,
      3,
      /does by itself|history/,
    ],
  ];
  test.each(broken)('one that %s is told of, and changes nothing', async (_, module, code, words) => {
    await applied({ '1_users': users, '2_orders': orders });
    await fs.writeFile(
      path.join(project.folder, 'migrations', '20240102_orders.js'),
      `exports.up = () => {};\n`.trim() + module,
    );
    const all = await snapshot(database);
    const done = await rollback();
    expect(done.stderr).toMatch(words);
    expect(done.stderr).not.toContain('secret-1');
    expect(done.stderr).not.toMatch(/^\s+at /m);
    expect(done.code).toBe(code);
    expect(await snapshot(database)).toBe(all);
    expect(await versions()).toEqual(['1_users', '2_orders']);
    expect(await runOn(database.url, 'SELECT is_locked FROM knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
  });

  test('one that does something else than was planned is stopped before the server sees it', async () => {
    await applied({ '1_users': users, '2_orders': orders });
    await fs.writeFile(
      path.join(project.folder, 'migrations', '20240102_orders.js'),
      `exports.up = () => {};
       exports.down = async (knex) => {
         await knex.schema.dropTable('orders');
         await knex('users').insert({ name: String(process.hrtime.bigint()) });
       };`,
    );
    const all = await snapshot(database);
    const done = await rollback('--json');
    expect(done.code).toBe(3);
    expect(done.stderr).toContain('function-changed');
    expect(done.stderr).toMatch(/statement 2 is .*insert into "users"/);
    expect(await versions()).toEqual(['1_users', '2_orders']);
    await runOn(database.url, 'DROP TABLE IF EXISTS flyback_record');
    expect(await snapshot(database)).toBe(all);
  });

  test('a lock that is not to be had is tried again, for the plan as for the run', async () => {
    await applied(
      { '1_users': users, '2_orders': orders },
      `${down}\n[run]\nlockTimeout = "100ms"\nlockRetries = 100\nlockRetryPause = "50ms"\n`,
    );
    const holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
    try {
      await holder.query('BEGIN; LOCK TABLE orders IN ACCESS SHARE MODE');
      const ended = finished(project.start(['rollback', '--yes']));
      const tries = new Set<string>();
      const waiting = `SELECT query_start::text AS at FROM pg_stat_activity WHERE application_name = 'flyback' AND wait_event_type = 'Lock'`;
      await until(
        async () => {
          for (const { at } of await runOn(database.url, waiting)) tries.add(String(at));
          return tries.size;
        },
        (size) => size >= 3,
      );
      await holder.query('ROLLBACK');
      await wentWell(ended);
      expect(await versions()).toEqual(['1_users']);
    } finally {
      await holder.end();
    }
  });

  const endings = [
    ['SIGKILL', 'a flyback that is killed leaves nothing behind, no process either'],
    ['SIGINT', 'Ctrl-C ends it'],
  ] as const;
  test.each(endings)('%s: %s', async (signal) => {
    await applied({ '1_users': users, '2_orders': orders });
    const [called, mark] = [path.join(project.folder, 'called'), path.join(project.folder, 'pid')];
    await fs.writeFile(
      path.join(project.folder, 'migrations', '20240102_orders.js'),
      `const fs = require('node:fs');
       exports.up = () => {};
       exports.down = async (knex) => {
         await knex.schema.dropTable('orders');
         // Called once for the plan, and once for good.
         if (!fs.existsSync(${JSON.stringify(called)})) return fs.writeFileSync(${JSON.stringify(called)}, '');
         fs.writeFileSync(${JSON.stringify(mark)}, String(process.pid));
         await new Promise((resolve) => setTimeout(resolve, 50_000));
       };`,
    );
    const all = await snapshot(database);
    const child = project.start(['rollback', '--yes']);
    const ended = finished(child);
    const read = (): Promise<number> => fs.readFile(mark, 'utf8').then(Number, () => 0);
    const pid = await until(read, (found) => found > 0);
    child.kill(signal);
    const { code, stderr } = await ended;
    if (signal === 'SIGINT') {
      expect(stderr).toContain('cancelled');
      expect(code).toBe(3);
    }
    await until(
      () => isAlive(pid),
      (alive) => !alive,
    );
    const holders = `SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = 'orders'`;
    await until(
      () => runOn(database.url, holders),
      (found) => found.length === 0,
    );
    await runOn(database.url, 'DROP TABLE IF EXISTS flyback_record');
    // Whom nobody lets say goodbye leaves the lock of Knex behind, for the next rollback to take over.
    const [lock] = await runOn(database.url, 'SELECT is_locked FROM knex_migrations_lock');
    expect(lock).toEqual({ is_locked: signal === 'SIGKILL' ? 7355 : 0 });
    await runOn(database.url, 'UPDATE knex_migrations_lock SET is_locked = 0');
    expect(await snapshot(database)).toBe(all);
    await runOn(database.url, `UPDATE knex_migrations_lock SET is_locked = ${String(lock?.['is_locked'])}`);
    expect(await versions()).toEqual(['1_users', '2_orders']);
    await fs.writeFile(path.join(project.folder, 'migrations', '20240102_orders.js'), orders);
    await wentWell(rollback());
    expect(await versions()).toEqual(['1_users']);
  });

  test('prove calls both functions: an exact one, and one that forgets an index', async () => {
    await applied({ '1_users': users, '2_email': email, '3_orders': orders });
    const exact = await wentWell(run('prove', '--all', '--json'));
    const { proofs } = JSON.parse(exact.stdout) as { proofs: readonly { version: string; grade: string }[] };
    expect(proofs.map(({ version, grade }) => [version, grade])).toEqual([
      ['20240101_users', 'exact'],
      ['20240102_email', 'exact'],
      ['20240103_orders', 'exact'],
    ]);
    expect((await wentWell(run('status'))).stdout).toMatch(/exact|proven/);
    await fs.writeFile(
      path.join(project.folder, 'migrations', '20240103_orders.js'),
      `exports.up = (knex) => knex.raw('CREATE INDEX users_name ON users (name); CREATE TABLE orders (id int)');
       exports.down = (knex) => knex.schema.dropTable('orders');`,
    );
    const different = await run('prove', '20240103', '--json');
    expect(different.code).toBe(1);
    expect(different.stdout).toContain('users_name');
    expect((JSON.parse(different.stdout) as { proofs: readonly { grade: string }[] }).proofs[0]?.grade).not.toBe(
      'exact',
    );
  });

  test('prove says which migration cannot be applied, and nothing above it is proven', async () => {
    await applied({ '1_users': users, '2_orders': orders });
    await fs.writeFile(
      path.join(project.folder, 'migrations', '20240101_users.js'),
      `exports.up = async () => { throw new RangeError('secret-2'); };\nexports.down = () => {};`,
    );
    const done = await run('prove', '--json');
    expect(done.code).toBe(1);
    expect(done.stdout).toContain('RangeError in line 1');
    expect(done.stdout + done.stderr).not.toContain('secret-2');
    expect(done.stdout).not.toContain('"exact"');
  });
});

describe('the down functions of Sequelize and Umzug', () => {
  let project: SequelizeProject;
  const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url));

  afterEach(() => project.remove());

  const first = `module.exports = {
    up: (queryInterface, Sequelize) => queryInterface.createTable('users', { id: { type: Sequelize.INTEGER, primaryKey: true } }),
    down: (queryInterface) => queryInterface.dropTable('users'),
  };`;
  const second = `module.exports = {
    up: (queryInterface, Sequelize) => queryInterface.addColumn('users', 'age', { type: Sequelize.INTEGER }),
    down: (queryInterface) => queryInterface.sequelize.transaction(async (transaction) => {
      await queryInterface.bulkDelete('users', { age: 7 }, { transaction });
      // Without the transaction: on a connection of its own.
      await queryInterface.removeColumn('users', 'age');
    }),
  };`;

  test('sequelize-cli: also what was forgotten to be part of its transaction', async () => {
    project = await createSequelizeProject(database, [], { flyback: 'tool = "sequelize"\n[sequelize]\ndown = true\n' });
    await fs.symlink(modules, path.join(project.folder, 'node_modules'));
    await project.write(`migrations/${nameOf(1)}.js`, first);
    await project.write(`migrations/${nameOf(2)}.js`, second);
    await wentWell(project.up());
    const { stdout } = await wentWell(project.run(['plan', '--json']));
    const { steps } = JSON.parse(stdout) as StoredPlan;
    expect(steps[0]?.statements.map(({ sql }) => sql.replaceAll(/\s+/g, ' '))).toEqual([
      expect.stringContaining('DELETE FROM "users" WHERE "age" = 7'),
      expect.stringContaining('ALTER TABLE "public"."users" DROP COLUMN "age"'),
    ]);
    await wentWell(project.run(['rollback', '--yes']));
    expect(await project.applied()).toHaveLength(1);
    expect(
      await runOn(database.url, `SELECT 1 FROM pg_attribute WHERE attname = 'age' AND attrelid = 'users'::regclass`),
    ).toEqual([]);
    await wentWell(project.run(['rollback', '--yes']));
    expect(await runOn(database.url, `SELECT to_regclass('users') AS users`)).toEqual([{ users: null }]);
    await wentWell(project.up());
  });

  test.each(['queryInterface', 'sequelize'])('Umzug: the context is %s', async (context) => {
    project = await createUmzugProject(database, [], {
      files: 'modules',
      flyback: `tool = "umzug"\n[umzug]\nmigrations = "migrations/*.js"\ndown = true\ncontext = "${context}"\n`,
    });
    await fs.symlink(modules, path.join(project.folder, 'node_modules'));
    await project.write(
      `migrations/${nameOf(1)}.js`,
      `exports.up = ({ context }) => context.query('CREATE TABLE users (id int)');
       exports.down = ({ context, name }) =>
         ${context === 'sequelize' ? 'context' : 'context.sequelize'}.query('DROP TABLE /* ' + name + ' */ users');`,
    );
    await wentWell(project.up());
    const { stdout } = await wentWell(project.run(['plan']));
    expect(stdout).toContain(`DROP TABLE /* ${nameOf(1)}.js */ users`);
    await wentWell(project.run(['rollback', '--yes']));
    expect(await runOn(database.url, `SELECT to_regclass('users') AS users`)).toEqual([{ users: null }]);
  });
});

forEachMysql('functions', (server) => {
  test('nobody calls a function there', async () => {
    const other = await createMysqlDatabase(server);
    const project = await createKnexProject({ database: other, flyback: down });
    try {
      await project.write({ name: '20240101_one.js', up: 'CREATE TABLE one (id int)', down: 'DROP TABLE one' });
      await wentWell(project.knex('migrate:latest'));
      const refused = await project.run(['rollback', '--yes']);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain('has no rollback script');
    } finally {
      await project.remove();
      await other.drop();
    }
  });
});
