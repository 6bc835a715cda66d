import { Secret } from '../../../../src/config/config.js';
import type { Sourced, ToolConfigReading, ToolConfigRequest } from '../../../../src/config/readers.js';
import type { Finding } from '../../../../src/errors/finding.js';
import type { ChosenEnvironment } from './environments.js';
import { isMysqlUrl } from '../../mysql-url.js';
import { isFields, type Fields } from './project-files.js';

type Connection = NonNullable<ToolConfigReading['connection']>;

const schemes: Readonly<Record<string, string>> = {
  postgres: 'postgres',
  postgresql: 'postgres',
  mysql: 'mysql',
  mariadb: 'mariadb',
};

export interface ReadConnectionResult {
  readonly connection: Connection | undefined;
  readonly secrets: readonly Secret[];
}

/** The URL that flyback itself was given replaces the whole connection, as sequelize-cli's own --url does. */
export function connectionByUrl(request: ToolConfigRequest, url: Sourced): Connection {
  return { url, user: request.overrides.user, password: request.password, properties: {}, initSql: undefined };
}

/**
 * The connection of an environment of Sequelize: its url, else the variable that use_env_variable names, else host, port,
 * database, username and password; replication.write over all of them. Undefined when it names none, or cannot be used.
 */
export function connectionOf(
  chosen: ChosenEnvironment,
  request: ToolConfigRequest,
  findings: Finding[],
): ReadConnectionResult {
  const { label } = chosen;
  const replication = isFields(chosen.fields['replication']) ? chosen.fields['replication'] : {};
  const write = isFields(replication['write']) ? replication['write'] : {};
  const fields: Fields = { ...chosen.fields, ...write };
  const plain = textOf(fields['password']);
  const password = plain === undefined || plain === '' ? undefined : new Secret(plain);
  const secrets = password === undefined ? [] : [password];
  const url = urlOf(fields, label, request, findings);
  if (url === undefined) return { connection: undefined, secrets };
  const user = textOf(fields['username'] ?? fields['user']);
  return {
    connection: {
      url,
      user:
        request.overrides.user ??
        (user === undefined || user === '' ? undefined : { value: user, source: `${label} username` }),
      password:
        request.password ?? (password === undefined ? undefined : { value: password, source: `${label} password` }),
      properties: propertiesOf(fields, label, url.value, findings),
      initSql: undefined,
    },
    secrets,
  };
}

function urlOf(fields: Fields, label: string, request: ToolConfigRequest, findings: Finding[]): Sourced | undefined {
  const url = textOf(fields['url']);
  if (url !== undefined && url !== '') return { value: url, source: `${label} url` };
  const variable = textOf(fields['use_env_variable']);
  if (variable !== undefined && variable !== '') {
    const value = request.environment[variable];
    if (value !== undefined && value !== '') return { value, source: `${variable} (${label} use_env_variable)` };
    findings.push({
      code: 'config-unresolved',
      severity: 'error',
      subject: `${label} use_env_variable`,
      message: `${label} use_env_variable names the variable ${/^\w+$/.test(variable) ? variable : '(unreadable name)'}, which is not set.`,
      hint: 'Set it to the URL of the database, or give --url.',
    });
    return undefined;
  }
  const dialect = textOf(fields['dialect']);
  const database = textOf(fields['database']);
  const host = textOf(fields['host']);
  if (dialect === undefined && database === undefined && host === undefined) return undefined;
  const scheme = dialect === undefined ? undefined : schemes[dialect];
  if (scheme === undefined) {
    findings.push({
      code: 'config-value-invalid',
      severity: 'error',
      subject: `${label} dialect`,
      message: `${label} dialect ${dialect === undefined ? 'is missing' : `is ${/^[\w-]{1,30}$/.test(dialect) ? dialect : 'not one that flyback knows'}`}.`,
      hint: 'flyback works on what Sequelize calls postgres, mysql and mariadb.',
    });
    return undefined;
  }
  const port = textOf(fields['port']);
  const address = `${encodeHost(host ?? 'localhost')}${port === undefined || port === '' ? '' : `:${port}`}`;
  return { value: `${scheme}://${address}/${encodeURIComponent(database ?? '')}`, source: label };
}

