import type { QueryResult } from '../adapter/database.js';
import type { Expectation } from './verification.js';

export interface ExpectationCheck {
  readonly passed: boolean;
  /** What should have come, as a person would write it. */
  readonly expected: string;
  /** What came, in the same words; at most a few rows of it. */
  readonly actual: string;
}

type Row = readonly (string | null)[];

/** Rows that a message shows, and characters of one value in it. */
const shownRows = 5;
const shownCharacters = 200;

/**
 * Compares a query's result with what it must be. Pure. Values are compared as text, comparisons as decimals of any
 * length, never as floats.
 */
export function checkExpectation(expectation: Expectation, result: QueryResult): ExpectationCheck {
  const expected = describeExpectation(expectation);
  switch (expectation.kind) {
    case 'no-rows':
      return { expected, passed: result.rows.length === 0, actual: describeRows(result) };
    case 'row-count':
      return { expected, passed: result.rows.length === expectation.count, actual: describeRows(result) };
    case 'value':
      return checkSingle(result, expected, (value) => equals(value, expectation.value));
    case 'comparison':
      return checkSingle(result, expected, (value) => compares(value, expectation.operator, expectation.operand));
    case 'every':
      return checkEvery(expectation, result, expected);
    case 'table':
      return checkTable(expectation, result, expected);
  }
}

/** The expectation in words. */
export function describeExpectation(expectation: Expectation): string {
  switch (expectation.kind) {
    case 'no-rows':
      return 'no rows';
    case 'row-count':
      return rowsInWords(expectation.count);
    case 'value':
      return show(expectation.value);
    case 'comparison':
      return `${expectation.operator} ${expectation.operand}`;
    case 'every':
      return `every ${expectation.column} = ${show(expectation.value)}`;
    case 'table': {
      const { columns, rows, ordered } = expectation;
      const names = columns === undefined ? '' : ` (${columns.join(', ')})`;
      return `${rowsInWords(rows.length)}${names}${ordered === true ? ' in this order' : ''}: ${showRows(rows)}`;
    }
  }
}

function rowsInWords(count: number): string {
  return count === 0 ? 'no rows' : count === 1 ? '1 row' : `${String(count)} rows`;
}

/** Values of plain words and numbers stand as they are; others in quotes, so that blanks and emptiness show. */
function show(value: string | null | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'NULL';
  const cut = value.length > shownCharacters ? `${value.slice(0, shownCharacters)}…` : value;
  return /^[\w.+:-]+$/.test(cut) && !/^null$/i.test(cut) ? cut : `'${cut.replaceAll("'", "''")}'`;
}

function showRows(rows: readonly Row[]): string {
  const shown = rows.slice(0, shownRows).map((row) => `(${row.map(show).join(' | ')})`);
  return rows.length > shownRows ? `${shown.join(', ')}, …` : shown.join(', ');
}

function describeRows(result: QueryResult): string {
  const { rows } = result;
  return rows.length === 0 ? 'no rows' : `${rowsInWords(rows.length)}: ${showRows(rows)}`;
}

function checkSingle(
  result: QueryResult,
  expected: string,
  accepts: (value: string | null) => boolean,
): ExpectationCheck {
  const [row] = result.rows;
  const value = row?.at(-1);
  if (result.rows.length !== 1 || row === undefined || value === undefined) {
    return { expected, passed: false, actual: describeRows(result) };
  }
  return { expected, passed: accepts(value), actual: row.length === 1 ? show(value) : showRows([row]) };
}

