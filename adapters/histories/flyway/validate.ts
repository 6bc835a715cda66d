import type { FlywaySettings } from './settings.js';
import { flywayVersions } from './versions.js';
import {
  checksumMatches,
  typeOfMigration,
  type FlywayState,
  type MigrationInfo,
  type MigrationStates,
} from './states.js';

export type ValidationProblemKind =
  'failed' | 'missing' | 'not-applied' | 'outdated' | 'type' | 'checksum' | 'description';

/** One thing that `flyway validate` would complain about. */
export interface ValidationProblem {
  readonly info: MigrationInfo;
  readonly kind: ValidationProblemKind;
  /** One sentence that says the same as Flyway's own message. */
  readonly message: string;
}

interface IgnorePattern {
  readonly subject: string;
  readonly state: string;
}

/**
 * What `flyway validate` would complain about, by MigrationInfoImpl.validate of 13.0.0. `migrate` validates with
 * `*:pending` added to the patterns.
 */
export function validateStates(
  states: MigrationStates,
  ignoreMigrationPatterns: FlywaySettings['ignoreMigrationPatterns'],
): readonly ValidationProblem[] {
  const patterns = ignoreMigrationPatterns.map(parsePattern);
  return states.infos.flatMap((info) => validateInfo(info, states, patterns) ?? []);
}

/** True if the patterns cover a state for versioned and repeatable migrations alike. */
export function isStateIgnored(
  ignoreMigrationPatterns: FlywaySettings['ignoreMigrationPatterns'],
  state: FlywayState,
): boolean {
  const patterns = ignoreMigrationPatterns.map(parsePattern);
  return isIgnoredForAll(patterns, state);
}

function validateInfo(
  info: MigrationInfo,
  { baseline }: MigrationStates,
  patterns: readonly IgnorePattern[],
): ValidationProblem | undefined {
  const { state, version, row, migration } = info;
  const subject = version === undefined ? `repeatable migration "${info.description}"` : `version ${version.text}`;
  const problem = (kind: ValidationProblemKind, message: string): ValidationProblem => ({ info, kind, message });

  if (state === 'Undone' || state === 'Deleted' || patterns.some((pattern) => matches(pattern, info))) {
    return undefined;
  }
  if (isFailedState(state) && !(state === 'Failed (Future)' && isIgnoredForAll(patterns, 'Future'))) {
    return problem('failed', `the history holds a failed ${subject}`);
  }
  if (state === 'Missing' || state === 'Future' || state === 'Failed (Future)') {
    const isIgnored = isIgnoredForAll(patterns, state === 'Missing' ? 'Missing' : 'Future');
    return isIgnored ? undefined : problem('missing', `the applied ${subject} has no local file`);
  }
  if (state === 'Ignored') {
    // Flyway does not mind a baseline migration that came too late.
    return isIgnoredForAll(patterns, 'Ignored') || migration?.kind === 'baseline'
      ? undefined
      : problem('not-applied', `${subject} is below the current version and not applied`);
  }
  if (state === 'Pending') {
    return isIgnoredForAll(patterns, 'Pending') ? undefined : problem('not-applied', `${subject} is not applied`);
  }
  if (state === 'Outdated' && !isIgnoredForAll(patterns, 'Pending')) {
    return problem('outdated', `the ${subject} has changed and not been run again`);
  }
  if (migration === undefined || row === undefined) {
    return undefined;
  }
  if (version !== undefined && baseline !== undefined && flywayVersions.compare(version, baseline) <= 0) {
    return undefined;
  }
  if (version === undefined && typeOfMigration(migration) !== row.entry.type) {
    return problem('type', `the ${subject} is ${row.entry.type} in the history and ${typeOfMigration(migration)} here`);
  }
  if (version !== undefined && !checksumMatches(row, migration)) {
    return problem(
      'checksum',
      `the file of ${subject} has the checksum ${String(migration.checksum)}, the history ${String(row.entry.checksum)}`,
    );
  }
  if (abbreviate(migration.description) !== row.entry.description && !isUndescribed(info)) {
    return problem(
      'description',
      `the description of ${subject} is "${migration.description}" here and "${row.entry.description}" in the history`,
    );
  }
  return undefined;
}

/** True for the states that make `flyway migrate` refuse. */
export function isFailedState(state: FlywayState): boolean {
  return state === 'Failed' || state === 'Failed (Missing)' || state === 'Failed (Future)';
}

function parsePattern(pattern: string): IgnorePattern {
  const [subject = '', state = ''] = pattern.toLowerCase().split(':');
  return { subject: subject.trim(), state: state.trim() };
}

function matches(pattern: IgnorePattern, { state, version }: Pick<MigrationInfo, 'state' | 'version'>): boolean {
  return (
    (pattern.state === '*' || pattern.state === state.toLowerCase()) &&
    (pattern.subject === '*' || pattern.subject === (version === undefined ? 'repeatable' : 'versioned'))
  );
}

function isIgnoredForAll(patterns: readonly IgnorePattern[], state: FlywayState): boolean {
  const covers = (subject: string): boolean =>
    patterns.some(
      (pattern) =>
        (pattern.state === '*' || pattern.state === state.toLowerCase()) &&
        (pattern.subject === '*' || pattern.subject === subject),
    );
  return covers('versioned') && covers('repeatable');
}

/** The column holds 200 characters. */
function abbreviate(description: string): string {
  return description.length <= 200 ? description : `${description.slice(0, 197)}...`;
}

function isUndescribed({ row, migration }: MigrationInfo): boolean {
  return row?.entry.description === '<< no description >>' && migration?.description === '';
}
