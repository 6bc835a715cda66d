import type { Session } from '../adapter/database.js';

const againMs = 200;

/**
 * Ends whatever runs in these sessions once the signal is given, and again until nobody listens any more: a request that
 * arrives just before a statement is lost. Gives how to stop listening.
 */
export function cancelWhileAborted(signal: AbortSignal | undefined, sessions: Iterable<Session>): () => void {
  let again: NodeJS.Timeout | undefined;
  const cancel = (): void => {
    for (const session of sessions) void session.cancel();
  };
  const onAbort = (): void => {
    cancel();
    again = setInterval(cancel, againMs);
  };
  signal?.addEventListener('abort', onAbort);
  return () => {
    signal?.removeEventListener('abort', onAbort);
    clearInterval(again);
  };
}
