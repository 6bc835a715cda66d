import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDatabase, describeWithLocalMysql, forEachMysql, runOn, type MysqlDatabase } from '../harness/mysql.js';
import { createMysqlProject } from '../harness/mysql-project.js';
import { createProject, finished, noDatabase, type TestProject, type VersionFiles } from '../harness/project.js';

/* flyback prove on MariaDB and MySQL as a user meets it: exit codes, flyback.lock, and no server that is left. */

const good: readonly VersionFiles[] = [
  {
    version: '1',
    up: 'CREATE TABLE users (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL);',
    down: 'DROP TABLE users;',
  },
  {
    version: '2',
    up: "ALTER TABLE users ADD state ENUM('new', 'old') NOT NULL DEFAULT 'new', ADD KEY by_state (state);",
    down: 'ALTER TABLE users DROP KEY by_state, DROP COLUMN state;',
  },
];
const [, second] = good as [VersionFiles, VersionFiles];
const nowhere = { ...noDatabase, name: 'shop', jdbcUrl: 'jdbc:mariadb://nowhere.example:3306/shop' };

/** Command lines of processes of this machine. */
async function processes(): Promise<readonly { readonly pid: number; readonly line: string }[]> {
  const pids = (await fs.readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const lines = await Promise.all(
    pids.map(async (pid) => ({ pid, line: await fs.readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') })),
  );
  return lines;
}

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await condition());) {
    if (Date.now() > deadline) throw new Error('It has not come about in 20 s.');
    await delay(50);
  }
}

describeWithLocalMysql('flyback prove with a server of its own', () => {
  let project: TestProject;
  let folder: string;
  beforeAll(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'fb-'));
    await fs.chmod(folder, 0o755);
  });
  afterAll(() => fs.rm(folder, { recursive: true, force: true }));
  beforeEach(async () => {
    project = await createProject({ database: nowhere, versions: good });
  });
  afterEach(async () => {
    await project.remove();
  });
  const run = (...words: string[]): ReturnType<TestProject['run']> => project.run(words, { TMPDIR: folder });
  const lockFile = (): Promise<string> => fs.readFile(path.join(project.folder, 'flyback.lock'), 'utf8');
  const servers = async (): Promise<readonly number[]> =>
    (await processes()).flatMap(({ pid, line }) =>
      line.includes(folder) && /(?:mariadbd|mysqld)\0/.test(line) ? [pid] : [],
    );
  const runFolders = async (): Promise<readonly string[]> => {
    const [own = ''] = await fs.readdir(folder);
    return (await fs.readdir(path.join(folder, own)).catch(() => [])).filter((name) => name.startsWith('run-'));
  };

  test('writes receipts with the product, and confirms them', async () => {
    const proven = await run('prove', '--all');
    expect(proven.code, proven.stderr).toBe(0);
    expect(proven.stderr).toMatch(/proving on (?:MariaDB|MySQL) [\d.]+, started from /);
    const lock = await lockFile();
    expect(lock.match(/"product":"(?:MariaDB|MySQL)"/g)).toHaveLength(2);
    const checked = await run('prove', '--check');
    expect(checked.code, checked.stdout).toBe(0);
    expect(await lockFile()).toBe(lock);
    expect(await servers()).toEqual([]);
    expect(await runFolders()).toEqual([]);
  });

  test('does not confirm a receipt that somebody made of another script', async () => {
    await run('prove');
    await project.write({ ...second, down: 'ALTER TABLE users DROP COLUMN state;' });
    expect((await run('prove', '--check')).code).toBe(1);
  });

  test.each([
    ['exact', second.down ?? '', 0],
    [
      'different',
      "ALTER TABLE users DROP KEY by_state, DROP COLUMN state;\nALTER TABLE users ALTER name SET DEFAULT 'x';",
      1,
    ],
    ['failed', 'ALTER TABLE users DROP KEY by_state, DROP COLUMN nothing;', 1],
  ])('exits with its code when a version is %s', async (grade, down, code) => {
    await project.write({ ...second, down });
    const proven = await run('prove', '2', '--json');
    expect(proven.code, proven.stderr).toBe(code);
    expect(JSON.parse(proven.stdout)).toMatchObject({ passed: code === 0, proofs: [{ version: '2', grade }] });
  });

  test('exits with 1 when rows are lost', async () => {
    await project.write({
      version: '3',
      up: 'ALTER TABLE users DROP COLUMN name;',
      down: "ALTER TABLE users ADD name VARCHAR(40) NOT NULL DEFAULT '' AFTER id;\nALTER TABLE users ALTER name DROP DEFAULT;",
    });
    const proven = await run('prove', '3', '--json');
    expect(proven.code, proven.stderr).toBe(1);
    expect(JSON.parse(proven.stdout)).toMatchObject({
      proofs: [{ version: '3', grade: 'data-lost', generated: ['users'] }],
    });
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('leaves no server after %s', async (signal) => {
    await project.write({ version: '3', up: 'DO SLEEP(100);', down: 'DO 1;' });
    const child = project.start(['prove'], { TMPDIR: folder });
    const ended = finished(child);
    await eventually(async () => (await servers()).length > 0);
    child.kill(signal);
    await ended;
    await eventually(async () => (await servers()).length === 0 && (await runFolders()).length === 0);
  });

  test('leaves none after its guard was killed too, once the next start has swept', async () => {
    await project.write({ version: '3', up: 'DO SLEEP(100);', down: 'DO 1;' });
    const child = project.start(['prove'], { TMPDIR: folder });
    const ended = finished(child);
    await eventually(async () => (await servers()).length > 0);
    const guards = async (): Promise<readonly number[]> =>
      (await processes()).flatMap(({ pid, line }) =>
        line.includes('flyback-guard') && line.includes(folder) ? [pid] : [],
      );
    await eventually(async () => (await guards()).length > 0);
    const [abandoned] = await servers();
    for (const pid of await guards()) process.kill(pid, 'SIGKILL');
    child.kill('SIGKILL');
    await ended;
    expect(await servers()).toEqual([abandoned]);
    await project.write({ version: '3', up: 'DO 1;', down: 'DO 1;' });
    await run('prove', '1');
    expect(await servers()).toEqual([]);
    expect(await runFolders()).toEqual([]);
  });

  test('listens to nobody but itself', async () => {
    await project.write({ version: '3', up: 'DO SLEEP(100);', down: 'DO 1;' });
    const child = project.start(['prove'], { TMPDIR: folder });
    const ended = finished(child);
    await eventually(async () => (await servers()).length > 0);
    const [pid = 0] = await servers();
    const sockets = execFileSync(
      'sh',
      ['-c', `ls -l /proc/${pid}/fd | grep -o 'socket:\\[[0-9]*\\]' | tr -dc '0-9\\n'`],
      { encoding: 'utf8' },
    )
      .split('\n')
      .filter((id) => id !== '');
    const tcp =
      (await fs.readFile('/proc/net/tcp', 'utf8')) + (await fs.readFile('/proc/net/tcp6', 'utf8').catch(() => ''));
    const inodes = new Set(tcp.split('\n').map((line) => line.trim().split(/\s+/)[9]));
    expect(sockets.filter((id) => inodes.has(id))).toEqual([]);
    child.kill('SIGKILL');
    await ended;
    await eventually(async () => (await servers()).length === 0);
  });
});

