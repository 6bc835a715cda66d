import { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';

/** In the order in which they are printed. */
export const areas = [
  'configuration',
  'files',
  'mistakes',
  'connection',
  'role',
  'history',
  'server',
  'replication',
] as const;
export type Area = (typeof areas)[number];

/**
 * - ok: as a rollback needs it
 * - warning: a rollback can run, but know this first
 * - problem: a rollback would be refused, would fail, or would harm
 * - not-checked: it could not be found out; the message says why
 */
export type CheckResult = 'ok' | 'warning' | 'problem' | 'not-checked';

/** What was found out about one thing. */
export interface Check {
  /** Stable kebab-case name, documented in docs/doctor.md. */
  readonly check: string;
  readonly result: CheckResult;
  /** One sentence. */
  readonly message: string;
  /** The next action, one sentence; undefined when there is nothing to do. */
  readonly hint?: string | undefined;
  /** One line for each object, script or setting that the sentence sums up. */
  readonly details?: readonly string[] | undefined;
}

/** A check and the part of the picture that it belongs to. */
export interface AreaCheck extends Check {
  readonly area: Area;
}

export interface Diagnosis {
  /** Every check of the catalogue, once, in its order. */
  readonly checks: readonly AreaCheck[];
  readonly counts: Readonly<Record<CheckResult, number>>;
}

/**
 * Every check by area; each database leaves out those that mean nothing there (ServerChecks.without). What cannot be asked on the way (no connection, no history) still has its line, so that a short
 * list never looks like a healthy one.
 */
export const catalogue: Readonly<Record<Area, readonly string[]>> = {
  configuration: ['configuration'],
  files: ['migrations', 'rollbacks-folder', 'rollback-scripts', 'coverage'],
  mistakes: [
    'server-setting-in-transaction',
    'history-row-by-text',
    'verification-after-commit',
    'verification-of-dropped-table',
    'script-without-effect',
    'backup-of-rows-only',
    'cascade',
    'version-forced',
    'plain-dump-listed',
  ],
  connection: ['connection', 'set-up', 'encryption', 'clock', 'pooler', 'writable'],
  role: [
    'superuser',
    'replica-mode',
    'other-sessions',
    'cancel-blockers',
    'history-rights',
    'record-rights',
    'object-rights',
    'server-settings',
  ],
  history: ['history', 'history-writer', 'record', 'journal', 'tool-lock'],
  server: [
    'commits',
    'timeouts',
    'lock-table',
    'prepared-transactions',
    'event-triggers',
    'triggers',
    'sql-mode',
    'name-case',
    'event-scheduler',
  ],
  replication: ['publications', 'subscriptions', 'replica', 'gtid'],
};

/** Puts what was found out into the order of the catalogue, without these checks; the rest is not checked, for this reason. */
export function completeDiagnosis(
  found: readonly Check[],
  reason: string,
  without: ReadonlySet<string> = new Set(),
): Diagnosis {
  // What was found out first counts: later reasons are about other questions.
  const byName = new Map(found.toReversed().map((check) => [check.check, check]));
  const checks = areas.flatMap((area) =>
    catalogue[area]
      .filter((name) => !without.has(name))
      .map((name): AreaCheck => ({ area, ...(byName.get(name) ?? notChecked(name, reason)) })),
  );
  const counts: Record<CheckResult, number> = { ok: 0, warning: 0, problem: 0, 'not-checked': 0 };
  for (const { result } of checks) counts[result] += 1;
  return { checks, counts };
}

export function notChecked(check: string, reason: string): Check {
  return { check, result: 'not-checked', message: `Not checked: ${reason}` };
}

/** An error that stopped what the check is about, in its own words. */
export function problemOf(check: string, error: FlybackError): Check {
  const findings = error.findings.filter((finding) => finding.message !== error.message);
  return {
    check,
    result: 'problem',
    message: error.message,
    hint: error.hint,
    ...(findings.length === 0 ? {} : { details: findings.map(describeFinding) }),
  };
}

/** One line for a finding: where, what. */
export function describeFinding(finding: Finding): string {
  const { location } = finding;
  const place = location === undefined ? '' : ` (${location.file}:${location.line})`;
  return `${finding.code}: ${finding.message}${place}`;
}

/** "1 script", "2 scripts". */
export function numberOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** The checks that `ask` gives, or all of these not checked, for the reason that the server gave. */
export async function orNotChecked(
  names: readonly string[],
  ask: () => Promise<readonly Check[]>,
): Promise<readonly Check[]> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    return names.map((name) => notChecked(name, error.message));
  }
}

/** "a, b, c and 4 more". */
export function listed(names: readonly string[], shown = 5): string {
  const first = names.slice(0, shown).join(', ');
  return names.length > shown ? `${first} and ${names.length - shown} more` : first;
}
