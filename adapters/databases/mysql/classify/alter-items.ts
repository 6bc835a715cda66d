import type { ObjectRef } from '../../../../src/risk/change.js';
import type { Cursor } from './cursor.js';
import {
  type ColumnDefinition,
  type ConstraintDefinition,
  type IndexDefinition,
  readColumn,
  readKey,
} from './definitions.js';

/** One thing that ALTER TABLE does, as the text says it (MySQL and MariaDB manuals, "ALTER TABLE"). */
export type AlterItem =
  | { readonly does: 'add-column'; readonly column: ColumnDefinition; readonly ifNotExists: boolean }
  | { readonly does: 'add-index'; readonly index: IndexDefinition }
  | { readonly does: 'add-constraint'; readonly constraint: ConstraintDefinition }
  | {
      readonly does: 'drop';
      readonly what: 'column' | 'index' | 'primary' | 'foreign' | 'check' | 'constraint';
      readonly name: string;
      readonly ifExists: boolean;
    }
  | { readonly does: 'set-default'; readonly column: string; readonly isDropped: boolean }
  /** MODIFY and CHANGE, which tell the new definition only. */
  | { readonly does: 'redefine'; readonly from: string; readonly column: ColumnDefinition }
  | { readonly does: 'rename-member'; readonly what: 'column' | 'index'; readonly from: string; readonly to: string }
  | { readonly does: 'rename-table'; readonly to: ObjectRef }
  /** [IN]VISIBLE, [NOT] IGNORED, [NOT] ENFORCED; `back` are the words that take it back. */
  | {
      readonly does: 'switch';
      readonly what: 'column' | 'index' | 'constraint';
      readonly name: string;
      readonly back: string;
      readonly checksRows: boolean;
    }
  | { readonly does: 'convert-charset' }
  | {
      readonly does: 'partition';
      readonly operation: PartitionOperation;
      readonly names: readonly string[];
      readonly other: ObjectRef | undefined;
      readonly validates: boolean;
      /** By HASH or KEY, as far as the text tells: without bounds. */
      readonly isSpread: boolean;
    }
  | { readonly does: 'partition-by' | 'remove-partitioning' }
  | { readonly does: 'option'; readonly option: string; readonly value: string }
  | { readonly does: 'keys'; readonly isEnabled: boolean }
  | { readonly does: 'discard-tablespace' | 'import-tablespace' }
  | { readonly does: 'add-versioning' | 'drop-versioning' | 'period' | 'order' | 'force' | 'nothing' }
  | { readonly does: 'algorithm' | 'lock'; readonly value: string }
  | { readonly does: 'unknown' };

export type PartitionOperation =
  | 'add'
  | 'drop'
  | 'truncate'
  | 'coalesce'
  | 'reorganize'
  | 'exchange'
  | 'to-table'
  | 'from-table'
  | 'discard'
  | 'import'
  | 'analyze'
  | 'check'
  | 'optimize'
  | 'rebuild'
  | 'repair';

/** Everything behind the name of the table. */
export function readAlterItems(cursor: Cursor): readonly AlterItem[] {
  const items: AlterItem[] = [];
  for (const part of cursor.takeList()) {
    const last = items.at(-1);
    // ORDER BY a, b and DROP PARTITION p0, p1 have commas of their own.
    if (last?.does === 'order') continue;
    if (last?.does === 'partition' && last.names.length > 0) {
      items[items.length - 1] = { ...last, names: [...last.names, part.takeName() ?? ''] };
      continue;
    }
    while (!part.atEnd) {
      const before = part.rest.length;
      items.push(...readItem(part));
      if (part.rest.length === before) part.takeRest();
    }
  }
  return items;
}

const unknown: readonly AlterItem[] = [{ does: 'unknown' }];

function readItem(cursor: Cursor): readonly AlterItem[] {
  const verb = cursor.word();
  switch (verb) {
    case 'add':
      cursor.skip();
      return readAdd(cursor);
    case 'drop':
      cursor.skip();
      return [readDrop(cursor)];
    case 'alter':
      cursor.skip();
      return [readAlter(cursor)];
    case 'modify':
    case 'change':
      cursor.skip();
      return readRedefinition(cursor, verb === 'change');
    case 'rename':
      cursor.skip();
      return readRename(cursor);
    case 'convert':
      cursor.skip();
      return readConvert(cursor);
    case 'order':
      cursor.takeRest();
      return [{ does: 'order' }];
    case 'force':
      cursor.skip();
      return [{ does: 'force' }];
    case 'enable':
    case 'disable':
      if (cursor.word(1) !== 'keys') return readOption(cursor);
      cursor.skip(2);
      return [{ does: 'keys', isEnabled: verb === 'enable' }];
    case 'discard':
    case 'import':
      if (cursor.word(1) === 'partition') return readPartition(cursor);
      cursor.skip(2);
      return [{ does: verb === 'discard' ? 'discard-tablespace' : 'import-tablespace' }];
    case 'algorithm':
    case 'lock':
      cursor.skip();
      cursor.takeSign('=');
      return [{ does: verb, value: (cursor.takeName() ?? '').toLowerCase() }];
    case 'partition':
      if (cursor.word(1) !== 'by') return readOption(cursor);
      cursor.takeRest();
      return [{ does: 'partition-by' }];
    case 'remove':
      cursor.takeRest();
      return [{ does: 'remove-partitioning' }];
    case 'with':
    case 'without':
      if (cursor.take(verb, 'validation')) return [{ does: 'nothing' }];
      if (cursor.take(verb, 'system', 'versioning')) {
        return [{ does: verb === 'with' ? 'add-versioning' : 'drop-versioning' }];
      }
      return unknown;
    case 'wait':
      cursor.skip(2);
      return [{ does: 'nothing' }];
    case 'nowait':
      cursor.skip();
      return [{ does: 'nothing' }];
    default:
      return verb !== undefined && partitionVerbs.has(verb) && cursor.word(1) === 'partition'
        ? readPartition(cursor)
        : readOption(cursor);
  }
}

