import { guardMarks, type ServerFailure } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import type { QualifiedName } from '../history/history.js';
import { locate } from '../scripts/locate.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import type { Statement } from '../scripts/statement.js';

/** lock_timeout ran out, or a deadlock was resolved against us: trying again later can help. */
export function isLockTimeout(failure: ServerFailure): boolean {
  return failure.condition === 'lock-timeout' || failure.condition === 'deadlock';
}

/** The guard of a transaction has seen a session that may have read the history before: guardApproach. */
export function isToolNear(failure: ServerFailure): boolean {
  return failure.message.includes(guardMarks.toolNear);
}

/** The server ran out of room for locks (max_locks_per_transaction). */
export function isLockTableFull(failure: ServerFailure): boolean {
  return failure.condition === 'lock-table-full';
}

/** A failure of flyback's own statements around a script. */
export function guardError(failure: ServerFailure, table: QualifiedName): FlybackError {
  const name = `${table.schema}.${table.name}`;
  const marked = (mark: string): boolean => failure.message.includes(mark);
  if (marked(guardMarks.historyChanged)) {
    return new FlybackError(
      'history-changed',
      `Another process changed ${name} between two steps; the run stopped before the next one.`,
      {
        hint: 'Look at flyback status, and plan again.',
      },
    );
  }
  if (marked(guardMarks.lockLost)) {
    return new FlybackError(
      'lock-unavailable',
      `Another process took the migration tool's lock on ${name} between two steps; the run stopped before the next one.`,
      {
        hint: 'Wait until it has finished, look at flyback status, and plan again.',
      },
    );
  }
  if (marked(guardMarks.toolNear)) {
    return new FlybackError(
      'lock-unavailable',
      `A migration run that waits for the lock has read ${name} meanwhile, and would migrate on top of what is taken back here.`,
      { hint: 'Let it finish or stop it, then roll back.' },
    );
  }
  if (marked(guardMarks.backendChanged)) {
    return new FlybackError(
      'connection-lost',
      'The connection was moved to another server process in the middle of the run: a pooler in transaction mode stands in between.',
      {
        hint: 'Connect to the server directly.',
      },
    );
  }
  if (marked(guardMarks.tablesWritten)) {
    return new FlybackError(
      'script-failed',
      `The script changed ${name} or the record of flyback by itself, in a function or in dynamic SQL; everything was rolled back.`,
      {
        hint: 'A rollback script must leave the history table and the record alone: flyback removes the row of the version.',
      },
    );
  }
  if (marked(guardMarks.encodingChanged)) {
    return new FlybackError(
      'script-failed',
      'The script changed client_encoding, so the server misread what came after; everything was rolled back.',
      {
        hint: 'Save the script as UTF-8 and remove SET client_encoding (or set it to UTF8).',
      },
    );
  }
  if (marked(guardMarks.transactionEnded)) {
    return new FlybackError(
      'transaction-ended',
      'The script ended the transaction it ran in, or reset all settings (RESET ALL), which looks the same from here.',
      {
        hint: 'Take COMMIT, ROLLBACK and RESET ALL out of it; look at flyback status and at the objects of the script.',
        serverCode: failure.serverCode,
        condition: failure.condition,
      },
    );
  }
  if (failure.connectionLost) return connectionLostError(failure);
  if (failure.condition === 'lock-timeout') {
    return new FlybackError('lock-unavailable', `Could not lock ${name} in time: other sessions are using it.`, {
      hint: 'End long-running readers of the history table, or raise run.lockTimeout.',
      serverCode: failure.serverCode,
      condition: failure.condition,
    });
  }
  if (failure.condition === 'table-missing') {
    return new FlybackError(
      'script-failed',
      `The script removed a table that flyback needs (${failure.message}); everything was rolled back.`,
      {
        hint: 'A rollback script must leave the history table and the record of flyback alone.',
        serverCode: failure.serverCode,
        condition: failure.condition,
      },
    );
  }
  if (failure.condition === 'constraint-violated' || failure.condition === 'key-taken') {
    return new FlybackError(
      'integrity-violated',
      `A deferred constraint does not hold after the script: ${failure.message}${failure.detail === undefined ? '' : ` (${failure.detail})`}`,
      {
        hint: 'Correct the script so that the data fits the constraints again.',
        serverCode: failure.serverCode,
        condition: failure.condition,
      },
    );
  }
  if (failure.condition === 'privilege-missing') {
    return new FlybackError('privilege-missing', `The role may not do what a rollback needs: ${failure.message}.`, {
      hint: 'Grant the privilege, or connect as the owner of the objects.',
      serverCode: failure.serverCode,
      condition: failure.condition,
    });
  }
  if (isLockTableFull(failure)) return lockTableError(failure);
  if (failure.condition === 'cancelled') return cancelledOrTimedOut(failure);
  if (failure.condition === 'disk-full') {
    return new FlybackError('script-failed', `flyback could not write its own entries: ${failure.message}.`, {
      hint: diskFullHint,
      serverCode: failure.serverCode,
      condition: failure.condition,
    });
  }
  return new FlybackError('script-failed', `The server refused a statement of flyback: ${failure.message}`, {
    hint: failure.hint ?? 'Everything was rolled back.',
    serverCode: failure.serverCode,
    condition: failure.condition,
  });
}

