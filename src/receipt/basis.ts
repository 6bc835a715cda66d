import { sha256 } from '../fingerprint/fingerprint.js';
import type { Migration } from '../history/migration.js';
import type { Project } from '../project/project.js';
import { inOrder } from '../scratch/apply-migrations.js';
import { checksumOfFile } from '../scripts/read-script-file.js';
import { digestOfFixtures, readFixtures } from '../scratch/fixtures.js';

/** Everything that the proof of a version rests upon, as digests of 32 hex characters. */
export interface Basis {
  /** Every versioned migration up to this one, in their order: script names, contents, and what they say of themselves. */
  readonly migrations: string;
  /** This version's migration alone. */
  readonly migration: string;
  /** The bytes of the rollback script. */
  readonly script: string;
  /** The fixtures of the versions below this one; undefined where there are none. */
  readonly fixtures?: string | undefined;
}

/**
 * The bases of all versions that have a migration and a rollback script, by the key of the version. Line endings of
 * migrations do not count, as they do not for the migration tool. Throws FlybackError fixtures-invalid.
 */
export function basesOf(
  project: Pick<Project, 'config' | 'migrations' | 'pairs' | 'toolbox' | 'functions'>,
): ReadonlyMap<string, Basis> {
  const scripts = new Map(project.pairs.map(({ version, script }) => [version.key, script]));
  const programs = project.functions === undefined ? 'leave-out' : 'include';
  const versioned = inOrder(project.migrations.migrations, project.toolbox, programs).filter(
    ({ kind }) => kind === 'versioned',
  );
  const given = readFixtures(project);
  const bases = new Map<string, Basis>();
  let migrations = '';
  for (const item of versioned) {
    const migration = item.isSql ? digestOfMigration(item) : digestOfProgram(item);
    migrations = short(`${migrations}\n${migration}`);
    const script = item.version === undefined ? undefined : scripts.get(item.version.key);
    if (item.version === undefined || script === undefined) continue;
    const fixtures = digestOfFixtures(given, item.version, project.toolbox)?.slice(0, length);
    bases.set(item.version.key, {
      migrations,
      migration,
      script: script.checksum.slice(0, length),
      ...(fixtures === undefined ? {} : { fixtures }),
    });
  }
  return bases;
}

function digestOfMigration({ script, sql, executeInTransaction, placeholderReplacement }: Migration): string {
  const said = [executeInTransaction, placeholderReplacement].map((value) => String(value ?? 'not said'));
  return short([script, ...said, sql.replaceAll(/\r\n?/g, '\n')].join('\n'));
}

/** What it imports besides is not known. */
function digestOfProgram({ script, file }: Migration): string {
  return short([script, checksumOfFile(file)].join('\n'));
}

const length = 32;

function short(text: string): string {
  return sha256(text).slice(0, length);
}
