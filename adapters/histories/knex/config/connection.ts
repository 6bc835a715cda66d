import { Secret } from '../../../../src/config/config.js';
import type { Sourced, ToolConfigReading, ToolConfigRequest } from '../../../../src/config/readers.js';
import type { Finding } from '../../../../src/errors/finding.js';
import type { KnexfileContent } from './load-knexfile.js';

/** Names under which Knex knows PostgreSQL (its aliases resolved); a client class is known by its dialect. */
const postgresqlClients = ['pg', 'postgres', 'postgresql', 'pgnative', 'pg-native'];

export interface ConnectionSource {
  readonly content: KnexfileContent | undefined;
  /** As a person would look for it: "knexfile.js production". */
  readonly source: string;
}

/**
 * The connection as Knex and its driver pg would make it: a URL, or keys with libpq's variables for those that are missing
 * (pg, connection-parameters.js). flyback's own URL, user and password beat them.
 */
export function readConnection(
  request: ToolConfigRequest,
  { content, source }: ConnectionSource,
  findings: Finding[],
): ToolConfigReading['connection'] {
  const { url, user } = request.overrides;
  const properties: Record<string, Sourced> = {};
  const searchPath = content?.searchPath ?? [];
  if (searchPath.length > 0) {
    const quoted = searchPath.map((name) => `"${name.replaceAll('"', '""')}"`);
    properties['currentSchema'] = { value: quoted.join(','), source: `${source} searchPath` };
  }
  const own = { user, password: request.password, properties, initSql: undefined };
  if (url !== undefined) return { ...own, url };
  if (content === undefined) return undefined;
  if (content.client !== null && !postgresqlClients.includes(content.client)) {
    findings.push({
      code: 'config-key-refused',
      severity: 'error',
      subject: `${source} client`,
      message: `Cannot honour client from ${source}: flyback rolls back PostgreSQL histories of Knex, and this is ${printable(content.client)}.`,
      hint: 'Name the environment that is meant (--environment), or give flyback a URL of its own (--url or FLYBACK_URL).',
    });
    return undefined;
  }
  const { connection } = content;
  const at = `${source} connection`;
  if (connection === null) return undefined;
  if (typeof connection === 'string') return { ...own, url: { value: connection, source: at } };
  readTls(connection['ssl'], at, properties, findings);
  const text = (key: string): Sourced | undefined => {
    const value = connection[key];
    if (typeof value !== 'string' && typeof value !== 'number') return undefined;
    return value === '' ? undefined : { value: String(value), source: `${at}.${key}` };
  };
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
  /** Options that hold something themselves. */
  readonly given: readonly string[];
}

/** pg hands ssl to Node's TLS: true and {} verify the server's certificate. */
function readTls(ssl: unknown, at: string, properties: Record<string, Sourced>, findings: Finding[]): void {
  if (ssl === undefined || ssl === null || ssl === false) return;
  const { verifies, given } = typeof ssl === 'object' ? (ssl as TlsOfDriver) : { verifies: true, given: [] };
  if (given.length > 0) {
    findings.push({
      code: 'config-key-refused',
      severity: 'error',
      subject: `${at}.ssl`,
      message: `Cannot honour ${given.join(', ')} from ${at}.ssl: it holds certificates themselves, and flyback reads them from files.`,
      hint: 'Give flyback a URL of its own (--url or FLYBACK_URL) with sslmode=verify-full&sslrootcert=FILE, and sslcert and sslkey where needed.',
    });
    return;
  }
  properties['sslmode'] = { value: verifies ? 'verify-full' : 'require', source: `${at}.ssl` };
}

function printable(name: string): string {
  return /^[\w.-]{1,40}$/.test(name) ? name : 'another one';
}
