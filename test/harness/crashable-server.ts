import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startGuard } from '../../adapters/databases/scratch-server/lease.js';
import { startEmbedded } from '../../adapters/databases/postgresql/embedded.js';
import { findBinaries } from './servers.js';

/** A server of one test's own that can be ended without warning, and started again on the same data and port. */
export interface CrashableServer {
  readonly major: number;
  /** libpq URL of a super-user on a maintenance database; the same after a restart. */
  readonly url: string;
  /**
   * Immediate shutdown, as `pg_ctl stop -m immediate` does it: every process ends at once, nothing is rolled back or
   * written any more; the next start recovers from the write-ahead log. Resolves when the server is gone.
   */
  crash(): Promise<void>;
  /** Resolves when it takes connections again. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

const patienceMs = 30_000;

/** Starts an embedded server of this major version on a spare port of 127.0.0.1. Not on Windows, which has no signals. */
export async function startCrashable(major: number): Promise<CrashableServer> {
  const server = await startEmbedded({
    listen: 'tcp',
    major,
    binariesFolder: await findBinaries(major),
    // What was committed must be in the write-ahead log. That fsync stays off is no cheating here: what a process has
    // written survives its end in the operating system's memory, and the machine itself does not crash.
    settings: { synchronous_commit: 'on' },
  });
  const lockFile = path.join(server.dataFolder, 'postmaster.pid');
  let pid = server.processId;
  let dismissGuard = (): void => undefined;
  return {
    major,
    url: server.url,
    crash: async () => {
      process.kill(pid, 'SIGQUIT');
      await until(async () => !(await exists(lockFile)));
    },
    restart: async () => {
      const deadline = Date.now() + patienceMs;
      for (;;) {
        const child = await launchAgain(server.dataFolder);
        pid = child.pid ?? 0;
        dismissGuard();
        dismissGuard = startGuard(path.dirname(server.dataFolder), pid);
        await until(async () => child.exitCode !== null || (await isReady(lockFile)));
        if (child.exitCode === null) return;
        // For a moment the port may be the near end of some connection; whatever else it is does not go away.
        if (Date.now() > deadline) throw new Error(`The server cannot be started again: see ${server.dataFolder}.`);
        await delay(20);
      }
    },
    stop: async () => {
      await server.stop();
      dismissGuard();
    },
  };
}

async function launchAgain(dataFolder: string): Promise<ChildProcess> {
  const { uid, gid } = await fs.stat(dataFolder);
  const [program = '', ...programArguments] = await readCommandLine(dataFolder);
  const folder = path.dirname(dataFolder);
  const log = await fs.open(path.join(folder, 'server.log'), 'a');
  try {
    const child = spawn(program, programArguments, {
      cwd: folder,
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', log.fd, log.fd],
      // Ctrl-C in a terminal goes to the whole process group.
      detached: true,
      ...(process.getuid?.() === 0 ? { uid, gid } : {}),
    });
    child.unref();
    return child;
  } finally {
    await log.close();
  }
}

/** The server's own note of how it was started (PostgreSQL manual, "Database File Layout"). */
async function readCommandLine(dataFolder: string): Promise<readonly string[]> {
  const text = await fs.readFile(path.join(dataFolder, 'postmaster.opts'), 'utf8');
  const start = text.indexOf(' "');
  return [text.slice(0, start), ...[...text.slice(start).matchAll(/"([^"]*)"/g)].map((match) => match[1] ?? '')];
}

/** By the eighth line of the server's lock file, as pg_ctl does; to ask by a connection again and again takes it longer. */
async function isReady(lockFile: string): Promise<boolean> {
  const text = await fs.readFile(lockFile, 'utf8').catch(() => '');
  return text.split('\n')[7]?.trim() === 'ready';
}

async function exists(file: string): Promise<boolean> {
  return fs.stat(file).then(
    () => true,
    () => false,
  );
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('The server neither ended nor came back in time.');
    await delay(5);
  }
}
