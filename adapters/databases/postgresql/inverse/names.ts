import type { Node } from 'libpg-query';
import { bodyOf, tagOf, textsOf } from '../classify/tree.js';
import type { Body } from '../classify/tree.js';

/** NAMEDATALEN - 1 of a PostgreSQL that was built as usual. */
const maxBytes = 63;

const encoder = new TextEncoder();
const byteLength = (text: string): number => encoder.encode(text).length;

/** The longest beginning of the text that has at most so many UTF-8 bytes and splits no character. */
function clip(text: string, bytes: number): string {
  let clipped = '';
  let used = 0;
  for (const character of text) {
    used += byteLength(character);
    if (used > bytes) break;
    clipped += character;
  }
  return clipped;
}

/**
 * The name that PostgreSQL gives to a constraint, index or sequence without one: table_columns_label, the longer part
 * shortened until it fits (makeObjectName in the server's indexcmds.c). A second one gets a number that is not told here.
 */
export function generatedName(table: string, columns: string | undefined, label: string): string {
  const available = maxBytes - byteLength(label) - 1 - (columns === undefined ? 0 : 1);
  let tableBytes = byteLength(table);
  let columnBytes = columns === undefined ? 0 : byteLength(columns);
  while (tableBytes + columnBytes > available) {
    if (tableBytes > columnBytes) tableBytes -= 1;
    else columnBytes -= 1;
  }
  const parts = [clip(table, tableBytes)];
  if (columns !== undefined) parts.push(clip(columns, columnBytes));
  return [...parts, label].join('_');
}

/** The columns' part of a generated index name: names joined, repeated ones numbered (ChooseIndexColumnNames). */
function indexColumns(elements: readonly Body<'IndexElem'>[]): string {
  const names: string[] = [];
  for (const element of elements) {
    const wanted = element.indexcolname ?? element.name ?? expressionName(element.expr) ?? 'expr';
    let name = wanted;
    for (let number = 1; names.includes(name); number++) {
      name = clip(wanted, maxBytes - byteLength(String(number))) + String(number);
    }
    names.push(name);
  }
  return names.join('_');
}

/** The server's FigureIndexColname: what an expression would be called as a result column. */
function expressionName(expression: Node | undefined): string | undefined {
  if (expression === undefined) return undefined;
  switch (tagOf(expression)) {
    case 'ColumnRef':
      return textsOf(bodyOf(expression, 'ColumnRef')?.fields).at(-1);
    case 'FuncCall':
      return textsOf(bodyOf(expression, 'FuncCall')?.funcname).at(-1);
    case 'TypeCast': {
      const cast = bodyOf(expression, 'TypeCast');
      return expressionName(cast?.arg) ?? textsOf(cast?.typeName?.names).at(-1);
    }
    case 'CollateClause':
      return expressionName(bodyOf(expression, 'CollateClause')?.arg);
    case 'CaseExpr':
      return expressionName(bodyOf(expression, 'CaseExpr')?.defresult) ?? 'case';
    case 'CoalesceExpr':
      return 'coalesce';
    case 'MinMaxExpr':
      return bodyOf(expression, 'MinMaxExpr')?.op === 'IS_LEAST' ? 'least' : 'greatest';
    case 'A_ArrayExpr':
      return 'array';
    case 'RowExpr':
      return 'row';
    case 'A_Expr':
      return bodyOf(expression, 'A_Expr')?.kind === 'AEXPR_NULLIF' ? 'nullif' : undefined;
    default:
      return undefined;
  }
}

/** The name of CREATE INDEX without a name. */
export function generatedIndexName(index: Body<'IndexStmt'>): string {
  const elements = (index.indexParams ?? []).flatMap((node) => bodyOf(node, 'IndexElem') ?? []);
  const included = (index.indexIncludingParams ?? []).flatMap((node) => bodyOf(node, 'IndexElem') ?? []);
  return generatedName(index.relation?.relname ?? '', indexColumns([...elements, ...included]), 'idx');
}

function columnsIn(tree: unknown, found: Set<string>): Set<string> {
  if (typeof tree !== 'object' || tree === null) return found;
  for (const [tag, body] of Object.entries(tree)) {
    if (tag === 'ColumnRef') {
      const name = textsOf((body as Body<'ColumnRef'>).fields).at(-1);
      if (name !== undefined) found.add(name);
    } else {
      columnsIn(body, found);
    }
  }
  return found;
}

/** The name of ADD CONSTRAINT without a name; undefined for a kind that has none of its own. */
export function generatedConstraintName(table: string, constraint: Body<'Constraint'>): string | undefined {
  const keys = textsOf(constraint.keys);
  switch (constraint.contype) {
    case 'CONSTR_PRIMARY':
      return generatedName(table, undefined, 'pkey');
    case 'CONSTR_UNIQUE':
      return generatedName(table, [...keys, ...textsOf(constraint.including)].join('_'), 'key');
    case 'CONSTR_FOREIGN':
      return generatedName(table, textsOf(constraint.fk_attrs).join('_'), 'fkey');
    case 'CONSTR_NOTNULL':
      return generatedName(table, keys[0], 'not_null');
    case 'CONSTR_CHECK': {
      const columns = columnsIn(constraint.raw_expr, new Set());
      const [only] = columns;
      return generatedName(table, columns.size === 1 ? only : undefined, 'check');
    }
    case 'CONSTR_EXCLUSION': {
      const elements = (constraint.exclusions ?? []).flatMap((node) => {
        const [element] = bodyOf(node, 'List')?.items ?? [];
        return bodyOf(element, 'IndexElem') ?? [];
      });
      return generatedName(table, indexColumns(elements), 'excl');
    }
    default:
      return undefined;
  }
}
