import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCrashable, type CrashableServer } from '../harness/crashable-server.js';
import { testServers } from '../harness/postgres.js';
import { commandUnderTest, isFull, masterSeed, replayed } from './extent.js';
import type { Form } from './fixture.js';
import { fewestLanes, runRounds } from './rounds.js';
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
  const own: CrashableServer[] = [];

  beforeAll(async () => {
    const majors = testServers().map(({ major }) => major);
    const count = fault === 'crash' ? Math.max(fewestLanes, majors.length) : 0;
    await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        own[index] = await startCrashable(majors[index % majors.length] ?? 0);
      }),
    );
  });
  afterAll(() => Promise.all(own.map((server) => server.stop())));

  test.each(extents)('%s', async (form, rounds) => {
    const summary = await runRounds({
      cli: commandUnderTest,
      fault,
      form,
      rounds: replayed === undefined ? rounds : 1,
      seed: replayed === undefined ? masterSeed : Number(replayed),
      isReplay: replayed !== undefined,
      servers: fault === 'crash' ? own : testServers(),
    });
    summaries.push(summary);
    console.log(summaryText(`${title}, ${form}`, summary, `FLYBACK_FAULTS_SEED=${masterSeed}`));
    expect(summary.wrong).toEqual([]);
  });

  afterAll(() => {
    console.log(summaryText(title, addUp(summaries), 'in all forms'));
  });
});
