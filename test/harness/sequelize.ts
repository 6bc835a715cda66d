import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import type { MigrationSql, ToolProject } from '../conformance/history.js';
import { isMysql } from './databases.js';
import type { TestDatabase } from './postgres.js';
import { command, finished, type CommandResult } from './project.js';

/*
 * Projects of the real sequelize-cli and the real Umzug 3 in temporary folders, with flyback beside them. The tools come from
 * this repository: a project finds them by absolute paths.
 */

const require = createRequire(import.meta.url);
const sequelizeCli = path.join(path.dirname(require.resolve('sequelize-cli/package.json')), 'lib', 'sequelize');

/** The name of a migration without its extension, in the form of sequelize-cli's generator. */
export function nameOf(number: number): string {
  return `202601${String(number).padStart(8, '0')}-step`;
}

export interface SequelizeProject extends ToolProject {
  readonly migrationsFolder: string;
  /** Any command of the tool: db:migrate:undo; for Umzug down. */
  tool(...commandLine: readonly string[]): ChildProcess;
  /** Runs the built command to its end. */
  run(commandLine: readonly string[], environment?: Readonly<Record<string, string>>): Promise<CommandResult>;
  write(file: string, text: string): Promise<void>;
}

export interface SequelizeOptions {
  /** Text of flyback.toml. */
  readonly flyback?: string;
  /** Further keys of the environment production in config/config.json. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Migrations in JavaScript, as sequelize-cli takes no others. */
export function moduleOf({ up, down }: MigrationSql): string {
  const body = (sql: string): string => `(queryInterface) => queryInterface.sequelize.query(${JSON.stringify(sql)})`;
  return `module.exports = { up: ${body(up)}, down: ${body(down)} };\n`;
}

export async function createSequelizeProject(
  database: TestDatabase,
  migrations: readonly MigrationSql[],
  options: SequelizeOptions = {},
): Promise<SequelizeProject> {
  const url = new URL(database.url);
  const production = {
    ...(isMysql(database)
      ? { dialect: 'mysql', dialectOptions: { multipleStatements: true } }
      : { dialect: 'postgres' }),
    host: url.hostname,
    port: Number(url.port),
    database: database.name,
    username: database.user,
    password: database.password === '' ? null : database.password,
    ...options.config,
  };
  const project = await createFolder('sequelize', options.flyback ?? 'tool = "sequelize"\n', migrations, {
    name: (number) => `migrations/${nameOf(number)}.js`,
    text: moduleOf,
    start: (folder, commandLine) =>
      spawn(process.execPath, [sequelizeCli, ...commandLine], {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env['PATH'], HOME: folder, NODE_ENV: 'production' },
      }),
    environment: { NODE_ENV: 'production' },
  });
  await project.write(
    'config/config.json',
    JSON.stringify({ development: { dialect: 'postgres', host: 'nowhere.invalid', database: 'none' }, production }),
  );
  const applied = async (): Promise<readonly number[]> => {
    const { stdout } = await finished(project.tool('db:migrate:status'));
    return numbersOf(stdout.split('\n').filter((line) => line.startsWith('up ')));
  };
  return {
    ...project,
    up: () => finished(project.tool('db:migrate')),
    down: () => finished(project.tool('db:migrate:undo')),
    applied,
  };
}

export interface UmzugOptions {
  /** Text of flyback.toml. */
  readonly flyback?: string;
  /** Migrations are SQL files with a down of one of Umzug's two conventions, or modules. */
  readonly files?: 'down-folder' | 'up-down' | 'modules';
  /** Options of SequelizeStorage besides sequelize, as JavaScript. */
  readonly storage?: string;
}

export async function createUmzugProject(
  database: TestDatabase,
  migrations: readonly MigrationSql[],
  options: UmzugOptions = {},
): Promise<SequelizeProject> {
  const files = options.files ?? 'down-folder';
  const extension = { 'down-folder': '.sql', 'up-down': '.up.sql', modules: '.js' }[files];
  const pattern = `migrations/*${extension}`;
  const project = await createFolder(
    'umzug',
    options.flyback ?? `[umzug]\nmigrations = ${JSON.stringify(pattern)}\n`,
    migrations,
    {
      name: (number) => `migrations/${nameOf(number)}${extension}`,
      text: files === 'modules' ? umzugModuleOf : ({ up }) => up,
      start: (folder, commandLine) =>
        spawn(process.execPath, ['umzug.cjs', ...commandLine], {
          cwd: folder,
          stdio: ['ignore', 'pipe', 'pipe'],
          env: { PATH: process.env['PATH'], HOME: folder },
        }),
      environment: { FLYBACK_URL: database.url },
    },
  );
  for (const [index, { down }] of migrations.entries()) {
    const name = nameOf(index + 1);
    if (files === 'down-folder') await project.write(`migrations/down/${name}.sql`, down);
    if (files === 'up-down') await project.write(`migrations/${name}.down.sql`, down);
  }
  await project.write('umzug.cjs', umzugProgram(database.url, pattern, options.storage ?? ''));
  const applied = async (): Promise<readonly number[]> => {
    const { stdout, stderr, code } = await finished(project.tool('executed'));
    if (code !== 0) throw new Error(stderr);
    return numbersOf(stdout.split('\n'));
  };
  return {
    ...project,
    up: () => finished(project.tool('up')),
    down: () => finished(project.tool('down')),
    applied,
  };
}

