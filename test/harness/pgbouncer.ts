import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { describe } from 'vitest';
import { findServerAccount } from '../../adapters/databases/scratch-server/account.js';
import type { TestDatabase } from './postgres.js';
import { isCi } from './servers.js';

/*
 * The real PgBouncer between flyback and a test server. The program comes with the system's packages.
 */

export interface PgBouncerOptions {
  readonly mode: 'session' | 'transaction' | 'statement';
  /** Connections to the server for each user and database. */
  readonly poolSize: number;
  /** Which idle server connection the next transaction gets: the one used last, or each in turn. */
  readonly order?: 'last-used' | 'in-turn';
  /** Further users that may log in, without a password. */
  readonly users?: readonly string[];
}

export interface PgBouncer {
  /** The same database with PgBouncer's address. */
  readonly database: TestDatabase;
  stop(): Promise<void>;
}

const startTimeoutMs = 10_000;

// It ends with this process however that ends: the shell's standard input closes then.
const guarded = '"$0" -q "$1" & pid=$!; read -r _; kill "$pid"; wait "$pid"';

/** Starts PgBouncer on a spare port of 127.0.0.1 in front of this database's server. */
export async function startPgBouncer(database: TestDatabase, options: PgBouncerOptions): Promise<PgBouncer> {
  const program = findProgram();
  if (program === undefined) throw new Error('PgBouncer is missing: apt-get install pgbouncer, or the like.');
  const account = await findServerAccount('postgres');
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-pgbouncer-'));
  const port = await sparePort();
  const server = new URL(database.url);
  const users = [
    [database.user, database.password] as const,
    ...(options.users ?? []).map((name) => [name, ''] as const),
  ];
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const files = {
    'users.txt': users.map((words) => words.map(quoted).join(' ')).join('\n'),
    'pgbouncer.ini': `[databases]
* = host=${server.hostname} port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${String(port)}
unix_socket_dir =
auth_type = trust
auth_file = ${path.join(folder, 'users.txt')}
pool_mode = ${options.mode}
default_pool_size = ${String(options.poolSize)}
server_round_robin = ${options.order === 'in-turn' ? '1' : '0'}
ignore_startup_parameters = extra_float_digits
`,
  };
  for (const [name, text] of Object.entries(files)) await fs.writeFile(path.join(folder, name), `${text}\n`);
  await fs.chmod(folder, 0o755);
  // PgBouncer refuses to run as root.
  const child = spawn('/bin/sh', ['-c', guarded, program, path.join(folder, 'pgbouncer.ini')], {
    cwd: folder,
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true,
    ...account,
  });
  const stop = async (): Promise<void> => {
    await end(child);
    await fs.rm(folder, { recursive: true, force: true });
  };
  const url = new URL(database.url);
  url.host = `127.0.0.1:${String(port)}`;
  try {
    await waitUntilReady(url.href, child);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    database: { ...database, url: url.href, jdbcUrl: `jdbc:postgresql://${url.host}${url.pathname}` },
    stop,
  };
}

/** A suite that needs PgBouncer. Where it is missing the suite is skipped by name; in CI it fails. */
export function describeWithPgBouncer(title: string, define: () => void): void {
  const isMissing = findProgram() === undefined && !isCi(process.env);
  describe.skipIf(isMissing)(`${title}${isMissing ? ' [not run: PgBouncer is not installed]' : ''}`, define);
}

function findProgram(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => path.join(folder, 'pgbouncer')).find((program) => existsSync(program));
}

async function sparePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise<void>((resolve) => {
    probe.close(() => {
      resolve();
    });
  });
  return port;
}

async function waitUntilReady(url: string, child: ChildProcess): Promise<void> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  const deadline = Date.now() + startTimeoutMs;
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return;
    } catch (error) {
      if (Date.now() > deadline || child.exitCode !== null) {
        throw new Error(`PgBouncer does not answer: ${String(error)} ${said.trim()}`, { cause: error });
      }
    } finally {
      await client.end().catch(() => undefined);
    }
    await delay(10);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.stdin?.end();
  await ended;
}
