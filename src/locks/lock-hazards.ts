import type { LockHolder } from '../adapter/locks.js';
import type { Finding } from '../errors/finding.js';
import type { Blocker } from './blocker.js';
import { describeHolder, printAge } from './describe-holder.js';
import { endingOf } from './ending.js';

/** As many holders are told one by one; a pile of readers looks alike anyway. */
const toldOneByOne = 10;

interface LockHazards {
  readonly blockers: readonly Blocker[];
  /** Transactions with a snapshot, and the statement that has to wait for them; empty when none does. */
  readonly snapshots: readonly LockHolder[];
  readonly waitingPlace: string;
  /** What the role does not see, as a sentence; null when it sees everything. */
  readonly hidden: string | null;
  /** The statement with which a person may end a holder. */
  readonly endingStatement: (holder: LockHolder) => string;
}

/** What a person should know about others before saying yes. Holders must be presentable. */
export function lockHazards(found: LockHazards): readonly Finding[] {
  const { blockers, snapshots, hidden } = found;
  const told = blockers.slice(0, toldOneByOne).map((blocker) => blockerFinding(blocker, found.endingStatement));
  const isIncomplete =
    hidden !== null && (found.waitingPlace !== '' || blockers.some(({ holder }) => holder.state === 'unknown'));
  return [
    ...told,
    ...(blockers.length > told.length ? [othersFinding(blockers.slice(told.length))] : []),
    ...snapshots.map((holder) => longFinding(holder, found.waitingPlace)),
    ...(isIncomplete ? [hiddenFinding(hidden)] : []),
  ];
}

function blockerFinding(blocker: Blocker, endingStatement: (holder: LockHolder) => string): Finding {
  const { holder, locks, holds } = blocker;
  const [first] = locks;
  const names = locks.map(({ level, on }) => `${level} on ${on}`);
  const listed = `${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`;
  const words = describeHolder(holder);
  const has = `${words.slice(0, 1).toUpperCase()}${words.slice(1)} ${holds ? 'holds' : 'is waiting for'} ${listed}`;
  const query = holder.query === null || holder.query === '' ? '' : `: ${holder.query}`;
  const subject = first?.version === undefined ? (first?.on ?? '') : `${first.version}, line ${first.line ?? 0}`;
  switch (holder.kind) {
    case 'prepared-transaction':
      return {
        code: 'prepared-transaction-holds-lock',
        severity: 'warning',
        subject,
        message: `${has}; it will not end by itself, not even when the server restarts.`,
        hint: `Ask whoever prepared it, then COMMIT PREPARED or ${endingStatement(holder)}, in this database.`,
      };
    case 'autovacuum-wraparound':
      return {
        code: 'wraparound-vacuum',
        severity: 'warning',
        subject,
        message: `${has}; the server does not cancel it when somebody waits${query}.`,
        hint: `Let it finish (pg_stat_progress_vacuum tells how far it is). It can be ended with ${endingStatement(holder)}, and will begin anew.`,
      };
    case 'autovacuum':
      return {
        code: 'autovacuum-holds-lock',
        severity: 'info',
        subject,
        message: `${has}; the server cancels it about a second after somebody begins to wait for it${query}.`,
        hint: 'Nothing needs to be done.',
      };
    case 'session':
    case 'replication':
    case 'background':
      return {
        code: 'lock-held',
        severity: 'warning',
        subject,
        message: `${has}, which must end first${query}.`,
        hint: hintAbout(holder),
      };
  }
}

function hintAbout(holder: LockHolder): string {
  const ending = endingOf(holder);
  return ending.kind === 'leave'
    ? `Let it finish: ${ending.reason}.`
    : 'Wait for it or end it; rollback --cancel-blockers shows such sessions, asks, and ends them.';
}

function othersFinding(others: readonly Blocker[]): Finding {
  const objects = [...new Set(others.flatMap(({ locks }) => locks.map(({ on }) => on)))];
  return {
    code: 'lock-held',
    severity: 'warning',
    subject: objects.slice(0, 3).join(', '),
    message: `${others.length} more hold locks that must go first.`,
    hint: 'pg_locks and pg_stat_activity list them.',
  };
}

function longFinding(holder: LockHolder, place: string): Finding {
  const words = describeHolder(holder);
  return {
    code: 'long-transaction',
    severity: 'warning',
    subject: place,
    message: `The statement waits for every older transaction, and ${words} has been open for ${printAge(holder.openMs ?? 0)}${holder.query === null || holder.query === '' ? '' : `: ${holder.query}`}.`,
    hint: 'Wait until it has ended: a statement that says CONCURRENTLY and gives up waiting leaves an invalid index behind.',
  };
}

function hiddenFinding(hidden: string): Finding {
  return {
    code: 'sessions-hidden',
    severity: 'info',
    subject: 'connection',
    message: `What is told of other sessions may be incomplete. ${hidden}`,
    hint: 'Roles like pg_monitor have that right too.',
  };
}
