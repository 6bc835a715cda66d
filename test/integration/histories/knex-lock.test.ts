import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { postgresql } from '../../../adapters/databases/postgresql/index.js';
import { readConnection } from '../../../adapters/databases/postgresql/jdbc-url.js';
import { flybackMark, toolLock } from '../../../adapters/histories/knex/lock.js';
import { createKnexProject, tableMigration, type KnexProject } from '../../harness/knex.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';
import { finished } from '../../harness/project.js';

let database: TestDatabase;
let project: KnexProject;

beforeAll(async () => {
  database = await createDatabase(newestServer().url);
});
afterAll(() => database.drop());
beforeEach(async () => {
  await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  project = await createKnexProject({
    database,
    migrations: [tableMigration(1, 'one'), tableMigration(2, 'two'), tableMigration(3, 'three')],
    flyback: '[knex]\nload = true\n[run]\ntoolLockWait = "1s"\n',
  });
  const applied = await project.knex('migrate:latest');
  expect(applied, applied.stderr).toMatchObject({ code: 0 });
});
afterEach(() => project.remove());

const setFlag = (value: number): Promise<unknown> =>
  runOn(database.url, `UPDATE knex_migrations_lock SET is_locked = ${String(value)}`);

async function flags(): Promise<readonly unknown[]> {
  return (await runOn(database.url, 'SELECT is_locked FROM knex_migrations_lock')).map((row) => row['is_locked']);
}

async function tables(): Promise<readonly string[]> {
  const rows = await runOn(
    database.url,
    `SELECT relname FROM pg_class WHERE relkind = 'r' AND relname IN ('one', 'two', 'three') ORDER BY oid`,
  );
  return rows.map((row) => String(row['relname']));
}

