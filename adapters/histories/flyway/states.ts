import type { FlywaySettings } from './settings.js';
import type { History, InterpretedEntry } from '../../../src/history/history.js';
import type { Migration } from '../../../src/history/migration.js';
import type { Version } from '../../../src/history/version.js';
import { checksumOf, checksumsEqual } from './checksum.js';
import { roleOfType } from './interpret.js';
import { flywayVersions } from './versions.js';

/** A state as `flyway info` names it. */
export type FlywayState =
  | 'Pending'
  | 'Below Baseline'
  | 'Ignored (Baseline)'
  | 'Ignored'
  | 'Baseline'
  | 'Success'
  | 'Out of Order'
  | 'Failed'
  | 'Missing'
  | 'Failed (Missing)'
  | 'Future'
  | 'Failed (Future)'
  | 'Outdated'
  | 'Superseded'
  | 'Deleted'
  | 'Undone';

/** One line of `flyway info`: a row, a file, or both. */
export interface MigrationInfo {
  readonly version: Version | undefined;
  readonly description: string;
  readonly state: FlywayState;
  readonly row: InterpretedEntry | undefined;
  readonly migration: Migration | undefined;
  /** True for rows of Java migrations, whose classes flyback cannot see and takes to be unchanged. */
  readonly isTakenOnTrust: boolean;
}

export interface MigrationStates {
  /** Rows by rank, then what has no row in the order in which Flyway would apply it. */
  readonly infos: readonly MigrationInfo[];
  /** Flyway compares nothing at or below it. */
  readonly baseline: Version | undefined;
}

/** What decides the states of one run: the same few values as Flyway's MigrationInfoContext. */
interface Context {
  readonly lastApplied: Version | undefined;
  readonly lastResolved: Version | undefined;
  readonly appliedBaseline: Version | undefined;
  readonly pendingBaseline: Version | undefined;
  readonly outOfOrder: boolean;
}

/**
 * What `flyway info` would show for this history and these files, following MigrationInfoServiceImpl of 13.0.0 without
 * target and cherryPick. Marker rows (SCHEMA, DELETE, undo) and rows of unknown meaning are left out.
 */
export function computeStates(
  history: History,
  migrations: readonly Migration[],
  settings: Pick<FlywaySettings, 'outOfOrder'>,
): MigrationStates {
  const versioned = new Map<string, Migration>();
  const repeatables = new Map<string, Migration>();
  for (const migration of migrations) {
    if (migration.kind === 'repeatable') {
      repeatables.set(migration.description, migration);
    } else if (migration.kind !== 'undo' && migration.version !== undefined) {
      versioned.set(`${typeOfMigration(migration)} ${migration.version.key}`, migration);
    }
  }

  const rows = history.rows.filter(({ state }) => state !== 'marker' && state !== 'unknown');
  const taken = new Set<Migration>();
  const matches = rows.map((row) => {
    const migration =
      row.version === undefined
        ? repeatables.get(row.entry.description)
        : versioned.get(`${canonicalType(row.entry.type)} ${row.version.key}`);
    const isOpen = row.state !== 'deleted' && row.state !== 'undone';
    if (migration !== undefined && isOpen && (row.version !== undefined || isCurrentRepeatable(row, migration))) {
      taken.add(migration);
    }
    return { row, migration, isTakenOnTrust: migration === undefined && isJava(row.entry.type) };
  });

  const unapplied = [...versioned.values(), ...repeatables.values()].filter((migration) => !taken.has(migration));
  const context: Context = {
    lastApplied: highestVersion(
      rows.filter(({ state }) => state !== 'deleted' && state !== 'undone').map(({ version }) => version),
    ),
    lastResolved: highestVersion([
      ...[...versioned.values()].map(({ version }) => version),
      ...matches.filter(({ isTakenOnTrust }) => isTakenOnTrust).map(({ row }) => row.version),
    ]),
    appliedBaseline: history.floor,
    pendingBaseline: highestVersion(unapplied.filter(({ kind }) => kind === 'baseline').map(({ version }) => version)),
    outOfOrder: settings.outOfOrder,
  };

  const infos: MigrationInfo[] = matches.map(({ row, migration, isTakenOnTrust }) => ({
    version: row.version,
    description: row.entry.description,
    state: stateOfRow(row, migration, isTakenOnTrust, context),
    row,
    migration,
    isTakenOnTrust,
  }));
  for (const migration of unapplied.sort(compareForApplying)) {
    infos.push({
      version: migration.version,
      description: migration.description,
      state: stateOfUnapplied(migration, context),
      row: undefined,
      migration,
      isTakenOnTrust: false,
    });
  }
  return { infos, baseline: history.floor };
}

