import { FlybackError } from '../errors/error.js';
import type { CallOutcome } from './function-runner.js';

/**
 * The error of a call that did not end well, where no statement of the server's can be blamed. `subject`: the beginning of the
 * sentence, "Version 5: down() of 5_x.js".
 */
export function functionError(
  subject: string,
  outcome:
    Pick<Extract<CallOutcome, { kind: 'refused' }>, 'kind' | 'reason'> | Extract<CallOutcome, { kind: 'broken' }>,
): FlybackError {
  return outcome.kind === 'refused'
    ? new FlybackError('function-failed', `${subject} cannot be used: ${outcome.reason}`, {
        hint: 'Write a rollback script for this version: flyback stub.',
      })
    : new FlybackError('function-failed', `${subject} ${outcome.problem}. Everything was rolled back.`, {
        hint: outcome.hint ?? 'Correct the function, or write a rollback script for this version: flyback stub.',
      });
}