function readAdd(cursor: Cursor): readonly AlterItem[] {
  if (cursor.take('partition')) {
    return [{ ...partition('add'), isSpread: !cursor.takeRest().mentions('values') }];
  }
  if (cursor.take('system', 'versioning')) return [{ does: 'add-versioning' }];
  if (cursor.take('period', 'for')) {
    cursor.takeRest();
    return [{ does: 'period' }];
  }
  const key = readKey(cursor);
  if (key !== undefined) {
    cursor.takeRest();
    return [keyItem(key)];
  }
  cursor.take('column');
  const ifNotExists = cursor.take('if', 'not', 'exists');
  const group = cursor.takeGroup();
  if (group === undefined) return [addColumn(cursor, ifNotExists)];
  return group.takeList().map((part) => {
    const inner = readKey(part);
    return inner === undefined ? addColumn(part, ifNotExists) : keyItem(inner);
  });
}

function keyItem(key: Exclude<ReturnType<typeof readKey>, undefined>): AlterItem {
  return 'index' in key
    ? { does: 'add-index', index: key.index }
    : { does: 'add-constraint', constraint: key.constraint };
}

function addColumn(cursor: Cursor, ifNotExists: boolean): AlterItem {
  const column = readColumn(cursor);
  return column === undefined ? { does: 'unknown' } : { does: 'add-column', column, ifNotExists };
}

function readDrop(cursor: Cursor): AlterItem {
  if (cursor.take('partition')) {
    cursor.take('if', 'exists');
    return { ...partition('drop'), names: [cursor.takeName() ?? ''] };
  }
  if (cursor.take('system', 'versioning')) return { does: 'drop-versioning' };
  if (cursor.take('period', 'for')) {
    cursor.takeRest();
    return { does: 'period' };
  }
  if (cursor.take('primary', 'key')) return { does: 'drop', what: 'primary', name: 'PRIMARY', ifExists: false };
  const what = dropped(cursor);
  const ifExists = cursor.take('if', 'exists');
  const name = cursor.takeName();
  cursor.takeOneOf('restrict', 'cascade');
  return name === undefined ? { does: 'unknown' } : { does: 'drop', what, name, ifExists };
}

function dropped(cursor: Cursor): 'column' | 'index' | 'foreign' | 'check' | 'constraint' {
  if (cursor.take('foreign', 'key')) return 'foreign';
  if (cursor.takeOneOf('index', 'key') !== undefined) return 'index';
  if (cursor.take('constraint')) return 'constraint';
  if (cursor.take('check')) return 'check';
  cursor.take('column');
  return 'column';
}

function readAlter(cursor: Cursor): AlterItem {
  const kind = cursor.takeOneOf('index', 'key', 'check', 'constraint', 'column');
  const what =
    kind === 'index' || kind === 'key' ? 'index' : kind === 'check' || kind === 'constraint' ? 'constraint' : 'column';
  cursor.take('if', 'exists');
  const name = cursor.takeName() ?? '';
  const words = cursor.takeRest();
  if (what === 'column' && words.take('drop', 'default')) return { does: 'set-default', column: name, isDropped: true };
  if (what === 'column' && words.take('set', 'default')) return { does: 'set-default', column: name, isDropped: false };
  words.take('set');
  const isNegated = words.take('not');
  const word = words.takeOneOf('visible', 'invisible', 'ignored', 'enforced');
  if (word === undefined) return { does: 'unknown' };
  const opposite =
    word === 'visible'
      ? 'INVISIBLE'
      : word === 'invisible'
        ? 'VISIBLE'
        : `${isNegated ? '' : 'NOT '}${word.toUpperCase()}`;
  const back = what === 'column' ? `SET ${opposite}` : opposite;
  return { does: 'switch', what, name, back, checksRows: word === 'enforced' && !isNegated };
}

