import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { StartedServer } from '../../../src/adapter/scratch-servers.js';
import type { ConnectionSettings } from '../../../src/config/config.js';
import { FlybackError } from '../../../src/errors/error.js';
import { findServerAccount, type ServerAccount } from '../scratch-server/account.js';
import { createSocketFolder, exists, openCacheFolder, publishFolder } from '../scratch-server/folders.js';
import {
  createRunFolder,
  endServer,
  mysqlKind,
  removeFolder,
  startGuard,
  sweepRunFolders,
} from '../scratch-server/lease.js';
import { lastLines, runProgram } from '../scratch-server/program.js';
import { findServerPrograms, type ServerPrograms } from './server-programs.js';
import { connectMysql } from './session.js';

const readyTimeoutMs = 30_000;
const pollMs = 20;

// A scratch server is thrown away with its data: nothing needs to survive a crash, and nobody but us comes near it.
const settings: Readonly<Record<string, string>> = {
  'skip-networking': 'ON',
  'skip-log-bin': '',
  'innodb-flush-log-at-trx-commit': '0',
  'innodb-doublewrite': '0',
  'innodb-buffer-pool-size': '64M',
  'max-allowed-packet': '64M',
  'character-set-server': 'utf8mb4',
  'default-time-zone': '+00:00',
  'log-bin-trust-function-creators': '1',
  // What a migration schedules must not run while its traces are looked for.
  'event-scheduler': 'OFF',
};
const settingsOf: Readonly<Record<ServerPrograms['product'], Readonly<Record<string, string>>>> = {
  MariaDB: { 'innodb-log-file-size': '32M', 'debug-no-sync': '1' },
  MySQL: { mysqlx: 'OFF' },
};

/**
 * Starts a MariaDB or MySQL server of this process's own, from programs found on this machine, on a copy of a cached empty
 * data directory. It listens on a socket that other accounts cannot reach, and ends with this process, however that ends.
 * Throws FlybackError embedded-unavailable.
 */
export async function startScratchServer(
  base: Omit<ConnectionSettings, 'hosts' | 'databaseName'>,
): Promise<StartedServer> {
  if (process.platform === 'win32') {
    throw new FlybackError('embedded-unavailable', 'flyback starts no MariaDB or MySQL server on Windows.', {
      hint: 'Name a server for proofs: --scratch mysql://user@host:3306/empty_database, or --scratch docker.',
    });
  }
  const programs = findServerPrograms((process.env['PATH'] ?? '').split(path.delimiter));
  const account = await findServerAccount('mysql');
  const cacheFolder = await openCacheFolder(account);
  await sweepRunFolders(cacheFolder);
  const template = await prepareTemplate(programs, cacheFolder, account);
  const runFolder = await createRunFolder(cacheFolder);
  try {
    if (account !== undefined) await fs.chown(runFolder, account.uid, account.gid);
    await runToEnd('cp', ['-R', '-p', template, path.join(runFolder, 'data')], runFolder, account);
    return await launch(programs, runFolder, account, base);
  } catch (error) {
    await endServer(runFolder);
    await removeFolder(runFolder);
    throw error;
  }
}

/** An empty data directory in which root needs no password, made once for each program and account. */
async function prepareTemplate(
  { product, server, installer }: ServerPrograms,
  cacheFolder: string,
  account: ServerAccount | undefined,
): Promise<string> {
  const { mtimeMs, size } = await fs.stat(server);
  const owner = account === undefined ? '' : `-as-${account.uid}`;
  const finished = path.join(cacheFolder, `template-1-${product}-${Math.trunc(mtimeMs)}-${size}${owner}`);
  if (await exists(path.join(finished, 'data'))) return path.join(finished, 'data');
  const staging = path.join(cacheFolder, `staging-${process.pid}-${randomUUID()}`);
  await fs.mkdir(staging, { mode: 0o700 });
  try {
    if (account !== undefined) await fs.chown(staging, account.uid, account.gid);
    const data = path.join(staging, 'data');
    const [program, words] =
      installer === undefined
        ? [server, ['--initialize-insecure']]
        : [installer, ['--auth-root-authentication-method=normal', '--skip-test-db', '--innodb-log-file-size=32M']];
    await runToEnd(program, ['--no-defaults', `--datadir=${data}`, ...words], staging, account);
    await publishFolder(staging, finished);
  } finally {
    await removeFolder(staging);
  }
  return path.join(finished, 'data');
}

