import type { QualifiedName } from '../history/history.js';
import type { ObjectRef } from '../risk/change.js';
import type { Session, ToolLock } from './database.js';

/** Somebody who holds a lock, as the server shows them. Texts are the server's own: not redacted, of any length. */
export interface LockHolder {
  /**
   * - session: a client
   * - prepared-transaction: left behind by PREPARE TRANSACTION; no process belongs to it, and it outlives a restart
   * - autovacuum: gives way by itself as soon as somebody waits for it
   * - autovacuum-wraparound: does not give way, because the server needs it to go on working
   * - replication: sends to a standby or subscriber, or applies what comes from a publisher
   * - background: any other process of the server
   */
  readonly kind:
    'session' | 'prepared-transaction' | 'autovacuum' | 'autovacuum-wraparound' | 'replication' | 'background';
  /** A session of the migration tool at work (or just like the one that holds its lock), or of flyback. */
  readonly belongsTo: 'migration-tool' | 'flyback' | 'others';
  /** Null for a prepared transaction. */
  readonly pid: number | null;
  /** Name of the prepared transaction, else null. */
  readonly gid: string | null;
  readonly user: string | null;
  readonly application: string | null;
  /** Address of the client; null for a local socket, or when it is hidden. */
  readonly client: string | null;
  /** running: in the middle of a statement; unknown: hidden from this role, or not tracked by the server. */
  readonly state: 'running' | 'idle in transaction' | 'idle' | 'unknown';
  /** How long its transaction has been open, milliseconds; null where there is none or it is hidden. */
  readonly openMs: number | null;
  /** The statement that it runs, or the last that it ran. */
  readonly query: string | null;
  /** What this role lacks in order to end it, as a sentence; null when it may. */
  readonly lacking: string | null;
  /** Tells this transaction of this process from any later one. */
  readonly identity: string;
}

/** What a plan needs of one object. */
export interface LockNeed {
  readonly on: ObjectRef;
  /** The lock, in the server's words; null: the object is dropped, with everything that belongs to it. */
  readonly level: string | null;
}

export interface LockQuestion {
  readonly needs: readonly LockNeed[];
  /** Unqualified names are looked up as the scripts look them up. */
  readonly scriptSchema: string;
  readonly toolLock: ToolLock;
  /** Whether transactions matter that hold no lock but see the database as it was. */
  readonly snapshots: 'ask' | 'leave-out';
}

/** A lock that stands in the way of a need. */
export interface Obstacle {
  readonly holder: LockHolder;
  readonly level: string;
  /** False: it waits for this lock itself, ahead of whoever comes later. */
  readonly granted: boolean;
  /** "public.orders" */
  readonly on: string;
  /** Index into the question's needs. */
  readonly need: number;
}

export interface LockSurvey {
  readonly obstacles: readonly Obstacle[];
  /** Sessions that hold a snapshot of this database, whatever they hold it for; empty unless asked. */
  readonly snapshots: readonly LockHolder[];
  /** What to grant so that the role sees what other sessions do, as a sentence; null when it does. */
  readonly hidden: string | null;
}

/** What a session waits for, and because of whom. */
export interface LockWait {
  /** Null where the wait is not for a table. */
  readonly level: string | null;
  /** "public.orders", "a row of public.orders", "the end of an older transaction". */
  readonly on: string;
  readonly waitedMs: number;
  readonly blockers: readonly {
    readonly holder: LockHolder;
    /** False: it only waits ahead of us. */
    readonly holds: boolean;
  }[];
}

/** What a statement waits for besides the locks that it takes. */
export interface ConcurrentWait {
  /** It waits for everyone who holds a lock that conflicts with this one. */
  readonly level: string;
  /** It also waits for every transaction that began before it and holds a snapshot, wherever that has been. */
  readonly snapshots: boolean;
}

/** Who is in the way, and how they are asked to leave. Sessions of this server only. */
export interface LockQueries {
  /** The locks that a run takes on its own tables. */
  ownNeeds(history: QualifiedName, record: QualifiedName): readonly LockNeed[];
  /** For a statement that says CONCURRENTLY; undefined for any other. */
  concurrentWait(statement: string): ConcurrentWait | undefined;
  /** One round trip, two where others are at work. Outside of any transaction; leaves the session as it was. */
  survey(session: Session, question: LockQuestion): Promise<LockSurvey>;
  /**
   * What the server process `backendId` waits for; undefined when it waits for no lock, or is not the one that holds the
   * migration tool's lock (a pooler or a second server may have led us to another).
   */
  waitOf(session: Session, backendId: number, toolLock: ToolLock): Promise<LockWait | undefined>;
  /**
   * Cancels what is running and ends what is idle in a transaction, each only if it still is in the transaction that was
   * seen. Answers in the same order; `gone`: that transaction has ended. Throws FlybackError privilege-missing.
   */
  end(session: Session, holders: readonly LockHolder[]): Promise<readonly ('cancelled' | 'terminated' | 'gone')[]>;
  /** The statement with which a person may end it. */
  endingStatement(holder: LockHolder): string;
}
