import type { QualifiedName } from '../history/history.js';
import type { Catalog } from '../proof/catalog.js';
import type { TableRows } from '../proof/proof.js';
import type { Session } from './database.js';

/** Each asked inside an open transaction; `without` names the tools' own tables, left out with all that belongs to them. */
export interface ProofQueries {
  readCatalog(session: Session, without: readonly QualifiedName[]): Promise<Catalog>;
  /** By table name; tables without rows are left out. */
  readRows(session: Session, without: readonly QualifiedName[]): Promise<ReadonlyMap<string, TableRows>>;
}
