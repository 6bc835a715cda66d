import type { ToolSettings } from '../../../src/config/config.js';

/** What flyback needs to know of how golang-migrate is called. It has no configuration file: only flags. */
export interface GolangMigrateSettings extends ToolSettings {
  /** Absolute path of the folder with the migrations (`-path`, or `-source` with a file URL). */
  readonly folder: string;
  readonly table: string;
  /** Given by a quoted name alone; undefined: the current schema of the connection, which on MySQL is its database. */
  readonly schema: string | undefined;
}
