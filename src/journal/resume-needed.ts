import { FlybackError } from '../errors/error.js';
import type { OpenRun } from './journal-state.js';

/** An earlier run stopped half-way: nothing else may run before it is finished. */
export function resumeNeeded(open: OpenRun): FlybackError {
  const { begun, finished } = open;
  return new FlybackError(
    'resume-needed',
    `Version ${begun.version} is partly rolled back: a run of ${begun.who.systemUser} on ${begun.who.host}, begun ${begun.at}, stopped after ${finished.length} of ${begun.statements.length} statements.`,
    { hint: 'Finish it first: flyback resume' },
  );
}
