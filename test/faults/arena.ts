import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import type * as library from '../../src/index.js';
import { createDatabase, type TestDatabase } from '../harness/postgres.js';
import { createProject, finished, type CommandResult, type TestProject } from '../harness/project.js';
import { filesOf, type Form } from './fixture.js';
import { buildFixture, readModel, readState, type Model, type State } from './state.js';

/** How a command ended; `stuck` stands for one that had to be ended by us. */
export type Ending = CommandResult & { readonly isStuck: boolean };

/** A command that may be struck while it runs. */
export interface Running {
  readonly child: ChildProcess;
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

/** One server with a template of the fixture in one form, and the project that belongs to it. */
export interface Arena {
  readonly model: Model;
  readonly serverUrl: string;
  /** A fresh copy of the fixture. */
  create(): Promise<TestDatabase>;
  start(database: TestDatabase, order: Order): Running;
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
  readonly major: number;
}

type Library = typeof library;

const patienceMs = 90_000;

/** By this name the judge's connections are told from those of the build under test. */
const observer = 'judge';

export async function openArena({ cli, form, serverUrl, major }: ArenaOptions): Promise<Arena> {
  const built = (await import(pathToFileURL(path.join(path.dirname(cli), 'index.js')).href)) as Library;
  const template = await createDatabase(serverUrl);
  await buildFixture(template.url, form);
  // Copying files is quicker than logging each page; before 15 it was the only way.
  const copy = `TEMPLATE "${template.name}" ${major >= 15 ? 'STRATEGY file_copy' : ''}`;
  const others = `datname = $1 AND backend_type = 'client backend' AND application_name <> '${observer}'`;
  const admin = new pg.Pool({ connectionString: serverUrl, max: 8 });
  // A connection that a crash of the server has broken is replaced by the next.
  admin.on('error', () => undefined);
  const onServer = (sql: string, values: readonly string[] = []): Promise<pg.QueryResult> =>
    admin.query(sql, [...values]);
  // One connection to look at a database again and again: the first look of each costs the server several times as much.
  const observers = new Map<string, pg.Client>();
  const observe = async ({ name, url }: TestDatabase): Promise<pg.Client> => {
    const known = observers.get(name);
    if (known !== undefined) return known;
    const client = new pg.Client({ connectionString: url, application_name: observer });
    const forget = (): unknown => observers.delete(name);
    client.on('error', forget).on('end', forget);
    await client.connect();
    observers.set(name, client);
    return client;
  };
  const create = async (): Promise<TestDatabase> => {
    const name = `flyback_fault_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
    await onServer(`CREATE DATABASE "${name}" ${copy}`);
    return {
      ...template,
      name,
      url: template.url.replace(template.name, name),
      jdbcUrl: template.jdbcUrl.replace(template.name, name),
      drop: async () => {
        await observers.get(name)?.end();
        await onServer(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
      },
    };
  };
  const used = await create();
  const model = await readModel(used.url, form);
  await used.drop();
  const project: TestProject = await createProject({ database: template, versions: model.versions.map(filesOf) });
  const spawnCommand = (database: TestDatabase, commandLine: readonly string[], url = database.jdbcUrl): ChildProcess =>
    spawn(process.execPath, [cli, ...commandLine, '--url', url], {
      cwd: project.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: project.folder, TZ: process.env['TZ'] },
    });
  const start: Arena['start'] = (database, order) => watch(spawnCommand(database, commandLineOf(order), order.url));
  return {
    model,
    serverUrl,
    create,
    start,
    run: async (database, order, means) =>
      means === 'command'
        ? start(database, order).ended
        : callLibrary(built, project.folder, order.url ?? database.jdbcUrl, order),
    verifyRecord: (database) => watch(spawnCommand(database, ['log', '--verify'])).ended,
    state: async (database) => readState(await observe(database)),
    ask: async (database, condition) => {
      const client = await observe(database);
      const { rows } = await client.query<{ holds: boolean }>(`SELECT ${condition} AS holds`);
      return rows[0]?.holds === true;
    },
    terminate: async (database) => {
      const { rowCount } = await onServer(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${others}`, [
        database.name,
      ]);
      return rowCount ?? 0;
    },
    untilAlone: async (database) => {
      const deadline = Date.now() + patienceMs;
      for (;;) {
        const { rows } = await onServer(`SELECT FROM pg_stat_activity WHERE ${others}`, [database.name]);
        if (rows.length === 0) return;
        if (Date.now() > deadline) throw new Error(`Connections to ${database.name} do not end.`);
        await delay(5);
      }
    },
    close: async () => {
      await project.remove();
      await admin.end();
      await template.drop();
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

function watch(child: ChildProcess): Running {
  let lines = 0;
  let hasEnded = false;
  let isStuck = false;
  let wake = (): void => undefined;
  const timer = setTimeout(() => {
    isStuck = true;
    child.kill('SIGKILL');
  }, patienceMs);
  child.stderr?.on('data', (data: Buffer) => {
    lines += data.toString().split('\n').length - 1;
    wake();
  });
  const ended = finished(child).then((result) => {
    clearTimeout(timer);
    hasEnded = true;
    wake();
    return { ...result, isStuck };
  });
  return {
    child,
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
