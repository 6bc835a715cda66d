import type { ServerFailure } from './database.js';

/*
 * Some migrations are programs, which want a connection and not a text. flyback lends them its own session: a door on this
 * machine that speaks the server's protocol and leads into the transaction that flyback has open.
 */

/** What was sent over a lent session, and how it ended. */
export interface LentWatch {
  /**
   * Called for each statement before it is sent, with its parameters written into it as literals: the text that would do the
   * same in a script. Not for what a driver sends to set a connection up, nor for savepoints, whose names count up. Returns undefined to let it through, or a sentence
   * why not: the program is told so, and everything that it sends afterwards is refused.
   */
  readonly onStatement: (text: string) => string | undefined;
  /** Called when the statement has been answered, for all that succeeded, in order. */
  readonly onAnswer: (answer: LentAnswer) => void;
}

export interface LentAnswer {
  /** Of the command tag; null where it has none. */
  readonly rowCount: number | null;
  /** The server described columns: a query, or RETURNING. */
  readonly returnsRows: boolean;
  readonly durationMs: number;
}

/** How the program's use of the session came out, whatever the program itself made of it. */
export type LentOutcome =
  | { readonly kind: 'done' }
  /** The server refused a statement: the first that it refused, counted over onStatement from 0; -1: one of the set-up. */
  | { readonly kind: 'failed'; readonly index: number; readonly failure: ServerFailure }
  /**
   * The door did: a refusal of onStatement, or something that has no place in a transaction that is not the program's. A sentence.
   * `wentBack`: the program rolled its own transaction back, as a library does for one that failed for other reasons.
   */
  | { readonly kind: 'refused'; readonly reason: string; readonly wentBack: boolean };

/** The door. */
export interface LentSession {
  /** Where a program connects. The password is made for this door, and of use on this machine only while it is open. */
  readonly address: {
    readonly host: '127.0.0.1';
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly databaseName: string;
  };
  /**
   * Lets programs in until `work` settles and their connections have ended. The transaction is open before, and is
   * open afterwards: what a program means as its own transaction becomes a savepoint. What several connections send is
   * run one after the other, as it comes. Connections outside of this are refused. Throws what `work` throws, and
   * FlybackError function-idle when a program has sent nothing for `idleMs` while `work` goes on.
   *
   * `connected` within `work`: the set-up of a connection is over; what its first statements were on the first
   * connection is taken for set-up on every later one.
   */
  lend(watch: LentWatch, options: LendOptions, work: (door: OpenDoor) => Promise<void>): Promise<LentOutcome>;
  /** Never throws. */
  close(): Promise<void>;
}

export interface LendOptions {
  readonly idleMs: number;
}

export interface OpenDoor {
  /** What has come so far is how this program sets a connection up; from now on its statements count. */
  setUpEnds(): void;
}
