import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseEnv } from 'node:util';
import type { Sourced, ToolConfigReading, ToolConfigRequest } from '../../../src/config/readers.js';
import type { Finding } from '../../../src/errors/finding.js';
import { splitLibpqUrl, type LibpqUrl } from '../libpq-url.js';
import { isMysqlUrl } from '../mysql-url.js';
import { readOwnKeys } from '../own-keys.js';
import type { DbmateSettings } from './settings.js';
import { usualTable } from './table.js';

const keys = ['path', 'table', 'databaseEnv', 'envFile'] as const;

/**
 * As dbmate's command line: DATABASE_URL, DBMATE_MIGRATIONS_DIR, DBMATE_MIGRATIONS_TABLE, DBMATE_STRICT from the environment,
 * else from the file .env, which never overrides a variable. What dbmate is told by flags comes from [dbmate] in flyback.toml.
 */
export async function readDbmateConfig(request: ToolConfigRequest): Promise<ToolConfigReading<DbmateSettings>> {
  const findings: Finding[] = [];
  const sources: Record<string, string> = {};
  const own = readOwnKeys('dbmate', keys, request.own, findings);
  const file = own.envFile?.value ?? '.env';
  const variables = { ...(await readEnvFile(path.resolve(request.projectFolder, file))), ...request.environment };
  const variable = (name: string): Sourced | undefined => {
    const value = variables[name];
    if (value === undefined || value === '') return undefined;
    return { value, source: request.environment[name] === undefined ? `${file} ${name}` : name };
  };
  const { url, table, locations, user } = request.overrides;

  const location = locations ?? own.path ?? variable('DBMATE_MIGRATIONS_DIR');
  sources['locations'] = location?.source ?? 'default';
  const folders = (location?.value ?? 'db/migrations')
    .split(',')
    .map((folder) => path.resolve(request.projectFolder, folder.trim()));

  const address = url ?? variable(own.databaseEnv?.value ?? 'DATABASE_URL');
  if (address !== undefined) sources['url'] = address.source;
  const isMysql = address !== undefined && isMysqlUrl(address.value);
  const reading =
    address === undefined
      ? undefined
      : isMysql
        ? readMysqlUrl(address)
        : splitLibpqUrl(address, { postgres: 'require', postgresql: 'require' }, request.environment, findings);
  if (reading?.own.has('socket') === true) {
    findings.push({
      code: 'url-value-invalid',
      severity: 'error',
      subject: address?.source ?? 'url',
      message: `The URL from ${address?.source ?? ''} names a socket by a parameter of dbmate's own.`,
      hint: 'Write it as PostgreSQL does: postgres://user@/database?host=/folder/of/the/socket.',
    });
  }

  const named = table ?? own.table ?? variable('DBMATE_MIGRATIONS_TABLE');
  sources['table'] = named?.source ?? 'default';
  // On MySQL dbmate quotes the whole name, dots and all.
  const parts = isMysql ? [named?.value ?? usualTable] : (named?.value ?? usualTable).split('.');
  const searchPath = reading?.own.get('search_path');
  return {
    settings: {
      tool: 'dbmate',
      folders,
      table: parts.length > 1 ? parts.slice(1).join('.') : (parts[0] ?? usualTable),
      schema: parts.length > 1 ? parts[0] : searchPath?.split(',')[0]?.trim(),
      strict: ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(variable('DBMATE_STRICT')?.value ?? ''),
    },
    locations: folders,
    connection:
      reading === undefined || address === undefined
        ? undefined
        : {
            url: { value: reading.url, source: address.source },
            user,
            password: request.password,
            properties: reading.properties,
            initSql: undefined,
          },
    sources,
    secrets: [],
    findings,
  };
}

/** In the Go driver's form, as dbmate makes it of its own (pkg/driver/mysql), so that parameters mean what they mean there. */
function readMysqlUrl({ value }: Sourced): Pick<LibpqUrl, 'url' | 'properties' | 'own'> {
  const [, credentials = '', host = '', path = '', query = ''] =
    /^\w+:\/\/(?:([^/?]*)@)?([^/?@]*)(\/[^?]*)?(?:\?(.*))?$/s.exec(value.trim()) ?? [];
  if (/[()]/.test(host)) return { url: value, properties: {}, own: new Map() };
  const parameters = query.split('&').filter((parameter) => parameter !== '');
  const socket = new URLSearchParams(query).get('socket') ?? '';
  const address = socket === '' ? `tcp(${host})` : `unix(${socket})`;
  const rest = parameters.filter((parameter) => !parameter.startsWith('socket=')).join('&');
  return {
    url: `mysql://${credentials === '' ? '' : `${credentials}@`}${address}${path}${rest === '' ? '' : `?${rest}`}`,
    properties: {},
    own: new Map(),
  };
}

async function readEnvFile(file: string): Promise<Readonly<Record<string, string | undefined>>> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return parseEnv(text);
}
