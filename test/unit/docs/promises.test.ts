import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const page = readFileSync(`${root}docs/promises.md`, 'utf8');

/** Rows "`file` | title" of the page's tables, with the promise they stand under. */
function namedTests(text: string): readonly { promise: number; file: string; title: string }[] {
  return text.split(/^## /m).flatMap((section) => {
    const promise = Number(/^(\d+)\./.exec(section)?.[1] ?? 0);
    return [...section.matchAll(/^\| `(test\/[^`]+)`\s*\| (.+?)\s*\|$/gm)].map(([, file = '', title = '']) => ({
      promise,
      file,
      title,
    }));
  });
}

function isThere({ file, title }: { readonly file: string; readonly title: string }): boolean {
  return existsSync(`${root}${file}`) && readFileSync(`${root}${file}`, 'utf8').includes(title);
}

const named = namedTests(page);

describe('docs/promises.md', () => {
  it.each([1, 2, 3, 4, 5, 6, 9, 10])('names at least two tests for promise %i', (promise) => {
    expect(named.filter((test) => test.promise === promise).length).toBeGreaterThanOrEqual(2);
  });

  it.each(named)('$promise: $file has "$title"', (test) => {
    expect(isThere(test)).toBe(true);
  });

  it('would notice a test that is gone', () => {
    const [first] = named;
    expect(first).toBeDefined();
    expect(isThere({ file: first?.file ?? '', title: 'a title that no test has' })).toBe(false);
    expect(isThere({ file: 'test/gone.test.ts', title: '' })).toBe(false);
  });
});
