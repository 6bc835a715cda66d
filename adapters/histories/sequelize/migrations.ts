import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { MigrationSet } from '../../../src/adapter/history.js';
import type { Finding } from '../../../src/errors/finding.js';
import type { Migration } from '../../../src/history/migration.js';
import { findFiles, readGlob } from './glob.js';
import type { SequelizeSettings } from './settings.js';
import { compareNames, descriptionOf, sequelizeVersions, withoutExtension } from './versions.js';

/** sequelize-cli's own pattern (core/migrator). */
const cliPattern = /^(?!.*\.d\.ts$).*\.(?:cjs|js|cts|ts)$/;
const rollbackName = /^R.*__.*\.sql$/i;

/**
 * The migration files that the tool would find, in the order of their names: sequelize-cli's folder without those below it, or
 * what Umzug's patterns match, together with its SQL downs (kind undo).
 */
export async function loadMigrations(settings: SequelizeSettings): Promise<MigrationSet> {
  const findings: Finding[] = [];
  const files = settings.tool === 'sequelize' ? filesOfFolder(settings, findings) : filesOfGlobs(settings, findings);
  const ups = files.filter((file) => {
    const isRollback = settings.tool === 'umzug' && rollbackName.test(path.basename(file));
    if (isRollback) findings.push(rollbackInLocation(file));
    return !isRollback;
  });
  const versioned = ups.map((file) => readMigration('versioned', file, findings)).sort(byName);
  findings.push(...duplicates(versioned));
  const known = new Set(ups);
  const downs = settings.tool === 'umzug' ? ups.flatMap((file) => downOf(file, known)) : [];
  const undo = downs.map(({ up, file }) => ({
    ...readMigration('undo', file, findings),
    version: sequelizeVersions.parse(path.basename(up)),
    description: descriptionOf(path.basename(up)),
  }));
  return Promise.resolve({
    migrations: [...versioned, ...undo],
    scannedFolders: settings.tool === 'umzug' ? scannedFolders(settings) : [],
    findings,
  });
}

function filesOfFolder(settings: SequelizeSettings, findings: Finding[]): readonly string[] {
  return settings.migrations.flatMap((place) => {
    const folder = path.resolve(settings.projectFolder, place);
    try {
      return readdirSync(folder, { withFileTypes: true })
        .filter((entry) => !entry.isDirectory() && cliPattern.test(entry.name))
        .map((entry) => path.join(folder, entry.name));
    } catch {
      findings.push(missingLocation(place, `${folder} is not a folder that can be read`, settings));
      return [];
    }
  });
}

function filesOfGlobs(settings: SequelizeSettings, findings: Finding[]): readonly string[] {
  const found = settings.migrations.flatMap((pattern) => {
    const glob = readGlob(pattern, settings.projectFolder);
    const files = glob === undefined ? undefined : findFiles(glob);
    if (files === undefined) {
      findings.push(missingLocation(pattern, `${glob?.root ?? pattern} is not a folder that can be read`, settings));
    }
    return files ?? [];
  });
  return [...new Set(found)].sort();
}

function scannedFolders(settings: SequelizeSettings): readonly string[] {
  return settings.migrations.flatMap((pattern) => {
    const glob = readGlob(pattern, settings.projectFolder);
    // A pattern for one folder reaches nothing below it; a script that lies in it is reported by its name.
    return glob?.isRecursive === true && glob.matches.test('R1__probe.sql') ? [glob.root] : [];
  });
}

function readMigration(kind: 'versioned' | 'undo', file: string, findings: Finding[]): Migration {
  const name = path.basename(file);
  const isSql = /\.sql$/i.test(name);
  return {
    kind,
    version: sequelizeVersions.parse(name),
    description: descriptionOf(name),
    script: name,
    file,
    isSql,
    checksum: null,
    sql: isSql ? readSql(file, findings) : '',
  };
}

function readSql(file: string, findings: Finding[]): string {
  const name = path.basename(file);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    findings.push(
      code === 'ERR_ENCODING_INVALID_ENCODED_DATA'
        ? {
            code: 'migration-encoding',
            severity: 'error',
            subject: name,
            message: `${name} is not valid UTF-8.`,
            hint: 'Save the file as UTF-8.',
          }
        : {
            code: 'migration-unreadable',
            severity: 'error',
            subject: name,
            message: `${name} cannot be read: ${code ?? 'unreadable'}.`,
            hint: 'Give the user who runs flyback the right to read it.',
          },
    );
    return '';
  }
}

/** x.up.sql → x.down.sql beside it (Umzug's README); x.sql → down/x.sql (what umzug create makes). */
function downOf(up: string, known: ReadonlySet<string>): readonly { readonly up: string; readonly file: string }[] {
  const candidates = /\.up\.sql$/i.test(up)
    ? [up.replace(/\.up(\.sql)$/i, '.down$1'), path.join(path.dirname(up), 'down', path.basename(up))]
    : /\.sql$/i.test(up)
      ? [path.join(path.dirname(up), 'down', path.basename(up))]
      : [];
  const file = candidates.find((candidate) => existsSync(candidate) && !known.has(candidate));
  return file === undefined ? [] : [{ up, file }];
}

function byName(a: Migration, b: Migration): number {
  return compareNames(a.script, b.script);
}

/** Two names that differ in their extension alone are two migrations for the tool, and one version here. */
function duplicates(versioned: readonly Migration[]): readonly Finding[] {
  const first = new Map<string, Migration>();
  const findings: Finding[] = [];
  for (const migration of versioned) {
    const key = withoutExtension(migration.script);
    const earlier = first.get(key);
    if (earlier === undefined) {
      first.set(key, migration);
      continue;
    }
    findings.push({
      code: 'migration-duplicate',
      severity: 'error',
      subject: key,
      message: `Two migrations are called ${key}: ${earlier.file} and ${migration.file}.`,
      hint: 'Keep one of them where the tool looks for migrations: it applies both.',
    });
  }
  return findings;
}

function rollbackInLocation(file: string): Finding {
  const name = path.basename(file);
  return {
    code: 'rollbacks-folder-scanned',
    severity: 'error',
    subject: name,
    message: `The rollback script ${name} lies where Umzug looks for migrations: it would run it as one.`,
    hint: 'Move it to the rollbacks folder, outside every pattern of migrations.',
  };
}

function missingLocation(place: string, problem: string, { tool }: SequelizeSettings): Finding {
  return {
    code: 'location-missing',
    severity: 'warning',
    subject: place,
    message: `No migrations were read from ${place}: ${problem}.`,
    hint:
      tool === 'umzug'
        ? 'Correct migrations under [umzug] in flyback.toml.'
        : 'Correct migrations-path in .sequelizerc, or migrations under [sequelize] in flyback.toml.',
  };
}
