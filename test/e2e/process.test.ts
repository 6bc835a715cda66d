import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDatabase, forEachMajor, newestServer, runOn, type TestDatabase } from '../harness/postgres.js';
import {
  createProject,
  finished,
  recordEntries,
  snapshot,
  storedVersions,
  type TestProject,
} from '../harness/project.js';
import { startProxy, type Proxy } from '../harness/proxy.js';

/* What happens to the process, or to its connection, in the middle of a run. */

const versions = ['1', '2', '3'].map((version) => ({
  version,
  up: `CREATE TABLE t${version} (id int)`,
  down: `DROP TABLE t${version};\n-- flyback: verify gone\nSELECT to_regclass('t${version}') IS NULL;\n-- expect: true\n`,
}));
const sleeping = {
  ...versions[1],
  version: '2',
  up: versions[1]?.up ?? '',
  down: 'DROP TABLE t2; SELECT pg_sleep(60);',
};

forEachMajor((server) => {
  let database: TestDatabase;
  let project: TestProject;
  beforeAll(async () => {
    database = await createDatabase(server.url);
    project = await createProject({ database });
  });
  afterAll(async () => {
    await project.remove();
    await database.drop();
  });
  beforeEach(async () => {
    await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    await project.apply(versions);
  });

  describe('a signal', () => {
    test('SIGINT cancels within a second, rolls back, and is recorded', async () => {
      await project.write(sleeping);
      const child = project.start(['rollback', '--to', '1', '--yes', '--single-transaction']);
      const before = await snapshot(database);
      const ended = finished(child);
      await untilSleeping(database);
      const asked = performance.now();
      child.kill('SIGINT');
      const { code, stderr, stdout } = await ended;
      expect(performance.now() - asked).toBeLessThan(1000);
      expect(code).toBe(3);
      expect(stderr).toContain('cancelled');
      expect(stdout).toContain('no version was rolled back');
      expect(await snapshot(database)).toBe(before);
      expect((await recordEntries(database)).map((entry) => entry['outcome'])).toEqual(['cancelled']);
    });

    // The kernel and the shell each send one when a terminal closes; whatever is written then fails.
    test('SIGHUP, twice and with nobody left to read, cancels and rolls back as well', async () => {
      await project.write(sleeping);
      const child = project.start(['rollback', '--to', '1', '--yes', '--single-transaction']);
      const before = await snapshot(database);
      await untilSleeping(database);
      child.stdout?.destroy();
      child.stderr?.destroy();
      const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
      const asked = performance.now();
      child.kill('SIGHUP');
      child.kill('SIGHUP');
      expect(await ended).toBe(3);
      expect(performance.now() - asked).toBeLessThan(1000);
      await untilAlone(database);
      expect(await snapshot(database)).toBe(before);
      expect((await recordEntries(database)).map((entry) => entry['outcome'])).toEqual(['cancelled']);
    });

    test('SIGINT while waiting for a lock ends the waiting', async () => {
      const holder = new pg.Client({ connectionString: database.url });
      await holder.connect();
      await holder.query('BEGIN; SELECT pg_advisory_xact_lock(77433833903597)');
      const child = project.start(['rollback', '--yes']);
      const ended = finished(child);
      await new Promise<void>((resolve) => child.stderr?.once('data', () => resolve()));
      const asked = performance.now();
      child.kill('SIGINT');
      const { code } = await ended;
      await holder.end();
      expect(performance.now() - asked).toBeLessThan(2000);
      expect(code).toBe(3);
    });

    test('SIGKILL in the middle of a long statement: the server notices within seconds, and lets go of every lock', async () => {
      await project.write(sleeping);
      const before = await snapshot(database);
      const child = project.start(['rollback', '--to', '1', '--yes', '--single-transaction']);
      const ended = finished(child);
      await untilSleeping(database);
      const killed = performance.now();
      child.kill('SIGKILL');
      await ended;
      await untilAlone(database);
      // The statement alone would have held them for a minute.
      expect(performance.now() - killed).toBeLessThan(30_000);
      expect(await snapshot(database)).toBe(before);
    });

    test('SIGKILL at any moment leaves the database before or after a version, never between', async () => {
      const states = new Set<string>();
      for (const moment of [1, 2, 3, 4, 5, 6, 7]) {
        await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
        await project.apply(versions.map((files) => ({ ...files, down: `${files.down}SELECT pg_sleep(0.05);\n` })));
        const child = project.start(['rollback', '--all', '--yes']);
        let said = 0;
        child.stderr?.on('data', () => {
          said += 1;
          if (said === moment) child.kill('SIGKILL');
        });
        await finished(child);
        await untilAlone(database);
        const [tables] = await runOn(
          database.url,
          `SELECT string_agg(right(relname, 1), ',' ORDER BY relname) AS list FROM pg_class WHERE relkind = 'r' AND relname ~ '^t[0-9]$'`,
        );
        const applied = (await storedVersions(database)).join(',');
        expect(tables?.['list'] ?? '').toBe(applied);
        const committed = (await recordEntries(database)).filter((entry) => entry['outcome'] === 'committed');
        expect(committed).toHaveLength(3 - applied.split(',').filter(Boolean).length);
        states.add(applied);
      }
      expect([...states]).toContain('1,2,3');
      expect(states.size).toBeGreaterThan(1);
    });
  });

  // As when a cancel request meets the server just as it begins with the statement: it is not executed. What is on its way
  // behind it must not run either; after BEGIN it would run, and commit, outside of any transaction.
  test.each([
    ['the record of the version before', 'INSERT INTO "public"."flyback_record"', 'text', ['1', '2', '3']],
    ['the commit of the version before', 'COMMIT', 'text', ['1', '2', '3']],
    ['the opening', 'BEGIN', 'text', ['1', '2']],
    ['an opening that the server had kept', 'BEGIN', 'second call', ['1']],
    ['a guard of the opening', 'LOCK TABLE', 'text', ['1', '2']],
    ['what follows the script', 'SET CONSTRAINTS', 'second call', ['1', '2']],
  ])('%s, refused by the server, lets nothing of the script through', async (_what, text, spoilt, left) => {
    let refused = 0;
    let calls = 0;
    let kept: string | undefined;
    const proxy = await startProxy({
      serverUrl: server.url,
      onMessage: ({ from, type, bytes }) => {
        if (from !== 'client') return 'pass';
        let at = type === 'P' ? bytes.indexOf(`\0${text}`) : -1;
        // The first version is opened another way, and has the same behind its script as the others: they call what the
        // server has kept since.
        if (spoilt === 'second call') {
          if (at >= 0) kept = /flyback_\w+$/.exec(bytes.subarray(0, at).toString('latin1'))?.[0];
          at = type === 'B' && kept !== undefined ? bytes.indexOf(`\0${kept}\0`) : -1;
          if (at >= 0) calls += 1;
          if (calls < 2) return 'pass';
        }
        if (at < 0) return 'pass';
        refused += 1;
        return Buffer.concat([bytes.subarray(0, at + 1), Buffer.from('#'), bytes.subarray(at + 2)]);
      },
    });
    const url = new URL(database.jdbcUrl.slice('jdbc:'.length));
    const through = `jdbc:postgresql://127.0.0.1:${String(proxy.port)}${url.pathname}`;
    try {
      const { code, stderr } = await project.run(['rollback', '--all', '--yes', '--url', through]);
      expect(refused, stderr).toBeGreaterThan(0);
      expect(code, stderr).toBe(3);
      expect(stderr).toMatch(/syntax error|prepared statement "\S+" does not exist/);
      expect(await storedVersions(database)).toEqual(left);
      const tables = await runOn(
        database.url,
        `SELECT string_agg(right(relname, 1), ',' ORDER BY relname) AS names FROM pg_class WHERE relkind = 'r' AND relname ~ '^t[0-9]$'`,
      );
      expect(tables).toEqual([{ names: left.join(',') }]);
    } finally {
      await proxy.stop();
    }
  });

  describe('a connection that is cut while COMMIT is under way', () => {
    test.each([
      ['before the server gets it', 'request', 3],
      ['before we get the answer', 'answer', 0],
    ] as const)('%s: the server is asked, and the truth is told', async (_name, cut, exitCode) => {
      const proxy = await cutCommit(server.url, cut);
      const url = new URL(database.jdbcUrl.slice('jdbc:'.length));
      const through = `jdbc:postgresql://127.0.0.1:${String(proxy.port)}${url.pathname}`;
      try {
        const { code, stdout, stderr } = await project.run(['rollback', '--yes', '--json', '--url', through]);
        expect(proxy.cuts(), stderr).toBe(1);
        expect(code, stderr).toBe(exitCode);
        const result = JSON.parse(stdout) as { outcome: string; warnings: readonly string[] };
        if (cut === 'answer') {
          expect(result.outcome).toBe('committed');
          expect(result.warnings.join()).toContain('the server confirms that it was committed');
          expect(await storedVersions(database)).toEqual(['1', '2']);
        } else {
          expect(result.outcome).toBe('failed');
          expect(stderr).toContain('connection-lost');
          expect(await storedVersions(database)).toEqual(['1', '2', '3']);
        }
        expect((await recordEntries(database)).map((entry) => entry['outcome'])).toEqual([
          cut === 'answer' ? 'committed' : 'failed',
        ]);
      } finally {
        await proxy.stop();
      }
    });

    test.each(['request', 'answer'] as const)(
      'between two versions (%s): what was committed is told, the rest is not run',
      async (cut) => {
        const proxy = await cutCommit(server.url, cut);
        const url = new URL(database.jdbcUrl.slice('jdbc:'.length));
        const through = `jdbc:postgresql://127.0.0.1:${String(proxy.port)}${url.pathname}`;
        try {
          const { code, stdout } = await project.run(['rollback', '--all', '--yes', '--json', '--url', through]);
          expect(proxy.cuts()).toBe(1);
          expect(code).toBe(3);
          const result = JSON.parse(stdout) as { steps: readonly { outcome: string }[] };
          expect(result.steps.map((step) => step.outcome)).toEqual([
            cut === 'answer' ? 'committed' : 'failed',
            'not-run',
            'not-run',
          ]);
          expect(await storedVersions(database)).toEqual(cut === 'answer' ? ['1', '2'] : ['1', '2', '3']);
          expect(await project.run(['log', '--verify'])).toMatchObject({ code: 0 });
          expect(await project.run(['rollback', '--all', '--yes'])).toMatchObject({ code: 0 });
        } finally {
          await proxy.stop();
        }
      },
    );

    test('and the server stays away: the outcome is called unknown, exit code 4', async () => {
      const proxy = await cutCommit(server.url, 'answer', 'for-good');
      const url = new URL(database.jdbcUrl.slice('jdbc:'.length));
      const through = `jdbc:postgresql://127.0.0.1:${String(proxy.port)}${url.pathname}?connectTimeout=2`;
      try {
        const { code, stderr } = await project.run(['rollback', '--yes', '--url', through]);
        expect(code, stderr).toBe(4);
        expect(stderr).toContain('commit-unknown');
      } finally {
        await proxy.stop();
      }
    });
  });
});