/**
 * True if a row's checksum belongs to the file: as it is, or for repeatables also without placeholders replaced. A file
 * whose checksum is unknown (it names a placeholder that only a connection can fill, or cannot be read) matches.
 */
export function checksumMatches(row: InterpretedEntry, migration: Migration): boolean {
  if (migration.checksum === null || checksumsEqual(row.entry.checksum, migration.checksum)) {
    return true;
  }
  return migration.kind === 'repeatable' && row.entry.checksum === checksumOf(migration.sql);
}

function isCurrentRepeatable(row: InterpretedEntry, migration: Migration): boolean {
  return row.state === 'repeatable' && checksumMatches(row, migration);
}

function stateOfRow(
  row: InterpretedEntry,
  migration: Migration | undefined,
  isTakenOnTrust: boolean,
  context: Context,
): FlywayState {
  const { entry, version, state } = row;
  if (state === 'undone') {
    return 'Undone';
  }
  if (state === 'deleted') {
    return 'Deleted';
  }
  const role = roleOfType(entry.type);
  if (role === 'baseline') {
    return 'Baseline';
  }
  if (role === 'baseline-script' && !entry.success) {
    return 'Failed';
  }
  if (migration === undefined && !isTakenOnTrust && state !== 'repeatable-superseded') {
    const isBelow =
      version === undefined ||
      (context.lastResolved !== undefined && flywayVersions.compare(version, context.lastResolved) < 0);
    if (isBelow) {
      return entry.success ? 'Missing' : 'Failed (Missing)';
    }
    return entry.success ? 'Future' : 'Failed (Future)';
  }
  if (role === 'baseline-script') {
    return 'Baseline';
  }
  if (!entry.success) {
    return 'Failed';
  }
  if (state === 'repeatable-superseded') {
    return 'Superseded';
  }
  if (state === 'repeatable') {
    return migration === undefined || checksumMatches(row, migration) ? 'Success' : 'Outdated';
  }
  return row.outOfOrder ? 'Out of Order' : 'Success';
}

function stateOfUnapplied(migration: Migration, context: Context): FlywayState {
  const { version } = migration;
  if (version === undefined) {
    return 'Pending';
  }
  const isFresh = context.lastApplied === undefined;
  const baseline = isFresh ? context.pendingBaseline : context.appliedBaseline;
  if (baseline !== undefined) {
    const order = flywayVersions.compare(version, baseline);
    if (order < 0) {
      return 'Below Baseline';
    }
    if (order === 0) {
      return migration.kind === 'baseline' && isFresh ? 'Pending' : 'Ignored (Baseline)';
    }
  }
  if (context.lastApplied !== undefined && flywayVersions.compare(version, context.lastApplied) < 0) {
    if (!context.outOfOrder) {
      return 'Ignored';
    }
  }
  return migration.kind === 'baseline' && !isFresh ? 'Ignored' : 'Pending';
}

/** The type column that Flyway writes for a file. */
export function typeOfMigration(migration: Migration): string {
  if (migration.kind === 'baseline') {
    return 'SQL_BASELINE';
  }
  return migration.isSql ? 'SQL' : 'SCRIPT';
}

function canonicalType(type: string): string {
  switch (type) {
    case 'SPRING_JDBC':
      return 'JDBC';
    case 'SQL_STATE_SCRIPT':
      return 'SQL_BASELINE';
    case 'JDBC_STATE_SCRIPT':
      return 'JDBC_BASELINE';
    default:
      return type;
  }
}

function isJava(type: string): boolean {
  return ['JDBC', 'SPRING_JDBC', 'CUSTOM', 'JDBC_BASELINE', 'JDBC_STATE_SCRIPT'].includes(type);
}

function compareForApplying(a: Migration, b: Migration): number {
  if (a.version !== undefined && b.version !== undefined) {
    return flywayVersions.compare(a.version, b.version);
  }
  if (a.version !== undefined || b.version !== undefined) {
    return a.version !== undefined ? -1 : 1;
  }
  return a.description < b.description ? -1 : a.description > b.description ? 1 : 0;
}

function highestVersion(versions: readonly (Version | undefined)[]): Version | undefined {
  let result: Version | undefined;
  for (const version of versions) {
    if (version !== undefined && (result === undefined || flywayVersions.compare(version, result) > 0)) {
      result = version;
    }
  }
  return result;
}
