import path from 'node:path';
import type { Sourced, ToolConfigReading, ToolConfigRequest } from '../../../../src/config/readers.js';
import type { Finding } from '../../../../src/errors/finding.js';
import { readOwnKeys, urlOfVariable } from '../../own-keys.js';
import type { GolangMigrateSettings } from '../settings.js';
import { usualTable } from '../table.js';
import { readDatabaseUrl } from './database-url.js';

/** Keys under [golang-migrate] in flyback.toml, for what migrate itself is told by flags. */
const keys = ['path', 'databaseEnv', 'table'] as const;

/**
 * golang-migrate has no configuration file and reads no variables: what its command line gets comes from flyback's own flags and
 * variables, or from [golang-migrate] in flyback.toml. Bad input becomes findings, never an exception.
 */
export async function readGolangMigrateConfig(
  request: ToolConfigRequest,
): Promise<ToolConfigReading<GolangMigrateSettings>> {
  const findings: Finding[] = [];
  const sources: Record<string, string> = {};
  const own = readOwnKeys('golang-migrate', keys, request.own, findings);
  const { url, table, locations, user } = request.overrides;

  const location = locations ?? own.path;
  const folder = location === undefined ? request.projectFolder : folderOf(location, request.projectFolder, findings);
  sources['locations'] = location?.source ?? 'default';
  if (location === undefined) {
    findings.push({
      code: 'config-value-invalid',
      severity: 'error',
      subject: 'flyback.toml golang-migrate.path',
      message: 'The folder of the migrations is not known: golang-migrate keeps no configuration.',
      hint: 'Write what migrate -path gets: [golang-migrate] and path = "db/migrations" in flyback.toml, or use --locations.',
    });
  }

  const address = url ?? urlOfVariable(own.databaseEnv, request.environment, findings);
  const reading = address === undefined ? undefined : readDatabaseUrl(address, request.environment, findings);
  if (address !== undefined) sources['url'] = address.source;
  const named = table ?? own.table;
  sources['table'] =
    named?.source ?? (reading?.table === undefined ? 'default' : `${address?.source ?? ''}, x-migrations-table`);
  const password = request.password ?? undefined;
  return Promise.resolve({
    settings: {
      tool: 'golang-migrate',
      folder: folder ?? request.projectFolder,
      table: named?.value ?? reading?.table ?? usualTable,
      schema: named === undefined ? reading?.schema : undefined,
    },
    locations: folder === undefined ? [] : [folder],
    connection:
      reading === undefined || address === undefined
        ? undefined
        : {
            url: { value: reading.url, source: address.source },
            user,
            password,
            properties: reading.properties,
            initSql: undefined,
          },
    sources,
    secrets: [],
    findings,
  });
}

/** A folder as `-path` takes it, or a `file:` URL as `-source` does; its host and path together are the folder. */
function folderOf({ value, source }: Sourced, projectFolder: string, findings: Finding[]): string | undefined {
  const url = /^([A-Za-z][A-Za-z0-9+.-]*):(?:\/\/)?(.*)$/s.exec(value);
  const [, scheme, rest = ''] = url ?? [];
  if (scheme === undefined || /^[A-Za-z]:[\\/]/.test(value)) return path.resolve(projectFolder, value);
  if (scheme === 'file' || scheme === 'filesystem') return path.resolve(projectFolder, decodePath(rest));
  findings.push({
    code: 'config-value-invalid',
    severity: 'error',
    subject: source,
    message: `${source} names migrations by ${scheme}://, which flyback cannot read.`,
    hint: 'Give the folder with the same files.',
  });
  return undefined;
}

function decodePath(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
