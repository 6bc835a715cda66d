import type { ObjectRef } from '../../../../src/risk/change.js';
import type { Cursor } from './cursor.js';
import type { ImpactCollector, LockLevel } from './impact.js';

/** A table of a FROM list or of UPDATE, and the name by which the statement calls it. */
interface NamedTable {
  readonly ref: ObjectRef;
  readonly alias: string;
}

/** What may follow the name of a table and is no alias of it. */
const noAlias = new Set(
  (
    'on using join inner cross left right natural straight_join where set group order limit offset fetch having union intersect ' +
    'except for use force ignore partition values value select lock into window returning procedure tablesample with as end'
  ).split(' '),
);
/** Words that end a FROM list. */
const endsFrom = new Set(
  'where group order limit having union intersect except into window set values returning procedure select lock'.split(
    ' ',
  ),
);
const startsQuery = new Set(['select', 'with', 'values', 'table']);

interface Walk {
  /** Called for each table that the text names as one. */
  readonly found: (table: NamedTable) => void;
  /** Common table expressions, in lower case. */
  readonly hidden: Set<string>;
  readonly impact: ImpactCollector;
}

/** Notes every table that a query reads, at any depth; those under FOR UPDATE as written. Names of common table expressions are none. */
export function readTables(cursor: Cursor, impact: ImpactCollector, hidden: ReadonlySet<string> = new Set()): void {
  const level: LockLevel = cursor.has('for', 'update') ? 'SHARED WRITE' : 'SHARED READ';
  walkQuery(cursor, { found: ({ ref }) => impact.lock(level, ref), hidden: new Set(hidden), impact });
}

/** WITH a AS (…), b AS (…): reads their queries, remembers their names. */
function takeWith(cursor: Cursor, walk: Walk): void {
  if (!cursor.take('with')) return;
  cursor.take('recursive');
  do {
    const name = cursor.takeName();
    if (name === undefined) return;
    walk.hidden.add(name.toLowerCase());
    if (!cursor.take('as')) cursor.takeGroup();
    cursor.take('as');
    const group = cursor.takeGroup();
    if (group !== undefined) walkQuery(group, walk);
    if (cursor.take('cycle')) cursor.takeBeforeSign(',');
  } while (cursor.takeSign(','));
}

function walkQuery(cursor: Cursor, walk: Walk): void {
  takeWith(cursor, walk);
  let inFrom = false;
  while (!cursor.atEnd) {
    const word = cursor.word();
    if (cursor.isSign('(')) walkGroup(cursor, walk);
    else if (word === 'from' && cursor.word(-1) !== 'distinct' && !cursor.isSign('.', -1)) {
      cursor.skip();
      inFrom = true;
      takeTable(cursor, walk);
    } else if (inFrom && (word === 'join' || word === 'straight_join')) {
      cursor.skip();
      takeTable(cursor, walk);
    } else if (inFrom && cursor.takeSign(',')) takeTable(cursor, walk);
    else if (word === 'table' && isTableStatement(cursor)) {
      cursor.skip();
      takeTable(cursor, walk);
    } else {
      if (word !== undefined && endsFrom.has(word)) inFrom = false;
      noteSequence(cursor, walk.impact);
      cursor.skip();
    }
  }
}

/** TABLE t of MySQL 8, which stands where SELECT does. */
function isTableStatement(cursor: Cursor): boolean {
  const before = cursor.word(-1);
  return cursor.token(-1) === undefined || cursor.isSign('(', -1) || before === 'union' || before === 'all';
}

/** A subquery, or an expression, in which FROM is no clause: EXTRACT(YEAR FROM day). */
function walkGroup(cursor: Cursor, walk: Walk): void {
  const group = cursor.takeGroup();
  if (group === undefined) return;
  if (startsQuery.has(group.word() ?? '')) {
    walkQuery(group, walk);
    return;
  }
  walkExpression(group, walk);
}

/** Parentheses in parentheses are not gone into one by one: there may be many. */
function walkExpression(cursor: Cursor, walk: Walk): void {
  while (!cursor.atEnd) {
    if (cursor.isSign('(') && startsQuery.has(cursor.word(1) ?? '')) walkGroup(cursor, walk);
    else {
      noteSequence(cursor, walk.impact);
      cursor.skip();
    }
  }
}

