import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { loadProjectCode, type ProjectCode } from '../../../../src/config/load-project-code.js';
import type { Sourced, ToolConfigRequest } from '../../../../src/config/readers.js';
import type { Finding } from '../../../../src/errors/finding.js';
import type { ToolName } from '../settings.js';

export type Fields = Readonly<Record<string, unknown>>;

/** Whether code of the project may be run: undefined, nobody said. */
export type Consent = boolean | undefined;

/** The flag or variable, then flyback.toml. */
export function readConsent(
  request: ToolConfigRequest,
  own: Sourced<boolean> | undefined,
  findings: Finding[],
): Consent {
  const said = request.overrides.loadCode;
  if (said === undefined) return own?.value;
  if (said.value === 'true' || said.value === 'false') return said.value === 'true';
  findings.push({
    code: 'config-value-invalid',
    severity: 'error',
    subject: said.source,
    message: `${said.source} is neither true nor false.`,
    hint: 'Choose one of these.',
  });
  return false;
}

/** How the tool loads a file of its configuration. */
type Loading = Pick<ProjectCode, 'loadedBy' | 'functions'>;

/** .sequelizerc is a module without an extension that is required. */
const rcLoading: Loading = { loadedBy: 'require', functions: 'refuse' };
/** core/yargs and helpers/config-helper: imported; an object, a promise, a function or one that takes a callback. */
const configLoading: Loading = { loadedBy: 'import', functions: 'call-or-callback' };

const rcName = '.sequelizerc';

/**
 * What .sequelizerc says; undefined where there is none, or where flyback was told not to run it. Without a word on that, an
 * error: what it says may lead to another database.
 */
export async function readRcFile(
  request: ToolConfigRequest,
  consent: Consent,
  findings: Finding[],
): Promise<Fields | undefined> {
  const file = path.join(request.projectFolder, rcName);
  if (!existsSync(file) || consent === false) return undefined;
  if (consent === undefined) {
    findings.push(consentMissing('sequelize', rcName));
    return undefined;
  }
  return runCode(request, file, rcName, rcLoading, findings);
}

/**
 * The configuration file: the one that is named, else config/config.js, else config/config.json (sequelize-cli's order).
 * Undefined when there is none or it cannot be used; then it is a finding, unless nobody asked for one. JSON is read, everything
 * else is run, with consent.
 */
export async function readConfigFile(
  tool: ToolName,
  request: ToolConfigRequest,
  named: Sourced | undefined,
  consent: Consent,
  findings: Finding[],
): Promise<{ readonly fields: Fields; readonly label: string } | undefined> {
  const usual = tool === 'sequelize' ? ['config/config.js', 'config/config.json'] : [];
  const chosen = named?.value ?? usual.find((name) => existsSync(path.join(request.projectFolder, name)));
  if (chosen === undefined) return undefined;
  const file = path.resolve(request.projectFolder, chosen);
  const label = path.isAbsolute(chosen) ? path.relative(request.projectFolder, file) || chosen : chosen;
  if (!existsSync(file)) {
    findings.push({
      code: 'config-file-missing',
      severity: 'error',
      subject: named?.source ?? label,
      message: `${named?.source ?? 'The configuration'} names ${label}, which does not exist.`,
      hint: 'Correct the path; relative ones start at the project folder.',
    });
    return undefined;
  }
  if (!file.endsWith('.json')) {
    if (consent !== true) {
      findings.push(consentMissing(tool, label));
      return undefined;
    }
    const fields = await runCode(request, file, label, configLoading, findings);
    return fields === undefined ? undefined : { fields, label };
  }
  const fields = readJson(file, label, findings);
  return fields === undefined ? undefined : { fields, label };
}

function consentMissing(tool: ToolName, label: string): Finding {
  const instead =
    label === rcName
      ? `Or say here what it says: load = false, migrations and config = "config/config.json" under [${tool}].`
      : 'Or give --url (FLYBACK_URL).';
  return {
    code: 'config-code-not-run',
    severity: 'error',
    subject: label,
    message: `${label} is code that ${tool === 'umzug' ? 'the project' : 'sequelize-cli'} runs to learn its configuration; flyback runs no code of a project unasked.`,
    hint: `Allow it with load = true under [${tool}] in flyback.toml, with --load-code true, or with FLYBACK_LOAD_CODE=true. ${instead}`,
  };
}

async function runCode(
  request: ToolConfigRequest,
  file: string,
  label: string,
  loading: Loading,
  findings: Finding[],
): Promise<Fields | undefined> {
  const loaded = await loadProjectCode({
    file,
    folder: request.projectFolder,
    environment: request.environment,
    ...loading,
  });
  if ('problem' in loaded) {
    findings.push({
      code: 'config-code-failed',
      severity: 'error',
      subject: label,
      message: `${label} ${loaded.problem}.`,
      hint: loaded.hint,
    });
    return undefined;
  }
  if (isFields(loaded.value)) return loaded.value;
  findings.push(notAnObject(label));
  return undefined;
}

function readJson(file: string, label: string, findings: Finding[]): Fields | undefined {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    findings.push({
      code: 'config-file-unreadable',
      severity: 'error',
      subject: label,
      message: `Cannot read ${label}: ${(error as NodeJS.ErrnoException).code ?? 'unreadable'}.`,
      hint: 'Make it a file in UTF-8 that this user may read.',
    });
    return undefined;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which may be a password.
    findings.push({
      code: 'config-file-invalid',
      severity: 'error',
      subject: label,
      message: `Cannot read ${label}: it is not JSON.`,
      hint: 'Correct it; the file of a JavaScript configuration ends in .js.',
    });
    return undefined;
  }
  if (isFields(value)) return value;
  findings.push(notAnObject(label));
  return undefined;
}

function notAnObject(label: string): Finding {
  return {
    code: 'config-file-invalid',
    severity: 'error',
    subject: label,
    message: `${label} gives no object, so it is no configuration.`,
    hint: 'See what it exports.',
  };
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
