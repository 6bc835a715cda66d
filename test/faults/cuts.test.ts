import { describe, expect, test } from 'vitest';
import { newestServer } from '../harness/postgres.js';
import { runCuts } from './cuts.js';
import { commandUnderTest, isFull, masterSeed, replayed } from './extent.js';
import type { Form } from './fixture.js';
import { summaryText } from './summary.js';

/* The connection is cut after each message that the protocol exchanges, one run after the other. */

/**
 * In which steps through the messages of client and server; another seed begins with another message. The client's are
 * few, and what it has sent decides: of the server's answers in between each third is enough where the transactional form
 * has gone through all. Where no version has a transaction, the same is said again and again, and the mixed form says it
 * too.
 */
const paces: readonly (readonly [Form, number, number])[] = isFull
  ? [
      ['transactional', 1, 1],
      ['mixed', 1, 3],
      ['journalled', 4, 16],
    ]
  : [
      ['transactional', 2, 40],
      ['mixed', 5, 80],
      ['journalled', 25, 200],
    ];

describe.each([
  ['and comes back', true],
  ['and stays away', false],
])('the connection is cut %s', (title, isReachable) => {
  test.each(paces)('%s', async (form, client, server) => {
    const often = isReachable ? 1 : 5;
    const every = { client: client * often, server: server * often };
    const summary = await runCuts({
      cli: commandUnderTest,
      form,
      server: newestServer(),
      isReachable,
      every,
      seed: masterSeed,
      only: replayed,
    });
    const extent = `client 1/${every.client}, server 1/${every.server}, FLYBACK_FAULTS_SEED=${masterSeed}`;
    console.log(summaryText(`connections cut ${title}, ${form}`, summary, extent));
    expect(summary.wrong).toEqual([]);
  });
});
