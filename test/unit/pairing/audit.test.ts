import { describe, expect, it } from 'vitest';
import type { AuditPolicy } from '../../../src/config/config.js';
import type { Finding } from '../../../src/errors/finding.js';
import { audit } from '../../../src/pairing/audit.js';
import type { Pair, RiskAssessment } from '../../../src/pairing/pair.js';
import { rollbackScript } from '../../harness/history-values.js';

const policy: AuditPolicy = { ignore: [], maxRisk: 'medium' };

function somePair(changes: Partial<Pair> = {}): Pair {
  return {
    version: { text: '1', key: '1' },
    description: 'step',
    state: 'applied',
    row: undefined,
    migration: undefined,
    script: rollbackScript('1'),
    risk: undefined,
    findings: [],
    ...changes,
  };
}
const risk = (changes: Partial<RiskAssessment> = {}): RiskAssessment => ({
  risk: 'low',
  action: 'Roll back.',
  dataLoss: 'no',
  migrationChanges: [],
  rollbackChanges: [],
  ...changes,
});
const finding = (code: string, severity: Finding['severity']): Finding => ({
  code,
  severity,
  subject: '1',
  message: 'm',
});

describe('an audit', () => {
  it('passes when every version has a rollback and nothing is wrong', () => {
    const result = audit([somePair({ risk: risk() })], policy, []);
    expect(result).toMatchObject({ passed: true, findings: [], counts: { needed: 1, covered: 1 } });
  });

  it('passes with warnings, and fails with one error of a version or of the project', () => {
    const warned = somePair({ findings: [finding('rollback-orphan', 'warning')] });
    expect(audit([warned], policy, [finding('location-missing', 'warning')]).passed).toBe(true);
    expect(audit([warned], policy, [finding('history-corrupt', 'error')]).passed).toBe(false);
    expect(audit([somePair({ findings: [finding('x', 'error')] })], policy, []).passed).toBe(false);
  });

  it.each(['script-empty', 'script-comment-only', 'script-stub', 'rollback-missing', 'rollback-stale'])(
    'fails over %s however mildly it was put',
    (code) => {
      const result = audit([somePair({ findings: [finding(code, 'info')] })], policy, []);
      expect(result.passed).toBe(false);
      expect(result.findings[0]?.severity).toBe('error');
    },
  );

  it('mentions what the policy ignores, and passes', () => {
    const pairs = [somePair({ script: undefined, findings: [finding('rollback-missing', 'error')] })];
    const result = audit(pairs, { ...policy, ignore: ['rollback-missing'] }, []);
    expect(result.passed).toBe(true);
    expect(result.findings).toMatchObject([{ code: 'rollback-missing', severity: 'info' }]);
    expect(result.counts).toMatchObject({ needed: 1, covered: 0, findings: { error: 0, warning: 0, info: 1 } });
  });

  it('fails over a risk above the limit, unless the script carries an approval', () => {
    const risky = somePair({ risk: risk({ risk: 'high' }) });
    expect(audit([risky], policy, []).findings).toMatchObject([{ code: 'risk-too-high', severity: 'error' }]);
    expect(audit([risky], { ...policy, maxRisk: 'high' }, []).passed).toBe(true);
    const directives = { allowLoss: [], leaves: [], stub: false, approval: 'DBA-7' };
    expect(audit([somePair({ ...risky, script: rollbackScript('1', { directives }) })], policy, []).passed).toBe(true);
  });

  it('judges pending versions too, and neither baselines nor orphans', () => {
    const high = risk({ risk: 'critical' });
    expect(audit([somePair({ state: 'pending', risk: high })], policy, []).passed).toBe(false);
    expect(audit([somePair({ state: 'baseline', risk: high })], policy, []).passed).toBe(true);
    expect(audit([somePair({ state: 'orphan', risk: high })], policy, []).passed).toBe(true);
  });

  it('warns of a loss that the script does not name', () => {
    const lossy = somePair({ risk: risk({ dataLoss: 'yes' }) });
    expect(audit([lossy], policy, []).findings).toMatchObject([{ code: 'rollback-lossy', severity: 'warning' }]);
    const directives = { allowLoss: ['orders.note'], leaves: [], stub: false };
    expect(audit([somePair({ ...lossy, script: rollbackScript('1', { directives }) })], policy, []).findings).toEqual(
      [],
    );
  });

  it('counts states, and scripts that do something as cover', () => {
    const stub = rollbackScript('1', { directives: { allowLoss: [], leaves: [], stub: true } });
    const { counts } = audit(
      [
        somePair(),
        somePair({ script: undefined }),
        somePair({ state: 'pending', script: stub }),
        somePair({
          state: 'failed',
          script: rollbackScript('1', { findings: [finding('script-no-effect', 'error')] }),
        }),
        somePair({ state: 'baseline', script: undefined }),
        somePair({ state: 'orphan' }),
      ],
      policy,
      [],
    );
    expect(counts.versions).toEqual({ applied: 2, failed: 1, pending: 1, baseline: 1, orphan: 1 });
    expect(counts).toMatchObject({ needed: 4, covered: 1 });
  });

  it('changes nothing that it was given', () => {
    const pairs = [somePair({ findings: [finding('script-empty', 'info')] })];
    const before = JSON.stringify(pairs);
    audit(pairs, policy, []);
    expect(JSON.stringify(pairs)).toBe(before);
  });
});
