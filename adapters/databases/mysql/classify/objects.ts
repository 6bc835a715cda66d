import type { ObjectRef } from '../../../../src/risk/change.js';
import { alterTable, createIndex, createTable, dropIndexOn } from './alter-table.js';
import type { Cursor } from './cursor.js';
import type { ImpactCollector } from './impact.js';
import { readTables } from './queries.js';

/** CREATE, behind that word. False: what it creates is not known here. */
export function create(cursor: Cursor, impact: ImpactCollector): boolean {
  const replaces = cursor.take('or', 'replace');
  takeDefiner(cursor);
  cursor.take('aggregate');
  if (cursor.take('temporary')) return createTemporary(cursor, replaces, impact);
  switch (cursor.word()) {
    case 'table':
      cursor.skip();
      createTable(cursor, replaces, impact);
      return true;
    case 'unique':
    case 'fulltext':
    case 'spatial':
    case 'vector':
    case 'index':
      if (cursor.word() === 'spatial' && cursor.word(1) === 'reference') break;
      createIndex(cursor, replaces, impact);
      return true;
    case 'database':
    case 'schema':
      cursor.skip();
      cursor.take('if', 'not', 'exists');
      impact.change(...(replaces ? (['drop-schema', 'create-schema'] as const) : (['create-schema'] as const)));
      if (replaces) impact.lose('yes');
      impact.object(cursor.takeRef('schema'));
      return true;
    case 'sequence':
      cursor.skip();
      cursor.take('if', 'not', 'exists');
      impact.change('sequence');
      if (replaces) impact.lose('maybe');
      impact.object(cursor.takeRef('sequence'));
      return true;
    default:
  }
  const kind = takeKind(cursor);
  if (kind === undefined) return false;
  cursor.take('if', 'not', 'exists');
  impact.change(replaces ? 'replace-object' : 'create-object');
  for (const ref of takeRefs(cursor, kind)) {
    impact.object(ref);
    if (replaces && isLocked(kind)) impact.lock('EXCLUSIVE', ref);
  }
  if (kind === 'trigger') {
    cursor.takeBefore('on');
    cursor.take('on');
    impact.lock('EXCLUSIVE', cursor.takeRef('table'));
  }
  if (kind === 'view') {
    cursor.takeGroup();
    readTables(cursor, impact);
  }
  return true;
}

function createTemporary(cursor: Cursor, replaces: boolean, impact: ImpactCollector): boolean {
  if (cursor.take('table')) {
    createTable(cursor, replaces, impact);
    return true;
  }
  if (!cursor.take('sequence')) return false;
  cursor.take('if', 'not', 'exists');
  impact.change('sequence');
  impact.object(cursor.takeRef('sequence'));
  return true;
}

/** ALGORITHM = … DEFINER = … SQL SECURITY … before what is created or altered. */
export function takeDefiner(cursor: Cursor): void {
  for (;;) {
    if (cursor.take('algorithm')) {
      cursor.takeSign('=');
      cursor.skip();
    } else if (cursor.take('definer')) {
      cursor.takeSign('=');
      cursor.takeAccount();
    } else if (cursor.take('sql', 'security')) cursor.skip();
    else return;
  }
}

/** Objects without rows, by the words that name their kind. */
const kinds = [
  ['view'],
  ['procedure'],
  ['function'],
  ['package', 'body'],
  ['package'],
  ['trigger'],
  ['event'],
  ['user'],
  ['role'],
  ['server'],
  ['undo', 'tablespace'],
  ['tablespace'],
  ['logfile', 'group'],
  ['resource', 'group'],
  ['spatial', 'reference', 'system'],
  ['library'],
] as const;

export function takeKind(cursor: Cursor): string | undefined {
  return kinds.find((words) => cursor.take(...words))?.join(' ');
}

const accounts: ReadonlySet<string> = new Set(['user', 'role']);

function isLocked(kind: string): boolean {
  return ['view', 'procedure', 'function', 'trigger', 'event', 'package', 'package body'].includes(kind);
}

/** The names behind a kind, of which most statements have one. */
function takeRefs(cursor: Cursor, kind: string): readonly ObjectRef[] {
  const refs: ObjectRef[] = [];
  do {
    if (accounts.has(kind)) {
      const name = cursor.takeAccount();
      if (name !== undefined) refs.push({ kind, name });
      // IDENTIFIED BY … belongs to this one.
      cursor.takeBeforeSign(',');
    } else if (kind === 'spatial reference system') {
      refs.push({ kind, name: cursor.source() });
      cursor.skip();
    } else {
      const ref = cursor.takeRef(kind);
      if (ref !== undefined) refs.push(ref);
    }
  } while (cursor.takeSign(','));
  return refs;
}

