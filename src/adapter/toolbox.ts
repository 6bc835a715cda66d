import type { DatabaseAdapter } from './database.js';
import type { HistoryAdapter } from './history.js';

/** One adapter of each axis: what a project is on. The stages get it handed in and know no other. */
export interface Toolbox {
  readonly database: DatabaseAdapter;
  readonly history: HistoryAdapter;
}