describe('secrets', () => {
  test('appear in no output, plan or record, whatever goes wrong', async () => {
    const secret = 'Tr0ub4dor&3';
    const placeholder = 'hunter-2-hunter';
    const database = await createDatabase(newestServer().url);
    const project = await createProject({
      database,
      connection: { url: database.jdbcUrl, user: database.user, password: secret },
      flyway: `[flyway.placeholders]\napiToken = "${placeholder}"\nplain = "visible"\n`,
    });
    try {
      const downs = [
        `UPDATE t SET token = '\${apiToken}';\n-- flyback: verify token\nSELECT token FROM t;\n-- expect: \${apiToken}\n`,
        `UPDATE t SET token = '\${apiToken}';\n-- flyback: verify other\nSELECT token FROM t;\n-- expect: another\n`,
        `INSERT INTO t SELECT '\${apiToken}'::int;`,
        `SELECT '\${apiToken}' FROM \${apiToken};`,
        `DO $$ BEGIN RAISE NOTICE 'the token is \${apiToken}'; RAISE EXCEPTION 'bad token \${apiToken}, ${secret}'; END $$;`,
        `INSERT INTO keyed VALUES ('\${apiToken}'), ('\${apiToken}');`,
        `INSERT INTO referring VALUES ('\${apiToken}');`,
        `-- flyback: approval \${apiToken}\n\\echo \${apiToken}\nUPDATE t SET token = '\${apiToken}' WHERE \${unknown};`,
      ];
      const up = `CREATE TABLE t (token text); INSERT INTO t VALUES ('x'); CREATE TABLE keyed (k text PRIMARY KEY); CREATE TABLE referring (k text REFERENCES keyed)`;
      const written: string[] = [];
      for (const down of downs) {
        await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
        await project.apply([{ version: '1', up, down }]);
        for (const line of [
          ['status', '--json'],
          ['audit'],
          ['plan'],
          ['plan', '--json'],
          ['rollback', '--dry-run', '--json'],
          ['verify', '1'],
          ['rollback', '--yes', '--reason', `see ${secret}`],
          ['log', '--json'],
        ]) {
          const { stdout, stderr } = await project.run(line);
          written.push(`${line[0] ?? ''}\n${stdout}\n${stderr}`);
        }
        written.push(JSON.stringify(await recordEntries(database)));
      }
      const leaks = written.filter((text) => text.includes(secret) || text.includes(placeholder));
      expect(leaks).toEqual([]);
      expect(written.join()).toContain('***');
    } finally {
      await project.remove();
      await database.drop();
    }
  });
});

