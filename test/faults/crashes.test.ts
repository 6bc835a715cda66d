import { afterAll, describe, expect, test } from 'vitest';
import { testServers } from '../harness/postgres.js';
import { commandUnderTest, isFull, masterSeed, replayed } from './extent.js';
import type { Form } from './fixture.js';
import { runRounds } from './rounds.js';
import { addUp, summaryText, type Summary } from './summary.js';

/* Faults at random moments. Immediate shutdowns come to servers of their own. */

/** Rounds of each form; 200 of each fault altogether. */
const extents: readonly (readonly [Form, number])[] = isFull
  ? [
      ['transactional', 80],
      ['mixed', 60],
      ['journalled', 60],
    ]
  : [
      ['transactional', 4],
      ['mixed', 4],
      ['journalled', 4],
    ];

describe.each([
  ['kill', 'kill -9'],
  ['terminate', 'pg_terminate_backend'],
  ['crash', 'immediate shutdown'],
] as const)('%s', (fault, title) => {
  const summaries: Summary[] = [];

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
    summaries.push(summary);
    console.log(summaryText(`${title}, ${form}`, summary, `FLYBACK_FAULTS_SEED=${masterSeed}`));
    expect(summary.wrong).toEqual([]);
  });

  afterAll(() => {
    console.log(summaryText(title, addUp(summaries), 'in all forms'));
  });
});
