import type { QualifiedName } from '../history/history.js';
import type { Catalog } from '../proof/catalog.js';
import type { SequencePosition } from '../proof/compare-sequences.js';
import type { TableRows } from '../proof/proof.js';
import type { CatalogWatch } from './catalog-watch.js';
import type { Session } from './database.js';

/** What of a catalog is read: these relations with all that is a part of them, these routines and types, and what there is little of. */
export interface CatalogPart {
  /** As the catalog writes them: "public.orders", "public.orders_pkey". */
  readonly relations: readonly string[];
  /** As statements name them: without a schema, by the search_path of the moment. */
  readonly tables: readonly { readonly schema?: string | undefined; readonly name: string }[];
  /** "public.total(integer)". */
  readonly routines: readonly string[];
  readonly types: readonly string[];
  /** Comments and security labels, all of them. */
  readonly remarks: boolean;
}

export interface PartReading {
  /** Without what is about roles or the server as a whole, for which a role would need more rights than a rollback. */
  readonly catalog: Catalog;
  /** "table public.orders": every relation, routine and type that there is. */
  readonly names: readonly string[];
  /** Ids of what was read, for the next reading. */
  readonly ids: readonly string[];
}

/** Each asked inside an open transaction; `without` names the tools' own tables, left out with all that belongs to them. */
export interface ProofQueries {
  readCatalog(session: Session, without: readonly QualifiedName[]): Promise<Catalog>;
  /** Leaves the transaction as it was, also when it throws. `known`: ids from an earlier reading, to be read again. */
  readPart(
    session: Session,
    without: readonly QualifiedName[],
    part: CatalogPart,
    known: readonly string[],
  ): Promise<PartReading>;
  /** By table name; tables without rows are left out. `only`: of the tables of these names, as the catalog writes them. */
  readRows(
    session: Session,
    without: readonly QualifiedName[],
    only?: readonly string[],
  ): Promise<ReadonlyMap<string, TableRows>>;
  /** By sequence name; `only` as in readRows. */
  readSequences(
    session: Session,
    without: readonly QualifiedName[],
    only?: readonly string[],
  ): Promise<ReadonlyMap<string, SequencePosition>>;
  /** Digest of the content of each large object, by its id. */
  readLargeObjects(session: Session): Promise<ReadonlyMap<string, string>>;
  /**
   * Puts a few generated rows into each of the named tables that is empty, and into the empty tables that those refer to;
   * the latter come last. Keys and checks hold, triggers do not fire, no sequence is advanced, and the same tables get the
   * same rows.
   */
  fillTables(session: Session, tables: readonly string[], reach?: FillReach): Promise<readonly FilledTable[]>;
  /** Takes generated rows away again, as far as they are there unchanged. */
  emptyTables(session: Session, filled: readonly FilledTable[]): Promise<void>;
  /**
   * What belongs to the server rather than to a database and stands in the way of whoever makes it again (roles, databases,
   * tablespaces, settings of the server), each with the statement that removes it.
   */
  readServerObjects(session: Session): Promise<ReadonlyMap<string, string>>;
  /** Keeps a picture of the catalog up to date; see CatalogWatch. */
  watchCatalog(major: number, without: readonly QualifiedName[]): CatalogWatch;
}

/**
 * full: values use what their types allow, so that whatever is shortened is noticed. modest: values that narrower types and
 * usual checks accept too, for a migration that does not run with the others.
 */
export type FillReach = 'full' | 'modest';

/** What became of a table that was to get generated rows. */
export interface FilledTable {
  /** As it was asked for. */
  readonly table: string;
  /** How many rows it got; 0 without a reason: it had rows already. A partitioned table counts those of its partitions. */
  readonly rows: number;
  /** Why it got none, one sentence. */
  readonly reason: string | undefined;
  /** The rows by which emptyTables finds them again. */
  readonly digests: readonly string[];
}
