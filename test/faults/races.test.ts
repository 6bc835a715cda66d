import { availableParallelism } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWithFlyway } from '../harness/flyway/flyway.js';
import type { FlywayMajor } from '../harness/flyway/install.js';
import { testServers } from '../harness/postgres.js';
import { commandUnderTest, isFull, keepToTime, masterSeed, replayed } from './extent.js';
import { judge } from './races/judge.js';
import { FlywayPool, openLane, type Lane } from './races/lane.js';
import { races, type Race } from './races/races.js';
import { Round } from './races/round.js';
import { createRandom, deriveSeeds } from './random.js';
import { summaryText, Tally } from './summary.js';
import { WarmProcesses } from './warm-processes.js';

/* flyback and the real Flyway, each in processes of its own, meeting in both orders and at many moments. */

const rounds = replayed === undefined ? (isFull ? 100 : 4) : 1;
/** A round mostly waits: for scripts that sleep, and until Flyway asks for its lock again. */
const laneCount = Math.min(rounds, 3 * availableParallelism());

describeWithFlyway('races', () => {
  const lanes: Lane[] = [];
  const pool = new FlywayPool();
  const warm = new WarmProcesses(commandUnderTest);

  beforeAll(async () => {
    const servers = [testServers()[0], testServers().at(-1)].filter((server) => server !== undefined);
    for (let index = 0; index < laneCount; index += 1) {
      const server = servers[index % servers.length];
      if (server !== undefined) lanes.push(await openLane(server));
    }
  });
  afterAll(async () => {
    pool.close();
    warm.close();
    for (const lane of lanes) await lane.close();
  });

  test.each(races)('$title', async (race) => {
    const left = replayed === undefined ? [...deriveSeeds(masterSeed + hash(race.title), rounds)] : [Number(replayed)];
    const tally = new Tally();
    await Promise.all(
      lanes.map(async (lane) => {
        for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
          keepToTime();
          await play(race, seed, lane, tally);
        }
      }),
    );
    console.log(summaryText(race.title, tally.summary, `seed ${masterSeed}`));
    expect(tally.summary.wrong).toEqual([]);
  });

  /** Every choice of the round follows from its seed; when exactly the processes meet is up to the machine. */
  async function play(race: Race, seed: number, lane: Lane, tally: Tally): Promise<void> {
    const random = createRandom(seed);
    const share = random();
    const major: FlywayMajor = share < 0.15 ? 9 : share < 0.3 ? 10 : 13;
    await pool.use(major, async (flyway) => {
      const round = new Round({ major, random }, lane, flyway, commandUnderTest, warm);
      await race.run(round);
      const outcome = outcomeOf(round);
      const own = race.expect?.(round) ?? [];
      const { wrong, warned } = await judge(round);
      if (wrong.length + own.length > 0)
        tally.addWrong({ seed: String(seed), why: `${[...own, ...wrong].join('; ')}\n${round.trace}` });
      else tally.add(warned ? `${outcome}, told of a version missing below others` : outcome);
    });
  }
});

/** How the processes of flyback ended in the race itself. */
function outcomeOf(round: Round): string {
  return round.flybackRuns
    .map(({ committed, errorCode }) =>
      errorCode === undefined ? 'done' : `${committed.length > 0 ? 'partly, then ' : ''}${errorCode}`,
    )
    .sort()
    .join(' and ');
}

function hash(text: string): number {
  let value = 0;
  for (const character of text) value = (Math.imul(value, 31) + (character.codePointAt(0) ?? 0)) >>> 0;
  return value;
}
