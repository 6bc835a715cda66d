import { FlybackError } from '../errors/error.js';
import type { OpenRun } from './journal-state.js';

/** An earlier run stopped half-way: nothing else may run before it is finished. */
export function resumeNeeded(open: OpenRun): FlybackError {
  const { begun, finished } = open;
  const total = begun.statements.length;
  const progress =
    finished.length === total
      ? `has all of its ${total} statements behind it and was not verified`
      : `stopped after ${finished.length} of ${total} statements`;
  return new FlybackError(
    'resume-needed',
    `Version ${begun.version} is partly rolled back: a run of ${begun.who.systemUser} on ${begun.who.host}, begun ${begun.at}, ${progress}.`,
    { hint: 'Finish it first: flyback resume' },
  );
}
