import type { Command } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import type { HistoryEntry, QualifiedName } from '../history/history.js';
import type { PlanStep } from '../plan/plan.js';
import { genesisHash, type RecordEntry, type RecordOutcome } from '../record/record-entry.js';
import { chainEntry } from '../record/record-store.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import { rollBack, wasCommitted, writeAfterwards } from './aftermath.js';
import { aboutToMigrate, staleWarning } from './approach.js';
import { openTransaction, releaseSessionLock } from './open-transaction.js';
import { cancelledError, pause, throwIfCancelled } from './pause.js';
import type { RunRequest } from './run-request.js';
import type { RunResult, StepOutcome, StepResult } from './run-result.js';
import { runStep, type StepWork } from './run-step.js';
import { connectionLostError, guardError } from './step-failure.js';
import { openingMessages, stepMessages, timely, type StepMessage } from './step-messages.js';
import { stepEntry } from './step-entry.js';
import { stepTexts, type StepTexts } from './step-texts.js';
import { endsRun, freeFlag } from './tool-flag.js';
import { watched } from './watch-locks.js';

/**
 * Runs a plan in transactions, one for each version or one for all, and never leaves anything between before and
 * after; a version whose script refuses a transaction runs statement by statement, journalled. Resolves also when the
 * run failed: the result says how every step ended and why the run stopped.
 *
 * Order for each step, on one connection: the migration tool's lock, the history table locked and read again, triggers
 * off, the script, triggers on, deferred constraints, foreign keys of what was written, the history row, verification,
 * record, commit.
 */
export async function runPlan(request: RunRequest): Promise<RunResult> {
  const onAbort = (): void => void request.session.cancel();
  request.signal?.addEventListener('abort', onAbort);
  try {
    return await watched({ ...request, onEvent: quiet(request.onEvent) }, execute);
  } finally {
    request.signal?.removeEventListener('abort', onAbort);
  }
}

async function execute(own: RunRequest): Promise<RunResult> {
  requirePlanned(own);
  const runTransactional = async (part: RunRequest): Promise<RunResult> => new TransactionalRun(part).execute();
  const run = async (request: RunRequest): Promise<RunResult> =>
    request.plan.steps.every((step) => step.transaction === 'on')
      ? runTransactional(request)
      : (await import('./run-mixed.js')).runMixed(request, runTransactional);
  const { toolbox, plan, session, mode } = own;
  const { flag } = toolbox.history.toolLock(toolbox.database, plan.history.table, session.facts);
  return flag === undefined || mode === 'dry-run' ? run(own) : (await import('./under-flag.js')).underFlag(own, run);
}

/** The scripts must be those that the plan was made from. */
function requirePlanned({ plan, scripts }: RunRequest): void {
  for (const [index, step] of plan.steps.entries()) {
    if (scripts[index]?.checksum === step.script.checksum) continue;
    throw new FlybackError('plan-outdated', `The script of version ${step.version} is not the one that was planned.`, {
      hint: 'Plan again.',
    });
  }
}

const noWork: StepWork = { statements: [], verifications: [], notices: [], warnings: [], drift: undefined };

/** A listener that fails is the caller's problem; it must not look like a failure of the server in mid-transaction. */
function quiet(onEvent: RunRequest['onEvent']): RunRequest['onEvent'] {
  if (onEvent === undefined) return undefined;
  return (event) => {
    try {
      onEvent(event);
    } catch {
      // Progress is told as well as can be.
    }
  };
}

/** A step whose work is done and whose commit has yet to be sent: it travels with the next step. */
interface Uncommitted {
  readonly index: number;
  readonly commands: readonly Command[];
  readonly hash: string;
  readonly started: number;
}

/** What a step will send, made while the server is at work on the step before it. */
interface PreparedStep {
  readonly index: number;
  readonly remaining: readonly HistoryEntry[];
  readonly opening: readonly StepMessage[];
  readonly messages: readonly StepMessage[];
}

/** The history when this step has been taken back. */
function without(entries: readonly HistoryEntry[], { entry }: PlanStep): readonly HistoryEntry[] {
  // The newest is the last, mostly: found from the end, it is found at once.
  const gone = entries.findLastIndex((candidate) => candidate.rank === entry.rank);
  return gone < 0 ? entries : entries.toSpliced(gone, 1);
}

