import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import type * as library from '../../src/index.js';
import { createDatabase, type TestDatabase } from '../harness/postgres.js';
import { createProject, finished, type CommandResult, type TestProject } from '../harness/project.js';
import { filesOf, type Form } from './fixture.js';
import { fixtureSql, readModel, readState, type Model, type State } from './state.js';
import { WarmProcesses, type WarmRun } from './warm-processes.js';

/** How a command ended; `stuck` stands for one that had to be ended by us. */
export type Ending = CommandResult & { readonly isStuck: boolean };

/** A command that may be struck while it runs. */
export interface Running {
  /** Kills its process; false when that has ended. */
  readonly kill: () => boolean;
  /** How many lines of progress it has written so far. */
  readonly lines: () => number;
  readonly hasEnded: () => boolean;
  /** Resolves when it has written this many lines, or ended. */
  untilLine(count: number): Promise<void>;
  readonly ended: Promise<Ending>;
}

/** What flyback is to do: roll back all versions, or resume. */
export interface Order {
  readonly command: 'rollback' | 'resume';
  readonly assume?: 'done' | 'not-done' | undefined;
  /** Where to connect to; undefined: to the database directly. */
  readonly url?: string | undefined;
}

/**
 * As the command, or by the library of the same build in this process: for the many runs in which starting Node would
 * cost the most.
 */
export type Means = 'command' | 'library';

/** One server with databases of the fixture in one form, and the project that belongs to it. */
export interface Arena {
  readonly model: Model;
  readonly serverUrl: string;
  /** Lends a database with the fixture as it is before the first rollback. What a play that throws has left is dropped. */
  use<T>(play: (database: TestDatabase) => Promise<T>): Promise<T>;
  /** `isWarm`: in a process that had started before, where the process itself is not what is struck. */
  start(database: TestDatabase, order: Order, isWarm?: boolean): Running;
  run(database: TestDatabase, order: Order, means: Means): Promise<Ending>;
  /** flyback log --verify. */
  verifyRecord(database: TestDatabase): Promise<Ending>;
  state(database: TestDatabase): Promise<State>;
  /** Whether a condition holds, in the database itself. */
  ask(database: TestDatabase, condition: string): Promise<boolean>;
  /** Ends the connections of whoever uses the database; says how many there were. */
  terminate(database: TestDatabase): Promise<number>;
  /** Resolves when nobody is connected any more: the server has noticed every broken connection. */
  untilAlone(database: TestDatabase): Promise<void>;
  close(): Promise<void>;
}

export interface ArenaOptions {
  /** Path of the command under test: dist/cli.js of some build. */
  readonly cli: string;
  readonly form: Form;
  readonly serverUrl: string;
}

type Library = typeof library;

const patienceMs = 90_000;

/** By this name the judge's connections are told from those of the build under test. */
const observer = 'judge';

