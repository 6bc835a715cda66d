import type { SqlDialect, Token } from '../../../src/adapter/database.js';
import { splitScript, tokenizeStatement } from './lexer.js';
import { quoteIdentifier, quoteLiteral } from './quoting.js';

/** PostgreSQL's way to split scripts, to read tokens and to quote. Needs no connection and no parser. */
export const postgresqlDialect: SqlDialect = {
  split: splitScript,
  tokenize: tokenizeStatement,
  notTransactional,
  quoteIdentifier,
  quoteLiteral,
};

const candidates = /^(?:alter|cluster|create|discard|drop|reindex|vacuum)\b/i;

/**
 * Statements that PostgreSQL refuses inside a transaction block, by their key words: Flyway's own list, and
 * those that it leaves out (REINDEX … CONCURRENTLY, DETACH PARTITION … CONCURRENTLY, bare CLUSTER, …).
 */
function notTransactional(statement: string): string | undefined {
  if (!candidates.test(statement)) return undefined;
  const words = tokenizeStatement(statement, 64);
  const [first, second, third] = words.map(wordOf);
  switch (first) {
    case 'vacuum':
      return 'VACUUM';
    case 'cluster':
      return words.length === 1 || (words.length === 2 && second === 'verbose') ? 'CLUSTER without a table' : undefined;
    case 'discard':
      return second === 'all' ? 'DISCARD ALL' : undefined;
    case 'reindex':
      return reindex(words);
    case 'create':
    case 'drop':
      if (second === 'database' || second === 'tablespace' || second === 'subscription') {
        return `${first} ${second}`.toUpperCase();
      }
      if (second === 'index' && third === 'concurrently') return `${first} index concurrently`.toUpperCase();
      if (first === 'create' && second === 'unique' && third === 'index' && wordOf(words[3]) === 'concurrently') {
        return 'CREATE UNIQUE INDEX CONCURRENTLY';
      }
      return undefined;
    default:
      return alter(words);
  }
}

function wordOf(token: Token | undefined): string | undefined {
  return token?.kind === 'word' ? token.value : undefined;
}

function reindex(words: readonly Token[]): string | undefined {
  const list = words.map(wordOf);
  // REINDEX [(options)] kind [CONCURRENTLY] name; the option list may say CONCURRENTLY too, also (CONCURRENTLY false).
  const close = words[1]?.value === '(' ? words.findIndex((token) => token.kind === 'sign' && token.value === ')') : 0;
  const option = list.slice(1, close + 1).indexOf('concurrently');
  const kind = list[close + 1];
  if (kind === 'schema' || kind === 'database' || kind === 'system') return `REINDEX ${kind.toUpperCase()}`;
  const off = option !== -1 && /^(?:false|off|0)$/i.test(words[option + 2]?.value ?? '');
  const on = (option !== -1 && !off) || list[close + 2] === 'concurrently';
  return on ? 'REINDEX CONCURRENTLY' : undefined;
}

function alter(words: readonly Token[]): string | undefined {
  const list = words.map(wordOf);
  switch (list[1]) {
    case 'system':
      return 'ALTER SYSTEM';
    case 'database':
      return list[3] === 'set' && list[4] === 'tablespace' ? 'ALTER DATABASE … SET TABLESPACE' : undefined;
    case 'subscription':
      return list[3] === 'refresh' ? 'ALTER SUBSCRIPTION … REFRESH' : undefined;
    case 'table': {
      const detach = list.indexOf('detach');
      return detach !== -1 && list[detach + 1] === 'partition' && list.at(-1) === 'concurrently'
        ? 'DETACH PARTITION … CONCURRENTLY'
        : undefined;
    }
    default:
      return undefined;
  }
}
