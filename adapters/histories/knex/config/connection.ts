import { Secret } from '../../../../src/config/config.js';
import type { Sourced, ToolConfigReading, ToolConfigRequest } from '../../../../src/config/readers.js';
import type { Finding } from '../../../../src/errors/finding.js';
import { isMysqlUrl } from '../../mysql-url.js';
import type { KnexfileContent } from './load-knexfile.js';

/** Names under which Knex knows each database (its aliases resolved); a client class is known by its dialect. */
const postgresqlClients = ['pg', 'postgres', 'postgresql', 'pgnative', 'pg-native'];
const mysqlClients = ['mysql', 'mysql2', 'mariadb'];

type Connection = NonNullable<ToolConfigReading['connection']>;

export interface ConnectionSource {
  readonly content: KnexfileContent | undefined;
  /** As a person would look for it: "knexfile.js production". */
  readonly source: string;
}

/**
 * The connection as Knex and its driver would make it: a URL, or keys, for pg with libpq's variables for those that are missing
 * (connection-parameters.js). flyback's own URL, user and password beat them.
 */
export function readConnection(
  request: ToolConfigRequest,
  { content, source }: ConnectionSource,
  findings: Finding[],
): Connection | undefined {
  const { url, user } = request.overrides;
  const properties: Record<string, Sourced> = {};
  const isMysql = url === undefined ? mysqlClients.includes(content?.client ?? '') : isMysqlUrl(url.value);
  const searchPath = content?.searchPath ?? [];
  if (searchPath.length > 0 && !isMysql) {
    const quoted = searchPath.map((name) => `"${name.replaceAll('"', '""')}"`);
    properties['currentSchema'] = { value: quoted.join(','), source: `${source} searchPath` };
  }
  const own = { user, password: request.password, properties, initSql: undefined };
  if (url !== undefined) return { ...own, url };
  if (content === undefined) return undefined;
  if (content.client !== null && !isMysql && !postgresqlClients.includes(content.client)) {
    findings.push({
      code: 'config-key-refused',
      severity: 'error',
      subject: `${source} client`,
      message: `Cannot honour client from ${source}: flyback rolls back histories of Knex on PostgreSQL, MySQL and MariaDB, and this is ${printable(content.client)}.`,
      hint: 'Name the environment that is meant (--environment), or give flyback a URL of its own (--url or FLYBACK_URL).',
    });
    return undefined;
  }
  const { connection } = content;
  const at = `${source} connection`;
  if (connection === null) return undefined;
  if (typeof connection === 'string') {
    // Knex has its client already, and takes any scheme for it.
    const value = isMysql ? connection.replace(/^mysql2:/i, 'mysql:') : connection;
    return { ...own, url: { value, source: at } };
  }
  readTls(connection['ssl'], at, isMysql, properties, findings);
  const text = (key: string): Sourced | undefined => {
    const value = connection[key];
    if (typeof value !== 'string' && typeof value !== 'number') return undefined;
    return value === '' ? undefined : { value: String(value), source: `${at}.${key}` };
  };
  if (isMysql) return readMysqlKeys(text, own, at);
  const password = text('password');
  const given = {
    ...own,
    user: user ?? text('user') ?? variable(request, 'PGUSER'),
    password: request.password ?? secret(password ?? variable(request, 'PGPASSWORD')),
  };
  const whole = text('connectionString');
  if (whole !== undefined) return { ...given, url: whole };
  const parts = {
    PGHOST: text('host') ?? variable(request, 'PGHOST'),
    PGPORT: text('port') ?? variable(request, 'PGPORT'),
    PGDBNAME: text('database') ?? variable(request, 'PGDATABASE'),
    options: text('options'),
  };
  for (const [name, value] of Object.entries(parts)) if (value !== undefined) properties[name] = value;
  return { ...given, url: { value: 'postgresql:///', source: at } };
}

/** The keys of mysql and mysql2; a socket beats host and port. */
function readMysqlKeys(
  text: (key: string) => Sourced | undefined,
  own: Omit<Connection, 'url'>,
  at: string,
): Connection {
  const given = { ...own, user: own.user ?? text('user'), password: own.password ?? secret(text('password')) };
  const whole = text('uri') ?? text('connectionString');
  if (whole !== undefined) return { ...given, url: whole };
  const [host, port, socket] = [text('host')?.value ?? 'localhost', text('port')?.value, text('socketPath')];
  const address = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const value = `mysql://${address}${port === undefined ? '' : `:${port}`}/${encodeURIComponent(text('database')?.value ?? '')}`;
  const properties = socket === undefined ? own.properties : { ...own.properties, socketPath: socket };
  return { ...given, properties, url: { value, source: at } };
}

function variable({ environment }: ToolConfigRequest, name: string): Sourced | undefined {
  const value = environment[name];
  return value === undefined || value === '' ? undefined : { value, source: name };
}

function secret(text: Sourced | undefined): Sourced<Secret> | undefined {
  return text === undefined ? undefined : { value: new Secret(text.value), source: text.source };
}

/** As the loader tells it. */
interface TlsOfDriver {
  readonly verifies: boolean;
  /** mysql2's verifyIdentity. */
  readonly verifiesHost: boolean;
  /** Options that hold something themselves. */
  readonly given: readonly string[];
}

/** The drivers hand ssl to Node's TLS: true and {} verify the server's certificate, those of MySQL without the host's name. */
function readTls(
  ssl: unknown,
  at: string,
  isMysql: boolean,
  properties: Record<string, Sourced>,
  findings: Finding[],
): void {
  if (ssl === undefined || ssl === null || ssl === false) return;
  if (typeof ssl === 'string') {
    findings.push({
      code: 'config-key-refused',
      severity: 'error',
      subject: `${at}.ssl`,
      message: `Cannot honour ssl from ${at}: it names a profile of the driver.`,
      hint: 'Give flyback a URL of its own (--url or FLYBACK_URL) with ssl-mode=VERIFY_IDENTITY&ssl-ca=FILE.',
    });
    return;
  }
  const { verifies, verifiesHost, given } =
    typeof ssl === 'object' ? (ssl as TlsOfDriver) : { verifies: true, verifiesHost: false, given: [] };
  if (given.length > 0) {
    findings.push({
      code: 'config-key-refused',
      severity: 'error',
      subject: `${at}.ssl`,
      message: `Cannot honour ${given.join(', ')} from ${at}.ssl: it holds certificates themselves, and flyback reads them from files.`,
      hint: isMysql
        ? 'Give flyback a URL of its own (--url or FLYBACK_URL) with ssl-mode=VERIFY_CA&ssl-ca=FILE, and ssl-cert and ssl-key where needed.'
        : 'Give flyback a URL of its own (--url or FLYBACK_URL) with sslmode=verify-full&sslrootcert=FILE, and sslcert and sslkey where needed.',
    });
    return;
  }
  const checked = isMysql && !verifiesHost ? 'verify-ca' : 'verify-full';
  properties['sslmode'] = { value: verifies ? checked : 'require', source: `${at}.ssl` };
}

function printable(name: string): string {
  return /^[\w.-]{1,40}$/.test(name) ? name : 'another one';
}
