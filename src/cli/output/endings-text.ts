import { describeWithQuery } from '../../locks/describe-holder.js';
import type { PlannedEnding } from '../../locks/ending.js';
import { paint } from './error-text.js';

/** What --cancel-blockers is about to do, one holder after the other; '' when nobody is in the way. */
export function endingsText(
  endings: readonly PlannedEnding[],
  byHand: (ending: PlannedEnding) => string,
  stream: NodeJS.WriteStream,
): string {
  if (endings.length === 0) return '';
  return ['In the way now', ...endings.flatMap((planned) => lines(planned, byHand(planned), stream))].join('\n');
}

function lines(planned: PlannedEnding, byHand: string, stream: NodeJS.WriteStream): readonly string[] {
  const { ending } = planned;
  const who = `${describeWithQuery(planned.holder)}\n             ${planned.because}`;
  switch (ending.kind) {
    case 'end':
      return [`  ${paint('red', ending.how.padEnd(9), stream)}  ${who}`];
    case 'leave':
      return [`  leave      ${who}; ${ending.reason}`, `             by hand: ${byHand}`];
    case 'forbidden':
      return [`  leave      ${who}; ${ending.lacking}`];
  }
}
