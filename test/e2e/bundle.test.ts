import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

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

it('the common part of the command imports nothing late: compiled code that was kept cannot', () => {
  const text = readFileSync(`${dist}cli/common.cjs`, 'utf8');
  expect(text).toMatch(/require\([`'"]node:/);
  expect(text).not.toMatch(/import\([`'"]/);
});

describe('compiled code', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'flyback-bundle-'));
    cpSync(dist, path.join(folder, 'dist'), { recursive: true, filter: (file) => !file.endsWith('.cache') });
    writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const kept = (): readonly string[] =>
    readdirSync(path.join(folder, 'dist/cli')).filter((name) => name.endsWith('.cache'));
  const run = (...commandLine: readonly string[]): { readonly status: number | null; readonly output: string } => {
    const project = mkdtempSync(path.join(folder, 'project-'));
    const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(folder, 'dist/cli.js'), ...commandLine], {
      cwd: project,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: project },
    });
    return { status, output: `${stdout}${stderr}`.replaceAll(project, '') };
  };

  it('is kept once a command has done its work, and the next run does the same', () => {
    const first = run('init');
    expect(first).toMatchObject({ status: 0 });
    expect(kept()).toEqual([expect.stringMatching(/^common\.init\.[0-9a-f]+\.cache$/)]);
    expect(run('init')).toEqual(first);
    expect(kept()).toHaveLength(1);
  });

  it('is not kept of a help text, of an unknown command, of one that failed', () => {
    expect(run('init', '--help')).toMatchObject({ status: 0 });
    expect(run('innit')).toMatchObject({ status: 2 });
    expect(run('status')).toMatchObject({ status: 2 });
    expect(kept()).toEqual([]);
  });
});
