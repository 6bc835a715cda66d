import type { CatalogObject } from '../proof/catalog.js';
import type { Command, QueryResult, Session } from './database.js';

/** What one transaction may have changed, as it tells itself right before its commit. */
export interface Touched {
  /** Identifies the transaction; undefined when it wrote nothing. */
  readonly transaction: string | undefined;
  /** Relations that it holds a lock on which whoever changes one has to take; of them, those whose rows it may have changed. */
  readonly relations: readonly {
    readonly id: string;
    /** gone: not there any more, for good. */
    readonly kind: 'gone' | 'sequence' | 'other';
    readonly hasNewRows: boolean;
  }[];
  /** Catalog and id of other objects that it has locked, or made. */
  readonly objects: readonly { readonly catalog: string; readonly id: string; readonly isGone: boolean }[];
  /** Catalogs that were written, perhaps by an earlier transaction of the session. */
  readonly written: readonly { readonly catalog: string; readonly isUpdated: boolean }[];
}

/** An object and the scope in which it was read: what is read anew is read by whole scopes. */
export interface ScopedObject {
  readonly scope: string;
  readonly object: CatalogObject;
}

/** Scopes that were read anew, with all that is in them now: a scope without objects is empty. */
export interface Reading {
  readonly scopes: readonly string[];
  readonly objects: readonly ScopedObject[];
  /** Names of those tables among them that may hold rows. */
  readonly filled: readonly string[];
  /** Names of those sequences among them that have given a value; the others may stand anywhere, but have not. */
  readonly advanced: readonly string[];
}

/**
 * Keeps a picture of the catalog up to date at the cost of what changes. Sources: PostgreSQL manual, "Explicit Locking" and
 * "System Columns"; that whoever changes a relation holds a lock on it (but for GRANT, see `grants`) is tested statement
 * by statement on every major.
 */
export interface CatalogWatch {
  /** Asked in the transaction, as its last statement before the commit: one row. Known after the first readAll. */
  readonly question: Command;
  /** The same as a message, for the simple protocol. */
  readonly questionSql: string;
  readTouched(result: QueryResult): Touched;
  /** The whole catalog, asked outside every transaction by a session of the proof's own. */
  readAll(reader: Session): Promise<readonly ScopedObject[]>;
  /**
   * What these transactions, the last that were committed, have touched. `grants`: privileges may have been granted or
   * owners changed by the dozen (GRANT, REVOKE, DROP OWNED, REASSIGN), for which relations are not locked.
   */
  readChanged(reader: Session, touched: readonly Touched[], options: { readonly grants: boolean }): Promise<Reading>;
}
