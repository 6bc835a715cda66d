import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { FlywayFailure, type Flyway, type FlywayProcess } from '../../harness/flyway/flyway.js';
import type { FlywayMajor } from '../../harness/flyway/install.js';
import { finished } from '../../harness/project.js';
import type { WarmProcesses } from '../warm-processes.js';
import type { Lane, Setting } from './lane.js';

/** How one process of flyback ended. */
export interface FlybackRun {
  readonly commandLine: string;
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
  /** Versions that it says it has taken back for good. */
  readonly committed: readonly number[];
  /** Code of the error that it ended with. */
  readonly errorCode: string | undefined;
  readonly warnings: readonly string[];
}

/** How one command of Flyway ended. */
export interface FlywayRun {
  readonly command: FlywayCommand;
  readonly failure: string | undefined;
  /** Versions that a migrate applied. */
  readonly applied: readonly number[];
}

type FlywayCommand = 'migrate' | 'info' | 'validate' | 'repair';

/** What is there, read in one transaction. */
export interface State {
  readonly history: readonly { readonly rank: number; readonly version: number; readonly success: boolean }[];
  /** Versions whose table is there, ascending. */
  readonly tables: readonly number[];
  readonly ledger: readonly { readonly what: 'up' | 'down'; readonly version: number; readonly times: number }[];
  readonly record: readonly { readonly outcome: string; readonly version: number }[];
  readonly isRecordWhole: boolean;
  /** The journal is not empty. */
  readonly isJournalOpen: boolean;
}

/** Less than what is drawn to be waited after what is looked for; more often takes more time than the races themselves. */
const lookAgainMs = 10;

/** Of "public"."flyway_schema_history". */
const toolLockKey = '77433833903597';

interface JsonResult {
  readonly steps?: readonly { readonly version: string; readonly outcome: string }[];
  readonly warnings?: readonly string[];
  readonly error?: { readonly code?: string };
}

/** One round of a race: who takes part, what they do and when, all decided by the seed. */
export class Round {
  readonly major: FlywayMajor;
  readonly random: () => number;
  readonly flybackRuns: FlybackRun[] = [];
  readonly flywayRuns: FlywayRun[] = [];
  readonly #lane: Lane;
  readonly #flyway: FlywayProcess;
  readonly #command: string;
  readonly #warm: WarmProcesses | undefined;
  readonly #trace: string[] = [];
  readonly #started = performance.now();
  #setting: Setting | undefined;

  constructor(
    given: { readonly major: FlywayMajor; readonly random: () => number },
    lane: Lane,
    flyway: FlywayProcess,
    command: string,
    warm: WarmProcesses,
  ) {
    this.major = given.major;
    this.random = given.random;
    this.#lane = lane;
    this.#flyway = flyway;
    this.#command = command;
    // What the start of a process adds is the same in every round.
    this.#warm = this.chance(0.1) ? undefined : warm;
  }

  // ---- choices

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  between(least: number, most: number): number {
    return least + Math.floor(this.random() * (most - least + 1));
  }

  /** Flyway's settings that change how it locks and reads. */
  flywaySettings(group: boolean): Readonly<Record<string, string>> {
    const config = {
      'postgresql.transactional.lock': String(this.chance(0.6)),
      validateOnMigrate: String(this.chance(0.75)),
      group: String(group),
    };
    this.note(`Flyway ${this.major} with ${JSON.stringify(config)}`);
    return config;
  }

  // ---- actors

  async prepare(setting: Setting): Promise<void> {
    this.#setting = setting;
    await this.#lane.reset(setting, this.random);
    this.note(JSON.stringify(setting));
  }

