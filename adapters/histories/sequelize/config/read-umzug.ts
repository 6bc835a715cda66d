import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Sourced, ToolConfigReading, ToolConfigRequest } from '../../../../src/config/readers.js';
import type { Finding } from '../../../../src/errors/finding.js';
import { readGlob } from '../glob.js';
import { umzugContexts, type SequelizeSettings, type UmzugContext } from '../settings.js';
import { defaultColumn, defaultTable } from '../table.js';
import { connectionByUrl, connectionOf, placeOf, type ReadConnectionResult } from './connection.js';
import { chooseEnvironment } from './environments.js';
import { readOwnTable } from './own-table.js';
import { sequelizeOptions } from './sequelize-options.js';
import { readConfigFile, readConsent } from './project-files.js';
import { listOf, nodeEnvironment } from './read-sequelize.js';
import { urlOfVariable } from '../../own-keys.js';

/**
 * Umzug 3 is configured in code alone, so flyback.toml says what flyback needs to know: the patterns of the migrations, table,
 * schema and column of SequelizeStorage, and, where the project has one, the configuration file of Sequelize for the
 * connection. Never throws for bad input.
 */
export async function readUmzugConfig(request: ToolConfigRequest): Promise<ToolConfigReading<SequelizeSettings>> {
  const findings: Finding[] = [];
  const { overrides } = request;
  const own = readOwnTable(
    'umzug',
    request.own,
    {
      load: 'switch',
      down: 'switch',
      context: 'text',
      config: 'text',
      migrations: 'texts',
      databaseEnv: 'text',
      table: 'text',
      schema: 'text',
      column: 'text',
    },
    findings,
  );
  const consent = readConsent(request, own.truth('load'), findings);
  let options: SequelizeSettings['sequelizeOptions'] = {};
  let reading: ReadConnectionResult = { connection: undefined, secrets: [] };
  const named = own.text('config');
  const url = overrides.url ?? urlOfVariable(own.text('databaseEnv'), request.environment, findings);
  if (url !== undefined) {
    reading = { connection: connectionByUrl(request, url), secrets: [] };
  } else if (named !== undefined) {
    const file = await readConfigFile('umzug', request, named, consent, findings);
    const environment = overrides.environment ?? nodeEnvironment(request);
    const chosen = file === undefined ? undefined : chooseEnvironment(file.fields, file.label, environment, findings);
    if (chosen !== undefined) {
      reading = connectionOf(chosen, request, findings);
      options = sequelizeOptions(chosen.fields);
    }
  }
  const table = overrides.table ?? own.text('table');
  const schema = overrides.defaultSchema ?? own.text('schema');
  const column = own.text('column');
  const patterns = listOf(overrides.locations) ?? own.texts('migrations');
  checkPatterns(patterns, findings);
  if (table === undefined && existsSync(path.join(request.projectFolder, 'umzug.json'))) {
    findings.push({
      code: 'config-storage-unsupported',
      severity: 'error',
      subject: 'umzug.json',
      message:
        'The history seems to be in umzug.json, where Umzug keeps it unless it is given SequelizeStorage: a file cannot be rolled back together with the database.',
      hint: `Give Umzug storage: new SequelizeStorage({ sequelize }). If it has one and umzug.json is a leftover, remove that file, or say table = "${defaultTable}" under [umzug] in flyback.toml.`,
    });
  }
  const settings: SequelizeSettings = {
    tool: 'umzug',
    ...placeOf(table?.value ?? defaultTable, schema?.value, reading.connection),
    column: column?.value ?? defaultColumn,
    projectFolder: request.projectFolder,
    migrations: patterns?.value ?? [],
    runsFunctions: own.truth('down')?.value === true,
    sequelizeOptions: options,
    context: readContext(own.text('context'), findings),
  };
  return {
    settings,
    locations: settings.migrations,
    connection: reading.connection,
    sources: {
      table: table?.source ?? 'default',
      schema: schema?.source ?? 'default',
      column: column?.source ?? 'default',
      migrations: patterns?.source ?? 'default',
      ...(reading.connection === undefined ? {} : { url: reading.connection.url.source }),
    },
    secrets: reading.secrets,
    findings,
  };
}

function readContext(written: Sourced | undefined, findings: Finding[]): UmzugContext {
  const context = umzugContexts.find((name) => name === (written?.value ?? umzugContexts[0]));
  if (context !== undefined) return context;
  findings.push({
    code: 'config-value-invalid',
    severity: 'error',
    subject: written?.source ?? '',
    message: `${written?.source ?? ''} is neither ${umzugContexts.join(' nor ')}.`,
    hint: 'Write what the project gives Umzug as context; flyback can make these two.',
  });
  return umzugContexts[0];
}

function checkPatterns(
  patterns: { readonly value: readonly string[]; readonly source: string } | undefined,
  findings: Finding[],
): void {
  if (patterns === undefined) {
    findings.push({
      code: 'config-value-invalid',
      severity: 'error',
      subject: 'flyback.toml umzug.migrations',
      message: "It is not known where the migrations are: Umzug's glob stands in the project's code.",
      hint: 'Repeat it in flyback.toml: [umzug] and migrations = "migrations/*.js"; or --locations.',
    });
    return;
  }
  for (const pattern of patterns.value) {
    if (readGlob(pattern, '/') !== undefined) continue;
    findings.push({
      code: 'config-value-invalid',
      severity: 'error',
      subject: patterns.source,
      message: `${patterns.source} holds the pattern ${pattern}, which flyback does not understand.`,
      hint: 'Use *, **, ?, […] and {a,b}; several patterns as a list.',
    });
  }
}
