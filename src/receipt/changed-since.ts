import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { FlybackError } from '../errors/error.js';
import type { Version, VersionScheme } from '../history/version.js';
import type { Project } from '../project/project.js';

/**
 * Keys of the versions whose migration or rollback script differs from what the git revision has: committed since, changed
 * and not committed, or new; and of every version above a fixture that does. Throws FlybackError revision-unknown when git cannot tell.
 */
export async function changedSince(
  project: Pick<Project, 'config' | 'pairs' | 'toolbox'>,
  revision: string,
): Promise<ReadonlySet<string>> {
  const folder = project.config.projectFolder;
  const refuse = (why: string, hint: string): FlybackError =>
    new FlybackError('revision-unknown', `Nobody can tell what changed since ${revision}: ${why}.`, { hint });
  const inside = await git(folder, ['rev-parse', '--show-toplevel']);
  if (inside.kind === 'no-git') throw refuse('git cannot be started', 'Install git, or name the versions to prove.');
  if (inside.kind === 'failed') {
    throw refuse(`${folder} is in no git repository (${inside.words})`, 'Name the versions to prove, or prove --all.');
  }
  const top = inside.text.replace(/\r?\n$/, '');
  // Whatever the revision is, it must not be taken for an option.
  const commit = await git(folder, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`]);
  if (commit.kind !== 'done') {
    throw refuse(
      'git knows no such revision here',
      'In a shallow clone, fetch it first: git fetch --depth=1 origin REVISION',
    );
  }
  const lists = await Promise.all([
    git(top, ['diff', '--name-only', '--no-renames', '-z', commit.text.trim()]),
    git(top, ['ls-files', '--others', '--exclude-standard', '-z']),
  ]);
  const files = new Set<string>();
  for (const list of lists) {
    if (list.kind !== 'done')
      throw refuse(list.kind === 'failed' ? list.words : 'git cannot be started', 'See git status.');
    for (const name of list.text.split('\0')) if (name !== '') files.add(path.join(top, name));
  }
  const { versions } = project.toolbox.history;
  const given = project.config.prove.fixturesFolder;
  const fixtures = given === undefined ? [] : await fixturesIn(given, files, versions);
  const changed = new Set<string>();
  for (const { version, migration, script } of project.pairs) {
    for (const file of [migration?.file, script?.file]) {
      if (file !== undefined && files.has(await realpath(file).catch(() => file))) changed.add(version.key);
    }
    if (fixtures.some((fixture) => versions.compare(fixture, version) < 0)) changed.add(version.key);
  }
  return changed;
}

/** Versions of the fixtures among these files, also of those that are gone. */
async function fixturesIn(
  folder: string,
  files: ReadonlySet<string>,
  versions: VersionScheme,
): Promise<readonly Version[]> {
  const real = await realpath(folder).catch(() => folder);
  return [...files].flatMap((file) => {
    if (!file.startsWith(`${real}${path.sep}`)) return [];
    return versions.parse(/^F(.+?)__.*\.sql$/.exec(path.basename(file))?.[1] ?? '') ?? [];
  });
}

type Answer =
  | { readonly kind: 'done'; readonly text: string }
  | { readonly kind: 'failed'; readonly words: string }
  | { readonly kind: 'no-git' };

function git(folder: string, words: readonly string[]): Promise<Answer> {
  return new Promise((resolve) => {
    execFile('git', ['-C', folder, ...words], { maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      if (error === null) resolve({ kind: 'done', text: stdout });
      else if (error.code === 'ENOENT') resolve({ kind: 'no-git' });
      else
        resolve({ kind: 'failed', words: (stderr.split('\n', 1)[0] ?? '').replace(/^fatal: /, '') || error.message });
    });
  });
}
