import type { ChangeType, DataLoss, Risk } from './change.js';

/** What it means to roll back a migration that made one type of change. */
export interface MatrixRow {
  readonly risk: Risk;
  /** What to do about it, a few words in the imperative. */
  readonly action: string;
  readonly dataLoss: DataLoss;
  /** The same for a person, with the condition: "YES (if populated)". */
  readonly dataLossNote: string;
  /** True for the twelve rows of the classic decision matrix, which are kept word for word. */
  readonly classic: boolean;
  /** Why the row says so, one sentence. */
  readonly reason: string;
}

type Entry = readonly [risk: Risk, action: string, dataLoss: DataLoss, note: string, reason: string];

/** The decision matrix that teams print and follow; risk, action and data loss are not ours to change. */
const classic = {
  'create-table': [
    'high',
    'Forward fix',
    'yes',
    'YES (if populated)',
    'Taking it back drops the table with every row that was written since.',
  ],
  'drop-table': [
    'critical',
    'Restore from backup',
    'yes',
    'YES (permanent)',
    'The rows went when the migration ran; creating the table again brings none back.',
  ],
  'add-column': [
    'low',
    'Drop column or keep',
    'maybe',
    'Maybe (if populated)',
    'Dropping the column loses only what was written into it; keeping it harms nobody.',
  ],
  'drop-column': [
    'critical',
    'Restore from backup',
    'yes',
    'YES (permanent)',
    'The values went when the migration ran; adding the column again brings none back.',
  ],
  'add-index': ['minimal', 'Drop index', 'no', 'NO', 'An index holds nothing of its own.'],
  'drop-index': [
    'low',
    'Recreate index',
    'no',
    'NO',
    'Building it again reads the table and blocks writers meanwhile.',
  ],
  'add-constraint': [
    'medium',
    'Drop constraint',
    'no',
    'NO',
    'Without it, rows may arrive that the next attempt to add it will refuse.',
  ],
  'drop-constraint': [
    'low',
    'Add constraint',
    'no',
    'NO',
    'Adding it again fails, without harm, when rows arrived meanwhile that violate it.',
  ],
  'alter-type': [
    'medium',
    'Restore type',
    'maybe',
    'Maybe (truncation)',
    'Values that fit only the new type are cut or refused, and the table may be rewritten under an exclusive lock.',
  ],
  'insert-data': ['low', 'Delete data', 'no', 'NO', 'The rows are known: they stand in the migration.'],
  'update-data': [
    'high',
    'Restore from backup',
    'yes',
    'YES (requires backup)',
    'The previous values are nowhere but in a copy taken before.',
  ],
  'delete-data': [
    'critical',
    'Restore from backup',
    'yes',
    'YES (permanent)',
    'The rows are nowhere but in a copy taken before.',
  ],
} as const satisfies Partial<Record<ChangeType, Entry>>;

