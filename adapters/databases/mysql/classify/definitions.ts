import type { ObjectRef } from '../../../../src/risk/change.js';
import type { Cursor } from './cursor.js';

/** What the text of a column's definition says. */
export interface ColumnDefinition {
  readonly name: string;
  readonly notNull: boolean;
  readonly autoIncrement: boolean;
  readonly isPrimary: boolean;
  readonly isUnique: boolean;
  readonly hasCheck: boolean;
  readonly generated: 'virtual' | 'stored' | undefined;
  /** expression: something that may be another value for each row. */
  readonly defaultValue: 'none' | 'constant' | 'expression';
  readonly references: ObjectRef | undefined;
  /** FIRST or AFTER … of ALTER TABLE. */
  readonly isPlaced: boolean;
}

/** Functions without arguments that give every row the same value. */
const momentary = new Set([
  'current_timestamp',
  'current_date',
  'current_time',
  'localtime',
  'localtimestamp',
  'now',
  'utc_timestamp',
  'curdate',
  'curtime',
]);

/** Reads a column's definition from its name on, up to the end of this part. */
export function readColumn(cursor: Cursor): ColumnDefinition | undefined {
  const name = cursor.takeName();
  if (name === undefined) return undefined;
  let notNull = false;
  let autoIncrement = cursor.word() === 'serial';
  let isPrimary = false;
  let isUnique = autoIncrement;
  let hasCheck = false;
  let generated: ColumnDefinition['generated'];
  let defaultValue: ColumnDefinition['defaultValue'] = 'none';
  let references: ObjectRef | undefined;
  let isPlaced = false;
  while (!cursor.atEnd) {
    if (cursor.take('not', 'null')) notNull = true;
    else if (cursor.take('auto_increment')) autoIncrement = true;
    else if (cursor.take('primary')) isPrimary = true;
    else if (cursor.take('unique')) isUnique = true;
    else if (cursor.take('check')) hasCheck = true;
    else if (cursor.take('references')) references = cursor.takeRef('table');
    else if (cursor.takeOneOf('stored', 'persistent') !== undefined) generated = 'stored';
    else if (cursor.take('default')) defaultValue = readDefault(cursor);
    else if (cursor.takeOneOf('first', 'after') !== undefined) isPlaced = true;
    else if (cursor.word() === 'as' && cursor.isSign('(', 1)) {
      generated ??= 'virtual';
      cursor.skip();
    } else if (cursor.takeGroup() === undefined) cursor.skip();
  }
  return {
    name,
    notNull,
    autoIncrement,
    isPrimary,
    isUnique,
    hasCheck,
    generated,
    defaultValue,
    references,
    isPlaced,
  };
}

function readDefault(cursor: Cursor): ColumnDefinition['defaultValue'] {
  if (cursor.takeGroup() !== undefined) return 'expression';
  const word = cursor.word();
  cursor.takeAll('next', 'value', 'for');
  cursor.takeSign('-');
  cursor.skip();
  const isCall = cursor.takeGroup() !== undefined;
  if (word === 'next') return 'expression';
  return isCall && !momentary.has(word ?? '') ? 'expression' : 'constant';
}

export interface IndexDefinition {
  readonly kind: 'plain' | 'unique' | 'fulltext' | 'spatial' | 'vector';
  /** Undefined: the server chooses it, as a rule the name of the first column. */
  readonly name: string | undefined;
  /** Columns in their order; of an expression nothing. */
  readonly columns: readonly string[];
  /** ADD CONSTRAINT … UNIQUE, or the word UNIQUE alone. */
  readonly isConstraint: boolean;
  readonly ifNotExists: boolean;
}

export interface ConstraintDefinition {
  readonly kind: 'primary' | 'foreign' | 'check';
  readonly name: string | undefined;
  readonly columns: readonly string[];
  readonly references: ObjectRef | undefined;
  readonly ifNotExists: boolean;
}

const indexKinds = ['unique', 'fulltext', 'spatial', 'vector'] as const;

/** INDEX …, UNIQUE …, CONSTRAINT c PRIMARY KEY … as CREATE TABLE and ALTER TABLE … ADD write it; else nothing is taken. */
export function readKey(
  cursor: Cursor,
): { readonly index: IndexDefinition } | { readonly constraint: ConstraintDefinition } | undefined {
  let symbol: string | undefined;
  let isConstraint = false;
  if (cursor.take('constraint')) {
    isConstraint = true;
    cursor.take('if', 'not', 'exists');
    if (!['primary', 'unique', 'foreign', 'check'].includes(cursor.word() ?? '')) symbol = cursor.takeName();
  }
  if (cursor.take('primary', 'key')) {
    const columns = keyColumns(cursor);
    return { constraint: { kind: 'primary', name: undefined, columns, references: undefined, ifNotExists: false } };
  }
  if (cursor.take('foreign', 'key')) {
    const ifNotExists = cursor.take('if', 'not', 'exists');
    const name = cursor.isSign('(') ? undefined : cursor.takeName();
    const columns = keyColumns(cursor);
    const references = cursor.take('references') ? cursor.takeRef('table') : undefined;
    return { constraint: { kind: 'foreign', name: symbol ?? name, columns, references, ifNotExists } };
  }
  if (cursor.word() === 'check' && cursor.isSign('(', 1)) {
    cursor.skip();
    return {
      constraint: { kind: 'check', name: symbol, columns: [], references: undefined, ifNotExists: false },
    };
  }
  // "index" and "key" are reserved words; the others may be names of columns.
  const kind = indexKinds.find((each) => cursor.word() === each && startsKey(cursor));
  if (kind === undefined && cursor.word() !== 'index' && cursor.word() !== 'key') return undefined;
  if (kind !== undefined) cursor.skip();
  cursor.takeOneOf('index', 'key');
  const ifNotExists = cursor.take('if', 'not', 'exists');
  const name = cursor.isSign('(') || cursor.word() === 'using' ? undefined : cursor.takeName();
  return {
    index: {
      kind: kind ?? 'plain',
      name: name ?? symbol,
      columns: keyColumns(cursor),
      isConstraint: isConstraint || kind === 'unique',
      ifNotExists,
    },
  };
}

function startsKey(cursor: Cursor): boolean {
  if (cursor.word() !== 'vector') return true;
  return cursor.word(1) === 'index' || cursor.word(1) === 'key';
}

function keyColumns(cursor: Cursor): readonly string[] {
  if (cursor.take('using')) cursor.skip();
  const group = cursor.takeGroup();
  return group === undefined ? [] : group.takeList().flatMap((part) => part.takeName() ?? []);
}
