import path from 'node:path';
import { type ConnectionReading, type ConnectionRequest, isSecretName } from '../../../src/config/readers.js';
import { type ConnectionSettings, type HostAddress, Secret, type TlsSettings } from '../../../src/config/config.js';
import type { Finding } from '../../../src/errors/finding.js';
import { honouredKeys, isToolParameter, refusedKeys, setsTimeZone, tuningKeys } from './connection-keys.js';
import { isMysqlUrl, type Notation, splitMysqlUrl, type UrlParts } from './url-parts.js';

const defaultPort = 3306;
const defaultConnectTimeoutMs = 10_000;
/** A timer of Node holds at most 2^31 - 1 ms. */
const longestTimeoutMs = 2_147_483_647;

/** As ConnectionReading, with golang-migrate's own parameters apart. */
export interface MysqlConnectionReading extends ConnectionReading {
  /** x-migrations-table and the like, by their full names, as written; those about TLS are in the settings instead. */
  readonly toolParameters: Readonly<Record<string, string>>;
}

/** A parameter with the place to name when something is wrong with it. */
interface Parameter {
  /** As written, for messages. */
  readonly name: string;
  readonly value: string;
  readonly subject: string;
}

type Parameters = ReadonlyMap<string, Parameter>;
type Invalid = (key: string, message: string, hint: string) => void;

/**
 * Turns a URL for MySQL or MariaDB and the properties beside it into connection settings: jdbc:mysql://, jdbc:mariadb://,
 * mysql://, mariadb:// and golang-migrate's mysql://user:password@tcp(host:port)/database. The URL's parameters win over what
 * stands beside it. TLS is used where the server offers it, unless the URL says otherwise: none of the drivers does less.
 */
export function readMysqlConnection(request: ConnectionRequest): MysqlConnectionReading {
  const findings: Finding[] = [];
  const refuse = (code: string, subject: string, message: string, hint: string): void => {
    findings.push({ code, severity: 'error', subject, message, hint });
  };
  const { source } = request.url;
  const url = request.url.value.trim();
  const parts = splitMysqlUrl(url);
  if ('problem' in parts) {
    const code = isMysqlUrl(url) && /^jdbc:\w+(?:\+srv|:\w+:)/i.test(url) ? 'url-unsupported' : 'url-invalid';
    refuse(code, source, `Cannot use the URL from ${source}: ${parts.problem}.`, parts.hint);
    return { settings: undefined, secrets: urlSecrets(url), findings, toolParameters: {} };
  }
  const { parameters, toolParameters, variables } = collectParameters(request, parts);
  const secrets = [...parameters.values()]
    .filter(({ name, value }) => isSecretName(name) && value !== '')
    .map(({ value }) => new Secret(value));
  checkKeys(parameters, parts.notation, findings);
  const subject = (key: string): string => parameters.get(key)?.subject ?? source;
  const invalid: Invalid = (key, message, hint) => {
    const name = parameters.get(key)?.name ?? key;
    refuse('url-value-invalid', subject(key), `${name} from ${subject(key)} ${message}.`, hint);
  };
  const text = (key: string): string | undefined => {
    const value = parameters.get(key)?.value;
    return value === '' ? undefined : value;
  };

  const user = text('user') ?? request.systemUser;
  const databaseName = text('database');
  if (databaseName === undefined)
    refuse(
      'url-value-invalid',
      source,
      `The URL from ${source} names no database.`,
      'Add the database to the URL: …//host:3306/database.',
    );
  const hosts = readHosts(parts, text('localsocket') ?? text('socketpath') ?? text('socket'));
  if (typeof hosts === 'string')
    refuse(
      'url-value-invalid',
      source,
      `The URL from ${source} ${hosts}.`,
      'Write //host:port, several as //host1:port1,host2:port2, an IPv6 address in [brackets].',
    );
  const tls = readTls(parameters, toolParameters, parts.notation, request.baseFolder, invalid);
  const connectTimeoutMs = readTimeout(parameters, parts.notation, invalid);
  const initSql = readInitSql(text('sessionvariables'), variables, text('initsql'), request.initSql, invalid);

  const refused = findings.some((finding) => finding.severity === 'error');
  if (refused || databaseName === undefined || typeof hosts === 'string')
    return { settings: undefined, secrets, findings, toolParameters: withoutTls(toolParameters) };
  const password = parameters.get('password')?.value;
  const settings: ConnectionSettings = {
    database: 'mysql',
    hosts,
    databaseName,
    user,
    password: password === undefined || password === '' ? undefined : new Secret(password),
    tls,
    targetServer: 'any',
    searchPath: [],
    options: undefined,
    applicationName: 'flyback',
    connectTimeoutMs,
    initSql,
    display: display(user, hosts, databaseName),
  };
  return { settings, secrets, findings, toolParameters: withoutTls(toolParameters) };
}

