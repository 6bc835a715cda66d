import type { Reading, ScopedObject } from '../adapter/catalog-watch.js';
import type { Catalog, CatalogObject } from './catalog.js';
import { relationOf } from './footprint.js';

type Scopes = ReadonlyMap<string, readonly CatalogObject[]>;

/** How the scopes looked that were read anew since a mark was set: each as it was then. */
export interface Mark {
  /** Scopes touched since, with what was in them at the mark. */
  readonly before: Scopes;
}

/**
 * A picture of the catalog in memory that is kept up to date by what was read anew. Names of others that stand in an
 * object's text (a view, a foreign key) change without the object being read when those others are renamed: after a
 * rename, see isRenaming, everything has to be read again.
 */
export class CatalogStore {
  #scopes = new Map<string, readonly CatalogObject[]>();
  /** Scopes by the relation that their objects are parts of. */
  readonly #parts = new Map<string, Set<string>>();
  #marks: Map<string, readonly CatalogObject[]>[] = [];

  /** Forgets what was known. Marks do not survive. */
  replace(objects: readonly ScopedObject[]): void {
    this.#scopes = grouped(objects);
    this.#marks = [];
    this.#parts.clear();
    for (const [scope, members] of this.#scopes) this.#link(scope, members);
  }

  /** Takes over what was read; true when something was renamed by it. */
  update({ scopes, objects }: Pick<Reading, 'scopes' | 'objects'>): boolean {
    const found = grouped(objects);
    let isRenaming = false;
    for (const scope of scopes) {
      const was = this.#scopes.get(scope) ?? [];
      const is = found.get(scope) ?? [];
      if (sameObjects(was, is)) continue;
      for (const mark of this.#marks) if (!mark.has(scope)) mark.set(scope, was);
      isRenaming ||= renames(was, is);
      if (is.length === 0) this.#scopes.delete(scope);
      else this.#scopes.set(scope, is);
      this.#link(scope, is);
    }
    return isRenaming;
  }

  /** Takes over a reading of everything; what differs counts as touched. */
  refresh(objects: readonly ScopedObject[]): void {
    this.update({ scopes: [...new Set([...this.#scopes.keys(), ...objects.map(({ scope }) => scope)])], objects });
  }

  /** From now on it is kept what the scopes were before they changed, until the marks are forgotten. */
  mark(): Mark {
    const before = new Map<string, readonly CatalogObject[]>();
    this.#marks.push(before);
    return { before };
  }

  forgetMarks(): void {
    this.#marks = [];
  }

  /** What changed since a mark, as it was then and as it is, with every other part of the relations concerned. */
  since(mark: Mark): { readonly before: Catalog; readonly after: Catalog } {
    const scopes = new Set(mark.before.keys());
    const before = [...scopes].flatMap((scope) => mark.before.get(scope) ?? this.#scopes.get(scope) ?? []);
    const after = [...scopes].flatMap((scope) => this.#scopes.get(scope) ?? []);
    const relations = new Set([...before, ...after].flatMap((object) => relationOf(object) ?? []));
    const rest = [...relations].flatMap((relation) =>
      [...(this.#parts.get(relation) ?? [])]
        .filter((scope) => !scopes.has(scope))
        .flatMap((scope) => (this.#scopes.get(scope) ?? []).filter((object) => relationOf(object) === relation)),
    );
    return { before: { objects: [...before, ...rest] }, after: { objects: [...after, ...rest] } };
  }

  /** Everything, in no particular order. */
  catalog(): Catalog {
    return { objects: [...this.#scopes.values()].flat() };
  }

  /** The object of this kind and name. */
  find(kind: string, name: string): CatalogObject | undefined {
    for (const scope of this.#scopes.values()) {
      const found = scope.find((object) => object.kind === kind && object.name === name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Names of the objects of some kinds in these scopes, as it is or as it was at a mark. */
  namesIn(scopes: readonly string[], kinds: ReadonlySet<string>, mark?: Mark): readonly string[] {
    return scopes.flatMap((scope) =>
      (mark?.before.get(scope) ?? this.#scopes.get(scope) ?? []).flatMap(({ kind, name }) =>
        kinds.has(kind) ? [name] : [],
      ),
    );
  }

  #link(scope: string, members: readonly CatalogObject[]): void {
    for (const object of members) {
      const relation = relationOf(object);
      if (relation === undefined) continue;
      const scopes = this.#parts.get(relation) ?? new Set();
      scopes.add(scope);
      this.#parts.set(relation, scopes);
    }
  }
}

function grouped(objects: readonly ScopedObject[]): Map<string, readonly CatalogObject[]> {
  const scopes = new Map<string, CatalogObject[]>();
  for (const { scope, object } of objects) {
    const members = scopes.get(scope);
    if (members === undefined) scopes.set(scope, [object]);
    else members.push(object);
  }
  for (const members of scopes.values()) members.sort((a, b) => compare(keyOf(a), keyOf(b)));
  return scopes;
}

function sameObjects(a: readonly CatalogObject[], b: readonly CatalogObject[]): boolean {
  return a.length === b.length && JSON.stringify(a) === JSON.stringify(b);
}

/** Something of a kind is gone from a scope, and something else of that kind is there: it may be the same under a new name. */
function renames(was: readonly CatalogObject[], is: readonly CatalogObject[]): boolean {
  const [before, after] = [new Set(was.map(keyOf)), new Set(is.map(keyOf))];
  const gone = new Set(was.filter((object) => !after.has(keyOf(object))).map(({ kind }) => kind));
  return is.some((object) => gone.has(object.kind) && !before.has(keyOf(object)));
}

function keyOf({ kind, name }: CatalogObject): string {
  return `${kind}\n${name}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
