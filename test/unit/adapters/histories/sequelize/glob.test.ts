import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Umzug } from 'umzug';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFiles, readGlob } from '../../../../../adapters/histories/sequelize/glob.js';

let folder: string;

const files = [
  'migrations/2026.01.01T00.00.00.a.js',
  'migrations/20260101-b.ts',
  'migrations/20260101-b.d.ts',
  'migrations/c.up.sql',
  'migrations/c.down.sql',
  'migrations/.hidden.js',
  'migrations/down/c.up.sql',
  'migrations/deep/er/d.js',
  'migrations/.git/e.js',
  'other/f.js',
];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'flyback-glob-'));
  for (const file of files) {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), '');
  }
});
afterAll(() => rm(folder, { recursive: true }));

describe('the files of a pattern', () => {
  it.each([
    'migrations/*.js',
    'migrations/*.{js,ts}',
    'migrations/*.up.sql',
    'migrations/**/*.js',
    '**/*.sql',
    '{migrations,other}/*.js',
    'migrations/2026*',
    'migrations/202?????-b.ts',
    'migrations/[a-c].up.sql',
    'migrations/20260101-b.ts',
    './other/*.js',
  ])('%s: as the real Umzug finds them, in its order', async (pattern) => {
    const umzug = new Umzug({
      migrations: { glob: [pattern, { cwd: folder }], resolve: ({ name }) => ({ name, up: async () => undefined }) },
      logger: undefined,
      storage: {
        executed: async () => [],
        logMigration: async () => undefined,
        unlogMigration: async () => undefined,
      },
    });
    const theirs = (await umzug.pending()).map(({ name }) => name);
    const glob = readGlob(pattern, folder);
    const ours = glob === undefined ? undefined : findFiles(glob)?.map((file) => path.basename(file));
    expect(ours).toEqual(theirs);
    expect(theirs).not.toEqual([]);
  });

  it.each(['!migrations/*.js', 'migrations/!(a).js', 'migrations/{a,b.js', ''])('%s is not understood', (pattern) => {
    expect(readGlob(pattern, folder)).toBeUndefined();
  });

  it('are unknown where the folder is not there', () => {
    const glob = readGlob('nowhere/*.js', folder);
    expect(glob === undefined ? 'none' : findFiles(glob)).toBeUndefined();
  });
});
