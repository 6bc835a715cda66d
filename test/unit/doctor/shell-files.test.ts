import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findShellFiles, shellMistakes } from '../../../src/doctor/shell-files.js';

const mistakesIn = (text: string): readonly string[] =>
  shellMistakes([{ file: '/p/rollback.sh', text }]).map(({ code, location }) => `${code} ${location?.line ?? 0}`);

describe('a version set by force', () => {
  it.each([
    ['golang-migrate in a function', 'down() {\n  migrate -path db -database "$URL" force 1\n}', 2],
    ['over several lines', 'migrate -path db \\\n  -database "$URL" \\\n  force "$TO"', 1],
    ['in a Makefile', 'rollback:\n\tmigrate -path migrations -database $(URL) force $(V)', 2],
  ] as const)('%s', (_name, text, line) => {
    expect(mistakesIn(text)).toEqual([`shell-force-version ${line}`]);
  });

  it.each([
    ['a rollback that runs', 'migrate -path db -database "$URL" down 1'],
    ['another command with force', 'git push --force origin main; rm -f x; helm upgrade --force migrate 1'],
    ['a comment', '# migrate -path db force 1\necho done # migrate force 2'],
    ['force in the next command', 'migrate -path db up && docker volume prune --force all'],
  ])('not: %s', (_name, text) => {
    expect(mistakesIn(text)).toEqual([]);
  });
});

describe('a plain dump given to pg_restore', () => {
  it.each([
    ['by its name', 'pg_dump db > backup.sql\npg_restore --list backup.sql', 2],
    ['short', 'pg_restore -l dump.sql | head', 1],
    [
      'by a variable',
      'FILE="backup_$(date +%F).sql"\npg_dump -d db -f "$FILE"\npg_restore --list "${FILE}" > /dev/null',
      3,
    ],
    ['whatever it is called', 'OUT=before.bak\npg_dump db >"$OUT"\npg_restore -l $OUT', 3],
    ['in a Makefile', 'DUMP := x.sql\nbackup:\n\tpg_dump db > $(DUMP)\n\tpg_restore --list $(DUMP)', 4],
  ] as const)('%s', (_name, text, line) => {
    expect(mistakesIn(text)).toEqual([`shell-plain-dump-listed ${line}`]);
  });

  it.each([
    ['a custom-format dump', 'pg_dump -Fc db > backup.dump\npg_restore --list backup.dump'],
    ['custom format in other words', 'pg_dump --format=custom -f b.dump db\npg_restore -l b.dump'],
    ['a directory', 'OUT=b\npg_dump -F d -f $OUT db\npg_restore -l $OUT'],
    ['a plain dump that psql reads', 'pg_dump db > backup.sql\npsql -d scratch -f backup.sql'],
    ['a list used to restore', 'pg_restore -L chosen.list backup.dump'],
  ])('not: %s', (_name, text) => {
    expect(mistakesIn(text)).toEqual([]);
  });
});

describe('the files that are looked at', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'flyback-shell-'));
    mkdirSync(path.join(folder, 'rollbacks', 'tools'), { recursive: true });
    mkdirSync(path.join(folder, 'vendor'));
    for (const name of [
      'Makefile',
      'run.sh',
      'notes.md',
      'rollbacks/R1__x.sql',
      'rollbacks/tools/undo.bash',
      'vendor/x.sh',
    ])
      writeFileSync(path.join(folder, name), 'true');
    writeFileSync(path.join(folder, 'huge.sh'), ' '.repeat(2 * 1024 * 1024));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('are scripts and Makefiles of the project folder, and of everything below the rollbacks folder', () => {
    const found = findShellFiles(folder, path.join(folder, 'rollbacks')).map(({ file }) => path.relative(folder, file));
    expect(found).toEqual(['Makefile', 'rollbacks/tools/undo.bash', 'run.sh']);
  });

  it('may be none', () => {
    expect(findShellFiles(path.join(folder, 'no'), path.join(folder, 'nowhere'))).toEqual([]);
  });
});
