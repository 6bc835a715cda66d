import path from 'node:path';
import type { MigrationSet } from '../../../src/adapter/history.js';
import type { Finding } from '../../../src/errors/finding.js';
import type { Migration } from '../../../src/history/migration.js';
import { fileNamesIn, readMigrationText } from '../read-folder.js';
import type { GolangMigrateSettings } from './settings.js';
import { golangMigrateVersions } from './versions.js';

/** The last `.up.` or `.down.` decides (source/parse.go); what does not match is passed over without a word. */
const fileName = /^([0-9]+)_(.*)\.(down|up)\.(.*)$/s;

const hint = 'Set path under [golang-migrate] in flyback.toml to what migrate -path gets, or use --locations.';

/**
 * Reads the files of one folder, not below it, in ascending order; `up` files as versioned migrations, `down` files as undo
 * migrations, both whatever their last extension is.
 */
export async function loadMigrations({ folder }: GolangMigrateSettings): Promise<MigrationSet> {
  const findings: Finding[] = [];
  const seen = new Map<string, string>();
  const migrations: Migration[] = [];
  for (const name of fileNamesIn(folder, hint, findings)) {
    const match = fileName.exec(name);
    if (match === null) continue;
    const [, digits = '', title = '', direction = ''] = match;
    const version = golangMigrateVersions.parse(digits);
    if (version === undefined) {
      findings.push({
        code: 'migration-misnamed',
        severity: 'error',
        subject: name,
        message: `The number of ${name} does not fit the column version, a signed 64-bit integer.`,
        hint: 'Give it a smaller number.',
      });
      continue;
    }
    const identity = `${version.key} ${direction}`;
    const first = seen.get(identity);
    if (first !== undefined) {
      findings.push({
        code: 'migration-duplicate',
        severity: 'error',
        subject: version.text,
        message: `${first} and ${name} are both the ${direction} file of version ${version.text}: golang-migrate refuses the whole folder.`,
        hint: 'Keep one of them; a copy that an editor left counts as well.',
      });
      continue;
    }
    seen.set(identity, name);
    const file = path.join(folder, name);
    migrations.push({
      kind: direction === 'up' ? 'versioned' : 'undo',
      version,
      description: title.replaceAll('_', ' '),
      script: name,
      file,
      isSql: true,
      checksum: null,
      sql: readMigrationText(file, name, findings) ?? '',
    });
  }
  migrations.sort((a, b) =>
    a.version === undefined || b.version === undefined ? 0 : golangMigrateVersions.compare(a.version, b.version),
  );
  // Whatever lies there under another name is passed over, R scripts too.
  return Promise.resolve({ migrations, scannedFolders: [], findings });
}
