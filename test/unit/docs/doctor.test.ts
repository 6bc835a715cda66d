import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { areas, catalogue } from '../../../src/doctor/check.js';

const page = readFileSync(fileURLToPath(new URL('../../../docs/doctor.md', import.meta.url)), 'utf8');

it('docs/doctor.md has every check once, under its area and in its order', () => {
  const sections = page.split(/^### /m).slice(1);
  const documented = sections.map((section) => [
    /^\S+/.exec(section)?.[0],
    [...section.matchAll(/^\| `([a-z-]+)` /gm)].map((match) => match[1]),
  ]);
  expect(documented).toEqual(areas.map((area) => [area, catalogue[area]]));
});
