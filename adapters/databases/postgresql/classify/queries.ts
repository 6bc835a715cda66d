import type { RangeVar } from 'libpg-query';
import type { DataLoss } from '../../../../src/risk/change.js';
import { ImpactCollector } from './impact.js';
import { bodiesOf, bodyOf, rangeRef, textsOf } from './tree.js';
import type { Body, Handlers } from './tree.js';

/**
 * Notes every table that an expression or query reads (ACCESS SHARE, or ROW SHARE under FOR UPDATE and its kin) and
 * every data-modifying part in it, at any depth. Names of common table expressions are not tables.
 */
export function readTables(tree: unknown, impact: ImpactCollector): void {
  walk(tree, impact, new Set(), 'ACCESS SHARE');
}

type Visible = ReadonlySet<string>;

function walk(tree: unknown, impact: ImpactCollector, hidden: Visible, level: 'ACCESS SHARE' | 'ROW SHARE'): void {
  if (typeof tree !== 'object' || tree === null) return;
  if (Array.isArray(tree)) {
    for (const item of tree) walk(item, impact, hidden, level);
    return;
  }
  for (const [tag, body] of Object.entries(tree)) {
    if (tag === 'RangeVar') {
      readTable(body as RangeVar, impact, hidden, level);
    } else if (tag === 'InsertStmt' || tag === 'UpdateStmt' || tag === 'DeleteStmt' || tag === 'MergeStmt') {
      modifyData(tag, body as ModifyingStatement, impact, hidden);
    } else if (tag === 'SelectStmt') {
      walkSelect(body as Body<'SelectStmt'>, impact, hidden);
    } else if (typeof body === 'object') {
      walk(body, impact, hidden, level);
    }
  }
}

function readTable(
  range: RangeVar,
  impact: ImpactCollector,
  hidden: Visible,
  level: 'ACCESS SHARE' | 'ROW SHARE',
): void {
  if (range.schemaname === undefined && hidden.has(range.relname ?? '')) return;
  impact.lock(level, rangeRef(range));
}

function withNames(clause: Body<'SelectStmt'>['withClause'], hidden: Visible): Visible {
  const names = bodiesOf(clause?.ctes, 'CommonTableExpr').map((expression) => expression.ctename ?? '');
  return names.length === 0 ? hidden : new Set([...hidden, ...names]);
}

function walkSelect(select: Body<'SelectStmt'>, impact: ImpactCollector, hidden: Visible): void {
  const visible = withNames(select.withClause, hidden);
  const { fromClause, lockingClause, ...rest } = select;
  const locking = bodiesOf(lockingClause, 'LockingClause');
  const named = new Set(locking.flatMap((lock) => bodiesOf(lock.lockedRels, 'RangeVar').map((range) => range.relname)));
  const lockAll = locking.some((lock) => lock.lockedRels === undefined);
  if (locking.length === 0 || lockAll) {
    walk(fromClause, impact, visible, lockAll ? 'ROW SHARE' : 'ACCESS SHARE');
  } else {
    for (const item of fromClause ?? []) {
      const range = bodyOf(item, 'RangeVar');
      const isLocked = range !== undefined && named.has(range.alias?.aliasname ?? range.relname);
      walk(item, impact, visible, isLocked ? 'ROW SHARE' : 'ACCESS SHARE');
    }
  }
  // The arms of a UNION are select statements without their node wrapper.
  const { larg, rarg, intoClause, ...clauses } = rest;
  if (larg !== undefined) walkSelect(larg, impact, visible);
  if (rarg !== undefined) walkSelect(rarg, impact, visible);
  if (intoClause?.rel !== undefined) {
    impact.change('create-table');
    impact.object(rangeRef(intoClause.rel));
  }
  walk(clauses, impact, visible, 'ACCESS SHARE');
}

type ModifyingTag = 'InsertStmt' | 'UpdateStmt' | 'DeleteStmt' | 'MergeStmt';
type ModifyingStatement = Body<'InsertStmt'> | Body<'UpdateStmt'> | Body<'DeleteStmt'> | Body<'MergeStmt'>;

function modifyData(tag: ModifyingTag, body: ModifyingStatement, impact: ImpactCollector, hidden: Visible): void {
  const { relation, ...rest } = body;
  const target = rangeRef(relation);
  impact.lock('ROW EXCLUSIVE', target);
  impact.write(target);
  if (tag === 'InsertStmt') {
    impact.change('insert-data');
    if ((body as Body<'InsertStmt'>).onConflictClause?.action === 'ONCONFLICT_UPDATE') {
      impact.change('update-data');
      impact.lose('maybe');
    }
  } else if (tag === 'UpdateStmt') {
    impact.change('update-data');
    impact.lose('maybe');
  } else if (tag === 'DeleteStmt') {
    impact.change('delete-data');
    impact.lose('yes');
  } else {
    mergeActions(body, impact);
  }
  walk(rest, impact, withNames(body.withClause, hidden), 'ACCESS SHARE');
}

