import { describe, expect, test } from 'vitest';
import { newestServer } from '../harness/postgres.js';
import { runCuts } from './cuts.js';
import { commandUnderTest, isFull, masterSeed, replayed } from './extent.js';
import { forms } from './fixture.js';
import { summaryText } from './summary.js';

/* The connection is cut after each message that the protocol exchanges, one run after the other. */

/** After each so many messages: what all versions do without a transaction is what the one of the mixed form does. */
const pace = isFull
  ? { transactional: 1, mixed: 1, journalled: 10 }
  : { transactional: 20, mixed: 40, journalled: 100 };

describe.each([
  ['and comes back', true],
  ['and stays away', false],
])('the connection is cut %s', (title, isReachable) => {
  test.each(forms)('%s', async (form) => {
    const every = pace[form] * (isReachable ? 1 : 5);
    const summary = await runCuts({
      cli: commandUnderTest,
      form,
      server: newestServer(),
      isReachable,
      every,
      // Over many samples every message has its turn.
      first: 1 + (masterSeed % every),
      only: replayed,
    });
    const extent = every === 1 ? 'after every message' : `after every ${every}th message`;
    console.log(summaryText(`cuts ${title}, ${form}`, summary, extent));
    expect(summary.wrong).toEqual([]);
  });
});
