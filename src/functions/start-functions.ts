import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { LentSession } from '../adapter/lent-session.js';
import type {
  FunctionCaller,
  FunctionEnd,
  FunctionProcess,
  MigrationFunction,
} from '../adapter/migration-functions.js';
import {
  describeFailure,
  endGroup,
  failureSource,
  neverSettles,
  ownGroup,
  typeStripping,
  type CodeFailure,
} from '../config/project-process.js';

export interface FunctionBounds {
  /** Longest wait until the function can be called: its file loaded, a connection made. Default: 30 seconds. */
  readonly readyMs?: number | undefined;
  /** Longest wait for the end of the connections once the function has returned. Default: 2 seconds. */
  readonly endMs?: number | undefined;
}

/**
 * Runs in the child, below the caller's program. Its streams lead nowhere. The channel holds the process only while it waits
 * for flyback, so that a promise which nothing is left to settle is noticed. Without flyback it ends, and whatever it started.
 */
const host = String.raw`
{
  ${failureSource}
  process.argv.splice(1);
  // A process that the project forks would get the program too.
  process.execArgv.splice(0);
  const { channel } = process;
  const send = process.send.bind(process);
  const watchParent = (parent, end) => {
    if (process.ppid !== parent) end();
  };
  let current;
  let goOn;
  const tell = (message) => {
    channel.ref();
    send({ ...message, flyback: current.token });
  };
  const answer = (end) => {
    if (current === undefined) return;
    tell({ end });
    current = undefined;
  };
  const endOf = (error) => {
    if (error instanceof Refusal) return { problem: error.message, hint: error.hint };
    const { file } = current.called;
    const failure = failureOf(error, file);
    const isUnstripped = error instanceof SyntaxError && /\.[cm]?ts$/.test(file) && !process.features.typescript;
    return { failure: isUnstripped ? { ...failure, code: 'ERR_UNKNOWN_FILE_EXTENSION' } : failure };
  };
  const run = async ({ options, address, called, endMs }) => {
    const { call, end } = await prepare(options, address, called);
    await new Promise((resolve) => {
      goOn = resolve;
      tell({ isReady: true });
    });
    channel.unref();
    await call();
    const late = new Refusal(
      'left something under way when it returned, which did not end within ' + endMs / 1000 + ' s',
      'Return or await every promise in it.',
    );
    let timer;
    const bound = new Promise((_, reject) => (timer = setTimeout(reject, endMs, late)));
    await Promise.race([end(), bound]);
    clearTimeout(timer);
  };
  process.on('message', (message) => {
    if (typeof message?.flyback !== 'string') return;
    if (message.goesOn === true) {
      goOn();
      return;
    }
    current = { token: message.flyback, called: message.called };
    channel.unref();
    run(message).then(
      () => answer({ isReturned: true }),
      (error) => {
        if (current !== undefined) answer(endOf(error));
      },
    );
  });
  process.on('uncaughtException', (error) => {
    if (current === undefined) process.exit(1);
    answer(endOf(error));
  });
  process.on('beforeExit', () => answer({ isUnsettled: true }));
  const endGroup = () => process.kill(process.platform === 'win32' ? process.pid : -process.pid, 'SIGKILL');
  process.on('disconnect', endGroup);
  // A function that never stops computing hears of nothing: a thread of its own looks for the parent.
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const watch = 'setInterval((' + watchParent + '), 500, ' + process.ppid + ', ' + endGroup + ')';
  new Worker(watch, { eval: true, env: {}, execArgv: [] }).unref();
}
`;

const refusal = `
class Refusal extends Error {
  constructor(problem, hint) {
    super(problem);
    this.hint = hint;
  }
}
`;

interface Answer {
  readonly isReady?: boolean;
  readonly end?: {
    readonly isReturned?: boolean;
    readonly isUnsettled?: boolean;
    readonly problem?: string;
    readonly hint?: string;
    readonly failure?: CodeFailure;
  };
}

const seeMessage =
  'Its message may hold secrets and is not shown: see it by running the migration with its own tool, on a database that may break.';

/**
 * Makes ready to run functions of migrations. The process is started with the first call, serves those after it, and is
 * started anew after one that failed, so that nothing of it is left.
 */
