import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { MigrationSet } from '../../../src/adapter/history.js';
import type { Finding } from '../../../src/errors/finding.js';
import type { Migration } from '../../../src/history/migration.js';
import type { KnexSettings } from './settings.js';
import { knexVersions, splitName } from './versions.js';

/**
 * The files that Knex would load, in its order (fs-migrations.js of 3.3): those directly in the folders, by name over all of
 * them, or folder by folder. They are programs, so nothing of them is read.
 */
export async function loadMigrations(settings: KnexSettings): Promise<MigrationSet> {
  const findings: Finding[] = [];
  if (settings.hasOwnSource) return { migrations: [], scannedFolders: [], findings };
  const folders = settings.directories.map((folder) =>
    listFiles(folder, findings)
      .filter((name) => settings.loadExtensions.includes(path.extname(name)))
      .map((name) => ({ folder, name })),
  );
  const files = folders.flat();
  if (!settings.sortDirsSeparately) files.sort((a, b) => byText(a.name, b.name));
  const migrations = files.flatMap(({ folder, name }): readonly Migration[] => {
    const version = knexVersions.parse(name);
    if (version === undefined) return [];
    return [
      {
        kind: 'versioned',
        version,
        description: splitName(name).words,
        script: name,
        file: path.join(folder, name),
        isSql: false,
        checksum: null,
        sql: '',
      },
    ];
  });
  reportDuplicates(migrations, findings);
  // Knex reads no .sql file unless it is told to, so that rollback scripts may lie beside migrations.
  const scannedFolders = settings.loadExtensions.includes('.sql') ? settings.directories : [];
  return { migrations, scannedFolders, findings };
}

function listFiles(folder: string, findings: Finding[]): readonly string[] {
  try {
    return readdirSync(folder).sort(byText);
  } catch (error) {
    findings.push({
      code: 'location-missing',
      severity: 'error',
      subject: folder,
      message: `The folder of migrations ${folder} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown reason'}); Knex fails at it.`,
      hint: 'Correct migrations.directory in the knexfile, or directory under [knex] in flyback.toml.',
    });
    return [];
  }
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function reportDuplicates(migrations: readonly Migration[], findings: Finding[]): void {
  const seen = new Map<string, Migration>();
  for (const migration of migrations) {
    const key = migration.version?.key ?? '';
    const earlier = seen.get(key);
    if (earlier === undefined) {
      seen.set(key, migration);
      continue;
    }
    findings.push({
      code: 'migration-duplicate',
      severity: 'error',
      subject: key,
      message:
        earlier.script === migration.script
          ? `Two files have the name ${migration.script}: ${earlier.file} and ${migration.file}. Knex keeps one row for both.`
          : `${earlier.file} and ${migration.file} differ in their extension alone: to Knex these are two migrations, and it would run both.`,
      hint: 'Remove or rename one of them; keep compiled files in a folder of their own.',
    });
  }
}
