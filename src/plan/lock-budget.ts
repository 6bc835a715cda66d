import type { ServerFacts } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';

/** What a run locks besides the objects of the scripts: history, record, their indexes, catalogs, the tool's lock. */
const ownLocks = 20;

/**
 * Refuses a plan whose locks would not fit into the server's lock table when all steps share one transaction, because
 * the server would only find out after most of the work ("out of shared memory"). `locks` counts every object that the
 * scripts lock: what they drop with all its parts, and the tables they change; undefined when locks do not add up.
 */
export function checkLockBudget(facts: ServerFacts, steps: number, locks: number | undefined): void {
  if (locks === undefined) return;
  const needed = locks + ownLocks;
  const room = facts.lockTableSize;
  if (needed <= room) return;
  const fitting = Math.max(1, Math.floor((steps * (room - ownLocks)) / locks));
  throw new FlybackError(
    'plan-refused',
    `One transaction over ${steps} versions would need about ${needed} locks; this server has room for about ${room} (max_locks_per_transaction).`,
    {
      hint: `Leave out --single-transaction (each version then has a transaction of its own), take fewer versions at once (about ${fitting} fit), or raise max_locks_per_transaction by a factor of ${Math.ceil((needed / room) * 10) / 10} and restart the server.`,
    },
  );
}
