import type { ToolSettings } from '../../../src/config/config.js';

/** The tools that keep their history as a set of file names in one table. */
export type ToolName = 'sequelize' | 'umzug';

/** What flyback needs to know of a project with sequelize-cli 6 or Umzug 3. */
export interface SequelizeSettings extends ToolSettings {
  readonly tool: ToolName;
  readonly table: string;
  /** Undefined: wherever the connection's search_path finds the table. */
  readonly schema: string | undefined;
  /** The column with the names; sequelize-cli always calls it name. */
  readonly column: string;
  /** Stands for the folder that the tool would be started in. */
  readonly projectFolder: string;
  /** sequelize-cli: one folder. Umzug: glob patterns. Relative ones start at the project folder. */
  readonly migrations: readonly string[];
}
