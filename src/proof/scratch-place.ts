import type { Session } from '../adapter/database.js';

/** Makes databases for proofs. Whoever opened the place closes it, and its databases go with it. */
export interface ScratchPlace {
  /** "PostgreSQL 18.4, embedded". */
  readonly description: string;
  readonly majorVersion: number;
  readonly product: 'PostgreSQL' | 'MySQL' | 'MariaDB';
  /** A new database: empty, or a copy of one to which nobody is connected. Gives its name. */
  create(copyOf?: string): Promise<string>;
  /** A session to a database made here. The caller closes it. */
  connect(database: string): Promise<Session>;
  /** Removes a database to which nobody is connected. */
  drop(database: string): Promise<void>;
  /**
   * A place on another server, which has nothing of what proofs make on this one: roles, databases, settings. Whoever asks
   * closes it. Undefined where there is one server only.
   */
  readonly another: (() => Promise<ScratchPlace & { close(): Promise<void> }>) | undefined;
}
