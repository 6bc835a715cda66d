import type { Cursor } from '../classify/cursor.js';
import { takeKind, takeDefiner } from '../classify/objects.js';
import { deleteRows, insertRemoved, updateBack } from './data.js';
import {
  alterTableBack,
  dropCreatedIndex,
  dropCreatedTable,
  recreateIndex,
  recreateTables,
  renameTablesBack,
} from './tables.js';
import { accountText, advice, nameText } from './words.js';

type Hints = readonly string[];

/** Statements that leave nothing behind once their session or transaction has ended, or change no meaning. */
const passing = new Set(
  (
    'select values table show explain describe desc help use do handler set prepare deallocate begin start commit rollback savepoint ' +
    'release lock unlock flush analyze check checksum optimize repair cache signal resignal get kill'
  ).split(' '),
);

const somebodyKnows = advice('Write here what takes this statement back.');

/**
 * How to take one statement back: lines of SQL that end with a semicolon, and lines of advice that begin with "-- " where only a
 * person can know. Running the lines as they are is right when nothing existed before under these names. Empty when there is
 * nothing to take back.
 */
export function inverseOf(cursor: Cursor): Hints {
  const verb = cursor.word() ?? '';
  switch (verb) {
    case 'create':
      cursor.skip();
      return dropCreated(cursor);
    case 'drop':
      cursor.skip();
      return recreate(cursor);
    case 'alter':
      cursor.skip();
      return alterBack(cursor);
    case 'rename':
      cursor.skip();
      return renameBack(cursor);
    case 'insert':
    case 'replace':
      return deleteRows(cursor);
    case 'update':
      return updateBack(cursor);
    case 'delete':
      return insertRemoved(cursor);
    case 'with':
      return cursor.has('set') || cursor.has('delete') ? [somebodyKnows] : [];
    case 'truncate':
      cursor.skip();
      cursor.take('table');
      return [advice(`INSERT INTO ${nameText(cursor.takeRef('table'))} … (all rows, from a backup);`)];
    case 'load':
      return loadBack(cursor);
    case 'grant':
      return [advice(`REVOKE what was granted: ${cursor.rest.replaceAll(/\s+/g, ' ')}`)];
    case 'revoke':
      return [advice(`GRANT back what was revoked: ${cursor.rest.replaceAll(/\s+/g, ' ')}`)];
    case 'call':
    case 'execute':
      return [advice('Code was run that is not in this statement: take back what it did.')];
    case 'install':
    case 'uninstall':
      return [advice(`${verb === 'install' ? 'UNINSTALL' : 'INSTALL'} it again, if nothing else relies on it.`)];
    default:
  }
  if (verb === 'set' && /^set\s+(?:global|persist|@@global|@@persist|password|default\s+role)\b/i.test(cursor.rest)) {
    return [advice('Put the previous value back; only you know it.')];
  }
  if (verb === '' || passing.has(verb)) {
    return verb === 'begin' && cursor.word(1) === 'not' ? [block] : [];
  }
  return ['if', 'case', 'loop', 'while', 'repeat', 'for'].includes(verb) ? [block] : [somebodyKnows];
}

const block = advice('A block: read it and write down what takes each of its effects back.');

function dropCreated(cursor: Cursor): Hints {
  const replaces = cursor.take('or', 'replace');
  takeDefiner(cursor);
  cursor.take('aggregate');
  const isTemporary = cursor.take('temporary');
  if (cursor.take('table')) return dropCreatedTable(cursor, replaces, isTemporary);
  const isIndex = ['index', 'unique', 'fulltext', 'spatial', 'vector'].includes(cursor.word() ?? '');
  if (isIndex && cursor.word(1) !== 'reference') return dropCreatedIndex(cursor, replaces);
  const kind = takeNamedKind(cursor);
  if (kind === undefined) return [somebodyKnows];
  const lines: string[] = [];
  if (replaces) {
    lines.push(advice('OR REPLACE: if it existed before, put its previous definition back instead of dropping it.'));
  }
  if (cursor.take('if', 'not', 'exists')) {
    lines.push(advice('IF NOT EXISTS: drop it only if this migration really created it.'));
  }
  if (kind === 'DATABASE') lines.push(advice('Everything in it goes with it.'));
  const names: string[] = [];
  do {
    names.push(takeNameText(cursor, kind));
    // IDENTIFIED BY … belongs to this one.
    if (kind === 'USER') cursor.takeBeforeSign(',');
  } while ((kind === 'USER' || kind === 'ROLE') && cursor.takeSign(','));
  return [...lines, `DROP ${kind} ${names.join(', ')};`];
}

function takeNamedKind(cursor: Cursor): string | undefined {
  if (cursor.takeOneOf('database', 'schema') !== undefined) return 'DATABASE';
  return cursor.take('sequence') ? 'SEQUENCE' : takeKind(cursor)?.toUpperCase();
}

function takeNameText(cursor: Cursor, kind: string): string {
  if (kind === 'USER' || kind === 'ROLE') return accountText(cursor.takeAccount() ?? '…');
  return kind === 'SPATIAL REFERENCE SYSTEM' ? cursor.source() : nameText(cursor.takeRef(kind));
}

function recreate(cursor: Cursor): Hints {
  if (cursor.take('prepare')) return [];
  cursor.take('temporary');
  if (cursor.takeOneOf('table', 'tables') !== undefined) return recreateTables(cursor);
  if (cursor.take('index')) return recreateIndex(cursor);
  const kind = takeNamedKind(cursor);
  if (kind === undefined) return [somebodyKnows];
  cursor.take('if', 'exists');
  const rows = kind === 'DATABASE' ? ' Its tables and rows come only from a backup.' : '';
  const hints: string[] = [];
  do {
    hints.unshift(advice(`CREATE ${kind} ${takeNameText(cursor, kind)} … (previous definition);${rows}`));
  } while (cursor.takeSign(','));
  return hints;
}

function alterBack(cursor: Cursor): Hints {
  takeDefiner(cursor);
  cursor.takeAll('online', 'offline', 'ignore');
  if (cursor.word() === 'table') return alterTableBack(cursor);
  const kind = takeNamedKind(cursor);
  if (kind === undefined) return [somebodyKnows];
  cursor.take('if', 'exists');
  const name = takeNameText(cursor, kind);
  if (kind === 'EVENT') {
    if (cursor.word() === 'enable') return [`ALTER EVENT ${name} DISABLE;`];
    if (cursor.word() === 'disable') return [`ALTER EVENT ${name} ENABLE;`];
    if (cursor.take('rename', 'to')) {
      return [`ALTER EVENT ${nameText(cursor.takeRef('event'))} RENAME TO ${name};`];
    }
  }
  return [advice(`ALTER ${kind} ${name} … (as it was before);`)];
}

function renameBack(cursor: Cursor): Hints {
  if (cursor.takeOneOf('table', 'tables') !== undefined) return renameTablesBack(cursor);
  if (!cursor.take('user')) return [somebodyKnows];
  const pairs: string[] = [];
  do {
    const from = accountText(cursor.takeAccount() ?? '…');
    cursor.take('to');
    pairs.unshift(`${accountText(cursor.takeAccount() ?? '…')} TO ${from}`);
  } while (cursor.takeSign(','));
  return [`RENAME USER ${pairs.join(', ')};`];
}

function loadBack(cursor: Cursor): Hints {
  if (cursor.word(1) === 'index') return [];
  cursor.takeBefore('into');
  cursor.take('into', 'table');
  return [advice(`DELETE FROM ${nameText(cursor.takeRef('table'))} WHERE … (the rows that LOAD added);`)];
}
