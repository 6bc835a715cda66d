import type { QualifiedName } from '../history/history.js';
import type { Catalog } from '../proof/catalog.js';
import type { SequencePosition } from '../proof/compare-sequences.js';
import type { TableRows } from '../proof/proof.js';
import type { CatalogWatch } from './catalog-watch.js';
import type { Session } from './database.js';

/** Each asked inside an open transaction; `without` names the tools' own tables, left out with all that belongs to them. */
export interface ProofQueries {
  readCatalog(session: Session, without: readonly QualifiedName[]): Promise<Catalog>;
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
  /** Keeps a picture of the catalog up to date; see CatalogWatch. */
  watchCatalog(major: number, without: readonly QualifiedName[]): CatalogWatch;
}
