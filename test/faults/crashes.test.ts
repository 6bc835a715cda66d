import { describe, expect, test } from 'vitest';
import { testServers } from '../harness/postgres.js';
import { commandUnderTest, isFull, masterSeed, replayed } from './extent.js';
import type { Form } from './fixture.js';
import { runRounds } from './rounds.js';
import { summaryText } from './summary.js';

/* Faults at random moments. Immediate shutdowns come to servers of their own. */

/** The same number of rounds with transactions as without. */
const extents: readonly (readonly [Form, number])[] = isFull
  ? [
      ['transactional', 200],
      ['mixed', 100],
      ['journalled', 100],
    ]
  : [
      ['transactional', 8],
      ['mixed', 4],
      ['journalled', 4],
    ];

describe.each([
  ['kill', 'kill -9'],
  ['terminate', 'pg_terminate_backend'],
  ['crash', 'immediate shutdown'],
] as const)('%s', (fault, title) => {
  test.each(extents)('%s', async (form, rounds) => {
    const summary = await runRounds({
      cli: commandUnderTest,
      fault,
      form,
      rounds: replayed === undefined ? rounds : 1,
      seed: replayed === undefined ? masterSeed : Number(replayed),
      isReplay: replayed !== undefined,
      servers: testServers(),
    });
    console.log(summaryText(`${title}, ${form}`, summary, `seed ${masterSeed}`));
    expect(summary.wrong).toEqual([]);
  });
});
