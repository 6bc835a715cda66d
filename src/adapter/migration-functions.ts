import type { LentSession } from './lent-session.js';

/*
 * Migrations that are programs: their up and down functions, run in a process of their own with a connection that flyback
 * gives them.
 */

/** How the functions of a project's migrations are called: what the tool itself would give them. */
export interface FunctionCaller {
  /**
   * Source of an ES module for the child process. It defines `prepare(options, address)`, which makes whatever the tool makes of a
   * connection and has one set up, and gives `{ call(file, name, direction), end() }`.
   */
  readonly source: string;
  /** Handed to it; plain JSON. */
  readonly options: unknown;
  /** Absolute: where the tool would be started, and from where its modules are found. */
  readonly folder: string;
}

export type Direction = 'up' | 'down';

/** One function of one migration. */
export interface MigrationFunction {
  /** Absolute path of the migration's file. */
  readonly file: string;
  /** What the tool calls the migration. */
  readonly name: string;
  readonly direction: Direction;
}

/** How a call ended as the program tells it. Sentences without anything that the project's code said, which may be a secret. */
export type FunctionEnd =
  | { readonly kind: 'returned' }
  | { readonly kind: 'failed'; readonly problem: string; readonly hint: string | undefined };

/** A process that runs functions, one at a time. */
export interface FunctionProcess {
  /**
   * Calls `onReady` when its connection is set up and the function is about to be called. Each call has connections of its own,
   * which have ended when it settles. Never throws for what the project's code does.
   */
  run(called: MigrationFunction, address: LentSession['address'], onReady: () => void): Promise<FunctionEnd>;
  /** Ends it and whatever it started, at once. Never throws. */
  end(): void;
}
