import type { LockHolder } from '../adapter/locks.js';
import { describeHolder } from '../locks/describe-holder.js';
import { planEndings, requirePermitted, type PlannedEnding } from '../locks/ending.js';
import { surveyLocks, type SurveyRequest } from '../locks/survey-locks.js';
import { pause } from './pause.js';
import type { RunEvent } from './run-result.js';

/** How long to wait for sessions to end that were asked to, and how often to look. */
const patienceMs = 5000;
const lookEveryMs = 100;

/**
 * Ends whoever stands in the way of the plan now: cancels what runs, terminates what idles in a transaction, and waits
 * until they have gone. Resolves to a sentence about each that was ended. What is left alone, or does not go, is for the
 * run to wait for. Throws FlybackError privilege-missing before anything was ended, cancelled.
 */
export async function endBlockers(
  request: SurveyRequest,
  onEvent: ((event: RunEvent) => void) | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const { session, toolbox } = request;
  const asked = new Set<string>();
  const sentences: string[] = [];
  const until = performance.now() + patienceMs;
  for (;;) {
    const { blockers, snapshots } = await surveyLocks(request);
    const endings = planEndings(blockers, snapshots);
    requirePermitted(endings);
    const due = endings.filter(({ ending }) => ending.kind === 'end');
    if (due.length === 0 || performance.now() > until) return sentences;
    // A statement that was cancelled may leave its session idle in the same transaction: that is asked again, otherwise.
    const fresh = due.filter((planned) => !asked.has(askedKey(planned)));
    for (const planned of fresh) asked.add(askedKey(planned));
    const answers = await toolbox.database.locks.end(
      session,
      fresh.map(({ holder }) => holder),
    );
    for (const [index, { holder, because }] of fresh.entries()) {
      const how = answers[index];
      if (how === undefined || how === 'gone') continue;
      sentences.push(endedSentence(holder, how, `it ${because}`));
      onEvent?.({ kind: 'session-ended', holder, how });
    }
    await pause(lookEveryMs, signal);
  }
}

function askedKey({ holder, ending }: PlannedEnding): string {
  return `${holder.identity} ${ending.kind === 'end' ? ending.how : ''}`;
}

/** "Process 4711 (…) was terminated, because it held …". */
export function endedSentence(holder: LockHolder, how: 'cancelled' | 'terminated', because: string): string {
  const words = describeHolder(holder);
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)} was ${how}: ${because}.`;
}
