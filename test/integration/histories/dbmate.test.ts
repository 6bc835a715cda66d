import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { describeHistory, type HistoryFixture } from '../../conformance/history.js';
import { isMysql, runOn } from '../../harness/databases.js';
import { describeWithDbmate, startDbmate } from '../../harness/dbmate.js';
import { createDatabase, newestServer, type TestDatabase } from '../../harness/postgres.js';
import { command, finished, type CommandResult } from '../../harness/project.js';

const numberOf = (index: number): string => `2025010100000${String(index + 1)}`;

function flybackIn(folder: string, commandLine: readonly string[]): ChildProcess {
  return spawn(process.execPath, [command, ...commandLine], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: folder },
  });
}

const urlOf = (database: TestDatabase): string =>
  isMysql(database) ? database.url : `${database.url}?sslmode=disable`;

async function createFolder(database: TestDatabase, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-dbmate-'));
  await fs.mkdir(path.join(folder, 'db', 'migrations'), { recursive: true });
  await fs.mkdir(path.join(folder, 'rollbacks'));
  await fs.writeFile(path.join(folder, 'flyback.toml'), 'tool = "dbmate"\n');
  await fs.writeFile(path.join(folder, '.env'), `DATABASE_URL="${urlOf(database)}"\n`);
  for (const [name, text] of Object.entries(files)) await fs.writeFile(path.join(folder, name), text);
  return folder;
}

const fixture: HistoryFixture = {
  name: 'dbmate',
  ownTables: ['schema_migrations'],
  hasDown: true,
  holes: true,
  meanwhile: 'waits',
  onMysql: { meanwhile: 'takes no notice', halfWay: 'takes no notice' },
  create: async (database, migrations) => {
    const files = migrations.map(({ up, down }, index) => [
      `db/migrations/${numberOf(index)}_step.sql`,
      `-- migrate:up\n${up};\n\n-- migrate:down\n${down};\n`,
    ]);
    const folder = await createFolder(database, Object.fromEntries(files) as Record<string, string>);
    const tool = (name: 'migrate' | 'rollback'): Promise<CommandResult> =>
      finished(startDbmate(name, path.join(folder, 'db', 'migrations'), urlOf(database)));
    return {
      folder,
      up: () => tool('migrate'),
      down: () => tool('rollback'),
      applied: async () =>
        (await runOn(database.url, 'SELECT version FROM schema_migrations ORDER BY 1')).map(({ version }) =>
          Number(String(version).slice(-1)),
        ),
      version: (number) => numberOf(number - 1),
      writeRollback: (number, sql) =>
        fs.writeFile(path.join(folder, 'rollbacks', `R${numberOf(number - 1)}__step.sql`), sql),
      start: (commandLine) => flybackIn(folder, commandLine),
      remove: () => fs.rm(folder, { recursive: true, force: true }),
    };
  },
};

describeWithDbmate('the history of dbmate', () => {
  describeHistory(fixture);

  describe('what only dbmate has', () => {
    let database: TestDatabase;
    let folder: string;
    beforeAll(async () => {
      database = await createDatabase(newestServer().url);
    });
    afterAll(() => database.drop());
    beforeEach(() => runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public'));
    afterEach(() => fs.rm(folder, { recursive: true, force: true }));
    const run = (...commandLine: readonly string[]): Promise<CommandResult> => finished(flybackIn(folder, commandLine));
    const migrate = (strict = false): Promise<CommandResult> =>
      finished(
        startDbmate('migrate', path.join(folder, 'db', 'migrations'), `${database.url}?sslmode=disable`, strict),
      );

    test('a block may do without a transaction', async () => {
      folder = await createFolder(database, {
        'db/migrations/1_a.sql': '-- migrate:up\nCREATE TABLE a (id int);\n-- migrate:down\nDROP TABLE a;\n',
        'db/migrations/2_index.sql':
          '-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY apart ON a (id);\n' +
          '-- migrate:down transaction:false\nDROP INDEX CONCURRENTLY apart;\n',
      });
      expect(await migrate()).toMatchObject({ code: 0 });
      const done = await run('rollback', '--all', '--yes');
      expect(done, done.stderr).toMatchObject({ code: 0 });
      expect(await runOn(database.url, `SELECT 1 FROM pg_class WHERE relname IN ('a', 'apart')`)).toEqual([]);
      expect(await migrate()).toMatchObject({ code: 0 });
    });

    test.each([
      ['no down block', '-- migrate:up\nSELECT 1;\n'],
      ['the blocks in the other order', '-- migrate:down\nSELECT 1;\n-- migrate:up\nSELECT 1;\n'],
      ['statements before the blocks', 'SELECT 1;\n-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n'],
      [
        'two up blocks',
        '-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n-- migrate:up\nSELECT 1;\n-- migrate:down\n',
      ],
    ])('a file with %s is no rollback', async (_, text) => {
      folder = await createFolder(database, { 'db/migrations/1_a.sql': text });
      await runOn(
        database.url,
        `CREATE TABLE schema_migrations (version varchar PRIMARY KEY); INSERT INTO schema_migrations VALUES ('1')`,
      );
      const refused = await run('rollback', '--yes');
      expect(refused, refused.stderr).toMatchObject({ code: 1 });
      expect((await run('audit')).stdout).toContain('migration-misnamed');
    });

    test('an error in a down block has the line that it has in the file', async () => {
      folder = await createFolder(database, {
        'db/migrations/1_a.sql':
          '-- migrate:up\nCREATE TABLE a (id int);\n\n-- migrate:down\n\nDROP TABLE no_such_table;\n',
      });
      expect(await migrate()).toMatchObject({ code: 0 });
      const failed = await run('rollback', '--yes');
      expect(failed.code).toBe(3);
      expect(failed.stderr).toContain('1_a.sql:6');
    });

    test('an empty down block is an error; dbmate would only remove its row', async () => {
      folder = await createFolder(database, {
        'db/migrations/1_a.sql': '-- migrate:up\nCREATE TABLE a ();\n-- migrate:down\n',
      });
      expect(await migrate()).toMatchObject({ code: 0 });
      const refused = await run('rollback', '--yes');
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain('script-comment-only');
    });

    test('with --strict a hole stops migrate, as the plan says', async () => {
      const file = (name: string): string =>
        `-- migrate:up\nCREATE TABLE ${name} ();\n-- migrate:down\nDROP TABLE ${name};\n`;
      folder = await createFolder(database, { 'db/migrations/1_a.sql': file('a'), 'db/migrations/2_b.sql': file('b') });
      await fs.appendFile(path.join(folder, '.env'), 'DBMATE_STRICT=true\n');
      expect(await migrate()).toMatchObject({ code: 0 });
      expect((await run('plan', '--only', '1', '--json')).stdout).toContain('migrate-will-refuse');
      const done = await run('rollback', '--only', '1', '--yes');
      expect(done, done.stderr).toMatchObject({ code: 0 });
      const strict = await migrate(true);
      expect(strict.code).toBe(1);
      expect(strict.stderr).toContain('out of order');
      expect(await migrate()).toMatchObject({ code: 0 });
    });

    test('the table of golang-migrate is told apart', async () => {
      folder = await createFolder(database, {});
      await runOn(database.url, 'CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)');
      const refused = await run('status');
      expect(refused.code).toBe(2);
      expect(refused.stderr).toContain('golang-migrate');
    });
  });
});
