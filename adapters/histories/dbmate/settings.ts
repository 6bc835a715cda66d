import type { ToolSettings } from '../../../src/config/config.js';

/** What flyback needs to know of how dbmate is called. */
export interface DbmateSettings extends ToolSettings {
  /** Absolute paths of the folders with the migrations. */
  readonly folders: readonly string[];
  readonly table: string;
  /** Of a table name with a schema, or the first of search_path in the URL; undefined: the connection's current one. */
  readonly schema: string | undefined;
  /** Whether dbmate is called with --strict, and refuses migrations below the newest applied one. */
  readonly strict: boolean;
}
