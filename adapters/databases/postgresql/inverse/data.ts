import type { Node } from 'libpg-query';
import { writeIdentifier } from '../classify/identifiers.js';
import { bodiesOf, bodyOf, rangeRef, typeText } from '../classify/tree.js';
import type { Body, Handlers } from '../classify/tree.js';
import { quoteLiteral } from '../quoting.js';
import { advice, nameText } from './words.js';

type Hints = readonly string[];

/** More rows than this make a hint that nobody reads. */
const maxKeys = 50;

/** A constant as SQL writes it; undefined for NULL and for anything that is computed. */
function constantText(node: Node | undefined): string | undefined {
  const cast = bodyOf(node, 'TypeCast');
  if (cast !== undefined) {
    const value = constantText(cast.arg);
    return value === undefined ? undefined : `${value}::${typeText(cast.typeName, writeIdentifier)}`;
  }
  const negated = bodyOf(node, 'A_Expr');
  if (negated !== undefined && negated.lexpr === undefined && bodyOf(negated.name?.[0], 'String')?.sval === '-') {
    const value = constantText(negated.rexpr);
    return value === undefined ? undefined : `-${value}`;
  }
  const constant = bodyOf(node, 'A_Const');
  if (constant === undefined || constant.isnull === true) return undefined;
  if (constant.sval !== undefined) return quoteLiteral(constant.sval.sval ?? '');
  if (constant.ival !== undefined) return String(constant.ival.ival ?? 0);
  if (constant.fval !== undefined) return constant.fval.fval ?? '0';
  if (constant.boolval !== undefined) return constant.boolval.boolval === true ? 'true' : 'false';
  return undefined;
}

/** Columns that are likely to identify a row, the surest first. */
function keyCandidates(columns: readonly string[]): readonly number[] {
  const rank = (name: string): number => {
    if (name === 'id' || name === 'uuid') return 0;
    if (name === 'key' || name === 'code' || name === 'slug' || name === 'name') return 1;
    return /(^|_)(id|key|code|uuid)$/.test(name) ? 2 : 3;
  };
  const ranked = columns.map((name, index) => ({ index, rank: rank(name) }));
  return ranked.sort((a, b) => a.rank - b.rank || a.index - b.index).map(({ index }) => index);
}

function deleteRows(body: Body<'InsertStmt'>): Hints {
  const table = nameText(rangeRef(body.relation));
  const columns = bodiesOf(body.cols, 'ResTarget').map((target) => target.name ?? '');
  const rows = bodiesOf(bodyOf(body.selectStmt, 'SelectStmt')?.valuesLists, 'List').map((list) => list.items ?? []);
  const conflict = body.onConflictClause === undefined ? [] : [conflictAdvice(body.onConflictClause.action)];
  if (rows.length === 0 || rows.length > maxKeys || columns.length === 0) {
    return [...conflict, advice(`DELETE FROM ${table} WHERE … (the rows that this INSERT added);`)];
  }
  for (const index of keyCandidates(columns)) {
    const values = rows.map((row) => constantText(row[index]));
    if (values.includes(undefined)) continue;
    const column = columns[index] ?? '';
    return [
      ...conflict,
      advice(`Make sure that ${column} names the rows of this INSERT and no others.`),
      `DELETE FROM ${table} WHERE ${writeIdentifier(column)} IN (${values.join(', ')});`,
    ];
  }
  return [...conflict, advice(`DELETE FROM ${table} WHERE … (the rows that this INSERT added);`)];
}

function conflictAdvice(action: string | undefined): string {
  return advice(
    action === 'ONCONFLICT_UPDATE'
      ? 'ON CONFLICT DO UPDATE: rows that were there before need their previous values, not a DELETE.'
      : 'ON CONFLICT DO NOTHING: leave the rows alone that were there before.',
  );
}

/** Hints for statements that change rows: what they overwrote is nowhere in the statement. */
export const dataHints: Handlers<Hints, undefined> = {
  InsertStmt: deleteRows,
  UpdateStmt: (body) => {
    const columns = bodiesOf(body.targetList, 'ResTarget').map((target) => target.name ?? '');
    const table = nameText(rangeRef(body.relation));
    return [
      advice(`UPDATE ${table} SET ${columns.map((name) => `${writeIdentifier(name)} = …`).join(', ')} WHERE …;`),
      advice('Only a copy taken before the migration knows the previous values.'),
    ];
  },
  DeleteStmt: (body) => [
    advice(`INSERT INTO ${nameText(rangeRef(body.relation))} … (the deleted rows, from a backup);`),
  ],
  MergeStmt: (body) => [
    advice(`Put the rows of ${nameText(rangeRef(body.relation))} back as they were; only a copy knows them.`),
  ],
  TruncateStmt: (body) =>
    bodiesOf(body.relations, 'RangeVar').map((range) =>
      advice(`INSERT INTO ${nameText(rangeRef(range))} … (all rows, from a backup);`),
    ),
  CopyStmt: (body) =>
    body.is_from === true
      ? [advice(`DELETE FROM ${nameText(rangeRef(body.relation))} WHERE … (the rows that COPY added);`)]
      : [],
  SelectStmt: (body) => {
    const target = body.intoClause?.rel;
    if (target !== undefined) return [`DROP TABLE ${nameText(rangeRef(target))};`];
    const calls = bodiesOf(body.targetList, 'ResTarget').some((item) => bodyOf(item.val, 'FuncCall') !== undefined);
    return calls ? [advice('A query changes nothing, unless a function that it calls does: look at it.')] : [];
  },
  DoStmt: () => [advice('A DO block: read it and write down what takes each of its effects back.')],
  CallStmt: () => [advice('A procedure was called: take back what it did.')],
};