  get setting(): Setting {
    if (this.#setting === undefined) throw new Error('The round was not prepared.');
    return this.#setting;
  }

  get command(): string {
    return this.#command;
  }

  get lane(): Lane {
    return this.#lane;
  }

  async flyback(...commandLine: readonly string[]): Promise<FlybackRun> {
    const words = commandLine.join(' ');
    this.note(`flyback ${words} starts`);
    const all = [...commandLine, '--yes', '--json'];
    const done = await (this.#warm === undefined
      ? finished(this.#lane.start(this.#command, all))
      : this.#warm.start(this.#lane.folder, all).ended);
    const json = parseJson(done.stdout);
    const run: FlybackRun = {
      commandLine: words,
      ...done,
      committed: (json.steps ?? [])
        .filter(({ outcome }) => outcome === 'committed')
        .map((step) => Number(step.version)),
      errorCode: json.error?.code ?? /^error ([a-z-]+):/m.exec(done.stderr)?.[1],
      warnings: json.warnings ?? [],
    };
    this.flybackRuns.push(run);
    this.note(
      `flyback ${words} ends with ${String(run.code)} ${run.errorCode ?? ''}: ${done.stderr.trim()} ${run.warnings.join()}`,
    );
    return run;
  }

  /** A rollback that did not run as a command of its own. */
  noteRollback(committed: readonly number[], errorCode: string | undefined): void {
    const words = { commandLine: 'rollback by the library', stdout: '', stderr: '', warnings: [] };
    this.flybackRuns.push({ ...words, code: errorCode === undefined ? 0 : 3, committed, errorCode });
    this.note(`${words.commandLine} took back ${committed.join() || 'nothing'}`);
  }

  open(config: Readonly<Record<string, string>>): Flyway {
    return this.#flyway.open({ database: this.#lane.database, locations: [`${this.#lane.folder}/migrations`], config });
  }

  async flyway(command: FlywayCommand, config: Readonly<Record<string, string>>): Promise<FlywayRun> {
    this.note(`flyway ${command} starts`);
    let run: FlywayRun;
    try {
      const result = await this.open(config)[command]();
      const applied = 'migrations' in result ? result.migrations.map(({ version }) => Number(version)) : [];
      run = { command, failure: undefined, applied };
    } catch (error) {
      if (!(error instanceof FlywayFailure)) throw error;
      run = { command, failure: error.message, applied: [] };
    }
    this.flywayRuns.push(run);
    this.note(`flyway ${command} ends: ${run.failure ?? `applied ${run.applied.join() || 'nothing'}`}`);
    return run;
  }

  // ---- moments

  async pause(leastMs: number, mostMs: number): Promise<void> {
    const ms = this.between(leastMs, mostMs);
    this.note(`waits ${ms} ms`);
    await delay(ms);
  }

  /** Until some session fits the condition on pg_stat_activity, or `ended` says that it will never come. */
  async until(condition: string, ended: () => boolean): Promise<void> {
    while (!ended()) {
      const { rowCount } = await this.#lane.observer.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND (${condition})`,
      );
      if (rowCount !== 0) break;
      await delay(lookAgainMs);
    }
    this.note(`seen: ${condition}`);
  }

  /** Everybody starts, is held where the history is read, and let go at one moment: start-up times no longer matter. */
  async together(starts: readonly (() => Promise<unknown>)[]): Promise<void> {
    const { observer } = this.#lane;
    await observer.query('BEGIN; LOCK TABLE flyway_schema_history IN ACCESS EXCLUSIVE MODE');
    let ended = 0;
    const running = starts.map((start) => start().finally(() => (ended += 1)));
    for (;;) {
      const { rows } = await observer.query<{ waiting: number }>(
        `SELECT count(*)::int AS waiting FROM pg_locks WHERE relation = 'flyway_schema_history'::regclass AND NOT granted`,
      );
      if ((rows[0]?.waiting ?? 0) + ended >= starts.length) break;
      await delay(lookAgainMs);
    }
    await this.pause(0, 30);
    await observer.query('COMMIT');
    this.note('all are let go');
    await Promise.all(running);
  }

  /**
   * flyback is kept waiting for the tool's lock, which it asks for once a second; the other starts shortly before it asks
   * again, and gets to the lock before it, with it or after it.
   */
  async beforeItAsksAgain(flyback: () => Promise<unknown>, other: () => Promise<unknown>): Promise<void> {
    const { observer } = this.#lane;
    // How quick Flyway is here and now, by a command that reads the history and asks for no lock.
    const started = performance.now();
    await this.open({}).info();
    const paceMs = Math.round(performance.now() - started);
    await observer.query('SELECT pg_advisory_lock($1)', [toolLockKey]);
    const running = follow(flyback());
    let restMs: number | undefined;
    while (restMs === undefined && !running.isOver()) {
      // What it does last before it pauses is to look who holds the lock.
      const { rows } = await observer.query<{ rest: string }>(
        `SELECT 1000 - extract(epoch FROM clock_timestamp() - state_change) * 1000 AS rest FROM pg_stat_activity
 WHERE datname = current_database() AND application_name = 'flyback' AND state = 'idle' AND query LIKE '%''holds''%'`,
      );
      if (rows[0] !== undefined) restMs = Number(rows[0].rest);
      else await delay(lookAgainMs);
    }
    await observer.query('SELECT pg_advisory_unlock($1)', [toolLockKey]);
    // Else the round would be none of this race, and take as long as flyback waits.
    if (restMs === undefined) throw new Error(`flyback was not seen waiting for the lock.\n${this.trace}`);
    const headStartMs = this.between(0, 3 * paceMs);
    this.note(`flyback will ask in ${Math.round(restMs)} ms; the other starts ${headStartMs} ms before`);
    await delay(Math.max(0, restMs - headStartMs));
    await Promise.all([running.ended, other()]);
  }

  // ---- what came of it

  note(text: string): void {
    this.#trace.push(`${Math.round(performance.now() - this.#started)} ms: ${text}`);
  }

  get trace(): string {
    return this.#trace.join('\n');
  }

  async state(): Promise<State> {
    const { observer } = this.#lane;
    await observer.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    try {
      const history = await observer.query<State['history'][number]>(
        'SELECT installed_rank AS rank, version::int, success FROM flyway_schema_history ORDER BY installed_rank',
      );
      const tables = await observer.query<{ version: number }>(
        `SELECT substr(relname, 2)::int AS version FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname ~ '^t[0-9]+$' ORDER BY 1`,
      );
      const ledger = await observer.query<State['ledger'][number]>(
        'SELECT what, version, count(*)::int AS times FROM ledger GROUP BY what, version',
      );
      const found = await observer.query<{ record: string | null; journal: string | null }>(
        `SELECT to_regclass('flyback_record') AS record, to_regclass('flyback_record_journal') AS journal`,
      );
      const record = found.rows[0]?.record
        ? await observer.query<RecordRow>('SELECT entry, previous_hash, hash FROM flyback_record ORDER BY id')
        : { rows: [] };
      const journal = found.rows[0]?.journal
        ? await observer.query('SELECT FROM flyback_record_journal LIMIT 1')
        : { rowCount: 0 };
      return {
        history: history.rows,
        tables: tables.rows.map(({ version }) => version),
        ledger: ledger.rows,
        record: record.rows.map(({ entry }) => {
          const { outcome, version } = JSON.parse(entry) as { readonly outcome: string; readonly version: string };
          return { outcome, version: Number(version) };
        }),
        isRecordWhole: isWhole(record.rows),
        isJournalOpen: journal.rowCount !== 0,
      };
    } finally {
      await observer.query('COMMIT');
    }
  }
}

/** Work under way, and whether it still is. */
export function follow<T>(work: Promise<T>): { readonly ended: Promise<T>; readonly isOver: () => boolean } {
  let isOver = false;
  const ended = work.finally(() => (isOver = true));
  return { ended, isOver: () => isOver };
}

interface RecordRow {
  readonly entry: string;
  readonly previous_hash: string;
  readonly hash: string;
}

/** The chain as docs/record.md describes it, computed anew. */
function isWhole(rows: readonly RecordRow[]): boolean {
  let previous = '0'.repeat(64);
  return rows.every((row) => {
    const holds =
      row.previous_hash === previous &&
      row.hash === createHash('sha256').update(`${row.previous_hash}\n${row.entry}`).digest('hex');
    previous = row.hash;
    return holds;
  });
}

function parseJson(text: string): JsonResult {
  try {
    return JSON.parse(text) as JsonResult;
  } catch {
    return {};
  }
}
