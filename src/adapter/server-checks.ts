import type { RunSettings, TlsSettings } from '../config/config.js';
import type { Check } from '../doctor/check.js';
import type { QualifiedName } from '../history/history.js';
import type { StatementImpact } from '../risk/change.js';
import type { TriggersMode } from '../scripts/rollback-script.js';
import type { Session } from './database.js';

/** A rollback script of an applied version, with what each of its statements does. */
export interface NeededScript {
  readonly version: string;
  readonly transaction: 'on' | 'off';
  /** What its directive asks for; undefined: as every script. */
  readonly triggers: TriggersMode | undefined;
  readonly statements: readonly {
    readonly line: number;
    readonly text: string;
    /** Undefined when it cannot be parsed. */
    readonly impact: StatementImpact | undefined;
  }[];
}

/**
 * How a connection is tied to a server process:
 * - direct: it is one
 * - session: a pooler gives it one for as long as it lasts
 * - transaction: a pooler may give it another one for each transaction
 * - statement: for each statement; transactions are refused
 * - unclear: a pooler stands between, and gave no second connection in time
 */
export type Pooling = 'direct' | 'session' | 'transaction' | 'statement' | 'unclear';

/** What rollbacks of this project would need from the server. */
export interface ServerNeeds {
  readonly history: QualifiedName;
  readonly record: QualifiedName;
  readonly journal: QualifiedName;
  /** Stands first in the search_path of every script. */
  readonly scriptSchema: string;
  /** Undefined when the history could not be read: nothing is known of what is applied. */
  readonly scripts: readonly NeededScript[] | undefined;
  /** Who wrote the history, by its own rows; empty when that is not known. */
  readonly writers: readonly string[];
  readonly run: RunSettings;
  readonly tls: TlsSettings;
  /** The migration tool's name, for messages. */
  readonly tool: string;
  readonly now: () => Date;
}

/** What `doctor` asks a server, and how it judges the answers. Nothing is changed. */
export interface ServerChecks {
  /** Checks of the catalogue that mean nothing on this database. */
  readonly without: ReadonlySet<string>;
  /** Tells by trying, with a second session that `connect` opens to the same address. Throws FlybackError. */
  pooling(session: Session, connect: () => Promise<Session>): Promise<Pooling>;
  /** What this way of pooling means for these scripts. Pure. */
  judgePooling(pooling: Pooling, scripts: readonly NeededScript[]): Check;
  /**
   * Every check about connection, role, server and replication, and the CASCADE of the scripts. Questions that fail
   * give a check that is not checked, with the server's reason; the others are asked all the same.
   */
  run(session: Session, needs: ServerNeeds): Promise<readonly Check[]>;
}