function readRedefinition(cursor: Cursor, renames: boolean): readonly AlterItem[] {
  cursor.take('column');
  cursor.take('if', 'exists');
  const group = renames ? undefined : cursor.takeGroup();
  const parts = group === undefined ? [cursor] : group.takeList();
  return parts.map((part) => {
    const from = renames ? part.takeName() : undefined;
    const column = readColumn(part);
    return column === undefined ? { does: 'unknown' } : { does: 'redefine', from: from ?? column.name, column };
  });
}

function readRename(cursor: Cursor): readonly AlterItem[] {
  const what = cursor.takeOneOf('column', 'index', 'key');
  if (what !== undefined) {
    cursor.take('if', 'exists');
    const from = cursor.takeName();
    const to = cursor.take('to') ? cursor.takeName() : undefined;
    if (from === undefined || to === undefined) return unknown;
    return [{ does: 'rename-member', what: what === 'column' ? 'column' : 'index', from, to }];
  }
  cursor.takeOneOf('to', 'as');
  cursor.takeSign('=');
  const to = cursor.takeRef('table');
  return to === undefined ? unknown : [{ does: 'rename-table', to }];
}

function readConvert(cursor: Cursor): readonly AlterItem[] {
  if (cursor.take('table')) {
    const other = cursor.takeRef('table');
    cursor.take('to', 'partition');
    const name = cursor.takeName() ?? '';
    const validates = !cursor.has('without', 'validation');
    cursor.takeRest();
    return [{ ...partition('from-table'), names: [name], other, validates }];
  }
  if (cursor.take('partition')) {
    const name = cursor.takeName() ?? '';
    cursor.take('to', 'table');
    return [{ ...partition('to-table'), names: [name], other: cursor.takeRef('table') }];
  }
  if (!cursor.take('to')) return unknown;
  if (!cursor.take('character', 'set')) cursor.takeOneOf('charset', 'char');
  cursor.skip();
  if (cursor.take('collate')) {
    cursor.takeSign('=');
    cursor.skip();
  }
  return [{ does: 'convert-charset' }];
}

const partitionVerbs: ReadonlySet<string> = new Set([
  'truncate',
  'coalesce',
  'reorganize',
  'exchange',
  'analyze',
  'check',
  'optimize',
  'rebuild',
  'repair',
]);

function partition(operation: PartitionOperation): Extract<AlterItem, { does: 'partition' }> {
  return { does: 'partition', operation, names: [], other: undefined, validates: false, isSpread: false };
}

function readPartition(cursor: Cursor): readonly AlterItem[] {
  const operation = cursor.word() as PartitionOperation;
  cursor.skip(2);
  cursor.takeAll('no_write_to_binlog', 'local');
  const name = operation === 'coalesce' ? undefined : cursor.takeName();
  const validates = operation === 'exchange' && !cursor.has('without', 'validation');
  const other = cursor.take('with', 'table') ? cursor.takeRef('table') : undefined;
  cursor.takeRest();
  return [{ ...partition(operation), names: name === undefined ? [] : [name], other, validates }];
}

/** One table option, name and value; options may follow one another without commas. */
function readOption(cursor: Cursor): readonly AlterItem[] {
  cursor.take('default');
  const isCharset = cursor.take('character', 'set') || cursor.takeOneOf('charset', 'char') !== undefined;
  const word = isCharset ? 'charset' : (cursor.word() ?? '');
  if (!isCharset) cursor.skip();
  let option = word === 'type' ? 'engine' : word;
  if ((word === 'data' || word === 'index') && cursor.take('directory')) option = `${word} directory`;
  if (!knownOptions.has(option) && !cursor.isSign('=')) {
    cursor.takeRest();
    return unknown;
  }
  cursor.takeSign('=');
  const value = cursor.takeGroup() === undefined ? (cursor.takeString() ?? cursor.source()) : '';
  if (cursor.token(-1)?.kind !== 'string' && !cursor.isSign(')', -1)) cursor.skip();
  return [{ does: 'option', option, value }];
}

/** Options that may be given without an equals sign; an engine's own need one. */
const knownOptions: ReadonlySet<string> = new Set([
  'auto_increment',
  'autoextend_size',
  'avg_row_length',
  'charset',
  'checksum',
  'collate',
  'comment',
  'compression',
  'connection',
  'data directory',
  'delay_key_write',
  'encrypted',
  'encryption',
  'encryption_key_id',
  'engine',
  'engine_attribute',
  'index directory',
  'insert_method',
  'key_block_size',
  'max_rows',
  'min_rows',
  'pack_keys',
  'page_checksum',
  'page_compressed',
  'page_compression_level',
  'password',
  'row_format',
  'secondary_engine',
  'secondary_engine_attribute',
  'sequence',
  'stats_auto_recalc',
  'stats_persistent',
  'stats_sample_pages',
  'storage',
  'tablespace',
  'transactional',
  'union',
]);
