import { fileURLToPath } from 'node:url';

/*
 * What is tried, and how much of it. `npm run test:faults` sets FLYBACK_FAULTS_DEADLINE (vitest.config.ts); everywhere else
 * a sample runs.
 */

/** When a full run must have come to its end, milliseconds since 1970. */
const deadline = process.env['FLYBACK_FAULTS_DEADLINE'];

/** Everything, not a sample. */
export const isFull = deadline !== undefined;

/** Throws when a full run has taken longer than it may: the rest is not left out silently. */
export function keepToTime(): void {
  if (Date.now() > Number(deadline ?? Infinity))
    throw new Error('The time for a full run of the faults is over (faultsBoundMs in vitest.config.ts).');
}

/** FLYBACK_FAULTS_SEED: from it the rounds of each test draw theirs; printed with what came of it. */
export const masterSeed = Number(process.env['FLYBACK_FAULTS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** FLYBACK_FAULTS_ROUND: one round to be played again, alone; its test is chosen with -t. */
export const replayed = process.env['FLYBACK_FAULTS_ROUND'];

/** FLYBACK_COMMAND: cli.js of another build, beside which lies its index.js. */
export const commandUnderTest =
  process.env['FLYBACK_COMMAND'] ?? fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