function checkEvery(
  expectation: Extract<Expectation, { kind: 'every' }>,
  result: QueryResult,
  expected: string,
): ExpectationCheck {
  const { column, value } = expectation;
  const exact = result.columns.indexOf(column);
  const index = exact === -1 ? result.columns.findIndex((name) => name.toLowerCase() === column.toLowerCase()) : exact;
  if (index === -1) {
    const has = result.columns.map((name) => `"${name}"`).join(', ');
    return { expected, passed: false, actual: `no column "${column}" among ${has === '' ? 'none' : has}` };
  }
  if (result.rows.length === 0) return { expected, passed: false, actual: 'no rows' };
  const other = result.rows.filter((row) => !equals(row[index] ?? null, value));
  const passed = other.length === 0;
  const actual = passed
    ? `so in ${rowsInWords(result.rows.length)}`
    : `otherwise in ${String(other.length)} of ${rowsInWords(result.rows.length)}: ${showRows(other)}`;
  return { expected, passed, actual };
}

function checkTable(
  expectation: Extract<Expectation, { kind: 'table' }>,
  result: QueryResult,
  expected: string,
): ExpectationCheck {
  const { columns, rows } = expectation;
  if (columns !== undefined) {
    const same =
      columns.length === result.columns.length &&
      columns.every((name, index) => name.toLowerCase() === result.columns[index]?.toLowerCase());
    if (!same) return { expected, passed: false, actual: `columns (${result.columns.join(', ')})` };
  }
  const passed = rows.length === result.rows.length && sameRows(rows, result.rows, expectation.ordered === true);
  return { expected, passed, actual: describeRows(result) };
}

/** A server may return rows in any order unless the query says otherwise. */
function sameRows(expected: readonly Row[], actual: readonly Row[], ordered: boolean): boolean {
  const same = (a: Row, b: Row | undefined): boolean =>
    a.length === b?.length && a.every((value, index) => equals(b[index] ?? null, value));
  if (ordered) return expected.every((row, index) => same(row, actual[index]));
  const left = [...actual];
  return expected.every((row) => {
    const at = left.findIndex((candidate) => same(row, candidate));
    if (at !== -1) left.splice(at, 1);
    return at !== -1;
  });
}

/**
 * Equality of text, and of booleans however written (the server says t). Numbers are not folded: as text 1.10 and 1.1
 * may be two versions, and a result does not say which column is a number. The comparison "= 1.1" does fold.
 */
function equals(actual: string | null, expected: string | null): boolean {
  if (actual === null || expected === null || actual === expected) return actual === expected;
  return (actual === 't' || actual === 'f') && actual === booleanOf(expected);
}

function booleanOf(text: string): 't' | 'f' | undefined {
  const lower = text.toLowerCase();
  return lower === 'true' || lower === 't' ? 't' : lower === 'false' || lower === 'f' ? 'f' : undefined;
}

type Operator = Extract<Expectation, { kind: 'comparison' }>['operator'];

function compares(value: string | null, operator: Operator, operand: string): boolean {
  // NULL is neither equal nor unequal to anything; SQL says unknown, a check says no.
  if (value === null) return false;
  const order = compareDecimals(value, operand);
  if (operator === '=') return order === 0 || equals(value, operand);
  if (operator === '<>') return order === undefined ? !equals(value, operand) : order !== 0;
  if (order === undefined) return false;
  switch (operator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

const decimal = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,4}))?$/i;

interface Decimal {
  readonly digits: bigint;
  /** The value is digits × 10^exponent. */
  readonly exponent: number;
}

function parseDecimal(text: string): Decimal | undefined {
  const match = decimal.exec(text.trim());
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  if (whole === '' && fraction === '') return undefined;
  const digits = BigInt(whole + fraction);
  return { digits: sign === '-' ? -digits : digits, exponent: Number(exponent) - fraction.length };
}

/** Negative, zero or positive; undefined when one of the two is no decimal number (NaN and Infinity are none here). */
function compareDecimals(a: string, b: string): number | undefined {
  const left = parseDecimal(a);
  const right = parseDecimal(b);
  if (left === undefined || right === undefined) return undefined;
  const exponent = Math.min(left.exponent, right.exponent);
  const scaled = (value: Decimal): bigint => value.digits * 10n ** BigInt(value.exponent - exponent);
  const difference = scaled(left) - scaled(right);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}
