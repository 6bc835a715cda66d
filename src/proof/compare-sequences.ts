import type { CatalogObject } from './catalog.js';
import type { CatalogChange } from './compare-catalogs.js';

/** Where a sequence stands. */
export interface SequencePosition {
  /** The value that it gives next: a whole number, as text because it may need 64 bits. */
  readonly next: string;
  /** Which way it counts; a sequence that cycles repeats its values by design. */
  readonly direction: 'up' | 'down' | 'cycle';
}

/**
 * Sequences that give another value next than they did, by name, each as a change of kind "sequence position". Those that
 * are there only once are the catalog's business. Pure.
 */
export function compareSequences(
  before: ReadonlyMap<string, SequencePosition>,
  after: ReadonlyMap<string, SequencePosition>,
): readonly CatalogChange[] {
  return [...before.keys()].sort().flatMap((name): readonly CatalogChange[] => {
    const [was, is] = [before.get(name), after.get(name)];
    if (was === undefined || is === undefined || was.next === is.next) return [];
    return [
      {
        change: 'different',
        kind: 'sequence position',
        name,
        before: positionObject(name, was),
        after: positionObject(name, is),
        properties: ['next value'],
      },
    ];
  });
}

function positionObject(name: string, { next, direction }: SequencePosition): CatalogObject {
  return { kind: 'sequence position', name, properties: { direction, 'next value': next } };
}

/** Whether a sequence stands where it gives values again that it gave before: what is inserted next fails or is a duplicate. */
export function standsBehind(change: CatalogChange): boolean {
  if (change.change !== 'different' || change.kind !== 'sequence position') return false;
  const direction = change.before.properties['direction'];
  if (direction === 'cycle' || change.after.properties['direction'] !== direction) return false;
  const [was, is] = [change.before, change.after].map(({ properties }) => BigInt(properties['next value'] ?? '0'));
  if (was === undefined || is === undefined) return false;
  return direction === 'up' ? is < was : is > was;
}

/**
 * Large objects whose content is not as it was, each as a change of kind "large object content". Those that are there only
 * once are the catalog's business. Pure.
 */
export function compareLargeObjects(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly CatalogChange[] {
  return [...before].flatMap(([oid, was]): readonly CatalogChange[] => {
    const is = after.get(oid);
    if (is === undefined || is === was) return [];
    return [
      {
        change: 'different',
        kind: 'large object content',
        name: oid,
        before: contentObject(oid, was),
        after: contentObject(oid, is),
        properties: ['digest'],
      },
    ];
  });
}

function contentObject(oid: string, digest: string): CatalogObject {
  return { kind: 'large object content', name: oid, properties: { digest } };
}
