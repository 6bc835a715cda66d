import type { SqlDialect } from '../../../src/adapter/database.js';
import { splitScript, tokenizeStatement } from './lexer.js';
import { notTransactional } from './not-transactional.js';
import { quoteIdentifier, quoteLiteral } from './quoting.js';

/** PostgreSQL's way to split scripts, to read tokens and to quote. Needs no connection and no parser. */
export const postgresqlDialect: SqlDialect = {
  split: splitScript,
  tokenize: tokenizeStatement,
  ddl: 'transactional',
  notTransactional,
  quoteIdentifier,
  quoteLiteral,
};
