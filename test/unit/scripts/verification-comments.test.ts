import { describe, expect, test } from 'vitest';
import { parseExpectation, parseTableRow } from '../../../src/scripts/parse-expectation.js';
import type { Expectation } from '../../../src/verify/verification.js';
import { codes, errors, readScript } from './read-script.js';

const value = (text: string | null): Expectation => ({ kind: 'value', value: text });
const understood: readonly (readonly [string, Expectation])[] = [
  ['200', value('200')],
  ['200.', value('200')],
  ['-1.50', value('-1.50')],
  ['0 if 002 was rolled back', value('0')],
  ['200 (the default)', value('200')],
  ['should be 0', value('0')],
  ["'it''s'", value("it's")],
  ['"a b"', value('a b')],
  ['true', value('true')],
  ['NULL', value(null)],
  ["'NULL'", value('NULL')],
  ['active', value('active')],
  ['no rows', { kind: 'no-rows' }],
  ['No rows.', { kind: 'no-rows' }],
  ['0 rows', { kind: 'no-rows' }],
  ['zero rows', { kind: 'no-rows' }],
  ['empty result set', { kind: 'no-rows' }],
  ['1 row', { kind: 'row-count', count: 1 }],
  ['exactly 3 rows', { kind: 'row-count', count: 3 }],
  ['>= 10', { kind: 'comparison', operator: '>=', operand: '10' }],
  ['!= 0', { kind: 'comparison', operator: '<>', operand: '0' }],
  ['at least 10', { kind: 'comparison', operator: '>=', operand: '10' }],
  ['more than 0', { kind: 'comparison', operator: '>', operand: '0' }],
  ["<> 'x'", { kind: 'comparison', operator: '<>', operand: 'x' }],
  ["every delete_rule = 'NO ACTION'", { kind: 'every', column: 'delete_rule', value: 'NO ACTION' }],
  ["All delete_rule should be 'NO ACTION'", { kind: 'every', column: 'delete_rule', value: 'NO ACTION' }],
  ["all delete_rule values should be 'NO ACTION'", { kind: 'every', column: 'delete_rule', value: 'NO ACTION' }],
];

describe('the words of an expectation', () => {
  test.each(understood)('are understood: %s', (words, expectation) => {
    expect(parseExpectation(words, { selectsStar: false })).toEqual(expectation);
  });

  test.each([
    'backup contains expected data',
    '',
    'the old rows',
    '3 apples',
    'at least 3 rows',
    'all good',
    '200 or 300',
    '0 and nothing else',
  ])('that leave room for doubt are not: %s', (words) => {
    expect(parseExpectation(words, { selectsStar: false })).toBeUndefined();
  });

  test('mean rows when the query selects everything', () => {
    expect(parseExpectation('0', { selectsStar: true })).toEqual({ kind: 'no-rows' });
    expect(parseExpectation('2', { selectsStar: true })).toEqual({ kind: 'row-count', count: 2 });
  });

  test('of a table are cells between bars', () => {
    expect(parseTableRow("a | NULL | 'NULL' | '' |  x y | 'p|q' | 'it''s'")).toEqual([
      'a',
      null,
      'NULL',
      '',
      'x y',
      'p|q',
      "it's",
    ]);
  });
});

