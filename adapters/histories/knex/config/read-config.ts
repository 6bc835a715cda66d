import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Secret } from '../../../../src/config/config.js';
import type { Sourced, ToolConfigReading, ToolConfigRequest } from '../../../../src/config/readers.js';
import type { Finding } from '../../../../src/errors/finding.js';
import { defaultLoadExtensions, type KnexSettings } from '../settings.js';
import { readConnection } from './connection.js';
import { loadKnexfile, type KnexfileAnswer, type KnexfileContent } from './load-knexfile.js';
import { readOwnKeys, type OwnKeys } from './own-keys.js';

/** Long enough for a knexfile that fetches a password, short enough for a person who waits. */
const defaultLoadTimeoutMs = 20_000;

/** Endings that Knex looks for, in its order (bin/cli.js of 3.3); .cjs only when it is named. */
const searched = ['js', 'mjs', 'coffee', 'ts', 'eg', 'ls'];
const loadable = ['.js', '.mjs', '.cjs', '.ts'];

interface Knexfile {
  readonly file: string;
  /** As a person would look for it. */
  readonly label: string;
  /** Knex changes into the folder of a knexfile that it is told of, not of one that it finds. */
  readonly workingDirectory: string;
}

/**
 * Reads a Knex project's configuration: flags and variables, then [knex] in flyback.toml, then the knexfile where it may be
 * loaded, then Knex's defaults. A knexfile is a program, so it runs only with consent, and in a process of its own.
 */
export async function readKnexConfig(request: ToolConfigRequest): Promise<ToolConfigReading<KnexSettings>> {
  const findings: Finding[] = [];
  const sources: Record<string, string> = {};
  const own = readOwnKeys(request.own, findings);
  const knexfile = await findKnexfile(request, own, findings);
  const content = knexfile === undefined ? undefined : await loadWithConsent(request, own, knexfile, findings);
  const source =
    knexfile === undefined
      ? 'knexfile'
      : `${knexfile.label}${content?.environment === null || content === undefined ? '' : ` ${content.environment}`}`;
  const reader = new SettingReader(request, own, content, source, sources, findings);
  const settings = reader.settings(knexfile?.workingDirectory ?? request.projectFolder, knexfile?.file);
  if (content?.hasAfterCreate === true) {
    findings.push({
      code: 'config-key-ignored',
      severity: 'warning',
      subject: `${source} pool.afterCreate`,
      message: `pool.afterCreate from ${source} is not run: what it sets for each connection does not hold for flyback's.`,
      hint: 'Where it sets the search_path, write searchPath into the knexfile.',
    });
  }
  const connection = readConnection(request, { content, source }, findings);
  for (const [key, value] of Object.entries({ url: connection?.url, user: connection?.user })) {
    if (value !== undefined) sources[key] = value.source;
  }
  if (connection?.password !== undefined) sources['password'] = connection.password.source;
  const secrets: readonly Secret[] = connection?.password === undefined ? [] : [connection.password.value];
  return { settings, locations: settings.directories, connection, sources, secrets, findings };
}

async function findKnexfile(
  request: ToolConfigRequest,
  own: OwnKeys,
  findings: Finding[],
): Promise<Knexfile | undefined> {
  const [flagged] = request.configFiles;
  const named = flagged ?? own.knexfile;
  if (named !== undefined) {
    const file = path.resolve(request.projectFolder, named);
    if (await isFile(file)) return { file, label: named, workingDirectory: path.dirname(file) };
    const subject = flagged === undefined ? 'flyback.toml knex.knexfile' : '--config-files';
    findings.push({
      code: 'config-file-missing',
      severity: 'error',
      subject,
      message: `${subject} names ${file}, which is not a file.`,
      hint: 'Correct the path; relative ones start at the project folder.',
    });
    return undefined;
  }
  for (let folder = request.projectFolder; ; folder = path.dirname(folder)) {
    for (const ending of searched) {
      const file = path.join(folder, `knexfile.${ending}`);
      if (!(await isFile(file))) continue;
      const label = path.relative(request.projectFolder, file).split(path.sep).join('/');
      return { file, label, workingDirectory: request.workingDirectory ?? request.projectFolder };
    }
    if (path.dirname(folder) === folder) return undefined;
  }
}

