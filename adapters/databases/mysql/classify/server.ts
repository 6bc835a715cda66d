import type { Cursor } from './cursor.js';
import type { ImpactCollector } from './impact.js';

/** SET in all its forms but SET STATEMENT, behind the word SET. */
export function set(cursor: Cursor, impact: ImpactCollector): void {
  if (cursor.take('password') || cursor.take('default', 'role')) {
    impact.change('privilege');
    return;
  }
  if (cursor.word() === 'transaction' || cursor.word(1) === 'transaction') {
    impact.change(cursor.word() === 'global' ? 'server-setting' : 'session-setting');
    return;
  }
  if (cursor.word() === 'resource' && cursor.word(1) === 'group') {
    impact.change('session-setting');
    return;
  }
  let scope = '';
  for (const part of cursor.takeList()) {
    // A scope holds for what follows it in the list too, until another is named.
    const word = part.takeOneOf('global', 'session', 'local', 'persist', 'persist_only');
    if (word !== undefined) scope = word;
    let own = scope;
    if (part.takeSign('@')) {
      if (!part.takeSign('@')) {
        impact.change('session-setting');
        continue;
      }
      own = part.isSign('.', 1) ? (part.word() ?? '') : 'session';
      if (part.isSign('.', 1)) part.skip(2);
    }
    const isServer = own === 'global' || own === 'persist' || own === 'persist_only';
    impact.change(isServer ? 'server-setting' : 'session-setting');
    const name = part.takeName();
    // SET NAMES utf8mb4 and SET ROLE r set no variable of that name.
    if (name !== undefined && (part.isSign('=') || part.isSign(':'))) impact.object({ kind: 'setting', name });
    if (!isServer && name?.toLowerCase() === 'autocommit') impact.change('transaction-control');
  }
}

/** LOCK TABLES t READ, u AS x WRITE; behind the word LOCK. */
export function lock(cursor: Cursor, impact: ImpactCollector): void {
  impact.change('session-setting');
  if (cursor.takeOneOf('tables', 'table') === undefined) return;
  for (const part of cursor.takeList()) {
    const table = part.takeRef('table');
    impact.lock(part.mentions('write') ? 'SHARED NO READ WRITE' : 'SHARED READ ONLY', table);
  }
}

/** ANALYZE, CHECK, CHECKSUM, OPTIMIZE, REPAIR TABLE; from their verb on. */
export function maintain(cursor: Cursor, impact: ImpactCollector): boolean {
  const verb = cursor.word();
  cursor.skip();
  cursor.takeAll('no_write_to_binlog', 'local');
  if (cursor.takeOneOf('table', 'tables', 'view') === undefined) return false;
  impact.change('maintenance');
  do {
    const table = cursor.takeRef('table');
    impact.object(table);
    impact.lock(verb === 'repair' ? 'EXCLUSIVE' : verb === 'optimize' ? 'EXCLUSIVE' : 'SHARED READ', table);
  } while (cursor.takeSign(','));
  if (verb === 'optimize') {
    // For InnoDB: ALTER TABLE … FORCE, and ANALYZE (MySQL manual, "OPTIMIZE TABLE Statement").
    impact.work('rewrite');
    impact.online({ algorithm: 'INPLACE', lock: 'NONE', isCertain: true });
  } else if (verb === 'repair') {
    impact.work('rewrite');
  } else if (verb !== 'analyze') {
    impact.work('scan');
  }
  return true;
}