describe('verification in a script', () => {
  const verified = (sql: string): unknown =>
    readScript(`DROP TABLE a;\n${sql}`).verifications.map(({ name, expectation }) => [name, expectation]);

  test.each([
    '-- flyback: verify settings\nSELECT 1;\n-- expect: 1',
    '-- flyback: verify settings\nSELECT 1; -- expect: 1',
    '-- flyback: verify settings\n-- and why\nSELECT 1\n-- expect: 1\n;',
    '-- flyback: verify settings\nSELECT 1 -- expect: 1\n+ 0;',
    '-- flyback: verify settings\nSELECT 1;\n-- flyback: expect 1',
    '-- flyback: verify settings\nSELECT 1;\n\n-- expect: 1\n\nDROP TABLE b;',
  ])('pairs a query with what stands behind it: %s', (sql) => {
    expect(verified(sql)).toEqual([['settings', value('1')]]);
    expect(errors(readScript(`DROP TABLE a;\n${sql}`))).toEqual([]);
  });

  test.each([
    'SELECT count(*) FROM b; -- Expected: 0',
    'SELECT count(*) FROM b;\n-- Should be 0 if 002 was rolled back',
    'SELECT count(*) FROM b;\n\n-- expected result: 0',
    'SELECT count(*) FROM b;\n--Expected 0',
  ])('understands the hand-written forms: %s', (sql) => {
    expect(verified(sql)).toEqual([['query on line 2', value('0')]]);
  });

  test('takes a star and a number for a number of rows', () => {
    expect(verified('SELECT i.* FROM b i WHERE c IS NOT NULL;\n-- Should be 0')).toEqual([
      ['query on line 2', { kind: 'no-rows' }],
    ]);
    expect(verified('SELECT count(*) FROM b;\n-- Should be 0')).toEqual([['query on line 2', value('0')]]);
  });

  test('reads a table, ordered when the query is', () => {
    const table =
      '-- expect: table (name, setting)\n--   a | 1\n--   should be | NULL\n-- not a row: another comment follows a gap';
    expect(verified(`SELECT a, b FROM t ORDER BY a;\n${table.replace('\n-- not', '\n\n-- not')}`)).toEqual([
      [
        'query on line 2',
        {
          kind: 'table',
          columns: ['name', 'setting'],
          ordered: true,
          rows: [
            ['a', '1'],
            ['should be', null],
          ],
        },
      ],
    ]);
    expect(verified('SELECT a FROM t;\n-- expect: table\n-- x')).toEqual([
      ['query on line 2', { kind: 'table', ordered: false, rows: [['x']] }],
    ]);
  });

  test('keeps two expectations of one query apart', () => {
    expect(verified('-- flyback: verify a\nSELECT 1; -- expect: 1 row\n-- expect: >= 1')).toEqual([
      ['a', { kind: 'row-count', count: 1 }],
      ['a (2)', { kind: 'comparison', operator: '>=', operand: '1' }],
    ]);
  });

  test('takes verified queries out of what runs, and leaves the others in', () => {
    const script = readScript('DROP TABLE a; SELECT 1; -- expect: 1\nSELECT 2;');
    expect(script.statements.map(({ text }) => text)).toEqual(['DROP TABLE a', 'SELECT 2']);
    expect(codes(script)).toEqual(['query-without-expectation 2']);
  });

  test.each(['SELECT pg_reload_conf()', "SELECT setval('numbers', 1)", 'VALUES (add_partition(1))'])(
    'wants no expectation of a call that stands there for what it does: %s',
    (sql) => {
      const script = readScript(`${sql}; DROP TABLE a;`);
      expect(script.statements.map(({ text }) => text)).toEqual([sql, 'DROP TABLE a']);
      expect(codes(script)).toEqual([]);
    },
  );

  test.each([
    ['verify-without-expectation 2', '-- flyback: verify a\nSELECT 1;'],
    ['verify-without-expectation 2', '-- flyback: verify a\nSELECT 1;\n-- flyback: verify b\nSELECT 2; -- expect: 2'],
    ['verify-without-expectation 2', '-- flyback: verify a\nDELETE FROM b;'],
    ['verify-without-expectation 2', '-- flyback: verify a'],
    ['expectation-without-query 2', '-- expect: 1'],
    ['expectation-without-query 3', 'DELETE FROM b;\n-- expect: 1 row'],
    ['expectation-without-query 3', 'WITH d AS (DELETE FROM b RETURNING 1) SELECT 1;\n-- expect: 1'],
    ['expectation-without-query 3', 'SELECT 1 INTO b;\n-- expect: 1'],
    ['expectation-invalid 3', 'SELECT 1;\n-- expect: the usual things'],
    ['expectation-invalid 3', 'SELECT 1;\n-- expect: table'],
    ['expectation-invalid 3', 'SELECT 1;\n-- expect: table (a, b)\n-- 1'],
    ['expectation-invalid 3', 'SELECT 1;\n-- expect:'],
  ])('is refused when a half is missing or unclear: %s', (code, sql) => {
    expect(errors(readScript(`DROP TABLE a;\n${sql}`))).toContain(code);
  });

  test.each([
    ['follows no query', 'DELETE FROM b;\n-- Expected: 3 rows', 3],
    ['has no form', 'SELECT 1;\n-- Expected: the usual things', 3],
    ['states no value', 'SELECT 1;\n-- Verify that all is well', 3],
    ['may belong', 'SELECT 1;\n\n-- Expected: 0\nSELECT 2;', 4],
  ])('says of a hand-written expectation that it %s', (reason, sql, line) => {
    const script = readScript(`DROP TABLE a;\n${sql}`);
    const found = script.findings.filter(({ code }) => code === 'expectation-not-understood');
    expect(found).toMatchObject([{ severity: 'warning', location: { line } }]);
    expect(found[0]?.message).toContain(reason);
    expect(script.verifications).toEqual([]);
  });

  test('takes headings of the next step for what they are', () => {
    expect(codes(readScript('SELECT a FROM b;\n\n-- Step 2: check the rest\nDROP TABLE a;'))).toEqual([
      'query-without-expectation 1',
    ]);
  });
});
