import path from 'node:path';
import { findNearest } from '../../../src/config/nearest.js';
import { type ConnectionReading, type ConnectionRequest, isSecretName } from '../../../src/config/readers.js';
import { type ConnectionSettings, type HostAddress, Secret, type TlsSettings } from '../../../src/config/config.js';
import type { Finding } from '../../../src/errors/finding.js';
import { honouredKeys, knownKeys, refusedKeys, tuningKeys } from './connection-keys.js';
import { splitJdbcUrl, splitPostgresUrl, type UrlParts, type UrlProblem } from './url-parts.js';

const defaultPort = 5432;
const defaultHost = 'localhost';
/** pgjdbc's own default, in seconds. */
const defaultConnectTimeout = '10';

/** A parameter with the place to name when something is wrong with it. */
interface Parameter {
  readonly value: string;
  readonly subject: string;
}

/**
 * Turns a jdbc:postgresql, postgres:// or postgresql:// URL and the properties beside it into connection settings.
 * Priority as in pgjdbc's Driver.parseURL and Flyway's DriverDataSource: URL parameters, then user and password, then
 * properties. Findings: errors for what cannot be read or must be refused, warnings for unknown keys, infos for ignored ones.
 */
export function readConnection(request: ConnectionRequest): ConnectionReading {
  const findings: Finding[] = [];
  const secrets: Secret[] = [];
  const refuse = (code: string, subject: string, message: string, hint: string): void => {
    findings.push({ code, severity: 'error', subject, message, hint });
  };
  const parts = splitUrl(request.url.value.trim());
  if ('problem' in parts) {
    refuse(
      parts.code,
      request.url.source,
      `Cannot use the URL from ${request.url.source}: ${parts.problem}.`,
      parts.hint,
    );
    return { settings: undefined, secrets: urlSecrets(request.url.value), findings };
  }

  const parameters = collectParameters(request, parts);
  for (const [name, { value }] of parameters) {
    if (isSecretName(name) && value !== '') secrets.push(new Secret(value));
  }
  checkKeys(parameters, findings);

  const text = (name: (typeof honouredKeys)[number]): string | undefined => {
    const value = parameters.get(name)?.value;
    return value === '' ? undefined : value;
  };
  const subject = (name: string): string => parameters.get(name)?.subject ?? request.url.source;
  const invalid = (name: string, message: string, hint: string): void => {
    refuse('url-value-invalid', subject(name), `${name} from ${subject(name)} ${message}.`, hint);
  };

  const user = text('user') ?? request.systemUser;
  const databaseName = text('PGDBNAME') ?? user;
  if (databaseName === undefined) {
    refuse(
      'url-value-invalid',
      request.url.source,
      `The URL from ${request.url.source} names no database, and no user is known to name it.`,
      'Add the database to the URL: …//host:5432/database.',
    );
  }
  const hosts = readHosts(text('PGHOST') ?? defaultHost, text('PGPORT') ?? String(defaultPort));
  if (typeof hosts === 'string')
    invalid(
      parameters.has('PGPORT') ? 'PGPORT' : 'PGHOST',
      hosts,
      'Write //host:port, several as //host1:port1,host2:port2, an IPv6 address in [brackets].',
    );
  const tls = readTls(parameters, request.baseFolder, invalid);
  const targetServer = readTargetServer(text('targetServerType') ?? 'any');
  if (targetServer === undefined)
    invalid(
      'targetServerType',
      'is not a kind of server',
      'Use any, primary, secondary, preferPrimary or preferSecondary.',
    );
  const searchPath = readSearchPath(text('currentSchema') ?? '');
  if (searchPath === undefined)
    invalid(
      'currentSchema',
      'is not a list of schema names',
      'Separate the names with commas; close every double quote.',
    );
  const connectTimeoutMs = readTimeout(text('connectTimeout') ?? defaultConnectTimeout, text('loginTimeout') ?? '0');
  if (connectTimeoutMs === undefined)
    invalid(
      parameters.has('connectTimeout') ? 'connectTimeout' : 'loginTimeout',
      'is not a number of seconds',
      'Use a number such as 10, or 0 for no limit.',
    );

  const refused = findings.some((finding) => finding.severity === 'error');
  if (
    refused ||
    databaseName === undefined ||
    typeof hosts === 'string' ||
    targetServer === undefined ||
    searchPath === undefined ||
    connectTimeoutMs === undefined
  ) {
    return { settings: undefined, secrets, findings };
  }
  const password = parameters.get('password')?.value;
  const settings: ConnectionSettings = {
    database: 'postgresql',
    hosts,
    databaseName,
    user,
    password: password === undefined || password === '' ? undefined : new Secret(password),
    tls,
    targetServer,
    searchPath,
    options: readOptions(text('options'), text('readOnly'), text('readOnlyMode')),
    applicationName: text('ApplicationName') ?? 'flyback',
    connectTimeoutMs,
    initSql: request.initSql,
    display: display(user, hosts, databaseName),
  };
  return { settings, secrets, findings };
}