function cancelledOrTimedOut(failure: ServerFailure): FlybackError {
  return new FlybackError('script-failed', `The server cancelled the statement: ${failure.message}.`, {
    hint: 'If statement_timeout was too short for it, raise run.statementTimeout.',
    serverCode: failure.serverCode,
    condition: failure.condition,
  });
}

/** What to do when a connection was lost and nothing tells why. */
export const lookAgainHint = 'Check the server, then run flyback status to see where the history stands.';

export function connectionLostError(failure: ServerFailure): FlybackError {
  return new FlybackError(
    'connection-lost',
    `The connection to the server was lost (${failure.message}); the server rolls back what was not committed.`,
    {
      hint: failure.hint ?? lookAgainHint,
      serverCode: failure.serverCode,
      condition: failure.condition,
    },
  );
}

const diskFullHint = 'The disk of the server is full: make room there, then try again.';

function lockTableError(failure: ServerFailure): FlybackError {
  return new FlybackError(
    'script-failed',
    'The server has no room for more locks in one transaction (max_locks_per_transaction).',
    {
      hint: 'Leave out --single-transaction, take back fewer versions at once, or raise max_locks_per_transaction and restart the server.',
      serverCode: failure.serverCode,
      condition: failure.condition,
    },
  );
}

/** A failure of a statement of the script, with the place in the file. */
export function scriptError(failure: ServerFailure, script: RollbackScript, statement: Statement): FlybackError {
  if (failure.connectionLost) return connectionLostError(failure);
  if (isLockTableFull(failure)) return lockTableError(failure);
  const location = locate(script, statement, failure.position);
  const detail = failure.detail === undefined ? '' : ` (${failure.detail})`;
  const code =
    failure.condition === 'privilege-missing'
      ? 'privilege-missing'
      : isLockTimeout(failure)
        ? 'lock-unavailable'
        : 'script-failed';
  return new FlybackError(
    code,
    `Version ${script.version.text} could not be rolled back: ${failure.message}${detail}`,
    {
      hint: failure.hint ?? hintFor(failure),
      location,
      serverCode: failure.serverCode,
      condition: failure.condition,
    },
  );
}

function hintFor(failure: ServerFailure): string {
  switch (failure.condition) {
    case 'dependents-exist':
      return 'Other objects depend on it: drop them first in the script, or add CASCADE after reading what flyback plan says it would sweep.';
    case 'table-missing':
    case 'column-missing':
    case 'object-missing':
      return 'The object is not there: compare the script with the migration, or use IF EXISTS where absence is fine.';
    case 'privilege-missing':
      return 'Connect as the owner of the object, or grant the privilege.';
    case 'lock-timeout':
      return 'Another session holds the lock: end it or raise run.lockTimeout, then try again.';
    case 'disk-full':
      return diskFullHint;
    case 'cancelled':
      return 'If statement_timeout was too short, raise run.statementTimeout.';
    case 'transaction-refused':
      return 'This statement cannot run inside a transaction: write -- flyback: transaction off into the script.';
    case 'commits-by-itself':
      return 'The procedure or block commits by itself: write -- flyback: transaction off into the script.';
    default:
      return 'Everything was rolled back; correct the script and try again.';
  }
}
