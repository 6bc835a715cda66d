import type { StatementRecovery } from '../../../src/adapter/database.js';
import { notTransactional } from './not-transactional.js';
import { tableAlteration } from './recovery/alter-table.js';
import {
  creation,
  databaseNamed,
  databaseRemoval,
  eventNamed,
  indexNamed,
  relationNamed,
  removal,
  removals,
  routineNamed,
  triggerNamed,
} from './recovery/existence.js';
import { repeatable, type Rows, unclear, unclearUnlessRefused } from './recovery/inspection.js';
import { type Rename, renaming } from './recovery/renames.js';
import { StatementReader } from './recovery/statement-reader.js';

/*
 * What both servers do whole or not at all: MySQL manual, "Atomic Data Definition Statement Support"; MariaDB documentation,
 * "Atomic DDL" (from 10.6.1 on). An interrupted one is taken back, or finished, before the server answers again. What is
 * killed may go on for a while on the server; it holds the named lock of its session as long.
 */

/** What can be found out about a statement that commits by itself and was interrupted. Reads its words only. */
export function recovery(statement: string): StatementRecovery {
  const reader = new StatementReader(statement);
  const verb = reader.skip();
  switch (verb?.kind === 'word' ? verb.value : '') {
    case 'create':
      return ofCreate(reader);
    case 'drop':
      return ofDrop(reader);
    case 'alter':
      return ofAlter(reader, statement);
    case 'rename':
      return ofRename(reader);
    case 'truncate':
    case 'grant':
    case 'optimize':
    case 'analyze':
    case 'check':
    case 'checksum':
    case 'repair':
    case 'flush':
    case 'cache':
    case 'load':
    case 'lock':
    case 'unlock':
      return loads(reader) ? unclear : repeatable;
    case 'revoke':
      return reader.takes('if', 'exists') ? repeatable : unclearUnlessRefused;
    case 'install':
    case 'uninstall':
      reader.skip();
      return reader.word() === 'if' ? repeatable : unclearUnlessRefused;
    case 'set':
      return ofSet(reader);
    case 'execute':
      return ofExecute(reader);
    default:
      return unclear;
  }
}

/** LOAD DATA is not LOAD INDEX. */
function loads(reader: StatementReader): boolean {
  return reader.word() === 'data' || reader.word() === 'xml';
}

/** Between CREATE and the word that says what is created. */
const adjectives = new Set(['unique', 'fulltext', 'spatial', 'vector', 'aggregate', 'online', 'offline']);

function ofCreate(reader: StatementReader): StatementRecovery {
  const replaces = reader.takes('or', 'replace');
  skipHead(reader);
  const kind = reader.word();
  reader.skip();
  const isBody = kind === 'package' && reader.takes('body');
  const ifNotExists = reader.takes('if', 'not', 'exists');
  const otherwise = replaces || ifNotExists ? repeatable : unclearUnlessRefused;
  const name = kind === undefined ? undefined : reader.name();
  if (name === undefined) return otherwise;
  switch (kind) {
    case 'table':
      return creation(relationNamed('table', name), {
        replaces,
        mayBePart: selectsRows(reader) ? copiesRowsApart(name.name) : undefined,
      });
    case 'view':
      return creation(relationNamed('view', name), { replaces });
    case 'sequence':
      return creation(relationNamed('sequence', name), { replaces });
    case 'index': {
      if (reader.takes('using')) reader.skip();
      const table = reader.takes('on') ? reader.name() : undefined;
      if (table === undefined) return otherwise;
      // An index that is made anew is as good as the one before.
      return replaces ? repeatable : creation(indexNamed(table, name.name), { replaces });
    }
    case 'trigger':
      return creation(triggerNamed(name), { replaces });
    case 'procedure':
      return creation(routineNamed('PROCEDURE', name), { replaces });
    case 'function':
      // A function from a library is listed nowhere that everybody can read.
      return reader.takes('returns') ? otherwise : creation(routineNamed('FUNCTION', name), { replaces });
    case 'package':
      return creation(routineNamed(isBody ? 'PACKAGE BODY' : 'PACKAGE', name), { replaces });
    case 'event':
      return creation(eventNamed(name), {
        replaces,
        mayHaveGone: runsOnce(reader) ? 'An event that runs once goes when it has run.' : undefined,
      });
    case 'database':
    case 'schema':
      return replaces ? repeatable : creation(databaseNamed(name.name), { replaces });
    default:
      return otherwise;
  }
}

/** Skips ALGORITHM = x, DEFINER = user, SQL SECURITY x and adjectives. */
function skipHead(reader: StatementReader): void {
  for (;;) {
    if (reader.takes('definer')) {
      reader.takesSign('=');
      reader.skip();
      if (reader.takesSign('(')) reader.takesSign(')');
      if (reader.takesSign('@')) reader.skip();
    } else if (reader.takes('algorithm')) {
      reader.takesSign('=');
      reader.skip();
    } else if (reader.takes('sql', 'security')) {
      reader.skip();
    } else if (adjectives.has(reader.word() ?? '')) {
      reader.skip();
    } else {
      return;
    }
  }
}

