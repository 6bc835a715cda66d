import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMysql, mysqlKeys } from './databases.js';
import type { TestDatabase } from './postgres.js';
import { command, finished, type CommandResult } from './project.js';

/*
 * A project of the real Knex with rollback scripts in a temporary folder, its command line, and flyback's on it.
 */

/** One migration: SQL for both directions, written into a program; `rollback` is the R script's, undefined for none. */
export interface KnexMigration {
  /** Whole file name. */
  readonly name: string;
  readonly up: string;
  readonly down?: string;
  readonly rollback?: string | undefined;
  /** Name of the R script; by default the digits of the name. */
  readonly script?: string;
}

export interface KnexProjectOptions {
  readonly database: TestDatabase;
  readonly migrations?: readonly KnexMigration[];
  /** Text of the knexfile's `migrations`, as JavaScript. */
  readonly settings?: string;
  /** Whole text of knexfile.js instead. */
  readonly knexfile?: string;
  /** Text of flyback.toml; by default consent to load the knexfile. */
  readonly flyback?: string;
}

export interface KnexProject {
  readonly folder: string;
  readonly database: TestDatabase;
  write(migration: KnexMigration): Promise<void>;
  /** The real Knex's command line. */
  knex(...commandLine: readonly string[]): Promise<CommandResult>;
  startKnex(...commandLine: readonly string[]): ChildProcess;
  /** The built command. */
  start(commandLine: readonly string[], environment?: Readonly<Record<string, string>>): ChildProcess;
  run(commandLine: readonly string[], environment?: Readonly<Record<string, string>>): Promise<CommandResult>;
  remove(): Promise<void>;
}

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
const require = createRequire(import.meta.url);
const knexFolder = path.dirname(require.resolve('knex/package.json'));

export async function createKnexProject(options: KnexProjectOptions): Promise<KnexProject> {
  const { database } = options;
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-knex-'));
  await fs.mkdir(path.join(folder, 'migrations'));
  await fs.mkdir(path.join(folder, 'rollbacks'));
  await fs.symlink(modules, path.join(folder, 'node_modules'));
  await fs.writeFile(
    path.join(folder, 'knexfile.js'),
    options.knexfile ?? `module.exports = { ${clientOf(database)}, migrations: ${options.settings ?? '{}'} };\n`,
  );
  await fs.writeFile(path.join(folder, 'flyback.toml'), options.flyback ?? '[knex]\nload = true\n');
  const environment = (more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv => ({
    PATH: process.env['PATH'],
    HOME: folder,
    TZ: process.env['TZ'],
    ...more,
  });
  const start = (
    program: string,
    commandLine: readonly string[],
    more?: Readonly<Record<string, string>>,
  ): ChildProcess =>
    spawn(process.execPath, [program, ...commandLine], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment(more),
    });
  const cli = path.join(knexFolder, 'bin', 'cli.js');
  const project: KnexProject = {
    folder,
    database,
    write: async ({ name, up, down = 'SELECT 1', rollback, script }) => {
      const body = (sql: string): string => `(knex) => knex.raw(${JSON.stringify(sql)})`;
      await fs.writeFile(
        path.join(folder, 'migrations', name),
        `exports.up = ${body(up)};\nexports.down = ${body(down)};\n`,
      );
      if (rollback === undefined) return;
      const digits = /^\d+/.exec(name)?.[0] ?? name;
      await fs.writeFile(path.join(folder, 'rollbacks', script ?? `R${digits}__step.sql`), rollback);
    },
    startKnex: (...commandLine) => start(cli, commandLine),
    knex: async (...commandLine) => finished(start(cli, commandLine)),
    start: (commandLine, more) => start(command, commandLine, more),
    run: async (commandLine, more) => finished(start(command, commandLine, more)),
    remove: () => fs.rm(folder, { recursive: true, force: true }),
  };
  for (const migration of options.migrations ?? []) await project.write(migration);
  return project;
}

/** The knexfile's client and connection, as JavaScript. */
export function clientOf(database: TestDatabase): string {
  return isMysql(database)
    ? `client: 'mysql2', connection: ${JSON.stringify(mysqlKeys(database))}`
    : `client: 'pg', connection: ${JSON.stringify(database.url)}`;
}

/** A migration that makes a table, and a script that drops it. */
export function tableMigration(number: number, name: string): KnexMigration {
  const digits = `202401${String(number).padStart(2, '0')}000000`;
  return {
    name: `${digits}_${name}.js`,
    up: `CREATE TABLE ${name} (id int PRIMARY KEY)`,
    down: `DROP TABLE ${name}`,
    rollback: `DROP TABLE ${name};\n-- flyback: verify ${name} is gone\nSELECT to_regclass('${name}') IS NULL; -- expect: t\n`,
  };
}
