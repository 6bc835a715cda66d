import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { startFlyway, type FlywayProcess } from '../../harness/flyway/flyway.js';
import type { FlywayMajor } from '../../harness/flyway/install.js';
import { createDatabase, type TestDatabase } from '../../harness/postgres.js';
import { historyRow, historyTable, type VersionFiles } from '../../harness/project.js';
import type { TestServer } from '../../harness/servers.js';

/*
 * Where rounds take place, several at once: each lane has a database and a project folder, used by one round after the
 * other.
 */

/** What a round starts from: versions 1 to `applied` are in the history, files of `pending` more lie there. */
export interface Setting {
  readonly applied: number;
  readonly pending: number;
  /** Longest time that one script takes, forward or back. */
  readonly longestNapMs: number;
  /** Versions whose rollback refuses a transaction. */
  readonly withoutTransaction: readonly number[];
  /** Text of a callback that Flyway runs between reading the history and asking for its lock. */
  readonly beforeMigrate?: string | undefined;
}

/** One version's scripts: each notes in a ledger that it ran, in its own transaction where it has one. */
export function versionFiles(
  version: number,
  upNapMs: number,
  downNapMs: number,
  transactional: boolean,
): VersionFiles {
  const name = `t${version}`;
  const nap = (ms: number): string => `SELECT pg_sleep(${(ms / 1000).toFixed(3)});\n`;
  const note = (what: string): string => `INSERT INTO ledger VALUES ('${what}', ${version});\n`;
  return {
    version: String(version),
    up: `CREATE TABLE ${name} (id int PRIMARY KEY, note text);\nCREATE INDEX i${version} ON ${name} (note);\n${note('up')}${nap(upNapMs)}`,
    down: transactional
      ? `DROP TABLE ${name};\n${note('down')}${nap(downNapMs)}`
      : `DROP INDEX CONCURRENTLY i${version};\n${nap(downNapMs)}${note('down')}DROP TABLE ${name};\n`,
  };
}

export interface Lane {
  readonly database: TestDatabase;
  readonly folder: string;
  /** A connection that flyback and Flyway do not take for one of their own. */
  readonly observer: pg.Client;
  /** Empties the database and the folder, and sets both up anew. */
  reset(setting: Setting, random: () => number): Promise<void>;
  start(command: string, commandLine: readonly string[]): ChildProcess;
  close(): Promise<void>;
}

export async function openLane(server: TestServer): Promise<Lane> {
  const database = await createDatabase(server.url);
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-race-'));
  const observer = new pg.Client({ connectionString: database.url, application_name: 'race' });
  await observer.connect();
  for (const name of ['migrations', 'rollbacks']) await fs.mkdir(path.join(folder, name));
  const keys = Object.entries({ url: database.jdbcUrl, user: database.user, password: database.password });
  await fs.writeFile(
    path.join(folder, 'flyway.toml'),
    `[environments.default]\n${keys.map(([key, value]) => `${key} = ${JSON.stringify(value)}`).join('\n')}\n[flyway]\nlocations = ["filesystem:migrations"]\n`,
  );
  await fs.writeFile(path.join(folder, 'flyback.toml'), '[run]\ntoolLockWait = "15s"\nlockTimeout = "20s"\n');
  return {
    database,
    folder,
    observer,
    reset: async ({ applied, pending, longestNapMs, withoutTransaction, beforeMigrate }, random) => {
      const nap = (): number => Math.floor(random() * longestNapMs);
      const versions = Array.from({ length: applied + pending }, (_, index) =>
        versionFiles(index + 1, nap(), nap(), !withoutTransaction.includes(index + 1)),
      );
      for (const name of ['migrations', 'rollbacks']) {
        const parent = path.join(folder, name);
        for (const file of await fs.readdir(parent)) await fs.rm(path.join(parent, file));
      }
      for (const { version, up, down = '' } of versions) {
        await fs.writeFile(path.join(folder, 'migrations', `V${version}__step.sql`), up);
        await fs.writeFile(path.join(folder, 'rollbacks', `R${version}__step.sql`), down);
      }
      if (beforeMigrate !== undefined)
        await fs.writeFile(path.join(folder, 'migrations', 'beforeMigrate.sql'), beforeMigrate);
      await observer.query(
        [
          'DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE ledger (what text, version int)',
          historyTable,
          ...versions
            .slice(0, applied)
            .flatMap((files) => [files.up.replace(/SELECT pg_sleep\(.*/, 'SELECT 1'), historyRow(files)]),
        ].join(';\n'),
      );
    },
    start: (command, commandLine) =>
      spawn(process.execPath, [command, ...commandLine], {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env['PATH'], HOME: folder, TZ: process.env['TZ'] },
      }),
    close: async () => {
      await observer.end();
      await database.drop();
      await fs.rm(folder, { recursive: true, force: true });
    },
  };
}

/** Lends each Java process to one round at a time. */
export class FlywayPool {
  readonly #free = new Map<FlywayMajor, FlywayProcess[]>();
  readonly #all: FlywayProcess[] = [];

  async use<T>(major: FlywayMajor, work: (process: FlywayProcess) => Promise<T>): Promise<T> {
    const free = this.#free.get(major) ?? [];
    this.#free.set(major, free);
    const process = free.pop() ?? startFlyway(major);
    if (!this.#all.includes(process)) this.#all.push(process);
    try {
      return await work(process);
    } finally {
      free.push(process);
    }
  }

  close(): void {
    for (const process of this.#all) process.kill();
  }
}
