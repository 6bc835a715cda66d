/*
 * Takes a database URL apart without interpreting it. Three notations: the Java drivers' (jdbc:mysql:, jdbc:mariadb:), the
 * plain URL (mysql://, mariadb://) and the Go driver's DSN behind mysql://, as golang-migrate takes it.
 */

/** Whose parameters stand behind the "?": the same word may mean different things to different drivers. */
export type Notation = 'connector-j' | 'mariadb-java' | 'plain' | 'go';

export interface UrlParts {
  readonly notation: Notation;
  /** Hosts and ports in order, each as written; not checked. A host with "/" first is a socket. */
  readonly addresses: readonly { readonly host: string; readonly port: string | undefined }[];
  readonly databaseName: string | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Decoded; the last of several equal names. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Why a URL cannot be taken apart. Holds nothing of the URL except parameter names. */
export interface UrlProblem {
  readonly problem: string;
  readonly hint: string;
}

const encodeHint =
  'Percent-encode special characters in user, password and database name: % as %25, @ as %40, / as %2F, ? as %3F, : as %3A, & as %26, a blank as %20.';
const failoverHint =
  'Give flyback the URL of the primary server (--url or FLYBACK_URL): jdbc:mysql://host:3306/database.';

/** Whether the URL is for this adapter. */
export function isMysqlUrl(url: string): boolean {
  return /^(?:jdbc:)?(?:mysql|mariadb)(?::|\+srv)/i.test(url);
}

export function splitMysqlUrl(url: string): UrlParts | UrlProblem {
  const jdbc = /^jdbc:(mysql|mariadb)(\+srv)?:(?:(\w+):)?\/\//i.exec(url);
  if (jdbc !== null) {
    const [prefix, product = '', srv, mode] = jdbc;
    if (srv !== undefined) return { problem: 'it looks its hosts up in DNS SRV records', hint: failoverHint };
    // MariaDB's "sequential" is what several hosts mean anyway.
    if (mode !== undefined && !(mode.toLowerCase() === 'sequential' && product.toLowerCase() === 'mariadb'))
      return {
        problem: `"${mode}" spreads work over several servers, or picks one by rules of the Java driver`,
        hint: failoverHint,
      };
    return splitUrl(url.slice(prefix.length), product.toLowerCase() === 'mysql' ? 'connector-j' : 'mariadb-java');
  }
  const plain = /^(?:mysql|mariadb):\/\//i.exec(url);
  if (plain === null)
    return {
      problem: 'it does not begin with mysql://, mariadb://, jdbc:mysql:// or jdbc:mariadb://',
      hint: 'Write jdbc:mysql://host:3306/database or mysql://user@host:3306/database.',
    };
  const rest = url.slice(plain[0].length);
  return isGoDsn(rest) ? splitDsn(rest) : splitUrl(rest, 'plain');
}

/** `net(address)` stands where a URL has its host. */
function isGoDsn(rest: string): boolean {
  const { before } = cutQuery(rest);
  const slash = before.lastIndexOf('/');
  const authority = slash === -1 ? before : before.slice(0, slash);
  return /^\w*\([^()]*\)$/.test(authority.slice(authority.lastIndexOf('@') + 1));
}

/**
 * go-sql-driver's ParseDSN, as golang-migrate calls it (database/mysql/mysql.go): the last "/" ends the address, the last
 * "@" before it user and password, which golang-migrate decodes.
 */
function splitDsn(text: string): UrlParts | UrlProblem {
  const { before, query } = cutQuery(text);
  const slash = before.lastIndexOf('/');
  if (slash === -1)
    return {
      problem: 'the "/" before the database name is missing',
      hint: 'Write mysql://user:password@tcp(host:3306)/database.',
    };
  const authority = before.slice(0, slash);
  const credentials = splitCredentials(authority);
  if ('problem' in credentials) return credentials;
  const [, network = '', address = ''] =
    /^(\w*)\(([^()]*)\)$/.exec(authority.slice(authority.lastIndexOf('@') + 1)) ?? [];
  const parameters = readParameters(query);
  if ('problem' in parameters) return parameters;
  if (network === 'unix' && !address.startsWith('/'))
    return { problem: 'unix() holds no absolute path', hint: 'Write unix(/var/run/mysqld/mysqld.sock).' };
  if (network !== 'unix' && network !== 'tcp' && network !== '')
    return { problem: `flyback does not know the network "${network}"`, hint: 'Use tcp(host:port) or unix(/path).' };
  const databaseName = decode(before.slice(slash + 1));
  if (databaseName === null) return badEncoding('the database name');
  return {
    notation: 'go',
    addresses: network === 'unix' ? [{ host: address, port: undefined }] : splitAddresses(address),
    databaseName: databaseName === '' ? undefined : databaseName,
    ...credentials,
    parameters,
  };
}

function splitUrl(text: string, notation: Notation): UrlParts | UrlProblem {
  const { before, query } = cutQuery(text);
  const slash = before.indexOf('/');
  const authority = slash === -1 ? before : before.slice(0, slash);
  // An unencoded "/" or "?" in a password would put the rest of it, with the "@", into the database or a parameter name.
  if (before.includes('@', authority.length) || query.split('&').some((token) => token.split('=', 1)[0]?.includes('@')))
    return { problem: 'an "@" stands after the first "/" or "?"', hint: encodeHint };
  const at = authority.lastIndexOf('@');
  const hosts = authority.slice(at + 1);
  if (/[()]/.test(hosts))
    return {
      problem: 'its hosts are written as (key=value) lists',
      hint: 'Write //host:port, several as //host1:port1,host2:port2.',
    };
  const credentials = splitCredentials(authority);
  if ('problem' in credentials) return credentials;
  const parameters = readParameters(query);
  if ('problem' in parameters) return parameters;
  const databaseName = decode(slash === -1 ? '' : before.slice(slash + 1));
  if (databaseName === null) return badEncoding('the database name');
  if (databaseName.includes('/')) return { problem: 'there are too many "/" after the host', hint: encodeHint };
  const host = decode(hosts);
  if (host === null) return badEncoding('the host');
  return {
    notation,
    addresses: splitAddresses(host),
    databaseName: databaseName === '' ? undefined : databaseName,
    ...credentials,
    parameters,
  };
}

function splitCredentials(authority: string): Pick<UrlParts, 'user' | 'password'> | UrlProblem {
  const at = authority.lastIndexOf('@');
  if (at === -1) return { user: undefined, password: undefined };
  const text = authority.slice(0, at);
  const colon = text.indexOf(':');
  const user = decode(colon === -1 ? text : text.slice(0, colon));
  const password = decode(colon === -1 ? '' : text.slice(colon + 1));
  if (user === null) return badEncoding('the user');
  if (password === null) return badEncoding('the password');
  return { user: user === '' ? undefined : user, password: colon === -1 ? undefined : password };
}

function splitAddresses(text: string): { host: string; port: string | undefined }[] {
  return text.split(',').map((address) => {
    const colon = address.lastIndexOf(':');
    // A colon inside the brackets of an IPv6 address starts no port.
    return colon !== -1 && address.lastIndexOf(']') < colon
      ? { host: address.slice(0, colon), port: address.slice(colon + 1) }
      : { host: address, port: undefined };
  });
}

function cutQuery(text: string): { before: string; query: string } {
  const at = text.indexOf('?');
  return at === -1 ? { before: text, query: '' } : { before: text.slice(0, at), query: text.slice(at + 1) };
}

function readParameters(query: string): ReadonlyMap<string, string> | UrlProblem {
  const parameters = new Map<string, string>();
  for (const token of query.split('&')) {
    if (token === '') continue;
    const equals = token.indexOf('=');
    const name = equals === -1 ? token : token.slice(0, equals);
    // Java and Go read "+" as a blank; nobody means a plus sign by it in a list of settings.
    const value = equals === -1 ? '' : decode(token.slice(equals + 1).replaceAll('+', ' '));
    if (value === null) return badEncoding(`the parameter ${/^[\w-]+$/.test(name) ? name : '(unreadable name)'}`);
    parameters.set(name, value);
  }
  return parameters;
}

function badEncoding(what: string): UrlProblem {
  return { problem: `${what} holds a "%" that does not start a valid percent code`, hint: encodeHint };
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