function umzugModuleOf({ up, down }: MigrationSql): string {
  const body = (sql: string): string => `({ context }) => context.query(${JSON.stringify(sql)})`;
  return `module.exports = { up: ${body(up)}, down: ${body(down)} };\n`;
}

/** As Umzug's README has it: SequelizeStorage, and a resolver for SQL files with their downs. */
function umzugProgram(url: string, pattern: string, storage: string): string {
  return `const { Umzug, SequelizeStorage } = require(${JSON.stringify(require.resolve('umzug'))});
const { Sequelize } = require(${JSON.stringify(require.resolve('sequelize'))});
const fs = require('node:fs'), path = require('node:path');
const sequelize = new Sequelize(${JSON.stringify(url)}, { logging: false${url.startsWith('mysql:') ? ', dialectOptions: { multipleStatements: true }' : ''} });
const downOf = (file) => file.endsWith('.up.sql') ? file.replace('.up.sql', '.down.sql') : path.join(path.dirname(file), 'down', path.basename(file));
const umzug = new Umzug({
  migrations: {
    glob: ${JSON.stringify(pattern)},
    resolve: (params) => params.path.endsWith('.sql')
      ? { name: params.name, path: params.path,
          up: async () => sequelize.query(fs.readFileSync(params.path, 'utf8')),
          down: async () => sequelize.query(fs.readFileSync(downOf(params.path), 'utf8')) }
      : Umzug.defaultResolver(params),
  },
  context: sequelize,
  storage: new SequelizeStorage({ sequelize${storage === '' ? '' : `, ${storage}`} }),
  logger: undefined,
});
const [verb] = process.argv.slice(2);
umzug[verb]().then((list) => { if (verb === 'executed') console.log(list.map(({ name }) => name).join('\\n')); })
  .finally(() => sequelize.close()).catch((error) => { console.error(error); process.exitCode = 1; });
`;
}

function numbersOf(lines: readonly string[]): readonly number[] {
  return lines.flatMap((line) => {
    const number = /202601(\d{8})-step/.exec(line)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
}

interface Shape {
  name(number: number): string;
  text(migration: MigrationSql): string;
  start(folder: string, commandLine: readonly string[]): ChildProcess;
  readonly environment: Readonly<Record<string, string>>;
}

type Folder = Omit<SequelizeProject, 'up' | 'startUp' | 'down' | 'applied'>;

async function createFolder(
  tool: string,
  flyback: string,
  migrations: readonly MigrationSql[],
  shape: Shape,
): Promise<Folder> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), `flyback-${tool}-`));
  const write = async (file: string, text: string): Promise<void> => {
    await fs.mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await fs.writeFile(path.join(folder, file), text);
  };
  await write('flyback.toml', flyback);
  await fs.mkdir(path.join(folder, 'migrations'));
  await fs.mkdir(path.join(folder, 'rollbacks'));
  for (const [index, migration] of migrations.entries()) await write(shape.name(index + 1), shape.text(migration));
  const writeRollback = (number: number, sql: string): Promise<void> =>
    write(`rollbacks/R${nameOf(number)}__step.sql`, sql);
  for (const [index, { down }] of migrations.entries()) await writeRollback(index + 1, `${down};\n`);
  const start = (commandLine: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess =>
    spawn(process.execPath, [command, ...commandLine], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: folder, ...shape.environment, ...environment },
    });
  return {
    folder,
    migrationsFolder: path.join(folder, 'migrations'),
    tool: (...commandLine) => shape.start(folder, commandLine),
    version: nameOf,
    writeRollback,
    write,
    start: (commandLine) => start(commandLine),
    run: (commandLine, environment) => finished(start(commandLine, environment)),
    remove: () => fs.rm(folder, { recursive: true, force: true }),
  };
}
