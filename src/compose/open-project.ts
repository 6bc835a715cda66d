import { homedir } from 'node:os';
import { databases, tools } from '../../adapters/index.js';
import { readConnection } from '../../adapters/read-connection.js';
import type { DatabaseAdapter, Session } from '../adapter/database.js';
import type { MigrationTools } from '../adapter/migration-tool.js';
import type { Toolbox } from '../adapter/toolbox.js';
import type { Config } from '../config/config.js';
import { loadConfig, type ConfigFlags } from '../config/load-config.js';
import { createRedactor } from '../config/create-redactor.js';
import { FlybackError } from '../errors/error.js';
import { redactError } from '../errors/redact-error.js';
import type { ConnectedProject, Project } from '../project/project.js';
import { readProject, readProjectFiles } from '../project/read-project.js';

/** What a project is opened with; everything has a default that the command line uses too. */
export interface OpenOptions {
  /** The folder with flyway.toml, flyway.conf or flyback.toml. Default: the current folder. */
  readonly folder?: string | undefined;
  /** As the command line's flags, without dashes: { url: 'jdbc:postgresql://…' }. */
  readonly flags?: ConfigFlags | undefined;
  /** Default: process.env. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

/** The adapters that this configuration asks for. */
export function toolboxFor(config: Pick<Config, 'tool' | 'connection' | 'prove'>): Toolbox {
  const tool = (tools as MigrationTools)[config.tool.tool];
  if (tool === undefined) throw new FlybackError('internal', `There is no migration tool ${config.tool.tool}.`);
  const { scratch } = config.prove;
  const onScratch = scratch === undefined || 'kind' in scratch ? undefined : scratch.database;
  const name = config.connection?.database ?? onScratch ?? 'postgresql';
  const database = (databases as Partial<Record<string, DatabaseAdapter>>)[name];
  if (database === undefined) throw new FlybackError('internal', `There is no database adapter ${name}.`);
  return { database, history: tool.historyFor?.(config.tool) ?? tool.history };
}

/** Reads the configuration as the command line does. Throws FlybackError config-invalid with all problems at once. */
export async function loadProjectConfig(options: OpenOptions = {}): Promise<Config> {
  return loadConfig({
    projectFolder: options.folder ?? process.cwd(),
    flags: options.flags ?? {},
    environment: options.environment ?? process.env,
    homeFolder: homedir(),
    currentFolder: process.cwd(),
    tools,
    readConnection,
  });
}

/** Opens a session to the configured database. The caller closes it. */
export async function connect(config: Config): Promise<Session> {
  const { database, history } = toolboxFor(config);
  if (config.connection === undefined) {
    throw new FlybackError('config-invalid', 'No database is configured.', { hint: history.words.connection });
  }
  return database.connect(config.connection);
}

/**
 * Reads configuration, files and history, gives the project to `use`, and closes the connection whatever happens.
 */
export async function withProject<T>(
  options: OpenOptions,
  use: (project: ConnectedProject, config: Config) => Promise<T>,
): Promise<T> {
  const config = await loadProjectConfig(options);
  return withoutSecrets(config, async () => {
    const session = await connect(config);
    let project: ConnectedProject | undefined;
    try {
      project = await readProject(config, toolboxFor(config), session, new Date());
      return await use(project, config);
    } finally {
      await project?.functions?.close();
      await session.close();
    }
  });
}

/** Takes the project's secrets out of whatever error comes: servers and parsers quote what they were given. */
export async function withoutSecrets<T>(config: Config, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof FlybackError ? redactError(error, createRedactor(config.secrets)) : error;
  }
}

/** Reads configuration and files only; nothing is known of what is applied. */
export async function readFilesOnly(options: OpenOptions = {}): Promise<Project> {
  const config = await loadProjectConfig(options);
  return withoutSecrets(config, () => readProjectFiles(config, toolboxFor(config), new Date()));
}
