import { spawn } from 'node:child_process';
import path from 'node:path';
import { typeStripping } from '../../../../src/config/project-process.js';

/** What a knexfile says, as plain data; null where it says nothing. */
export interface KnexfileContent {
  /** The environment that was taken; null: the file has none. */
  readonly environment: string | null;
  /** The client's name, or the dialect of a client class. */
  readonly client: string | null;
  /** A URL, or the keys of an object; functions have been called. */
  readonly connection: string | Readonly<Record<string, unknown>> | null;
  readonly searchPath: readonly string[];
  readonly migrations: Readonly<Record<string, unknown>>;
  readonly hasOwnSource: boolean;
  /** pool.afterCreate, which changes sessions in ways that only running it could tell. */
  readonly hasAfterCreate: boolean;
  /** Identifiers that wrapIdentifier writes in another way → that other way. */
  readonly renamed: Readonly<Record<string, string>>;
}

/** How loading ended. No text in it comes from a value of the project's, which could be a secret. */
export type KnexfileAnswer =
  | { readonly kind: 'read'; readonly content: KnexfileContent }
  /** Several environments and none was named, or the one named is not among them. */
  | { readonly kind: 'environment'; readonly names: readonly string[] }
  | { readonly kind: 'failed'; readonly step: 'load' | 'call' | 'connection'; readonly reason: string }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'ended'; readonly how: string };

/**
 * Runs in a process of its own: whatever a knexfile prints, never ends, or breaks stays there. Answers on descriptor 3.
 *
 * Messages of errors that the file throws itself are not passed on, for they may hold what it knows; those of Node about
 * modules that it cannot find are.
 */
const program = String.raw`
import { writeSync } from 'node:fs';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
const [file, named, identifiers] = process.argv.slice(1);
const tell = (answer) => {
  const bytes = Buffer.from(JSON.stringify(answer));
  for (let at = 0; at < bytes.length; ) {
    try { at += writeSync(3, bytes, at); } catch (error) { if (error.code !== 'EAGAIN') throw error; }
  }
  process.exit(0);
};
const reasonOf = (error) => {
  if (error === null || typeof error !== 'object') return 'it throws something that is no error';
  const known = ['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND', 'ERR_UNKNOWN_FILE_EXTENSION', 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX'];
  if (known.includes(error.code)) return String(error.message).split('\n', 1)[0];
  const name = /^\w{1,40}$/.test(String(error.name)) ? error.name : 'Error';
  const code = /^[A-Z_]{3,40}$/.test(String(error.code)) ? ' ' + error.code : '';
  const at = String(error.stack).split('\n').map((line) => line.lastIndexOf(basename(file) + ':') < 0 ? '' : (/:(\d+)(?::\d+)?\)?$/.exec(line)?.[1] ?? '')).find((line) => line !== '');
  return name + code + (at === undefined ? '' : ' in line ' + at);
};
let step = 'load';
const isObject = (value) => typeof value === 'object' && value !== null;
const isConfig = (value) => isObject(value) && ['client', 'dialect', 'connection', 'migrations'].some((key) => value[key] !== undefined);
const listed = (value) => (Array.isArray(value) ? value : typeof value === 'string' ? value.split(',') : []).map((item) => String(item).trim()).filter((item) => item !== '');
process.on('uncaughtException', (error) => tell({ kind: 'failed', step, reason: reasonOf(error) }));
try {
  const module = await import(pathToFileURL(file).href);
  let root = module.default ?? module;
  if (isObject(root) && root.default) root = root.default;
  step = 'call';
  if (typeof root === 'function') root = await root();
  if (!isObject(root)) tell({ kind: 'failed', step, reason: 'it exports no object' });
  const names = Object.keys(root).filter((key) => !['connection', 'migrations', 'seeds', 'pool'].includes(key) && isConfig(root[key]));
  let environment = null;
  let config = root;
  if (named !== '' && isObject(root[named])) {
    environment = named;
    config = root[named];
  } else if (!isConfig(root) || (named === '' && isConfig(root.development))) {
    if (named !== '' || names.length !== 1 || names[0] !== 'development') tell({ kind: 'environment', names });
    environment = 'development';
    config = root.development;
  }
  step = 'connection';
  let { connection } = config;
  if (typeof connection === 'function') connection = await connection();
  if (isObject(connection)) {
    connection = { ...connection };
    if (typeof connection.password === 'function') connection.password = await connection.password();
    if (isObject(connection.ssl)) {
      const given = ['ca', 'cert', 'key', 'pfx', 'checkServerIdentity'].filter((key) => connection.ssl[key] !== undefined);
      connection.ssl = { verifies: connection.ssl.rejectUnauthorized !== false, verifiesHost: connection.ssl.verifyIdentity === true, given };
    }
  }
  const renamed = {};
  const { wrapIdentifier, migrations = {} } = config;
  if (typeof wrapIdentifier === 'function') {
    for (const name of [...JSON.parse(identifiers), migrations.tableName ?? 'knex_migrations', (migrations.tableName ?? 'knex_migrations') + '_lock', migrations.schemaName]) {
      if (typeof name !== 'string') continue;
      const wrapped = wrapIdentifier(name, (value) => value, undefined);
      if (typeof wrapped === 'string' && wrapped !== name) renamed[name] = wrapped;
    }
  }
  const { client } = config;
  tell({
    kind: 'read',
    content: {
      environment,
      client: typeof client === 'string' ? client : (client?.prototype?.dialect ?? config.dialect ?? null),
      connection: connection ?? null,
      searchPath: listed(config.searchPath),
      migrations: isObject(migrations) ? { ...migrations, migrationSource: undefined } : {},
      hasOwnSource: isObject(migrations?.migrationSource),
      hasAfterCreate: typeof config.pool?.afterCreate === 'function',
      renamed,
    },
  });
} catch (error) {
  tell({ kind: 'failed', step, reason: reasonOf(error) });
}
`;

/** Columns that Knex names in its own statements. */
const identifiers = ['id', 'name', 'batch', 'migration_time', 'is_locked'];

export interface LoadKnexfileOptions {
  /** Absolute. */
  readonly file: string;
  /** Undefined: none was named. */
  readonly environmentName: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  readonly timeoutMs: number;
}

/** Loads a knexfile, which runs it. Never throws for what is wrong with it. */
export async function loadKnexfile(options: LoadKnexfileOptions): Promise<KnexfileAnswer> {
  const child = spawn(
    process.execPath,
    [
      ...(path.extname(options.file) === '.ts' ? typeStripping() : []),
      '--input-type=module',
      '--eval',
      program,
      '--',
      options.file,
      options.environmentName ?? '',
      JSON.stringify(identifiers),
    ],
    {
      cwd: options.workingDirectory,
      env: { ...options.environment },
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    },
  );
  let answer = '';
  const pipe = child.stdio[3];
  if (pipe !== null && pipe !== undefined && 'setEncoding' in pipe) {
    pipe.setEncoding('utf8').on('data', (text: string) => (answer += text));
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs);
  const how = await new Promise<string>((resolve) => {
    child.once('error', (error) => {
      resolve((error as NodeJS.ErrnoException).code ?? 'it could not be started');
    });
    child.once('close', (code, signal) => {
      resolve(signal ?? `exit code ${code ?? 'unknown'}`);
    });
  });
  clearTimeout(timer);
  // The pipe stays open in a process that the knexfile started: what has come is what counts.
  pipe?.destroy();
  if (child.killed) return { kind: 'timeout' };
  try {
    return JSON.parse(answer) as KnexfileAnswer;
  } catch {
    return { kind: 'ended', how };
  }
}
