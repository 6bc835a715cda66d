import type {
  BatchOutcome,
  Command,
  OnAnswer,
  OnCommandAnswer,
  PipelineOutcome,
  QueryResult,
  ServerFailure,
  Session,
} from '../adapter/database.js';
import type { LentWatch } from '../adapter/lent-session.js';
import type { LockHolder, LockWait } from '../adapter/locks.js';
import type { FunctionCalls } from '../functions/function-runner.js';
import { describeHolder, presentable } from '../locks/describe-holder.js';
import { endingOf } from '../locks/ending.js';
import { endedSentence } from './end-blockers.js';
import type { RunRequest } from './run-request.js';
import type { RunEvent, RunResult } from './run-result.js';
import { successorOf } from './same-server.js';

/** A server that has answered nothing for so long is looked at, and how often from then on. */
const quietMs = 1000;
/** The same blockers are told again after this time. */
const repeatMs = 5000;
/** After a failure of its own the watch leaves the server in peace for so long. */
const troubledMs = 10_000;
const tickMs = 200;

/** Runs something under a watch; the result tells what became of other sessions. */
export async function watched(
  request: RunRequest,
  run: (request: RunRequest) => Promise<RunResult>,
): Promise<RunResult> {
  const watch = watchLocks(request);
  try {
    const result = await run(watch.request);
    return { ...result, warnings: [...result.warnings, ...watch.warnings()] };
  } finally {
    await watch.stop();
  }
}

interface LockWatch {
  /** The run to execute: its session is watched. */
  readonly request: RunRequest;
  /** What was done to other sessions, and what could not be. */
  warnings(): readonly string[];
  /** Never throws. */
  stop(): Promise<void>;
}

/**
 * Watches the session of a run from a second one, which is opened when the server first owes an answer for long: whoever
 * keeps the run waiting for a lock is told in `blocked` events, and ended if the run may do so. Nothing that goes wrong
 * here reaches the run. Behind a pooler nothing is watched: the process at the other end may be another every time.
 */
function watchLocks(request: RunRequest): LockWatch {
  const before = request.cancelBlockers?.ended ?? [];
  if (request.reconnect === undefined || request.session.facts.proxied) {
    return {
      request: { ...request, endedSessions: () => before },
      warnings: () => before,
      stop: () => Promise.resolve(),
    };
  }
  const watcher = new LockWatcher(request, request.reconnect, before);
  return {
    request: {
      ...request,
      session: watchedSession(request.session, watcher),
      functions: request.functions && watchedFunctions(request.functions, watcher),
      onEvent: (event) => {
        watcher.follow(event);
        request.onEvent?.(event);
      },
      endedSessions: () => watcher.ended,
    },
    warnings: () => [...watcher.ended, ...watcher.notEnded],
    stop: () => watcher.stop(),
  };
}

/** The same session, telling the watcher when it begins to wait for the server and when an answer comes. */
function watchedSession(session: Session, watcher: LockWatcher): Session {
  const during = async <T>(work: Promise<T>): Promise<T> => {
    watcher.asked();
    try {
      return await work;
    } finally {
      watcher.answered();
      // The answer may have come because of it, and whatever is said next is to tell of it.
      await watcher.settled();
    }
  };
  return {
    facts: session.facts,
    query: (sql: string): Promise<readonly QueryResult[]> => during(session.query(sql)),
    pipeline: (messages: readonly string[], onAnswer?: OnAnswer): Promise<PipelineOutcome> =>
      during(
        session.pipeline(messages, (index, results) => {
          watcher.asked();
          onAnswer?.(index, results);
        }),
      ),
    batch: (commands: readonly Command[], onAnswer?: OnCommandAnswer): Promise<BatchOutcome> =>
      during(
        session.batch(commands, (index, result) => {
          watcher.asked();
          onAnswer?.(index, result);
        }),
      ),
    draft: (commands: readonly Command[]) => session.draft?.(commands),
    forgetPlans: () => session.forgetPlans(),
    copyIn: (statement: string, data: string): Promise<QueryResult | { readonly failure: ServerFailure }> =>
      during(session.copyIn(statement, data)),
    takeNotices: () => session.takeNotices(),
    cancel: () => session.cancel(),
    close: () => session.close(),
  };
}

/** What a function sends is waited for like anything else; not what it does between two statements. */
function watchedFunctions(functions: FunctionCalls, watcher: LockWatcher): FunctionCalls {
  return {
    call: async (called, { onStatement, onAnswer }, signal) => {
      try {
        const watch: LentWatch = {
          onStatement: (text) => {
            watcher.asked();
            return onStatement(text);
          },
          onAnswer: (answer) => {
            watcher.answered();
            onAnswer(answer);
          },
        };
        return await functions.call(called, watch, signal);
      } finally {
        watcher.answered();
        await watcher.settled();
      }
    },
  };
}

