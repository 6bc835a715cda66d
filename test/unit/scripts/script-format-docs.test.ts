import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { directiveNames } from '../../../src/scripts/directives.js';
import { scriptFindings } from '../../../src/scripts/script-findings.js';
import { codes, errors, readScript } from './read-script.js';

const page = readFileSync(new URL('../../../docs/script-format.md', import.meta.url), 'utf8');
const examples = [...page.matchAll(/^```sql(?: refused: ([a-z-]+))?\n(.*?)^```$/gms)].map(([, refused, sql = '']) => ({
  refused,
  sql,
}));

describe('docs/script-format.md', () => {
  test('has examples of both kinds', () => {
    expect(examples.filter(({ refused }) => refused === undefined).length).toBeGreaterThanOrEqual(4);
    expect(examples.filter(({ refused }) => refused !== undefined).length).toBeGreaterThanOrEqual(8);
  });

  test.each(examples.filter(({ refused }) => refused === undefined))(
    'has examples that are accepted: $sql',
    ({ sql }) => {
      const script = readScript(sql);
      expect(errors(script)).toEqual([]);
      expect(script.statements.length).toBeGreaterThan(0);
    },
  );

  test.each(examples.filter(({ refused }) => refused !== undefined))(
    'has examples that are refused: $refused',
    (example) => {
      const { refused, sql } = example;
      expect(errors(readScript(sql)).map((code) => code.replace(/ \d+$/, ''))).toEqual([refused]);
    },
  );

  test('shows every form of an expectation at work', () => {
    const kinds = examples.flatMap(({ sql }) =>
      readScript(sql).verifications.map(({ expectation }) => expectation.kind),
    );
    expect([...new Set(kinds)].sort()).toEqual(['comparison', 'every', 'no-rows', 'table', 'value']);
    expect(page).toContain('`3 rows`');
  });

  test('names every directive, and each example of the table is valid', () => {
    const rows = [...page.matchAll(/^\| `(-- flyback: ([a-z-]+)[^`]*)` +\|/gm)];
    expect(rows.map(([, , name]) => name)).toEqual([...directiveNames]);
    for (const [, comment = '', name] of rows) {
      if (name === 'verify' || name === 'expect' || name === 'stub') continue;
      expect(codes(readScript(`${comment}\nDROP TABLE a;`)), comment).toEqual([]);
    }
  });

  test('lists every finding with its severity', () => {
    const rows = [...page.matchAll(/^\| `([a-z-]+)` +\| (error|warning|info) +\|/gm)].map(([, code, severity]) => [
      code,
      severity,
    ]);
    expect(rows).toEqual(Object.entries(scriptFindings).map(([code, [severity]]) => [code, severity]));
  });
});
