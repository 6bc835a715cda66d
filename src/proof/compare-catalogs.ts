import type { Catalog, CatalogObject } from './catalog.js';

/** What is not as it was: an object that is missing, left over, or has another property. */
export type CatalogChange =
  | { readonly change: 'missing'; readonly kind: string; readonly name: string; readonly before: CatalogObject }
  | { readonly change: 'left-over'; readonly kind: string; readonly name: string; readonly after: CatalogObject }
  | {
      readonly change: 'different';
      readonly kind: string;
      readonly name: string;
      readonly before: CatalogObject;
      readonly after: CatalogObject;
      /** Names of the properties that differ, in alphabetical order. */
      readonly properties: readonly string[];
    };

/** How two pictures of a database differ; empty when they are equal. In the order of kind and name. */
export function compareCatalogs(before: Catalog, after: Catalog): readonly CatalogChange[] {
  const changes: CatalogChange[] = [];
  const remaining = new Map(after.objects.map((object) => [keyOf(object), object]));
  for (const object of before.objects) {
    const key = keyOf(object);
    const other = remaining.get(key);
    remaining.delete(key);
    const { kind, name } = object;
    if (other === undefined) changes.push({ change: 'missing', kind, name, before: object });
    else {
      const properties = differingProperties(object, other);
      if (properties.length > 0) {
        changes.push({ change: 'different', kind, name, before: object, after: other, properties });
      }
    }
  }
  for (const object of remaining.values()) {
    changes.push({ change: 'left-over', kind: object.kind, name: object.name, after: object });
  }
  return changes.sort((a, b) => compare(a.kind, b.kind) || compare(a.name, b.name));
}

function keyOf({ kind, name }: CatalogObject): string {
  return `${kind}\n${name}`;
}

function differingProperties(a: CatalogObject, b: CatalogObject): readonly string[] {
  const names = new Set([...Object.keys(a.properties), ...Object.keys(b.properties)]);
  return [...names].filter((name) => a.properties[name] !== b.properties[name]).sort(compare);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
