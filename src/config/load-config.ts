import { readdir, readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import { isMark, type MigrationTools } from '../adapter/migration-tool.js';
import { createRedactor } from './create-redactor.js';
import { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import { redactFinding } from '../errors/redact-error.js';
import { grades, type Grade } from '../proof/grade.js';
import type { TriggersMode } from '../scripts/rollback-script.js';
import {
  type AuditPolicy,
  type Config,
  type ConnectionSettings,
  type DockerScratch,
  type Policy,
  Secret,
} from './config.js';
import { parseDuration } from './duration.js';
import { findNearest } from './nearest.js';
import { debugVariable, type OptionName, options, passwordVariable } from './options.js';
import type { ReadConnection, Sourced, ToolOverride } from './readers.js';
import { parseToml } from './toml.js';

export const configFileName = 'flyback.toml';

const policies = ['off', 'warn', 'stop'] as const satisfies readonly Policy[];

/** Flags as typed, without their dashes; what was not given is absent. Lists are comma separated. */
export type ConfigFlags = Readonly<Partial<Record<OptionName, string>>>;

export interface LoadConfigInput {
  readonly projectFolder: string;
  readonly flags: ConfigFlags;
  /** As process.env. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly homeFolder: string;
  /** Relative paths in flags and variables resolve against this folder; without it, the project folder. */
  readonly currentFolder?: string | undefined;
  /** Who connects when nothing names a user; without it, the account of this process. */
  readonly systemUser?: string | undefined;
  readonly tools: MigrationTools;
  readonly readConnection: ReadConnection;
}

/**
 * Builds the one trusted configuration: flags, then FLYBACK_… variables, then flyback.toml, then defaults; for everything
 * that the migration tool knows itself, its own configuration comes after the first two. Throws FlybackError
 * project-not-found, or config-invalid with all problems at once, each naming the file and key, variable or flag.
 */
export async function loadConfig(input: LoadConfigInput): Promise<Config> {
  const projectFolder = path.resolve(input.projectFolder);
  await requireFolder(projectFolder);
  const file = await readProjectFile(projectFolder, Object.keys(input.tools));
  const settings = new OptionReader(input, projectFolder, file.entries);
  settings.findings.push(...file.findings);
  checkVariables(input.environment, settings.findings);

  const toolName = settings.oneOf<string | undefined>('tool', Object.keys(input.tools), undefined);
  const recognised = toolName ?? (await recogniseTool(projectFolder, input.tools, settings.findings));
  const password = readPassword(settings, input.environment);
  const overrides: Partial<Record<ToolOverride, Sourced>> = {};
  for (const name of [
    'environment',
    'url',
    'user',
    'defaultSchema',
    'schemas',
    'table',
    'locations',
    'loadCode',
  ] as const) {
    const value = settings.find(name);
    if (value !== undefined) overrides[name] = value;
  }
  const chosen = input.tools[recognised];
  if (chosen === undefined) throw new FlybackError('internal', `There is no migration tool ${recognised}.`);
  const tool = await chosen.readConfig({
    projectFolder,
    homeFolder: input.homeFolder,
    environment: input.environment,
    configFiles: splitComma(settings.find('configFiles')?.value ?? ''),
    workingDirectory: settings.path('workingDirectory', undefined),
    overrides,
    own: file.own.get(recognised) ?? new Map(),
    password,
  });
  const secrets = [...tool.secrets];
  if (password !== undefined) secrets.push(password.value);
  settings.findings.push(...tool.findings);

  let connection: ConnectionSettings | undefined;
  if (tool.connection !== undefined) {
    const reading = input.readConnection({
      ...tool.connection,
      systemUser: input.systemUser ?? accountName(),
      baseFolder: projectFolder,
    });
    connection = reading.settings;
    secrets.push(...reading.secrets);
    settings.findings.push(...reading.findings);
  }

  let scratch: ConnectionSettings | DockerScratch | undefined;
  const scratchUrl = settings.find('scratch');
  const container = /^docker(?::(.*))?$/s.exec(scratchUrl?.value.trim() ?? '');
  if (container !== null) scratch = { kind: 'docker', image: readImage(container[1], settings.findings) };
  else if (scratchUrl !== undefined) {
    const reading = input.readConnection({
      url: scratchUrl,
      user: undefined,
      password: undefined,
      properties: {},
      initSql: undefined,
      systemUser: input.systemUser ?? accountName(),
      baseFolder: projectFolder,
    });
    scratch = reading.settings;
    secrets.push(...reading.secrets);
    settings.findings.push(...reading.findings);
  }

  const config: Config = {
    environment: new Secret(input.environment),
    projectFolder,
    connection,
    tool: tool.settings,
    rollbacksFolder: settings.path('rollbacks', 'rollbacks') ?? path.join(projectFolder, 'rollbacks'),
    templatesFolder: settings.path('templates', undefined),
    record: { schema: settings.text('recordSchema'), table: settings.text('recordTable') ?? 'flyback_record' },
    run: {
      lockTimeoutMs: settings.duration('lockTimeout', 5000),
      statementTimeoutMs: settings.duration('statementTimeout', 0),
      lockRetries: settings.count('lockRetries', 3),
      lockRetryPauseMs: settings.duration('lockRetryPause', 2000),
      concurrentWaitMs: settings.duration('concurrentWait', 600_000),
      toolLockWaitMs: settings.duration('toolLockWait', 50_000),
      triggers: settings.oneOf<TriggersMode | undefined>('triggers', ['replica', 'disable', 'keep'], undefined),
    },
    audit: {
      ignore: settings.codes('ignore'),
      maxRisk: settings.oneOf<AuditPolicy['maxRisk']>(
        'maxRisk',
        ['none', 'minimal', 'low', 'medium', 'high', 'critical'],
        'critical',
      ),
    },
    prove: {
      passes: settings.grades('passes', ['exact', 'column-order', 'loss-declared']),
      requireProof: settings.oneOf<Policy | undefined>('requireProof', policies, undefined),
      sameMajor: settings.truth('sameMajor', false),
      drift: settings.oneOf<Policy>('drift', policies, 'warn'),
      scratch,
      statementTimeoutMs: settings.duration('proofTimeout', 60_000),
      fixturesFolder: settings.path('fixtures', undefined),
    },
    secrets,
    sources: { ...tool.sources, ...settings.sources, ...(password === undefined ? {} : { password: password.source }) },
    findings: [],
  };
  const findings = settings.findings.map((finding) => redactFinding(finding, createRedactor(secrets)));
  refuseErrors(findings);
  return { ...config, findings };
}

/** A name that cannot be taken for one of docker's own options. */
function readImage(name: string | undefined, findings: Finding[]): string | undefined {
  if (name === undefined || /^[a-z0-9][\w./:@-]*$/i.test(name)) return name;
  findings.push({
    code: 'config-value-invalid',
    severity: 'error',
    subject: 'prove.scratch',
    message: `"${name}" is not the name of a Docker image.`,
    hint: 'Name it as docker does, for example prove.scratch = "docker:postgres:16".',
  });
  return undefined;
}

function refuseErrors(findings: readonly Finding[]): void {
  const errors = findings.filter((finding) => finding.severity === 'error');
  const [first, ...others] = errors;
  if (first === undefined) return;
  throw others.length === 0
    ? new FlybackError('config-invalid', first.message, {
        hint: first.hint,
        location: first.location,
        findings: errors,
      })
    : new FlybackError('config-invalid', `Cannot use the configuration: ${errors.length} problems were found.`, {
        hint: 'Correct each of them; the sources are named.',
        findings: errors,
      });
}

async function requireFolder(folder: string): Promise<void> {
  try {
    if ((await stat(folder)).isDirectory()) return;
  } catch {
    // Reported below, whatever the reason.
  }
  throw new FlybackError('project-not-found', `Cannot use ${folder} as the project folder: it is not a folder.`, {
    hint: 'Run flyback in the project folder, or name it with --project.',
  });
}

function accountName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    // An account without a name, as in some containers.
    return undefined;
  }
}