function withoutTls(parameters: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => !name.startsWith('x-tls-')));
}

/** One spelling for one meaning: ssl-mode, ssl_mode and sslMode. */
function keyOf(name: string): string {
  const key = name.toLowerCase().replaceAll(/[-_]/g, '');
  return key === 'username' ? 'user' : key;
}

/** A name that the Go driver takes for a variable of the session. */
const variableName = /^[a-z][a-z0-9]*(?:_[a-z0-9]+)+$|^autocommit$/;

function collectParameters(
  request: ConnectionRequest,
  parts: UrlParts,
): {
  readonly parameters: Parameters;
  readonly toolParameters: Readonly<Record<string, string>>;
  readonly variables: readonly (readonly [string, string])[];
} {
  const parameters = new Map<string, Parameter>();
  const set = (name: string, value: string, subject: string): void => {
    parameters.set(keyOf(name), { name, value, subject });
  };
  for (const [name, { value, source }] of Object.entries(request.properties)) set(name, value, source);
  // An empty user or password is as good as none: Flyway's DriverDataSource looks for a fallback then.
  if (request.user !== undefined && request.user.value !== '') set('user', request.user.value, request.user.source);
  if (request.password !== undefined && request.password.value.reveal() !== '')
    set('password', request.password.value.reveal(), request.password.source);
  const subject = request.url.source;
  if (parts.user !== undefined) set('user', parts.user, subject);
  if (parts.password !== undefined) set('password', parts.password, subject);
  const toolParameters: Record<string, string> = {};
  const variables: [string, string][] = [];
  for (const [name, value] of parts.parameters) {
    if (isToolParameter(name)) toolParameters[name] = value;
    else if (parts.notation === 'go' && variableName.test(name) && !isKnown(keyOf(name))) variables.push([name, value]);
    else set(name, value, subject);
  }
  if (parts.databaseName !== undefined) set('database', parts.databaseName, subject);
  return { parameters, toolParameters, variables };
}

function isKnown(key: string): boolean {
  return honouredKeys.has(key) || tuningKeys.has(key) || Object.hasOwn(refusedKeys, key);
}

function checkKeys(parameters: Parameters, notation: Notation, findings: Finding[]): void {
  for (const [key, { name, value, subject }] of parameters) {
    const printable = /^[\w.-]{1,64}$/.test(name) ? name : '(unreadable name)';
    const refusal = Object.hasOwn(refusedKeys, key) ? refusedKeys[key] : undefined;
    if (refusal !== undefined) {
      if (refusal.harmless?.includes(value.toLowerCase()) === true) continue;
      findings.push({
        code: 'url-key-refused',
        severity: 'error',
        subject,
        message: `Cannot honour ${printable} from ${subject}: ${refusal.reason}.`,
        hint: refusal.hint,
      });
    } else if (setsTimeZone(key, value, notation)) {
      findings.push({
        code: 'url-key-refused',
        severity: 'error',
        subject,
        message: `Cannot honour ${printable} from ${subject}: it sets the time zone of the session in a way that only the Java driver knows.`,
        hint: "Say which one is meant: sessionVariables=time_zone='+00:00'.",
      });
    } else if (tuningKeys.has(key)) {
      findings.push({
        code: 'url-key-ignored',
        severity: 'info',
        subject,
        message: `${printable} from ${subject} only tunes the driver; flyback leaves it out.`,
      });
    } else if (!honouredKeys.has(key)) {
      findings.push({
        code: 'url-key-unknown',
        severity: 'warning',
        subject,
        message: `${printable} from ${subject} is not a parameter that the drivers of MySQL and MariaDB know; it has no effect.`,
        hint: 'Remove it.',
      });
    }
  }
}

