import type { SqlDialect } from '../../../src/adapter/database.js';
import { splitScript, type SplitOptions, tokenizeStatement } from './lexer.js';
import { notTransactional } from './not-transactional.js';
import { quoteIdentifier, quoteLiteral } from './quoting.js';

/** MySQL's and MariaDB's way to split scripts, to read tokens and to quote, under a given sql_mode. Needs no connection. */
export function createMysqlDialect(options: SplitOptions = {}): SqlDialect {
  return {
    split: (text) => splitScript(text, options),
    tokenize: (statement, limit) => tokenizeStatement(statement, limit, options),
    ddl: 'commits',
    notTransactional: (statement) => notTransactional(statement, options),
    quoteIdentifier,
    quoteLiteral,
  };
}

/** For the servers' default sql_mode and scripts as the client reads them. */
export const mysqlDialect = createMysqlDialect();
