import { FlybackError } from '../errors/error.js';
import type { Target } from '../plan/plan.js';
import type { TargetFlags } from './program.js';

/** The flags → one target; one step back when nothing is said. */
export function readTarget(flags: TargetFlags): Target {
  if (flags.all === true) return { kind: 'all' };
  if (flags.to !== undefined) return { kind: 'to', version: flags.to };
  if (flags.only !== undefined) return { kind: 'only', version: flags.only };
  if (flags.steps === undefined) return { kind: 'steps', steps: 1 };
  if (!/^\d{1,9}$/.test(flags.steps)) {
    throw new FlybackError('usage-invalid', `--steps ${flags.steps} is not a whole number.`, {
      hint: 'Use --steps 1 for the newest version.',
    });
  }
  return { kind: 'steps', steps: Number(flags.steps) };
}
