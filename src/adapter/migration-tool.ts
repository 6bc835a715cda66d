import type { ReadToolConfig } from '../config/readers.js';
import type { HistoryAdapter } from './history.js';

/** A migration tool as a whole: how it is recognised, how its own configuration is read, and what its history means. */
export interface MigrationTool {
  readonly history: HistoryAdapter;
  readonly readConfig: ReadToolConfig;
  /** Files directly in the project folder by which it is recognised; `*` stands for any text. */
  readonly marks: readonly string[];
}

/** The name under which a tool is configured → the tool. */
export type MigrationTools = Readonly<Record<string, MigrationTool>>;
