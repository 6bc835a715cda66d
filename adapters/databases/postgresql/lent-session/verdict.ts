import type { ServerFailure } from '../../../../src/adapter/database.js';
import type { LentOutcome, LentWatch } from '../../../../src/adapter/lent-session.js';
import { serverFailure, sessionError } from '../server-failure.js';
import type { ProgramConnection } from './program-connection.js';

/** Of a statement that is not told to the watch. */
export const untold = -1;

const tookBack =
  'The program took back work of its own (ROLLBACK), so what it does cannot be told from the statements that it sends.';

/** Without effect as long as nobody goes back to one. */
const ofSavepoint = /^(?:savepoint|release)\b/i;

const notTaken = 'flyback could not take this statement down.';

/** What the watch is told of, and what has gone wrong. */
export class Verdict {
  readonly #watch: LentWatch;
  #refusal: string | undefined;
  #failure: { readonly index: number; readonly failure: ServerFailure } | undefined;
  #told = 0;
  /** What the first connection sent before its set-up was over; undefined while it is not. */
  #setUp: readonly string[] | undefined;
  #setUpSoFar: { readonly connection: ProgramConnection; readonly texts: string[] } | undefined;
  /** Of the watch itself. */
  #fault: { readonly error: unknown } | undefined;

  constructor(watch: LentWatch) {
    this.#watch = watch;
  }

  get refusal(): string | undefined {
    return this.#refusal;
  }

  setUpEnds(): void {
    this.#setUp ??= this.#setUpSoFar?.texts ?? [];
  }

  /** Before a statement is sent: its index, or why it must not be. */
  tell(connection: ProgramConnection, text: string): number | { readonly reason: string } {
    if (this.#setUp === undefined) {
      this.#setUpSoFar ??= { connection, texts: [] };
      if (this.#setUpSoFar.connection === connection) this.#setUpSoFar.texts.push(text);
      connection.setUpSent += 1;
      return untold;
    }
    if (!connection.isSetUp) {
      const found = this.#setUp.indexOf(text, connection.setUpSent);
      if (found !== -1) {
        connection.setUpSent = found + 1;
        return untold;
      }
      connection.isSetUp = true;
    }
    if (ofSavepoint.test(text)) return untold;
    const reason = this.#ask(() => this.#watch.onStatement(text));
    if (reason !== undefined) return { reason };
    this.#told += 1;
    return this.#told - 1;
  }

  answer(index: number, rowCount: number | null, returnsRows: boolean, since: number): void {
    if (index === untold) return;
    const durationMs = performance.now() - since;
    this.#ask(() => {
      this.#watch.onAnswer({ rowCount, returnsRows, durationMs });
      return undefined;
    });
  }

  /** Something that only a mistake of flyback brings about. */
  fault(error: unknown): void {
    this.#fault ??= { error };
  }

  /** What the watch throws must not end up in a socket's event. */
  #ask(call: () => string | undefined): string | undefined {
    try {
      return call();
    } catch (error) {
      this.#fault ??= { error };
      this.refuse(notTaken);
      return notTaken;
    }
  }

  /** The first that went wrong is what counts. `position`: of the text that was told, in code points. */
  fail(index: number, cause: Error, position: number | undefined): void {
    this.#failure ??= { index, failure: { ...serverFailure(cause), position } };
  }

  /** The door refuses, and from now on everything. */
  refuse(reason: string): void {
    if (this.#failure === undefined) this.#refusal ??= reason;
  }

  /** The program goes back to where it was before. */
  tookBack(): void {
    this.refuse(tookBack);
  }

  /** `lost`: the connection to the server broke. Throws what the watch threw, and FlybackError connection-lost. */
  outcome(lost: Error | undefined): LentOutcome {
    if (this.#fault !== undefined) throw this.#fault.error;
    if (this.#failure !== undefined) return { kind: 'failed', ...this.#failure };
    if (lost !== undefined) throw sessionError(lost, 'The session that was lent broke', 'connected');
    if (this.#refusal !== undefined) {
      return { kind: 'refused', reason: this.#refusal, wentBack: this.#refusal === tookBack };
    }
    return { kind: 'done' };
  }
}
