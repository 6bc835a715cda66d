import { expect, test } from 'vitest';
import { printTable } from '../../../../src/cli/output/table.js';

test('columns are as wide as their widest cell, and lines end without blanks', async () => {
  expect(
    await printTable(
      ['version', 'state'],
      [
        ['1', 'applied'],
        ['20260101120000', ''],
      ],
    ),
  ).toBe(['version         state', '1               applied', '20260101120000'].join('\n'));
});

test('a header without rows stands alone', async () => {
  expect(await printTable(['version', 'state'], [])).toBe('version  state');
});

test('letters that take two places of a terminal, or none, keep the columns aligned', async () => {
  const text = await printTable(
    ['what', 'next'],
    [
      ['日本', 'x'],
      ['e\u0301te\u0301', 'x'],
      ['한글', 'x'],
      ['✅', 'x'],
      ['Größe', 'x'],
    ],
  );
  expect(text.split('\n')).toEqual([
    'what   next',
    '日本   x',
    'e\u0301te\u0301    x',
    '한글   x',
    '✅     x',
    'Größe  x',
  ]);
});

test('a line break in a cell does not break the row', async () => {
  expect(await printTable(['reason', 'by'], [['one\r\n  two', 'me']])).toBe(['reason   by', 'one two  me'].join('\n'));
});

test('ten thousand rows are one line each', async () => {
  const rows = Array.from({ length: 10_000 }, (_, index) => [String(index), `create table number ${index}`]);
  const lines = (await printTable(['version', 'description'], rows)).split('\n');
  expect(lines).toHaveLength(10_001);
  expect(lines.at(-1)).toBe('9999     create table number 9999');
});
