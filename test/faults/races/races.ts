import * as fs from 'node:fs/promises';
import path from 'node:path';
import { follow, type FlybackRun, type Round } from './round.js';

/*
 * The races. Each takes a round whose choices come from its seed, lets two or three processes meet, and waits for all of
 * them. What they leave is judged elsewhere; `expect` adds what must hold in this race alone.
 */

export interface Race {
  readonly title: string;
  readonly run: (round: Round) => Promise<void>;
  /** Sentences about what is wrong with how the processes ended. */
  readonly expect?: (round: Round) => readonly string[];
}

/** flyback's own session, by the name that it gives itself. */
const flybackSession = `application_name = 'flyback'`;

const sleeping = `state = 'active' AND query LIKE '%pg_sleep%'`;

/** What a rollback may be asked for: one to three versions, in transactions of their own or in one. */
function target(round: Round, mayShareTransaction = true): readonly string[] {
  const steps = round.between(1, 3);
  const shares = round.chance(0.3) && mayShareTransaction && steps > 1;
  return ['--steps', String(steps), ...(shares ? ['--single-transaction'] : [])];
}

/** Between reading the history and asking for its lock Flyway runs callbacks; a few projects have such. */
function callback(round: Round): string | undefined {
  return round.chance(0.15) ? `SELECT pg_sleep(${round.between(0, 400) / 1000});\n` : undefined;
}

/** Where the other process comes in: see meet. */
type Moment = 'when it asks for the lock' | 'while a script runs' | 'when it reads' | 'when it has connected' | 'any';

function chooseMoment(round: Round): Moment {
  const choice = round.random();
  if (choice < 0.4) return 'when it asks for the lock';
  if (choice < 0.65) return 'while a script runs';
  if (choice < 0.8) return 'when it reads';
  return choice < 0.9 ? 'when it has connected' : 'any';
}

/** flyback runs, and the other comes at the chosen moment or a little later. */
async function meet(
  round: Round,
  moment: Moment,
  flyback: () => Promise<FlybackRun>,
  other: () => Promise<unknown>,
): Promise<void> {
  round.note(`the other comes: ${moment}`);
  if (moment === 'when it asks for the lock') return round.beforeItAsksAgain(flyback, other);
  if (moment === 'when it reads') return round.together([flyback, other]);
  const running = follow(flyback());
  if (moment === 'any') await round.pause(0, 400);
  else {
    const isConnected = moment === 'when it has connected';
    await round.until(isConnected ? flybackSession : `${flybackSession} AND ${sleeping}`, running.isOver);
    await round.pause(0, isConnected ? 120 : 60);
  }
  await Promise.all([running.ended, other()]);
}

const migrateComes =
  (group: boolean, withoutTransaction: readonly number[] = []) =>
  async (round: Round): Promise<void> => {
    const moment = chooseMoment(round);
    const config = round.flywaySettings(group);
    await round.prepare({
      applied: 4,
      pending: round.chance(0.15) ? 0 : round.between(1, 2),
      longestNapMs: moment === 'while a script runs' || round.chance(0.3) ? 300 : 20,
      withoutTransaction,
      beforeMigrate: callback(round),
    });
    const versions = target(round, withoutTransaction.length === 0);
    await meet(
      round,
      moment,
      () => round.flyback('rollback', ...versions),
      () => round.flyway('migrate', config),
    );
  };

const rollbackComes =
  (group: boolean, withoutTransaction: readonly number[] = []) =>
  async (round: Round): Promise<void> => {
    const config = round.flywaySettings(group);
    await round.prepare({
      applied: 3,
      pending: round.between(1, 3),
      longestNapMs: round.chance(0.5) ? 30 : 500,
      withoutTransaction,
      beforeMigrate: callback(round),
    });
    const versions = target(round, withoutTransaction.length === 0);
    const migrate = (): Promise<unknown> => round.flyway('migrate', config);
    const rollback = (): Promise<unknown> => round.flyback('rollback', ...versions);
    // Both plan at the same moment, and flyback takes longer to ask for the lock; or flyback starts later.
    if (round.chance(0.6)) await round.together([migrate, rollback]);
    else {
      const migrating = migrate();
      await round.pause(0, 500);
      await Promise.all([migrating, rollback()]);
    }
  };