forEachMysql('drift around a rollback', (server) => {
  let database: MysqlDatabase;
  let project: TestProject;
  beforeAll(async () => {
    database = await createDatabase(server);
    project = await createMysqlProject({ database, flyback: '[prove]\ndrift = "stop"\n', versions: good });
    await project.apply(good);
    const proven = await project.run(['prove']);
    expect(proven.code, proven.stderr).toBe(0);
  });
  afterAll(async () => {
    await project.remove();
    await database.drop();
  });

  describe('with the receipts of its versions', () => {
    test('stops before the script when something was changed by hand, and not when nothing was', async () => {
      await runOn(database.url, 'CREATE INDEX by_hand ON users (name)');
      const stopped = await project.run(['rollback', '--steps', '1', '--yes', '--reason', 'test']);
      expect(stopped.code, stopped.stdout).toBe(1);
      expect(`${stopped.stdout}${stopped.stderr}`).toContain('by_hand on users');
      await runOn(database.url, 'DROP INDEX by_hand ON users');
      const done = await project.run(['rollback', '--steps', '1', '--yes', '--reason', 'test']);
      expect(done.code, `${done.stdout}${done.stderr}`).toBe(0);
      expect(`${done.stdout}${done.stderr}`).not.toContain('drift');
      expect(await runOn(database.url, "SHOW COLUMNS FROM users LIKE 'state'")).toEqual([]);
    });
  });
});
