import type { Token } from '../../../src/adapter/database.js';
import type { QuoteModes } from './scan.js';
import { tokenizeStatement } from './lexer.js';

/** Statements that begin with these words never commit; anything else is looked at. */
const plain = /^\s*(?:select|insert|update|delete|replace|show|do|call|with|values|explain|describe|desc|use)\b/i;

/** Statements of which every form commits, by their first word. */
const always: Readonly<Record<string, string>> = {
  alter: 'ALTER',
  cache: 'CACHE INDEX',
  grant: 'GRANT',
  install: 'INSTALL',
  optimize: 'OPTIMIZE TABLE',
  rename: 'RENAME',
  repair: 'REPAIR TABLE',
  revoke: 'REVOKE',
  truncate: 'TRUNCATE',
  uninstall: 'UNINSTALL',
};

/**
 * The words by which a statement is known that commits the open transaction, whether it succeeds or not, else undefined.
 * Sources: MySQL 8.4 manual, "Statements That Cause an Implicit Commit"; MariaDB documentation, "SQL statements That Cause
 * an Implicit Commit"; a test holds it to MariaDB itself. What only the catalog tells (a procedure, a prepared statement) is
 * taken not to commit; of a compound statement any part counts. Where the two servers differ, it commits. The explicit COMMIT
 * and ROLLBACK are not meant.
 */
export function notTransactional(statement: string, modes: QuoteModes = {}): string | undefined {
  if (plain.test(statement)) return undefined;
  return commits(tokenizeStatement(statement, Number.POSITIVE_INFINITY, modes), 0, modes);
}

/** Key words of a statement from one token on; what is quoted is no key word. */
function reader(tokens: readonly Token[], first: number): (index: number) => string | undefined {
  return (index) => {
    const token = tokens[first + index];
    return token?.kind === 'word' ? token.value : undefined;
  };
}

function commits(tokens: readonly Token[], first: number, modes: QuoteModes): string | undefined {
  const word = reader(tokens, first);
  const verb = word(0);
  const second = word(1);
  if (verb === undefined) return undefined;
  if (Object.hasOwn(always, verb)) {
    const name = always[verb] ?? verb.toUpperCase();
    return verb === 'alter' || verb === 'rename' ? `${name} ${kindOf(word, 1).toUpperCase()}`.trim() : name;
  }
  switch (verb) {
    case 'create':
    case 'drop':
      return createOrDrop(verb, tokens, first);
    case 'analyze':
    case 'check':
      return tableWord(word) ? `${verb.toUpperCase()} TABLE` : undefined;
    case 'flush':
      return 'FLUSH';
    case 'reset':
      return second === 'persist' ? undefined : `RESET ${(second ?? '').toUpperCase()}`.trim();
    case 'load':
      return second === 'index' ? 'LOAD INDEX' : undefined;
    case 'lock':
    case 'unlock':
      return second === 'tables' || second === 'table' ? `${verb.toUpperCase()} TABLES` : undefined;
    case 'begin':
      return second === 'not' ? inside(tokens, first + 1, modes) : 'BEGIN';
    case 'start':
      return second === 'transaction' || second === 'slave' || second === 'replica'
        ? `START ${second.toUpperCase()}`
        : undefined;
    case 'stop':
      return second === 'slave' || second === 'replica' ? `STOP ${second.toUpperCase()}` : undefined;
    case 'change':
      return second === 'master' || second === 'replication' ? `CHANGE ${second.toUpperCase()}` : undefined;
    case 'import':
      return second === 'table' ? 'IMPORT TABLE' : undefined;
    case 'set':
      return set(tokens, first, modes);
    case 'execute':
      return executeImmediate(tokens, first, modes);
    case 'if':
    case 'case':
    case 'loop':
    case 'while':
    case 'repeat':
    case 'for':
      return inside(tokens, first + 1, modes);
    default:
      return undefined;
  }
}

