import { fingerprint } from '../fingerprint/fingerprint.js';
import type { Catalog, CatalogObject } from './catalog.js';
import { compareCatalogs } from './compare-catalogs.js';

/** One object as it looks on both sides of a migration. */
export interface FootprintObject {
  readonly kind: string;
  readonly name: string;
  /** Digest without the migration, which is how its rollback must leave the object; undefined: it is not there. */
  readonly before?: string | undefined;
  /** Digest with the migration applied; undefined: it is not there. */
  readonly applied?: string | undefined;
  /** The relation that it is a part of, or is itself. */
  readonly relation?: string | undefined;
}

/**
 * What a migration made, changed or dropped, and, with two equal digests, everything else that is a part of a relation
 * that it touched: an index that somebody added there by hand shows only when the others are known. By kind and name.
 */
export type Footprint = readonly FootprintObject[];

/** They differ between a scratch database and production: other roles own things there, and other disks hold them. */
const ofPlace: ReadonlySet<string> = new Set([
  'owner',
  'privileges',
  'tablespace',
  // What MySQL and MariaDB keep of whoever made a stored program or a view, and of that session.
  'definer',
  // Mostly the default of the database.
  'text collation',
  'sql mode',
  'character set of its session',
]);

/**
 * Kinds that say nothing about another database: they are about roles or the server as a whole, hold the address of another
 * one, count rows, are named by an object id, or, as the order of columns, cannot be had back by any rollback.
 */
const ofOneDatabase: ReadonlySet<string> = new Set([
  'column order',
  'database',
  'default privileges',
  'grant',
  'large object',
  'parameter privileges',
  'role',
  'sequence position',
  'server setting',
  'subscription',
  'tablespace',
  'user mapping',
]);

/** Whether an object should look the same in another database with the same migrations. */
export function isComparableElsewhere({ kind }: Pick<CatalogObject, 'kind'>): boolean {
  return !ofOneDatabase.has(kind);
}

/** 16 hex characters over an object's properties, without what differs from place to place. Pure. */
export function digestOf({ properties }: CatalogObject): string {
  const compared = Object.entries(properties).filter(([property]) => !ofPlace.has(property));
  return fingerprint(Object.fromEntries(compared)).slice(0, 16);
}

/**
 * What lies between two pictures of a database, without a migration and with it applied. Each must hold at least every part
 * of every relation that differs; more does no harm. Pure.
 */
export function footprintOf(before: Catalog, applied: Catalog): Footprint {
  const changes = compareCatalogs(before, applied).filter(isComparableElsewhere);
  const changed = changes.map((change): FootprintObject => {
    const { kind, name } = change;
    const [was, is] = [
      change.change === 'left-over' ? undefined : change.before,
      change.change === 'missing' ? undefined : change.after,
    ];
    const relation = relationOf(is ?? was ?? { kind, name, properties: {} });
    return {
      kind,
      name,
      ...(was === undefined ? {} : { before: digestOf(was) }),
      ...(is === undefined ? {} : { applied: digestOf(is) }),
      ...(relation === undefined ? {} : { relation }),
    };
  });
  const relations = new Set(changed.flatMap(({ relation }) => relation ?? []));
  const known = new Set(changes.map(({ kind, name }) => `${kind}\n${name}`));
  const unchanged = applied.objects.flatMap((object): readonly FootprintObject[] => {
    const { kind, name } = object;
    if (!isComparableElsewhere(object) || known.has(`${kind}\n${name}`)) return [];
    const relation = relationOf(object);
    if (relation === undefined || !relations.has(relation)) return [];
    const digest = digestOf(object);
    return [{ kind, name, before: digest, applied: digest, relation }];
  });
  return [...changed, ...unchanged].sort((a, b) => compare(a.kind, b.kind) || compare(a.name, b.name));
}

/** A name as the server quotes it: letters, digits and underscores, or anything between double quotes or backquotes. */
const identifier = '(?:"(?:[^"]|"")*"|`(?:[^`]|``)*`|[^\\s"`.(),]+)';
const qualifiedName = String.raw`${identifier}(?:\.${identifier})?`;
const ofColumn = new RegExp(String.raw`^(${qualifiedName})\.${identifier}(?: as identity)?$`);
const onRelation = new RegExp(String.raw`^${identifier} on (${qualifiedName})$`);
const indexed = new RegExp(String.raw`^CREATE (?:UNIQUE )?INDEX ${identifier} ON (?:ONLY )?(${qualifiedName})`);
const measured = new RegExp(String.raw` FROM (${qualifiedName})$`);

/** The table, view or composite type that an object is, or is a part of; undefined for one that stands alone. Pure. */
export function relationOf({ kind, name, properties }: CatalogObject): string | undefined {
  switch (kind) {
    case 'table':
    case 'foreign table':
    case 'view':
    case 'materialized view':
    case 'composite type':
    case 'foreign key triggers':
      return name;
    case 'column':
      return ofColumn.exec(name)?.[1];
    case 'constraint':
    case 'trigger':
    case 'rule':
    case 'policy':
      return onRelation.exec(name)?.[1];
    case 'index':
      return (indexed.exec(properties['definition'] ?? '') ?? onRelation.exec(name))?.[1];
    case 'sequence':
      return ofColumn.exec(properties['owned by'] ?? '')?.[1];
    case 'statistics':
      return measured.exec(properties['definition'] ?? '')?.[1];
    default:
      return undefined;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
