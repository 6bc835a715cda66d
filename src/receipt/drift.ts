import type { CatalogPart, PartReading } from '../adapter/proof-queries.js';
import type { Finding } from '../errors/finding.js';
import type { PlannedStatement } from '../plan/plan.js';
import type { Catalog, CatalogObject } from '../proof/catalog.js';
import { compareCatalogs } from '../proof/compare-catalogs.js';
import { digestOf, isComparableElsewhere, relationOf } from '../proof/footprint.js';
import { markLength, markOf, type Receipt } from './receipt.js';

/**
 * What is other in the target than in the database in which the version's proof had applied its migration: objects that the
 * migration made or changed, and parts of the tables that it touched. Pure.
 */
export function driftBefore(version: string, receipt: Receipt, target: Catalog): readonly Finding[] {
  const found = (subject: string, words: string): Finding => ({
    code: 'drift-before',
    severity: 'warning',
    subject,
    message: `Before the rollback of version ${version}, ${subject} ${words}.`,
    hint: 'Find out who changed it, and whether the rollback script fits; its proof does not cover this.',
  });
  const objects = byKey(target);
  const touched = Object.entries(receipt.touched).flatMap(([key, [, applied]]): readonly Finding[] => {
    const object = objects.get(key);
    const is = object === undefined ? null : digestOf(object);
    if (is === applied) return [];
    if (is === null) return [found(key, 'is missing')];
    return [
      found(key, applied === null ? 'is there, although its migration drops it' : 'is not as its migration makes it'),
    ];
  });
  const marks = new Map(Object.entries(receipt.around).map(([relation, text]) => [relation, marksIn(text)]));
  const unknown = new Map<string, readonly string[]>();
  for (const object of target.objects) {
    const relation = relationOf(object);
    if (relation === undefined || !isComparableElsewhere(object) || keyOf(object) in receipt.touched) continue;
    const known = marks.get(relation);
    if (known === undefined || known.delete(markOf(object.kind, object.name, digestOf(object)))) continue;
    unknown.set(relation, [...(unknown.get(relation) ?? []), keyOf(object)]);
  }
  return [
    ...touched,
    ...[...marks].flatMap(([relation, missed]) => {
      const others = unknown.get(relation) ?? [];
      // A part that was changed shows as one that is not known and one that is missed.
      const missing = missed.size - others.length;
      return [
        ...others.map((key) => found(key, 'is not known to its proof in this state')),
        ...(missing > 0 ? [found(relation, `lacks ${missing} of the parts that its proof saw`)] : []),
      ];
    }),
  ];
}

/**
 * What a rollback script has left other than its proof has shown: objects that the migration touched and that are not as they
 * were without it, and anything else that was changed while the script ran. Pure.
 */
export function driftAfter(
  version: string,
  receipt: Receipt,
  pictures: {
    readonly before: Pick<PartReading, 'catalog' | 'names'>;
    readonly after: Pick<PartReading, 'catalog' | 'names'>;
  },
): readonly Finding[] {
  const found = (subject: string, words: string): Finding => ({
    code: 'drift-after',
    severity: 'warning',
    subject,
    message: `After the rollback script of version ${version}, ${subject} ${words}.`,
    hint: 'The script came to something else here than in its proof: compare the two databases.',
  });
  const expected = new Set([...(receipt.differs ?? []), ...(receipt.left ?? [])]);
  const objects = byKey(pictures.after.catalog);
  const touched = Object.entries(receipt.touched).flatMap(([key, [before]]): readonly Finding[] => {
    if (expected.has(key)) return [];
    const object = objects.get(key);
    const is = object === undefined ? null : digestOf(object);
    if (is === before) return [];
    if (is === null) return [found(key, 'is missing')];
    return [found(key, before === null ? 'is left over' : 'is not as it was without the migration')];
  });
  const others = compareCatalogs(pictures.before.catalog, pictures.after.catalog).flatMap(
    (change): readonly Finding[] => {
      const key = keyOf(change);
      if (!isComparableElsewhere(change) || key in receipt.touched || expected.has(key)) return [];
      switch (change.change) {
        case 'missing':
          return [found(key, 'is gone, which its proof has not shown')];
        case 'left-over':
          return [found(key, 'is new, which its proof has not shown')];
        case 'different':
          return digestOf(change.before) === digestOf(change.after)
            ? []
            : [found(key, `is changed (${change.properties.join(', ')}), which its proof has not shown`)];
      }
    },
  );
  const told = new Set([...touched, ...others].map(({ subject }) => subject));
  const names = (a: readonly string[], b: readonly string[]): readonly string[] => {
    const there = new Set(b);
    return a.filter((name) => !there.has(name) && !(name in receipt.touched) && !expected.has(name) && !told.has(name));
  };
  const [was, is] = [pictures.before.names, pictures.after.names];
  return [
    ...touched,
    ...others,
    ...names(was, is).map((name) => found(name, 'is gone, which its proof has not shown')),
    ...names(is, was).map((name) => found(name, 'is new, which its proof has not shown')),
  ];
}

function byKey(catalog: Catalog): ReadonlyMap<string, CatalogObject> {
  return new Map(catalog.objects.map((object) => [keyOf(object), object]));
}

function keyOf({ kind, name }: Pick<CatalogObject, 'kind' | 'name'>): string {
  return `${kind} ${name}`;
}

function marksIn(text: string): Set<string> {
  const marks = new Set<string>();
  for (let at = 0; at < text.length; at += markLength) marks.add(text.slice(at, at + markLength));
  return marks;
}

const relationKinds: ReadonlySet<string> = new Set([
  'composite type',
  'foreign table',
  'index',
  'materialized view',
  'sequence',
  'table',
  'view',
]);
const routineKinds: ReadonlySet<string> = new Set(['aggregate', 'function', 'procedure']);
const typeKinds: ReadonlySet<string> = new Set([
  'domain',
  'enum',
  'multirange type',
  'range type',
  'shell type',
  'type',
]);

/** What has to be read of a database to compare it with a receipt, around these statements. Pure. */
export function partOf(
  receipt: Receipt,
  statements: readonly Pick<PlannedStatement, 'drops' | 'locks' | 'writes'>[],
): CatalogPart {
  const keys = Object.keys(receipt.touched);
  const named = (kinds: ReadonlySet<string>): readonly string[] =>
    keys.flatMap((key) =>
      [...kinds].flatMap((kind) => (key.startsWith(`${kind} `) ? [key.slice(kind.length + 1)] : [])),
    );
  const refs = statements.flatMap(({ drops, locks, writes }) => [...drops, ...writes, ...locks.map(({ on }) => on)]);
  return {
    relations: [...new Set([...Object.keys(receipt.around), ...named(relationKinds)])],
    tables: refs.filter(({ kind }) => relationKinds.has(kind) || kind === 'column' || kind === 'constraint'),
    routines: named(routineKinds),
    types: named(typeKinds),
    remarks: keys.some((key) => /^(?:comment|security label) /.test(key)),
  };
}
