import type { Catalog } from './catalog.js';
import { compareCatalogs, type CatalogChange } from './compare-catalogs.js';
import { compareLargeObjects, compareSequences, type SequencePosition } from './compare-sequences.js';
import type { TableRows } from './proof.js';
import { ownTables, type ProofRequest } from './version-run.js';

/** Everything in a database at one moment. */
export interface Picture {
  readonly catalog: Catalog;
  readonly rows: ReadonlyMap<string, TableRows>;
  readonly sequences: ReadonlyMap<string, SequencePosition>;
  readonly largeObjects: ReadonlyMap<string, string>;
}

type Place = Pick<ProofRequest, 'project' | 'session' | 'table'>;

/** How two pictures differ, rows apart. Pure. */
export function comparePictures(before: Picture, after: Picture): readonly CatalogChange[] {
  return [
    ...compareCatalogs(before.catalog, after.catalog),
    ...compareSequences(before.sequences, after.sequences),
    ...compareLargeObjects(before.largeObjects, after.largeObjects),
  ];
}

export async function picture(place: Place): Promise<Picture> {
  const { session } = place;
  const queries = await place.project.toolbox.database.loadProofQueries();
  const without = ownTables(place);
  return inTransaction(place, async () => ({
    catalog: await queries.readCatalog(session, without),
    rows: await queries.readRows(session, without),
    sequences: await queries.readSequences(session, without),
    largeObjects: await queries.readLargeObjects(session),
  }));
}

/** The rows of these tables alone. */
export async function readRows(place: Place, tables: readonly string[]): Promise<ReadonlyMap<string, TableRows>> {
  const queries = await place.project.toolbox.database.loadProofQueries();
  return inTransaction(place, () => queries.readRows(place.session, ownTables(place), tables));
}

async function inTransaction<T>({ project, session }: Place, work: () => Promise<T>): Promise<T> {
  await session.query('BEGIN');
  try {
    return await work();
  } finally {
    await session.query(project.toolbox.database.sql.rollback);
  }
}
