import type { ServerFacts, ServerIdentity } from '../adapter/database.js';

/** Who answers under the address of a run's session when it is opened anew. */
export type Successor =
  | { readonly kind: 'same' }
  /** The same data up to some moment: what the first server committed last may be missing here. */
  | { readonly kind: 'successor'; readonly words: string }
  | { readonly kind: 'other'; readonly words: string };

/** Compares the server that a run began on with the one that answers now. What neither tells counts as equal. Pure. */
export function successorOf(first: Pick<ServerFacts, 'identity'>, now: Pick<ServerFacts, 'identity'>): Successor {
  const before = first.identity;
  const after = now.identity;
  if (differ(before, after, 'database')) {
    return {
      kind: 'other',
      words: `another database answers at this address now (${after.database ?? ''}; the run began on ${before.database ?? ''})`,
    };
  }
  if (differ(before, after, 'timeline')) {
    return {
      kind: 'successor',
      words: `the server that answers at this address now is not the one that the run began on: a standby was promoted or a backup restored (timeline ${after.timeline ?? 0} instead of ${before.timeline ?? 0})`,
    };
  }
  if (before.walPosition !== null && after.walPosition !== null && after.walPosition < before.walPosition) {
    return {
      kind: 'successor',
      words:
        'the server that answers at this address now is not the one that the run began on: an older copy, which lacks what that one had written',
    };
  }
  return { kind: 'same' };
}

function differ(before: ServerIdentity, after: ServerIdentity, key: 'database' | 'timeline'): boolean {
  return before[key] !== null && after[key] !== null && before[key] !== after[key];
}
