import * as fs from 'node:fs/promises';
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startCrashable } from '../harness/crashable-server.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../harness/postgres.js';
import {
  createProject,
  finished,
  recordEntries,
  snapshot,
  storedVersions,
  type TestProject,
  type VersionFiles,
} from '../harness/project.js';

/* Faults that take whole processes: of the server, of flyback, of two flybacks at once. */

const first: VersionFiles = { version: '1', up: 'CREATE TABLE kept (id int)', down: 'DROP TABLE kept;' };
const up = `CREATE TABLE t (id int, n int); INSERT INTO t SELECT n, 0 FROM generate_series(1, 10) n; CREATE INDEX t_id ON t (id); CREATE TABLE runs (what text)`;
const second = (down: string): VersionFiles => ({ version: '2', up, down });

test('a server that was restarted between plan and run: the stored plan runs', async () => {
  const server = await startCrashable(newestServer().major);
  const database = await createDatabase(server.url);
  const project = await createProject({ database });
  try {
    await project.apply([first, second('DROP TABLE t;')]);
    const file = path.join(project.folder, 'plan.json');
    const planned = await project.run(['plan', '--json']);
    expect(planned.code).toBe(0);
    await fs.writeFile(file, planned.stdout);
    await server.crash();
    const { code, stderr } = await project.run(['rollback', '--plan', file, '--yes']);
    expect(code, stderr).toBe(2);
    expect(stderr).toContain('connection-failed');
    await server.restart();
    const ran = await project.run(['rollback', '--plan', file, '--yes']);
    expect(ran.code, ran.stderr).toBe(0);
    expect(await storedVersions(database)).toEqual(['1']);
  } finally {
    await project.remove();
    await server.stop();
  }
});

