import { fingerprint } from '../fingerprint/fingerprint.js';
import type { Plan } from './plan.js';

/**
 * The part of a plan that decides what happens: without its own hash, the time it was made, the estimates, and the
 * proofs and hazards, which are words about the rest and may quote estimates.
 */
function decisivePart(plan: Omit<Plan, 'hash'>): unknown {
  const { createdAt: _createdAt, proofs: _proofs, hazards: _hazards, steps, ...rest } = plan as Plan;
  const { hash: _hash, ...decisive } = rest as Partial<Plan>;
  return {
    ...decisive,
    steps: steps.map((step) => ({
      ...step,
      statements: step.statements.map(({ estimate: _estimate, ...statement }) => statement),
    })),
  };
}

/** The hash that identifies a plan in the record and guards a plan file against editing. */
export function planHash(plan: Omit<Plan, 'hash'>): string {
  return fingerprint(decisivePart(plan));
}