function tableWord(word: (index: number) => string | undefined): boolean {
  const behindOption = word(1) === 'local' || word(1) === 'no_write_to_binlog' ? word(2) : word(1);
  return behindOption === 'table' || behindOption === 'tables';
}

/** CREATE and DROP TEMPORARY TABLE do not commit, nor does DROP TEMPORARY SEQUENCE; creating one does. */
function createOrDrop(verb: 'create' | 'drop', tokens: readonly Token[], first: number): string | undefined {
  const word = reader(tokens, first);
  const replaces = verb === 'create' && word(1) === 'or' && word(2) === 'replace' ? 2 : 0;
  const kind = word(1 + replaces);
  if (kind === 'temporary' && (verb === 'drop' || word(2 + replaces) === 'table')) return undefined;
  if (verb === 'drop' && kind === 'prepare') return undefined;
  return `${verb.toUpperCase()} ${kindOf(word, 1 + replaces).toUpperCase()}`.trim();
}

const kinds = new Set(
  (
    'table view index database schema procedure function package trigger event user role server sequence tablespace logfile ' +
    'instance resource library'
  ).split(' '),
);

/** What is created or altered: DEFINER = …, ALGORITHM = …, UNIQUE and the like may stand before it. */
function kindOf(word: (index: number) => string | undefined, first: number): string {
  const ahead = Array.from({ length: 16 }, (_, index) => word(first + index) ?? '');
  return ahead.find((each) => kinds.has(each)) ?? ahead[0] ?? '';
}

function set(tokens: readonly Token[], first: number, modes: QuoteModes): string | undefined {
  const word = reader(tokens, first);
  if (word(1) === 'password') return 'SET PASSWORD';
  if (word(1) === 'default' && word(2) === 'role') return 'SET DEFAULT ROLE';
  if (word(1) === 'statement') {
    const end = tokens.findIndex((token, at) => at > first && token.kind === 'word' && token.value === 'for');
    return end === -1 ? undefined : commits(tokens, end + 1, modes);
  }
  for (let at = first + 1; at < tokens.length; at++) {
    const token = tokens[at];
    if ((token?.kind !== 'word' && token?.kind !== 'name') || token.value.toLowerCase() !== 'autocommit') continue;
    // SET autocommit = 1, := 1, = ON, = TRUE, = DEFAULT; not @autocommit, which is a variable of the user's.
    if (isSign(tokens[at - 1], '@') && !isSign(tokens[at - 2], '@')) continue;
    const value = tokens.slice(at + 1, at + 4).find((next) => next.kind !== 'sign');
    if (value !== undefined && !/^(?:0|off|false)$/i.test(value.value)) return 'SET autocommit';
  }
  return undefined;
}

function isSign(token: Token | undefined, sign: string): boolean {
  return token?.kind === 'sign' && token.value === sign;
}

function executeImmediate(tokens: readonly Token[], first: number, modes: QuoteModes): string | undefined {
  const text = tokens[first + 2];
  if (reader(tokens, first)(1) !== 'immediate' || text?.kind !== 'string') return undefined;
  return notTransactional(text.value, modes);
}

const beforeStatement = new Set(['then', 'else', 'do', 'loop', 'repeat', 'begin', 'atomic']);

/** The first statement inside a compound one that commits. */
function inside(tokens: readonly Token[], first: number, modes: QuoteModes): string | undefined {
  for (let at = first; at < tokens.length; at++) {
    const before = tokens[at - 1];
    const starts = isSign(before, ';') || (before?.kind === 'word' && beforeStatement.has(before.value));
    // BEGIN opens a block here, and a block alone commits nothing; what it holds is met later.
    const token = tokens[at];
    if (!starts || (token?.kind === 'word' && token.value === 'begin')) continue;
    const words = commits(tokens, at, modes);
    if (words !== undefined) return words;
  }
  return undefined;
}