describe('in processes of their own', () => {
  let database: TestDatabase;
  let project: TestProject;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    database = await createDatabase(newestServer().url);
    project = await createProject({ database });
  });
  afterAll(async () => {
    await project.remove();
    await database.drop();
  });
  beforeEach(async () => {
    await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  function start(commandLine: readonly string[]): ChildProcess {
    const child = project.start(commandLine);
    children.push(child);
    return child;
  }

  const active = (query: string): string =>
    `EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '${query}%' AND pid <> pg_backend_pid())`;

  async function holding<T>(sql: string, work: (release: () => Promise<void>) => Promise<T>): Promise<T> {
    const holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
    let isHeld = true;
    const release = async (): Promise<void> => {
      if (isHeld) await holder.end();
      isHeld = false;
    };
    try {
      await holder.query(sql);
      return await work(release);
    } finally {
      await release();
    }
  }

  describe('a script that takes an hour is ended by Ctrl-C within a second', () => {
    async function interrupt(during: string): Promise<{ readonly code: number | string; readonly stderr: string }> {
      const child = start(['rollback', '--yes']);
      const ended = finished(child);
      await until(database, active(during));
      const asked = performance.now();
      child.kill('SIGINT');
      const result = await ended;
      expect(performance.now() - asked).toBeLessThan(1000);
      return result;
    }

    test('in a transaction: nothing remains', async () => {
      await project.apply([first, second('DROP TABLE t;\nSELECT pg_sleep(3600);')]);
      const before = await snapshot(database);
      const { code, stderr } = await interrupt('SELECT pg_sleep(3600)');
      expect(code, stderr).toBe(3);
      expect(stderr).toContain('cancelled');
      expect(await snapshot(database)).toBe(before);
    });

    test('as the first of several statements without a transaction: withdrawn, nothing remains', async () => {
      await project.apply([first, second('SELECT pg_sleep(3600);\nDROP INDEX CONCURRENTLY t_id;')]);
      const before = await snapshot(database);
      const { code, stderr } = await interrupt('SELECT pg_sleep(3600)');
      expect(code, stderr).toBe(3);
      expect(stderr).toContain('cancelled');
      expect(await snapshot(database)).toBe(before);
      expect((await recordEntries(database)).map(({ outcome }) => outcome)).toEqual(['cancelled']);
    });

    test('as a later one: interrupted, and resume carries on', async () => {
      const down = `DROP INDEX CONCURRENTLY t_id;\nINSERT INTO runs SELECT 'slept' FROM pg_sleep(3600);\nDROP TABLE t;`;
      await project.apply([first, second(down)]);
      const { code, stderr } = await interrupt('INSERT INTO runs');
      expect(code, stderr).toBe(4);
      await project.write(second(down.replace('3600', '0')));
      const resumed = await project.run(['resume', '--yes', '--changed-script']);
      expect(resumed.code, resumed.stderr).toBe(0);
      expect(await runOn(database.url, 'SELECT what FROM runs')).toEqual([{ what: 'slept' }]);
      expect(await storedVersions(database)).toEqual(['1']);
    });

    test('as CREATE INDEX CONCURRENTLY behind an old snapshot: the invalid index is named, and repaired by resume', async () => {
      await project.apply([
        first,
        second(`INSERT INTO runs VALUES ('once');\nCREATE INDEX CONCURRENTLY t_n ON t (n);\nDROP INDEX t_id;`),
      ]);
      await holding('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM kept', async () => {
        const child = start(['rollback', '--yes']);
        const ended = finished(child);
        // It waits for the snapshot with the index built and not yet valid.
        await until(database, `EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('t_n') AND NOT indisvalid)`);
        await until(database, active('CREATE INDEX CONCURRENTLY'));
        const asked = performance.now();
        child.kill('SIGINT');
        const { code, stderr } = await ended;
        expect(performance.now() - asked).toBeLessThan(1000);
        expect(code, stderr).toBe(4);
        expect(stderr).toContain('t_n');
      });
      expect(await runOn(database.url, 'SELECT FROM pg_index WHERE NOT indisvalid')).toHaveLength(1);
      const { code, stderr } = await project.run(['resume', '--yes']);
      expect(code, stderr).toBe(0);
      expect(await runOn(database.url, 'SELECT FROM pg_index WHERE NOT indisvalid')).toEqual([]);
      expect(await runOn(database.url, `SELECT FROM pg_index WHERE indexrelid = to_regclass('t_n')`)).toHaveLength(1);
      expect(await runOn(database.url, 'SELECT what FROM runs')).toEqual([{ what: 'once' }]);
    });
  });

  test('an idle_in_transaction_session_timeout of the role ends a run that was stopped by Ctrl-Z: told, nothing done', async () => {
    await project.apply([first, second(`SELECT pg_sleep(0.5);\nDROP TABLE t;`)]);
    await runOn(database.url, `ALTER DATABASE "${database.name}" SET idle_in_transaction_session_timeout = '300ms'`);
    try {
      const before = await snapshot(database);
      const child = start(['rollback', '--yes', '--single-transaction']);
      const ended = finished(child);
      await until(database, active('SELECT pg_sleep(0.5)'));
      child.kill('SIGSTOP');
      await until(
        database,
        `NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid())`,
      );
      child.kill('SIGCONT');
      const { code, stderr } = await ended;
      expect(code, stderr).toBe(3);
      expect(stderr).toContain('idle-in-transaction timeout');
      expect(stderr).toContain('idle_in_transaction_session_timeout');
      expect(await snapshot(database)).toBe(before);
    } finally {
      await runOn(database.url, `ALTER DATABASE "${database.name}" RESET ALL`);
    }
  });

  describe('an interrupted run', () => {
    const down = `INSERT INTO runs VALUES ('first');\nDROP INDEX CONCURRENTLY t_id;\nINSERT INTO ready VALUES (1);\nINSERT INTO runs VALUES ('last');`;

    test('is finished once by two resumes that start together', async () => {
      await project.apply([first, second(down)]);
      expect((await project.run(['rollback', '--yes'])).code).toBe(4);
      await runOn(database.url, 'CREATE TABLE ready (id int)');
      const results = await Promise.all([1, 2].map(() => finished(start(['resume', '--yes', '--json']))));
      const codes = results.map(({ code }) => code).sort();
      // The second one is told that it came too late, or came so late that nothing was interrupted any more.
      expect(codes, results.map(({ stderr }) => stderr).join('\n')).toEqual(
        results.some(({ stdout }) => stdout.includes('nothing-interrupted')) ? [0, 0] : [0, 3],
      );
      for (const { code, stdout } of results) if (code === 3) expect(stdout).toContain('"history-changed"');
      expect(await runOn(database.url, 'SELECT what FROM runs')).toEqual([{ what: 'first' }, { what: 'last' }]);
      expect((await recordEntries(database)).map(({ outcome }) => outcome)).toEqual(
        expect.arrayContaining(['interrupted', 'committed']),
      );
      expect((await recordEntries(database)).filter(({ outcome }) => outcome === 'committed')).toHaveLength(1);
      expect(await storedVersions(database)).toEqual(['1']);
    });

    /** What a server does that cannot watch its connections, or a network that hides the loss. */
    async function withoutNoticingLoss(work: () => Promise<void>): Promise<void> {
      await runOn(database.url, `ALTER DATABASE "${database.name}" SET client_connection_check_interval = '1h'`);
      try {
        await work();
      } finally {
        await runOn(database.url, `ALTER DATABASE "${database.name}" RESET client_connection_check_interval`);
      }
    }

    test('whose flyback was killed while its server process works on: resume waits for that, names it, and goes on', async () => {
      await runOn(database.url, 'CREATE TABLE ready (id int)');
      await project.apply([first, second(down)]);
      await withoutNoticingLoss(() =>
        holding('BEGIN; LOCK TABLE t IN ACCESS SHARE MODE; SELECT 1 FROM t', async (release) => {
          const child = start(['rollback', '--yes']);
          const killed = finished(child);
          await until(database, active('DROP INDEX CONCURRENTLY'));
          child.kill('SIGKILL');
          await killed;
          const [backend] = await runOn(
            database.url,
            `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'DROP INDEX CONCURRENTLY%'`,
          );
          const resuming = start(['resume', '--yes']);
          let said = '';
          const told = new Promise<void>((resolve) => {
            resuming.stderr?.on('data', (data: Buffer) => {
              said += data.toString();
              if (said.includes(`process ${String(backend?.['pid'])}`)) resolve();
            });
          });
          const ended = finished(resuming);
          await Promise.race([told, ended]);
          expect(said).toContain(`process ${String(backend?.['pid'])}`);
          expect((await journalEvents(database)).at(-1)).toBe('started');
          await release();
          const { code, stderr } = await ended;
          expect(code, stderr).toBe(0);
        }),
      );
      expect(await runOn(database.url, 'SELECT what FROM runs')).toEqual([{ what: 'first' }, { what: 'last' }]);
      expect(await runOn(database.url, `SELECT to_regclass('t_id') AS index`)).toEqual([{ index: null }]);
      expect(await storedVersions(database)).toEqual(['1']);
    });

    test('and whose server process does not end: resume gives up in time and says whom to end', async () => {
      await runOn(database.url, 'CREATE TABLE ready (id int)');
      const impatient = await createProject({ database, flyback: '[run]\ntoolLockWait = "1s"\n' });
      try {
        await impatient.apply([first, second(down)]);
        await project.write(second(down));
        await withoutNoticingLoss(() =>
          holding('BEGIN; LOCK TABLE t IN ACCESS SHARE MODE; SELECT 1 FROM t', async () => {
            const child = start(['rollback', '--yes']);
            const killed = finished(child);
            await until(database, active('DROP INDEX CONCURRENTLY'));
            child.kill('SIGKILL');
            await killed;
            const { code, stderr } = await impatient.run(['resume', '--yes']);
            expect(code, stderr).toBe(3);
            expect(stderr).toMatch(/lock-unavailable.*process \d+/s);
            await runOn(
              database.url,
              `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'DROP INDEX CONCURRENTLY%' AND pid <> pg_backend_pid()`,
            );
          }),
        );
        const { code, stderr } = await impatient.run(['resume', '--yes']);
        expect(code, stderr).toBe(0);
      } finally {
        await impatient.remove();
      }
      expect(await runOn(database.url, 'SELECT what FROM runs')).toEqual([{ what: 'first' }, { what: 'last' }]);
    });
  });
});

async function journalEvents(database: TestDatabase): Promise<readonly string[]> {
  const rows = await runOn(database.url, 'SELECT entry FROM flyback_record_journal ORDER BY id');
  return rows.map((row) => (JSON.parse(String(row['entry'])) as { event: string }).event);
}

async function until(database: TestDatabase, condition: string): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    for (;;) {
      const { rows } = await client.query<{ ok: boolean }>(`SELECT ${condition} AS ok`);
      if (rows[0]?.ok === true) return;
      await delay(10);
    }
  } finally {
    await client.end();
  }
}
