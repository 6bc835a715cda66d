import { fileURLToPath } from 'node:url';

/*
 * What is tried, and how much of it. `npm run test:faults` sets FLYBACK_FAULTS=full (vitest.config.ts); everywhere else a
 * sample runs.
 */

/** Everything, not a sample. */
export const isFull = process.env['FLYBACK_FAULTS'] === 'full';

/** FLYBACK_FAULTS_SEED: from it the rounds of each test draw theirs; printed with what came of it. */
export const masterSeed = Number(process.env['FLYBACK_FAULTS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** FLYBACK_FAULTS_ROUND: one round to be played again, alone; its test is chosen with -t. */
export const replayed = process.env['FLYBACK_FAULTS_ROUND'];

/** FLYBACK_COMMAND: cli.js of another build, beside which lies its index.js. */
export const commandUnderTest =
  process.env['FLYBACK_COMMAND'] ?? fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
