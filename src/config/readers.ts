import type { Finding } from '../errors/finding.js';
import type { ConnectionSettings, ToolSettings, Secret } from './config.js';

/*
 * What loadConfig needs from the two adapter axes. It gets both as functions, so that src/ never imports an adapter:
 * a second history tool brings its own ReadToolConfig, a second database its own ReadConnection.
 */

/** A value together with the file, variable or flag that it came from. */
export interface Sourced<T = string> {
  readonly value: T;
  /** As a person would look for it: "flyway.toml [environments.prod] url", "FLYWAY_URL", "--url", "default". */
  readonly source: string;
}

/** A URL and what is configured beside it, not yet interpreted. */
export interface ConnectionRequest {
  readonly url: Sourced;
  readonly user: Sourced | undefined;
  readonly password: Sourced<Secret> | undefined;
  /** Driver properties configured beside the URL; the URL's own parameters win over them. */
  readonly properties: Readonly<Record<string, Sourced>>;
  readonly initSql: string | undefined;
  /** Used when nothing names a user: drivers then take the operating system's. */
  readonly systemUser: string | undefined;
  /** Relative certificate paths resolve against this folder. */
  readonly baseFolder: string;
}

/** What a URL says. Without settings there is at least one finding with severity error. */
export interface ConnectionReading {
  readonly settings: ConnectionSettings | undefined;
  readonly secrets: readonly Secret[];
  readonly findings: readonly Finding[];
}

/** Interprets a database URL. Pure; bad input becomes findings, never an exception, and no finding holds a secret. */
export type ReadConnection = (request: ConnectionRequest) => ConnectionReading;

/** Keys of the migration tool's configuration that flyback itself can set; they beat every source of the tool. */
export type ToolOverride =
  | 'environment'
  | 'url'
  | 'user'
  | 'defaultSchema'
  | 'schemas'
  | 'table'
  | 'locations'
  /** Whether a configuration that is a program may be run: true or false. */
  | 'loadConfig';

export interface ToolConfigRequest {
  /** Absolute; stands for the folder that the tool would be started in. */
  readonly projectFolder: string;
  readonly homeFolder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Extra configuration files of the tool, later ones win. */
  readonly configFiles: readonly string[];
  /** The tool's own working-directory option, if used. */
  readonly workingDirectory: string | undefined;
  readonly overrides: Readonly<Partial<Record<ToolOverride, Sourced>>>;
  /** The tool's own table in flyback.toml, for what it has no configuration for; the reader says what is wrong with it. */
  readonly own: ReadonlyMap<string, unknown>;
  /** Replaces the tool's password, which is then not even resolved. */
  readonly password: Sourced<Secret> | undefined;
}

/** The migration tool's own configuration, with every default filled in as the tool would. */
export interface ToolConfigReading<Settings extends ToolSettings = ToolSettings> {
  readonly settings: Settings;
  /** Where the migrations lie, as the tool names such places. */
  readonly locations: readonly string[];
  /** Undefined when no URL is configured anywhere. */
  readonly connection: Pick<ConnectionRequest, 'url' | 'user' | 'password' | 'properties' | 'initSql'> | undefined;
  readonly sources: Readonly<Record<string, string>>;
  readonly secrets: readonly Secret[];
  readonly findings: readonly Finding[];
}

/** Reads the tool's files and variables. Bad input becomes findings, all at once, never an exception. */
export type ReadToolConfig = (request: ToolConfigRequest) => Promise<ToolConfigReading>;

const secretName = /pass(word|phrase|wd)?$|passw|pwd|secret|token|credential|(^|[^a-z])key$|api_?key|private_?key/i;

/** True for names under which people keep secrets: password, token, api_key … */
export function isSecretName(name: string): boolean {
  return secretName.test(name);
}
