import type { ObjectRef } from '../../../../src/risk/change.js';
import { type AlterItem, readAlterItems } from './alter-items.js';
import type { Cursor } from './cursor.js';
import { type ColumnDefinition, readKey } from './definitions.js';
import { type ImpactCollector, memberRef } from './impact.js';
import {
  asAsked,
  atWorst,
  buildIndex,
  copy,
  dropIndex,
  instant,
  instantAlone,
  type OnlineCost,
  readAlgorithm,
  readLock,
  rebuild,
  rebuildForReaders,
  scanForReaders,
  together,
} from './online.js';
import { readTables } from './queries.js';

/** ALTER [ONLINE] [IGNORE] TABLE, from the word TABLE on. */
export function alterTable(cursor: Cursor, impact: ImpactCollector): void {
  cursor.take('table');
  cursor.take('if', 'exists');
  const table = cursor.takeRef('table');
  impact.object(table);
  impact.lock('EXCLUSIVE', table);
  if (table === undefined) {
    impact.change('other');
    impact.lose('maybe');
    return;
  }
  const items = readAlterItems(cursor);
  for (const item of items) classifyItem(item, table, impact);
  if (items.length === 0) impact.change('other');
  classifyOnline(items, impact);
}

/** What the items cost together, or as the statement asks for it. */
function classifyOnline(items: readonly AlterItem[], impact: ImpactCollector): void {
  if (items.some((item) => item.does === 'unknown')) impact.lose('maybe');
  const sum = combined(items);
  if (sum === undefined) return;
  const value = (does: 'algorithm' | 'lock'): string | undefined =>
    items.flatMap((item) => (item.does === does ? [item.value] : [])).at(-1);
  const asked = asAsked(sum, { algorithm: readAlgorithm(value('algorithm')), lock: readLock(value('lock')) });
  const { work, ...online } = asked;
  impact.online(online);
  impact.work(work);
}

/** Some changes that are cheap alone are not so together, and the other way round. */
function combined(items: readonly AlterItem[]): OnlineCost | undefined {
  const other = items.filter((item) => !dropsPrimary(item) && !addsPrimary(item));
  // A new primary key instead of the old one: the table is built once, in the order of the new one.
  if (items.some(dropsPrimary) && items.some(addsPrimary)) return together([combined(other) ?? rebuild, rebuild]);
  const all = items.map(costOf).filter((cost) => cost !== 'none');
  if (all.length === 0) return undefined;
  const others = all.filter((cost) => cost !== instantAlone);
  // Together with anything else, a new name is part of the change.
  const sum = together(others.length === 0 ? all : others);
  if (sum.algorithm === 'COPY') return sum;
  const addsColumn = items.some((item) => item.does === 'add-column' && item.column.generated === undefined);
  const addsIndex = items.some((item) => item.does === 'add-index');
  const dropsIndex = items.some((item) => item.does === 'drop' && item.what === 'index');
  const dropsColumn = items.some((item) => item.does === 'drop' && item.what === 'column');
  // On a table with generated columns it is copied, on others built in place or not at all.
  if (dropsColumn && (addsColumn || addsIndex || dropsIndex)) return atWorst(copy);
  // The index is built together with the table, of which each row gets the new column.
  return addsColumn && addsIndex ? together([sum, rebuild]) : sum;
}

const dropsPrimary = (item: AlterItem): boolean => item.does === 'drop' && item.what === 'primary';
const addsPrimary = (item: AlterItem): boolean => item.does === 'add-constraint' && item.constraint.kind === 'primary';

