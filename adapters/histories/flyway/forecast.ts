import type { Forecast, HoleInHistory } from '../../../src/adapter/history.js';
import type { FlywaySettings } from './settings.js';
import type { History } from '../../../src/history/history.js';
import type { Migration } from '../../../src/history/migration.js';
import type { Version } from '../../../src/history/version.js';
import { computeStates, type MigrationInfo } from './states.js';
import { isFailedState, isStateIgnored, validateStates, type ValidationProblem } from './validate.js';

/** Findings about a history at which every Flyway command stops. */
const fatalHistoryFindings = new Set(['history-type-unknown', 'history-corrupt']);

/**
 * What `flyway migrate` does with this history and these files: refuses, or applies and repeats in this order. Follows
 * DbValidate and DbMigrate of 13.0.0 without target. Whether a migration's own SQL then succeeds is not foretold.
 */
export function forecast(history: History, migrations: readonly Migration[], settings: FlywaySettings): Forecast {
  const fatal = history.findings.find(({ code }) => fatalHistoryFindings.has(code));
  if (fatal !== undefined) {
    return refuse(fatal.message);
  }
  const duplicate = findDuplicate(migrations);
  if (duplicate !== undefined) {
    return refuse(duplicate);
  }
  const states = computeStates(history, migrations, settings);
  if (settings.validateOnMigrate) {
    const problems = validateStates(states, [...settings.ignoreMigrationPatterns, '*:pending']);
    if (problems.length > 0) {
      return refuse(describeProblems(problems));
    }
  }
  const failed = states.infos.filter(({ state }) => isFailedState(state));
  const isTolerated =
    failed.length === 1 &&
    failed[0]?.state === 'Failed (Future)' &&
    isStateIgnored(settings.ignoreMigrationPatterns, 'Future');
  if (failed[0] !== undefined && !isTolerated) {
    return refuse(`The history holds a failed migration, ${nameOf(failed[0])}; remove what it left, then run repair.`);
  }
  return describeRun(history, states.infos);
}

function describeRun(history: History, infos: readonly MigrationInfo[]): Forecast {
  const pending = infos.filter(({ state }) => state === 'Pending');
  const versions = pending.flatMap(({ version }) => (version === undefined ? [] : [version.text]));
  const repeatables = pending.flatMap(({ version, description }) => (version === undefined ? [description] : []));
  const skipped = infos.filter(({ state }) => state === 'Ignored').map(nameOf);
  const sentences: string[] = [];
  if (versions.length > 0) {
    sentences.push(`flyway migrate will apply ${list(versions)}.`);
  }
  if (repeatables.length > 0) {
    sentences.push(`flyway migrate will run the repeatable ${list(repeatables.map((name) => `"${name}"`))}.`);
  }
  if (sentences.length === 0) {
    sentences.push('flyway migrate will find nothing to do.');
  }
  if (skipped.length > 0) {
    sentences.push(`It will silently skip ${list(skipped)}, which lies below the current version.`);
  }
  if (!history.rows.some(({ state }) => state === 'applied' || state === 'baseline' || state === 'failed')) {
    sentences.push(
      'The history is then empty: Flyway starts from the beginning, which fails where an object of an early version is still there.',
    );
  } else if (versions.length > 0) {
    sentences.push('Until then flyway validate fails, unless *:pending is ignored.');
  }
  return { willApply: versions, willRepeat: repeatables, refuses: undefined, summary: sentences.join(' ') };
}

function refuse(reason: string): Forecast {
  return { willApply: [], willRepeat: [], refuses: reason, summary: `flyway migrate will refuse. ${reason}` };
}

function describeProblems(problems: readonly ValidationProblem[]): string {
  const [first] = problems;
  if (first === undefined) {
    return '';
  }
  const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more)`;
  return `Validation fails: ${first.message}${more}; ${remedyFor(first)}.`;
}

function remedyFor({ kind }: ValidationProblem): string {
  switch (kind) {
    case 'not-applied':
      return 'set outOfOrder=true to apply it, or ignore *:ignored to leave it out';
    case 'missing':
      return 'restore the file, or run flyway repair';
    case 'failed':
      return 'remove what it left, then run flyway repair';
    case 'outdated':
    case 'type':
    case 'checksum':
    case 'description':
      return 'restore the file as it was applied, or run flyway repair';
  }
}

function findDuplicate(migrations: readonly Migration[]): string | undefined {
  const seen = new Set<string>();
  for (const { kind, version, description } of migrations) {
    if (kind === 'undo') {
      continue;
    }
    const identity = `${kind} ${version?.key ?? description}`;
    if (seen.has(identity)) {
      return `There is more than one migration with ${version === undefined ? `the description "${description}"` : `version ${version.text}`}.`;
    }
    seen.add(identity);
  }
  return undefined;
}

function nameOf({ version, description }: MigrationInfo): string {
  return version === undefined ? `repeatable "${description}"` : `version ${version.text}`;
}

/** At most five by name: a forecast is read, not searched. */
function list(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}

/** validate, which migrate begins with, calls a pending version below applied ones an ignored migration (default settings). */
export function holeAt(version: Version): HoleInHistory {
  return {
    possible: true,
    words: `flyway validate and flyway migrate refuse to run (an ignored migration) until outOfOrder is on or ${version.text} matches *:ignored`,
  };
}