interface ProjectFile {
  /** Dotted key → value as parsed. */
  readonly entries: ReadonlyMap<string, unknown>;
  /** Migration tool → what its table says. */
  readonly own: ReadonlyMap<string, ReadonlyMap<string, unknown>>;
  readonly findings: readonly Finding[];
}

/** The tool whose files lie in the project folder; Flyway where none does, which can do with variables alone. */
async function recogniseTool(projectFolder: string, tools: MigrationTools, findings: Finding[]): Promise<string> {
  const names = await readdir(projectFolder).catch(() => []);
  const evidence = Object.entries(tools).flatMap(([tool, { marks }]) => {
    const found = names.find((name) => marks.some((mark) => isMark(name, mark)));
    return found === undefined ? [] : [{ tool, found }];
  });
  const [first, ...others] = evidence;
  if (first !== undefined && others.length > 0) {
    findings.push({
      code: 'config-tool-ambiguous',
      severity: 'error',
      subject: projectFolder,
      message: `Several migration tools are configured here: ${evidence.map(({ tool, found }) => `${tool} (${found})`).join(', ')}.`,
      hint: `Say which one keeps the history: tool = "${first.tool}" in ${configFileName}, or --tool.`,
    });
  }
  return first?.tool ?? 'flyway';
}

async function readProjectFile(projectFolder: string, tools: readonly string[]): Promise<ProjectFile> {
  const file = path.join(projectFolder, configFileName);
  const entries = new Map<string, unknown>();
  const own = new Map<string, ReadonlyMap<string, unknown>>();
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return { entries, own, findings: [] };
    const invalidText = code === 'ERR_ENCODING_INVALID_ENCODED_DATA';
    const message = `Cannot read ${configFileName}: ${invalidText ? 'it is not valid UTF-8' : (code ?? 'unreadable')}.`;
    const hint = invalidText ? 'Save the file as UTF-8.' : 'Make it a file that this user may read.';
    return {
      entries,
      own,
      findings: [{ code: 'config-file-unreadable', severity: 'error', subject: configFileName, message, hint }],
    };
  }
  const reading = await parseToml(text, file, configFileName);
  if ('finding' in reading) return { entries, own, findings: [reading.finding] };
  const findings: Finding[] = [];
  const known: readonly string[] = Object.values(options).flatMap(({ key }) => key ?? []);
  const tables = new Set(known.flatMap((key) => (key.includes('.') ? [key.slice(0, key.indexOf('.'))] : [])));
  for (const [name, value] of Object.entries(reading.document)) {
    if (tables.has(name) && isTable(value)) {
      for (const [inner, innerValue] of Object.entries(value)) entries.set(`${name}.${inner}`, innerValue);
    } else if (tools.includes(name) && isTable(value)) {
      own.set(name, new Map(Object.entries(value)));
    } else {
      entries.set(name, value);
    }
  }
  for (const key of entries.keys()) {
    if (known.includes(key)) continue;
    findings.push(unknownKey(key, known, tables));
    entries.delete(key);
  }
  return { entries, own, findings };
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function unknownKey(key: string, known: readonly string[], tables: ReadonlySet<string>): Finding {
  const last = key.slice(key.lastIndexOf('.') + 1);
  const sameLeaf = known.find((candidate) => candidate.slice(candidate.lastIndexOf('.') + 1) === last);
  const meant =
    sameLeaf ??
    findNearest(key, known) ??
    known.find((candidate) => findNearest(last, [candidate.slice(candidate.lastIndexOf('.') + 1)]) !== undefined);
  const ownedByTool = Object.entries(options).some(
    ([name, option]) => (option.key as string | undefined) === undefined && name === key,
  );
  const hint = /^passw/i.test(last)
    ? 'Never write a password here: name the variable that holds it, passwordEnv = "DB_PASSWORD".'
    : ownedByTool
      ? `${key} belongs in the migration tool's own configuration.`
      : tables.has(key)
        ? `${key} is a table: write [${key}] and its keys below.`
        : meant === undefined
          ? `Known keys: ${known.join(', ')}.`
          : `Perhaps ${meant} was meant.`;
  return {
    code: 'config-key-unknown',
    severity: 'error',
    subject: `${configFileName} ${key}`,
    message: `${configFileName} has an unknown key ${key}.`,
    hint,
  };
}