const foreignSchemes: readonly (readonly [RegExp, string, string])[] = [
  [
    /^jdbc:p6spy:/i,
    'jdbc:p6spy wraps another driver in a Java logger',
    'Give flyback the inner URL: remove "p6spy:" (--url or FLYBACK_URL).',
  ],
  [
    /^jdbc:aws-wrapper:/i,
    'jdbc:aws-wrapper is a Java driver with its own failover and sign-in',
    'Give flyback a plain URL of the writer endpoint (--url or FLYBACK_URL), with a password or a fresh IAM token in FLYBACK_PASSWORD.',
  ],
  [
    /^jdbc:tc:/i,
    'jdbc:tc asks Testcontainers for Java to start a database of its own',
    'Start the database outside and give flyback its URL (--url or FLYBACK_URL).',
  ],
  [
    /^jdbc-secretsmanager:/i,
    'jdbc-secretsmanager fetches user and password from AWS inside a Java driver',
    'Give flyback the URL without "-secretsmanager" (--url or FLYBACK_URL) and the password in a variable (--password-env NAME).',
  ],
  [
    /^jdbc:google:|^jdbc:snowflake:|^jdbc:redshift:|^jdbc:/i,
    "its JDBC driver is neither PostgreSQL's nor MySQL's nor MariaDB's",
    'Use a URL of one of these: jdbc:postgresql:, jdbc:mysql: or jdbc:mariadb:.',
  ],
];

