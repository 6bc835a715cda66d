import type { ServerFailure } from '../../../src/adapter/database.js';
import { FlybackError, type ErrorCode } from '../../../src/errors/error.js';
import type { ServerCondition } from '../../../src/errors/server-condition.js';

/** A failure with both codes: `serverCode` is the error number, which says more than the SQLSTATE (mostly HY000). */
export interface MysqlFailure extends ServerFailure {
  readonly sqlState: string | undefined;
}

/** The fields of an error of mysql2 that flyback relies on. */
interface DriverError extends Error {
  /** ER_… for what a server said; else a name of the driver's or the system's. */
  readonly code?: string;
  readonly errno?: number;
  readonly sqlState?: string;
  /** The whole statement, with whatever secrets it holds. */
  sql?: string;
}

/**
 * Numbers after which the connection is gone, though the server or driver still could say why (MySQL manual, "Server Error
 * Message Reference"; MariaDB, "MariaDB Error Code Reference"): shutdown, network trouble, KILL, idle too long.
 */
const closing = new Set([1053, 1152, 1153, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 3169, 4031]);

const syntaxErrors = new Set([1064, 1149]);

/** By error number (MySQL manual, "Server Error Message Reference"; MariaDB documentation, "MariaDB Error Code Reference"). */
const conditions: Readonly<Record<number, ServerCondition>> = {
  1205: 'lock-timeout',
  3572: 'lock-timeout',
  1213: 'deadlock',
  1317: 'cancelled',
  1969: 'cancelled',
  3024: 'cancelled',
  1217: 'dependents-exist',
  1451: 'dependents-exist',
  1553: 'dependents-exist',
  1829: 'dependents-exist',
  3730: 'dependents-exist',
  1051: 'table-missing',
  1146: 'table-missing',
  1054: 'column-missing',
  1072: 'column-missing',
  1091: 'object-missing',
  1176: 'object-missing',
  1305: 'object-missing',
  1360: 'object-missing',
  1007: 'object-exists',
  1050: 'object-exists',
  1062: 'key-taken',
  1586: 'key-taken',
  1048: 'constraint-violated',
  1216: 'constraint-violated',
  1452: 'constraint-violated',
  3819: 'constraint-violated',
  4025: 'constraint-violated',
  1044: 'privilege-missing',
  1142: 'privilege-missing',
  1143: 'privilege-missing',
  1227: 'privilege-missing',
  1370: 'privilege-missing',
  1021: 'disk-full',
  1114: 'disk-full',
  1206: 'lock-table-full',
  1264: 'value-unfit',
  1265: 'value-unfit',
  1406: 'value-unfit',
  1292: 'value-unsuited',
  1366: 'value-unsuited',
  4038: 'value-unsuited',
};

/** What a server, or the loss of it, made of `statement`. The cause keeps no statement. */
export function mysqlFailure(cause: unknown, statement?: string): MysqlFailure {
  const error = cause as DriverError;
  // It may hold passwords (IDENTIFIED BY …), and is known to the caller.
  if (typeof cause === 'object' && cause !== null) Reflect.deleteProperty(cause, 'sql');
  const isServers = isServerError(error);
  const errno = isServers ? error.errno : undefined;
  return {
    message: error.message,
    serverCode: errno === undefined ? undefined : String(errno),
    condition: errno === undefined ? undefined : conditions[errno],
    sqlState: isServers ? error.sqlState : undefined,
    detail: undefined,
    hint: errno === undefined ? undefined : advice(error)?.hint,
    position:
      errno !== undefined && syntaxErrors.has(errno) ? syntaxErrorPosition(error.message, statement) : undefined,
    connectionLost: errno === undefined || closing.has(errno),
    cause,
  };
}

function isServerError(error: DriverError): boolean {
  return typeof error.errno === 'number' && error.errno >= 1000 && typeof error.sqlState === 'string';
}

/** How many bytes of the rest of the statement the server quotes; a character that would not fit whole is left out. */
const quotedBytes = 80;

/**
 * Where "near '…' at line N" points to: 1-based, in code points; undefined when several places fit. The server quotes the
 * statement from the token that it did not expect, at most 80 bytes of it; MariaDB writes "..." behind what it cuts off.
 */
export function syntaxErrorPosition(message: string, statement: string | undefined): number | undefined {
  const match = /near '([^]*)' at line (\d+)$/.exec(message);
  if (match === null || statement === undefined) return undefined;
  const [, near = '', line] = match;
  const candidates: number[] = [];
  const quoted = near.endsWith('...') && !statement.endsWith(near) ? near.slice(0, -3) : near;
  if (statement.endsWith(near)) candidates.push(statement.length - near.length);
  else if (Buffer.byteLength(quoted) >= quotedBytes - 10) {
    for (
      let at = statement.indexOf(quoted);
      at !== -1 && candidates.length < 50;
      at = statement.indexOf(quoted, at + 1)
    )
      candidates.push(at);
  }
  const fitting = candidates.filter((at) => statement.slice(0, at).split('\n').length === Number(line));
  const [only] = fitting;
  if (only === undefined || fitting.length > 1) return undefined;
  // At the end of the statement the last character is the nearest place.
  return Math.max(1, Array.from(statement.slice(0, only)).length + (near === '' ? 0 : 1));
}

