import type { LockHolder } from '../adapter/locks.js';
import { FlybackError } from '../errors/error.js';
import type { Blocker } from './blocker.js';
import { describeHolder } from './describe-holder.js';

/** What --cancel-blockers does about one holder. */
export type Ending =
  /** cancel: its statement, after which its transaction is over; terminate: the session, for there is no statement. */
  | { readonly kind: 'end'; readonly how: 'cancel' | 'terminate' }
  | { readonly kind: 'leave'; readonly reason: string }
  /** It could be ended, but not by this role. */
  | { readonly kind: 'forbidden'; readonly lacking: string };

/** A holder, why it is in the way ("holds ACCESS SHARE on public.orders"), and what is done about it. */
export interface PlannedEnding {
  readonly holder: LockHolder;
  readonly because: string;
  readonly ending: Ending;
}

/** Decides from what is known of the holder alone. What nobody can be sure about is left. */
export function endingOf(holder: LockHolder): Ending {
  switch (holder.kind) {
    case 'prepared-transaction':
      return leave('only who prepared it knows whether it must be committed or rolled back');
    case 'autovacuum-wraparound':
      return leave('it keeps the server from running out of transaction ids, and would begin anew');
    case 'autovacuum':
      return leave('it gives way by itself, about a second after somebody begins to wait for it');
    case 'replication':
      return leave('it keeps another server up to date');
    case 'background':
      return leave('it is a process of the server itself');
    case 'session':
  }
  switch (holder.belongsTo) {
    case 'flyback':
      return leave('it is another flyback');
    case 'migration-tool':
      return leave('it belongs to a migration in progress, or looks just like it');
    case 'others':
  }
  if (holder.lacking !== null) return { kind: 'forbidden', lacking: holder.lacking };
  switch (holder.state) {
    case 'running':
      return { kind: 'end', how: 'cancel' };
    case 'idle in transaction':
      return { kind: 'end', how: 'terminate' };
    case 'idle':
      return leave('it holds a lock outside of any transaction, which somebody wanted');
    case 'unknown':
      return leave('the server does not tell what it is doing');
  }
}

function leave(reason: string): Ending {
  return { kind: 'leave', reason };
}

/** What to do about everybody in the way; those who only wait in line get in when the others have gone. */
export function planEndings(blockers: readonly Blocker[], snapshots: readonly LockHolder[]): readonly PlannedEnding[] {
  return [
    ...blockers
      .filter(({ holds }) => holds)
      .map(({ holder, locks }) => ({
        holder,
        because: `holds ${locks
          .slice(0, 3)
          .map(({ level, on }) => `${level} on ${on}`)
          .join(', ')}${locks.length > 3 ? ` and ${locks.length - 3} more` : ''}`,
        ending: endingOf(holder),
      })),
    ...snapshots.map((holder) => ({
      holder,
      because: 'is older than a CONCURRENTLY statement',
      ending: endingOf(holder),
    })),
  ];
}

/** Throws FlybackError privilege-missing when one of them could be ended, but not by this role: half of it would be no help. */
export function requirePermitted(endings: readonly PlannedEnding[]): void {
  const forbidden = endings.flatMap(({ holder, ending }) =>
    ending.kind === 'forbidden' ? [{ holder, lacking: ending.lacking }] : [],
  );
  const [first] = forbidden;
  if (first === undefined) return;
  throw new FlybackError(
    'privilege-missing',
    `--cancel-blockers cannot end ${forbidden
      .slice(0, 3)
      .map(({ holder }) => describeHolder(holder))
      .join('; ')}${forbidden.length > 3 ? ` and ${forbidden.length - 3} more` : ''}. Nothing was ended.`,
    { hint: first.lacking },
  );
}