/**
 * Cuts once: when the first COMMIT passes (not handing it on), or when the server answers it (not handing that on).
 * Afterwards the proxy lets everything through, or, for good, nothing.
 */
async function cutCommit(
  serverUrl: string,
  cut: 'request' | 'answer',
  then?: 'for-good',
): Promise<Proxy & { readonly cuts: () => number }> {
  let asked: number | undefined;
  let cuts = 0;
  const proxy = await startProxy({
    serverUrl,
    admits: () => cuts === 0 || then !== 'for-good',
    onMessage: ({ from, connection, bytes }) => {
      if (cuts > 0 || !bytes.includes('COMMIT\0')) return 'pass';
      if (from === 'client') asked ??= connection;
      if (asked !== connection || from !== (cut === 'request' ? 'client' : 'server')) return 'pass';
      cuts += 1;
      return 'cut-before';
    },
  });
  return { ...proxy, cuts: () => cuts };
}

async function untilSleeping(database: TestDatabase): Promise<void> {
  await until(
    database,
    `EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid())`,
  );
}

/** The server has noticed that its client is gone. */
async function untilAlone(database: TestDatabase): Promise<void> {
  await until(
    database,
    `NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid())`,
  );
}

async function until(database: TestDatabase, condition: string): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    for (;;) {
      const { rows } = await client.query<{ ok: boolean }>(`SELECT ${condition} AS ok`);
      if (rows[0]?.ok === true) return;
    }
  } finally {
    await client.end();
  }
}