/** An error of connecting or of one of flyback's own statements, with what to do about it. */
export function sessionError(cause: unknown, doing: string, stage: 'connecting' | 'connected'): FlybackError {
  if (cause instanceof FlybackError) return cause;
  const error = cause as DriverError;
  const failure = mysqlFailure(cause);
  if (stage === 'connected' && failure.connectionLost) {
    return new FlybackError('connection-lost', `The connection to the server was lost (${error.message}).`, {
      hint: 'Check the server and the network, then run flyback status to see where things stand.',
      cause,
      serverCode: failure.serverCode,
      condition: failure.condition,
    });
  }
  const { code, hint } = advice(error) ?? {
    code:
      failure.serverCode === undefined
        ? 'connection-lost'
        : stage === 'connecting'
          ? 'connection-failed'
          : 'script-failed',
    hint:
      failure.serverCode === undefined
        ? 'Check the server and the network, then run flyback status to see where things stand.'
        : `The server says ${failure.serverCode} (${failure.sqlState ?? ''}); see the error reference of its manual.`,
  };
  return new FlybackError(
    stage === 'connected' && code === 'connection-failed' ? 'script-failed' : code,
    `${doing}: ${error.message || String(error.code ?? cause)}.`.replace(/\.\.$/, '.'),
    { hint, cause, serverCode: failure.serverCode, condition: failure.condition },
  );
}

interface Advice {
  readonly code: ErrorCode;
  readonly hint: string;
}

const privilege: Advice = {
  code: 'privilege-missing',
  hint: 'Grant the privilege to the account, or connect as another one.',
};
const signIn: Advice = {
  code: 'authentication-failed',
  hint: 'Check user and password, and from which hosts the account may connect; FLYWAY_PASSWORD or FLYBACK_PASSWORD can carry the password.',
};
const readOnly: Advice = { code: 'server-read-only', hint: 'Connect to the primary server.' };
const locked: Advice = {
  code: 'lock-unavailable',
  hint: 'Another session holds the lock: wait for it, or raise run.lockTimeout.',
};
const full: Advice = {
  code: 'connection-failed',
  hint: 'All connections are taken: end idle sessions or raise max_connections.',
};

const byNumber: Readonly<Record<number, Advice>> = {
  1040: full,
  1203: full,
  1226: full,
  1044: privilege,
  1142: privilege,
  1143: privilege,
  1227: privilege,
  1370: privilege,
  1419: privilege,
  1045: signIn,
  1130: signIn,
  1251: signIn,
  1698: signIn,
  1862: { code: 'authentication-failed', hint: 'The password has expired: set a new one with ALTER USER.' },
  1049: { code: 'connection-failed', hint: 'Check the database name at the end of the URL.' },
  1129: { code: 'connection-failed', hint: 'The server blocks this host after too many failures: FLUSH HOSTS there.' },
  1205: locked,
  1213: { code: 'lock-unavailable', hint: 'The server ended this side of a deadlock: run the command again.' },
  3572: locked,
  1290: readOnly,
  1792: readOnly,
  1836: readOnly,
  1317: { code: 'cancelled', hint: 'What the statement had not committed does not remain.' },
  1969: { code: 'script-failed', hint: 'Raise run.statementTimeout, or max_statement_time of the account.' },
  3024: { code: 'script-failed', hint: 'Raise run.statementTimeout, or max_execution_time.' },
  3159: {
    code: 'connection-failed',
    hint: 'The server accepts encrypted connections only: set sslMode=REQUIRED or more.',
  },
};

const byName: Readonly<Record<string, Advice>> = {
  HANDSHAKE_NO_SSL_SUPPORT: {
    code: 'connection-failed',
    hint: 'The server offers no TLS: set it up there, or lower sslMode in the connection URL.',
  },
  HANDSHAKE_SSL_ERROR: { code: 'connection-failed', hint: 'Check sslMode and serverSslCert in the connection URL.' },
  MYSQL_CLEAR_PASSWORD_NOT_ENABLED: {
    code: 'authentication-failed',
    hint: 'The server asks for the password in clear text, which flyback never sends: use an account with another plugin.',
  },
  AUTH_SWITCH_PLUGIN_ERROR: signIn,
  ECONNREFUSED: {
    code: 'connection-failed',
    hint: 'Nothing listens there: check host and port, and that the server runs.',
  },
  ENOTFOUND: { code: 'connection-failed', hint: 'The host name does not resolve: check the URL.' },
  EAI_AGAIN: { code: 'connection-failed', hint: 'The host name does not resolve: check the URL.' },
  ENOENT: { code: 'connection-failed', hint: 'There is no socket at this path: check it, and that the server runs.' },
  ETIMEDOUT: { code: 'connection-failed', hint: 'The server did not answer in time: check host, port and firewall.' },
  PROTOCOL_CONNECTION_LOST: {
    code: 'connection-lost',
    hint: 'Check the server and the network, then run flyback status to see where things stand.',
  },
};

function advice(error: DriverError): Advice | undefined {
  if (isServerError(error)) return byNumber[error.errno ?? 0];
  if (/unknown plugin/i.test(error.message))
    return {
      code: 'authentication-failed',
      hint: 'flyback signs in with mysql_native_password, caching_sha2_password and sha256_password: use an account with one of them.',
    };
  const known = Object.hasOwn(byName, error.code ?? '') ? byName[error.code ?? ''] : undefined;
  if (known !== undefined) return known;
  if (/certificate|self.signed|altnames|SSL|TLS/i.test(error.message)) return byName['HANDSHAKE_SSL_ERROR'];
  return undefined;
}