async function until(query: string): Promise<void> {
  for (let tries = 0; tries < 800; tries += 1) {
    if ((await runOn(database.url, query)).length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`It has not come to this within 20 s: ${query}`);
}

const sleeping = (seconds: number): string =>
  `SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(${String(seconds)})%' AND state = 'active' AND pid <> pg_backend_pid()`;
const alone = `SELECT 1 WHERE (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) = 1`;

const writeScript = (number: number, sql: string): Promise<void> =>
  writeFile(path.join(project.folder, 'rollbacks', `R202401${String(number).padStart(2, '0')}000000__step.sql`), sql);

/** Kills flyback at a statement that sleeps, and its session with it. */
async function killAt(seconds: number, ...commandLine: readonly string[]): Promise<void> {
  const child = project.start(commandLine);
  const ended = finished(child);
  await until(sleeping(seconds));
  child.kill('SIGKILL');
  await ended;
  await runOn(
    database.url,
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  );
  await until(alone);
}

describe('what Knex does while the flag has the value of flyback', () => {
  test('whatever changes the database refuses, whatever only reads goes on', async () => {
    await setFlag(flybackMark);
    for (const command of ['migrate:latest', 'migrate:up', 'migrate:down', 'migrate:rollback']) {
      const refused = await project.knex(command);
      expect(refused.code, command).toBe(1);
      expect(refused.stdout + refused.stderr).toContain('already locked');
    }
    expect(await flags()).toEqual([flybackMark]);
    for (const command of ['migrate:list', 'migrate:status', 'migrate:currentVersion']) {
      expect(await project.knex(command), command).toMatchObject({ code: 0 });
    }
    expect(await tables()).toEqual(['one', 'two', 'three']);
    expect(await project.knex('migrate:unlock')).toMatchObject({ code: 0 });
    expect(await flags()).toEqual([0]);
    expect(await project.knex('migrate:latest')).toMatchObject({ code: 0 });
  });

  test('the next flyback knows the mark of a dead one, takes it over, and frees it', async () => {
    await setFlag(flybackMark);
    const status = await project.run(['status']);
    expect(status.stdout + status.stderr).toContain('tool-lock-left');
    const done = await project.run(['rollback', '--yes']);
    expect(done, done.stderr).toMatchObject({ code: 0 });
    expect(done.stdout + done.stderr).toContain('An earlier flyback was killed');
    expect(await flags()).toEqual([0]);
    expect(await project.knex('migrate:latest')).toMatchObject({ code: 0 });
    expect(await tables()).toEqual(['one', 'two', 'three']);
  });
});

describe('a flag that is not free', () => {
  test('of Knex: flyback waits, gives up and names what frees it; so does a dry run', async () => {
    await setFlag(1);
    for (const more of [['--yes'], ['--dry-run']]) {
      const refused = await project.run(['rollback', ...more]);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain('lock-unavailable');
      expect(refused.stderr).toContain('knex migrate:unlock');
    }
    const status = await project.run(['status']);
    expect(status.stdout + status.stderr).toContain('tool-lock-taken');
    expect(await flags()).toEqual([1]);
    expect(await tables()).toEqual(['one', 'two', 'three']);
    await project.knex('migrate:unlock');
    expect(await project.run(['rollback', '--yes'])).toMatchObject({ code: 0 });
  });

  test.each([
    ['no row', 'DELETE FROM knex_migrations_lock', 'migrate:list'],
    ['two rows', 'INSERT INTO knex_migrations_lock (is_locked) VALUES (0)', 'migrate:unlock'],
    ['no table', 'DROP TABLE knex_migrations_lock', 'migrate:list'],
  ])('%s: refused before anything happens, until Knex has put it right', async (_, damage, remedy) => {
    await runOn(database.url, damage);
    const refused = await project.run(['rollback', '--yes']);
    expect(refused.code, refused.stderr).not.toBe(0);
    expect(refused.stderr).toContain('lock-unavailable');
    expect(refused.stderr).toContain(`knex ${remedy}`);
    expect(await tables()).toEqual(['one', 'two', 'three']);
    const status = await project.run(['status']);
    expect(status.stdout + status.stderr).toContain('tool-lock-broken');
    const doctor = await project.run(['doctor']);
    expect(doctor.stdout).toContain(`knex ${remedy}`);
    expect(await project.knex(remedy)).toMatchObject({ code: 0 });
    expect(await project.run(['rollback', '--yes'])).toMatchObject({ code: 0 });
  });
});

describe('a run that comes to nothing frees the flag', () => {
  test.each([
    ['a script that fails', 'DROP TABLE three;\nDROP TABLE nowhere;\n'],
    ['a verification', 'DROP TABLE three;\n-- flyback: verify\nSELECT id FROM one;\n-- expect: 1\n'],
  ])('%s', async (_, sql) => {
    await writeScript(3, sql);
    expect((await project.run(['rollback', '--yes'])).code).not.toBe(0);
    expect(await flags()).toEqual([0]);
    expect(await tables()).toEqual(['one', 'two', 'three']);
    expect(await project.knex('migrate:latest')).toMatchObject({ code: 0 });
  });

  test('a run of several versions whose second fails keeps the first, and frees the flag', async () => {
    await writeScript(2, 'DROP TABLE nowhere;\n');
    expect(await project.run(['rollback', '--all', '--yes'])).toMatchObject({ code: 3 });
    expect(await tables()).toEqual(['one', 'two']);
    expect(await flags()).toEqual([0]);
    expect(await project.knex('migrate:latest')).toMatchObject({ code: 0 });
    expect(await tables()).toEqual(['one', 'two', 'three']);
  });

  test('a run that is cancelled', async () => {
    await writeScript(3, 'DROP TABLE three;\nSELECT pg_sleep(20);\n');
    const child = project.start(['rollback', '--yes']);
    const ended = finished(child);
    await until(sleeping(20));
    child.kill('SIGINT');
    expect((await ended).code).not.toBe(0);
    expect(await tables()).toEqual(['one', 'two', 'three']);
    expect(await flags()).toEqual([0]);
  });

  test('a session that the server ends in mid-run', async () => {
    await writeScript(3, 'DROP TABLE three;\nSELECT pg_sleep(20);\n');
    const run = finished(project.start(['rollback', '--yes']));
    await until(sleeping(20));
    await runOn(
      database.url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'flyback' AND datname = current_database()`,
    );
    expect((await run).code).not.toBe(0);
    expect(await tables()).toEqual(['one', 'two', 'three']);
    expect(await flags()).toEqual([0]);
  });
});

describe('killed', () => {
  test.each([
    ['in the first version', 3, ['one', 'two', 'three']],
    ['in the last version', 1, ['one']],
  ] as const)('%s: Knex refuses until the next flyback has taken the lock over', async (_, at, left) => {
    const name = ['one', 'two', 'three'][at - 1] ?? '';
    await writeScript(at, `DROP TABLE ${name};\nSELECT pg_sleep(30);\n`);
    await killAt(30, 'rollback', '--all', '--yes');
    expect(await tables()).toEqual(left);
    expect(await flags()).toEqual([flybackMark]);
    expect((await project.knex('migrate:latest')).code).toBe(1);
    await writeScript(at, `DROP TABLE ${name};\n`);
    const next = await project.run(['rollback', '--all', '--yes']);
    expect(next, next.stderr).toMatchObject({ code: 0 });
    expect(await tables()).toEqual([]);
    expect(await flags()).toEqual([0]);
    expect(await project.knex('migrate:latest')).toMatchObject({ code: 0 });
    expect(await tables()).toEqual(['one', 'two', 'three']);
  });

  test('in a rollback without a transaction: the flag stops Knex until resume has finished it', async () => {
    await writeScript(
      3,
      '-- flyback: transaction off\nALTER TABLE three RENAME TO gone;\nSELECT pg_sleep(30);\nDROP TABLE gone;\n',
    );
    await killAt(30, 'rollback', '--yes');
    expect(await flags()).toEqual([flybackMark]);
    expect((await project.knex('migrate:latest')).code).toBe(1);
    expect((await project.run(['rollback', '--yes'])).code).not.toBe(0);
    expect(await flags()).toEqual([flybackMark]);
    await writeScript(
      3,
      '-- flyback: transaction off\nALTER TABLE three RENAME TO gone;\nSELECT pg_sleep(0);\nDROP TABLE gone;\n',
    );
    const resumed = await project.run(['resume', '--yes', '--changed-script', '--assume', 'not-done']);
    expect(resumed, resumed.stderr + resumed.stdout).toMatchObject({ code: 0 });
    expect(await flags()).toEqual([0]);
    expect(await tables()).toEqual(['one', 'two']);
    expect(await project.knex('migrate:latest')).toMatchObject({ code: 0 });
    expect(await tables()).toEqual(['one', 'two', 'three']);
  });

  test('and given up: resume --abandon frees the flag', async () => {
    await writeScript(3, '-- flyback: transaction off\nDROP TABLE three;\nSELECT pg_sleep(30);\n');
    await killAt(30, 'rollback', '--yes');
    expect(await project.run(['resume', '--abandon', '--yes'])).toMatchObject({ code: 0 });
    expect(await flags()).toEqual([0]);
  });
});

describe('a flag that somebody frees in mid-run', () => {
  test('stops the run before its next version', async () => {
    await writeScript(3, 'DROP TABLE three;\nSELECT pg_sleep(2);\n');
    const run = finished(project.start(['rollback', '--all', '--yes']));
    await until(sleeping(2));
    expect(await project.knex('migrate:unlock')).toMatchObject({ code: 0 });
    const stopped = await run;
    expect(stopped.code).toBe(3);
    expect(stopped.stderr).toContain('lock-unavailable');
    expect(await tables()).toEqual(['one', 'two']);
    expect(await flags()).toEqual([0]);
  });
});

describe('a Knex that has read the history and not yet asked for the lock', () => {
  test('is told by its last statement and by its age', async () => {
    const client = new pg.Client({ connectionString: database.url });
    const { settings } = readConnection({
      url: { value: database.url, source: 'test' },
      user: undefined,
      password: undefined,
      properties: {},
      initSql: undefined,
      systemUser: undefined,
      baseFolder: project.folder,
    });
    if (settings === undefined) throw new Error('The test has no usable URL.');
    const session = await postgresql.connect(settings);
    try {
      await client.connect();
      await client.query('select "name" from "knex_migrations" order by "id" asc');
      const lock = toolLock(postgresql, { schema: 'public', name: 'knex_migrations' });
      if (lock.approach === undefined) throw new Error('Knex cannot be seen.');
      const seen = async (newerThanSeconds: number): Promise<readonly (string | null)[]> => {
        const approach = { ...lock.approach, newerThanSeconds } as typeof lock.approach;
        const answer = await session.query(`BEGIN;${postgresql.sql.toolApproach({ ...lock, approach })};COMMIT`);
        return answer.at(-2)?.rows.map(([how]) => how ?? null) ?? [];
      };
      expect(await seen(60)).toEqual(['nears']);
      expect(await seen(0)).toEqual([]);
      await client.query('select 1');
      expect(await seen(60)).toEqual([]);
    } finally {
      await session.close();
      await client.end();
    }
  });

  test('is refused, and flyback waits until it has gone', async () => {
    const name = '20240109000000_slow.js';
    await writeFile(
      path.join(project.folder, 'migrations', name),
      'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4000);\nexports.up = () => Promise.resolve();\nexports.down = exports.up;\n',
    );
    const latest = finished(project.startKnex('migrate:latest'));
    await until(`SELECT 1 FROM pg_stat_activity WHERE query LIKE 'select "name" from%' AND state = 'idle'`);
    const rollback = await project.run(['rollback', '--yes', '--tool-lock-wait', '20s']);
    expect(rollback, rollback.stderr).toMatchObject({ code: 0 });
    expect((await latest).code).toBe(1);
    expect(await tables()).toEqual(['one', 'two']);
    expect(await project.knex('migrate:latest')).toMatchObject({ code: 0 });
    expect(await tables()).toEqual(['one', 'two', 'three']);
  });
});
