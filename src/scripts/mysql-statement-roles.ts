import type { SqlDialect, Token } from '../adapter/database.js';
import type { StatementRole } from './statement-roles.js';

const effect: StatementRole = { kind: 'effect' };
const setting: StatementRole = { kind: 'setting' };

/** What a statement means to MySQL and MariaDB only, or otherwise than to PostgreSQL; undefined: the same as anywhere. */
export function mysqlRoleOf(first: string, text: string, dialect: SqlDialect): StatementRole | undefined {
  const word = (at: number): string | undefined => wordOf(dialect.tokenize(text, at + 1)[at]);
  switch (first) {
    case 'begin':
      // A block of statements.
      return word(1) === 'not' ? effect : undefined;
    case 'commit':
    case 'rollback':
      return releases(dialect.tokenize(text, 8))
        ? refused(
            `${first.toUpperCase()} RELEASE`,
            'Remove it: it would end the connection in the middle of the rollback.',
          )
        : undefined;
    case 'xa':
      return refused('XA', 'Finish distributed transactions apart from the rollback.');
    case 'lock':
    case 'unlock':
      return word(1) === 'tables' || word(1) === 'table'
        ? refused(
            `${first.toUpperCase()} TABLES`,
            'Remove it: it commits, and while it holds, the history and the record cannot be written.',
          )
        : undefined;
    case 'set':
      return settingOf(dialect.tokenize(text));
    case 'use':
    case 'describe':
    case 'desc':
    case 'help':
      return setting;
    case 'end':
    case 'abort':
    case 'discard':
    case 'listen':
    case 'unlisten':
    case 'reset':
      return effect;
    case 'select':
    case 'with':
      return queryOf(first, dialect.tokenize(text));
    default:
      return undefined;
  }
}

function wordOf(token: Token | undefined): string | undefined {
  return token?.kind === 'word' ? token.value : undefined;
}

function isSign(token: Token | undefined, sign: string): boolean {
  return token?.kind === 'sign' && token.value === sign;
}

function refused(words: string, remedy: string): StatementRole {
  return { kind: 'refused', words, remedy };
}

function releases(tokens: readonly Token[]): boolean {
  const at = tokens.findIndex((token) => wordOf(token) === 'release');
  // ROLLBACK TO release names a savepoint, and has its own remedy.
  return at !== -1 && wordOf(tokens[at - 1]) !== 'no' && !tokens.some((token) => wordOf(token) === 'to');
}

const scopes = new Set(['session', 'local', 'global', 'persist', 'persist_only']);
const serverScopes = new Set(['global', 'persist', 'persist_only']);
const transactionVariables = new Set([
  'transaction_isolation',
  'transaction_read_only',
  'tx_isolation',
  'tx_read_only',
  'completion_type',
]);
/** Modes, and names of several together, under which quotes or backslashes are read otherwise (MySQL and MariaDB manuals, sql_mode). */
const readingModes = /\b(?:ANSI_QUOTES|NO_BACKSLASH_ESCAPES|ANSI|DB2|MAXDB|MSSQL|ORACLE|POSTGRESQL)\b/i;

function settingOf(tokens: readonly Token[]): StatementRole {
  const [, second, third] = tokens.map(wordOf);
  if (second === 'password' || (second === 'default' && third === 'role')) return effect;
  // SET STATEMENT variable = value FOR statement.
  if (second === 'statement' && tokens.some((token) => wordOf(token) === 'for')) return effect;
  let role = setting;
  let scope = 'session';
  for (const assignment of assignments(tokens.slice(1))) {
    const read = readTarget(assignment, scope);
    if (read === undefined) continue;
    scope = read.scope;
    if (serverScopes.has(read.own)) {
      role = effect;
    } else if (read.name === 'transaction' || transactionVariables.has(read.name)) {
      return refused('SET TRANSACTION', 'Remove it: the transaction is already open when the script runs.');
    } else if (read.name === 'autocommit') {
      return refused('SET autocommit', 'Remove it: flyback opens and commits the transactions itself.');
    } else if (read.name === 'sql_mode' && assignment.some(({ value }) => readingModes.test(value))) {
      return { kind: 'strings-off' };
    }
  }
  return role;
}

function assignments(tokens: readonly Token[]): readonly (readonly Token[])[] {
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (isSign(token, '(')) depth++;
    if (isSign(token, ')')) depth--;
    if (depth === 0 && isSign(token, ',')) parts.push([]);
    else parts.at(-1)?.push(token);
  }
  return parts;
}

/**
 * The variable in lower case, its own scope (@@global.x), and the scope that holds on for those behind it (GLOBAL x); undefined
 * for @x, which is a variable of the user's.
 */
function readTarget(
  assignment: readonly Token[],
  before: string,
): { readonly name: string; readonly own: string; readonly scope: string } | undefined {
  const [first, second, third] = assignment;
  const value = (token: Token | undefined): string =>
    token?.kind === 'sign' ? '' : (token?.value ?? '').toLowerCase();
  if (isSign(first, '@')) {
    if (!isSign(second, '@')) return undefined;
    const isScoped = isSign(assignment[3], '.');
    return { name: value(isScoped ? assignment[4] : third), own: isScoped ? value(third) : 'session', scope: before };
  }
  if (scopes.has(wordOf(first) ?? '') && !isSign(second, '=')) {
    return { name: value(second), own: value(first), scope: value(first) };
  }
  return { name: value(first), own: before, scope: before };
}

/** SELECT … INTO @x sets a variable; WITH … DELETE t FROM … and WITH … UPDATE act. */
function queryOf(first: string, tokens: readonly Token[]): StatementRole | undefined {
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    if (isSign(token, '(')) depth++;
    if (isSign(token, ')')) depth--;
    if (depth !== 0 || token.kind !== 'word') continue;
    if (token.value === 'into' && isSign(tokens[index + 1], '@')) return setting;
    const isVerb = token.value === 'delete' || token.value === 'update';
    if (first === 'with' && isVerb && isSign(tokens[index - 1], ')')) return effect;
  }
  return undefined;
}
