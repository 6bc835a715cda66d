import { randomBytes } from 'node:crypto';
import type { Session } from '../../../../src/adapter/database.js';
import type { LendOptions, LentOutcome, LentWatch, OpenDoor } from '../../../../src/adapter/lent-session.js';
import { FlybackError } from '../../../../src/errors/error.js';
import { sessionError } from '../server-failure.js';
import { takeConnection } from '../session.js';
import type { TakenWire } from '../wire.js';
import { deferred } from './deferred.js';
import { copyRefused, type Control } from './judge.js';
import {
  BodyReader,
  errorResponse,
  message,
  query,
  serverError,
  sync,
  type Frame,
  type TransactionStatus,
} from './messages.js';
import type { ProgramConnection } from './program-connection.js';
import { Savepoints } from './savepoints.js';
import { untold, Verdict } from './verdict.js';

/** How long connections may stay when the work is done, and the work when its connection is lost. */
const graceMs = 2000;

/** One use of the door: who is inside, whose turn it is, and what came of it. */
export class Lending {
  readonly #session: Session;
  readonly #wire: TakenWire;
  readonly #parameters: Map<string, string>;
  readonly #connections = new Set<ProgramConnection>();
  readonly #savepoints = new Savepoints(`flyback_lent_${randomBytes(4).toString('hex')}`);
  #status: TransactionStatus = 'T';
  readonly verdict: Verdict;
  /** Settles when nobody waits for a turn any more. */
  #turns: Promise<unknown> = Promise.resolve();
  #owner: ProgramConnection | undefined;
  #cancelling: Promise<unknown> = Promise.resolve();
  #listener: { readonly onMessage: (frame: Frame) => void; readonly onEnd: () => void } | undefined;
  #lost: Error | undefined;
  readonly #isLost = deferred();
  #lastHeard = performance.now();
  #isOver = false;

  private constructor(session: Session, watch: LentWatch, parameters: Map<string, string>) {
    this.#session = session;
    this.verdict = new Verdict(watch);
    this.#parameters = parameters;
    const wire = takeConnection(session, {
      onMessage: (frame) => this.#heard(frame),
      onLost: (error) => {
        this.#lost = error;
        this.#endExchange();
        this.#isLost.resolve();
      },
    });
    if (wire === undefined)
      throw new FlybackError('internal', 'This session cannot be lent: it is not one of PostgreSQL.');
    this.#wire = wire;
  }

