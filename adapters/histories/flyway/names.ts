import type { FlywaySettings } from './settings.js';
import type { MigrationKind } from '../../../src/history/migration.js';
import type { Version } from '../../../src/history/version.js';
import { flywayVersions } from './versions.js';

/** The settings that decide what a file name means. */
export type NamingRules = Pick<
  FlywaySettings,
  | 'sqlMigrationPrefix'
  | 'repeatableSqlMigrationPrefix'
  | 'undoSqlMigrationPrefix'
  | 'baselineMigrationPrefix'
  | 'sqlMigrationSeparator'
  | 'sqlMigrationSuffixes'
>;

/**
 * What a file in a scanned location is to Flyway.
 * - migration: it would be resolved (undo files only by editions that know undo)
 * - callback: an event's script
 * - misnamed: has a migration suffix but no valid name; skipped, or fatal with validateMigrationNaming
 * - other: none of Flyway's business
 */
export type FileName =
  | {
      readonly kind: 'migration';
      readonly migrationKind: MigrationKind;
      readonly version: Version | undefined;
      readonly description: string;
      readonly isSql: boolean;
    }
  | { readonly kind: 'callback'; readonly event: string }
  | {
      readonly kind: 'misnamed';
      readonly reason: string;
      /** The version of a repeatable prefix followed by one: the name of a rollback script. */
      readonly rollbackVersion: Version | undefined;
    }
  | { readonly kind: 'other' };

/** Names of Flyway's callback events; each is a file prefix of its own (Event, 13.0.0). */
const callbackEvents = [
  ...['Clean', 'Migrate', 'EachMigrate', 'Undo', 'EachUndo', 'Validate', 'Baseline', 'Repair', 'Info'].flatMap(
    (subject) => [`before${subject}`, `after${subject}`, `after${subject}Error`],
  ),
  ...['EachMigrateStatement', 'EachUndoStatement'].flatMap((subject) => [
    `before${subject}`,
    `after${subject}`,
    `after${subject}Error`,
  ]),
  'beforeRepeatables',
  'afterVersioned',
  'afterMigrateApplied',
  'afterMigrateOperationFinish',
  'afterInfoOperationFinish',
  'createSchema',
  'beforeCreateSchema',
  'beforeConnect',
  'afterConnect',
] as const;

const shellExtensions = ['cmd', 'bat', 'ps1', 'py', 'sh', 'bash'];

type PrefixMeaning = { readonly prefix: string } & (
  { readonly meaning: MigrationKind } | { readonly meaning: 'callback' }
);

/** Parses file names by one set of rules: (file name without folder) → its meaning. See ResourceNameParser. */
export function createNameParser(rules: NamingRules): (fileName: string) => FileName {
  const prefixes = knownPrefixes(rules);
  const sqlSuffixes = rules.sqlMigrationSuffixes;
  const shellSuffixes = shellExtensions.map((extension) => `.${extension}`);
  return (fileName) => {
    const sqlSuffix = findSuffix(fileName, sqlSuffixes);
    if (sqlSuffix !== undefined) {
      return parseBareName(fileName.slice(0, fileName.length - sqlSuffix.length), 'sql', rules, prefixes);
    }
    if (!isShellScript(fileName)) {
      return { kind: 'other' };
    }
    const shellSuffix = findSuffix(fileName, shellSuffixes) ?? '';
    const parsed = parseBareName(fileName.slice(0, fileName.length - shellSuffix.length), 'shell', rules, prefixes);
    // validateMigrationNaming looks at SQL suffixes only.
    return parsed.kind === 'misnamed' ? { kind: 'other' } : parsed;
  };
}

function knownPrefixes(rules: NamingRules): readonly PrefixMeaning[] {
  const migrations: PrefixMeaning[] = [
    { prefix: rules.sqlMigrationPrefix, meaning: 'versioned' },
    { prefix: rules.repeatableSqlMigrationPrefix, meaning: 'repeatable' },
    { prefix: rules.baselineMigrationPrefix, meaning: 'baseline' },
  ];
  if (!migrations.some((known) => known.prefix === rules.undoSqlMigrationPrefix)) {
    migrations.push({ prefix: rules.undoSqlMigrationPrefix, meaning: 'undo' });
  }
  const callbacks = callbackEvents.map((event): PrefixMeaning => ({ prefix: event, meaning: 'callback' }));
  return [...migrations, ...callbacks].sort((a, b) => b.prefix.length - a.prefix.length);
}

function parseBareName(
  bareName: string,
  language: 'sql' | 'shell',
  rules: NamingRules,
  prefixes: readonly PrefixMeaning[],
): FileName {
  const known = prefixes.find(({ prefix }) => bareName.startsWith(prefix));
  if (known === undefined) {
    return { kind: 'misnamed', reason: 'it begins with no known prefix', rollbackVersion: undefined };
  }
  const rest = bareName.slice(known.prefix.length);
  if (rest === '' && known.meaning === 'repeatable') {
    // Flyway lists files by prefix and suffix, with at least one character between them.
    return { kind: 'other' };
  }
  const separatorAt = rest.indexOf(rules.sqlMigrationSeparator);
  const versionText = separatorAt < 0 ? rest : rest.slice(0, separatorAt);
  const description =
    separatorAt < 0 ? '' : rest.slice(separatorAt + rules.sqlMigrationSeparator.length).replaceAll('_', ' ');

  if (known.meaning === 'callback' || known.meaning === 'repeatable') {
    if (versionText !== '') {
      const version = known.meaning === 'repeatable' ? flywayVersions.parse(versionText) : undefined;
      const what = known.meaning === 'repeatable' ? 'a repeatable migration' : 'a callback';
      return { kind: 'misnamed', reason: `${what} cannot contain a version`, rollbackVersion: version };
    }
    return known.meaning === 'callback'
      ? { kind: 'callback', event: known.prefix }
      : { kind: 'migration', migrationKind: 'repeatable', version: undefined, description, isSql: language === 'sql' };
  }

  if (versionText === '') {
    return { kind: 'misnamed', reason: 'it must contain a version', rollbackVersion: undefined };
  }
  const version = flywayVersions.parse(versionText);
  if (version === undefined) {
    return { kind: 'misnamed', reason: `"${versionText}" is not a version`, rollbackVersion: undefined };
  }
  return { kind: 'migration', migrationKind: known.meaning, version, description, isSql: language === 'sql' };
}

function findSuffix(fileName: string, suffixes: readonly string[]): string | undefined {
  const upper = fileName.toUpperCase();
  return suffixes.find((suffix) => upper.endsWith(suffix.toUpperCase()));
}

/** Flyway runs files without an extension as shell scripts too, everywhere but on Windows. */
function isShellScript(fileName: string): boolean {
  const segments = fileName.replace(/\.+$/, '').split('.');
  const extension = segments.length < 2 ? '' : (segments.at(-1) ?? '');
  return extension === '' ? process.platform !== 'win32' : shellExtensions.includes(extension.toLowerCase());
}
