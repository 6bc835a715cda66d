import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
const notices = readFileSync(`${dist}THIRD-PARTY.txt`, 'utf8');

/** One part for each package, by name. */
const parts = new Map(
  notices
    .split(/^-{80}$/m)
    .flatMap((part) => [...part.matchAll(/^(\S+) \d+\.\S+ \([^)]+\)\n([^]*)/gm)])
    .map(([, name = '', text = '']) => [name, text]),
);

it.each(['commander', 'pg', 'pg-protocol', 'pg-types', 'pgpass', 'smol-toml', 'split2'])(
  'the licence of %s, which is in the command line, comes along with its text',
  (name) => {
    const text = parts.get(name) ?? '';
    expect(text).toMatch(/copyright/i);
    expect(text).toMatch(
      /THE SOFTWARE IS PROVIDED "AS IS"|THIS SOFTWARE IS PROVIDED BY|THE SOFTWARE IS PROVIDED 'AS IS'/,
    );
  },
);

it('what is not in the command line is not named', () => {
  expect([...parts.keys()]).not.toContain('libpg-query');
});

it('the library bundles no package: it takes those that are installed', () => {
  const files = ['index.js', 'vitest.js', ...readdirSync(`${dist}chunks`).map((name) => `chunks/${name}`)];
  const texts = files.map((name) => readFileSync(dist + name, 'utf8'));
  expect(texts.some((text) => /import\([`'"]pg[`'"]\)/.test(text))).toBe(true);
  expect(texts.some((text) => text.includes('SASLInitialResponse'))).toBe(false);
  const command = readdirSync(`${dist}cli`).map((name) => readFileSync(`${dist}cli/${name}`, 'utf8'));
  expect(command.some((text) => text.includes('SASLInitialResponse'))).toBe(true);
});
