import path from 'node:path';
import type { MigrationSet } from '../../../src/adapter/history.js';
import type { Finding } from '../../../src/errors/finding.js';
import type { Migration } from '../../../src/history/migration.js';
import { fileNamesIn, readMigrationText } from '../read-folder.js';
import { readBlocks } from './blocks.js';
import type { DbmateSettings } from './settings.js';
import { dbmateVersions } from './versions.js';

const fileName = /^([0-9]+)(.*)\.sql$/s;

const hint = 'Set DBMATE_MIGRATIONS_DIR, or path under [dbmate] in flyback.toml.';

/** Reads the files of the folders, not below them, by version; each is a migration, and its down block an undo migration. */
export async function loadMigrations({ folders }: DbmateSettings): Promise<MigrationSet> {
  const findings: Finding[] = [];
  const migrations: Migration[] = [];
  const seen = new Map<string, string>();
  for (const folder of folders) {
    for (const name of fileNamesIn(folder, hint, findings)) {
      const [, digits = '', title = ''] = fileName.exec(name) ?? [];
      const version = dbmateVersions.parse(digits);
      if (version === undefined) continue;
      const first = seen.get(version.key);
      if (first !== undefined) {
        findings.push({
          code: 'migration-duplicate',
          severity: 'error',
          subject: version.text,
          message: `${first} and ${name} both have version ${version.text}: dbmate applies one of them and takes the other for done.`,
          hint: 'Give one of them another number.',
        });
        continue;
      }
      seen.set(version.key, name);
      migrations.push(...readMigration(path.join(folder, name), name, version, title, findings));
    }
  }
  migrations.sort((a, b) =>
    a.version === undefined || b.version === undefined ? 0 : dbmateVersions.compare(a.version, b.version),
  );
  // A file whose name does not begin with a digit is passed over, R scripts too.
  return Promise.resolve({ migrations, scannedFolders: [], findings });
}

function readMigration(
  file: string,
  name: string,
  version: Migration['version'],
  title: string,
  findings: Finding[],
): readonly Migration[] {
  const description = title.replace(/^[_-]+/, '').replaceAll('_', ' ');
  const common = { version, description, script: name, file, isSql: true, checksum: null } as const;
  const text = readMigrationText(file, name, findings);
  if (text === undefined) return [{ kind: 'versioned', ...common, sql: '' }];
  const blocks = readBlocks(text);
  if (typeof blocks === 'string') {
    findings.push({
      code: 'migration-misnamed',
      severity: 'error',
      subject: name,
      message: `${name} ${blocks}.`,
      hint: 'Write one -- migrate:up and one -- migrate:down into it.',
    });
    return [{ kind: 'versioned', ...common, sql: '' }];
  }
  return [
    { kind: 'versioned', ...common, sql: blocks.up, executeInTransaction: blocks.upInTransaction },
    { kind: 'undo', ...common, sql: blocks.down },
  ];
}
