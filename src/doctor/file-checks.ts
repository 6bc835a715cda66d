import type { Finding } from '../errors/finding.js';
import type { Pair } from '../pairing/pair.js';
import type { Project } from '../project/project.js';
import { describeFinding, notChecked, numberOf, type Check } from './check.js';

/** A check that sums up findings of these codes. */
interface FindingCheck {
  readonly check: string;
  readonly isOne: (finding: Finding) => boolean;
  /** The sentence when there are none. */
  readonly none: string;
  /** The sentence when there are some. */
  readonly some: (count: number) => string;
}

const oneOf =
  (...codes: readonly string[]) =>
  ({ code }: Finding): boolean =>
    codes.includes(code);

/** What people get wrong in rollbacks that they write by hand, one check for each. */
const mistakes: readonly FindingCheck[] = [
  {
    check: 'server-setting-in-transaction',
    isOne: oneOf('transaction-impossible', 'needs-no-transaction'),
    none: 'No script puts ALTER SYSTEM or the like between BEGIN and COMMIT.',
    some: (count) =>
      `${numberOf(count, 'statement')} that the server refuses in a transaction, between BEGIN and COMMIT.`,
  },
  {
    check: 'history-row-by-text',
    isOne: oneOf('history-delete-text', 'history-delete-other-version', 'history-touched'),
    none: 'No script deletes another history row than its own.',
    some: (count) => `${numberOf(count, 'statement')} would delete no history row, or a wrong one, when run by hand.`,
  },
  {
    check: 'verification-after-commit',
    isOne: oneOf('verification-after-commit', 'statement-after-commit'),
    none: 'No script verifies when it is too late.',
    some: (count) => `${numberOf(count, 'statement')} behind COMMIT, too late to prevent anything.`,
  },
  {
    check: 'verification-of-dropped-table',
    isOne: oneOf('verification-reads-dropped'),
    none: 'No script reads a table that it has dropped.',
    some: (count) => `${numberOf(count, 'statement')} on a table that the script has dropped.`,
  },
  {
    check: 'script-without-effect',
    isOne: oneOf(
      'script-empty',
      'script-comment-only',
      'script-no-effect',
      'script-stub',
      'script-unreviewed',
      'transaction-not-ended',
    ),
    none: 'Every script does something.',
    some: (count) => `${numberOf(count, 'script')} would roll nothing back.`,
  },
  {
    check: 'backup-of-rows-only',
    isOne: oneOf('backup-without-structure'),
    none: 'No script takes CREATE TABLE AS for a backup of a table.',
    some: (count) => `${numberOf(count, 'table')} dropped with only the rows kept by CREATE TABLE AS.`,
  },
  {
    check: 'version-forced',
    isOne: oneOf('shell-force-version'),
    none: 'No shell script beside the rollbacks sets a version by force.',
    some: (count) => `${numberOf(count, 'command')} in shell scripts set a version by force, which runs no SQL.`,
  },
  {
    check: 'plain-dump-listed',
    isOne: oneOf('shell-plain-dump-listed'),
    none: 'No shell script beside the rollbacks lists a plain dump with pg_restore.',
    some: (count) =>
      `${numberOf(count, 'command')} in shell scripts check a plain dump with pg_restore, which cannot read it.`,
  },
];

const placement: FindingCheck = {
  check: 'rollbacks-folder',
  isOne: oneOf(
    'rollbacks-folder-scanned',
    'rollbacks-folder-missing',
    'rollback-in-location',
    'script-without-version',
    'script-name-invalid',
    'script-shadows-undo',
    'script-duplicate',
    'rollback-duplicate',
    'rollback-orphan',
  ),
  none: 'Outside of every location of the migration tool, every name a version.',
  some: (count) => `${numberOf(count, 'trap')} in names and places of rollback scripts.`,
};

const migrations: FindingCheck = {
  check: 'migrations',
  isOne: ({ code }) => /^(?:migration|location)-/.test(code),
  none: 'The migration files are as the migration tool wants them.',
  some: (count) => `${numberOf(count, 'remark')} on migration files.`,
};

/** Whether everything is there that a rollback of this version needs; a script with an error would not be run. */
function isUsable({ script }: Pair): boolean {
  return (
    script !== undefined && !script.directives.stub && !script.findings.some(({ severity }) => severity === 'error')
  );
}

/** Findings about the files, grouped into checks. Each finding counts in one check. Pure. */
export function fileChecks(project: Project, pairs: readonly Pair[], shell: readonly Finding[]): readonly Check[] {
  const needed = pairs.filter(({ state }) => state !== 'baseline');
  const findings = [...project.findings, ...needed.flatMap((pair) => pair.findings), ...shell];
  const groups = [migrations, placement, ...mistakes];
  const told = new Set(groups.flatMap((group) => findings.filter(group.isOne)));
  const read = numberOf(needed.filter(({ script }) => script !== undefined).length, 'script');
  const scripts: FindingCheck = {
    check: 'rollback-scripts',
    isOne: (finding) =>
      !told.has(finding) &&
      finding.code !== 'rollback-missing' &&
      finding.code !== 'rollback-interrupted' &&
      !/^(?:config|url|history)-/.test(finding.code),
    none: `${read} read and understood.`,
    some: (count) => `${read} read; ${numberOf(count, 'remark')}.`,
  };
  return [
    ...[migrations, placement, scripts, ...mistakes].map((group) => sumUp(group, findings)),
    coverage(project, pairs),
  ];
}

function sumUp({ check, isOne, none, some }: FindingCheck, findings: readonly Finding[]): Check {
  const found = findings.filter(isOne);
  const worst = found.some(({ severity }) => severity === 'error')
    ? 'problem'
    : found.some(({ severity }) => severity === 'warning')
      ? 'warning'
      : 'ok';
  const first = found.find(
    ({ severity }) => severity === (worst === 'problem' ? 'error' : worst === 'warning' ? 'warning' : 'info'),
  );
  return {
    check,
    result: worst,
    message: found.length === 0 ? none : some(found.length),
    hint: worst === 'ok' ? undefined : first?.hint,
    ...(found.length === 0 ? {} : { details: found.map(describeFinding) }),
  };
}

function coverage(project: Project, pairs: readonly Pair[]): Check {
  const check = 'coverage';
  if (project.history === undefined) return notChecked(check, 'what is applied is not known without the history.');
  const applied = pairs.filter(({ state }) => state === 'applied' || state === 'failed');
  const without = applied.filter((pair) => !isUsable(pair));
  if (without.length === 0) {
    return {
      check,
      result: 'ok',
      message: `${numberOf(applied.length, 'applied version')}, each with a usable rollback.`,
    };
  }
  return {
    check,
    result: 'warning',
    message: `${without.length} of ${numberOf(applied.length, 'applied version')} without a usable rollback.`,
    hint: 'flyback audit says what each lacks.',
    details: without.map(({ version, description }) => `version ${version.text} ${description}`.trim()),
  };
}