async function runToEnd(
  program: string,
  words: readonly string[],
  folder: string,
  account: ServerAccount | undefined,
): Promise<void> {
  // The installer writes there too, and the server's account may have no right to ours.
  const environment = { ...serverEnvironment(), TMPDIR: folder };
  const failure = await runProgram(program, words, { folder, account, environment });
  if (failure !== undefined) throw cannotRun(program, failure);
}

function cannotRun(program: string, reason: string): FlybackError {
  return new FlybackError('embedded-unavailable', `Cannot start a scratch server with ${program}: ${reason}`, {
    hint: 'Try the program by hand, or name a server for proofs: --scratch mysql://user@host:3306/empty_database, or --scratch docker.',
  });
}

/** The user's MYSQL_… variables must not reach the server; time zone and language must not depend on them. */
function serverEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(?:MYSQL|MARIADB|LC_|LANG|TZ$)/.test(name));
  return { ...Object.fromEntries(inherited), LC_ALL: 'C', TZ: 'UTC' };
}

async function launch(
  { product, server }: ServerPrograms,
  runFolder: string,
  account: ServerAccount | undefined,
  base: Omit<ConnectionSettings, 'hosts' | 'databaseName'>,
): Promise<StartedServer> {
  const socketFolder = await createSocketFolder(runFolder, account);
  const socket = path.join(socketFolder, 'server.sock');
  const all: Readonly<Record<string, string>> = {
    ...settings,
    ...settingsOf[product],
    datadir: path.join(runFolder, 'data'),
    tmpdir: runFolder,
    socket,
    'pid-file': path.join(runFolder, 'data', 'server.pid'),
    'secure-file-priv': runFolder,
  };
  const words = Object.entries(all).map(([name, value]) => `--${name}${value === '' ? '' : `=${value}`}`);
  const log = await fs.open(path.join(runFolder, 'server.log'), 'a');
  const child = spawn(
    server,
    ['--no-defaults', ...words],
    // Detached, because Ctrl-C in a terminal goes to the whole process group.
    { cwd: runFolder, env: serverEnvironment(), stdio: ['ignore', log.fd, log.fd], detached: true, ...account },
  );
  let ended: string | undefined;
  child.once('error', (error) => (ended ??= error.message));
  child.once('exit', (code, signal) => (ended ??= `it ended with ${String(code ?? signal)}.`));
  child.unref();
  const processId = child.pid;
  // The server writes its own note only when it is up, and may have to be ended before.
  if (processId !== undefined) await fs.writeFile(path.join(runFolder, mysqlKind.pidFile), `${processId}\n`);
  const dismissGuard = processId === undefined ? () => undefined : startGuard(runFolder, processId, mysqlKind);
  await log.close();
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await endServer(runFolder);
    await removeFolder(runFolder);
    if (socketFolder !== runFolder) await removeFolder(socketFolder);
    dismissGuard();
  };
  const own = { ...base, user: 'root', password: undefined, hosts: [{ host: socket, port: 0 }] };
  try {
    const session = await waitUntilReady({ ...own, databaseName: 'mysql' }, socket, () => ended);
    return {
      maintenance: session,
      settings: own,
      place: `started from ${server}`,
      stop: () => (stopping ??= stop()),
    };
  } catch (error) {
    const serverLog = await fs.readFile(path.join(runFolder, 'server.log'), 'utf8').catch(() => '');
    await stop();
    throw cannotRun(server, `${error instanceof Error ? error.message : String(error)} ${lastLines(serverLog)}`);
  }
}

async function waitUntilReady(
  connection: ConnectionSettings,
  socket: string,
  ended: () => string | undefined,
): Promise<StartedServer['maintenance']> {
  const deadline = Date.now() + readyTimeoutMs;
  for (;;) {
    const reason = ended();
    if (reason !== undefined) throw new Error(reason);
    try {
      if (await exists(socket)) return await connectMysql(connection);
    } catch (error) {
      if (!(error instanceof FlybackError) || error.code === 'server-unsupported') throw error;
    }
    if (Date.now() > deadline) throw new Error(`it did not answer in ${readyTimeoutMs / 1000} s.`);
    await delay(pollMs);
  }
}
