import { describe, expect, it } from 'vitest';
import { compareLargeObjects, compareSequences, standsBehind } from '../../../src/proof/compare-sequences.js';
import type { SequencePosition } from '../../../src/proof/compare-sequences.js';
import { differenceText } from '../../../src/proof/difference-text.js';
import { gradeOfCatalog } from '../../../src/proof/grade.js';

const at = (next: string, direction: SequencePosition['direction'] = 'up'): ReadonlyMap<string, SequencePosition> =>
  new Map([['public.n', { next, direction }]]);

describe('positions of sequences', () => {
  it.each([
    ['5', '5', 'up', 'exact'],
    ['5', '6', 'up', 'residue'],
    ['5', '1', 'up', 'different'],
    ['-5', '-6', 'down', 'residue'],
    ['-5', '-1', 'down', 'different'],
    ['5', '1', 'cycle', 'residue'],
    ['9223372036854775806', '9223372036854775807', 'up', 'residue'],
    ['9223372036854775807', '9223372036854775806', 'up', 'different'],
  ] as const)('from %s to %s, counting %s: %s', (before, after, direction, grade) => {
    expect(gradeOfCatalog(compareSequences(at(before, direction), at(after, direction)))).toBe(grade);
  });

  it('leave those that are there only once to the catalog', () => {
    expect(compareSequences(at('5'), new Map())).toEqual([]);
    expect(compareSequences(new Map(), at('5'))).toEqual([]);
  });

  it('are told with their values, and with what follows from them', async () => {
    expect(await differenceText({ changes: compareSequences(at('5'), at('9')), rows: [] })).toBe(
      'sequence position public.n is not as it was\n  - next value: 5\n  + next value: 9',
    );
    expect(await differenceText({ changes: compareSequences(at('5'), at('1')), rows: [] })).toBe(
      'sequence position public.n is not as it was: values that it gave before come again, as duplicates\n  - next value: 5\n  + next value: 1',
    );
  });

  it('say nothing of other objects', () => {
    const object = { kind: 'sequence', name: 'public.n', properties: { 'next value': '5' } };
    expect(
      standsBehind({
        change: 'different',
        kind: 'sequence',
        name: 'public.n',
        before: object,
        after: object,
        properties: [],
      }),
    ).toBe(false);
  });
});

describe('large objects', () => {
  it('count where their content differs', () => {
    const before = new Map([
      ['1', 'aa'],
      ['2', 'bb'],
      ['3', 'cc'],
    ]);
    const changes = compareLargeObjects(
      before,
      new Map([
        ['1', 'aa'],
        ['2', 'xx'],
        ['4', 'dd'],
      ]),
    );
    expect(changes.map(({ name }) => name)).toEqual(['2']);
    expect(gradeOfCatalog(changes)).toBe('data-lost');
  });
});
