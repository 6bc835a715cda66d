import type { Finding } from '../errors/finding.js';
import type { Grade } from '../proof/grade.js';
import type { TriggersMode } from '../scripts/rollback-script.js';

/** A value that must never be printed. Serialises and inspects as "***". */
export class Secret<T = string> {
  readonly #value: T;
  constructor(value: T) {
    this.#value = value;
  }
  reveal(): T {
    return this.#value;
  }
  toString(): string {
    return '***';
  }
  toJSON(): string {
    return '***';
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '***';
  }
}

export interface HostAddress {
  /**
   * Host name, IP address (IPv6 without brackets) or, beginning with "/", the folder of a Unix socket for PostgreSQL, the
   * socket itself for MySQL.
   */
  readonly host: string;
  readonly port: number;
}

export interface TlsSettings {
  readonly mode: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
  readonly rootCertificateFile?: string | undefined;
  readonly certificateFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly keyPassword?: Secret | undefined;
}

/** How to reach the database, whatever notation it came in. */
export interface ConnectionSettings {
  readonly database: 'postgresql' | 'mysql';
  /** Tried in order until one answers and fits `targetServer`. */
  readonly hosts: readonly HostAddress[];
  readonly databaseName: string;
  readonly user: string | undefined;
  readonly password: Secret | undefined;
  readonly tls: TlsSettings;
  readonly targetServer: 'any' | 'primary' | 'secondary' | 'preferPrimary' | 'preferSecondary';
  /** search_path entries from the URL (currentSchema), unquoted; empty: the server's own. */
  readonly searchPath: readonly string[];
  /** The `options` start-up parameter (-c name=value …). */
  readonly options: string | undefined;
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
  /** SQL run once after connecting (Flyway's initSql). */
  readonly initSql: string | undefined;
  /** Printable form without any secret, for messages and records. */
  readonly display: string;
}

/**
 * What the migration tool's own configuration says. Each history adapter has its own further keys, and is only ever given
 * settings that its own reader made; to everybody else they are opaque.
 */
export interface ToolSettings {
  /** The history adapter's name. */
  readonly tool: string;
}

export interface RunSettings {
  /** Bound on each single wait for a lock; 0 means no bound. */
  readonly lockTimeoutMs: number;
  /** Bound on each statement; 0 means the role's own. */
  readonly statementTimeoutMs: number;
  /** How often a step that ran into lock_timeout is tried again, and the pause before each new try. */
  readonly lockRetries: number;
  readonly lockRetryPauseMs: number;
  /**
   * Bound on each wait of a statement that nobody waits behind (CREATE INDEX CONCURRENTLY waits for every older
   * transaction); 0 means no bound.
   */
  readonly concurrentWaitMs: number;
  /** How long to poll for the migration tool's own lock before giving up. */
  readonly toolLockWaitMs: number;
  /** Undefined: replica where the role may, else disable, said aloud in the plan. */
  readonly triggers: TriggersMode | undefined;
}

export interface AuditPolicy {
  /** Finding codes that an audit only mentions. */
  readonly ignore: readonly string[];
  /** The highest risk that passes an audit without an approval directive. */
  readonly maxRisk: 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'critical';
}

/** What is done about something: nothing, a word about it, or a refusal. */
export type Policy = 'off' | 'warn' | 'stop';

/** A server in a container of this run's own. */
export interface DockerScratch {
  readonly kind: 'docker';
  /** Undefined: the official image of the target's major version. */
  readonly image: string | undefined;
}

export interface ProvePolicy {
  /** Grades with which a rollback passes. */
  readonly passes: readonly Grade[];
  /** Of a rollback without a proof that counts. Undefined: warn where the project keeps receipts, else off. */
  readonly requireProof: Policy | undefined;
  /** Whether only a proof made on the target's own major version counts. */
  readonly sameMajor: boolean;
  /** Of a target that is not as the proof saw it, around a rollback whose proof counts. */
  readonly drift: Policy;
  /** A server on which databases for proofs may be made, or a container; undefined: the server that comes along. */
  readonly scratch: ConnectionSettings | DockerScratch | undefined;
  /** Bound on each statement of migrations and fixtures in proofs, and of rollbacks where those have none of their own. */
  readonly statementTimeoutMs: number;
  /** Absolute path of the folder with rows for proofs, if any. */
  readonly fixturesFolder: string | undefined;
}

/** The one trusted configuration: everything validated, every default filled in. */
export interface Config {
  readonly projectFolder: string;
  /** The variables that it was read with; for programs of the project. */
  readonly environment: Secret<Readonly<Record<string, string | undefined>>>;
  /** Undefined when no connection is configured (enough for stub and file-only audits). */
  readonly connection: ConnectionSettings | undefined;
  readonly tool: ToolSettings;
  /** Absolute path of the folder with R scripts. */
  readonly rollbacksFolder: string;
  /** Absolute path of the user's own stub templates, if any. */
  readonly templatesFolder: string | undefined;
  /** Where the record lives: undefined schema means beside the history table. */
  readonly record: { readonly schema: string | undefined; readonly table: string };
  readonly run: RunSettings;
  readonly audit: AuditPolicy;
  readonly prove: ProvePolicy;
  /** Every secret value seen while reading, for redaction of anything a server or library says. */
  readonly secrets: readonly Secret[];
  /** Configuration key → where its value came from ("flyway.toml", "FLYWAY_URL", "--url", "default"). */
  readonly sources: Readonly<Record<string, string>>;
  /** What was noticed while reading and does not stop anything: warnings and infos. */
  readonly findings: readonly Finding[];
}
