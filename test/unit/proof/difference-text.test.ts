import { expect, test } from 'vitest';
import type { CatalogObject } from '../../../src/proof/catalog.js';
import { differenceText } from '../../../src/proof/difference-text.js';

function routine(body: string): CatalogObject {
  return { kind: 'function', name: 'public.f()', properties: { definition: body } };
}

test('the text of a function is told as a unified diff', async () => {
  const body = (sixth: string): string => ['one', 'two', 'three', 'four', 'five', sixth, 'seven'].join('\n');
  const [before, after] = [routine(body('six')), routine(body('6'))];
  const changes = [
    { change: 'different', kind: 'function', name: 'public.f()', before, after, properties: ['definition'] } as const,
  ];
  expect(await differenceText({ changes, rows: [] })).toBe(
    [
      'function public.f() is not as it was',
      '  definition:',
      '  @@ -3,5 +3,5 @@',
      '   three',
      '   four',
      '   five',
      '  -six',
      '  +6',
      '   seven',
    ].join('\n'),
  );
});

test('what has one line is told in full', async () => {
  const [before, after] = [routine('one'), routine('two')];
  const changes = [
    { change: 'different', kind: 'function', name: 'public.f()', before, after, properties: ['definition'] } as const,
  ];
  expect(await differenceText({ changes, rows: [] })).toBe(
    ['function public.f() is not as it was', '  - definition: one', '  + definition: two'].join('\n'),
  );
});
