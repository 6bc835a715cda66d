import type { LentSession } from './lent-session.js';

/*
 * Migrations that are programs: their up and down functions, run in a process of their own with a connection that flyback
 * gives them.
 */

/** How the functions of a project's migrations are called: what the tool itself would give them. */
export interface FunctionCaller {
  /**
   * Source of an ES module for the child process, started in `folder`. It defines `prepare(options, address, { file, name,
   * direction })`, which loads the migration, then makes whatever the tool makes of a connection and has one set up, and
   * resolves to `{ call(), end() }`: the function, and the end of all its connections. What it tells itself it throws as
   * `new Refusal(problem, hint)`, which is there: a problem as FunctionEnd has it.
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

/**
 * How a call ended as the program tells it. The problem is the end of a sentence that begins with the migration's file, without
 * anything that the project's code said, which may be a secret; the hint is a whole one.
 */
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
