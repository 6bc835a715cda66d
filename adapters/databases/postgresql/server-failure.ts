import type { ServerFailure } from '../../../src/adapter/database.js';
import { FlybackError, type ErrorCode } from '../../../src/errors/error.js';
import type { ServerCondition } from '../../../src/errors/server-condition.js';

/** The fields of a pg error that flyback relies on (PostgreSQL manual, "Error and Notice Message Fields"). */
interface PgError extends Error {
  readonly code?: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly position?: string;
}

/**
 * SQLSTATEs after which the server has closed the connection, though it still could say why: shutdowns, a database that was
 * dropped, and the timeouts of idle sessions and of whole transactions (PostgreSQL manual, "PostgreSQL Error Codes").
 */
const closing = new Set(['57P01', '57P02', '57P03', '57P04', '57P05', '25P03', '25P04']);

/** Settings by which a server closes a connection, each with the SQLSTATE that it gives then. */
const closingLimits: Readonly<Record<string, string>> = {
  '25P03': 'idle_in_transaction_session_timeout',
  '25P04': 'transaction_timeout',
  '57P05': 'idle_session_timeout',
};

function limitHint(serverCode: string | undefined): string | undefined {
  const setting = serverCode === undefined ? undefined : closingLimits[serverCode];
  return setting === undefined ? undefined : `Raise the limit for the role: ALTER ROLE … SET ${setting} = ….`;
}

/** By SQLSTATE (PostgreSQL manual, "PostgreSQL Error Codes"). */
const conditions: Readonly<Record<string, ServerCondition>> = {
  '2BP01': 'dependents-exist',
  '2D000': 'commits-by-itself',
  '22001': 'value-unfit',
  '22003': 'value-unfit',
  '22004': 'value-unfit',
  '22008': 'value-unfit',
  '23505': 'key-taken',
  '25001': 'transaction-refused',
  '40P01': 'deadlock',
  '42501': 'privilege-missing',
  '42703': 'column-missing',
  '42704': 'object-missing',
  '42883': 'object-missing',
  '42P01': 'table-missing',
  '42P07': 'object-exists',
  '53100': 'disk-full',
  '55P03': 'lock-timeout',
  '57014': 'cancelled',
};

function conditionOf({ code = '', message, hint }: PgError): ServerCondition | undefined {
  const known = conditions[code];
  if (known !== undefined) return known;
  if (code.startsWith('22')) return 'value-unsuited';
  if (code.startsWith('23')) return 'constraint-violated';
  // Memory runs out for other reasons too.
  return code === '53200' && /shared memory|max_locks_per_transaction/.test(`${message}${hint ?? ''}`)
    ? 'lock-table-full'
    : undefined;
}

/** What a server, or the loss of it, made of a message. */
export function serverFailure(cause: unknown): ServerFailure {
  const error = cause as PgError;
  const isServers = typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) && 'severity' in error;
  return {
    message: error.message,
    serverCode: isServers ? error.code : undefined,
    condition: isServers ? conditionOf(error) : undefined,
    detail: isServers ? error.detail : undefined,
    hint: isServers ? (error.hint ?? limitHint(error.code)) : undefined,
    position: isServers && error.position !== undefined ? Number(error.position) : undefined,
    connectionLost: !isServers || closing.has(error.code ?? ''),
    cause,
  };
}

/** An error of connecting or of one of flyback's own statements, with what to do about it. */
export function sessionError(cause: unknown, doing: string, stage: 'connecting' | 'connected'): FlybackError {
  if (cause instanceof FlybackError) return cause;
  const error = cause as PgError;
  const failure = serverFailure(cause);
  if (stage === 'connected' && failure.connectionLost) {
    return new FlybackError('connection-lost', `The connection to the server was lost (${error.message}).`, {
      hint: failure.hint ?? 'Check the server and the network, then run flyback status to see where things stand.',
      cause,
      serverCode: failure.serverCode,
      condition: failure.condition,
    });
  }
  const { code: likely, hint } = advice(error);
  const code = stage === 'connected' && likely === 'connection-failed' ? 'script-failed' : likely;
  return new FlybackError(code, `${doing}: ${error.message || String(error.code ?? cause)}.`.replace(/\.\.$/, '.'), {
    hint,
    cause,
    serverCode: /^[0-9A-Z]{5}$/.test(error.code ?? '') ? error.code : undefined,
    condition: failure.condition,
  });
}

function advice(error: PgError): { readonly code: ErrorCode; readonly hint: string } {
  const state = error.code ?? '';
  if (state === '28P01' || state === '28000' || /password must be a string|no password|SASL/i.test(error.message)) {
    return {
      code: 'authentication-failed',
      hint: 'Check user and password; FLYWAY_PASSWORD or FLYBACK_PASSWORD can carry the password.',
    };
  }
  if (state === '3D000') return { code: 'connection-failed', hint: 'Check the database name at the end of the URL.' };
  if (state === '42501')
    return {
      code: 'privilege-missing',
      hint: 'Grant the privilege to the role, or connect as the owner of the objects.',
    };
  if (state === '25006') return { code: 'server-read-only', hint: 'Connect to the primary server.' };
  if (state === '53300')
    return {
      code: 'connection-failed',
      hint: 'All connection slots are taken: end idle sessions or raise max_connections.',
    };
  if (state === '55P03')
    return { code: 'lock-unavailable', hint: 'Another session holds the lock: wait for it, or raise run.lockTimeout.' };
  if (state === '57014')
    return /user request/.test(error.message)
      ? { code: 'cancelled', hint: 'Nothing of the statement remains.' }
      : { code: 'script-failed', hint: 'Raise run.statementTimeout, or that of the role; nothing of it remains.' };
  if (/does not support SSL|SSL connection|certificate|self.signed|altnames/i.test(error.message)) {
    return { code: 'connection-failed', hint: 'Check sslmode and sslrootcert in the connection URL.' };
  }
  if (state === 'ECONNREFUSED')
    return { code: 'connection-failed', hint: 'Nothing listens there: check host and port, and that the server runs.' };
  if (state === 'ENOTFOUND' || state === 'EAI_AGAIN')
    return { code: 'connection-failed', hint: 'The host name does not resolve: check the URL.' };
  if (state === 'ENOENT')
    return { code: 'connection-failed', hint: 'The socket folder holds no server socket: check path and port.' };
  if (/timeout|timed out/i.test(error.message) || state === 'ETIMEDOUT') {
    return { code: 'connection-failed', hint: 'The server did not answer in time: check host, port and firewall.' };
  }
  if (/received invalid response|unexpected message|Expected/i.test(error.message)) {
    return {
      code: 'connection-failed',
      hint: 'What answers at this address is not a PostgreSQL server: check host and port.',
    };
  }
  if (/^[0-9A-Z]{5}$/.test(state) && 'severity' in error) {
    return { code: 'connection-failed', hint: `The server says ${state}; see "PostgreSQL Error Codes" in its manual.` };
  }
  return {
    code: 'connection-lost',
    hint: 'Check the server and the network, then run flyback status to see where things stand.',
  };
}
