import type { Sourced, ToolConfigReading, ToolConfigRequest } from '../../../../src/config/readers.js';
import type { Finding } from '../../../../src/errors/finding.js';
import type { SequelizeSettings } from '../settings.js';
import { defaultColumn, defaultTable } from '../table.js';
import { connectionByUrl, connectionOf, placeOf, textOf, type ReadConnectionResult } from './connection.js';
import { chooseEnvironment, type ChosenEnvironment } from './environments.js';
import { readOwnTable } from './own-table.js';
import { sequelizeOptions } from './sequelize-options.js';
import { isFields, readConfigFile, readConsent, readRcFile, type Fields } from './project-files.js';

/** Folder of the migrations where nothing names one (helpers/path-helper). */
const defaultFolder = 'migrations';

/**
 * Reads the configuration of sequelize-cli 6: .sequelizerc, the configuration file, its environment. Code among them is run in
 * a process of its own, and only with consent. Never throws for bad input.
 */
export async function readSequelizeConfig(request: ToolConfigRequest): Promise<ToolConfigReading<SequelizeSettings>> {
  const findings: Finding[] = [];
  const { overrides } = request;
  const own = readOwnTable(
    'sequelize',
    request.own,
    { load: 'switch', down: 'switch', config: 'text', migrations: 'texts', table: 'text', schema: 'text' },
    findings,
  );
  const consent = readConsent(request, own.truth('load'), findings);
  const rc = (await readRcFile(request, consent, findings)) ?? {};
  const rcText = (key: string): Sourced | undefined => {
    // yargs knows a key in both spellings.
    const camel = key.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    const value = textOf(rc[key] ?? rc[camel]);
    return value === undefined || value === '' ? undefined : { value, source: `.sequelizerc ${key}` };
  };
  const isRcUnread = findings.some(({ subject }) => subject === '.sequelizerc');
  const url = overrides.url ?? rcText('url');
  const named = own.text('config') ?? rcText('config');
  const environment = overrides.environment ?? rcText('env') ?? nodeEnvironment(request);

  // With --url, sequelize-cli reads no configuration file; neither does flyback need one that it would have to run.
  const isOptional = url !== undefined;
  const fileFindings: Finding[] = [];
  const file = isRcUnread
    ? undefined
    : await readConfigFile('sequelize', request, named, consent, isOptional ? [] : fileFindings);
  const chosen =
    file === undefined
      ? undefined
      : chooseEnvironment(file.fields, file.label, environment, isOptional ? [] : fileFindings);
  findings.push(...fileFindings);
  if (chosen !== undefined) checkStorage(chosen, findings);

  const reading: ReadConnectionResult =
    url !== undefined
      ? { connection: connectionByUrl(request, url), secrets: [] }
      : chosen === undefined
        ? { connection: undefined, secrets: [] }
        : connectionOf(chosen, request, findings);
  const configured = (...keys: readonly string[]): Sourced | undefined => {
    const place = keys.find((key) => (textOf(chosen?.fields[key]) ?? '') !== '');
    return chosen === undefined || place === undefined
      ? undefined
      : { value: textOf(chosen.fields[place]) ?? '', source: `${chosen.label} ${place}` };
  };
  const table = overrides.table ?? own.text('table') ?? configured('migrationStorageTableName');
  const schema =
    overrides.defaultSchema ??
    own.text('schema') ??
    configured('migrationStorageTableSchema') ??
    definedSchema(chosen) ??
    configured('schema');
  const folders =
    listOf(overrides.locations) ?? own.texts('migrations') ?? single(rcText('migrations-path')) ?? undefined;
  const settings: SequelizeSettings = {
    tool: 'sequelize',
    ...placeOf(table?.value ?? defaultTable, schema?.value, reading.connection),
    column: defaultColumn,
    projectFolder: request.projectFolder,
    migrations: folders?.value ?? [defaultFolder],
    runsFunctions: own.truth('down')?.value === true,
    sequelizeOptions: sequelizeOptions(chosen?.fields ?? {}),
    context: 'queryInterface',
  };
  return {
    settings,
    locations: settings.migrations,
    connection: reading.connection,
    sources: {
      environment: overrides.url === undefined ? (chosen?.source ?? 'default') : 'none',
      table: table?.source ?? 'default',
      schema: schema?.source ?? 'default',
      migrations: folders?.source ?? 'default',
      ...(reading.connection === undefined ? {} : { url: reading.connection.url.source }),
    },
    secrets: reading.secrets,
    findings,
  };
}

/** sequelize-cli's own way of naming the environment. */
export function nodeEnvironment({ environment }: ToolConfigRequest): Sourced | undefined {
  const value = environment['NODE_ENV'];
  return value === undefined || value === '' ? undefined : { value, source: 'NODE_ENV' };
}

/** Comma separated, as every list in flags and variables. */
export function listOf(text: Sourced | undefined): Sourced<readonly string[]> | undefined {
  if (text === undefined) return undefined;
  const value = text.value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  return { value, source: text.source };
}

function single(text: Sourced | undefined): Sourced<readonly string[]> | undefined {
  return text === undefined ? undefined : { value: [text.value], source: text.source };
}

/** Sequelize takes options of every model from `define`, before its own `schema`. */
function definedSchema(chosen: ChosenEnvironment | undefined): Sourced | undefined {
  const define: Fields = isFields(chosen?.fields['define']) ? chosen.fields['define'] : {};
  const value = textOf(define['schema']);
  return chosen === undefined || value === undefined || value === ''
    ? undefined
    : { value, source: `${chosen.label} define.schema` };
}

function checkStorage({ fields, label }: ChosenEnvironment, findings: Finding[]): void {
  const storage = fields['migrationStorage'];
  if (storage === undefined || storage === null || storage === '' || storage === 'sequelize') return;
  const words =
    storage === 'json'
      ? 'is json: the history is a file then, which cannot be rolled back together with the database'
      : storage === 'none'
        ? 'is none: nobody knows then what is applied'
        : 'names a storage of the project’s own, which flyback cannot read';
  findings.push({
    code: 'config-storage-unsupported',
    severity: 'error',
    subject: `${label} migrationStorage`,
    message: `${label} migrationStorage ${words}.`,
    hint: 'flyback needs the history in the database that it is about: migrationStorage = "sequelize".',
  });
}