export async function openArena({ cli, form, serverUrl }: ArenaOptions): Promise<Arena> {
  const built = (await import(pathToFileURL(path.join(path.dirname(cli), 'index.js')).href)) as Library;
  const others = `datname = current_database() AND backend_type = 'client backend' AND application_name <> '${observer}'`;
  // One connection to look at a database again and again: the first look of each costs the server several times as much.
  const observers = new Map<string, pg.Client>();
  const observe = async ({ name, url }: TestDatabase): Promise<pg.Client> => {
    const known = observers.get(name);
    if (known !== undefined) return known;
    const client = new pg.Client({
      connectionString: url,
      application_name: observer,
      options: '-c client_min_messages=warning -c plan_cache_mode=force_generic_plan',
    });
    const forget = (): unknown => observers.delete(name);
    client.on('error', forget).on('end', forget);
    await client.connect();
    observers.set(name, client);
    return client;
  };
  const all = new Set<TestDatabase>();
  const free: TestDatabase[] = [];
  const createEmpty = async (): Promise<TestDatabase> => {
    const created = await createDatabase(serverUrl);
    const database: TestDatabase = {
      ...created,
      drop: async () => {
        all.delete(database);
        await observers.get(created.name)?.end();
        await created.drop();
      },
    };
    all.add(database);
    return database;
  };
  // The same statements in the same database again take the server a fraction of what a copy of a database does.
  const use: Arena['use'] = async (play) => {
    const database = free.pop() ?? (await createEmpty());
    try {
      const client = await observe(database);
      await client.query(fixtureSql(form));
      const played = await play(database);
      free.push(database);
      return played;
    } catch (error) {
      await database.drop();
      throw error;
    }
  };
  const [model, database] = await use(async (used) => [await readModel(await observe(used), form), used] as const);
  const project: TestProject = await createProject({ database, versions: model.versions.map(filesOf) });
  const spawnCommand = (database: TestDatabase, commandLine: readonly string[], url = database.jdbcUrl): ChildProcess =>
    spawn(process.execPath, [cli, ...commandLine, '--url', url], {
      cwd: project.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: project.folder, TZ: process.env['TZ'] },
    });
  const warm = new WarmProcesses(cli);
  const start: Arena['start'] = (database, order, isWarm = false) =>
    watch((onStderr) => {
      const url = order.url ?? database.jdbcUrl;
      return isWarm
        ? warm.start(project.folder, [...commandLineOf(order), '--url', url], onStderr)
        : ownProcess(spawnCommand(database, commandLineOf(order), url), onStderr);
    });
  return {
    model,
    serverUrl,
    use,
    start,
    run: async (database, order, means) =>
      means === 'command'
        ? start(database, order).ended
        : callLibrary(built, project.folder, order.url ?? database.jdbcUrl, order),
    verifyRecord: (database) =>
      watch((onStderr) => ownProcess(spawnCommand(database, ['log', '--verify']), onStderr)).ended,
    state: async (database) => readState(await observe(database)),
    ask: async (database, condition) => {
      const client = await observe(database);
      const { rows } = await client.query<{ holds: boolean }>(`SELECT ${condition} AS holds`);
      return rows[0]?.holds === true;
    },
    terminate: async (database) => {
      const client = await observe(database);
      const { rowCount } = await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${others}`);
      return rowCount ?? 0;
    },
    untilAlone: async (database) => {
      const client = await observe(database);
      const deadline = Date.now() + patienceMs;
      for (;;) {
        const { rowCount } = await client.query(`SELECT FROM pg_stat_activity WHERE ${others}`);
        if (rowCount === 0) return;
        if (Date.now() > deadline) throw new Error(`Connections to ${database.name} do not end.`);
        await delay(5);
      }
    },
    close: async () => {
      warm.close();
      await project.remove();
      await Promise.all([...all].map((database) => database.drop()));
    },
  };
}

function commandLineOf({ command, assume }: Order): readonly string[] {
  if (command === 'rollback') return ['rollback', '--all', '--yes', '--json'];
  return ['resume', '--yes', '--json', ...(assume === undefined ? [] : ['--assume', assume])];
}

/** Ends as the command would have ended, with the same result; of the progress there are the ends of the versions. */
async function callLibrary(
  { withProject, connect, planRollback, rollback, planResume, resume, FlybackError }: Library,
  folder: string,
  url: string,
  { command, assume }: Order,
): Promise<Ending> {
  const progress: string[] = [];
  const work = async (): Promise<object> => {
    try {
      const result = await withProject({ folder, flags: { url }, environment: {} }, async (project, config) => {
        const options = {
          reconnect: () => connect(config),
          onEvent: (event: library.RunEvent) => {
            if (event.kind === 'step-finished' && event.outcome === 'committed')
              progress.push(`      rolled back  version ${event.version}`);
          },
        };
        if (command === 'rollback') {
          return rollback(project, await planRollback(project, { target: { kind: 'all' } }), options);
        }
        const found = await planResume(project);
        return found === undefined ? undefined : resume(project, found, { ...options, assume });
      });
      const { failure, ...rest } = result ?? { outcome: 'nothing-interrupted' };
      return { ...rest, ...(failure === undefined ? {} : { error: failure }) };
    } catch (error) {
      return { error: error instanceof FlybackError ? error : { code: 'internal', message: String(error) } };
    }
  };
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), patienceMs);
  });
  const result = await Promise.race([work(), patience]);
  clearTimeout(timer);
  const { error } = (result ?? {}) as { readonly error?: library.FlybackError };
  return {
    code: error === undefined ? 0 : error.exitCode,
    stdout: JSON.stringify({
      ...result,
      ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
    }),
    stderr: progress.join('\n'),
    isStuck: result === undefined,
  };
}

function ownProcess(child: ChildProcess, onStderr: (text: string) => void): WarmRun {
  child.stderr?.on('data', (data: Buffer) => {
    onStderr(data.toString());
  });
  return { ended: finished(child), kill: () => child.kill('SIGKILL') };
}

function watch(begin: (onStderr: (text: string) => void) => WarmRun): Running {
  let lines = 0;
  let hasEnded = false;
  let isStuck = false;
  let wake = (): void => undefined;
  const timer = setTimeout(() => {
    isStuck = true;
    run.kill();
  }, patienceMs);
  const run = begin((text) => {
    lines += text.split('\n').length - 1;
    wake();
  });
  const ended = run.ended.then((result) => {
    clearTimeout(timer);
    hasEnded = true;
    wake();
    return { ...result, isStuck };
  });
  return {
    kill: () => run.kill(),
    lines: () => lines,
    hasEnded: () => hasEnded,
    untilLine: async (count) => {
      while (lines < count && !hasEnded) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    ended,
  };
}
