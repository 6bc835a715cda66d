import { setTimeout as delay } from 'node:timers/promises';
import type { CrashableServer } from '../harness/crashable-server.js';
import type { TestDatabase } from '../harness/postgres.js';
import type { TestServer } from '../harness/servers.js';
import { bringToEnd, errorOf, judgeAttempt, outcomeOf, place, resume, words, type Attempt } from './aftermath.js';
import { openArena, type Arena, type Ending, type Means, type Order, type Running } from './arena.js';
import { keepToTime } from './extent.js';
import type { Form } from './fixture.js';
import { createRandom } from './random.js';
import { WrongOutcome } from './state.js';
import { Tally, type Summary } from './summary.js';

/**
 * kill: the process ends at once (SIGKILL). terminate: the server ends its connection (pg_terminate_backend). crash: the
 * server shuts down immediately, and is started again.
 */
export type Fault = 'kill' | 'terminate' | 'crash';

/** It strikes the server, not the process of the command. */
function isServers(fault: Fault): boolean {
  return fault !== 'kill';
}

export interface RoundsOptions {
  /** Path of the command under test: dist/cli.js of some build. */
  readonly cli: string;
  readonly fault: Fault;
  readonly form: Form;
  /** How many runs are to be struck; those that end before the fault do not count. */
  readonly rounds: number;
  readonly seed: number;
  /** The seed is one of a single round: play that. */
  readonly isReplay?: boolean;
  /** Rounds are shared out to these; as many as there are lanes where they are to crash. */
  readonly servers: readonly (TestServer | CrashableServer)[];
}

/** Rounds under way at once, at least: they mostly wait. */
export const fewestLanes = 4;

/** Where one round after the other is played. */
interface Lane {
  readonly arena: Arena;
  readonly server: TestServer | CrashableServer;
}

/** What an undisturbed run looks like, with the other lanes busy too. */
interface Rhythm {
  readonly durationMs: number;
  readonly lines: number;
}

/**
 * Rolls three versions back again and again, strikes each time at another moment, and judges what is left. A round's
 * moment follows from its seed; where exactly in the run that falls is up to the machine.
 */
export async function runRounds(options: RoundsOptions): Promise<Summary> {
  const { rounds, seed, fault, isReplay = false } = options;
  const random = createRandom(seed);
  const tally = new Tally();
  const lanes = await openLanes(options);
  let started = 0;
  try {
    // All at once, as the rounds are; the quickest of those on the same major counts.
    const measureAll = (): Promise<readonly (Rhythm & Pick<Lane, 'server'>)[]> =>
      Promise.all(lanes.map(async ({ arena, server }) => ({ server, ...(await measure(arena, fault)) })));
    // The first run in a process loads what the others find there.
    if (isServers(fault)) await measureAll();
    const measured = await measureAll();
    await Promise.all(
      lanes.map(async (lane, index) => {
        const rhythm = measured
          .filter(({ server }) => server.major === lane.server.major)
          .reduce((best, other) => (other.durationMs < best.durationMs ? other : best));
        if (isReplay && seed % lanes.length !== index) return;
        while (started < rounds) {
          keepToTime();
          started += 1;
          // The seed tells the lane, hence the server.
          const drawn = Math.floor(random() * 2 ** 31);
          const own = isReplay ? seed : drawn - (drawn % lanes.length) + index;
          try {
            const outcome = await playRound(lane, rhythm, fault, own);
            if (outcome === undefined && !isReplay) started -= 1;
            else tally.add(outcome ?? 'over before');
          } catch (error) {
            if (!(error instanceof WrongOutcome)) throw error;
            tally.addWrong({ seed: String(own), why: error.message });
          }
        }
      }),
    );
  } finally {
    await closeLanes(lanes);
  }
  return tally.summary;
}

async function openLanes({ cli, form, servers }: RoundsOptions): Promise<readonly Lane[]> {
  const opened = await Promise.all(
    servers.map(async (server) => ({ server, arena: await openArena({ cli, form, serverUrl: server.url }) })),
  );
  return Array.from({ length: Math.max(fewestLanes, servers.length) }).flatMap(
    (_, index) => opened[index % opened.length] ?? [],
  );
}

async function closeLanes(lanes: readonly Lane[]): Promise<void> {
  await Promise.all([...new Set(lanes.map(({ arena }) => arena))].map((arena) => arena.close()));
}

/** An undisturbed run, which must come to its end. */
async function measure(arena: Arena, fault: Fault): Promise<Rhythm> {
  return arena.use(async (database) => {
    const started = performance.now();
    const running = arena.start(database, { command: 'rollback' }, isServers(fault));
    const ending = await running.ended;
    const durationMs = performance.now() - started;
    const verdict = await judgeAttempt(arena, database, { command: 'rollback', ending, mayBeCutOff: false });
    if (ending.code !== 0) throw new Error(`An undisturbed run stopped, ${place(verdict)}: ${words(ending)}`);
    return { durationMs, lines: running.lines() };
  });
}

