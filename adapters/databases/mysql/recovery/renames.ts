import type { Inspection, StatementRecovery } from '../../../../src/adapter/database.js';
import { askObjects, type FoundObject, foundObjects, printName } from './catalog-rows.js';
import { done, inspectable, notDone, type Rows, unknown } from './inspection.js';
import type { ObjectName } from './statement-reader.js';

export interface Rename {
  readonly from: ObjectName;
  readonly to: ObjectName;
}

/**
 * RENAME TABLE of one or several, in order, all of them or none: both servers take back what they have done when one fails,
 * and when they recover from a crash. Two tables that change places are told apart by their columns.
 */
export function renaming(renames: readonly Rename[]): StatementRecovery {
  const keys = [...new Set(renames.flatMap(({ from, to }) => [keyOf(from), keyOf(to)]))];
  const names = keys.map((key) => JSON.parse(key) as [string | null, string]);
  const question = askObjects(
    'relation',
    names.map(([schema, name]) => ({ schema: schema ?? undefined, name })),
  );
  return inspectable(question, (before, now) => judge(renames, keys, before, now));
}

function keyOf({ schema, name }: ObjectName): string {
  return JSON.stringify([schema ?? null, name]);
}

function judge(renames: readonly Rename[], keys: readonly string[], before: Rows, now: Rows): Inspection {
  const was = byKey(keys, before);
  const is = byKey(keys, now);
  const meant = new Map(was);
  for (const { from, to } of renames) {
    const moved = meant.get(keyOf(from));
    if (moved === undefined) continue;
    meant.delete(keyOf(from));
    meant.set(keyOf(to), moved);
  }
  const words = renames.map(({ from, to }) => `${printName(from)} to ${printName(to)}`).join(', ');
  // Where the names alone tell, columns do not count: ALTER TABLE may change them in one go.
  const byColumns = isSame(was, meant, false);
  const isAsBefore = isSame(was, is, byColumns);
  const isAsMeant = isSame(meant, is, byColumns);
  if (isAsMeant && !isAsBefore) return done(`Renamed: ${words}.`);
  if (isAsBefore && !isAsMeant) return notDone(`Not renamed: ${words}.`);
  if (isAsBefore) {
    return renames.some(({ from }) => was.has(keyOf(from)))
      ? unknown(`Tables with the same columns change places (${words}): nothing tells which is which.`)
      : notDone(`Nothing of these names is there: ${words}.`);
  }
  return unknown(`The tables are neither as they were nor as the statement would leave them: ${words}.`);
}

function byKey(keys: readonly string[], rows: Rows): ReadonlyMap<string, FoundObject> {
  const found = foundObjects(rows);
  return new Map(
    keys.flatMap((key, place) => {
      const object = found.get(place);
      return object === undefined ? [] : [[key, object] as const];
    }),
  );
}

function isSame(
  one: ReadonlyMap<string, FoundObject>,
  other: ReadonlyMap<string, FoundObject>,
  byColumns: boolean,
): boolean {
  return (
    one.size === other.size &&
    [...one].every(([key, { shape }]) => (byColumns ? other.get(key)?.shape === shape : other.has(key)))
  );
}