/** CREATE TABLE … SELECT; not a generated column or a CHECK, where no query can stand. */
function selectsRows(reader: StatementReader): boolean {
  for (; !reader.isAtEnd; reader.skip()) {
    const word = reader.word();
    if (word === 'select' || word === 'values' || word === 'with') {
      // VALUES LESS THAN, VALUES IN; WITH SYSTEM VERSIONING, WITH PARSER.
      const next = reader.word(1);
      if (word === 'select' || !['less', 'in', 'system', 'parser', 'consistent'].includes(next ?? '')) return true;
    }
  }
  return false;
}

/** MySQL before 8.0.21 makes the table in one commit and fills it in another. */
function copiesRowsApart(name: string): (rows: Rows) => string | undefined {
  return (rows) => {
    const version = /^8\.0\.(\d+)(?!.*MariaDB)/i.exec(rows[0]?.[3] ?? '');
    return version !== null && Number(version[1]) < 21
      ? `The table ${name} is there, but a server before MySQL 8.0.21 fills it in a second step: count its rows.`
      : undefined;
  };
}

function runsOnce(reader: StatementReader): boolean {
  return reader.takes('on', 'schedule', 'at');
}

function ofDrop(reader: StatementReader): StatementRecovery {
  if (reader.takes('temporary')) return unclear;
  while (adjectives.has(reader.word() ?? '')) reader.skip();
  const kind = reader.word();
  reader.skip();
  const isBody = kind === 'package' && reader.takes('body');
  const ifExists = reader.takes('if', 'exists');
  const otherwise = ifExists ? repeatable : unclear;
  switch (kind) {
    case 'table':
    case 'tables':
    case 'view':
    case 'sequence': {
      const names = reader.names();
      return names === undefined ? otherwise : removals(kind === 'tables' ? 'table' : kind, names, ifExists);
    }
    case 'index': {
      const index = reader.name();
      const table = reader.takes('on') ? reader.name() : undefined;
      return index === undefined || table === undefined ? otherwise : removal(indexNamed(table, index.name), ifExists);
    }
    case 'trigger':
    case 'procedure':
    case 'function':
    case 'package':
    case 'event': {
      const name = reader.name();
      if (name === undefined) return otherwise;
      if (kind === 'trigger') return removal(triggerNamed(name), ifExists);
      if (kind === 'event') return removal(eventNamed(name), ifExists);
      return removal(routineNamed(isBody ? 'PACKAGE BODY' : kind.toUpperCase(), name), ifExists);
    }
    case 'database':
    case 'schema': {
      const name = reader.name();
      return name === undefined ? otherwise : databaseRemoval(name.name, ifExists);
    }
    default:
      return otherwise;
  }
}

function ofAlter(reader: StatementReader, statement: string): StatementRecovery {
  while (reader.takes('online') || reader.takes('offline') || reader.takes('ignore'));
  if (reader.takes('table')) return tableAlteration(reader, statement);
  skipHead(reader);
  switch (reader.word()) {
    case 'view':
    case 'procedure':
    case 'function':
    case 'sequence':
    case 'database':
    case 'schema':
    case 'server':
      return repeatable;
    case 'event':
      reader.skip();
      return eventAlteration(reader);
    case 'user':
      // A second time the password that was to be kept is gone.
      return /\bretain\b/i.test(statement) ? unclearUnlessRefused : repeatable;
    default:
      return unclear;
  }
}

function eventAlteration(reader: StatementReader): StatementRecovery {
  reader.takes('if', 'exists');
  const name = reader.name();
  for (; name !== undefined && !reader.isAtEnd && !reader.takes('do'); reader.skip()) {
    if (!reader.takes('rename', 'to')) continue;
    return removal(eventNamed(name), false);
  }
  return repeatable;
}

function ofRename(reader: StatementReader): StatementRecovery {
  if (!reader.takes('table') && !reader.takes('tables')) return unclearUnlessRefused;
  reader.takes('if', 'exists');
  const renames: Rename[] = [];
  do {
    const from = reader.name();
    if (reader.takes('wait')) reader.skip();
    else reader.takes('nowait');
    const to = reader.takes('to') ? reader.name() : undefined;
    if (from === undefined || to === undefined) return unclear;
    renames.push({ from, to });
  } while (reader.takesSign(','));
  return renaming(renames);
}

/** Settings may be made twice; MariaDB's SET STATEMENT … FOR holds another statement. */
function ofSet(reader: StatementReader): StatementRecovery {
  if (!reader.takes('statement')) return repeatable;
  while (!reader.isAtEnd && !reader.takes('for')) reader.skip();
  return recovery(reader.rest());
}

function ofExecute(reader: StatementReader): StatementRecovery {
  if (!reader.takes('immediate')) return unclear;
  const text = reader.skip();
  return text?.kind === 'string' && reader.isAtEnd && notTransactional(text.value) !== undefined
    ? recovery(text.value)
    : unclear;
}
