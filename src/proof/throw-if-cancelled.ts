import { FlybackError } from '../errors/error.js';

/** Throws FlybackError cancelled when the person has asked for the end. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new FlybackError('cancelled', 'The proof was cancelled.', { hint: 'Nothing but scratch data was touched.' });
}
