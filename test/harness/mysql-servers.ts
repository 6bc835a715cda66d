import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { createServer, Socket, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { RowDataPacket } from 'mysql2/promise';
import { publishFolder } from '../../adapters/databases/scratch-server/folders.js';

/*
 * Starting MariaDB and MySQL servers; free of vitest, because the global setup runs outside the tests. Tests use mysql.ts.
 */

/** A server that the tests may use. Plain data: it travels from the global setup to the test processes. */
export interface MysqlTestServer {
  readonly product: 'MariaDB' | 'MySQL';
  /** As the server names itself: "10.11.19-MariaDB-0+deb12u1", "8.4.3". */
  readonly version: string;
  /** mysql:// URL of an account that may do everything, without a database. */
  readonly url: string;
  readonly origin: 'url' | 'container' | 'local';
}

export interface StartedMysqlServer extends MysqlTestServer {
  stop(): Promise<void>;
}

/** What became of the search for servers: those that run, and in words what could not be had. */
export interface MysqlServers {
  readonly servers: readonly StartedMysqlServer[];
  /** Undefined when a server runs; else why none does. */
  readonly missing: string | undefined;
  /** Undefined where startLocal can start more of them; else why not. */
  readonly noPrograms: string | undefined;
}

/** A server of this process's own that can be ended without warning, and started again on the same data and port. */
export interface LocalServer {
  readonly product: MysqlTestServer['product'];
  readonly version: string;
  readonly port: number;
  /** mysql:// URL of root, without a password; the same after a restart. */
  readonly url: string;
  readonly socketFile: string;
  /** Ends every thread at once: nothing is rolled back or written any more, the next start recovers from the redo log. */
  crash(): Promise<void>;
  /** Resolves when it answers again. */
  restart(): Promise<void>;
  /** Ends it and removes its data. May be called twice; never throws. */
  stop(): Promise<void>;
}

export interface LocalOptions {
  /** Server settings beside the launcher's own, as they stand in my.cnf. */
  readonly settings?: Readonly<Record<string, string>>;
}

const patienceMs = 30_000;
const mariadbImage = 'mariadb:10.11';
const mysqlImage = 'mysql:8.4';

/**
 * FLYBACK_TEST_MYSQL_URL alone, when it is set; else MariaDB from a container where Docker answers (FLYBACK_TEST_DOCKER=off
 * forbids it) or from the programs found on this machine, and MySQL from a container only. Never throws.
 */
export async function startMysqlServers(environment: NodeJS.ProcessEnv): Promise<MysqlServers> {
  const noPrograms = whyNoPrograms();
  try {
    const url = environment['FLYBACK_TEST_MYSQL_URL'];
    if (url !== undefined) {
      const server: StartedMysqlServer = {
        ...(await askServer(url)),
        url,
        origin: 'url',
        stop: () => Promise.resolve(),
      };
      return { servers: [server], missing: undefined, noPrograms };
    }
    const docker = hasDocker(environment);
    const mariadb = (docker ? await startContainer(mariadbImage) : undefined) ?? (await startShared());
    const mysql = docker ? await startContainer(mysqlImage) : undefined;
    return { servers: mysql === undefined ? [mariadb] : [mariadb, mysql], missing: undefined, noPrograms };
  } catch (error) {
    return { servers: [], missing: error instanceof Error ? error.message : String(error), noPrograms };
  }
}

async function startShared(): Promise<StartedMysqlServer> {
  const server = await startLocal();
  const { product, version, url } = server;
  return { product, version, url, origin: 'local', stop: () => server.stop() };
}

async function askServer(url: string): Promise<Pick<MysqlTestServer, 'product' | 'version'>> {
  const { createConnection } = await import('mysql2/promise');
  const connection = await createConnection({ uri: url, connectTimeout: patienceMs });
  try {
    const [rows] = await connection.query<RowDataPacket[]>('SELECT VERSION() AS version');
    const version = String(rows[0]?.['version']);
    return { product: version.includes('MariaDB') ? 'MariaDB' : 'MySQL', version };
  } finally {
    await connection.end();
  }
}

function hasDocker(environment: NodeJS.ProcessEnv): boolean {
  if (environment['FLYBACK_TEST_DOCKER'] === 'off') return false;
  // Loading testcontainers takes a second, so look for a door to knock at first.
  return environment['DOCKER_HOST'] !== undefined || existsSync('/var/run/docker.sock');
}

async function startContainer(image: string): Promise<StartedMysqlServer | undefined> {
  const { GenericContainer, Wait, getContainerRuntimeClient } = await import('testcontainers');
  try {
    await getContainerRuntimeClient();
  } catch {
    return undefined;
  }
  try {
    const container = await new GenericContainer(image)
      .withEnvironment({
        MARIADB_ALLOW_EMPTY_ROOT_PASSWORD: '1',
        MYSQL_ALLOW_EMPTY_PASSWORD: '1',
        MYSQL_ROOT_HOST: '%',
      })
      .withExposedPorts(3306)
      // The images start the server for their own set-up first, which then listens on no port.
      .withWaitStrategy(Wait.forLogMessage(/port: 3306/))
      .start();
    const url = `mysql://root@${container.getHost()}:${String(container.getMappedPort(3306))}/`;
    return {
      ...(await askServer(url)),
      url,
      origin: 'container',
      stop: async () => {
        await container.stop();
      },
    };
  } catch (error) {
    console.warn(`Docker answers but cannot run ${image} (${String(error)}).`);
    return undefined;
  }
}

interface Programs {
  readonly server: string;
  /** Makes a data directory; MySQL's server does that itself. */
  readonly installer: string | undefined;
}

/** Starts a server from the programs on this machine, on a spare port of 127.0.0.1. It ends with this process, however that ends. */
export async function startLocal({ settings = {} }: LocalOptions = {}): Promise<LocalServer> {
  const programs = findPrograms();
  const account = await findAccount();
  const cacheFolder = path.join(os.tmpdir(), `flyback-mysql-${String(process.getuid?.() ?? 0)}`);
  await fs.mkdir(cacheFolder, { recursive: true, mode: 0o711 });
  const template = await prepareTemplate(programs, cacheFolder, account);
  const folder = path.join(cacheFolder, `run-${String(process.pid)}-${randomUUID().slice(0, 8)}`);
  await fs.mkdir(folder, { mode: 0o700 });
  if (account !== undefined) await fs.chown(folder, account.uid, account.gid);
  await runToEnd('cp', ['-R', '-p', template, path.join(folder, 'data')], folder, account);
  const port = await findSparePort();
  const launched = { programs, folder, port, account, settings };
  let running = await launch(launched);
  let stopping: Promise<void> | undefined;
  const url = `mysql://root@127.0.0.1:${String(port)}/`;
  return {
    ...(await askServer(url)),
    port,
    url,
    socketFile: path.join(folder, 'server.sock'),
    crash: () => running.kill(),
    restart: async () => {
      running.dismissGuard();
      running = await launch(launched);
    },
    stop: () =>
      (stopping ??= (async () => {
        // Its data goes too: there is nothing to shut down in order.
        await running.kill();
        await fs.rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 }).catch(() => undefined);
        running.dismissGuard();
      })()),
  };
}