async function repairComes(round: Round): Promise<void> {
  const moment = chooseMoment(round);
  await round.prepare({
    applied: 4,
    pending: round.between(0, 1),
    longestNapMs: round.chance(0.5) ? 20 : 250,
    withoutTransaction: [],
  });
  // Something for repair to do: the checksum of a migration that stays.
  await fs.appendFile(path.join(round.lane.folder, 'migrations', 'V1__step.sql'), '-- edited\n');
  const versions = target(round);
  await meet(
    round,
    moment,
    () => round.flyback('rollback', ...versions),
    () => round.flyway('repair', {}),
  );
}

async function readersCome(round: Round): Promise<void> {
  await round.prepare({ applied: 4, pending: 1, longestNapMs: 150, withoutTransaction: [] });
  const versions = target(round);
  const running = follow(round.flyback('rollback', ...versions));
  await round.pause(0, 200);
  while (!running.isOver()) {
    await round.flyway(round.chance(0.5) ? 'info' : 'validate', {});
    await round.pause(0, 60);
  }
  await running.ended;
}

const twoRollbacks =
  (first: readonly string[], second: readonly string[], migrates: boolean) =>
  async (round: Round): Promise<void> => {
    const config = round.flywaySettings(round.chance(0.3));
    await round.prepare({
      applied: 4,
      pending: migrates ? round.between(0, 2) : 0,
      longestNapMs: round.chance(0.5) ? 20 : 200,
      withoutTransaction: round.chance(0.3) ? [3] : [],
    });
    const starts = [
      () => round.flyback('rollback', ...first),
      () => round.flyback('rollback', ...second),
      ...(migrates ? [() => round.flyway('migrate', config)] : []),
    ];
    if (round.chance(0.6)) await round.together(starts);
    else {
      await Promise.all(
        starts.map(async (start) => {
          await round.pause(0, 200);
          await start();
        }),
      );
    }
  };

async function repairDeletesTheMark(round: Round): Promise<void> {
  const config = round.flywaySettings(false);
  await round.prepare({
    applied: 4,
    pending: round.between(0, 1),
    longestNapMs: 600,
    withoutTransaction: round.chance(0.5) ? [4] : [3, 4],
  });
  const steps = String(round.between(1, 2));
  const running = follow(round.flyback('rollback', '--steps', steps));
  await round.until(`${flybackSession} AND ${sleeping}`, running.isOver);
  await round.pause(0, 80);
  await round.flyway('repair', {});
  if (round.chance(0.5)) await round.flyway('migrate', config);
  await running.ended;
}

/** Other processes that only read may delay a rollback, and must not stop it. */
const isNotStopped = (round: Round): readonly string[] =>
  round.flybackRuns
    .filter(({ code }) => code !== 0)
    .map(({ code, errorCode }) => `a reader stopped the rollback: ${String(code)} ${errorCode ?? ''}`);

/** Of two rollbacks that want the same, one does it; whoever comes second finds nothing left to do, or too much changed. */
const isDoneOnce = (round: Round): readonly string[] =>
  round.flybackRuns.filter(({ code }) => code === 0).length > 0 ? [] : ['neither rollback went through'];

export const races: readonly Race[] = [
  { title: 'migrate comes while a rollback runs', run: migrateComes(false) },
  { title: 'migrate with group=true comes while a rollback runs', run: migrateComes(true) },
  { title: 'a rollback comes while migrate runs', run: rollbackComes(false) },
  { title: 'a rollback comes while migrate with group=true runs', run: rollbackComes(true) },
  { title: 'repair comes while a rollback runs', run: repairComes },
  { title: 'info and validate come while a rollback runs', run: readersCome, expect: isNotStopped },
  {
    title: 'two rollbacks to the same version',
    run: twoRollbacks(['--to', '2'], ['--to', '2'], false),
    expect: isDoneOnce,
  },
  {
    title: 'two rollbacks to different versions',
    run: twoRollbacks(['--to', '3'], ['--to', '1'], false),
    expect: isDoneOnce,
  },
  { title: 'two rollbacks and migrate', run: twoRollbacks(['--steps', '1'], ['--to', '2'], true) },
  { title: 'migrate comes while a rollback without a transaction runs', run: migrateComes(false, [3, 4]) },
  { title: 'a rollback without a transaction comes while migrate runs', run: rollbackComes(false, [2, 3, 4, 5, 6]) },
  { title: 'repair deletes the mark of a rollback without a transaction', run: repairDeletesTheMark },
];
