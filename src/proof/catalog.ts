/** One thing that a migration can make or change, with everything about it that can be compared, as text. */
export interface CatalogObject {
  /** "table", "column", "index", … in the server's own words. */
  readonly kind: string;
  /** Its name with schema, quoted where SQL would need it; unique within its kind. */
  readonly name: string;
  /** Property → value as text; what has its default value is left out. Keys in alphabetical order. */
  readonly properties: Readonly<Record<string, string>>;
}

/**
 * Everything in a database that a migration can change, rows apart, ordered by kind and name. The same database gives the
 * same picture whatever the search_path, the role that asks, and the object ids.
 */
export interface Catalog {
  readonly objects: readonly CatalogObject[];
}