/** Debian keeps servers in /usr/sbin, which is not on everybody's path. */
function findPrograms(): Programs {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin'];
  const find = (name: string): string | undefined =>
    folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file));
  const mariadb = find('mariadbd');
  const installer = find('mariadb-install-db');
  if (mariadb !== undefined && installer !== undefined) return { server: mariadb, installer };
  const mysql = find('mysqld');
  if (mysql !== undefined && mariadb === undefined) return { server: mysql, installer: undefined };
  throw new Error('there are no mariadbd and mariadb-install-db on this machine (Debian package mariadb-server)');
}

function whyNoPrograms(): string | undefined {
  try {
    findPrograms();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** The server refuses to run as root. Undefined: we are not root, it runs as we do. */
async function findAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const lines = (await fs.readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const [, , uid, gid] = lines.find(([name]) => name === 'mysql') ?? lines.find(([name]) => name === 'nobody') ?? [];
  return { uid: Number(uid ?? 65_534), gid: Number(gid ?? 65_534) };
}

/** A fresh data directory with a root who may come from 127.0.0.1 without a password; made once for each server program. */
async function prepareTemplate(
  { server, installer }: Programs,
  cacheFolder: string,
  account: Account | undefined,
): Promise<string> {
  const { mtimeMs, size } = await fs.stat(server);
  const owner = account === undefined ? 'self' : String(account.uid);
  const finished = path.join(cacheFolder, `template-1-${String(Math.trunc(mtimeMs))}-${String(size)}-${owner}`);
  const data = path.join(finished, 'data');
  if (existsSync(data)) return data;
  const staging = path.join(cacheFolder, `staging-${String(process.pid)}-${randomUUID()}`);
  await fs.mkdir(staging, { mode: 0o711 });
  try {
    if (account !== undefined) await fs.chown(staging, account.uid, account.gid);
    const accounts = path.join(staging, 'accounts.sql');
    // Read line by line: one statement on each.
    await fs.writeFile(
      accounts,
      "FLUSH PRIVILEGES;\nCREATE USER IF NOT EXISTS root@'127.0.0.1';\nGRANT ALL PRIVILEGES ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n",
      { mode: 0o644 },
    );
    const stagedData = path.join(staging, 'data');
    if (installer === undefined) {
      // prettier-ignore
      await runToEnd(server, ['--no-defaults', '--initialize-insecure', `--datadir=${stagedData}`, `--init-file=${accounts}`], staging, account);
    } else {
      // prettier-ignore
      await runToEnd(installer, ['--no-defaults', `--datadir=${stagedData}`, '--auth-root-authentication-method=normal', '--skip-test-db', '--innodb-log-file-size=16M', `--extra-file=${accounts}`], staging, account);
    }
    await publishFolder(staging, finished);
  } finally {
    await fs.rm(staging, { recursive: true, force: true });
  }
  return data;
}

async function runToEnd(
  program: string,
  programArguments: readonly string[],
  folder: string,
  account: Account | undefined,
): Promise<void> {
  // The folder for temporary files that the environment names may be closed to that account.
  const env = { ...process.env, TMPDIR: folder };
  const child = spawn(program, programArguments, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], ...account });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${program} ended with ${String(code ?? signal)}: ${output.trim().slice(-800)}`));
    });
  });
}

interface Launch {
  readonly programs: Programs;
  readonly folder: string;
  readonly port: number;
  readonly account: Account | undefined;
  readonly settings: Readonly<Record<string, string>>;
}

interface Running {
  kill(): Promise<void>;
  dismissGuard(): void;
}

async function launch({ programs, folder, port, account, settings }: Launch): Promise<Running> {
  const all: Readonly<Record<string, string>> = {
    datadir: path.join(folder, 'data'),
    socket: path.join(folder, 'server.sock'),
    'pid-file': path.join(folder, 'server.pid'),
    'secure-file-priv': folder,
    // A server that starts removes the temporary tables of all others from a folder that they share.
    tmpdir: folder,
    'bind-address': '127.0.0.1',
    port: String(port),
    // Thrown away with its data. What was committed still survives the end of the process in the system's memory.
    'innodb-flush-log-at-trx-commit': '2',
    'innodb-buffer-pool-size': '32M',
    'character-set-server': 'utf8mb4',
    'default-time-zone': '+00:00',
    'max-allowed-packet': '64M',
    ...(programs.installer === undefined
      ? { mysqlx: 'OFF' }
      : { 'innodb-log-file-size': '16M', 'debug-no-sync': '1', 'collation-server': 'utf8mb4_general_ci' }),
    ...settings,
  };
  const log = await fs.open(path.join(folder, 'server.log'), 'a');
  const child = spawn(
    programs.server,
    [
      '--no-defaults',
      '--skip-name-resolve',
      '--skip-log-bin',
      ...Object.entries(all).map(([name, value]) => `--${name}=${value}`),
    ],
    // Detached, because Ctrl-C in a terminal goes to the whole process group.
    { cwd: folder, stdio: ['ignore', log.fd, log.fd], detached: true, ...account },
  );
  await log.close();
  let ended: string | undefined;
  child.once('error', (error) => (ended ??= error.message));
  const gone = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      ended ??= `it ended with ${String(code ?? signal)}`;
      resolve();
    });
  });
  child.unref();
  const dismissGuard = startGuard(folder, child.pid ?? 0);
  const kill = async (): Promise<void> => {
    if (ended === undefined) child.kill('SIGKILL');
    await gone;
  };
  try {
    await waitUntilReady(port, path.join(folder, 'data'), () => ended);
  } catch (error) {
    await kill();
    dismissGuard();
    const text = await fs.readFile(path.join(folder, 'server.log'), 'utf8').catch(() => '');
    throw new Error(`Cannot start ${programs.server}: ${String(error)} ${text.slice(-1500)}`, { cause: error });
  }
  return { kill, dismissGuard };
}

async function waitUntilReady(port: number, dataFolder: string, ended: () => string | undefined): Promise<void> {
  const { createConnection } = await import('mysql2/promise');
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const reason = ended();
    if (reason !== undefined) throw new Error(reason);
    try {
      const connection = await createConnection({ host: '127.0.0.1', port, user: 'root' });
      const [rows] = await connection.query<RowDataPacket[]>('SELECT @@datadir AS folder');
      await connection.end();
      // Somebody else's server may have taken the port first; ours then ends with an error soon.
      if (path.resolve(String(rows[0]?.['folder'])) === dataFolder) return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await delay(10);
  }
}

/**
 * A small shell that outlives this process by a moment: when its standard input closes, because we ended in any way at
 * all, it kills the server and removes the folder. Returns how to dismiss it.
 */
function startGuard(folder: string, pid: number): () => void {
  // The server's own note says whether the number is still its own.
  const script =
    'read -r _; [ "$(cat "$2/server.pid" 2>/dev/null)" = "$1" ] && kill -KILL "$1"; sleep 0.1; rm -rf -- "$2"';
  const guard = spawn('/bin/sh', ['-c', script, 'flyback-guard', String(pid), folder], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined);
  guard.unref();
  // Typed as a plain stream, but a pipe of a child process is a socket.
  if (guard.stdin instanceof Socket) guard.stdin.unref();
  return () => {
    guard.kill('SIGKILL');
  };
}

async function findSparePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