function mergeActions(merge: Body<'MergeStmt'>, impact: ImpactCollector): void {
  const effects: Readonly<Record<string, readonly ['insert-data' | 'update-data' | 'delete-data', DataLoss]>> = {
    CMD_INSERT: ['insert-data', 'no'],
    CMD_UPDATE: ['update-data', 'maybe'],
    CMD_DELETE: ['delete-data', 'yes'],
  };
  for (const clause of bodiesOf(merge.mergeWhenClauses, 'MergeWhenClause')) {
    const effect = effects[clause.commandType ?? ''];
    if (effect === undefined) continue;
    impact.change(effect[0]);
    impact.lose(effect[1]);
  }
}

function truncate(body: Body<'TruncateStmt'>, impact: ImpactCollector): void {
  impact.change('truncate');
  impact.lose('yes');
  impact.cascade(body.behavior);
  for (const range of bodiesOf(body.relations, 'RangeVar')) {
    impact.write(rangeRef(range));
    impact.lock('ACCESS EXCLUSIVE', rangeRef(range));
  }
}

function copy(body: Body<'CopyStmt'>, impact: ImpactCollector): void {
  impact.change('data-copy');
  readTables(body.query, impact);
  if (body.relation === undefined) return;
  const table = rangeRef(body.relation);
  if (body.is_from === true) {
    impact.change('insert-data');
    impact.write(table);
    impact.lock('ROW EXCLUSIVE', table);
  } else {
    impact.lock('ACCESS SHARE', table);
  }
}

/** SELECT calls of these change a sequence, whatever else the query does. */
const sequenceFunctions = new Set(['setval', 'nextval']);

function select(body: Body<'SelectStmt'>, impact: ImpactCollector): void {
  impact.change('query');
  walkSelect(body, impact, new Set());
  for (const target of bodiesOf(body.targetList, 'ResTarget')) {
    const name = textsOf(bodyOf(target.val, 'FuncCall')?.funcname).at(-1);
    if (name !== undefined && sequenceFunctions.has(name)) impact.change('sequence');
    if (name === 'set_config') impact.change('session-setting');
  }
}

const modify =
  (tag: ModifyingTag) =>
  (body: ModifyingStatement, impact: ImpactCollector): void => {
    modifyData(tag, body, impact, new Set());
  };

/** Statements that read or change rows. */
export const queryHandlers: Handlers<void, ImpactCollector> = {
  SelectStmt: select,
  InsertStmt: modify('InsertStmt'),
  UpdateStmt: modify('UpdateStmt'),
  DeleteStmt: modify('DeleteStmt'),
  MergeStmt: modify('MergeStmt'),
  TruncateStmt: truncate,
  CopyStmt: copy,
  ExplainStmt: (body, impact) => {
    impact.change('query');
    const runs = bodiesOf(body.options, 'DefElem').some((option) => option.defname === 'analyze');
    if (runs) {
      walk(body.query, impact, new Set(), 'ACCESS SHARE');
    } else {
      // Planning without running takes the same table locks and changes nothing.
      const planned = new ImpactCollector();
      walk(body.query, planned, new Set(), 'ACCESS SHARE');
      impact.adoptLocks(planned);
    }
  },
  DeclareCursorStmt: (body, impact) => {
    impact.change('query');
    readTables(body.query, impact);
  },
  FetchStmt: (_body, impact) => {
    impact.change('query');
  },
  ClosePortalStmt: (_body, impact) => {
    impact.change('query');
  },
  PrepareStmt: (body, impact) => {
    impact.change('session-setting');
    readTables(body.query, impact);
  },
  ExecuteStmt: (_body, impact) => {
    // What a prepared statement does is not to be seen here.
    impact.change('procedural');
    impact.lose('maybe');
  },
  DeallocateStmt: (_body, impact) => {
    impact.change('session-setting');
  },
  DoStmt: (_body, impact) => {
    impact.change('procedural');
    impact.lose('maybe');
  },
  CallStmt: (body, impact) => {
    impact.change('procedural');
    impact.lose('maybe');
    readTables(body.funccall, impact);
  },
};
