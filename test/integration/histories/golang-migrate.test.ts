import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { postgresql } from '../../../adapters/databases/postgresql/index.js';
import { toolLock } from '../../../adapters/histories/golang-migrate/lock.js';
import { describeHistory, type HistoryFixture } from '../../conformance/history.js';
import { goUrl, isMysql, runOn } from '../../harness/databases.js';
import { describeWithGolangMigrate, golangMigrate, type GolangMigrate } from '../../harness/golang-migrate.js';
import { createDatabase, newestServer, type TestDatabase } from '../../harness/postgres.js';
import { command, finished, type CommandResult } from '../../harness/project.js';

function flybackIn(folder: string, url: string, commandLine: readonly string[]): ChildProcess {
  return spawn(process.execPath, [command, ...commandLine], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: folder, DATABASE_URL: url },
  });
}

const fixture: HistoryFixture = {
  name: 'golang-migrate',
  ownTables: ['schema_migrations'],
  hasDown: true,
  holes: false,
  meanwhile: 'waits',
  onMysql: { meanwhile: 'waits', halfWay: 'refuses' },
  create: async (database, migrations) => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-golang-migrate-'));
    const path_ = path.join(folder, 'db', 'migrations');
    await fs.mkdir(path_, { recursive: true });
    await fs.mkdir(path.join(folder, 'rollbacks'));
    await fs.writeFile(
      path.join(folder, 'flyback.toml'),
      'tool = "golang-migrate"\n[golang-migrate]\npath = "db/migrations"\ndatabaseEnv = "DATABASE_URL"\n',
    );
    const name = (number: number, direction: string): string =>
      path.join(path_, `${String(number).padStart(6, '0')}_step.${direction}.sql`);
    for (const [index, { up, down }] of migrations.entries()) {
      await fs.writeFile(name(index + 1, 'up'), up);
      await fs.writeFile(name(index + 1, 'down'), down);
    }
    const url = isMysql(database) ? goUrl(database) : `${database.url}?sslmode=disable`;
    const tool = golangMigrate(path_, url);
    return {
      folder,
      up: () => tool.run('up'),
      down: () => tool.run('down', '1'),
      applied: async () => {
        const rows = await runOn(database.url, 'SELECT version, dirty FROM schema_migrations');
        const [row] = rows;
        if (rows.length > 1 || Number(row?.['dirty'] ?? false) !== 0)
          throw new Error(`Not a clean history: ${JSON.stringify(rows)}`);
        return Array.from({ length: Number(row?.['version'] ?? 0) }, (_, index) => index + 1);
      },
      version: String,
      writeRollback: (number, sql) => fs.writeFile(path.join(folder, 'rollbacks', `R${String(number)}__step.sql`), sql),
      start: (commandLine) => flybackIn(folder, url, commandLine),
      remove: () => fs.rm(folder, { recursive: true, force: true }),
    };
  },
};

