import type { ChangeType } from '../../../../src/risk/change.js';
import { tokenizeStatement } from '../lexer.js';
import type { QuoteModes } from '../scan.js';
import { Cursor } from './cursor.js';
import type { ImpactCollector } from './impact.js';
import { alter, create, drop, rename } from './objects.js';
import { insert, load, query, remove, truncate, update, withQueries } from './queries.js';
import { lock, maintain, set } from './server.js';

type Handler = (cursor: Cursor, impact: ImpactCollector, modes: QuoteModes) => void;

/** A handler that does not know the rest of the statement says false; anything may then happen. */
const known =
  (handler: (cursor: Cursor, impact: ImpactCollector) => boolean, skips = true): Handler =>
  (cursor, impact) => {
    if (skips) cursor.skip();
    if (!handler(cursor, impact)) {
      impact.change('other');
      impact.lose('maybe');
    }
  };

/** Without the names of common table expressions, which these take too. */
const on =
  (handler: (cursor: Cursor, impact: ImpactCollector) => void): Handler =>
  (cursor, impact) => {
    handler(cursor, impact);
  };

const only =
  (...changes: readonly ChangeType[]): Handler =>
  (_cursor, impact) => {
    impact.change(...changes);
  };

const transactionControl: Handler = (_cursor, impact) => {
  impact.change('transaction-control');
  impact.controlTransaction();
};

const procedural: Handler = (_cursor, impact) => {
  impact.change('procedural');
  impact.lose('maybe');
};

const session = only('session-setting');
const server = only('server-setting');
const reading = only('query');

/** The change of replication or of the logs: what is thrown away there, no statement brings back. */
const serverFiles: Handler = (_cursor, impact) => {
  impact.change('server-setting');
  impact.lose('maybe');
};

/**
 * Every word that a statement of MySQL 8.0 to 9 or of MariaDB 10.6 to 12 can begin with (the manuals' chapters "SQL Statements").
 */
const handlers: Readonly<Record<string, Handler>> = {
  alter: known(alter),
  analyze: analyze,
  backup: server,
  begin,
  binlog: serverFiles,
  cache: only('maintenance'),
  call: (cursor, impact, modes) => {
    procedural(cursor, impact, modes);
    cursor.skip();
    impact.object(cursor.takeRef('procedure'));
  },
  case: compound,
  change: server,
  check: known(maintain, false),
  checksum: known(maintain, false),
  clone: serverFiles,
  commit: transactionControl,
  create: known(create),
  deallocate: session,
  delete: on(remove),
  desc: reading,
  describe: reading,
  do: (cursor, impact) => {
    cursor.skip();
    query(cursor, impact);
  },
  drop: known(drop),
  execute,
  explain: reading,
  flush: only('maintenance'),
  for: compound,
  get: session,
  grant: only('privilege'),
  handler: reading,
  help: reading,
  if: compound,
  import: only('create-table', 'data-copy'),
  insert,
  install: only('extension'),
  kill: only('other'),
  load: (cursor, impact) => {
    if (cursor.word(1) === 'index') impact.change('maintenance');
    else load(cursor, impact);
  },
  lock: (cursor, impact) => {
    cursor.skip();
    lock(cursor, impact);
  },
  loop: compound,
  optimize: known(maintain, false),
  prepare: session,
  purge: serverFiles,
  release: transactionControl,
  rename: known(rename),
  repair: known(maintain, false),
  repeat: compound,
  replace: insert,
  reset: serverFiles,
  resignal: reading,
  restart: server,
  revoke: only('privilege'),
  rollback: transactionControl,
  savepoint: transactionControl,
  select: on(query),
  set: setOrRun,
  show: reading,
  shutdown: server,
  signal: reading,
  start: (cursor, impact, modes) => {
    (cursor.word(1) === 'transaction' ? transactionControl : server)(cursor, impact, modes);
  },
  stop: server,
  table: on(query),
  truncate,
  uninstall: only('extension'),
  unlock: session,
  update: on(update),
  use: session,
  values: on(query),
  while: compound,
  with: withQueries,
  xa: transactionControl,
};

/** What the statement does that begins here. False: no statement of the two servers begins with this word. */
export function classifyStatement(cursor: Cursor, impact: ImpactCollector, modes: QuoteModes): boolean {
  if (cursor.isSign('(')) {
    query(cursor, impact);
    return true;
  }
  const word = cursor.word();
  // A block may have a label: again: LOOP … END LOOP.
  if (cursor.token()?.kind !== 'sign' && cursor.isSign(':', 1) && word !== undefined) {
    cursor.skip(2);
    return classifyStatement(cursor, impact, modes);
  }
  const handler = word !== undefined && Object.hasOwn(handlers, word) ? handlers[word] : undefined;
  if (handler === undefined) return false;
  handler(cursor, impact, modes);
  return true;
}

/** BEGIN opens a transaction; BEGIN NOT ATOMIC is a block of MariaDB's. */
function begin(cursor: Cursor, impact: ImpactCollector, modes: QuoteModes): void {
  (cursor.word(1) === 'not' ? compound : transactionControl)(cursor, impact, modes);
}

/** MariaDB's ANALYZE UPDATE … and ANALYZE FORMAT = JSON SELECT … run the statement. */
function analyze(cursor: Cursor, impact: ImpactCollector, modes: QuoteModes): void {
  if (maintain(cursor.copy(), impact)) return;
  cursor.skip();
  if (cursor.take('format')) {
    cursor.takeSign('=');
    cursor.skip();
  }
  impact.change('query');
  classifyStatement(cursor, impact, modes);
}

/** EXECUTE IMMEDIATE '…' says what it runs; what a prepared statement does is not to be seen here. */
function execute(cursor: Cursor, impact: ImpactCollector, modes: QuoteModes): void {
  const text = cursor.take('execute', 'immediate') ? cursor.takeString() : undefined;
  if (text === undefined || !cursor.atEnd) {
    procedural(cursor, impact, modes);
    return;
  }
  if (!classifyStatement(new Cursor(text, tokenizeStatement(text, undefined, modes)), impact, modes)) {
    procedural(cursor, impact, modes);
  }
}

/** SET STATEMENT max_statement_time = 1 FOR UPDATE … of MariaDB. */
function setOrRun(cursor: Cursor, impact: ImpactCollector, modes: QuoteModes): void {
  cursor.skip();
  if (cursor.word() !== 'statement' || !cursor.has('for')) {
    set(cursor, impact);
    return;
  }
  cursor.takeBefore('for');
  cursor.take('for');
  classifyStatement(cursor, impact, modes);
}

const beforeStatement = new Set(['then', 'else', 'do', 'loop', 'repeat', 'begin', 'atomic']);
const written = new Set(
  'insert update delete replace load truncate create alter drop rename grant revoke call with select set'.split(' '),
);

/** Which of its statements run is decided when they run: any part of a compound statement counts. */
function compound(cursor: Cursor, impact: ImpactCollector, modes: QuoteModes): void {
  impact.change('procedural');
  impact.lose('maybe');
  while (!cursor.atEnd) {
    const starts = cursor.isSign(';', -1) || beforeStatement.has(cursor.word(-1) ?? '');
    if (starts && written.has(cursor.word() ?? '')) {
      classifyStatement(cursor.takeBeforeSign(';'), impact, modes);
    } else cursor.skip();
  }
}
