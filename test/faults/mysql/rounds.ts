import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { createConnection, type Connection } from 'mysql2/promise';
import { createDatabase, type MysqlDatabase } from '../../harness/mysql.js';
import type { LocalServer } from '../../harness/mysql-servers.js';
import { createMysqlProject } from '../../harness/mysql-project.js';
import { finished, type CommandResult, type TestProject } from '../../harness/project.js';
import { commandUnderTest, keepToTime } from '../extent.js';
import { startCutter, type Cutter } from './cutter.js';
import { createRandom } from '../random.js';
import { WrongOutcome, type Verdict } from '../state.js';
import { Tally, type Summary } from '../summary.js';
import { filesOf, versions } from './fixture.js';
import { build, judge, readPlaces, readState, type Place } from './state.js';

/**
 * kill: flyback ends at once (SIGKILL). terminate: the server ends its connection (KILL). cut: its connection is cut at one of
 * its messages. crash: the server ends at once, and is started again.
 */
export type Fault = 'kill' | 'terminate' | 'cut' | 'crash';

export interface RoundsOptions {
  readonly fault: Fault;
  readonly rounds: number;
  readonly seed: number;
  readonly isReplay: boolean;
  readonly server: Parameters<typeof createDatabase>[0] & { readonly local?: LocalServer | undefined };
}

/** Rolls three versions back again and again, strikes each time at another moment, and judges what is left. */
export async function runRounds(options: RoundsOptions): Promise<Summary> {
  const tally = new Tally();
  const random = createRandom(options.seed);
  const table = await Table.open(options);
  try {
    for (let round = 0; round < options.rounds;) {
      keepToTime();
      const seed = options.isReplay ? options.seed : Math.floor(random() * 2 ** 31);
      try {
        const outcome = await table.play(seed);
        if (outcome === undefined && !options.isReplay) continue;
        tally.add(outcome ?? 'over before');
      } catch (error) {
        if (!(error instanceof WrongOutcome)) throw error;
        tally.addWrong({ seed: String(seed), why: error.message });
      }
      round += 1;
    }
  } finally {
    await table.close();
  }
  return tally.summary;
}

const patienceMs = 30_000;

/** One database, in which one round after the other is played. */
class Table {
  readonly #options: RoundsOptions;
  readonly #database: MysqlDatabase;
  readonly #project: TestProject;
  readonly #places: readonly Place[];
  readonly #cutter: Cutter;
  #observer: Connection;
  #durationMs = 0;
  #lines = 0;
  #messages = 0;

  private constructor(
    options: RoundsOptions,
    database: MysqlDatabase,
    project: TestProject,
    observer: Connection,
    places: readonly Place[],
    cutter: Cutter,
  ) {
    this.#options = options;
    this.#database = database;
    this.#project = project;
    this.#observer = observer;
    this.#places = places;
    this.#cutter = cutter;
  }

  static async open(options: RoundsOptions): Promise<Table> {
    const database = await createDatabase(options.server);
    const observer = await connectTo(database.rootUrl);
    await build(observer);
    const places = await readPlaces(observer);
    const cutter = await startCutter(database);
    const behind = new URL(database.url);
    behind.host = `127.0.0.1:${cutter.port}`;
    const project = await createMysqlProject({
      database: {
        ...database,
        url: behind.href,
        jdbcUrl: database.jdbcUrl.replace(/\/\/[^/]+/, `//${behind.host}`),
        host: '127.0.0.1',
        port: cutter.port,
      },
      versions: versions.map(filesOf),
    });
    const table = new Table(options, database, project, observer, places, cutter);
    await table.#measure();
    return table;
  }

  async close(): Promise<void> {
    await this.#observer.end().catch(() => undefined);
    await this.#cutter.stop();
    await this.#project.remove();
    await this.#database.drop();
  }

  /** An undisturbed run, which must come to its end. */
  async #measure(): Promise<void> {
    await build(this.#observer);
    const started = performance.now();
    this.#cutter.arm(undefined);
    const running = this.#start(['rollback', '--all', '--yes', '--json']);
    const ending = await running.ended;
    this.#durationMs = performance.now() - started;
    this.#lines = running.lines();
    this.#messages = this.#cutter.messages();
    const verdict = await this.#look();
    if (ending.code !== 0 || verdict.kind !== 'after' || verdict.versions !== versions.length)
      throw new Error(`An undisturbed run did not come to its end: ${wordsOf(ending)}`);
  }

