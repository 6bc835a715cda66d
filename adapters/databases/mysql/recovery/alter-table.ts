import type { Inspection, StatementRecovery, Token } from '../../../../src/adapter/database.js';
import { askObjects, foundObjects, printName } from './catalog-rows.js';
import { done, inspectable, notDone, repeatable, type Rows, unclear, unknown } from './inspection.js';
import { renaming } from './renames.js';
import { nameOf, type ObjectName, StatementReader } from './statement-reader.js';

/** How ALTER TABLE is asked to work, not what it does. */
const manners = new Set(['algorithm', 'lock', 'wait', 'nowait', 'force', 'validation']);
/** Items that may be carried out any number of times, and of which the catalog shows nothing. */
const upkeep = new Set(['rebuild', 'optimize', 'analyze', 'check', 'repair', 'truncate']);
const notColumns = new Set([
  'index',
  'key',
  'primary',
  'foreign',
  'constraint',
  'check',
  'partition',
  'period',
  'system',
]);

/**
 * ALTER TABLE: whole or not at all (MySQL manual, "Atomic Data Definition Statement Support"; MariaDB documentation, "Atomic
 * DDL"), so the table's definition tells. `reader` stands behind TABLE.
 */
export function tableAlteration(reader: StatementReader, text: string): StatementRecovery {
  reader.takes('if', 'exists');
  const table = reader.name();
  if (table === undefined) return unclear;
  if (reader.takes('wait')) reader.skip();
  else reader.takes('nowait');
  const items = reader.items().filter((item) => item.length > 0);
  const target = items.map((item) => renamedTo(item, text)).find((name) => name !== undefined);
  if (target !== undefined) return renaming([{ from: table, to: target }]);
  if (items.some(isSwap)) return unclear;
  if (items.every((item, index) => isUpkeep(item) || continuesOrder(items, index))) return repeatable;
  const hides = mayHide(items, text);
  return inspectable(askObjects('table', [table]), (before, now) => judge(table, hides, before, now));
}

function judge(table: ObjectName, hides: boolean, before: Rows, now: Rows): Inspection {
  const was = foundObjects(before).get(0);
  const is = foundObjects(now).get(0);
  const printed = printName(table);
  if (was === undefined) {
    return is === undefined
      ? notDone(`There is no table ${printed}, and there was none before the statement.`)
      : unknown(`There was no table ${printed} before the statement, and there is one now.`);
  }
  if (is === undefined) return unknown(`The table ${printed} is gone.`);
  if (was.definition !== is.definition) return done(`The definition of table ${printed} is another one than before.`);
  return hides
    ? unknown(
        `The definition of table ${printed} is as before, but the statement may end where it began: it takes columns away and adds the same, or lets them change places.`,
      )
    : notDone(`The definition of table ${printed} is as before the statement.`);
}

function word(item: readonly Token[], index: number): string | undefined {
  const token = item[index];
  return token?.kind === 'word' ? token.value : undefined;
}

/** RENAME [TO | AS | =] name; not RENAME COLUMN and RENAME INDEX. */
function renamedTo(item: readonly Token[], text: string): ObjectName | undefined {
  if (word(item, 0) !== 'rename') return undefined;
  const second = word(item, 1);
  const isMember = (second === 'column' || second === 'index' || second === 'key') && item.length > 2;
  if (isMember) return undefined;
  const isBehind = second === 'to' || second === 'as' || (item[1]?.kind === 'sign' && item[1].value === '=');
  const first = item[isBehind ? 2 : 1];
  const last = item.at(-1);
  return first === undefined || last === undefined
    ? undefined
    : new StatementReader(text.slice(first.offset, last.offset + last.length)).name();
}

/** What changes rows or files and shows in no definition; run twice, some of it comes to nothing. */
function isSwap(item: readonly Token[]): boolean {
  const first = word(item, 0);
  return first === 'exchange' || first === 'discard' || first === 'import';
}

function isUpkeep(item: readonly Token[]): boolean {
  const first = word(item, 0) ?? '';
  if (manners.has(first) || first === 'auto_increment') return true;
  if (first === 'order') return word(item, 1) === 'by';
  return upkeep.has(first) && word(item, 1) === 'partition';
}

/** The second and later columns of ORDER BY a, b DESC. */
function continuesOrder(items: readonly (readonly Token[])[], index: number): boolean {
  const [previous, item] = [items[index - 1], items[index]];
  if (previous === undefined || item === undefined || item.length > 2) return false;
  if (item.length === 2 && word(item, 1) !== 'asc' && word(item, 1) !== 'desc') return false;
  return word(previous, 0) === 'order' || continuesOrder(items, index - 1);
}

/** Whether carrying the items out may leave a definition just as it was, with other values in it. */
function mayHide(items: readonly (readonly Token[])[], text: string): boolean {
  const names = (item: readonly Token[]): readonly string[] =>
    item.flatMap((token) => nameOf(token, text)?.toLowerCase() ?? []);
  const added = items.filter((item) => word(item, 0) === 'add').flatMap(names);
  const dropped = items
    .filter((item) => word(item, 0) === 'drop' && !notColumns.has(word(item, 1) ?? ''))
    .flatMap((item) => names(item).filter((name) => !['drop', 'column', 'if', 'exists'].includes(name)));
  if (dropped.some((name) => added.includes(name))) return true;
  const moves = items.flatMap((item) => {
    const first = word(item, 0);
    const isMove = first === 'change' || (first === 'rename' && word(item, 1) === 'column');
    if (!isMove) return [];
    const [from, to] = names(item).filter(
      (name, index) => index > 0 && !['column', 'if', 'exists', 'to'].includes(name),
    );
    return from === undefined || to === undefined || from === to ? [] : [{ from, to }];
  });
  return moves.some(({ to }) => moves.some(({ from }) => from === to));
}
