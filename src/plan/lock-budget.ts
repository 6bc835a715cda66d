import type { ServerFacts } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';

/** Locks that a step takes besides those of what it drops: history, record, catalogs, the tables it alters. */
const locksPerStep = 2;

/**
 * Refuses a plan whose locks would not fit into the server's lock table when all steps share one transaction, because
 * the server would only find out after most of the work ("out of shared memory"). `dependents` counts every object
 * that the drops remove, each of which is locked until the end.
 *
 * The lock table is shared by all sessions and holds max_locks_per_transaction × all possible backends
 * (PostgreSQL manual, "Lock Management").
 */
export function checkLockBudget(
  request: { readonly session: { readonly facts: ServerFacts }; readonly locksAddUp: 'yes' | 'no' },
  steps: number,
  dependents: number | undefined,
): void {
  if (request.locksAddUp === 'no' || dependents === undefined) return;
  const needed = dependents + steps * locksPerStep;
  const room = request.session.facts.lockTableSize;
  if (needed <= room) return;
  throw new FlybackError(
    'plan-refused',
    `One transaction over ${steps} versions would need about ${needed} locks; this server has room for ${room} (max_locks_per_transaction).`,
    {
      hint: `Leave out --single-transaction (each version then has a transaction of its own), take fewer versions at once (about ${Math.max(1, Math.floor((steps * room) / needed))} fit), or raise max_locks_per_transaction by a factor of ${Math.ceil((needed / room) * 10) / 10} and restart the server.`,
    },
  );
}