/** What one item needs alone; 'none': it is not told as ALGORITHM and LOCK. */
function costOf(item: AlterItem): OnlineCost | 'none' {
  switch (item.does) {
    case 'add-column':
      return costOfColumn(item.column);
    case 'add-index':
      return item.index.kind === 'plain' || item.index.kind === 'unique' ? buildIndex : scanForReaders;
    case 'add-constraint':
      if (item.constraint.kind === 'primary') return rebuild;
      // With foreign_key_checks off it is in place: no row is looked at.
      return item.constraint.kind === 'foreign' ? atWorst(copy) : copy;
    case 'drop':
      return dropCosts[item.what];
    case 'redefine':
      return atWorst(copy);
    case 'set-default':
    case 'rename-member':
      return instant;
    case 'switch':
      return item.checksRows ? atWorst(copy) : instant;
    case 'rename-table':
    case 'keys':
      return instantAlone;
    case 'convert-charset':
      return atWorst(copy);
    case 'partition':
      return costOfPartition(item);
    case 'partition-by':
    case 'remove-partitioning':
    case 'add-versioning':
    case 'order':
      return copy;
    case 'drop-versioning':
    case 'period':
      return atWorst(copy);
    case 'option':
      return costOfOption(item.option, item.value);
    case 'force':
      return rebuild;
    case 'unknown':
      return atWorst(copy);
    case 'discard-tablespace':
    case 'import-tablespace':
    case 'nothing':
    case 'algorithm':
    case 'lock':
      return 'none';
  }
}

const dropCosts = {
  // A column that an index holds takes it along, or out of it.
  column: atWorst(dropIndex),
  index: dropIndex,
  // In place on MariaDB, copied on MySQL.
  primary: atWorst(copy),
  foreign: instant,
  check: instant,
  // It may be a unique index.
  constraint: atWorst(dropIndex),
} as const;

function costOfColumn(column: ColumnDefinition): OnlineCost {
  const costs = [instant];
  if (column.generated === 'stored') costs.push(copy);
  if (column.defaultValue === 'expression') costs.push(atWorst(copy));
  // Instant too, but not on a table with generated columns, nor on MySQL before 8.0.29.
  if (column.isPlaced && column.generated === undefined) costs.push(atWorst(copy));
  if (column.isUnique || column.isPrimary) costs.push(rebuild);
  if (column.autoIncrement) costs.push(rebuildForReaders);
  // MySQL before 9.0 takes no notice of it.
  if (column.references !== undefined) costs.push(atWorst(copy));
  // MySQL looks at the rows, MariaDB does not.
  if (column.hasCheck) costs.push(atWorst(copy));
  return together(costs);
}

function costOfPartition(item: Extract<AlterItem, { does: 'partition' }>): OnlineCost | 'none' {
  switch (item.operation) {
    case 'add':
      // By RANGE and LIST nothing moves; by HASH and KEY rows are spread anew.
      return item.isSpread ? atWorst(copy) : 'none';
    case 'coalesce':
    case 'reorganize':
    case 'rebuild':
    case 'repair':
    case 'optimize':
      return atWorst(copy);
    case 'drop':
    case 'truncate':
    case 'exchange':
    case 'to-table':
    case 'from-table':
    case 'discard':
    case 'import':
    case 'analyze':
    case 'check':
      return 'none';
  }
}

/** Options that are words in the dictionary; an engine may know more, and what is not known here may be anything. */
const dictionaryOptions: ReadonlySet<string> = new Set([
  'auto_increment',
  'autoextend_size',
  'avg_row_length',
  'charset',
  'checksum',
  'collate',
  'comment',
  'connection',
  'delay_key_write',
  'engine_attribute',
  'insert_method',
  'max_rows',
  'min_rows',
  'pack_keys',
  'page_checksum',
  'password',
  'secondary_engine',
  'secondary_engine_attribute',
  'stats_auto_recalc',
  'stats_persistent',
  'stats_sample_pages',
  'transactional',
]);
const rebuildingOptions: ReadonlySet<string> = new Set([
  'compression',
  'encrypted',
  'encryption_key_id',
  'key_block_size',
  'page_compressed',
  'page_compression_level',
  'row_format',
]);

function costOfOption(option: string, value: string): OnlineCost {
  if (option === 'engine') return value.toLowerCase() === 'innodb' ? rebuild : copy;
  if (dictionaryOptions.has(option)) return instant;
  return rebuildingOptions.has(option) ? rebuild : atWorst(copy);
}