class TransactionalRun {
  readonly #request: RunRequest;
  readonly #steps: readonly { readonly step: PlanStep; readonly script: RollbackScript }[];
  readonly #results: StepResult[];
  readonly #warnings: string[] = [];
  #remaining: readonly HistoryEntry[];
  #lastHash: string = genesisHash;
  #record: QualifiedName | undefined;
  #recordHash: string | undefined;
  #retriesLeft: number;
  #keepsLock = false;
  #knownTexts: StepTexts | undefined;
  #prepared: PreparedStep | undefined;
  #guard: 'guardApproach' | 'suspectApproach' = 'suspectApproach';

  constructor(request: RunRequest) {
    this.#request = request;
    this.#steps = request.plan.steps.flatMap((step, index) => {
      const script = request.scripts[index];
      return script === undefined ? [] : [{ step, script }];
    });
    this.#results = request.plan.steps.map((step) => ({
      version: step.version,
      outcome: 'not-run',
      durationMs: 0,
      statements: [],
      verifications: [],
      notices: [],
    }));
    this.#remaining = request.entries;
    this.#retriesLeft = request.settings.lockRetries;
  }

  async execute(): Promise<RunResult> {
    const single = this.#request.mode === 'dry-run' || this.#request.plan.transaction === 'single';
    let failure: FlybackError | undefined;
    try {
      await (single ? this.#runTogether() : this.#runOneByOne());
    } catch (error) {
      if (!(error instanceof FlybackError)) throw error;
      failure = error;
    } finally {
      await this.#letGo();
    }
    return {
      run: this.#request.runId,
      outcome: this.#outcome(failure),
      steps: this.#results,
      failure,
      recordHash: this.#recordHash,
      warnings: this.#warnings,
    };
  }

  #outcome(failure: FlybackError | undefined): RunResult['outcome'] {
    if (failure === undefined) return this.#request.mode === 'dry-run' ? 'dry-run' : 'committed';
    if (failure.code === 'commit-unknown') return 'unknown';
    return failure.code === 'cancelled' ? 'cancelled' : 'failed';
  }

  /** A transaction for each version; the commit of one leaves together with the next, one round trip a version. */
  async #runOneByOne(): Promise<void> {
    const { sql } = this.#request.toolbox.database;
    let uncommitted: Uncommitted | undefined;
    for (let index = 0; index < this.#steps.length;) {
      const { step, script } = this.#at(index);
      const started = performance.now();
      this.#announce(index);
      if (uncommitted === undefined) await this.#open(index);
      const prepared = this.#prepared?.index === index ? this.#prepared : this.#prepare(index, this.#remaining);
      const before: Uncommitted | undefined = uncommitted;
      const attempt = await runStep(
        this.#request,
        this.#texts,
        {
          step,
          script,
          leading: before?.commands ?? [],
          opening: before === undefined ? [] : prepared.opening,
          messages: prepared.messages,
        },
        {
          onLeadingDone: () => {
            if (before !== undefined) this.#committed(before);
          },
          onFalseAlarm: () => {
            // Whoever gave it goes on looking so: from now on the guard that knows better.
            this.#guard = 'guardApproach';
            this.#prepared = undefined;
          },
          onWaiting: () => {
            if (index + 1 < this.#steps.length && this.#prepared?.index !== index + 1) {
              this.#prepared = this.#prepare(index + 1, without(prepared.remaining, step));
            }
          },
        },
      );
      if (uncommitted !== undefined) {
        if (attempt.kind === 'leading-failed') {
          await this.#commitFailed(
            uncommitted,
            attempt.failure.connectionLost
              ? connectionLostError(attempt.failure)
              : guardError(attempt.failure, this.#request.plan.history.table),
            attempt.failure.connectionLost,
          );
        }
        uncommitted = undefined;
      }
      if (attempt.kind === 'leading-failed') throw new FlybackError('internal', 'A commit failed that was never sent.');
      if (attempt.kind === 'not-alone') {
        // Opening anew lets them through first, and compares the history with what they have left.
        await this.#request.session.query(sql.rollback);
        await this.#releaseLock();
        continue;
      }
      if (attempt.kind === 'failed') {
        await this.#stepFailed(index, attempt.error, attempt.retryable, attempt.work, started);
        continue;
      }
      const entry = this.#entry(index, 'committed', attempt.work, started, undefined);
      const row = chainEntry(entry, this.#lastHash);
      this.#note(index, 'not-run', attempt.work, started);
      uncommitted = {
        index,
        commands: [
          this.#texts.repeated(sql.record.appendValues(this.#request.plan.recordTable, row)),
          ...(index === this.#steps.length - 1 ? this.#freeFlag() : []),
          ...this.#lastGuard,
          this.#texts.commit,
        ],
        hash: row.hash,
        started,
      };
      this.#lastHash = row.hash;
      index += 1;
      this.#remaining = this.#prepared?.index === index ? this.#prepared.remaining : without(this.#remaining, step);
      if (this.#request.signal?.aborted === true) await this.#abandon(uncommitted.index, attempt.work, started);
    }
    if (uncommitted !== undefined) await this.#commitLast(uncommitted);
  }

  /** One transaction for all steps; a dry run rolls it back at the end. */
  async #runTogether(): Promise<void> {
    const { sql } = this.#request.toolbox.database;
    const isDry = this.#request.mode === 'dry-run';
    for (;;) {
      const works: { readonly work: StepWork; readonly started: number }[] = [];
      this.#remaining = this.#request.entries;
      await this.#open(0);
      let leading: readonly Command[] = [];
      let isRetried = false;
      for (let index = 0; index < this.#steps.length; index += 1) {
        const { step, script } = this.#at(index);
        const started = performance.now();
        this.#announce(index);
        const attempt = await runStep(
          this.#request,
          this.#texts,
          {
            step,
            script,
            leading,
            opening: [],
            messages: stepMessages(this.#request, this.#texts, step, script, {
              record: this.#record,
              writes: { removed: index + 1, appended: isDry ? 0 : index },
            }),
          },
          {},
        );
        if (attempt.kind !== 'done') {
          const error =
            attempt.kind === 'failed'
              ? attempt.error
              : attempt.kind === 'not-alone'
                ? aboutToMigrate(attempt.remembering)
                : guardError(attempt.failure, this.#request.plan.history.table);
          for (let earlier = 0; earlier < index; earlier += 1) this.#mark(earlier, 'rolled-back');
          const work = attempt.kind === 'failed' ? attempt.work : noWork;
          await this.#stepFailed(index, error, attempt.kind === 'failed' && attempt.retryable, work, started);
          isRetried = true;
          break;
        }
        works.push({ work: attempt.work, started });
        this.#note(index, 'not-run', attempt.work, started);
        if (isDry) {
          leading = [];
        } else {
          const row = chainEntry(this.#entry(index, 'committed', attempt.work, started, undefined), this.#lastHash);
          this.#lastHash = row.hash;
          leading = [this.#texts.repeated(sql.record.appendValues(this.#request.plan.recordTable, row))];
        }
        if (this.#request.signal?.aborted === true) {
          for (let earlier = 0; earlier <= index; earlier += 1) this.#mark(earlier, 'rolled-back');
          await this.#abandon(index, attempt.work, started);
        }
      }
      if (isRetried) continue;
      if (isDry) {
        await this.#request.session.query(sql.rollback);
        for (const index of this.#steps.keys()) this.#mark(index, 'passed');
        await this.#writeRecord(
          works.map(({ work, started }, index) => this.#entry(index, 'dry-run', work, started, undefined)),
        );
        return;
      }
      await this.#commitLast({
        index: this.#steps.length - 1,
        commands: [...leading, ...this.#freeFlag(), ...this.#lastGuard, this.#texts.commit],
        hash: this.#lastHash,
        started: works.at(-1)?.started ?? 0,
      });
      return;
    }
  }

  #at(index: number): { readonly step: PlanStep; readonly script: RollbackScript } {
    const item = this.#steps[index];
    if (item === undefined) throw new FlybackError('internal', `The plan has no step ${index + 1}.`);
    return item;
  }

  /** `remaining`: the rows that must be there when the step begins. */
  #prepare(index: number, remaining: readonly HistoryEntry[]): PreparedStep {
    const { step, script } = this.#at(index);
    const own = { record: this.#record, writes: { removed: 1, appended: 0 } };
    const opening = openingMessages(this.#request, this.#texts, remaining, this.#guard);
    const all = timely([...opening, ...stepMessages(this.#request, this.#texts, step, script, own)]);
    this.#request.session.draft?.(all);
    return { index, remaining, opening: all.slice(0, opening.length), messages: all.slice(opening.length) };
  }

  async #open(index: number): Promise<void> {
    for (;;) {
      try {
        throwIfCancelled(this.#request.signal);
        const opened = await openTransaction(
          this.#request,
          this.#remaining,
          this.#keepsLock || this.#request.part !== undefined,
        );
        this.#lastHash = opened.lastHash;
        this.#record = opened.record;
        await this.#keepLock();
        this.#knownTexts ??= stepTexts(this.#request, this.#record);
        return;
      } catch (error) {
        if (
          error instanceof FlybackError &&
          error.condition === 'lock-timeout' &&
          (await this.#mayRetry(index, error.message))
        )
          continue;
        const known =
          error instanceof FlybackError ? error : new FlybackError('internal', String(error), { cause: error });
        const final =
          this.#request.signal?.aborted === true && known.condition === 'cancelled' ? cancelledError() : known;
        await this.#recordFailure(index, final, noWork, performance.now());
        throw final;
      }
    }
  }

  /** Between two transactions of one run nobody else may migrate. Not through a pooler: the lock would outlive us there. */
  async #keepLock(): Promise<void> {
    const { toolbox, plan, session, mode } = this.#request;
    if (
      this.#keepsLock ||
      toolbox.database.sql.toolLockEndsWith === 'session' ||
      mode === 'dry-run' ||
      plan.transaction === 'single' ||
      plan.steps.length < 2 ||
      session.facts.proxied
    )
      return;
    await session.query(
      toolbox.database.sql.keepToolLock(toolbox.history.toolLock(toolbox.database, plan.history.table, session.facts)),
    );
    this.#keepsLock = true;
  }

  /** In the last transaction of the whole run. */
  #freeFlag(): readonly Command[] {
    return endsRun(this.#request) ? freeFlag(this.#request) : [];
  }

  /** Where nothing kept the tool from reading the history meanwhile: that none of it waits to migrate by what it has read. */
  get #lastGuard(): readonly Command[] {
    return this.#request.toolbox.database.sql.historyLock === 'writers' ? this.#texts.guardApproach : [];
  }

  get #texts(): StepTexts {
    if (this.#knownTexts === undefined) throw new FlybackError('internal', 'A step began before its transaction.');
    return this.#knownTexts;
  }

  async #letGo(): Promise<void> {
    await this.#releaseLock();
  }

  async #releaseLock(): Promise<void> {
    const { sql } = this.#request.toolbox.database;
    if (!this.#keepsLock && sql.toolLockEndsWith === 'transaction') return;
    await releaseSessionLock(this.#request);
    this.#keepsLock = false;
  }

  async #commitLast(last: Uncommitted): Promise<void> {
    // Whoever could not be seen when the history was locked may show by now: too late to stop, in time to tell.
    const { approach } = this.#texts;
    const sent = await this.#request.session.batch([...approach, ...last.commands]);
    if (sent.failure !== undefined) {
      const { error } = sent.failure;
      await this.#commitFailed(
        last,
        error.connectionLost ? connectionLostError(error) : guardError(error, this.#request.plan.history.table),
        error.connectionLost,
      );
    }
    this.#committed(last);
    const warning = staleWarning(sent.results.slice(0, approach.length));
    if (warning !== undefined) this.#warnings.push(warning);
  }

  #committed(done: Uncommitted): void {
    this.#recordHash = done.hash;
    this.#retriesLeft = this.#request.settings.lockRetries;
    const first = this.#request.plan.transaction === 'single' ? 0 : done.index;
    for (let index = first; index <= done.index; index += 1) this.#mark(index, 'committed');
    this.#request.onEvent?.({ kind: 'recorded', hash: done.hash });
  }

  /** The commit was refused, or the connection broke around it; in the second case the server is asked what it did. */
  async #commitFailed(last: Uncommitted, error: FlybackError, connectionLost: boolean): Promise<void> {
    const first = this.#request.plan.transaction === 'single' ? 0 : last.index;
    if (!connectionLost && (await rollBack(this.#request))) {
      for (let index = first; index <= last.index; index += 1)
        this.#mark(index, index === last.index ? 'failed' : 'rolled-back');
      const final = this.#request.signal?.aborted === true ? cancelledError() : error;
      await this.#recordFailure(last.index, final, noWork, last.started);
      throw final;
    }
    const found = await wasCommitted(this.#request, last.hash);
    if (found.answer === true) {
      this.#committed(last);
      const { version } = this.#at(last.index).step;
      this.#warnings.push(`The connection broke while version ${version} was being committed; ${found.words}.`);
      if (last.index === this.#steps.length - 1) return;
      throw error;
    }
    for (let index = first; index <= last.index; index += 1)
      this.#mark(index, found.answer === false ? (index === last.index ? 'failed' : 'rolled-back') : 'unknown');
    if (found.answer === false) {
      await this.#recordFailure(last.index, error, noWork, last.started);
      throw error;
    }
    throw new FlybackError(
      'commit-unknown',
      `The connection broke while version ${this.#at(last.index).step.version} was being committed, and ${found.why}.`,
      {
        hint: 'When the server that the run began on is back, flyback status tells whether the version is still applied; either it happened completely or not at all.',
        cause: error,
      },
    );
  }

  async #stepFailed(
    index: number,
    error: FlybackError,
    retryable: boolean,
    work: StepWork,
    started: number,
  ): Promise<void> {
    if (error.code !== 'connection-lost') {
      await this.#request.session.query(this.#request.toolbox.database.sql.rollback).catch(() => undefined);
    }
    if (retryable && (await this.#mayRetry(index, error.message))) return;
    this.#note(index, 'failed', work, started);
    this.#mark(index, 'failed');
    const final = this.#request.signal?.aborted === true && error.code !== 'cancelled' ? cancelledError() : error;
    await this.#recordFailure(index, final, work, started);
    throw final;
  }

  /** The user cancelled after the work of a step and before its commit. */
  async #abandon(index: number, work: StepWork, started: number): Promise<void> {
    await this.#request.session.query(this.#request.toolbox.database.sql.rollback).catch(() => undefined);
    const error = cancelledError();
    this.#mark(index, 'rolled-back');
    await this.#recordFailure(index, error, work, started);
    throw error;
  }

  async #mayRetry(index: number, message: string): Promise<boolean> {
    if (this.#retriesLeft <= 0 || this.#request.signal?.aborted === true) return false;
    this.#retriesLeft -= 1;
    const pauseMs = this.#request.settings.lockRetryPauseMs;
    this.#request.onEvent?.({
      kind: 'lock-timeout',
      version: this.#at(index).step.version,
      attempt: this.#request.settings.lockRetries - this.#retriesLeft,
      pauseMs,
      message: this.#request.redact(message),
    });
    await pause(pauseMs, this.#request.signal);
    return true;
  }

  async #recordFailure(index: number, error: FlybackError, work: StepWork, started: number): Promise<void> {
    await this.#writeRecord([
      this.#entry(index, error.code === 'cancelled' ? 'cancelled' : 'failed', work, started, error),
    ]);
  }

  /** Entries of runs that changed nothing; that they cannot be written is a warning, never a second failure. */
  async #writeRecord(entries: readonly RecordEntry[]): Promise<void> {
    const written = await writeAfterwards(this.#request, entries);
    if ('hash' in written) this.#recordHash = written.hash;
    else this.#warnings.push(written.warning);
  }

  #announce(index: number): void {
    this.#request.onEvent?.({
      kind: 'step-started',
      version: this.#at(index).step.version,
      ...this.#number(index),
    });
  }

  #note(index: number, outcome: StepOutcome, work: StepWork, started: number): void {
    this.#warnings.push(...work.warnings.filter((warning) => !this.#warnings.includes(warning)));
    this.#results[index] = {
      version: this.#at(index).step.version,
      outcome,
      durationMs: performance.now() - started,
      statements: work.statements,
      verifications: work.verifications,
      notices: work.notices,
      ...(work.drift === undefined ? {} : { drift: work.drift }),
    };
  }

  #mark(index: number, outcome: StepOutcome): void {
    const result = this.#results[index];
    if (result === undefined || result.outcome === outcome) return;
    this.#results[index] = { ...result, outcome };
    this.#request.onEvent?.({ kind: 'step-finished', version: result.version, outcome, durationMs: result.durationMs });
  }

  #entry(
    index: number,
    outcome: RecordOutcome,
    work: StepWork,
    started: number,
    error: FlybackError | undefined,
  ): RecordEntry {
    return stepEntry(this.#request, {
      step: this.#at(index).step,
      outcome,
      ...this.#number(index),
      transaction: this.#request.plan.transaction,
      statements: work.statements,
      verifications: work.verifications,
      drift: work.drift,
      started,
      error,
    });
  }

  /** The step's place in the whole run, of which this may be a part. */
  #number(index: number): { readonly number: number; readonly of: number } {
    const { before, of } = this.#request.part ?? { before: 0, of: this.#steps.length };
    return { number: before + index + 1, of };
  }
}
