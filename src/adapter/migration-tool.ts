import type { ToolSettings } from '../config/config.js';
import type { ReadToolConfig } from '../config/readers.js';
import type { HistoryAdapter } from './history.js';

/** A migration tool as a whole: how it is recognised, how its own configuration is read, and what its history means. */
export interface MigrationTool {
  readonly history: HistoryAdapter;
  /** The adapter for these settings, where it depends on them: a column of the table that can be called otherwise. */
  readonly historyFor?: ((settings: ToolSettings) => HistoryAdapter) | undefined;
  readonly readConfig: ReadToolConfig;
  /** Files directly in the project folder by which it is recognised; `*` stands for any text. */
  readonly marks: readonly string[];
  /** For `init`, where no configuration of the tool can tell: names of its migrations, and what flyback.toml then has to say. */
  readonly guess?:
    | {
        readonly migrations: RegExp;
        /** Lines for flyback.toml when the migrations lie in this folder, relative to the project with "/". */
        settings(folder: string): string;
      }
    | undefined;
}

/** Whether a file in the project folder is a mark of a tool. */
export function isMark(name: string, mark: string): boolean {
  const [before = '', after] = mark.split('*');
  return after === undefined
    ? name === mark
    : name.length >= before.length + after.length && name.startsWith(before) && name.endsWith(after);
}

/** The name under which a tool is configured → the tool. */
export type MigrationTools = Readonly<Record<string, MigrationTool>>;
