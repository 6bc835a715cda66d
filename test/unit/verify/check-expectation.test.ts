import { describe, expect, test } from 'vitest';
import type { QueryResult } from '../../../src/adapter/database.js';
import { checkExpectation } from '../../../src/verify/check-expectation.js';
import type { Expectation } from '../../../src/verify/verification.js';

const result = (rows: readonly (readonly (string | null)[])[], columns = ['a', 'b']): QueryResult => ({
  command: 'SELECT',
  rowCount: rows.length,
  columns: columns.slice(0, rows[0]?.length ?? columns.length),
  rows,
});
const one = (value: string | null): QueryResult => result([[value]]);
const passes = (expectation: Expectation, given: QueryResult): boolean => checkExpectation(expectation, given).passed;
const compare = (operator: '=' | '<>' | '<' | '<=' | '>' | '>=', operand: string): Expectation => ({
  kind: 'comparison',
  operator,
  operand,
});

describe('checkExpectation', () => {
  test.each([
    ['200', '200', true],
    ['200', '201', false],
    ['1.1', '1.10', false],
    ['001', '1', false],
    ['true', 't', true],
    ['FALSE', 'f', true],
    ['true', 'f', false],
    [null, null, true],
    [null, '', false],
    ['', null, false],
    ['NULL', null, false],
    ['a b', 'a  b', false],
  ])('a value: expected %s, came %s', (expected, actual, passed) => {
    expect(passes({ kind: 'value', value: expected }, one(actual))).toBe(passed);
  });

  test('a value is the last column of exactly one row', () => {
    const expectation: Expectation = { kind: 'value', value: '200' };
    expect(checkExpectation(expectation, result([['max_connections', '200']]))).toEqual({
      passed: true,
      expected: '200',
      actual: '(max_connections | 200)',
    });
    expect(passes(expectation, result([['200', 'max_connections']]))).toBe(false);
    expect(checkExpectation(expectation, result([]))).toEqual({ passed: false, expected: '200', actual: 'no rows' });
    expect(checkExpectation(expectation, result([['200'], ['200']]))).toEqual({
      passed: false,
      expected: '200',
      actual: '2 rows: (200), (200)',
    });
    expect(passes(expectation, result([[]]))).toBe(false);
  });

  test.each([
    ['>=', '10', '10', true],
    ['>=', '10', '9.999999999999999999999', false],
    ['>', '9007199254740992', '9007199254740993', true],
    ['=', '200', '200.00', true],
    ['=', '0.3', '0.30000000000000004', false],
    ['=', '1e3', '1000', true],
    ['<', '-1', '-1.5', true],
    ['<=', '-1', '-0.5', false],
    ['<>', '0', '0.0', false],
    ['<>', 'x', 'y', true],
    ['=', 'x', 'x', true],
    ['>', '0', 'many', false],
    ['>', '0', null, false],
    ['<>', '0', null, false],
    ['>', '0', 'NaN', false],
  ] as const)('a comparison: %s %s, came %s', (operator, operand, actual, passed) => {
    expect(passes(compare(operator, operand), one(actual))).toBe(passed);
  });

  test('rows and their number', () => {
    expect(checkExpectation({ kind: 'no-rows' }, result([['x']]))).toEqual({
      passed: false,
      expected: 'no rows',
      actual: '1 row: (x)',
    });
    expect(passes({ kind: 'no-rows' }, result([]))).toBe(true);
    expect(passes({ kind: 'row-count', count: 2 }, result([['x'], ['y']]))).toBe(true);
    expect(checkExpectation({ kind: 'row-count', count: 1 }, result([])).actual).toBe('no rows');
  });

  test('every row of a column', () => {
    const every: Expectation = { kind: 'every', column: 'DELETE_RULE', value: 'NO ACTION' };
    const columns = ['name', 'delete_rule'];
    expect(
      passes(
        every,
        result(
          [
            ['a', 'NO ACTION'],
            ['b', 'NO ACTION'],
          ],
          columns,
        ),
      ),
    ).toBe(true);
    expect(
      checkExpectation(
        every,
        result(
          [
            ['a', 'NO ACTION'],
            ['b', 'CASCADE'],
            ['c', null],
          ],
          columns,
        ),
      ),
    ).toEqual({
      passed: false,
      expected: "every DELETE_RULE = 'NO ACTION'",
      actual: 'otherwise in 2 of 3 rows: (b | CASCADE), (c | NULL)',
    });
    expect(passes(every, result([], columns))).toBe(false);
    expect(checkExpectation(every, result([['a']], ['name'])).actual).toContain('no column "DELETE_RULE"');
  });

  test('a table, in order where the query orders', () => {
    const rows = [
      ['a', '1'],
      ['b', null],
    ];
    const table = (ordered: boolean, columns?: readonly string[]): Expectation => ({
      kind: 'table',
      rows,
      ordered,
      columns,
    });
    expect(passes(table(true), result(rows))).toBe(true);
    expect(passes(table(true), result([...rows].reverse()))).toBe(false);
    expect(passes(table(false), result([...rows].reverse()))).toBe(true);
    expect(
      passes(
        table(false),
        result([
          ['a', '1'],
          ['a', '1'],
        ]),
      ),
    ).toBe(false);
    expect(passes(table(false), result([['a', '1']]))).toBe(false);
    expect(
      passes(
        table(false),
        result([
          ['a', '1'],
          ['b', ''],
        ]),
      ),
    ).toBe(false);
    expect(passes(table(false, ['A', 'b']), result(rows))).toBe(true);
    expect(checkExpectation(table(false, ['a', 'c']), result(rows)).actual).toBe('columns (a, b)');
  });

  test('shows a few rows and cuts long values', () => {
    const { actual } = checkExpectation(
      { kind: 'no-rows' },
      result(Array.from({ length: 9 }, () => ['x'.repeat(1000)])),
    );
    expect(actual.startsWith('9 rows: ')).toBe(true);
    expect(actual.length).toBeLessThan(1500);
  });
});