/** How a round ended; undefined when the run was over before it was struck. */
async function playRound(lane: Lane, rhythm: Rhythm, fault: Fault, seed: number): Promise<string | undefined> {
  const random = createRandom(seed);
  const { arena } = lane;
  const wait = chooseMoment(rhythm, random);
  // After a crash nobody is left who could still be at work.
  const isImpatient = random() < 0.15 && fault !== 'crash';
  const isResumeDisturbed = random() < 0.3;
  const tryRefused = random() < 0.25;
  const means = random() < 0.2 ? 'command' : 'library';
  return arena.use(async (database) => {
    const { ending, isStruck } = await strikeDuring(lane, fault, database, { command: 'rollback' }, wait);
    const attempt: Attempt = { command: 'rollback', ending, mayBeCutOff: fault === 'crash' };
    if (!isStruck) {
      await judgeAttempt(arena, database, attempt);
      return undefined;
    }
    if (isImpatient) {
      await hurryToEnd(arena, database, means);
      return 'followed at once by the next run';
    }
    const verdict = await judgeAttempt(arena, database, attempt);
    const { resumes } = await bringToEnd(arena, database, verdict, {
      tryRefused,
      means,
      disturbResume: isResumeDisturbed
        ? async () => {
            const moment = delayed(random() * rhythm.durationMs);
            const disturbed = await strikeDuring(lane, fault, database, { command: 'resume' }, moment);
            return { command: 'resume', ending: disturbed.ending, mayBeCutOff: fault === 'crash' };
          }
        : undefined,
    });
    return `${outcomeOf(verdict, arena.model)}${resumes > 1 ? ' more than once' : ''}`;
  });
}

type Moment = (running: Running) => Promise<unknown>;

function delayed(ms: number): Moment {
  return (running) => Promise.race([delay(ms), running.ended]);
}

/** A third anywhere in the run, half of which passes before anything is changed; the others at or after a line of progress. */
function chooseMoment({ durationMs, lines }: Rhythm, random: () => number): Moment {
  if (random() < 1 / 3) return delayed(random() * durationMs);
  // The last line comes when everything is done.
  const line = 1 + Math.floor(random() * (lines - 1));
  const later = delayed((random() * durationMs) / 4);
  return async (running) => {
    await running.untilLine(line);
    await later(running);
  };
}

async function strikeDuring(
  { arena, server }: Lane,
  fault: Fault,
  database: TestDatabase,
  order: Order,
  moment: Moment,
): Promise<{ readonly ending: Ending; readonly isStruck: boolean }> {
  const running = arena.start(database, order, isServers(fault));
  await moment(running);
  if (running.hasEnded()) return { ending: await running.ended, isStruck: false };
  switch (fault) {
    case 'kill':
      return { isStruck: running.kill(), ending: await running.ended };
    case 'terminate': {
      let isStruck = false;
      // Early in the run it has no connection yet.
      while (!isStruck && !running.hasEnded()) isStruck = (await arena.terminate(database)) > 0;
      return { isStruck, ending: await running.ended };
    }
    case 'crash': {
      if (!('crash' in server)) throw new Error('This server is not for crashes.');
      await server.crash();
      const [ending] = await Promise.all([running.ended, server.restart()]);
      return { isStruck: true, ending };
    }
  }
}

/** The next commands do not wait until the server has noticed that the first is gone. */
async function hurryToEnd(arena: Arena, database: TestDatabase, means: Means): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const ending = await arena.run(database, { command: 'rollback' }, means);
    const code = errorOf(ending);
    if (ending.code === 0 || (await isEmptyHistory(arena, database))) break;
    if (tries > 6) throw new WrongOutcome(`the next runs do not work: ${words(ending)}`);
    if (code === 'resume-needed') {
      const resumed = await resume(arena, database, means);
      if (resumed.code !== 0 && errorOf(resumed) !== 'history-changed')
        throw new WrongOutcome(`resume at once: ${words(resumed)}`);
    } else if (code !== 'history-changed') {
      // What the dying run still committed after the next one had read the history.
      throw new WrongOutcome(`the next run at once: ${words(ending)}`);
    }
  }
  await arena.untilAlone(database);
  const ending = await resume(arena, database, means);
  const verdict = await judgeAttempt(arena, database, { command: 'resume', ending, mayBeCutOff: false });
  if (verdict.kind !== 'after' || verdict.versions !== arena.model.versions.length || ending.code !== 0)
    throw new WrongOutcome(`at the end it is ${place(verdict)}: ${words(ending)}`);
}

async function isEmptyHistory(arena: Arena, database: TestDatabase): Promise<boolean> {
  return arena.ask(database, 'NOT EXISTS (SELECT FROM flyway_schema_history)');
}
