import { FlybackError } from '../errors/error.js';

/** Waits, or throws `cancelled` as soon as the signal is given. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  throwIfCancelled(signal);
  await new Promise<void>((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal?.addEventListener('abort', finish);
  });
  throwIfCancelled(signal);
}

export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw cancelledError();
}

export function cancelledError(): FlybackError {
  return new FlybackError('cancelled', 'The run was cancelled; the transaction in progress was rolled back.', {
    hint: 'flyback status shows where the history stands.',
  });
}