/** One table of a list, or joins in parentheses, or a derived table. */
function takeTable(cursor: Cursor, walk: Walk): void {
  cursor.take('lateral');
  if (cursor.isSign('(')) {
    const inner = cursor.copy().takeGroup();
    if (inner === undefined || startsQuery.has(inner.word() ?? '') || inner.isSign('(')) {
      if (inner?.isSign('(') === true && cursor.takeGroup() !== undefined) walkTables(inner, walk);
      else walkGroup(cursor, walk);
    } else {
      cursor.takeGroup();
      walkTables(inner, walk);
    }
    takeAlias(cursor);
    return;
  }
  const ref = cursor.takeRef('table');
  if (ref === undefined) return;
  // JSON_TABLE(…) and the like.
  if (cursor.isSign('(')) {
    walkGroup(cursor, walk);
    takeAlias(cursor);
    return;
  }
  if (cursor.take('partition')) cursor.takeGroup();
  if (cursor.take('for', 'system_time')) cursor.take('as', 'of');
  const alias = takeAlias(cursor) ?? ref.name;
  const isHidden = ref.schema === undefined && (walk.hidden.has(ref.name.toLowerCase()) || /^dual$/i.test(ref.name));
  if (!isHidden) walk.found({ ref, alias });
}

/** Tables with their joins, and nothing else. */
function walkTables(cursor: Cursor, walk: Walk): void {
  if (startsQuery.has(cursor.word() ?? '')) {
    walkQuery(cursor, walk);
    return;
  }
  takeTable(cursor, walk);
  while (!cursor.atEnd) {
    if (cursor.takeSign(',') || cursor.takeOneOf('join', 'straight_join') !== undefined) takeTable(cursor, walk);
    else if (cursor.isSign('(')) walkGroup(cursor, walk);
    else cursor.skip();
  }
}

function takeAlias(cursor: Cursor): string | undefined {
  if (cursor.take('as')) return cursor.takeString() ?? cursor.takeName();
  const token = cursor.token();
  if (token?.kind === 'name') return cursor.takeName();
  return token?.kind === 'word' && !noAlias.has(token.value) ? cursor.takeName() : undefined;
}

/** NEXT VALUE FOR s, NEXTVAL(s) and SETVAL(s, …) of MariaDB move the sequence. */
function noteSequence(cursor: Cursor, impact: ImpactCollector): void {
  const word = cursor.word();
  if (word === 'next' && cursor.word(1) === 'value' && cursor.word(2) === 'for') {
    impact.change('sequence');
  } else if ((word === 'nextval' || word === 'setval') && cursor.isSign('(', 1)) {
    impact.change('sequence');
  }
}

/** SELECT, VALUES, TABLE, and what begins with a parenthesis. */
export function query(cursor: Cursor, impact: ImpactCollector, hidden?: ReadonlySet<string>): void {
  impact.change('query');
  if (cursor.has('into', 'outfile') || cursor.has('into', 'dumpfile')) impact.change('data-copy');
  readTables(cursor, impact, hidden);
}

/** WITH … before SELECT, UPDATE or DELETE. */
export function withQueries(cursor: Cursor, impact: ImpactCollector): void {
  const hidden = new Set<string>();
  takeWith(cursor, { found: ({ ref }) => impact.lock('SHARED READ', ref), hidden, impact });
  if (cursor.word() === 'update') update(cursor, impact, hidden);
  else if (cursor.word() === 'delete') remove(cursor, impact, hidden);
  else query(cursor, impact, hidden);
}

/** INSERT and REPLACE. */
export function insert(cursor: Cursor, impact: ImpactCollector): void {
  const replaces = cursor.word() === 'replace';
  cursor.skip();
  cursor.takeAll('low_priority', 'delayed', 'high_priority', 'ignore');
  cursor.take('into');
  const table = cursor.takeRef('table');
  impact.change('insert-data');
  impact.writeRows(table);
  if (replaces) {
    impact.change('delete-data');
    impact.lose('maybe');
  }
  if (cursor.take('partition')) cursor.takeGroup();
  if (cursor.has('on', 'duplicate', 'key', 'update')) {
    impact.change('update-data');
    impact.lose('maybe');
  }
  readTables(cursor, impact);
}

