/*
 * Takes a database URL apart without interpreting it. Two notations: pgjdbc's (jdbc:postgresql:…) and libpq's
 * (postgres://…). Both end as the same parts, parameters under pgjdbc's names.
 */

export interface UrlParts {
  /** Undefined when the URL names no host. Not checked: hosts and ports in order, each as written. */
  readonly addresses: readonly { readonly host: string; readonly port: string | undefined }[] | undefined;
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

const jdbcPrefix = 'jdbc:postgresql:';

/**
 * Takes a jdbc:postgresql URL apart as pgjdbc's Driver.parseURL does: `jdbc:postgresql:db`, `//host[:port],…/db`, `//host/`,
 * a "+" is a blank, at most one "/" after the hosts, which must be there.
 */
export function splitJdbcUrl(url: string): UrlParts | UrlProblem {
  const { before, query } = cutQuery(url.slice(jdbcPrefix.length));
  const parameters = readParameters(query, 'form');
  if ('problem' in parameters) return parameters;
  const done = (addresses: UrlParts['addresses'], encodedName: string | undefined): UrlParts | UrlProblem => {
    const databaseName = encodedName === undefined ? undefined : decode(encodedName, 'form');
    if (databaseName === null) return badEncoding('The database name');
    return { addresses, databaseName, user: undefined, password: undefined, parameters };
  };
  if (before === '' || before === '//' || before === '///') return done(undefined, undefined);
  if (!before.startsWith('/')) return done(undefined, before);
  if (!before.startsWith('//')) {
    return {
      problem: 'one "/" stands where "//" and a host should',
      hint: 'Write jdbc:postgresql://host:5432/database.',
    };
  }
  const rest = before.slice(2);
  if (rest.includes('@')) {
    return {
      problem: 'a JDBC URL takes no user:password@ before the host',
      hint: 'Move them to the keys user and password (or to ?user=…&password=…).',
    };
  }
  const slash = rest.indexOf('/');
  if (slash === -1) {
    return {
      problem: 'the "/" after the host is missing; PostgreSQL\'s JDBC driver refuses it too',
      hint: 'Write jdbc:postgresql://host:5432/database, or …//host:5432/ for the database named like the user.',
    };
  }
  if (rest.indexOf('/', slash + 1) !== -1) {
    return { problem: 'there are too many "/" after the host', hint: 'Write a "/" in the database name as %2F.' };
  }
  return done(splitAddresses(rest.slice(0, slash)), slash === rest.length - 1 ? undefined : rest.slice(slash + 1));
}

const libpqNames: Readonly<Record<string, string>> = {
  application_name: 'ApplicationName',
  connect_timeout: 'connectTimeout',
  channel_binding: 'channelBinding',
  gssencmode: 'gssEncMode',
  require_auth: 'requireAuth',
  krbsrvname: 'kerberosServerName',
  sslnegotiation: 'sslNegotiation',
  load_balance_hosts: 'loadBalanceHosts',
  target_session_attrs: 'targetServerType',
  keepalives: 'tcpKeepAlive',
};

const sessionAttributes: Readonly<Record<string, string>> = {
  'read-write': 'primary',
  standby: 'secondary',
  'prefer-standby': 'preferSecondary',
};

/**
 * Takes a postgres:// or postgresql:// URL apart as libpq does (PostgreSQL manual, "Connection URIs"), except that the
 * last "@" before the path ends the password, so that an unencoded one does no harm.
 */
export function splitPostgresUrl(url: string): UrlParts | UrlProblem {
  const { before, query } = cutQuery(url.slice(url.indexOf('://') + 3));
  const slash = before.indexOf('/');
  const authority = slash === -1 ? before : before.slice(0, slash);
  const at = authority.lastIndexOf('@');
  // An unencoded "/" or "?" in a password would put the rest of it, with the "@", into the database or a parameter name.
  if (
    before.includes('@', authority.length) ||
    query.split('&').some((token) => token.split('=', 1)[0]?.includes('@'))
  ) {
    return { problem: 'an "@" stands after the first "/" or "?"', hint: encodeHint };
  }
  const userInfo = at === -1 ? '' : authority.slice(0, at);
  const colon = userInfo.indexOf(':');
  const user = decode(colon === -1 ? userInfo : userInfo.slice(0, colon), 'percent');
  const password = decode(colon === -1 ? '' : userInfo.slice(colon + 1), 'percent');
  if (user === null) return badEncoding('The user');
  if (password === null) return badEncoding('The password');
  const raw = readParameters(query, 'percent');
  if ('problem' in raw) return raw;
  const parameters = new Map<string, string>();
  for (const [name, value] of raw) {
    const known = Object.hasOwn(libpqNames, name) ? (libpqNames[name] ?? name) : name;
    parameters.set(known, name === 'target_session_attrs' ? (sessionAttributes[value] ?? value) : value);
  }
  const addresses = [];
  for (const { host, port } of splitAddresses(authority.slice(at + 1))) {
    const decoded = decode(host, 'percent');
    if (decoded === null) return badEncoding('The host');
    addresses.push({ host: decoded, port });
  }
  const databaseName = decode(slash === -1 ? '' : before.slice(slash + 1), 'percent');
  if (databaseName === null) return badEncoding('The database name');
  const named = authority.slice(at + 1) !== '';
  return {
    addresses: named ? addresses : undefined,
    databaseName: databaseName === '' ? undefined : databaseName,
    user: user === '' ? undefined : user,
    password: colon === -1 ? undefined : password,
    parameters,
  };
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

type Coding = 'form' | 'percent';

function readParameters(query: string, coding: Coding): ReadonlyMap<string, string> | UrlProblem {
  const parameters = new Map<string, string>();
  for (const token of query.split('&')) {
    if (token === '') continue;
    const equals = token.indexOf('=');
    const name = equals === -1 ? token : token.slice(0, equals);
    const value = equals === -1 ? '' : decode(token.slice(equals + 1), coding);
    if (value === null) return badEncoding(`The parameter ${/^\w+$/.test(name) ? name : '(unreadable name)'}`);
    parameters.set(name, value);
  }
  return parameters;
}

function badEncoding(what: string): UrlProblem {
  return { problem: `${lowerFirst(what)} holds a "%" that does not start a valid percent code`, hint: encodeHint };
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** pgjdbc decodes as HTML forms do ("+" is a blank), libpq only percent codes. Null: malformed. */
function decode(text: string, coding: Coding): string | null {
  try {
    return decodeURIComponent(coding === 'form' ? text.replaceAll('+', ' ') : text);
  } catch {
    return null;
  }
}