/** Variables that begin like flyback's own and are not: most likely a slip. */
function checkVariables(environment: Readonly<Record<string, string | undefined>>, findings: Finding[]): void {
  const known: readonly string[] = [
    ...Object.values(options).map(({ variable }) => variable),
    passwordVariable,
    debugVariable,
  ];
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('FLYBACK_') || known.includes(name)) continue;
    const meant = findNearest(name, known);
    findings.push({
      code: 'config-variable-unknown',
      severity: 'warning',
      subject: name,
      message: `The variable ${name} is not one that flyback knows.`,
      hint: meant === undefined ? 'Remove it.' : `Perhaps ${meant} was meant.`,
    });
  }
}

function readPassword(
  settings: OptionReader,
  environment: Readonly<Record<string, string | undefined>>,
): Sourced<Secret> | undefined {
  const named = settings.find('passwordEnv');
  const direct = environment[passwordVariable];
  if (direct !== undefined && direct !== '' && named?.source !== options.passwordEnv.flag) {
    return { value: new Secret(direct), source: passwordVariable };
  }
  if (named === undefined) return undefined;
  if (!/^[A-Za-z_]\w*$/.test(named.value)) {
    // The text may be the password itself, so it is not repeated.
    settings.reject(
      named.source,
      'must be the name of an environment variable, not a password',
      'Put the password into a variable and name that variable.',
    );
    return undefined;
  }
  const value = environment[named.value];
  if (value === undefined || value === '') {
    settings.reject(
      named.source,
      `names the variable ${named.value}, which is not set`,
      `Set ${named.value} to the password.`,
    );
    return undefined;
  }
  return { value: new Secret(value), source: `${named.value} (${named.source})` };
}