async function isFile(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** Undefined when the knexfile is not loaded: because it need not be, may not be, or cannot be. */
async function loadWithConsent(
  request: ToolConfigRequest,
  own: OwnKeys,
  knexfile: Knexfile,
  findings: Finding[],
): Promise<KnexfileContent | undefined> {
  const { overrides } = request;
  const said = overrides.loadCode?.value;
  if (said !== undefined && said !== 'true' && said !== 'false') {
    const subject = overrides.loadCode?.source ?? '--load-code';
    findings.push({
      code: 'config-value-invalid',
      severity: 'error',
      subject,
      message: `${subject} is neither true nor false: "${said}".`,
      hint: 'Choose one of these.',
    });
    return undefined;
  }
  const consents = said === undefined ? own.load : said === 'true';
  if (consents !== true) {
    // Everything that the file would be loaded for is known without it, or somebody said no.
    if (consents === false || own.directory !== undefined || overrides.locations !== undefined) return undefined;
    findings.push({
      code: 'config-code-not-run',
      severity: 'error',
      subject: knexfile.label,
      message: `${knexfile.label} is a program: flyback runs it, to learn the connection and where the migrations are, only when it is told that it may.`,
      hint: 'Write load = true under [knex] in flyback.toml (or FLYBACK_LOAD_CODE=true, --load-code true). Or do without it: directory, tableName and schemaName under [knex], and --url.',
    });
    return undefined;
  }
  const fail = (message: string, hint: string): void => {
    findings.push({ code: 'config-code-failed', severity: 'error', subject: knexfile.label, message, hint });
  };
  if (!loadable.includes(path.extname(knexfile.file))) {
    fail(
      `flyback cannot load ${knexfile.label}: Node runs .js, .mjs, .cjs and .ts files.`,
      'Do without it: directory, tableName and schemaName under [knex] in flyback.toml, and --url.',
    );
    return undefined;
  }
  const timeoutMs = own.loadTimeout ?? defaultLoadTimeoutMs;
  const named = overrides.environment ?? environmentOf(request, own);
  const answer = await loadKnexfile({
    file: knexfile.file,
    environmentName: named?.value,
    environment: request.environment,
    workingDirectory: knexfile.workingDirectory,
    timeoutMs,
  });
  switch (answer.kind) {
    case 'read':
      return answer.content;
    case 'environment':
      findings.push(environmentFinding(knexfile, named, answer.names));
      return undefined;
    case 'timeout':
      fail(
        `${knexfile.label} was not done within ${timeoutMs / 1000} s, and was stopped.`,
        'It waits for something that does not come (a password that is fetched, a promise that never resolves). loadTimeout under [knex] in flyback.toml sets the wait.',
      );
      return undefined;
    case 'ended':
      fail(
        `${knexfile.label} ended flyback's process that loaded it (${answer.how}).`,
        'A knexfile must not call process.exit.',
      );
      return undefined;
    case 'failed':
      fail(`${knexfile.label} ${describeFailure(answer)}.`, hintFor(knexfile, answer));
      return undefined;
  }
}

/** Knex asks NODE_ENV when it is told none. */
function environmentOf(request: ToolConfigRequest, own: OwnKeys): Sourced | undefined {
  if (own.environment !== undefined) return { value: own.environment, source: 'flyback.toml knex.environment' };
  const value = request.environment['NODE_ENV'];
  return value === undefined || value === '' ? undefined : { value, source: 'NODE_ENV' };
}

function environmentFinding(knexfile: Knexfile, named: Sourced | undefined, names: readonly string[]): Finding {
  if (named !== undefined) {
    return {
      code: 'config-environment-unknown',
      severity: 'error',
      subject: named.source,
      message: `${knexfile.label} has no environment "${named.value}" (named by ${named.source}).`,
      hint: names.length === 0 ? 'It has no configuration at all.' : `Use one of ${names.join(', ')}.`,
    };
  }
  return {
    code: 'config-environment-ambiguous',
    severity: 'error',
    subject: knexfile.label,
    message:
      names.length === 0
        ? `${knexfile.label} has neither a client nor environments.`
        : `${knexfile.label} has environments (${names.join(', ')}), and none was named; Knex would take development, flyback does not guess.`,
    hint: 'Say which one: --environment, FLYBACK_ENVIRONMENT, NODE_ENV, or environment under [knex] in flyback.toml.',
  };
}

type Failure = Extract<KnexfileAnswer, { kind: 'failed' }>;

function describeFailure({ step, reason }: Failure): string {
  switch (step) {
    case 'load':
      return `cannot be loaded: ${reason}`;
    case 'call':
      return `gives no configuration: ${reason}`;
    case 'connection':
      return `gives no connection: ${reason}`;
  }
}

function hintFor({ file }: Knexfile, { reason }: Failure): string {
  if (/Unknown file extension|TypeScript/i.test(reason)) {
    return `Node ${process.versions.node} runs no TypeScript: use Node 22.18 or newer, or do without the file: directory, tableName and schemaName under [knex] in flyback.toml, and --url.`;
  }
  return `Run node ${path.basename(file)} to see what it says: flyback does not repeat the text of its errors, which may hold secrets.`;
}

/** One setting after the other, each from the first place that has it. */
class SettingReader {
  constructor(
    readonly request: ToolConfigRequest,
    readonly own: OwnKeys,
    readonly content: KnexfileContent | undefined,
    readonly source: string,
    readonly sources: Record<string, string>,
    readonly findings: Finding[],
  ) {}

  settings(workingDirectory: string, knexfile: string | undefined): KnexSettings {
    const { overrides, projectFolder } = this.request;
    const table = this.#table();
    return {
      tool: 'knex',
      table,
      schema: overrides.defaultSchema?.value ?? this.own.schemaName ?? this.#renamed(this.#text('schemaName')),
      directories: this.#directories(workingDirectory, projectFolder),
      loadExtensions: this.own.loadExtensions ?? this.#texts('loadExtensions') ?? defaultLoadExtensions,
      sortDirsSeparately: this.#switch('sortDirsSeparately'),
      disableTransactions: this.#switch('disableTransactions'),
      disableMigrationsListValidation: this.#switch('disableMigrationsListValidation'),
      hasOwnSource: this.content?.hasOwnSource === true && this.own.directory === undefined,
      workingDirectory,
      knexfile:
        knexfile === undefined || this.content === undefined
          ? undefined
          : { file: knexfile, environment: this.content.environment },
      runsFunctions: this.own.down === true,
    };
  }

  #table(): string {
    const { overrides } = this.request;
    const written = this.#text('tableName');
    const name = overrides.table?.value ?? this.own.tableName ?? this.#renamed(written) ?? 'knex_migrations';
    this.sources['table'] =
      overrides.table?.source ??
      (this.own.tableName === undefined
        ? written === undefined
          ? 'default'
          : this.source
        : 'flyback.toml knex.tableName');
    const renamed = Object.entries(this.content?.renamed ?? {}).filter(
      ([from, to]) => from !== written && from !== this.#text('schemaName') && to !== `${name}_lock`,
    );
    if (renamed.length > 0) {
      this.findings.push({
        code: 'config-key-refused',
        severity: 'error',
        subject: `${this.source} wrapIdentifier`,
        message: `Cannot honour wrapIdentifier from ${this.source}: it writes ${renamed.map(([from, to]) => `${from} as ${to}`).join(', ')}, and flyback knows the history of Knex by its own names.`,
        hint: 'Leave the names of the migration tables alone in wrapIdentifier.',
      });
    }
    return name;
  }

  #directories(workingDirectory: string, projectFolder: string): readonly string[] {
    const { locations } = this.request.overrides;
    if (locations !== undefined) {
      this.sources['locations'] = locations.source;
      return locations.value.split(',').map((folder) => path.resolve(projectFolder, folder.trim()));
    }
    if (this.own.directory !== undefined) {
      this.sources['locations'] = 'flyback.toml knex.directory';
      return this.own.directory.map((folder) => path.resolve(projectFolder, folder));
    }
    const written = this.#texts('directory');
    this.sources['locations'] = written === undefined ? 'default' : this.source;
    return (written ?? ['./migrations']).map((folder) => path.resolve(workingDirectory, folder));
  }

  #renamed(name: string | undefined): string | undefined {
    return name === undefined ? undefined : (this.content?.renamed[name] ?? name);
  }

  #text(key: string): string | undefined {
    const value = this.content?.migrations[key];
    return typeof value === 'string' && value !== '' ? value : undefined;
  }

  #texts(key: string): readonly string[] | undefined {
    const value = this.content?.migrations[key];
    const list = Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [this.#text(key) ?? ''];
    return list.filter((item) => item !== '').length === 0 ? undefined : list;
  }

  #switch(key: 'sortDirsSeparately' | 'disableTransactions' | 'disableMigrationsListValidation'): boolean {
    return this.own[key] ?? this.content?.migrations[key] === true;
  }
}
