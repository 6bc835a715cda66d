import type { ToolSettings } from '../../../src/config/config.js';

/** The tools that keep their history as a set of file names in one table. */
export type ToolName = 'sequelize' | 'umzug';

/** What projects give Umzug as context. */
export const umzugContexts = ['queryInterface', 'sequelize'] as const;
export type UmzugContext = (typeof umzugContexts)[number];

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
  /** down() functions of migrations roll back versions that have no script. */
  readonly runsFunctions: boolean;
  /** Options of the project's Sequelize that such functions get with their connection; JSON. */
  readonly sequelizeOptions: Readonly<Record<string, unknown>>;
  /** What Umzug's functions find as their context. */
  readonly context: UmzugContext;
}