export function startFunctions(
  caller: FunctionCaller,
  environment: Readonly<Record<string, string | undefined>>,
  bounds: FunctionBounds = {},
): FunctionProcess {
  const { readyMs = 30_000, endMs = 2_000 } = bounds;
  let child: ChildProcess | undefined;
  let hasEnded = false;
  let previous: Promise<unknown> = Promise.resolve();

  const kill = (): void => {
    if (child !== undefined) endGroup(child);
  };

  const start = (): ChildProcess => {
    const started = spawn(
      process.execPath,
      [...typeStripping(), '--input-type=module', '--eval', `${refusal}${caller.source}${host}`],
      { cwd: caller.folder, env: environment, stdio: ['ignore', 'ignore', 'ignore', 'ipc'], ...ownGroup },
    );
    const end = (): void => {
      endGroup(started);
    };
    process.once('exit', end);
    const forget = (): void => {
      process.removeListener('exit', end);
      // What it started may still be there.
      endGroup(started);
      if (child === started) child = undefined;
    };
    started.once('exit', forget);
    started.once('error', forget);
    return started;
  };

  const callIn = (
    started: ChildProcess,
    called: MigrationFunction,
    address: LentSession['address'],
    onReady: () => void,
  ): Promise<FunctionEnd> =>
    new Promise((resolve, reject) => {
      const token = randomUUID();
      const failed = (problem: string, hint?: string): void => {
        settle({ kind: 'failed', problem, hint });
      };
      const timer = setTimeout(() => {
        failed(
          `could not be called within ${readyMs / 1000} s`,
          'See what it waits for while it is loaded, before its function is called.',
        );
      }, readyMs);
      const onExit = (): void => {
        if (hasEnded) failed('was stopped');
        else failed('ended the process that ran it', 'A migration must not call process.exit.');
      };
      const onError = (): void => {
        failed('could not be run: Node.js does not start');
      };
      const onMessage = (message: unknown): void => {
        const answer = readAnswer(message, token);
        if (answer?.isReady === true) {
          clearTimeout(timer);
          try {
            onReady();
          } catch (error) {
            release();
            reject(error instanceof Error ? error : new Error('onReady has failed', { cause: error }));
            return;
          }
          started.send({ flyback: token, goesOn: true }, ignoreError);
        }
        if (answer?.end !== undefined) settle(readEnd(answer.end));
      };
      const release = (): void => {
        clearTimeout(timer);
        started.off('exit', onExit).off('error', onError).off('message', onMessage);
      };
      const settle = (end: FunctionEnd): void => {
        release();
        resolve(end);
      };
      started.on('exit', onExit).on('error', onError).on('message', onMessage);
      started.send({ flyback: token, options: caller.options, address, called, endMs }, ignoreError);
    });

  const run: FunctionProcess['run'] = async (called, address, onReady) => {
    if (hasEnded) return { kind: 'failed', problem: 'was stopped', hint: undefined };
    const started = (child ??= start());
    let end: FunctionEnd | undefined;
    try {
      end = await callIn(started, called, address, onReady);
      return end;
    } finally {
      if (end?.kind !== 'returned') await endAndWait(started);
    }
  };

  return {
    run: (called, address, onReady) => {
      const running = previous.then(() => run(called, address, onReady));
      previous = running.catch(() => undefined);
      return running;
    },
    end: () => {
      hasEnded = true;
      kill();
    },
  };
}

/** With the process its connections end. */
async function endAndWait(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const hasExited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
  });
  endGroup(child);
  await hasExited;
}

/** Undefined for what the project's code sent itself. */
function readAnswer(message: unknown, token: string): Answer | undefined {
  if (typeof message !== 'object' || message === null) return undefined;
  return 'flyback' in message && message.flyback === token ? (message as Answer) : undefined;
}

function readEnd(end: NonNullable<Answer['end']>): FunctionEnd {
  if (end.isReturned === true) return { kind: 'returned' };
  if (end.isUnsettled === true) return { kind: 'failed', ...neverSettles };
  if (end.failure !== undefined) return { kind: 'failed', ...describeFailure(end.failure, seeMessage) };
  return { kind: 'failed', problem: end.problem ?? 'failed', hint: end.hint };
}

/** A process that is gone is noticed by its exit. */
function ignoreError(): void {
  return;
}
