import type { Session } from '../adapter/database.js';
import type { LentOutcome, LentSession, LentWatch } from '../adapter/lent-session.js';
import type { FunctionEnd, FunctionProcess, MigrationFunction } from '../adapter/migration-functions.js';
import type { Toolbox } from '../adapter/toolbox.js';
import type { ToolSettings } from '../config/config.js';
import { FlybackError } from '../errors/error.js';
import { startFunctions } from './start-functions.js';

/** How long a function may leave the server, and whoever waits for its locks, waiting. */
const idleMs = 60_000;

/** Whether functions of migrations may be called: the database can lend a session, and the project has said so. Pure. */
export function runsFunctions({ database, history }: Toolbox, settings: ToolSettings): boolean {
  return database.lend !== undefined && history.functions?.(settings) !== undefined;
}

/** How a call came out, as the server and as the process tell it. */
export type CallOutcome =
  | LentOutcome
  /** Nothing went wrong on the server, but the function did not end well. Sentences. */
  | { readonly kind: 'broken'; readonly problem: string; readonly hint: string | undefined };

/** Functions that are called on one session, whose transaction is open and stays so. */
export interface FunctionCalls {
  /** As FunctionRunner's. */
  call(called: MigrationFunction, watch: LentWatch, signal: AbortSignal | undefined): Promise<CallOutcome>;
}

export interface FunctionRunnerOptions {
  readonly toolbox: Toolbox;
  readonly settings: ToolSettings;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Calls functions of migrations with a session that somebody else owns. What it needs is started with the first call. */
export class FunctionRunner {
  readonly #options: FunctionRunnerOptions;
  #process: FunctionProcess | undefined;
  #door: { readonly session: Session; readonly opened: LentSession } | undefined;

  constructor(options: FunctionRunnerOptions) {
    this.#options = options;
  }

  /**
   * Calls one function on the session, whose transaction is open and stays so. `signal` ends the function; what runs on the
   * server is cancelled by whoever owns the session. Throws FlybackError function-idle, cancelled.
   */
  async call(
    called: MigrationFunction,
    session: Session,
    watch: LentWatch,
    signal: AbortSignal | undefined,
  ): Promise<CallOutcome> {
    throwIfAborted(signal);
    const door = await this.#openDoor(session);
    const process = this.#start();
    const end = (): void => {
      this.#endProcess();
    };
    signal?.addEventListener('abort', end, { once: true });
    let ended: FunctionEnd | undefined;
    try {
      const outcome = await door.lend(watch, { idleMs }, async (opened) => {
        ended = await process.run(called, door.address, () => {
          opened.setUpEnds();
        });
      });
      throwIfAborted(signal);
      // A library takes back the transaction of a function that has failed: the reason is the function's.
      const isOfFunction = outcome.kind === 'done' || (outcome.kind === 'refused' && outcome.wentBack);
      if (!isOfFunction || ended?.kind !== 'failed') return outcome;
      return { kind: 'broken', problem: ended.problem, hint: ended.hint };
    } catch (error) {
      // It goes on with whatever it was at, and nobody listens any more.
      this.#endProcess();
      throw error;
    } finally {
      signal?.removeEventListener('abort', end);
    }
  }

  /** The same for one session. */
  on(session: Session): FunctionCalls {
    return { call: (called, watch, signal) => this.call(called, session, watch, signal) };
  }

  /** Never throws. */
  async close(): Promise<void> {
    this.#endProcess();
    await this.#closeDoor();
  }

  #endProcess(): void {
    this.#process?.end();
    this.#process = undefined;
  }

  #start(): FunctionProcess {
    const { toolbox, settings, environment } = this.#options;
    const caller = toolbox.history.functions?.(settings);
    if (caller === undefined) throw new FlybackError('internal', 'Functions are not allowed by this project.');
    return (this.#process ??= startFunctions(caller, environment));
  }

  async #openDoor(session: Session): Promise<LentSession> {
    if (this.#door?.session !== session) {
      await this.#closeDoor();
      const { lend } = this.#options.toolbox.database;
      if (lend === undefined) throw new FlybackError('internal', 'This database cannot lend a session.');
      this.#door = { session, opened: await lend(session) };
    }
    return this.#door.opened;
  }

  async #closeDoor(): Promise<void> {
    await this.#door?.opened.close();
    this.#door = undefined;
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new FlybackError('cancelled', 'The function of a migration was ended.');
}