describeWithGolangMigrate('the history of golang-migrate', () => {
  describeHistory(fixture);

  describe('what only golang-migrate has', () => {
    let database: TestDatabase;
    let folder: string;
    let url: string;
    let tool: GolangMigrate;
    beforeAll(async () => {
      database = await createDatabase(newestServer().url);
      url = `${database.url}?sslmode=disable`;
    });
    afterAll(() => database.drop());
    beforeEach(async () => {
      await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
      folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-golang-migrate-'));
      await fs.mkdir(path.join(folder, 'rollbacks'));
      await fs.mkdir(path.join(folder, 'm'));
      await fs.writeFile(
        path.join(folder, 'flyback.toml'),
        'tool = "golang-migrate"\n[golang-migrate]\npath = "m"\ndatabaseEnv = "DATABASE_URL"\n[run]\ntoolLockWait = "1s"\n',
      );
      tool = golangMigrate(path.join(folder, 'm'), url);
    });
    afterEach(() => fs.rm(folder, { recursive: true, force: true }));

    const put = async (files: Readonly<Record<string, string>>): Promise<void> => {
      for (const [name, text] of Object.entries(files)) await fs.writeFile(path.join(folder, name), text);
    };
    const start = (...commandLine: readonly string[]): ChildProcess => flybackIn(folder, url, commandLine);
    const run = (...commandLine: readonly string[]): Promise<CommandResult> => finished(start(...commandLine));
    const row = async (): Promise<string> =>
      (await runOn(database.url, 'SELECT version, dirty FROM schema_migrations'))
        .map(({ version, dirty }) => `${String(version)}${dirty === true ? ' dirty' : ''}`)
        .join(', ');

    test('its down files are rollbacks: their own BEGIN and COMMIT are taken over, so a verification still undoes all', async () => {
      await put({
        'm/1_a.up.sql': 'CREATE TABLE a (id int)',
        'm/1_a.down.sql':
          'BEGIN;\nDROP TABLE a;\n-- flyback: verify something is left\nSELECT 0;\n-- expect: 1\nCOMMIT;\n',
      });
      expect(await tool.run('up')).toMatchObject({ code: 0 });
      expect(await run('rollback', '--yes')).toMatchObject({ code: 1 });
      expect(await row()).toBe('1');
      expect(await runOn(database.url, `SELECT 1 FROM pg_class WHERE relname = 'a'`)).toHaveLength(1);
      await put({ 'm/1_a.down.sql': 'BEGIN;\nDROP TABLE a;\nCOMMIT;\n' });
      expect(await run('rollback', '--yes')).toMatchObject({ code: 0 });
      expect(await row()).toBe('');
      expect(await tool.run('version')).toMatchObject({ stderr: expect.stringContaining('no migration') as string });
    });

    test('a version without a down file, or with an empty one, is refused; the tool would only move its row', async () => {
      await put({ 'm/1_a.up.sql': 'SELECT 1', 'm/2_b.up.sql': 'SELECT 1', 'm/2_b.down.sql': '-- irreversible\n' });
      expect(await tool.run('up')).toMatchObject({ code: 0 });
      const only = await run('rollback', '--yes');
      expect(only.stderr).toContain('script-comment-only');
      await fs.rm(path.join(folder, 'm/2_b.down.sql'));
      const missing = await run('rollback', '--yes');
      expect([only.code, missing.code]).toEqual([1, 1]);
      expect(missing.stderr).toContain('rollback-missing');
      expect(await row()).toBe('2');
    });

    test('version 0 and versions of 19 digits', async () => {
      const long = '1700000000123456789';
      await put({
        'm/0_a.up.sql': 'CREATE TABLE a (id int)',
        'm/0_a.down.sql': 'DROP TABLE a',
        [`m/${long}_b.up.sql`]: 'CREATE TABLE b (id int)',
        [`rollbacks/R${long}__b.sql`]: 'DROP TABLE b;',
      });
      expect(await tool.run('up')).toMatchObject({ code: 0 });
      expect(await row()).toBe(long);
      expect(await run('rollback', '--to', '0', '--yes')).toMatchObject({ code: 0 });
      expect(await row()).toBe('0');
      expect(await run('rollback', '--yes')).toMatchObject({ code: 0 });
      expect(await row()).toBe('');
      expect(await tool.run('up')).toMatchObject({ code: 0 });
      expect(await row()).toBe(long);
    });

    test('two rows, a dirty row and a table of another tool are refused, each with its remedy', async () => {
      await put({ 'm/1_a.up.sql': 'SELECT 1', 'm/1_a.down.sql': 'SELECT 1', 'm/2_b.up.sql': 'SELECT no_such_column' });
      expect(await tool.run('up')).not.toMatchObject({ code: 0 });
      expect(await row()).toBe('2 dirty');
      const dirty = await run('rollback', '--yes');
      expect(dirty, dirty.stderr).toMatchObject({ code: 1 });
      expect(dirty.stderr).toMatch(/history-dirty[^]*migrate force/);
      await runOn(
        database.url,
        'UPDATE schema_migrations SET dirty = false; INSERT INTO schema_migrations VALUES (1, false)',
      );
      const two = await run('status');
      expect(two.code).toBe(2);
      expect(two.stderr).toContain('2 rows');
      await runOn(
        database.url,
        'DROP TABLE schema_migrations; CREATE TABLE schema_migrations (version varchar PRIMARY KEY)',
      );
      const rails = await run('status');
      expect(rails.code).toBe(2);
      expect(rails.stderr).toContain('Rails and dbmate');
    });

    test('without the file of the version at which it stands, the plan says that migrate refuses', async () => {
      await put({
        'm/1_a.up.sql': 'SELECT 1',
        'm/1_a.down.sql': 'SELECT 1',
        'm/2_b.up.sql': 'SELECT 1',
        'm/2_b.down.sql': 'SELECT 1',
      });
      expect(await tool.run('up')).toMatchObject({ code: 0 });
      await fs.rm(path.join(folder, 'm/2_b.up.sql'));
      await fs.rm(path.join(folder, 'm/2_b.down.sql'));
      const audit = await run('audit');
      expect(audit.code).toBe(1);
      expect(audit.stdout).toContain('migration-missing');
      expect((await tool.run('up')).stderr).toContain('no migration found for version 2');
    });

    test('it waits for the lock that the tool takes, in the names of the command line and of a program', async () => {
      await put({ 'm/1_a.up.sql': 'CREATE TABLE a (id int)', 'm/1_a.down.sql': 'DROP TABLE a' });
      expect(await tool.run('up')).toMatchObject({ code: 0 });
      const held = toolLock(
        postgresql,
        { schema: 'public', name: 'schema_migrations' },
        { databaseName: database.name },
      );
      for (const key of held.keys) {
        const client = new pg.Client({ connectionString: database.url });
        await client.connect();
        try {
          await client.query(`SELECT pg_advisory_lock(${key})`);
          const refused = await run('rollback', '--yes');
          expect(refused, refused.stderr).toMatchObject({ code: 3 });
          expect(refused.stderr).toContain('lock-unavailable');
        } finally {
          await client.end();
        }
      }
      expect(await row()).toBe('1');
    });

    test('the real command is kept out by the id of its URL: it is seen waiting for it', async () => {
      await put({ 'm/1_a.up.sql': 'CREATE TABLE a (id int)' });
      const held = toolLock(
        postgresql,
        { schema: 'public', name: 'schema_migrations' },
        { databaseName: database.name },
      );
      const client = new pg.Client({ connectionString: database.url });
      await client.connect();
      try {
        for (const key of held.keys) await client.query(`SELECT pg_advisory_lock(${key})`);
        const up = tool.run('up');
        await until(async () => {
          const waiting = await client.query<{ objid: string }>(
            `SELECT objid::text FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`,
          );
          return waiting.rows.length === 1 && held.keys.includes(waiting.rows[0]?.objid ?? '');
        });
        await client.query('SELECT pg_advisory_unlock_all()');
        expect(await up).toMatchObject({ code: 0 });
      } finally {
        await client.end();
      }
    });

    test('interrupted without a transaction, the row is dirty and the tool refuses, until resume has finished', async () => {
      await put({
        'm/1_a.up.sql': 'CREATE TABLE a (id int)',
        'm/1_a.down.sql': 'DROP TABLE a',
        'm/2_b.up.sql': 'CREATE INDEX apart ON a (id)',
        'rollbacks/R2__b.sql': '-- flyback: transaction off\nDROP INDEX CONCURRENTLY apart;\nSELECT pg_sleep(3);\n',
      });
      expect(await tool.run('up')).toMatchObject({ code: 0 });
      const rollback = start('rollback', '--yes');
      const ended = finished(rollback);
      await until(
        async () =>
          (
            await runOn(
              database.url,
              `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(3)%' AND state = 'active'`,
            )
          ).length > 0,
      );
      rollback.kill('SIGKILL');
      await ended;
      await runOn(
        database.url,
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      );
      expect(await row()).toBe('2 dirty');
      expect((await tool.run('up')).stderr).toContain('Dirty database version 2');
      const resumed = await run('resume', '--yes');
      expect(resumed, `${resumed.stdout}${resumed.stderr}`).toMatchObject({ code: 0 });
      expect(await row()).toBe('1');
      expect(await tool.run('up')).toMatchObject({ code: 0 });
      expect(await row()).toBe('2');
    });
  });
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('It has not come to this within 10 s.');
}
