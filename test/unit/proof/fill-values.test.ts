import { describe, expect, it } from 'vitest';
import { hintsOf } from '../../../src/proof/check-hints.js';
import {
  candidateValues,
  distinctValue,
  numericLimits,
  type Reach,
  type TypeFacts,
  type ValueChoice,
} from '../../../src/proof/fill-values.js';

const base = (name: string): TypeFacts => ({ name, isBuiltIn: true, kind: 'base' });
const names = [
  'int2',
  'int4',
  'int8',
  'numeric',
  'text',
  'varchar',
  'bool',
  'date',
  'timestamp',
  'timestamptz',
  'uuid',
  'jsonb',
  'json',
  'bytea',
  'float8',
  'inet',
];
const types = new Map<string, TypeFacts>([
  ...names.map((name) => [name, base(name)] as const),
  ['mood', { name: 'mood', isBuiltIn: false, kind: 'enum', labels: ['a', 'b', 'c'] }],
  ['ints', { name: '_int4', isBuiltIn: true, kind: 'array', of: { type: 'int4', modifier: -1 } }],
  ['span', { name: 'int4range', isBuiltIn: true, kind: 'range', of: { type: 'int4', modifier: -1 } }],
]);
const choice = (reach: Reach): ValueChoice => ({ types, known: new Map(), reach });

/** The modifier of numeric(p,s), as numeric.c packs it. */
const numeric = (precision: number, scale: number): number => ((precision << 16) | (scale & 0x7ff)) + 4;

function values(type: string, modifier = -1, salt = 't.a', reach: Reach = 'full'): readonly (string | undefined)[] {
  return [0, 1, 2].map((row) => distinctValue(choice(reach), { type, modifier, salt }, row));
}

describe('values of a column', () => {
  it.each([...types.keys()].filter((name) => name !== 'bool'))(
    'of %s differ in every row, and are the same each time',
    (type) => {
      const given = values(type);
      expect(new Set(given).size).toBe(3);
      expect(given).not.toContain(undefined);
      expect(values(type)).toEqual(given);
    },
  );

  it.each(['int4', 'numeric', 'text', 'date', 'uuid', 'jsonb', 'float8'])(
    'of %s differ from those of another column',
    (type) => {
      const both = [...values(type), ...values(type, -1, 't.b')];
      expect(new Set(both).size).toBe(6);
    },
  );

  it('fill a varchar to its end, and go no further', () => {
    for (const limit of [1, 2, 3, 8, 50, 255]) {
      for (const value of values('varchar', limit + 4)) expect(Array.from(value ?? '')).toHaveLength(limit);
    }
    for (const value of values('varchar', 204, 't.a', 'modest')) expect(value?.length).toBeLessThanOrEqual(12);
  });

  it('have all decimals of a numeric, and no digit too many', () => {
    for (const [precision, scale] of [
      [10, 2],
      [5, 5],
      [38, 10],
      [1, 0],
    ] as const) {
      for (const value of values('numeric', numeric(precision, scale))) {
        const [whole = '', fraction = ''] = (value ?? '').split('.');
        expect(fraction).toHaveLength(scale);
        expect(whole.replace(/^0$/, '').length).toBe(precision - scale);
        expect(fraction.endsWith('0')).toBe(false);
      }
    }
    expect(numericLimits(numeric(2, -3))).toEqual({ precision: 2, scale: -3 });
    expect(numericLimits(-1)).toBeUndefined();
  });

  it('have microseconds, within the range of their types', () => {
    for (const value of values('timestamp')) expect(value).toMatch(/^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{5}[1-9]$/);
    for (const value of values('int2')) expect(Number(value)).toBeLessThan(32_768);
    for (const value of values('int4')) expect(Number(value)).toBeLessThan(2_147_483_648);
    for (const value of values('int8')) expect(BigInt(value ?? '0') < 2n ** 63n).toBe(true);
    for (const value of values('int8', -1, 't.a', 'modest')) expect(Number(value)).toBeLessThan(32_768);
  });

  it('are none for a type that is not known', () => {
    expect(values('nothing')).toEqual([undefined, undefined, undefined]);
  });
});

describe('candidates near a check', () => {
  const near = (type: string, check: string, modifier = -1): readonly string[] =>
    candidateValues(choice('full'), { type, modifier, salt: 't.a', hints: hintsOf([check]) });

  it('lie between and beside its numbers', () => {
    const numbers = near('int4', '(a > 10 AND a < 20)').map(Number);
    expect(numbers.filter((value) => value > 10 && value < 20).length).toBeGreaterThanOrEqual(3);
    const fractions = near('numeric', '(a > 0 AND a < 1)', numeric(6, 3)).map(Number);
    expect(fractions.filter((value) => value > 0 && value < 1).length).toBeGreaterThanOrEqual(3);
  });

  it('are its texts, and texts like its patterns', () => {
    expect(near('text', `(a = ANY (ARRAY['x'::text, 'y'::text]))`)).toEqual(expect.arrayContaining(['x', 'y']));
    expect(
      near('text', `(a ~ '^[0-9]{4}-x$'::text)`).filter((text) => /^\d{4}-x$/.test(text)).length,
    ).toBeGreaterThanOrEqual(3);
    expect(near('text', '(length(a) = 17)').filter((text) => text.length === 17).length).toBeGreaterThanOrEqual(3);
  });

  it('are days between its days', () => {
    const days = near('date', `(a >= '2030-01-01'::date AND a < '2030-02-01'::date)`);
    expect(days.filter((value) => value >= '2030-01-01' && value < '2030-02-01').length).toBeGreaterThanOrEqual(3);
  });

  it('hold the keys of an object', () => {
    expect(near('jsonb', `(a ? 'name'::text)`).some((text) => text.startsWith('{"name":'))).toBe(true);
  });

  it('are never more than the server can try', () => {
    const many = Array.from({ length: 500 }, (_, at) => `'v${at}'::text`).join(', ');
    expect(near('text', `(a = ANY (ARRAY[${many}]))`).length).toBeLessThanOrEqual(160);
  });
});
