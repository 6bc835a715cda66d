import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { MigrationSet } from '../../../src/adapter/history.js';
import type { FlywaySettings } from './settings.js';
import type { Finding } from '../../../src/errors/finding.js';
import type { Migration } from '../../../src/history/migration.js';
import { checksumOf } from './checksum.js';
import { decodeText } from './encoding.js';
import { locateFiles, type LocatedFile } from './locations.js';
import { createNameParser, type FileName } from './names.js';
import { isBuiltInPlaceholder, offlinePlaceholderValues, substitutePlaceholders } from './placeholders.js';
import { parseSideFile, type SideFile } from './side-file.js';
import { flywayVersions } from './versions.js';

/**
 * Reads every migration that Flyway would resolve under the configured locations, and reports what it would skip or
 * refuse. Versioned ones come in version order, then repeatables by description. The checksum of a repeatable that
 * names a placeholder whose value only a connection can tell is null.
 */
export async function loadMigrations(settings: FlywaySettings): Promise<MigrationSet> {
  const located = locateFiles(settings.locations, settings.workingDirectory);
  const parseName = createNameParser(settings);
  const findings: Finding[] = [...located.findings];
  const sideFiles = new Set(
    located.files.filter(({ file }) => file.endsWith('.conf')).map(({ file }) => file.slice(0, -'.conf'.length)),
  );

  const migrations: Migration[] = [];
  for (const source of located.files) {
    const name = parseName(path.basename(source.file));
    if (name.kind === 'migration') {
      const sideFile = sideFiles.has(source.file) ? readSideFile(source, findings) : undefined;
      migrations.push(readMigration(source, name, sideFile, settings, findings));
    } else if (name.kind === 'misnamed') {
      findings.push(misnamedFile(source, name, settings));
    }
  }
  migrations.sort(compareMigrations);
  const distinct = reportDuplicates(migrations, findings);
  return Promise.resolve({ migrations: distinct, scannedFolders: located.folders, findings });
}

function readSideFile(source: LocatedFile, findings: Finding[]): SideFile | undefined {
  const file = `${source.file}.conf`;
  try {
    const sideFile = parseSideFile(readFileSync(file, 'utf8'));
    if (sideFile.problems.length > 0) {
      findings.push({
        code: 'migration-conf-invalid',
        severity: 'error',
        subject: `${source.script}.conf`,
        message: `Flyway refuses ${source.script}.conf: ${sideFile.problems.join(', ')}.`,
        hint: 'Correct the file; Flyway runs nothing while it is wrong.',
      });
    }
    return sideFile;
  } catch (error) {
    findings.push(unreadableFile(`${source.script}.conf`, error));
    return undefined;
  }
}

function readMigration(
  source: LocatedFile,
  name: Extract<FileName, { kind: 'migration' }>,
  sideFile: SideFile | undefined,
  settings: FlywaySettings,
  findings: Finding[],
): Migration {
  const text = readText(source, sideFile?.encoding ?? settings.encoding, findings);
  return {
    kind: name.migrationKind,
    version: name.version,
    description: name.description,
    script: source.script,
    file: source.file,
    isSql: name.isSql,
    checksum: text === undefined ? null : checksumFor(text, source, name, sideFile, settings, findings),
    sql: name.isSql ? (text ?? '') : '',
    ...(sideFile?.executeInTransaction === undefined ? {} : { executeInTransaction: sideFile.executeInTransaction }),
    ...(sideFile?.placeholderReplacement === undefined
      ? {}
      : { placeholderReplacement: sideFile.placeholderReplacement }),
  };
}

function readText(source: LocatedFile, encoding: string, findings: Finding[]): string | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(source.file);
  } catch (error) {
    findings.push(unreadableFile(source.script, error));
    return undefined;
  }
  const decoded = decodeText(bytes, encoding);
  if (decoded.kind === 'text') {
    return decoded.text;
  }
  findings.push({
    code: 'migration-encoding',
    severity: 'error',
    subject: source.script,
    message:
      decoded.kind === 'malformed'
        ? `${source.script} is not valid ${encoding}.`
        : `${source.script} cannot be read: flyback does not know the encoding ${encoding}.`,
    hint: 'Save the file as UTF-8, or name its encoding with flyway.encoding or in its .conf file.',
  });
  return undefined;
}

