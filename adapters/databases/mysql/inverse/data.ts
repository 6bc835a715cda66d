import type { Cursor } from '../classify/cursor.js';
import { ImpactCollector } from '../classify/impact.js';
import { remove, update } from '../classify/queries.js';
import { quoteIdentifier } from '../quoting.js';
import { advice, nameText } from './words.js';

type Hints = readonly string[];

/** More rows than this make a hint that nobody reads. */
const maxKeys = 50;

/** Columns that are likely to identify a row, the surest first. */
function keyCandidates(columns: readonly string[]): readonly number[] {
  const rank = (name: string): number => {
    if (/^(?:id|uuid)$/i.test(name)) return 0;
    if (/^(?:key|code|slug|name)$/i.test(name)) return 1;
    return /(?:^|_)(?:id|key|code|uuid)$/i.test(name) ? 2 : 3;
  };
  const ranked = columns.map((name, index) => ({ index, rank: rank(name) }));
  return ranked.sort((a, b) => a.rank - b.rank || a.index - b.index).map(({ index }) => index);
}

/** A constant as it was written; undefined for NULL and for anything that is computed. */
function constantText(value: Cursor | undefined): string | undefined {
  if (value === undefined) return undefined;
  const text = value.rest;
  if (value.isSign('-')) value.skip();
  const isConstant =
    value.token()?.kind === 'string' ||
    value.token()?.kind === 'number' ||
    ['true', 'false'].includes(value.word() ?? '');
  value.skip();
  return isConstant && value.atEnd ? text : undefined;
}

/** INSERT and REPLACE. */
export function deleteRows(cursor: Cursor): Hints {
  const replaces = cursor.word() === 'replace';
  cursor.skip();
  cursor.takeAll('low_priority', 'delayed', 'high_priority');
  const ignores = cursor.take('ignore');
  cursor.take('into');
  const table = nameText(cursor.takeRef('table'));
  const lines: string[] = [];
  if (replaces) lines.push(advice('REPLACE: rows that were there before need their previous values, not a DELETE.'));
  if (ignores) lines.push(advice('IGNORE: leave the rows alone that were there before.'));
  if (cursor.has('on', 'duplicate', 'key', 'update')) {
    lines.push(
      advice('ON DUPLICATE KEY UPDATE: rows that were there before need their previous values, not a DELETE.'),
    );
  }
  if (cursor.take('partition')) cursor.takeGroup();
  const unknown = advice(`DELETE FROM ${table} WHERE … (the rows that this statement added);`);
  const columns = (cursor.takeGroup()?.takeList() ?? []).map((part) => part.takeName() ?? '');
  if (cursor.takeOneOf('values', 'value') === undefined || columns.length === 0) return [...lines, unknown];
  const rows: (readonly Cursor[])[] = [];
  do {
    rows.push(cursor.takeGroup()?.takeList() ?? []);
  } while (cursor.takeSign(','));
  if (rows.length > maxKeys) return [...lines, unknown];
  for (const index of keyCandidates(columns)) {
    const values = rows.map((row) => constantText(row[index]?.copy()));
    if (values.includes(undefined)) continue;
    const column = columns[index] ?? '';
    return [
      ...lines,
      advice(`Make sure that ${column} names the rows of this statement and no others.`),
      `DELETE FROM ${table} WHERE ${quoteIdentifier(column)} IN (${values.join(', ')});`,
    ];
  }
  return [...lines, unknown];
}

/** UPDATE. */
export function updateBack(cursor: Cursor): Hints {
  const impact = new ImpactCollector();
  update(cursor, impact);
  return [
    ...impact.build(undefined).writes.map((table) => advice(`UPDATE ${nameText(table)} SET … WHERE …;`)),
    advice('Only a copy taken before the migration knows the previous values.'),
  ];
}

/** DELETE. */
export function insertRemoved(cursor: Cursor): Hints {
  const impact = new ImpactCollector();
  remove(cursor, impact);
  return impact
    .build(undefined)
    .writes.map((table) => advice(`INSERT INTO ${nameText(table)} … (the deleted rows, from a backup);`));
}