class LockWatcher {
  readonly ended: string[];
  readonly notEnded: string[] = [];
  readonly #request: RunRequest;
  readonly #reconnect: () => Promise<Session>;
  readonly #timer: NodeJS.Timeout;
  /** By performance.now(), since when the server owes an answer; undefined while nothing was asked. */
  #since: number | undefined;
  #version = '';
  #line: number | undefined;
  #session: Promise<Session> | undefined;
  #isLooking = false;
  #ending: Promise<void> | undefined;
  #isStopped = false;
  #notBefore = 0;
  #told: { readonly who: string; readonly at: number } = { who: '', at: 0 };
  readonly #explained = new Set<string>();

  constructor(request: RunRequest, reconnect: () => Promise<Session>, ended: readonly string[]) {
    this.#request = request;
    this.#reconnect = reconnect;
    this.ended = [...ended];
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#timer.unref();
  }

  asked(): void {
    this.#since = performance.now();
  }

  answered(): void {
    this.#since = undefined;
  }

  /** Sessions that are being ended have been, and are told of; or that takes too long to wait for. */
  async settled(): Promise<void> {
    if (this.#ending === undefined) return;
    const ended = this.#ending.catch(() => undefined);
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, quietMs).unref())]);
  }

  /** Which statement the server is at. */
  follow(event: RunEvent): void {
    if (event.kind === 'step-started' || event.kind === 'statement-started') this.#version = event.version;
    if (event.kind === 'statement-started') this.#line = event.line;
    if (event.kind === 'statement-finished' || event.kind === 'step-started' || event.kind === 'lock-timeout') {
      this.#line = undefined;
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    const opening = this.#session;
    if (opening === undefined) return;
    // A server that does not answer must not hold up the end of the run.
    const closing = opening.then((session) => session.close()).catch(() => undefined);
    await Promise.race([closing, new Promise((resolve) => setTimeout(resolve, quietMs).unref())]);
  }

  #tick(): void {
    const since = this.#since;
    const now = performance.now();
    if (this.#isLooking || since === undefined || now - since < quietMs || now < this.#notBefore) return;
    this.#isLooking = true;
    this.#notBefore = now + quietMs;
    void this.#look(since)
      .catch(() => this.#giveUpForNow())
      .finally(() => (this.#isLooking = false));
  }

  async #look(since: number): Promise<void> {
    const { toolbox, plan, session: own, redact } = this.#request;
    const session = await (this.#session ??= this.#reconnect());
    if (this.#isStopped) return;
    // Numbers of processes mean others there; ending those would be the worst.
    if (successorOf(own.facts, session.facts).kind !== 'same') throw new Error('another server answers');
    const { locks } = toolbox.database;
    const lock = toolbox.history.toolLock(toolbox.database, plan.history.table, session.facts);
    const found = await locks.waitOf(session, own.facts.backendId, lock);
    // The answer may be about a wait that is over by now.
    if (found === undefined || found.blockers.length === 0 || this.#since !== since) return;
    const wait = {
      ...found,
      blockers: found.blockers.map(({ holder, holds }) => ({ holds, holder: presentable(holder, redact) })),
    };
    this.#tell(wait);
    if (this.#request.cancelBlockers === undefined) return;
    this.#ending = this.#end(session, wait).finally(() => (this.#ending = undefined));
    await this.#ending;
  }

  #tell(wait: LockWait): void {
    const who = wait.blockers.map(({ holder }) => holder.identity).join('\n');
    const now = performance.now();
    if (who === this.#told.who && now - this.#told.at < repeatMs) return;
    this.#told = { who, at: now };
    this.#request.onEvent?.({ kind: 'blocked', version: this.#version, line: this.#line, wait });
  }

  async #end(session: Session, wait: LockWait): Promise<void> {
    const holding = wait.blockers.filter(({ holds }) => holds);
    const due: LockHolder[] = [];
    for (const { holder } of holding.length > 0 ? holding : wait.blockers) {
      const ending = endingOf(holder);
      if (ending.kind === 'end') due.push(holder);
      else this.#explain(holder, ending.kind === 'leave' ? ending.reason : ending.lacking);
    }
    const answers = await this.#request.toolbox.database.locks.end(session, due);
    const what = `the run waited for ${wait.level === null ? '' : `${wait.level} on `}${wait.on}`;
    for (const [index, holder] of due.entries()) {
      const how = answers[index];
      if (how === undefined || how === 'gone') continue;
      const sentence = endedSentence(holder, how, what);
      if (this.#explained.has(`${holder.identity} ${how}`)) continue;
      this.#explained.add(`${holder.identity} ${how}`);
      this.ended.push(sentence);
      this.#request.onEvent?.({ kind: 'session-ended', holder, how });
    }
  }

  #explain(holder: LockHolder, reason: string): void {
    if (this.#explained.has(holder.identity)) return;
    this.#explained.add(holder.identity);
    const byHand = this.#request.toolbox.database.locks.endingStatement(holder);
    this.notEnded.push(`${describeHolder(holder)} was not ended: ${reason}. By hand: ${byHand}`);
    this.#request.onEvent?.({ kind: 'session-left', holder, reason, byHand });
  }

  #giveUpForNow(): void {
    this.#notBefore = performance.now() + troubledMs;
    const broken = this.#session;
    this.#session = undefined;
    void broken?.then((session) => session.close()).catch(() => undefined);
  }
}
