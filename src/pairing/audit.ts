import type { AuditPolicy } from '../config/config.js';
import type { Finding, Severity } from '../errors/finding.js';
import { risks } from '../risk/change.js';
import type { Pair, PairState } from './pair.js';

export interface AuditCounts {
  /** How many versions are in each state. */
  readonly versions: Readonly<Record<PairState, number>>;
  /** Applied, failed and pending versions, and how many of them have one usable rollback script. */
  readonly needed: number;
  readonly covered: number;
  readonly findings: Readonly<Record<Severity, number>>;
}

export interface AuditResult {
  /** True exactly if no finding is an error. */
  readonly passed: boolean;
  /** Version by version, then what belongs to none; each with the severity that counts here. */
  readonly findings: readonly Finding[];
  readonly counts: AuditCounts;
}

/**
 * Codes that always fail an audit, however mildly the stage that found them put it: a rollback that is not there,
 * does nothing, cannot run or may not fit.
 */
const failingCodes: ReadonlySet<string> = new Set([
  'rollback-missing',
  'rollback-duplicate',
  'rollback-stale',
  'rollback-unparsable',
  'rollbacks-folder-scanned',
  'script-duplicate',
  'script-empty',
  'script-comment-only',
  'script-no-effect',
  'script-stub',
  'script-unreviewed',
  'risk-too-high',
]);

/**
 * The coverage gate over applied, failed and pending versions: every finding of the pairs and of the project, one for
 * each risk above the policy's limit without an approval, one for each loss that the script does not name. Codes that
 * the policy ignores are mentioned as info. Pure.
 */
export function audit(pairs: readonly Pair[], policy: AuditPolicy, findings: readonly Finding[]): AuditResult {
  const ignored = new Set(policy.ignore);
  const judged = [...pairs.flatMap((pair) => [...pair.findings, ...judgePair(pair, policy)]), ...findings].map(
    (finding): Finding => ({ ...finding, severity: severityOf(finding, ignored) }),
  );
  const needed = pairs.filter(({ state }) => state === 'applied' || state === 'failed' || state === 'pending');
  return {
    passed: !judged.some(({ severity }) => severity === 'error'),
    findings: judged,
    counts: {
      versions: countStates(pairs),
      needed: needed.length,
      covered: needed.filter(isCovered).length,
      findings: countSeverities(judged),
    },
  };
}

function severityOf({ code, severity }: Finding, ignored: ReadonlySet<string>): Severity {
  if (ignored.has(code)) {
    return 'info';
  }
  return failingCodes.has(code) ? 'error' : severity;
}

function judgePair({ version, state, script, risk }: Pair, policy: AuditPolicy): readonly Finding[] {
  if (risk === undefined || script === undefined || state === 'baseline' || state === 'orphan') {
    return [];
  }
  const findings: Finding[] = [];
  const isAbove = risks.indexOf(risk.risk) > risks.indexOf(policy.maxRisk);
  if (isAbove && script.directives.approval === undefined) {
    findings.push({
      code: 'risk-too-high',
      severity: 'error',
      subject: version.text,
      message: `Rolling back version ${version.text} has the risk ${risk.risk}; ${policy.maxRisk} is the highest that passes without an approval.`,
      hint: `${risk.action} Then add "-- flyback: approval NAME" to the script, or raise audit.maxRisk in flyback.toml.`,
    });
  }
  if (risk.dataLoss === 'yes' && script.directives.allowLoss.length === 0 && !script.directives.stub) {
    findings.push({
      code: 'rollback-lossy',
      severity: 'warning',
      subject: version.text,
      message: `Rolling back version ${version.text} destroys data, and its script does not say which may be lost.`,
      hint: 'Name it with "-- flyback: allow-loss …", or keep the data in the script.',
    });
  }
  return findings;
}

/** A script that would not be run covers nothing. */
function isCovered({ script }: Pair): boolean {
  return (
    script !== undefined && !script.directives.stub && !script.findings.some(({ severity }) => severity === 'error')
  );
}

function countStates(pairs: readonly Pair[]): Readonly<Record<PairState, number>> {
  const counts: Record<PairState, number> = { applied: 0, failed: 0, pending: 0, baseline: 0, orphan: 0 };
  for (const { state } of pairs) {
    counts[state]++;
  }
  return counts;
}

function countSeverities(findings: readonly Finding[]): Readonly<Record<Severity, number>> {
  const counts: Record<Severity, number> = { error: 0, warning: 0, info: 0 };
  for (const { severity } of findings) {
    counts[severity]++;
  }
  return counts;
}