/** What the classic matrix forgot. */
const added: Record<Exclude<ChangeType, keyof typeof classic>, Entry> = {
  truncate: [
    'critical',
    'Restore from backup',
    'yes',
    'YES (permanent)',
    'Like DELETE of all rows, and like it final once committed.',
  ],
  rename: [
    'low',
    'Rename back',
    'no',
    'NO',
    'Exact and quick, but code that knows only the new name fails at the same moment.',
  ],
  'set-not-null': ['minimal', 'Drop not null', 'no', 'NO', 'Permitting NULL again breaks no row.'],
  'drop-not-null': [
    'medium',
    'Fill in, then set not null',
    'no',
    'NO',
    'Rows with NULL may have arrived; the whole table is read under an exclusive lock to find them.',
  ],
  'change-default': [
    'low',
    'Restore default',
    'no',
    'NO',
    'Only rows still to come are concerned, but the previous default must be known.',
  ],
  'create-object': [
    'low',
    'Drop object',
    'no',
    'NO',
    'Views, functions, types and triggers hold no rows; what was built on them since stands in the way.',
  ],
  'drop-object': [
    'medium',
    'Recreate object',
    'no',
    'NO',
    'The previous definition, its owner and its grants must come from an earlier migration.',
  ],
  'replace-object': [
    'medium',
    'Restore previous definition',
    'no',
    'NO',
    'The definition that was replaced is not in the migration.',
  ],
  'create-schema': [
    'medium',
    'Drop schema if empty',
    'maybe',
    'Maybe (if populated)',
    'Without CASCADE the server refuses while anything is in it; with CASCADE everything in it goes.',
  ],
  'drop-schema': [
    'critical',
    'Restore from backup',
    'yes',
    'YES (permanent)',
    'With CASCADE every table in it went, with its rows.',
  ],
  extension: [
    'high',
    'Forward fix',
    'maybe',
    'Maybe (columns of its types)',
    'Dropping an extension takes its types, and with CASCADE the columns of those types; a version is seldom revertible.',
  ],
  'enum-value': [
    'high',
    'Forward fix',
    'maybe',
    'Maybe (rows that use it)',
    'PostgreSQL cannot drop a value of an enum: the type and every column of it must be rebuilt.',
  ],
  sequence: [
    'low',
    'Restore sequence',
    'maybe',
    'Maybe (its position)',
    'The definition is easily restored; a position that is put too low hands out numbers twice.',
  ],
  partition: [
    'high',
    'Detach or attach again',
    'maybe',
    'Maybe (rows of the partition)',
    'The partition must be made whole again with its bounds; rows that arrived meanwhile may have no place.',
  ],
  privilege: ['low', 'Revoke or grant back', 'no', 'NO', 'Exact when it is known what was granted before.'],
  owner: ['low', 'Restore owner', 'no', 'NO', 'Exact when the previous owner is known.'],
  comment: ['minimal', 'Restore comment', 'no', 'NO', 'Nothing but words.'],
  'row-security': [
    'high',
    'Restore policy',
    'no',
    'NO',
    'No row is lost, but rows may be shown to those who must not see them, from the moment of the commit.',
  ],
  'trigger-state': [
    'medium',
    'Switch back',
    'no',
    'NO',
    'What triggers did, or left undone, while they were switched is not taken back with them.',
  ],
  storage: [
    'minimal',
    'Restore setting',
    'no',
    'NO',
    'Rows mean the same; going back may rewrite the table (LOGGED, tablespace, access method).',
  ],
  'server-setting': [
    'medium',
    'Restore setting',
    'no',
    'NO',
    'Applies to everybody, cannot run in the transaction, and may need a restart.',
  ],
  'session-setting': ['none', 'Nothing to do', 'no', 'NO', 'It ended with the session or transaction that set it.'],
  'data-copy': ['low', 'Delete data', 'no', 'NO', 'The rows came from a file, which says which ones they are.'],
  maintenance: ['none', 'Nothing to do', 'no', 'NO', 'Upkeep changes no meaning.'],
  query: ['none', 'Nothing to do', 'no', 'NO', 'It reads; functions that it calls are not looked into.'],
  procedural: [
    'high',
    'Review by hand',
    'maybe',
    'Maybe (not to be seen)',
    'What a DO block or a procedure does is decided when it runs.',
  ],
  'transaction-control': [
    'medium',
    'Review by hand',
    'no',
    'NO',
    'The migration committed in parts, so it may be applied only in part.',
  ],
  other: ['medium', 'Review by hand', 'maybe', 'Maybe (unknown)', 'Not recognised: nothing better can be promised.'],
};

function rowOf([risk, action, dataLoss, dataLossNote, reason]: Entry, isClassic: boolean): MatrixRow {
  return { risk, action, dataLoss, dataLossNote, classic: isClassic, reason };
}

/** Every change type with what rolling back a migration that made it means; the twelve classic rows come first. */
export const matrix = Object.fromEntries([
  ...Object.entries(classic).map(([type, entry]) => [type, rowOf(entry, true)] as const),
  ...Object.entries(added).map(([type, entry]) => [type, rowOf(entry, false)] as const),
]) as Readonly<Record<ChangeType, MatrixRow>>;
