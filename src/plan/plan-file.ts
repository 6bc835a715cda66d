import { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import { canonicalJson } from '../fingerprint/fingerprint.js';
import { planHash } from './plan-hash.js';
import type { Plan } from './plan.js';

/**
 * Reads a stored plan. Throws FlybackError plan-invalid when it is not a plan, is of another format, or was edited:
 * its hash covers everything that decides what happens.
 */
export function parsePlan(text: string, file: string): Plan {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FlybackError('plan-invalid', `${file} is not a plan: it is not JSON (${(cause as Error).message}).`, {
      hint: 'Make one with: flyback plan --json > plan.json',
    });
  }
  const candidate = value as (Omit<Partial<Plan>, 'format'> & { readonly format?: string }) | null;
  if (typeof candidate === 'object' && candidate !== null && 'error' in candidate) {
    throw new FlybackError('plan-invalid', `${file} holds the error of a refused flyback plan, not a plan.`, {
      hint: 'Run flyback plan without --json to read it, put right what it names, and plan again.',
    });
  }
  if (
    typeof candidate !== 'object' ||
    candidate === null ||
    typeof candidate.format !== 'string' ||
    !Array.isArray(candidate.steps)
  ) {
    throw new FlybackError('plan-invalid', `${file} is not a plan of flyback.`, {
      hint: 'Make one with: flyback plan --json > plan.json',
    });
  }
  if (candidate.format !== 'flyback-plan/1') {
    throw new FlybackError(
      'plan-invalid',
      `${file} has the plan format ${JSON.stringify(candidate.format)}, which this flyback does not know.`,
      {
        hint: 'Use the flyback that made it, or plan again.',
      },
    );
  }
  const plan = value as Plan;
  let hash: string;
  try {
    hash = planHash(plan);
  } catch {
    hash = '';
  }
  if (hash !== plan.hash) {
    throw new FlybackError(
      'plan-invalid',
      `${file} was changed after it was made: its content does not match its hash.`,
      {
        hint: 'A plan is not edited: change what it was made from, and plan again.',
      },
    );
  }
  return plan;
}

/**
 * Compares a stored plan with one made now for the same target. Throws FlybackError plan-outdated with a finding for
 * everything that changed in between; returns when nothing did.
 */
export function requireCurrent(stored: Plan, fresh: Plan): void {
  if (stored.hash === fresh.hash) return;
  const findings: Finding[] = [];
  const differ = (subject: string, a: unknown, b: unknown, message: string): void => {
    if (canonicalJson(a) !== canonicalJson(b)) {
      findings.push({
        code: 'plan-outdated',
        severity: 'error',
        subject,
        message,
        hint: 'Review what changed, then plan again.',
      });
    }
  };
  differ(
    'database',
    stored.database,
    fresh.database,
    `The plan was made for ${stored.database.databaseName} (${stored.database.serverVersion}) as ${stored.database.user}; this is ${fresh.database.databaseName} (${fresh.database.serverVersion}) as ${fresh.database.user}.`,
  );
  differ(
    'history',
    stored.history,
    fresh.history,
    `The history table changed: it had ${stored.history.rowCount} rows up to rank ${stored.history.maxRank}, it has ${fresh.history.rowCount} up to rank ${fresh.history.maxRank}, or rows were altered.`,
  );
  differ(
    'triggers',
    stored.triggers,
    fresh.triggers,
    `Triggers would now be switched by ${fresh.triggers.mode} (${fresh.triggers.reason}) instead of ${stored.triggers.mode}.`,
  );
  differ('record', stored.recordTable, fresh.recordTable, 'The record table is configured differently.');
  const versions = (plan: Plan): readonly string[] => plan.steps.map((step) => step.version);
  differ(
    'versions',
    versions(stored),
    versions(fresh),
    `The versions to take back are now ${versions(fresh).join(', ') || 'none'} instead of ${versions(stored).join(', ')}.`,
  );
  for (const step of stored.steps) {
    const now = fresh.steps.find((candidate) => candidate.version === step.version);
    if (now === undefined) continue;
    if (step.script.checksum !== now.script.checksum || step.script.file !== now.script.file) {
      differ(
        step.version,
        step.script,
        now.script,
        `The rollback script of version ${step.version} (${now.script.file}) was changed.`,
      );
    } else {
      differ(
        step.version,
        step.script,
        now.script,
        `Placeholders in the rollback script of version ${step.version} now have other values.`,
      );
      const cascade = (from: typeof step): unknown => from.statements.map((statement) => statement.cascade);
      differ(
        step.version,
        cascade(step),
        cascade(now),
        `CASCADE in version ${step.version} would now remove other objects.`,
      );
    }
  }
  differ(
    'after',
    [stored.after, stored.repeatables],
    [fresh.after, fresh.repeatables],
    'The migration files changed: the next migrate would do something else.',
  );
  if (findings.length === 0) {
    findings.push({
      code: 'plan-outdated',
      severity: 'error',
      subject: 'plan',
      message: 'What was planned and what would be planned now differ.',
      hint: 'Plan again and compare the two files.',
    });
  }
  throw new FlybackError('plan-outdated', 'The stored plan no longer describes what would happen; nothing was run.', {
    hint: 'Review what changed, then plan again.',
    findings,
  });
}