  /** How a round ended; undefined when the run was over before it was struck. */
  async play(seed: number): Promise<string | undefined> {
    const random = createRandom(seed);
    const isResumeDisturbed = random() < 0.3;
    const tryRefused = random() < 0.25;
    await build(this.#observer);
    const rollback = ['rollback', '--all', '--yes', '--json'];
    const first =
      this.#options.fault === 'cut'
        ? await this.#cut(rollback, 1 + Math.floor(random() * this.#messages), random() < 0.5)
        : await this.#strike(rollback, this.#moment(random));
    let verdict = await this.#look();
    this.#compareWords(first.ending, verdict);
    if (!first.isStruck) return undefined;
    const found = verdict;
    let resumes = 0;
    while (verdict.kind === 'interrupted') {
      const { versions: done } = verdict;
      if (resumes === 0 && tryRefused) {
        const refused = await this.#start(['rollback', '--all', '--yes', '--json']).ended;
        if (refused.code !== 4) throw new WrongOutcome(`a rollback was not refused: ${wordsOf(refused)}`);
      }
      resumes += 1;
      if (resumes > 6) throw new WrongOutcome('resume does not come to an end');
      if (isResumeDisturbed && resumes <= 2) {
        const resume = ['resume', '--yes', '--json'];
        const moment = random();
        if (this.#options.fault === 'cut')
          await this.#cut(resume, 1 + Math.floor(moment * this.#messages), random() < 0.5);
        else await this.#strike(resume, delayed(moment * this.#durationMs));
        verdict = await this.#look();
        continue;
      }
      const ending = await this.#start(['resume', '--yes', '--json']).ended;
      verdict = await this.#look();
      if (ending.code !== 0 || verdict.kind !== 'after' || verdict.versions !== done + 1)
        throw new WrongOutcome(`resume left it ${JSON.stringify(verdict)}: ${wordsOf(ending)}`);
    }
    if (verdict.versions < versions.length) {
      const ending = await this.#start(['rollback', '--all', '--yes', '--json']).ended;
      verdict = await this.#look();
      if (ending.code !== 0) throw new WrongOutcome(`the next run did not work: ${wordsOf(ending)}`);
    }
    if (verdict.kind !== 'after' || verdict.versions !== versions.length)
      throw new WrongOutcome(`at the end it is ${JSON.stringify(verdict)}`);
    const place =
      found.kind === 'interrupted'
        ? 'interrupted'
        : found.versions === 0
          ? 'before'
          : found.versions === versions.length
            ? 'after all versions'
            : 'after a version';
    return `${place}${resumes > 1 ? ' more than once' : ''}`;
  }

  /** What the command reported as rolled back is rolled back. What it could not know any more it does not report. */
  #compareWords({ stdout, stderr }: CommandResult, verdict: Verdict): void {
    if (/^ {4,}at .*:\d+/m.test(stderr)) throw new WrongOutcome(`a stack trace was printed: ${stderr}`);
    let report: { readonly steps?: readonly { readonly version: string; readonly outcome: string }[] } = {};
    try {
      report = JSON.parse(stdout) as typeof report;
    } catch {
      // It was killed before it could report anything.
    }
    const gone = new Set(versions.slice(0, verdict.versions).map(({ version }) => version));
    for (const { version, outcome } of report.steps ?? []) {
      if (outcome === 'committed' && !gone.has(version))
        throw new WrongOutcome(`version ${version} is reported as rolled back, and is not`);
      if (outcome !== 'committed' && outcome !== 'unknown' && gone.has(version))
        throw new WrongOutcome(`version ${version} is reported as ${outcome}, and is rolled back`);
    }
  }

  /** A third anywhere in the run; the others at or after a line of progress. */
  #moment(random: () => number): Moment {
    if (random() < 1 / 3) return delayed(random() * this.#durationMs);
    const line = 1 + Math.floor(random() * (this.#lines - 1));
    const later = delayed((random() * this.#durationMs) / 4);
    return async (running) => {
      await running.untilLine(line);
      await later(running);
    };
  }

  async #cut(commandLine: readonly string[], message: number, arrives: boolean): Promise<Struck> {
    this.#cutter.arm({ message, arrives });
    const ending = await this.#start(commandLine).ended;
    const isStruck = this.#cutter.hasCut();
    this.#cutter.arm(undefined);
    return { ending, isStruck };
  }

  async #strike(commandLine: readonly string[], moment: Moment): Promise<Struck> {
    const running = this.#start(commandLine);
    await moment(running);
    if (running.hasEnded()) return { ending: await running.ended, isStruck: false };
    switch (this.#options.fault) {
      case 'cut':
        throw new Error('A cut has its moment by itself.');
      case 'kill':
        return { isStruck: running.kill(), ending: await running.ended };
      case 'terminate': {
        let isStruck = false;
        // Early in the run it has no connection yet.
        while (!isStruck && !running.hasEnded()) isStruck = (await this.#terminate()) > 0;
        return { isStruck, ending: await running.ended };
      }
      case 'crash': {
        const { local } = this.#options.server;
        if (local === undefined) throw new Error('This server is not for crashes.');
        await local.crash();
        this.#observer.destroy();
        const [ending] = await Promise.all([running.ended, local.restart()]);
        this.#observer = await connectTo(this.#database.rootUrl);
        return { isStruck: true, ending };
      }
    }
  }

  #start(commandLine: readonly string[]): Running {
    const child = spawn(process.execPath, [commandUnderTest, ...commandLine], {
      cwd: this.#project.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: this.#project.folder },
    });
    let lines = 0;
    let hasEnded = false;
    let wake = (): void => undefined;
    const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
    child.stderr.on('data', (data: Buffer) => {
      lines += data.toString().split('\n').length - 1;
      wake();
    });
    const ended = finished(child).then((result) => {
      clearTimeout(timer);
      hasEnded = true;
      wake();
      return result;
    });
    return {
      ended,
      lines: () => lines,
      hasEnded: () => hasEnded,
      kill: () => child.kill('SIGKILL'),
      untilLine: async (count) => {
        while (lines < count && !hasEnded) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      },
    };
  }

  async #others(): Promise<readonly number[]> {
    const [rows] = await this.#observer.query(
      'SELECT id FROM information_schema.processlist WHERE user = ? AND id <> CONNECTION_ID()',
      [this.#database.user],
    );
    return (rows as unknown as readonly { readonly id: number }[]).map(({ id }) => id);
  }

  async #terminate(): Promise<number> {
    const ids = await this.#others();
    for (const id of ids) await this.#observer.query(`KILL ${id}`).catch(() => undefined);
    return ids.length;
  }

  /** The state when nobody of the run is left at work. */
  async #look(): Promise<Verdict> {
    const deadline = Date.now() + patienceMs;
    while ((await this.#others()).length > 0) {
      if (Date.now() > deadline) throw new Error('The connections of the run do not end.');
      await delay(5);
    }
    return judge(await readState(this.#observer), this.#places);
  }
}

interface Struck {
  readonly ending: CommandResult;
  readonly isStruck: boolean;
}

interface Running {
  readonly ended: Promise<CommandResult>;
  lines(): number;
  hasEnded(): boolean;
  kill(): boolean;
  /** Resolves when so many lines of progress were written, or the run has ended. */
  untilLine(count: number): Promise<void>;
}

type Moment = (running: Running) => Promise<unknown>;

function delayed(ms: number): Moment {
  return (running) => Promise.race([delay(ms), running.ended]);
}

async function connectTo(url: string): Promise<Connection> {
  const connection = await createConnection({ uri: url, dateStrings: true, flags: ['-IGNORE_SPACE'] });
  connection.on('error', () => undefined);
  return connection;
}

function wordsOf({ code, stdout, stderr }: CommandResult): string {
  return `exit ${code}: ${stderr.slice(-600)} ${stdout.slice(0, 600)}`;
}