function splitUrl(url: string): UrlParts | (UrlProblem & { code: string }) {
  const tagged = (parts: UrlParts | UrlProblem): UrlParts | (UrlProblem & { code: string }) =>
    'problem' in parts ? { ...parts, code: 'url-invalid' } : parts;
  if (url.startsWith('jdbc:postgresql:')) return tagged(splitJdbcUrl(url));
  if (/^postgres(ql)?:\/\//i.test(url)) return tagged(splitPostgresUrl(url));
  for (const [pattern, problem, hint] of foreignSchemes) {
    if (pattern.test(url)) return { problem, hint, code: 'url-unsupported' };
  }
  return {
    problem: 'it does not begin with jdbc:postgresql: or postgres://',
    hint: 'Write jdbc:postgresql://host:5432/database or postgres://user@host:5432/database; for MySQL and MariaDB mysql://user@host:3306/database.',
    code: 'url-invalid',
  };
}

function collectParameters(request: ConnectionRequest, parts: UrlParts): ReadonlyMap<string, Parameter> {
  const parameters = new Map<string, Parameter>();
  for (const [name, { value, source }] of Object.entries(request.properties)) {
    parameters.set(name, { value, subject: source });
  }
  // An empty user or password is as good as none: Flyway's DriverDataSource looks for a fallback then.
  if (request.user !== undefined && request.user.value !== '') {
    parameters.set('user', { value: request.user.value, subject: request.user.source });
  }
  if (request.password !== undefined && request.password.value.reveal() !== '') {
    parameters.set('password', { value: request.password.value.reveal(), subject: request.password.source });
  }
  const subject = request.url.source;
  const fromUrl = (name: string, value: string | undefined): void => {
    if (value !== undefined) parameters.set(name, { value, subject });
  };
  fromUrl('user', parts.user);
  fromUrl('password', parts.password);
  fromUrl('PGDBNAME', parts.databaseName);
  if (parts.addresses !== undefined) {
    fromUrl('PGHOST', parts.addresses.map(({ host }) => host || defaultHost).join(','));
    fromUrl('PGPORT', parts.addresses.map(({ port }) => port ?? String(defaultPort)).join(','));
  }
  for (const [name, value] of parts.parameters) {
    // pgjdbc's PGPropertyUtil.translatePGServiceToPGProperty: host, port and dbname may stand among the parameters.
    const upper = `PG${name.toUpperCase()}`;
    fromUrl(['PGHOST', 'PGPORT', 'PGDBNAME'].includes(upper) ? upper : name, value);
  }
  return parameters;
}

function checkKeys(parameters: ReadonlyMap<string, Parameter>, findings: Finding[]): void {
  for (const [name, { value, subject }] of parameters) {
    if ((honouredKeys as readonly string[]).includes(name)) continue;
    const refusal = Object.hasOwn(refusedKeys, name) ? refusedKeys[name] : undefined;
    if (refusal !== undefined) {
      if (refusal.harmless?.includes(value.toLowerCase())) continue;
      findings.push({
        code: 'url-key-refused',
        severity: 'error',
        subject,
        message: `Cannot honour ${name} from ${subject}: ${refusal.reason}.`,
        hint: refusal.hint,
      });
    } else if (tuningKeys.includes(name)) {
      findings.push({
        code: 'url-key-ignored',
        severity: 'info',
        subject,
        message: `${name} from ${subject} only tunes the Java driver; flyback leaves it out.`,
      });
    } else {
      const meant = findNearest(name, knownKeys);
      const printable = /^[\w.-]{1,64}$/.test(name) ? name : '(unreadable name)';
      findings.push({
        code: 'url-key-unknown',
        severity: 'warning',
        subject,
        message: `${printable} from ${subject} is not a parameter that PostgreSQL's JDBC driver or libpq knows; it has no effect.`,
        hint: meant === undefined ? 'Remove it.' : `Perhaps ${meant} was meant; upper and lower case matter.`,
      });
    }
  }
}

/** Returns what is wrong, as the end of a sentence, when something is. */
function readHosts(hostList: string, portList: string): readonly HostAddress[] | string {
  const hosts = hostList.split(',');
  const ports = portList.split(',');
  if (ports.length !== hosts.length && ports.length !== 1)
    return `names ${ports.length} ports for ${hosts.length} hosts`;
  const addresses: HostAddress[] = [];
  for (const [index, host] of hosts.entries()) {
    const portText = (ports.length === 1 ? ports[0] : ports[index]) ?? '';
    const port = Number(portText);
    if (!/^\d{1,5}$/.test(portText) || port < 1 || port > 65_535)
      return 'does not hold a port between 1 and 65535 where one should stand';
    const bare = /^\[(.+)\]$/.exec(host)?.[1] ?? host;
    if (bare === host && /[[\]:]/.test(host) && !host.startsWith('/'))
      return 'holds an IPv6 address without brackets, or stray brackets';
    addresses.push({ host: bare === '' ? defaultHost : bare, port });
  }
  return addresses;
}

const tlsModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

/** pgjdbc's SslMode.of: sslmode decides; else ssl=true (or bare ssl) means verify-full; else prefer. */
function readTls(
  parameters: ReadonlyMap<string, Parameter>,
  baseFolder: string,
  invalid: (name: string, message: string, hint: string) => void,
): TlsSettings {
  const written = parameters.get('sslmode')?.value;
  const ssl = parameters.get('ssl')?.value.toLowerCase();
  const mode =
    written === undefined
      ? ssl === 'true' || ssl === ''
        ? 'verify-full'
        : 'prefer'
      : tlsModes.find((known) => known === written.toLowerCase());
  if (mode === undefined) invalid('sslmode', 'is not a TLS mode', `Use ${tlsModes.join(', ')}.`);
  const file = (name: string): string | undefined => {
    const value = parameters.get(name)?.value;
    if (value === undefined || value === '') return undefined;
    if (/\.(p12|pfx|jks|keystore)$/i.test(value)) {
      invalid(
        name,
        'is a Java or PKCS-12 key store, which flyback cannot open',
        'Convert it to PEM files and name them in sslcert, sslkey and sslrootcert.',
      );
    }
    if (/\.(pk8|der)$/i.test(value)) {
      invalid(name, 'is a binary (DER) file', 'Convert a key with: openssl pkcs8 -inform DER -in key.pk8 -out key.pem');
    }
    if (name === 'sslrootcert' && value === 'system') {
      invalid(
        name,
        'is "system"',
        'Name the file of trusted certificates, for example /etc/ssl/certs/ca-certificates.crt.',
      );
    }
    return path.resolve(baseFolder, value);
  };
  const keyPassword = parameters.get('sslpassword')?.value;
  return {
    mode: mode ?? 'verify-full',
    rootCertificateFile: file('sslrootcert'),
    certificateFile: file('sslcert'),
    keyFile: file('sslkey'),
    keyPassword: keyPassword === undefined || keyPassword === '' ? undefined : new Secret(keyPassword),
  };
}

const serverKinds = ['any', 'primary', 'secondary', 'preferPrimary', 'preferSecondary'] as const;

/** pgjdbc's HostRequirement still accepts the old words master and slave. */
function readTargetServer(text: string): ConnectionSettings['targetServer'] | undefined {
  const modern = text.replace('lave', 'econdary').replace('master', 'primary');
  return serverKinds.find((known) => known === modern);
}

/** A comma list as the server reads search_path: unquoted names folded to lower case, "" inside quotes is one quote. */
function readSearchPath(text: string): readonly string[] | undefined {
  const names: string[] = [];
  let rest = text.trim();
  if (rest === '') return names;
  for (;;) {
    const match = /^(?:"((?:[^"]|"")+)"|([^",\s]+))\s*(,\s*|$)/.exec(rest);
    if (match === null) return undefined;
    names.push(match[1]?.replaceAll('""', '"') ?? match[2]?.toLowerCase() ?? '');
    if (match[3] === '') return names;
    rest = rest.slice(match[0].length);
  }
}