function classifyItem(item: AlterItem, table: ObjectRef, impact: ImpactCollector): void {
  switch (item.does) {
    case 'add-column':
      impact.change('add-column');
      impact.object(memberRef('column', table, item.column.name));
      if (item.column.isUnique) impact.change('add-index');
      if (item.column.isPrimary || item.column.hasCheck || item.column.references !== undefined) {
        impact.change('add-constraint');
      }
      lockReferenced(item.column.references, table, impact);
      return;
    case 'add-index':
      impact.change('add-index');
      if (item.index.isConstraint) impact.change('add-constraint');
      if (item.index.name !== undefined) impact.object(memberRef('index', table, item.index.name));
      return;
    case 'add-constraint':
      impact.change('add-constraint');
      if (item.constraint.kind === 'primary') impact.change('add-index');
      if (item.constraint.name !== undefined) impact.object(memberRef('constraint', table, item.constraint.name));
      lockReferenced(item.constraint.references, table, impact);
      return;
    case 'drop':
      classifyDrop(item, table, impact);
      return;
    case 'set-default':
      impact.change('change-default');
      impact.object(memberRef('column', table, item.column));
      return;
    case 'redefine':
      impact.change('alter-type');
      // Values that the new definition has no room for are refused, or cut where sql_mode is not strict.
      impact.lose('maybe');
      impact.object(memberRef('column', table, item.from));
      if (item.from.toLowerCase() !== item.column.name.toLowerCase()) {
        impact.change('rename');
        impact.object(memberRef('column', table, item.column.name));
      }
      return;
    case 'rename-member':
      impact.change('rename');
      impact.object(memberRef(item.what, table, item.from));
      impact.object(memberRef(item.what, table, item.to));
      return;
    case 'rename-table':
      impact.change('rename');
      impact.object(item.to);
      impact.lock('EXCLUSIVE', item.to);
      return;
    case 'switch':
      impact.change(item.what === 'constraint' ? 'add-constraint' : 'storage');
      impact.object(memberRef(item.what, table, item.name));
      return;
    case 'convert-charset':
      impact.change('alter-type');
      impact.lose('maybe');
      return;
    case 'partition':
      classifyPartition(item, table, impact);
      return;
    case 'partition-by':
    case 'remove-partitioning':
      impact.change('partition');
      return;
    case 'option':
      classifyOption(item.option, impact);
      return;
    case 'discard-tablespace':
      impact.change('other');
      impact.lose('yes');
      impact.write(table);
      return;
    case 'import-tablespace':
      impact.change('data-copy');
      impact.write(table);
      return;
    case 'drop-versioning':
      // The history of the rows goes with it.
      impact.change('other');
      impact.lose('yes');
      impact.write(table);
      return;
    case 'unknown':
    case 'add-versioning':
    case 'period':
      impact.change('other');
      return;
    case 'keys':
    case 'force':
    case 'order':
      impact.change('storage');
      return;
    case 'nothing':
    case 'algorithm':
    case 'lock':
      return;
  }
}

function classifyDrop(
  { what, name }: Extract<AlterItem, { does: 'drop' }>,
  table: ObjectRef,
  impact: ImpactCollector,
): void {
  switch (what) {
    case 'column':
      impact.change('drop-column');
      impact.lose('yes');
      impact.drop(memberRef('column', table, name));
      return;
    case 'index':
      impact.change('drop-index');
      impact.drop(memberRef('index', table, name));
      return;
    case 'primary':
      impact.change('drop-constraint');
      impact.drop(memberRef('index', table, 'PRIMARY'));
      return;
    case 'foreign':
    case 'check':
    case 'constraint':
      impact.change('drop-constraint');
      impact.drop(memberRef('constraint', table, name));
  }
}

function classifyPartition(
  { operation, other, validates }: Extract<AlterItem, { does: 'partition' }>,
  table: ObjectRef,
  impact: ImpactCollector,
): void {
  impact.object(other);
  impact.lock('EXCLUSIVE', other);
  switch (operation) {
    case 'drop':
    case 'truncate':
      impact.change('partition', operation === 'drop' ? 'delete-data' : 'truncate');
      impact.lose('yes');
      impact.write(table);
      return;
    case 'discard':
      impact.change('partition');
      impact.lose('yes');
      impact.write(table);
      return;
    case 'exchange':
    case 'from-table':
      impact.change('partition');
      if (validates) impact.work('scan');
      return;
    case 'analyze':
    case 'check':
      impact.change('maintenance');
      impact.work('scan');
      return;
    case 'optimize':
    case 'rebuild':
    case 'repair':
      impact.change('maintenance');
      return;
    case 'add':
    case 'coalesce':
    case 'reorganize':
    case 'to-table':
    case 'import':
      impact.change('partition');
  }
}

