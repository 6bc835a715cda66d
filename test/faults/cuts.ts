import type { TestDatabase } from '../harness/postgres.js';
import { startProxy, type WireMessage } from '../harness/proxy.js';
import type { TestServer } from '../harness/servers.js';
import { bringToEnd, judgeAttempt, outcomeOf, words } from './aftermath.js';
import { openArena, type Arena, type Ending } from './arena.js';
import { keepToTime } from './extent.js';
import type { Form } from './fixture.js';
import { WrongOutcome } from './state.js';
import { Tally, type Summary } from './summary.js';

export interface CutsOptions {
  /** Path of the command under test: dist/cli.js of some build. */
  readonly cli: string;
  readonly form: Form;
  readonly server: TestServer;
  /** Whether the command reaches the server again after the cut. */
  readonly isReachable: boolean;
  /** Cut after every message of the client and the server (1), or after each so many. */
  readonly every: Readonly<Record<WireMessage['from'], number>>;
  /** Which of so many messages: over all seeds every message has its turn. */
  readonly seed: number;
  /** "client 17" or "server 230": cut there alone. */
  readonly only?: string | undefined;
}

const lanes = 6;

/** The connection is cut after this message, the one of so many in its direction. */
interface Cut {
  readonly from: WireMessage['from'];
  readonly number: number;
}

/**
 * Cuts the connection of a rollback of three versions after the first message of the client, after the second and so
 * on until a run ends undisturbed; then the same with the messages of the server. Whoever sent the message does not
 * learn any more what became of it.
 */
export async function runCuts(options: CutsOptions): Promise<Summary> {
  const { cli, form, server, every, seed, only } = options;
  const arena = await openArena({ cli, form, serverUrl: server.url });
  const tally = new Tally();
  try {
    const [from, number] = only?.split(' ') ?? [];
    for (const direction of ['client', 'server'] as const) {
      if (from !== undefined && from !== direction) continue;
      const step = every[direction];
      let next = number === undefined ? 1 + (seed % step) : Number(number);
      let isOver = false;
      await Promise.all(
        Array.from({ length: lanes }, async () => {
          while (!isOver) {
            keepToTime();
            const cut: Cut = { from: direction, number: next };
            next += step;
            isOver ||= only !== undefined;
            try {
              const outcome = await arena.use((database) => playCut(arena, database, cut, options));
              if (outcome === undefined) isOver = true;
              else tally.add(outcome);
            } catch (error) {
              if (!(error instanceof WrongOutcome)) throw error;
              tally.addWrong({ seed: `${cut.from} ${cut.number}`, why: error.message });
            }
          }
        }),
      );
    }
  } finally {
    await arena.close();
  }
  return tally.summary;
}

/** How the run ended; undefined when there was no such message any more. */
async function playCut(
  arena: Arena,
  database: TestDatabase,
  cut: Cut,
  options: CutsOptions,
): Promise<string | undefined> {
  const { ending, isCut } = await runThroughProxy(arena, database, cut, options.isReachable);
  const verdict = await judgeAttempt(arena, database, {
    command: 'rollback',
    ending,
    mayBeCutOff: !options.isReachable,
  });
  if (!isCut && ending.code !== 0) throw new WrongOutcome(`an undisturbed run stopped: ${words(ending)}`);
  // Most messages are exchanged before anything changes. That the next run works then is seen often enough.
  const isUnused = verdict.kind === 'after' && verdict.versions === 0 && (await hasNoRecord(arena, database));
  if (!isUnused || cut.number % 20 === 0) {
    await bringToEnd(arena, database, verdict, {
      tryRefused: cut.number % 5 === 0,
      means: cut.number % 7 === 0 ? 'command' : 'library',
    });
  }
  return isCut ? outcomeOf(verdict, arena.model) : undefined;
}

async function runThroughProxy(
  arena: Arena,
  database: TestDatabase,
  cut: Cut,
  isReachable: boolean,
): Promise<{ readonly ending: Ending; readonly isCut: boolean }> {
  let isCut = false;
  const proxy = await startProxy({
    serverUrl: arena.serverUrl,
    admits: () => !isCut || isReachable,
    onMessage: ({ from, connection, number }) => {
      // Whatever flyback connects again for passes.
      if (connection !== 1 || from !== cut.from || number !== cut.number) return 'pass';
      isCut = true;
      return 'cut-after';
    },
  });
  try {
    // Without the question whether the server would like TLS, which would be a connection of its own.
    const url = new URL(database.jdbcUrl.slice('jdbc:'.length));
    const through = `jdbc:postgresql://127.0.0.1:${proxy.port}${url.pathname}?sslmode=disable`;
    // What the process adds to the library, its end and its words, is the same after every message.
    const means = cut.number % 10 === 0 ? 'command' : 'library';
    return { ending: await arena.run(database, { command: 'rollback', url: through }, means), isCut };
  } finally {
    await proxy.stop();
  }
}

async function hasNoRecord(arena: Arena, database: TestDatabase): Promise<boolean> {
  return arena.ask(database, `to_regclass('public.flyback_record') IS NULL`);
}