/** UPDATE of one or of several tables: those are written whose columns SET names. */
export function update(cursor: Cursor, impact: ImpactCollector, hidden: ReadonlySet<string> = new Set()): void {
  cursor.skip();
  cursor.takeAll('low_priority', 'ignore');
  const tables: NamedTable[] = [];
  const walk: Walk = { found: (table) => tables.push(table), hidden: new Set(hidden), impact };
  walkTables(cursor.takeBefore('set'), walk);
  cursor.take('set');
  const assignments = cursor.takeBefore('where', 'order', 'limit', 'returning');
  impact.change('update-data');
  impact.lose('maybe');
  for (const part of assignments.copy().takeList()) {
    for (const table of targetsOf(part, tables)) impact.writeRows(table.ref);
  }
  for (const { ref } of tables) impact.lock('SHARED READ', ref);
  readTables(assignments, impact, hidden);
  readTables(cursor, impact, hidden);
}

/** The tables that `a.b.column = …` may mean; all of them where the column stands alone. */
function targetsOf(assignment: Cursor, tables: readonly NamedTable[]): readonly NamedTable[] {
  const path: string[] = [];
  do {
    path.push(assignment.takeName() ?? '');
  } while (assignment.takeSign('.'));
  const qualifier = path.at(-2);
  if (qualifier === undefined) return tables;
  return named(qualifier, tables);
}

/** Aliases are compared without regard to case: where names depend on it, two that differ so only are one too many. */
function named(name: string, tables: readonly NamedTable[]): readonly NamedTable[] {
  return tables.filter(({ alias }) => alias.toLowerCase() === name.toLowerCase());
}

/** DELETE of one table, or of those that it lists before FROM or before USING. */
export function remove(cursor: Cursor, impact: ImpactCollector, hidden: ReadonlySet<string> = new Set()): void {
  cursor.skip();
  cursor.takeAll('low_priority', 'quick', 'ignore');
  cursor.take('history');
  impact.change('delete-data');
  impact.lose('yes');
  const fromFirst = cursor.take('from');
  const listed: ObjectRef[] = [];
  do {
    const ref = cursor.takeRef('table');
    if (ref !== undefined) listed.push(ref);
    if (cursor.takeSign('.')) cursor.takeSign('*');
  } while (cursor.takeSign(','));
  const isMany = fromFirst ? cursor.take('using') : cursor.take('from');
  const tables: NamedTable[] = [];
  if (isMany) {
    const walk: Walk = { found: (table) => tables.push(table), hidden: new Set(hidden), impact };
    walkTables(cursor.takeBefore('where', 'order', 'limit', 'returning'), walk);
  }
  for (const ref of listed) {
    const meant = ref.schema === undefined ? named(ref.name, tables) : [];
    if (meant.length === 0) impact.writeRows(ref);
    for (const table of meant) impact.writeRows(table.ref);
  }
  for (const { ref } of tables) impact.lock('SHARED READ', ref);
  readTables(cursor, impact, hidden);
}

/** LOAD DATA and LOAD XML. */
export function load(cursor: Cursor, impact: ImpactCollector): void {
  impact.change('data-copy', 'insert-data');
  if (cursor.has('replace', 'into')) {
    impact.change('delete-data');
    impact.lose('maybe');
  }
  cursor.takeBefore('into');
  cursor.take('into', 'table');
  impact.writeRows(cursor.takeRef('table'));
  readTables(cursor, impact);
}

/** TRUNCATE [TABLE]. */
export function truncate(cursor: Cursor, impact: ImpactCollector): void {
  cursor.skip();
  cursor.take('table');
  const table = cursor.takeRef('table');
  impact.change('truncate');
  impact.lose('yes');
  impact.write(table);
  impact.lock('EXCLUSIVE', table);
}