function splitComma(text: string): readonly string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

type Origin = 'flag' | 'variable' | 'file';

/** Looks an option up in its three places and reads it; notes sources and problems. */
class OptionReader {
  readonly sources: Record<string, string> = {};
  readonly findings: Finding[] = [];
  readonly #input: LoadConfigInput;
  readonly #projectFolder: string;
  readonly #entries: ReadonlyMap<string, unknown>;

  constructor(input: LoadConfigInput, projectFolder: string, entries: ReadonlyMap<string, unknown>) {
    this.#input = input;
    this.#projectFolder = projectFolder;
    this.#entries = entries;
  }

  reject(source: string, problem: string, hint: string): void {
    this.findings.push({
      code: 'config-value-invalid',
      severity: 'error',
      subject: source,
      message: `${source} ${problem}.`,
      hint,
    });
  }

  /** An empty variable counts as absent, an empty flag is an error. */
  find(name: OptionName): (Sourced & { readonly origin: Origin }) | undefined {
    const { flag, variable, kind } = options[name];
    const key: string | undefined = options[name].key;
    const typed = this.#input.flags[name];
    if (typed !== undefined) {
      if (typed.trim() !== '') return { value: typed, source: flag, origin: 'flag' };
      this.reject(flag, 'is empty', `Give ${flag} a value, or leave it out.`);
      return undefined;
    }
    const set = this.#input.environment[variable];
    if (set !== undefined && set !== '') return { value: set, source: variable, origin: 'variable' };
    const written = key === undefined ? undefined : this.#entries.get(key);
    if (written === undefined) return undefined;
    const source = `${configFileName} ${key ?? ''}`;
    const isList = kind === 'codes' || kind === 'grades';
    if (isList && Array.isArray(written) && written.every((item) => typeof item === 'string')) {
      return { value: written.join(','), source, origin: 'file' };
    }
    if (kind === 'count' && typeof written === 'number') return { value: String(written), source, origin: 'file' };
    if (kind === 'switch' && typeof written === 'boolean') return { value: String(written), source, origin: 'file' };
    const isText = kind !== 'count' && kind !== 'switch' && !isList;
    if (isText && typeof written === 'string' && written.trim() !== '') {
      return { value: written, source, origin: 'file' };
    }
    const expected = {
      grades: 'a list of grades in brackets, such as ["exact", "column-order"]',
      switch: 'true or false, without quotes',
      codes: 'a list of texts in brackets',
      count: 'a whole number',
      duration: 'a time in double quotes, such as "5s" or "2min"',
    };
    this.reject(
      source,
      `must be ${Object.hasOwn(expected, kind) ? expected[kind as keyof typeof expected] : 'a text in double quotes, and not empty'}`,
      `Correct ${key ?? ''} in ${configFileName}.`,
    );
    return undefined;
  }