/** A folder of a socket, and IPv6, in the forms that URLs have for them. */
function encodeHost(host: string): string {
  if (host.includes('/')) return encodeURIComponent(host);
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

function propertiesOf(fields: Fields, label: string, url: string, findings: Finding[]): Connection['properties'] {
  const properties: Record<string, Sourced> = {};
  const options = isFields(fields['dialectOptions']) ? fields['dialectOptions'] : {};
  const source = `${label} dialectOptions`;
  const mode = tlsMode(options['ssl'], `${source}.ssl`, url, findings);
  if (mode !== undefined) properties['sslmode'] = { value: mode, source: `${source}.ssl` };
  const socket = textOf(options['socketPath']);
  if (socket !== undefined && socket !== '') {
    properties['socketPath'] = { value: socket, source: `${source}.socketPath` };
  }
  if (isMysqlUrl(url)) return properties;
  const startUp = textOf(options['options']);
  if (startUp !== undefined && startUp !== '') properties['options'] = { value: startUp, source: `${source}.options` };
  // Without prependSearchPath Sequelize leaves searchPath alone.
  const searchPath = textOf(fields['searchPath']);
  if (options['prependSearchPath'] === true && searchPath !== undefined && searchPath !== '') {
    properties['currentSchema'] = { value: searchPath, source: `${label} searchPath` };
  }
  return properties;
}

/**
 * What the drivers make of their option ssl: without rejectUnauthorized = false, node-postgres and mariadb check certificate and
 * host name; mysql2 checks the host name only with verifyIdentity.
 */
function tlsMode(ssl: unknown, source: string, url: string, findings: Finding[]): string | undefined {
  if (ssl === undefined || ssl === null || ssl === false) return undefined;
  if (ssl === true) return 'verify-full';
  if (!isFields(ssl)) {
    findings.push({
      code: 'config-value-invalid',
      severity: 'error',
      subject: source,
      message: `${source} is neither true, false nor an object.`,
      hint: 'Give --url with sslmode instead.',
    });
    return undefined;
  }
  const verifies = ssl['rejectUnauthorized'] !== false;
  // Certificates are there as their content, or decided by code.
  const held = [...(verifies ? ['ca', 'checkServerIdentity', 'servername'] : []), 'cert', 'key', 'pfx'].filter(
    (key) => ssl[key] !== undefined && ssl[key] !== null,
  );
  if (held.length > 0) {
    findings.push({
      code: 'config-key-refused',
      severity: 'error',
      subject: source,
      message: `Cannot honour ${held.map((key) => `${source}.${key}`).join(', ')}: flyback reads certificates and keys from files only.`,
      hint: isMysqlUrl(url)
        ? 'Name the files in a URL: --url "mysql://…?ssl-mode=VERIFY_IDENTITY&ssl-ca=ca.pem" (or FLYBACK_URL).'
        : 'Name the files in a URL: --url "postgres://…?sslmode=verify-full&sslrootcert=ca.pem" (or FLYBACK_URL).',
    });
    return undefined;
  }
  if (!verifies) return 'require';
  return /^mysql/i.test(url) && ssl['verifyIdentity'] !== true ? 'verify-ca' : 'verify-full';
}

/** On MySQL, Sequelize has no schemas: what would be one goes in front of the table's own name, with a dot in it. */
export function placeOf(
  table: string,
  schema: string | undefined,
  connection: Connection | undefined,
): { readonly table: string; readonly schema: string | undefined } {
  const isPrefix = schema !== undefined && connection !== undefined && isMysqlUrl(connection.url.value);
  return isPrefix ? { table: `${schema}.${table}`, schema: undefined } : { table, schema };
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
}