function checksumFor(
  text: string,
  source: LocatedFile,
  name: Extract<FileName, { kind: 'migration' }>,
  sideFile: SideFile | undefined,
  settings: FlywaySettings,
  findings: Finding[],
): number | null {
  const isReplaced = sideFile?.placeholderReplacement ?? settings.placeholderReplacement;
  // Shell scripts have a placeholder syntax of their own, which flyback does not replace.
  if (name.migrationKind !== 'repeatable' || !isReplaced || !name.isSql) {
    return checksumOf(text);
  }
  const values = offlinePlaceholderValues(settings, path.basename(source.file));
  const replaced = substitutePlaceholders(text, settings, values);
  if ('text' in replaced) {
    return checksumOf(replaced.text);
  }
  const { placeholder, name: placeholderName } = replaced.unresolved;
  if (!isBuiltInPlaceholder(placeholderName, settings)) {
    findings.push({
      code: 'placeholder-unknown',
      severity: 'error',
      subject: source.script,
      message: `Flyway refuses ${source.script}: the placeholder ${placeholder} has no value.`,
      hint: `Set flyway.placeholders.${placeholderName}.`,
    });
  }
  return null;
}

function misnamedFile(
  source: LocatedFile,
  name: Extract<FileName, { kind: 'misnamed' }>,
  settings: FlywaySettings,
): Finding {
  const severity = settings.validateMigrationNaming ? 'error' : 'warning';
  const consequence = settings.validateMigrationNaming ? 'Flyway refuses to run' : 'Flyway skips the file';
  if (name.rollbackVersion !== undefined) {
    return {
      code: 'rollback-in-location',
      severity,
      subject: source.script,
      message: `The rollback script ${source.script} lies inside a folder that Flyway scans; ${consequence}.`,
      hint: 'Move it to the rollbacks folder, outside every Flyway location.',
    };
  }
  return {
    code: 'migration-misnamed',
    severity,
    subject: source.script,
    message: `${source.script} is not a valid migration name: ${name.reason}; ${consequence}.`,
    hint: `Rename it like ${settings.sqlMigrationPrefix}1.2${settings.sqlMigrationSeparator}description${settings.sqlMigrationSuffixes[0] ?? ''}, or move it out of the location.`,
  };
}

function unreadableFile(script: string, error: unknown): Finding {
  return {
    code: 'migration-unreadable',
    severity: 'error',
    subject: script,
    message: `${script} cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}.`,
    hint: 'Give the user who runs flyback the right to read it.',
  };
}

const kindOrder = { versioned: 0, baseline: 1, undo: 2, repeatable: 3 } as const;

function compareMigrations(a: Migration, b: Migration): number {
  if (a.version !== undefined && b.version !== undefined) {
    return flywayVersions.compare(a.version, b.version) || kindOrder[a.kind] - kindOrder[b.kind];
  }
  return (
    kindOrder[a.kind] - kindOrder[b.kind] ||
    (a.description < b.description ? -1 : a.description > b.description ? 1 : 0)
  );
}

/** Two files of one kind clash when version (or description) is the same; copies alike in every respect count once. */
function reportDuplicates(sorted: readonly Migration[], findings: Finding[]): readonly Migration[] {
  const first = new Map<string, Migration>();
  const distinct: Migration[] = [];
  for (const migration of sorted) {
    const identity = `${migration.kind} ${migration.version?.key ?? migration.description}`;
    const earlier = first.get(identity);
    if (earlier === undefined) {
      first.set(identity, migration);
      distinct.push(migration);
      continue;
    }
    const isCopy =
      earlier.script === migration.script &&
      earlier.checksum === migration.checksum &&
      earlier.description === migration.description;
    if (isCopy) {
      continue;
    }
    distinct.push(migration);
    const what =
      migration.version === undefined ? `description "${migration.description}"` : `version ${migration.version.text}`;
    findings.push({
      code: 'migration-duplicate',
      severity: 'error',
      subject: migration.version?.text ?? migration.description,
      message: `Two ${migration.kind} migrations have the ${what}: ${earlier.file} and ${migration.file}.`,
      hint: 'Rename or remove one of them; Flyway runs nothing while both are there.',
    });
  }
  return distinct;
}