  /** Takes the session over. Throws FlybackError when no transaction is open in it. */
  static async begin(session: Session, watch: LentWatch): Promise<Lending> {
    const lending = new Lending(session, watch, await readParameters(session));
    await lending.exchange(sync, () => undefined);
    if (lending.#lost === undefined && lending.#status === 'T') return lending;
    lending.#wire.giveBack();
    if (lending.#lost !== undefined) throw sessionError(lending.#lost, 'The session cannot be lent', 'connected');
    throw new FlybackError('internal', 'A session was to be lent without an open transaction.');
  }

  get lost(): Error | undefined {
    return this.#lost;
  }

  get parameters(): ReadonlyMap<string, string> {
    return this.#parameters;
  }

  /** Undefined: nobody is let in any more. */
  admit(connection: ProgramConnection): boolean {
    if (this.#isOver || this.#lost !== undefined) return false;
    this.#connections.add(connection);
    return true;
  }

  leave(connection: ProgramConnection): void {
    this.#connections.delete(connection);
  }

  /** A program has sent something. */
  touch(): void {
    this.#lastHeard = performance.now();
  }

  /** Waits until nobody else is using the session; what it resolves to lets the next one in. */
  async turn(connection: ProgramConnection): Promise<() => void> {
    const before = this.#turns;
    const { promise, resolve } = deferred();
    this.#turns = promise;
    await before;
    await this.#cancelling;
    this.#owner = connection;
    return () => {
      this.#owner = undefined;
      this.touch();
      resolve();
    };
  }

  /** Within a turn. Resolves at the next ReadyForQuery, which is the last message handed over, or when the connection is lost. */
  exchange(bytes: Uint8Array, onMessage: (frame: Frame) => void): Promise<void> {
    return new Promise((onEnd) => {
      if (this.#lost !== undefined) {
        onEnd();
        return;
      }
      this.#listener = { onMessage, onEnd };
      this.#wire.send(bytes);
    });
  }

  /** More of what is under way. */
  send(bytes: Uint8Array): void {
    this.#wire.send(bytes);
  }

  /** Whether a message is of a COPY that its statement did not show: it is refused, and not passed on. */
  refusesCopy(type: string): boolean {
    if (!'GWHcd'.includes(type)) return false;
    this.verdict.refuse(copyRefused);
    if (type === 'G' || type === 'W') this.send(message('f', copyRefused));
    return true;
  }

  /** Cancels what this connection has under way, and nothing else: until the request has arrived nobody gets a turn. */
  cancel(connection: ProgramConnection): void {
    if (this.#owner === connection) this.#cancelling = this.#session.cancel().catch(() => undefined);
  }

  /** What a connection is shown of the transaction: nothing of one that it has not begun. */
  statusFor(connection: ProgramConnection): TransactionStatus {
    return this.#savepoints.has(connection) ? this.#status : 'I';
  }

  hasBegun(connection: ProgramConnection): boolean {
    return this.#savepoints.has(connection);
  }

  /** Does what the program means for its own transaction; the answer is a CommandComplete or an ErrorResponse. */
  async control(connection: ProgramConnection, what: Control): Promise<Buffer> {
    const name = this.#savepoints.nameOf(connection);
    switch (what) {
      case 'begin': {
        if (this.verdict.refusal !== undefined) return errorResponse('ERROR', '0A000', this.verdict.refusal);
        if (name !== undefined) return tag('BEGIN');
        const made = this.#savepoints.add(connection);
        const refused = await this.#own(`SAVEPOINT ${made}`);
        if (refused !== undefined) this.#savepoints.undo(connection);
        return refused ?? tag('BEGIN');
      }
      case 'modes':
        return tag('SET');
      case 'commit':
      case 'rollback': {
        if (name === undefined) return tag(what === 'commit' ? 'COMMIT' : 'ROLLBACK');
        // A server rolls back what has failed, whatever it is told.
        if (what === 'commit' && this.#status === 'T' && this.verdict.refusal === undefined) {
          const released = this.#savepoints.commit(connection);
          const refused = released === undefined ? undefined : await this.#own(`RELEASE SAVEPOINT ${released}`);
          return refused ?? tag('COMMIT');
        }
        const isThere = this.#savepoints.rollback(connection);
        this.verdict.tookBack();
        const refused = isThere
          ? await this.#own(`ROLLBACK TO SAVEPOINT ${name}; RELEASE SAVEPOINT ${name}`)
          : undefined;
        return refused ?? tag('ROLLBACK');
      }
    }
  }

  /** Runs a statement of the door's own; the ErrorResponse, if it was refused. */
  async #own(sql: string): Promise<Buffer | undefined> {
    let refused: Buffer | undefined;
    await this.exchange(query(sql), ({ type, bytes, body }) => {
      if (type !== 'E') return;
      refused ??= bytes;
      this.verdict.fail(untold, serverError(body), undefined);
    });
    if (this.#lost !== undefined) this.verdict.fail(untold, this.#lost, undefined);
    return refused;
  }

  #heard(frame: Frame): void {
    if (frame.type === 'S') {
      const reader = new BodyReader(frame.body);
      this.#parameters.set(reader.text(), reader.text());
    }
    if (frame.type === 'Z') {
      this.#status = frame.body.toString('latin1') as TransactionStatus;
      if (this.#status === 'I')
        this.verdict.refuse("The transaction in which the program's work was to be done has ended.");
    }
    this.#listener?.onMessage(frame);
    if (frame.type === 'Z') this.#endExchange();
  }

  #endExchange(): void {
    const ended = this.#listener;
    this.#listener = undefined;
    ended?.onEnd();
  }

  /** As LentSession.lend, once. */
  async run({ idleMs }: LendOptions, work: (door: OpenDoor) => Promise<void>): Promise<LentOutcome> {
    const working = (async () => work({ setUpEnds: () => this.verdict.setUpEnds() }))();
    // Whether or not anybody still waits for it.
    working.catch(() => undefined);
    const idle = this.#watchIdle(idleMs);
    try {
      await Promise.race([working, idle.promise, this.#lossAndGrace()]);
      idle.stop();
      await this.#goodbye();
    } finally {
      idle.stop();
      this.#isOver = true;
      for (const connection of this.#connections) connection.destroy();
      await Promise.all([...this.#connections].map(({ ended }) => ended));
      await this.#turns;
      await this.#cancelling;
      await this.#settleSavepoints();
      this.#wire.giveBack();
      // DEALLOCATE ALL and DISCARD PLANS reach flyback's own too.
      this.#session.forgetPlans();
    }
    return this.verdict.outcome(this.#lost);
  }

  /** Savepoints of the door that a program has left open. */
  async #settleSavepoints(): Promise<void> {
    const lowest = this.#savepoints.lowest;
    if (lowest === undefined || this.#lost !== undefined) return;
    this.verdict.refuse('The program began a transaction and neither committed it nor took it back.');
    if (this.#status === 'T') await this.#own(`RELEASE SAVEPOINT ${lowest}`);
  }

  /** Connections end by themselves soon after the work, or are ended. */
  async #goodbye(): Promise<void> {
    this.#isOver = true;
    const { promise, resolve } = deferred();
    const timer = setTimeout(() => resolve(), graceMs);
    await Promise.race([Promise.all([...this.#connections].map(({ ended }) => ended)), promise, this.#isLost.promise]);
    clearTimeout(timer);
  }

  /** Without a connection the work has little left to do, but its own words about it may be worth waiting for. */
  async #lossAndGrace(): Promise<void> {
    await this.#isLost.promise;
    for (const connection of this.#connections) connection.destroy();
    await new Promise<void>((resolve) => setTimeout(resolve, graceMs).unref());
  }

  #watchIdle(idleMs: number): { readonly promise: Promise<never>; stop(): void } {
    const { promise, reject } = deferred<never>();
    promise.catch(() => undefined);
    this.touch();
    let timer: NodeJS.Timeout;
    const check = (): void => {
      if (this.#owner?.waitsForProgram === false) this.touch();
      const left = this.#lastHeard + idleMs - performance.now();
      if (left > 0) {
        timer = setTimeout(check, Math.ceil(left));
        return;
      }
      reject(
        new FlybackError(
          'function-idle',
          `A migration's function has sent nothing to the database for ${Math.round(idleMs / 1000)} seconds and has not ended.`,
          { hint: 'Look at what the function waits for: a promise that never settles, a network, or input.' },
        ),
      );
    };
    timer = setTimeout(check, idleMs);
    return { promise, stop: () => clearTimeout(timer) };
  }
}

function tag(words: string): Buffer {
  return message('C', words);
}

/** What a server tells of itself when somebody logs in (PostgreSQL manual, "Asynchronous Operations"). */
const reported = [
  'application_name',
  'client_encoding',
  'DateStyle',
  'default_transaction_read_only',
  'in_hot_standby',
  'integer_datetimes',
  'IntervalStyle',
  'is_superuser',
  'scram_iterations',
  'search_path',
  'server_encoding',
  'server_version',
  'session_authorization',
  'standard_conforming_strings',
  'TimeZone',
];

async function readParameters(session: Session): Promise<Map<string, string>> {
  const names = reported.map((name) => `'${name}'`).join(', ');
  const [answer] = await session.query(
    `SELECT n, pg_catalog.current_setting(n, true) FROM pg_catalog.unnest(ARRAY[${names}]) AS n`,
  );
  return new Map(
    answer?.rows.flatMap(([name, value]) =>
      typeof name === 'string' && typeof value === 'string' ? [[name, value]] : [],
    ),
  );
}