function classifyOption(option: string, impact: ImpactCollector): void {
  switch (option) {
    case 'comment':
      impact.change('comment');
      return;
    case 'charset':
    case 'collate':
      // For columns still to come.
      impact.change('change-default');
      return;
    case 'auto_increment':
      impact.change('sequence');
      return;
    default:
      impact.change('storage');
  }
}

/** The other table of a new foreign key (MySQL manual, "Metadata Locking": locks are extended to related tables). */
export function lockReferenced(other: ObjectRef | undefined, table: ObjectRef, impact: ImpactCollector): void {
  if (other !== undefined && (other.name !== table.name || other.schema !== table.schema)) {
    impact.lock('EXCLUSIVE', other);
  }
}

/** CREATE [OR REPLACE] [UNIQUE | FULLTEXT | SPATIAL | VECTOR] INDEX, from its kind on. */
export function createIndex(cursor: Cursor, replaces: boolean, impact: ImpactCollector): void {
  impact.change(...(replaces ? (['drop-index', 'add-index'] as const) : (['add-index'] as const)));
  const key = readKey(cursor);
  cursor.takeBefore('on');
  cursor.take('on');
  const table = cursor.takeRef('table');
  if (key !== undefined && 'index' in key && key.index.name !== undefined) {
    impact.object(memberRef('index', table, key.index.name));
  }
  impact.lock('EXCLUSIVE', table);
  const isPlain = key !== undefined && 'index' in key && ['plain', 'unique'].includes(key.index.kind);
  applyAsked(cursor, isPlain ? buildIndex : scanForReaders, impact);
}

/** DROP INDEX i ON t, behind its two words. */
export function dropIndexOn(cursor: Cursor, impact: ImpactCollector): void {
  impact.change('drop-index');
  cursor.take('if', 'exists');
  const name = cursor.takeName() ?? '';
  const table = cursor.take('on') ? cursor.takeRef('table') : undefined;
  impact.lock('EXCLUSIVE', table);
  impact.drop(memberRef('index', table, name));
  applyAsked(cursor, name.toUpperCase() === 'PRIMARY' ? dropCosts.primary : dropIndex, impact);
}

function applyAsked(cursor: Cursor, known: OnlineCost, impact: ImpactCollector): void {
  const asked = cursor.copy();
  const valueOf = (word: string): string | undefined => {
    const options = asked.copy();
    options.takeBefore(word);
    if (!options.take(word)) return undefined;
    options.takeSign('=');
    return options.takeName()?.toLowerCase();
  };
  const { work, ...online } = asAsked(known, {
    algorithm: readAlgorithm(valueOf('algorithm')),
    lock: readLock(valueOf('lock')),
  });
  impact.online(online);
  impact.work(work);
}

/** CREATE TABLE, behind the word TABLE. */
export function createTable(cursor: Cursor, replaces: boolean, impact: ImpactCollector): void {
  impact.change(...(replaces ? (['drop-table', 'create-table'] as const) : (['create-table'] as const)));
  cursor.take('if', 'not', 'exists');
  const table = cursor.takeRef('table');
  impact.object(table);
  if (table === undefined) return;
  if (replaces) {
    impact.lock('EXCLUSIVE', table);
    impact.lose('maybe');
  }
  const group = cursor.copy().takeGroup();
  if (cursor.take('like') || group?.take('like') === true) {
    impact.lock('SHARED READ', (group ?? cursor).takeRef('table'));
    return;
  }
  const isQuery = group !== undefined && ['select', 'with', 'values', 'table'].includes(group.word() ?? '');
  if (group !== undefined && !isQuery) {
    cursor.takeGroup();
    for (const part of group.takeList()) lockDefined(part, table, impact);
  }
  if (cursor.has('partition', 'by')) impact.change('partition');
  readTables(cursor, impact);
}

function lockDefined(part: Cursor, table: ObjectRef, impact: ImpactCollector): void {
  const key = readKey(part);
  if (key !== undefined) {
    if ('constraint' in key) lockReferenced(key.constraint.references, table, impact);
    return;
  }
  part.takeBefore('references');
  if (part.take('references')) lockReferenced(part.takeRef('table'), table, impact);
}
