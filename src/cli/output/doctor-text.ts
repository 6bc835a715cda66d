import { areas, type AreaCheck, type CheckResult, type Diagnosis } from '../../doctor/check.js';
import { paint } from './error-text.js';
import { count } from './numbers.js';

const words: Readonly<Record<CheckResult, string>> = {
  ok: 'ok',
  warning: 'warning',
  problem: 'PROBLEM',
  'not-checked': '?',
};
const styles = { ok: 'green', warning: 'yellow', problem: 'red', 'not-checked': 'cyan' } as const;
const wordWidth = 9;
const nameWidth = 31;
const shownDetails = 10;

/** What was found, area by area, each check a line with its next action below. */
export function diagnosisText({ checks, counts }: Diagnosis, stream: NodeJS.WriteStream): string {
  const sections = areas.map((area) =>
    [area, ...checks.filter((check) => check.area === area).map((check) => checkText(check, stream))].join('\n'),
  );
  const verdict = [
    count(counts.problem, 'problem'),
    count(counts.warning, 'warning'),
    `${counts.ok} ok`,
    ...(counts['not-checked'] === 0 ? [] : [`${counts['not-checked']} not checked`]),
  ].join(', ');
  return [...sections, verdict].join('\n\n');
}

function checkText(check: AreaCheck, stream: NodeJS.WriteStream): string {
  const word = paint(styles[check.result], words[check.result].padEnd(wordWidth), stream);
  // What is in order needs no proof on the screen; --json has all of it.
  const details = check.result === 'ok' ? [] : (check.details ?? []);
  const more = details.length - shownDetails;
  return [
    `  ${word}${check.check.padEnd(nameWidth)}${check.message}`,
    ...details.slice(0, shownDetails).map((detail) => `             ${detail}`),
    ...(more > 0 ? [`             … and ${more} more`] : []),
    ...(check.hint === undefined ? [] : [`           → ${check.hint}`]),
  ].join('\n');
}
