import type { CatalogChange } from './compare-catalogs.js';
import { standsBehind } from './compare-sequences.js';

/**
 * What a proof came to, best first.
 * - exact: catalog and rows are as they were
 * - column-order: equal but for the order of columns, which an added column cannot get back
 * - residue: equal but for what the server cannot take back (an enum label, a sequence position), each named
 * - loss-declared: the catalog is as it was; rows or values are gone of which the script says that they may go
 * - data-lost: the catalog is as it was, rows or values are not
 * - different: something is missing, left over or changed
 * - failed: the rollback, its verification, or the migration after it did not run
 * - not-possible: the proof could not be made here; says nothing about the rollback
 */
export const grades = [
  'exact',
  'column-order',
  'residue',
  'loss-declared',
  'data-lost',
  'different',
  'failed',
  'not-possible',
] as const;
export type Grade = (typeof grades)[number];

/** The grade that these differences of the catalog alone give. Pure. */
export function gradeOfCatalog(changes: readonly CatalogChange[]): Grade {
  if (changes.length === 0) return 'exact';
  const kinds = changes.map(kindOfChange);
  if (kinds.includes('substance')) return 'different';
  if (kinds.includes('data')) return 'data-lost';
  return kinds.includes('residue') ? 'residue' : 'column-order';
}

/** Of two grades the one that says less good. */
export function worse(a: Grade, b: Grade): Grade {
  return grades.indexOf(a) > grades.indexOf(b) ? a : b;
}

/** What a difference counts as. */
export function kindOfChange(change: CatalogChange): 'column-order' | 'residue' | 'data' | 'substance' {
  if (change.change === 'different' && change.kind === 'column order') {
    return sameMembers(change.before.properties['columns'], change.after.properties['columns'])
      ? 'column-order'
      : 'substance';
  }
  if (change.kind === 'sequence position') return standsBehind(change) ? 'substance' : 'residue';
  if (change.kind === 'large object content') return 'data';
  if (change.change === 'different' && change.kind === 'enum' && isOnlyLabelsMore(change)) return 'residue';
  return 'substance';
}

/** ALTER TYPE … ADD VALUE cannot be undone but by making the type anew: labels before are all there, in their order. */
function isOnlyLabelsMore(change: Extract<CatalogChange, { change: 'different' }>): boolean {
  if (change.properties.length !== 1 || change.properties[0] !== 'labels') return false;
  const before = listed(change.before.properties['labels']);
  const after = listed(change.after.properties['labels']);
  const kept = after.filter((label) => before.includes(label));
  return (
    after.length > before.length && kept.length === before.length && kept.every((label, at) => label === before[at])
  );
}

function sameMembers(a: string | undefined, b: string | undefined): boolean {
  const [left, right] = [listed(a), listed(b)];
  return left.length === right.length && [...left].sort().join('\n') === [...right].sort().join('\n');
}

/** Members of a list of names or labels, each quoted where it holds a comma. */
function listed(text: string | undefined): readonly string[] {
  return text?.match(/(?:"(?:[^"]|"")*"|E?'(?:[^']|'')*'|[^,\s]+)/g) ?? [];
}
