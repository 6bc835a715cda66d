import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { tools } from '../../adapters/index.js';
import type { LentSession } from '../../src/adapter/lent-session.js';
import type { Direction, FunctionCaller, FunctionEnd, FunctionProcess } from '../../src/adapter/migration-functions.js';
import { startFunctions, type FunctionBounds } from '../../src/functions/start-functions.js';
import { runOn, type TestDatabase } from './postgres.js';

/*
 * A project whose migrations have functions, in a temporary folder with the modules of this repository. The functions get a
 * test's database where flyback gives them its own session.
 */

export interface FunctionProject {
  readonly folder: string;
  write(file: string, text: string): Promise<void>;
  read(file: string): Promise<string>;
  /** The tool's reader on this project, then its adapter. Throws for settings with an error. */
  caller(own?: Readonly<Record<string, unknown>>): Promise<FunctionCaller>;
  /** The processes end with the project. */
  start(caller: FunctionCaller, bounds?: FunctionBounds): FunctionProcess;
  /** Calls a function with a process of its own. */
  run(file: string, direction?: Direction, own?: Readonly<Record<string, unknown>>): Promise<FunctionEnd>;
  remove(): Promise<void>;
}

export function addressOf(database: TestDatabase): LentSession['address'] {
  const url = new URL(database.url);
  return {
    host: '127.0.0.1',
    port: Number(url.port),
    user: database.user,
    password: database.password,
    databaseName: database.name,
  };
}

/** How many connections the database has. */
export async function clientsOf(database: TestDatabase): Promise<number> {
  const rows = await runOn(
    database.url,
    `SELECT 1 FROM pg_stat_activity
      WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`,
  );
  return rows.length;
}

/** Where each tool is told its migrations. */
const places = {
  knex: { directory: 'migrations' },
  sequelize: { migrations: 'migrations' },
  umzug: { migrations: 'migrations/*' },
} as const;

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));

export async function createFunctionProject(
  tool: 'knex' | 'sequelize' | 'umzug',
  database: TestDatabase,
): Promise<FunctionProject> {
  const folder = await fs.realpath(await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-functions-')));
  await fs.symlink(modules, path.join(folder, 'node_modules'));
  const environment = { PATH: process.env['PATH'], HOME: folder };
  const started: FunctionProcess[] = [];
  const project: FunctionProject = {
    folder,
    write: async (file, text) => {
      await fs.mkdir(path.dirname(path.join(folder, file)), { recursive: true });
      await fs.writeFile(path.join(folder, file), text);
    },
    read: (file) => fs.readFile(path.join(folder, file), 'utf8'),
    caller: async (own = {}) => {
      const { history, readConfig } = tools[tool];
      const reading = await readConfig({
        projectFolder: folder,
        homeFolder: folder,
        environment,
        configFiles: [],
        workingDirectory: undefined,
        overrides: {},
        own: new Map(Object.entries({ down: true, ...places[tool], ...own })),
        password: undefined,
      });
      const found = reading.findings.find(({ severity }) => severity === 'error');
      if (found !== undefined) throw new Error(found.message);
      const caller = history.functions?.(reading.settings);
      if (caller === undefined) throw new Error(`${tool} has no functions`);
      return caller;
    },
    start: (caller, bounds) => {
      const functions = startFunctions(caller, environment, bounds);
      started.push(functions);
      return functions;
    },
    run: async (file, direction = 'down', own) => {
      const functions = project.start(await project.caller(own));
      try {
        return await call(functions, { folder, database, file, direction });
      } finally {
        functions.end();
      }
    },
    remove: async () => {
      for (const functions of started) functions.end();
      await fs.rm(folder, { recursive: true, force: true });
    },
  };
  return project;
}

export interface Called {
  readonly folder: string;
  readonly database: TestDatabase;
  /** Under migrations. */
  readonly file: string;
  readonly direction: Direction;
}

export function call(
  functions: FunctionProcess,
  { folder, database, file, direction }: Called,
  onReady: () => void = () => undefined,
): Promise<FunctionEnd> {
  return functions.run(
    { file: path.join(folder, 'migrations', file), name: file, direction },
    addressOf(database),
    onReady,
  );
}
