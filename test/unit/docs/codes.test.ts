import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { errorCodes } from '../../../src/errors/error.js';
import { scriptFindings } from '../../../src/scripts/script-findings.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const errorsPage = readFileSync(`${root}docs/errors.md`, 'utf8');
const findingsPage = readFileSync(`${root}docs/findings.md`, 'utf8');

/** Code → severities that the page gives it. */
function documentedFindings(page: string): ReadonlyMap<string, string> {
  return new Map(
    [...page.matchAll(/^\| `([a-z-]+)` +\| ([a-z ]+?) +\|/gm)].map((match) => [match[1] ?? '', match[2] ?? '']),
  );
}

/** Code → severities written beside it: `code: 'x'`, `code: test ? 'x' : 'y'`, and calls of functions that take a code first. */
function findingsIn(source: string): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  const note = (code: string, severity: string | undefined): void => {
    const severities = found.get(code) ?? new Set<string>();
    if (severity !== undefined) severities.add(severity);
    found.set(code, severities);
  };
  for (const match of source.matchAll(
    /\bcode:\s*([^,;\n]*'[a-z]+(?:-[a-z]+)*'[^,;\n]*)[,;}](?:\s*(?:\/\/[^\n]*\n\s*)?severity: '([a-z]+)',)?/g,
  )) {
    for (const [, code] of (match[1] ?? '').matchAll(/'([a-z]+(?:-[a-z]+)+)'/g)) note(code ?? '', match[2]);
  }
  const takers = [...source.matchAll(/\bfunction (\w+)\(\s*code:/g), ...source.matchAll(/\b(\w+) = \(\s*code:/g)].map(
    (match) => match[1] ?? '',
  );
  for (const taker of takers) {
    for (const [, code] of source.matchAll(new RegExp(`\\b${taker}\\(\\s*'([a-z]+(?:-[a-z]+)+)'`, 'g')))
      note(code ?? '', undefined);
  }
  return found;
}

function sourceFiles(folder: string): readonly string[] {
  return readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.join(root, folder, name));
}

const inSources = new Map<string, ReadonlySet<string>>(
  Object.entries(scriptFindings).map(([code, [severity]]) => [code, new Set([severity])]),
);
for (const file of [...sourceFiles('src'), ...sourceFiles('adapters')]) {
  for (const [code, severities] of findingsIn(readFileSync(file, 'utf8'))) {
    // An error of the same name is documented as an error, unless it is a finding as well.
    if (Object.hasOwn(errorCodes, code) && severities.size === 0) continue;
    inSources.set(code, new Set([...(inSources.get(code) ?? []), ...severities]));
  }
}

describe('docs/errors.md', () => {
  const sections = [...errorsPage.matchAll(/^(#{2,3}) (.+)$/gm)].map((match) => ({
    level: (match[1] ?? '').length,
    title: match[2] ?? '',
  }));

  it('has one section for every error code, under its exit code', () => {
    let exitCode = 0;
    const documented: [string, number][] = [];
    for (const { level, title } of sections) {
      if (level === 2) exitCode = Number(/^Exit code (\d)/.exec(title)?.[1]);
      else documented.push([title, exitCode]);
    }
    expect(documented.toSorted()).toEqual(Object.entries(errorCodes).toSorted());
  });

  it('says for each what happened and what to do', () => {
    const bodies = errorsPage.split(/^### /m).slice(1);
    const incomplete = bodies.filter((body) => !/\*\*What happened:\*\* \S[^]*\*\*What to do:\*\* \S/.test(body));
    expect(incomplete).toEqual([]);
  });
});

describe('docs/findings.md', () => {
  const documented = documentedFindings(findingsPage);

  it('has every finding code of the sources, and no other', () => {
    expect(inSources.size).toBeGreaterThan(80);
    expect([...documented.keys()].toSorted()).toEqual([...inSources.keys()].toSorted());
  });

  it('gives each code once, so that no two meanings contradict', () => {
    const rows = [...findingsPage.matchAll(/^\| `([a-z-]+)` /gm)].map((match) => match[1]);
    const shared = rows.filter((code, index) => rows.indexOf(code) !== index);
    // A placeholder may be unknown in a migration and in a rollback script.
    expect(shared).toEqual(['placeholder-unknown']);
  });

  it('gives the severity that the sources give', () => {
    const wrong = [...inSources].filter(([code, severities]) =>
      [...severities].some((severity) => documented.get(code)?.split(' or ').includes(severity) !== true),
    );
    expect(wrong).toEqual([]);
  });
});

describe('the search for finding codes', () => {
  it('sees literals, choices between two, and functions that take a code first', () => {
    const source = `
      findings.push({ code: 'one-thing', severity: 'error', subject });
      return { code: isOdd ? 'odd-thing' : 'even-thing', severity };
      const refuse = (code: string, message: string): void => {};
      refuse('third-thing', 'text');
      function add(code: Code): void {}
      add(
        'fourth-thing',
      );
      other('no-code');`;
    const found = findingsIn(source);
    expect([...found.keys()].toSorted()).toEqual([
      'even-thing',
      'fourth-thing',
      'odd-thing',
      'one-thing',
      'third-thing',
    ]);
    expect(found.get('one-thing')).toEqual(new Set(['error']));
  });
});