/** The tighter of the two limits in milliseconds, 0 when neither is set; loginTimeout may have a fraction. */
function readTimeout(connectTimeout: string, loginTimeout: string): number | undefined {
  const limits: number[] = [];
  for (const text of [connectTimeout, loginTimeout]) {
    if (!/^\d+(\.\d+)?$/.test(text)) return undefined;
    const milliseconds = Math.round(Number(text) * 1000);
    // A timer of Node holds at most 2^31 - 1 ms.
    if (milliseconds > 0) limits.push(Math.min(milliseconds, 2_147_483_647));
  }
  return limits.length === 0 ? 0 : Math.min(...limits);
}

/** readOnly=true is honoured by the server itself, unless readOnlyMode=ignore takes it back. */
function readOptions(
  options: string | undefined,
  readOnly: string | undefined,
  readOnlyMode: string | undefined,
): string | undefined {
  if (readOnly?.toLowerCase() !== 'true' || readOnlyMode === 'ignore') return options;
  const setting = '-c default_transaction_read_only=on';
  return options === undefined ? setting : `${options} ${setting}`;
}

function display(user: string | undefined, hosts: readonly HostAddress[], databaseName: string): string {
  const addresses = hosts.map(
    ({ host, port }) =>
      `${host.includes(':') ? `[${host}]` : host.startsWith('/') ? encodeURIComponent(host) : host}:${port}`,
  );
  const who = user === undefined ? '' : `${encodeURIComponent(user)}@`;
  return `postgresql://${who}${addresses.join(',')}/${encodeURIComponent(databaseName)}`;
}

/** Anything in an unreadable URL that may be a password, so that it can be redacted elsewhere. */
function urlSecrets(url: string): readonly Secret[] {
  const found = [
    /\/\/[^/?#]*?:(.*)@/.exec(url)?.[1],
    ...[...url.matchAll(/[?&;](?:ssl)?password=([^&;]*)/gi)].map((match) => match[1]),
  ];
  return found.filter((text) => text !== undefined && text !== '').map((text) => new Secret(text ?? ''));
}