/** Returns what is wrong, as the end of a sentence, when something is. */
function readHosts({ addresses }: UrlParts, socket: string | undefined): readonly HostAddress[] | string {
  if (socket !== undefined)
    return socket.startsWith('/') ? [{ host: socket, port: 0 }] : 'names a socket without its whole path';
  const hosts: HostAddress[] = [];
  for (const { host, port } of addresses) {
    if (host.startsWith('/')) {
      hosts.push({ host, port: 0 });
      continue;
    }
    const number = Number(port ?? defaultPort);
    if (port !== undefined && (!/^\d{1,5}$/.test(port) || number < 1 || number > 65_535))
      return 'does not hold a port between 1 and 65535 where one should stand';
    const bare = /^\[(.+)\]$/.exec(host)?.[1] ?? host;
    if (bare === host && /[[\]:\s]/.test(host)) return 'holds an IPv6 address without brackets, or stray brackets';
    hosts.push({ host: bare === '' ? 'localhost' : bare, port: number });
  }
  return hosts;
}

type Mode = TlsSettings['mode'];

/** Words for each mode: Connector/J and the mysql client, MariaDB's driver, the Go driver, PostgreSQL's habit. */
const modes: Readonly<Record<string, Mode>> = {
  disabled: 'disable',
  disable: 'disable',
  false: 'disable',
  '0': 'disable',
  preferred: 'prefer',
  prefer: 'prefer',
  required: 'require',
  require: 'require',
  trust: 'require',
  'skip-verify': 'require',
  verify_ca: 'verify-ca',
  'verify-ca': 'verify-ca',
  verify_identity: 'verify-full',
  'verify-full': 'verify-full',
};

function readTls(
  parameters: Parameters,
  tool: Readonly<Record<string, string>>,
  notation: Notation,
  baseFolder: string,
  invalid: Invalid,
): TlsSettings {
  const file = (value: string | undefined, key: string): string | undefined => {
    if (value === undefined || value === '') return undefined;
    if (/^classpath:|^-----BEGIN/i.test(value)) {
      invalid(key, 'is not the path of a file', 'Name the PEM file.');
      return undefined;
    }
    return path.resolve(baseFolder, value.replace(/^file:(?:\/\/)?/, ''));
  };
  const value = (key: string): string | undefined => parameters.get(key)?.value;
  return {
    mode: readMode(parameters, tool, notation, invalid),
    rootCertificateFile:
      file(value('serversslcert'), 'serversslcert') ??
      file(value('sslca'), 'sslca') ??
      file(tool['x-tls-ca'], 'x-tls-ca'),
    certificateFile: file(value('sslcert'), 'sslcert') ?? file(tool['x-tls-cert'], 'x-tls-cert'),
    keyFile: file(value('sslkey'), 'sslkey') ?? file(tool['x-tls-key'], 'x-tls-key'),
  };
}

function readMode(
  parameters: Parameters,
  tool: Readonly<Record<string, string>>,
  notation: Notation,
  invalid: Invalid,
): Mode {
  const value = (key: string): string | undefined => parameters.get(key)?.value.toLowerCase();
  const isTrue = (key: string): boolean => ['true', '1', 'yes', ''].includes(value(key) ?? 'false');
  const isFalse = (key: string): boolean => ['false', '0', 'no'].includes(value(key) ?? '');
  const named = value('sslmode');
  if (named !== undefined) {
    const mode = modes[named];
    if (mode === undefined)
      invalid('sslmode', 'is not a TLS mode', 'Use DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY.');
    return mode ?? 'verify-full';
  }
  const go = value('tls');
  if (go !== undefined && notation === 'go') return goMode(go, tool, invalid);
  const plain = notation === 'mariadb-java' ? value('tls') : (value('ssl') ?? value('tls'));
  if (plain !== undefined) return plainMode(plain, invalid);
  if (isFalse('usessl') || isFalse('ssl')) return 'disable';
  if (notation === 'mariadb-java') {
    // Version 2 had a key for each weakening, version 3 takes useSsl for full verification.
    if (!isTrue('usessl') && !isTrue('ssl')) return isTrue('requiressl') ? 'require' : 'prefer';
    if (isTrue('trustservercertificate')) return 'require';
    return isTrue('disablesslhostnameverification') ? 'verify-ca' : 'verify-full';
  }
  // Connector/J: the three old keys stand for the modes.
  if (isTrue('verifyservercertificate')) return 'verify-ca';
  return isTrue('requiressl') ? 'require' : 'prefer';
}

