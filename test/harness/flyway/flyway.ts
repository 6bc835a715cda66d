import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { describe, inject } from 'vitest';
import type { TestDatabase } from '../postgres.js';
import { flywayMajors, javaOptions, type FlywayMajor } from './install.js';

/** The one that the tests use unless they are about another. */
export const newestFlyway: FlywayMajor = 13;

export interface FlywayOptions {
  readonly database: Pick<TestDatabase, 'jdbcUrl' | 'user' | 'password'>;
  /** Absolute folders, or locations with a scheme of Flyway's own. */
  readonly locations: readonly string[];
  /** Further settings by Flyway's own names, with or without "flyway." in front. */
  readonly config?: Readonly<Record<string, string>>;
}

export interface MigrateResult {
  readonly success: boolean;
  readonly initialVersion: string | null;
  readonly targetVersion: string | null;
  readonly migrationsExecuted: number;
  readonly migrations: readonly { readonly version: string; readonly description: string; readonly type: string }[];
  readonly warnings: readonly string[];
}

export interface InfoRow {
  readonly installedRank: number | null;
  readonly version: string | null;
  readonly description: string;
  readonly type: string;
  /** As Flyway displays it: "Success", "Pending", "Out of Order" … */
  readonly state: string;
  readonly script: string;
  readonly checksum: number | null;
  readonly installedBy: string | null;
}

export interface ValidateResult {
  readonly successful: boolean;
  readonly count: number;
  readonly invalid: readonly {
    readonly version: string;
    readonly description: string;
    readonly errorCode: string;
    readonly message: string;
  }[];
  readonly message: string | null;
}

export interface RepairResult {
  readonly actions: readonly string[];
  /** Versions. */
  readonly removed: readonly string[];
  readonly deleted: readonly string[];
  readonly aligned: readonly string[];
}

export interface BaselineResult {
  readonly successful: boolean;
  readonly version: string;
}

/** The real Flyway on one project. Commands of one process run one after the other. Each throws FlywayFailure. */
export interface Flyway {
  migrate(): Promise<MigrateResult>;
  info(): Promise<readonly InfoRow[]>;
  validate(): Promise<ValidateResult>;
  repair(): Promise<RepairResult>;
  baseline(): Promise<BaselineResult>;
}

/** What Flyway threw. */
export class FlywayFailure extends Error {
  override readonly name = 'FlywayFailure';
  /** Flyway's own error code, or null for an exception of another kind. */
  readonly code: string | null;
  /** "LEVEL text" of each line that Flyway logged, from INFO on. */
  readonly log: readonly string[];
  constructor(message: string, code: string | null, log: readonly string[]) {
    super(message);
    this.code = code;
    this.log = log;
  }
}

/** A Java process of its own: two of them compete as two real Flyways do. */
export interface FlywayProcess {
  readonly processId: number;
  /** What Flyway says that it is, "13.0.0". */
  version(): Promise<string>;
  open(options: FlywayOptions): Flyway;
  /** Lines that the latest finished command logged, "LEVEL text". */
  lastLog(): readonly string[];
  /** Ends the process at once, in the middle of a command too, as kill -9 would. */
  kill(): void;
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly type: string; readonly code: string | null; readonly message: string };
  readonly log: readonly string[];
}

/** A suite that needs the real Flyway. Where it cannot be had the suite is skipped by name (in CI the run fails before). */
export function describeWithFlyway(title: string, define: () => void, major = newestFlyway): void {
  const installation = inject('flyway')[major];
  const reason = 'missing' in installation ? ` [not run, no Flyway: ${installation.missing}]` : '';
  describe.skipIf('missing' in installation)(`${title}${reason}`, define);
}

/** The same suite once for each line of Flyway, oldest first. */
export function forEachFlyway(title: string, define: (major: FlywayMajor) => void): void {
  for (const major of flywayMajors)
    describeWithFlyway(`${title} (Flyway ${String(major)})`, () => define(major), major);
}

const sharedProcesses = new Map<FlywayMajor, FlywayProcess>();

/** Flyway on one project, in the one Java process of that line which this test file keeps. */
export function flyway(options: FlywayOptions, major = newestFlyway): Flyway {
  const process = sharedProcesses.get(major) ?? startFlyway(major);
  sharedProcesses.set(major, process);
  return process.open(options);
}

/** Starts another Java process. It ends with this one. */
export function startFlyway(major = newestFlyway): FlywayProcess {
  const installation = inject('flyway')[major];
  if ('missing' in installation) throw new Error(`No Flyway: ${installation.missing}`);
  const { classPath, classArchive } = installation;
  const jvmArguments = [`-XX:SharedArchiveFile=${classArchive}`, ...javaOptions, '-cp', classPath, 'FlywayRunner'];
  const child = spawn('java', jvmArguments, { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>();
  let log: readonly string[] = [];
  let ended: string | undefined;
  let nextId = 1;

  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = JSON.parse(line) as Answer;
    log = answer.log;
    waiting.get(answer.id)?.resolve(answer);
    waiting.delete(answer.id);
  });
  const end = (reason: string): void => {
    ended = reason;
    for (const { reject } of waiting.values()) reject(new Error(reason));
    waiting.clear();
  };
  child.once('error', (error) => end(`Flyway could not be started: ${error.message}`));
  child.once('close', (code, signal) => end(`Flyway ended with ${String(code ?? signal)}.`));
  child.stdin.on('error', () => undefined);
  // A test file that is done must not wait for it; the end of our side of the pipe ends it.
  child.unref();
  for (const stream of [child.stdin, child.stdout]) if (stream instanceof Socket) stream.unref();

  const send = async (command: string, options?: FlywayOptions): Promise<unknown> => {
    if (ended !== undefined) throw new Error(ended);
    const id = nextId++;
    const answered = new Promise<Answer>((resolve, reject) => waiting.set(id, { resolve, reject }));
    child.stdin.write(
      `${JSON.stringify({ id, command, config: options === undefined ? {} : flywayConfig(options) })}\n`,
    );
    const { error, log: lines, result } = await answered;
    if (error !== undefined) throw new FlywayFailure(error.message, error.code, lines);
    return result;
  };
  return {
    processId: child.pid ?? 0,
    version: async () => (await send('version')) as string,
    open: (options) => ({
      migrate: async () => (await send('migrate', options)) as MigrateResult,
      info: async () => (await send('info', options)) as readonly InfoRow[],
      validate: async () => (await send('validate', options)) as ValidateResult,
      repair: async () => (await send('repair', options)) as RepairResult,
      baseline: async () => (await send('baseline', options)) as BaselineResult,
    }),
    lastLog: () => log,
    kill: () => child.kill('SIGKILL'),
  };
}

function flywayConfig({ database, locations, config = {} }: FlywayOptions): Record<string, string> {
  const withScheme = locations.map((location) =>
    /^[a-z0-9]{2,}:/.test(location) ? location : `filesystem:${location}`,
  );
  const named: Record<string, string> = {};
  for (const [key, value] of Object.entries(config)) named[key.startsWith('flyway.') ? key : `flyway.${key}`] = value;
  return {
    'flyway.url': database.jdbcUrl,
    'flyway.user': database.user,
    'flyway.password': database.password,
    'flyway.locations': withScheme.join(','),
    ...named,
  };
}