/** DROP, behind that word. */
export function drop(cursor: Cursor, impact: ImpactCollector): boolean {
  const isTemporary = cursor.take('temporary');
  if (cursor.takeOneOf('table', 'tables') !== undefined) {
    cursor.take('if', 'exists');
    // A temporary table would end with the session.
    impact.change(isTemporary ? 'session-setting' : 'drop-table');
    if (!isTemporary) impact.lose('yes');
    for (const ref of takeRefs(cursor, 'table')) {
      if (isTemporary) impact.object(ref);
      else {
        impact.drop(ref);
        impact.lock('EXCLUSIVE', ref);
      }
    }
    return true;
  }
  if (cursor.take('sequence')) {
    cursor.take('if', 'exists');
    impact.change('sequence');
    impact.lose('maybe');
    for (const ref of takeRefs(cursor, 'sequence')) {
      impact.drop(ref);
      impact.lock('EXCLUSIVE', ref);
    }
    return true;
  }
  if (cursor.take('index')) {
    dropIndexOn(cursor, impact);
    return true;
  }
  if (cursor.takeOneOf('database', 'schema') !== undefined) {
    cursor.take('if', 'exists');
    const ref = cursor.takeRef('schema');
    impact.change('drop-schema');
    impact.lose('yes');
    impact.drop(ref);
    impact.lock('EXCLUSIVE', ref);
    return true;
  }
  if (cursor.take('prepare')) {
    impact.change('session-setting');
    return true;
  }
  const kind = takeKind(cursor);
  if (kind === undefined) return false;
  cursor.take('if', 'exists');
  impact.change('drop-object');
  for (const ref of takeRefs(cursor, kind)) {
    impact.drop(ref);
    if (isLocked(kind)) impact.lock('EXCLUSIVE', ref);
  }
  return true;
}

/** ALTER, behind that word. */
export function alter(cursor: Cursor, impact: ImpactCollector): boolean {
  takeDefiner(cursor);
  cursor.takeAll('online', 'offline', 'ignore');
  if (cursor.word() === 'table') {
    alterTable(cursor, impact);
    return true;
  }
  if (cursor.takeOneOf('database', 'schema') !== undefined) {
    impact.change('change-default');
    if (
      !['character', 'charset', 'collate', 'default', 'comment', 'upgrade', 'encryption', 'read'].includes(
        cursor.word() ?? '',
      )
    ) {
      impact.object(cursor.takeRef('schema'));
    }
    return true;
  }
  if (cursor.take('sequence')) {
    cursor.take('if', 'exists');
    const ref = cursor.takeRef('sequence');
    impact.change('sequence');
    impact.lose('maybe');
    impact.object(ref);
    impact.lock('EXCLUSIVE', ref);
    return true;
  }
  if (cursor.take('instance')) {
    impact.change('server-setting');
    return true;
  }
  const kind = takeKind(cursor);
  if (kind === undefined) return false;
  cursor.take('if', 'exists');
  for (const ref of takeRefs(cursor, kind)) {
    impact.object(ref);
    if (isLocked(kind)) impact.lock('EXCLUSIVE', ref);
  }
  classifyAlter(kind, cursor, impact);
  return true;
}

function classifyAlter(kind: string, cursor: Cursor, impact: ImpactCollector): void {
  switch (kind) {
    case 'user':
    case 'role':
      impact.change('privilege');
      return;
    case 'tablespace':
    case 'undo tablespace':
    case 'logfile group':
      impact.change(cursor.has('rename', 'to') ? 'rename' : 'storage');
      return;
    case 'resource group':
      impact.change('server-setting');
      return;
    case 'event':
      classifyAlterEvent(cursor, impact);
      return;
    default:
      impact.change('replace-object');
      if (kind === 'view') {
        cursor.takeGroup();
        readTables(cursor, impact);
      }
  }
}

function classifyAlterEvent(cursor: Cursor, impact: ImpactCollector): void {
  const onlySwitches = cursor.word() === 'enable' || cursor.word() === 'disable';
  if (onlySwitches) {
    impact.change('trigger-state');
    return;
  }
  if (cursor.copy().take('rename', 'to')) {
    impact.change('rename');
    cursor.take('rename', 'to');
    impact.object(cursor.takeRef('event'));
    return;
  }
  impact.change('replace-object');
}

/** RENAME TABLE a TO b, c TO d, and RENAME USER; behind the word RENAME. */
export function rename(cursor: Cursor, impact: ImpactCollector): boolean {
  impact.change('rename');
  const isUser = cursor.take('user');
  if (!isUser && cursor.takeOneOf('table', 'tables') === undefined) return false;
  cursor.take('if', 'exists');
  const take = (): ObjectRef | undefined => {
    if (!isUser) return cursor.takeRef('table');
    const name = cursor.takeAccount();
    return name === undefined ? undefined : { kind: 'user', name };
  };
  do {
    const from = take();
    // WAIT n and NOWAIT of MariaDB.
    cursor.takeBefore('to');
    cursor.take('to');
    for (const ref of [from, take()]) {
      impact.object(ref);
      if (!isUser) impact.lock('EXCLUSIVE', ref);
    }
  } while (cursor.takeSign(','));
  return true;
}
