import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkOfColumn, hintsOf, namesColumn, textLike } from '../../../src/proof/check-hints.js';

describe('hints of a check', () => {
  // Left: as PostgreSQL 18 writes these checks (pg_get_constraintdef).
  it.each([
    [`((price > (0)::numeric) AND (price < 99.50))`, { numbers: ['0', '99.50'], texts: [], patterns: [] }],
    [`(a < '-5'::integer)`, { numbers: ['-5'], texts: ['-5'], patterns: [] }],
    [
      `(state = ANY (ARRAY['new'::text, 'it''s shipped'::text]))`,
      { numbers: [], texts: ['new', "it's shipped"], patterns: [] },
    ],
    [
      `((state)::text = ANY ('{open,"closed, late"}'::text[]))`,
      { numbers: [], texts: ['open', '"closed', ' late"', '{open,"closed, late"}'], patterns: [] },
    ],
    [`(code ~ '^[A-Z]+$'::text)`, { numbers: [], texts: [], patterns: ['^[A-Z]+$'] }],
    [`((code)::text ~* E'^\\\\d+$'::text)`, { numbers: [], texts: [], patterns: ['^\\d+$'] }],
    [`(code !~ '\\s'::text)`, { numbers: [], texts: ['\\s'], patterns: [] }],
    [`(code ~~ 'a.c\\_%'::text)`, { numbers: [], texts: [], patterns: ['^a\\.c\\_\\w{3,9}$'] }],
    [`(code ~ similar_to_escape('(x|y)%'::text))`, { numbers: [], texts: [], patterns: ['^((x|y)\\w{3,9})$'] }],
    [`(at >= '2030-01-01'::date)`, { numbers: [], texts: ['2030-01-01'], patterns: [] }],
  ])('%s', (expression, expected) => {
    expect(hintsOf([expression])).toEqual(expected);
  });

  it('finds columns by their names, not in texts', () => {
    expect(namesColumn(`(state = 'other'::text)`, 'state')).toBe(true);
    expect(namesColumn(`(state = 'other'::text)`, 'other')).toBe(false);
    expect(namesColumn(`("Odd ""name""" > 3)`, 'Odd "name"')).toBe(true);
    expect(namesColumn('(states > 3)', 'state')).toBe(false);
  });

  it('says the check of a domain of a column', () => {
    expect(checkOfColumn(`((VALUE > 0) AND ("VALUE" <> 'VALUE'::text))`, '"my ""column"""')).toBe(
      `(("my ""column""" > 0) AND ("VALUE" <> 'VALUE'::text))`,
    );
  });
});

describe('a text like a regular expression', () => {
  // The server reads them a little differently; for these the two agree.
  it.each([
    '^[A-Z]{2}-\\d{4}$',
    '^(foo|bar)_[a-z]+[0-9]?$',
    '^https?://[^/ ]+/',
    '^[^@]+@[^@]+\\.[a-z]{2,}$',
    '^#[0-9a-f]{6}$',
    '^\\+?[1-9]\\d{1,14}$',
    '^([01]\\d|2[0-3]):[0-5]\\d$',
    '^[a-z0-9]+(?:-[a-z0-9]+)*$',
    '^\\w+$',
    'x{3}',
    '^$',
    '^.{5,8}$',
    '^[]a-]+$',
    '^\\.\\*$',
  ])('%s', (pattern) => {
    const texts = Array.from({ length: 20 }, (_, at) => textLike(pattern, at));
    for (const text of texts) expect(text).toMatch(new RegExp(pattern.replace('[]a-]', '[\\]a-]')));
  });

  it('gives others for other numbers, and the same for the same', () => {
    const texts = Array.from({ length: 10 }, (_, at) => textLike('^[a-z]{8}$', at));
    expect(new Set(texts).size).toBe(10);
    expect(textLike('^[a-z]{8}$', 3)).toBe(texts[3]);
  });

  it.each(['^(?!x).*$', '^(a)\\1$', '(((', '[a-', 'a{2', '*a', '\\'])(
    'gives none where it does not understand: %s',
    (pattern) => {
      const text = textLike(pattern, 1);
      // A brace that repeats nothing is a brace.
      expect(pattern === 'a{2' ? undefined : text).toBeUndefined();
    },
  );

  it('ends for any text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), fc.nat(), (pattern, number) => {
        const text = textLike(pattern, number);
        expect(text === undefined || text.length <= 5000).toBe(true);
      }),
    );
    expect(textLike('(((a{1,99}){1,99}){1,99}){9,99}', 1)).toBeUndefined();
  });
});