/** golang-migrate: any other word than the driver's own names a configuration made of the x-tls-… parameters. */
function goMode(word: string, tool: Readonly<Record<string, string>>, invalid: Invalid): Mode {
  if (word === 'true' || word === '1') return 'verify-full';
  const known = modes[word];
  if (known !== undefined && ['disable', 'prefer', 'require'].includes(known) && word !== 'required') return known;
  if (tool['x-tls-ca'] === undefined && tool['x-tls-insecure-skip-verify'] === undefined)
    invalid(
      'tls',
      'names a TLS configuration of a Go program',
      'Use true, skip-verify, preferred or false, or x-tls-ca=FILE.',
    );
  return /^(?:1|t|true)$/i.test(tool['x-tls-insecure-skip-verify'] ?? '') ? 'require' : 'verify-full';
}

/** mysql2 takes an object as JSON; others write a word. */
function plainMode(word: string, invalid: Invalid): Mode {
  if (['true', '1'].includes(word)) return 'require';
  if (modes[word] !== undefined) return modes[word];
  try {
    const options = JSON.parse(word) as Readonly<Record<string, unknown>>;
    const names = Object.keys(options).filter((name) => name !== 'rejectunauthorized');
    if (names.length === 0) return options['rejectunauthorized'] === false ? 'require' : 'verify-full';
  } catch {
    // Not JSON: the name of a profile.
  }
  invalid('ssl', 'names a TLS set-up that flyback cannot read', 'Use ssl-mode=VERIFY_IDENTITY with ssl-ca=FILE.');
  return 'verify-full';
}

const goUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds, 0 for no limit. The Go driver writes a duration ("5s", "1m30s"), the others milliseconds. */
function readTimeout(parameters: Parameters, notation: Notation, invalid: Invalid): number {
  const key = notation === 'go' ? 'timeout' : 'connecttimeout';
  const text = parameters.get(key)?.value ?? '';
  if (text === '') return defaultConnectTimeoutMs;
  if (notation === 'go') {
    const pieces = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
    const total = pieces.reduce((sum, [, count, unit]) => sum + Number(count) * (goUnits[unit ?? ''] ?? 0), 0);
    if (pieces.length > 0 && pieces.map(([piece]) => piece).join('') === text)
      return Math.min(Math.round(total), longestTimeoutMs);
  } else if (/^\d+$/.test(text)) {
    return Math.min(Number(text), longestTimeoutMs);
  }
  invalid(
    key,
    'is not a length of time',
    notation === 'go' ? 'Use a duration such as 10s.' : 'Use milliseconds, such as 10000.',
  );
  return 0;
}

/** Variables of the session as one SET in front of the initial SQL. */
function readInitSql(
  list: string | undefined,
  variables: readonly (readonly [string, string])[],
  fromUrl: string | undefined,
  initSql: string | undefined,
  invalid: Invalid,
): string | undefined {
  const assignments = variables.map(([name, value]) => `${name} = ${value}`);
  if (list !== undefined) {
    // Connector/J and MariaDB's driver separate by commas or semicolons outside of quotes and parentheses.
    const pieces = list.match(/(?:'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|\([^)]*\)|[^,;'"()])+/g) ?? [];
    const trimmed = pieces.map((piece) => piece.trim()).filter((piece) => piece !== '');
    if (!trimmed.every((piece) => /^@{0,2}[\w.@]+\s*:?=/.test(piece)))
      invalid('sessionvariables', 'is not a list of name=value', 'Separate them with commas, and quote texts.');
    assignments.push(...trimmed);
  }
  const parts = [assignments.length === 0 ? undefined : `SET ${assignments.join(', ')}`, fromUrl, initSql];
  const present = parts.filter((part) => part !== undefined && part.trim() !== '');
  return present.length === 0 ? undefined : present.join(';\n');
}

function display(user: string | undefined, hosts: readonly HostAddress[], databaseName: string): string {
  const addresses = hosts.map(({ host, port }) =>
    host.startsWith('/') ? encodeURIComponent(host) : `${host.includes(':') ? `[${host}]` : host}:${port}`,
  );
  const who = user === undefined ? '' : `${encodeURIComponent(user)}@`;
  return `mysql://${who}${addresses.join(',')}/${encodeURIComponent(databaseName)}`;
}

/** Anything in an unreadable URL that may be a password, so that it can be redacted elsewhere. */
function urlSecrets(url: string): readonly Secret[] {
  const found = [
    /\/\/[^/?#]*?:(.*)@/.exec(url)?.[1],
    ...[...url.matchAll(/[?&;,(]\w*password\d?=([^&;,)]*)/gi)].map((match) => match[1]),
  ];
  return found.filter((text) => text !== undefined && text !== '').map((text) => new Secret(text ?? ''));
}
