import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Finding } from '../../../../src/errors/finding.js';
import type { ToolConfigRequest } from '../../../../src/config/readers.js';

export interface ConfigFile {
  /** Absolute path. */
  readonly file: string;
  /** Path as messages name it: relative to the project when inside it. */
  readonly label: string;
}

/** The files that count, weakest first, and in which of Flyway's two modes they are read. */
export interface ConfigFiles {
  readonly mode: 'toml' | 'conf';
  readonly files: readonly ConfigFile[];
  readonly findings: readonly Finding[];
}

/**
 * Finds Flyway's configuration files (ConfigurationManagerImpl, ConfigUtils.getDefaultTomlConfigFileLocations): home
 * folder, process folder, working directory, FLYWAY_CONFIG_FILES, then those named on the command line. The
 * installation's own conf folder is not known to flyback. Any TOML file makes all .conf files count for nothing; naming
 * both kinds by hand is an error.
 */
export async function findConfigFiles(request: ToolConfigRequest): Promise<ConfigFiles> {
  const findings: Finding[] = [];
  const base = path.resolve(request.projectFolder, request.workingDirectory ?? '.');
  const fromFlag = request.configFiles.map((file) => ({ file: path.resolve(base, file), source: '--config-files' }));
  const fromVariable = (request.environment['FLYWAY_CONFIG_FILES'] ?? '')
    .split(',')
    .map((file) => file.trim())
    .filter((file) => file !== '')
    .map((file) => ({ file: path.resolve(base, file), source: 'FLYWAY_CONFIG_FILES' }));
  const named = [...fromVariable, ...fromFlag];
  const present = new Set<string>();
  for (const { file } of named) if (await isFile(file)) present.add(file);

  const defaults: string[] = [];
  for (const folder of new Set([request.homeFolder, request.projectFolder, base])) {
    for (const name of ['flyway.toml', 'flyway.user.toml', 'flyway.conf']) {
      const file = path.join(folder, name);
      if (await isFile(file)) defaults.push(file);
    }
  }

  let mode: 'toml' | 'conf' | undefined;
  // What the command line names decides before the variable, the variable before the default places.
  for (const group of [fromFlag, fromVariable]) {
    const existing = group.filter(({ file }) => present.has(file));
    const toml = existing.filter(({ file }) => isToml(file));
    const other = existing.filter(({ file }) => !isToml(file));
    if (toml.length > 0 && other.length > 0) {
      findings.push({
        code: 'config-mixed',
        severity: 'error',
        subject: group[0]?.source ?? '',
        message: `${group[0]?.source ?? ''} names both TOML and .conf files; Flyway refuses that.`,
        hint: `Remove ${other.map(({ file }) => path.basename(file)).join(', ')}, or the TOML files.`,
      });
    }
    mode ??= toml.length > 0 ? 'toml' : other.length > 0 ? 'conf' : undefined;
  }
  mode ??= defaults.some(isToml) || defaults.length === 0 ? 'toml' : 'conf';

  for (const { file, source } of named) {
    if (present.has(file)) continue;
    findings.push({
      code: 'config-file-missing',
      // Flyway goes on without a missing TOML file, and stops for a missing .conf.
      severity: isToml(file) ? 'warning' : 'error',
      subject: source,
      message: `${source} names ${file}, which is not a file.`,
      hint: 'Correct the path; relative ones start at the project folder (or the working directory).',
    });
  }
  const shadowed = mode === 'toml' ? defaults.filter((file) => !isToml(file)) : [];
  for (const file of shadowed) {
    findings.push({
      code: 'config-file-shadowed',
      severity: 'info',
      subject: file,
      message: `Flyway ignores ${labelOf(file, request)}, because there is TOML configuration.`,
    });
  }
  const files = [...defaults, ...named.filter(({ file }) => present.has(file)).map(({ file }) => file)]
    .filter((file) => isToml(file) === (mode === 'toml'))
    .map((file) => ({ file, label: labelOf(file, request) }));
  return { mode, files, findings };
}

function isToml(file: string): boolean {
  return file.endsWith('.toml');
}

function labelOf(file: string, request: ToolConfigRequest): string {
  const relative = path.relative(request.projectFolder, file);
  return relative.startsWith('..') ? file : relative;
}

async function isFile(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

/** The text of a configuration file without a byte order mark, or the problem with it. */
export async function readConfigText({ file, label }: ConfigFile, encoding: string): Promise<string | Finding> {
  const unreadable = (message: string, hint: string): Finding => ({
    code: 'config-file-unreadable',
    severity: 'error',
    subject: label,
    message,
    hint,
  });
  let decoder: InstanceType<typeof TextDecoder>;
  try {
    decoder = new TextDecoder(encoding, { fatal: true });
  } catch {
    return unreadable(
      `Cannot read ${label}: the encoding "${encoding}" is not known.`,
      'Set FLYWAY_CONFIG_FILE_ENCODING to UTF-8 or another common encoding.',
    );
  }
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    return unreadable(
      `Cannot read ${label}: ${(error as NodeJS.ErrnoException).code ?? 'unreadable'}.`,
      'Make the file readable for this user.',
    );
  }
  try {
    return decoder.decode(bytes);
  } catch {
    return unreadable(`Cannot read ${label}: it is not valid ${encoding}.`, 'Save the file as UTF-8.');
  }
}
