import type { SqlDialect, Token } from '../adapter/database.js';
import { mysqlRoleOf } from './mysql-statement-roles.js';
import type { Statement } from './statement.js';

/** What a statement is to a rollback script, judged by its key words alone. */
export type StatementRole =
  | { readonly kind: 'begin'; readonly modes: boolean }
  | { readonly kind: 'commit' | 'rollback' | 'replica-on' | 'replica-off' }
  /** Would end, nest or change the transaction in a way that has no place in a rollback script. */
  | { readonly kind: 'refused'; readonly words: string; readonly remedy: string }
  | { readonly kind: 'strings-off' }
  | { readonly kind: 'query'; readonly selectsStar: boolean; readonly ordered: boolean; readonly mayAct: boolean }
  /** Changes the session only. */
  | { readonly kind: 'setting' }
  | { readonly kind: 'effect' };

const firstWord = /^[A-Za-z]+|^\(/;
const effect: StatementRole = { kind: 'effect' };
const setting: StatementRole = { kind: 'setting' };

/** Judges one statement. Most are settled by their first word, without reading on. */
export function roleOf(statement: Statement, dialect: SqlDialect): StatementRole {
  const first = firstWord.exec(statement.text)?.[0].toLowerCase() ?? hiddenWord(statement, dialect);
  if (first !== undefined && dialect.ddl === 'commits') {
    const role = mysqlRoleOf(first, statement.text, dialect);
    if (role !== undefined) return role;
  }
  const words = (): readonly (string | undefined)[] =>
    dialect.tokenize(statement.text, 16).map((token) => (token.kind === 'word' ? token.value : undefined));
  switch (first) {
    case 'begin':
    case 'start': {
      const list = words();
      if (first === 'start' && list[1] !== 'transaction') return effect;
      return { kind: 'begin', modes: list.slice(1).some((word) => word !== 'work' && word !== 'transaction') };
    }
    case 'commit':
    case 'end':
    case 'rollback':
    case 'abort':
      return endOf(first, words());
    case 'prepare':
      return words()[1] === 'transaction'
        ? refused('PREPARE TRANSACTION', 'Remove it: flyback commits the script, the history and its record together.')
        : effect;
    case 'discard':
      return words()[1] === 'all'
        ? refused('DISCARD ALL', "Remove it: it would let go of the lock that keeps the migration tool's runs out.")
        : effect;
    case 'savepoint':
    case 'release':
    case 'show':
    case 'listen':
    case 'unlisten':
      return setting;
    case 'set':
    case 'reset':
      return settingOf(dialect.tokenize(statement.text, 16));
    case 'select':
    case 'values':
    case 'table':
    case 'with':
    case '(':
      return queryOf(dialect.tokenize(statement.text));
    default:
      return effect;
  }
}

/** The first word of what a comment for some servers only holds. */
function hiddenWord(statement: Statement, dialect: SqlDialect): string | undefined {
  const [token] = dialect.tokenize(statement.text, 1);
  return token?.kind === 'word' ? token.value : undefined;
}

function refused(words: string, remedy: string): StatementRole {
  return { kind: 'refused', words, remedy };
}

function endOf(first: string, words: readonly (string | undefined)[]): StatementRole {
  const upper = first.toUpperCase();
  if (words[1] === 'prepared') {
    return refused(`${upper} PREPARED`, 'Finish prepared transactions apart from the rollback.');
  }
  const chain = words.indexOf('chain');
  if (chain !== -1 && words[chain - 1] !== 'no') {
    return refused(`${upper} AND CHAIN`, 'Remove it: a rollback is one transaction.');
  }
  if (first === 'commit' || first === 'end') return { kind: 'commit' };
  // Statements are sent without waiting for the answers of those before. Once one failed, the server refuses the rest,
  // and that is what makes "all or nothing" true; ROLLBACK TO would revive the transaction behind a failed statement.
  return words.includes('to')
    ? refused('ROLLBACK TO', 'Remove it: a failed statement must stop the whole rollback.')
    : { kind: 'rollback' };
}

const transactionSettings = new Set(['transaction_isolation', 'transaction_read_only', 'transaction_deferrable']);

function settingOf(tokens: readonly Token[]): StatementRole {
  const scoped = tokens[1]?.value === 'local' || tokens[1]?.value === 'session';
  const name = tokens[scoped ? 2 : 1]?.value;
  if (name === 'transaction' || name === 'characteristics' || (name !== undefined && transactionSettings.has(name))) {
    const remedy = 'Remove it: the transaction is already open when the script runs.';
    return refused(name === 'characteristics' ? 'SET SESSION CHARACTERISTICS' : 'SET TRANSACTION', remedy);
  }
  const value = tokens[scoped ? 4 : 3]?.value.toLowerCase();
  if (name === 'session_replication_role') {
    return { kind: tokens[0]?.value === 'set' && value === 'replica' ? 'replica-on' : 'replica-off' };
  }
  if (
    name === 'standard_conforming_strings' &&
    tokens[0]?.value === 'set' &&
    /^(?:off?|f(?:a|al|als|alse)?|no?|0)$/.test(value ?? '')
  ) {
    return { kind: 'strings-off' };
  }
  return setting;
}

/** SELECT … INTO and WITH … DELETE act; a SELECT without FROM that calls a function may act. */
function queryOf(tokens: readonly Token[]): StatementRole {
  let depth = 0;
  let selectsStar = false;
  let ordered = false;
  let from = false;
  let calls = false;
  const writes = tokens[0]?.value === 'with';
  for (const [index, token] of tokens.entries()) {
    const before = tokens[index - 1];
    if (token.kind === 'sign') {
      if (token.value === '(') {
        depth++;
        calls ||= index > 1 && before !== undefined && isCalled(before);
      } else if (token.value === ')') {
        depth--;
      } else if (token.value === '*' && depth === 0 && before !== undefined && beforeStar.has(before.value)) {
        selectsStar ||= !from;
      }
    } else if (token.kind === 'word') {
      if (depth === 0 && token.value === 'into') return effect;
      if (depth === 0 && token.value === 'from') from = true;
      if (depth === 0 && token.value === 'by' && before?.value === 'order') ordered = true;
      if (writes && dataChanging(tokens, index)) return effect;
    }
  }
  return { kind: 'query', selectsStar: selectsStar || tokens[0]?.value === 'table', ordered, mayAct: calls && !from };
}

/** Words before a parenthesis that call nothing which could act. */
const harmless = new Set([
  'exists',
  'in',
  'and',
  'or',
  'not',
  'any',
  'all',
  'some',
  'count',
  'array',
  'row',
  'cast',
  'as',
]);

function isCalled(before: Token): boolean {
  return before.kind === 'name' || (before.kind === 'word' && !harmless.has(before.value));
}

const beforeStar = new Set(['select', ',', '.', 'distinct', 'all']);

function dataChanging(tokens: readonly Token[], index: number): boolean {
  const next = tokens[index + 1]?.value;
  switch (tokens[index]?.value) {
    case 'insert':
    case 'merge':
      return next === 'into';
    case 'delete':
      return next === 'from';
    case 'update': {
      const before = tokens[index - 1]?.value;
      return before === '(' || before === ')';
    }
    default:
      return false;
  }
}