  #note(name: OptionName, source: string | undefined): void {
    this.sources[(options[name].key as string | undefined) ?? name] = source ?? 'default';
  }

  text(name: OptionName): string | undefined {
    const found = this.find(name);
    this.#note(name, found?.source);
    return found?.value;
  }

  path(name: OptionName, fallback: string | undefined): string | undefined {
    const found = this.find(name);
    this.#note(name, found?.source);
    if (found === undefined) return fallback === undefined ? undefined : path.resolve(this.#projectFolder, fallback);
    return path.resolve(
      found.origin === 'file' ? this.#projectFolder : (this.#input.currentFolder ?? this.#projectFolder),
      found.value,
    );
  }

  duration(name: OptionName, fallback: number): number {
    const found = this.find(name);
    this.#note(name, found?.source);
    if (found === undefined) return fallback;
    const milliseconds = parseDuration(found.value);
    if (milliseconds === undefined)
      this.reject(
        found.source,
        `is not a time: "${found.value}"`,
        'Write a number and a unit, such as 500ms, 5s, 2min or 1h; 0 for no limit.',
      );
    return milliseconds ?? fallback;
  }

  count(name: OptionName, fallback: number): number {
    const found = this.find(name);
    this.#note(name, found?.source);
    if (found === undefined) return fallback;
    if (/^\d{1,4}$/.test(found.value)) return Number(found.value);
    this.reject(found.source, `is not a whole number from 0 to 9999: "${found.value}"`, `The default is ${fallback}.`);
    return fallback;
  }

  codes(name: OptionName): readonly string[] {
    const found = this.find(name);
    this.#note(name, found?.source);
    const codes = splitComma(found?.value ?? '');
    for (const code of codes) {
      if (!/^[a-z]+(-[a-z0-9]+)*$/.test(code))
        this.reject(
          found?.source ?? name,
          `holds "${code}", which is not a finding code`,
          'Codes look like rollback-missing; see docs/findings.md.',
        );
    }
    return codes;
  }

  /** At least one: a policy that lets nothing pass is a slip. */
  grades(name: OptionName, fallback: readonly Grade[]): readonly Grade[] {
    const found = this.find(name);
    this.#note(name, found?.source);
    if (found === undefined) return fallback;
    const words = splitComma(found.value);
    if (words.length === 0)
      this.reject(
        found.source,
        'names no grade',
        `Choose among ${grades.join(', ')}; the default is ${fallback.join(', ')}.`,
      );
    for (const word of words.filter((candidate) => !grades.some((grade) => grade === candidate))) {
      const meant = findNearest(word, grades);
      this.reject(
        found.source,
        `holds "${word}", which is not a grade`,
        meant === undefined ? `Choose among ${grades.join(', ')}.` : `Perhaps ${meant} was meant.`,
      );
    }
    return grades.filter((grade) => words.includes(grade));
  }

  truth(name: OptionName, fallback: boolean): boolean {
    const found = this.find(name);
    this.#note(name, found?.source);
    if (found === undefined) return fallback;
    if (found.value === 'true' || found.value === 'false') return found.value === 'true';
    this.reject(found.source, `is neither true nor false: "${found.value}"`, 'Choose one of these.');
    return fallback;
  }

  oneOf<T extends string | undefined>(name: OptionName, allowed: readonly NonNullable<T>[], fallback: T): T {
    const found = this.find(name);
    this.#note(name, found?.source);
    if (found === undefined) return fallback;
    const match = allowed.find((value) => value === found.value);
    if (match === undefined)
      this.reject(found.source, `is not one of ${allowed.join(', ')}: "${found.value}"`, 'Choose one of these.');
    return match ?? fallback;
  }
}
