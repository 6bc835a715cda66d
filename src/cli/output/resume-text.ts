import type { ResumePlan, ResumeStatement } from '../../run/resume.js';
import { paint } from './error-text.js';
import { count } from './numbers.js';

const marks: Readonly<Record<ResumeStatement['state'], string>> = {
  finished: 'done',
  interrupted: 'open',
  'to-run': 'left',
};
const styles = { finished: 'green', interrupted: 'yellow', 'to-run': 'cyan' } as const;

/** How far an interrupted rollback came, as an engineer reads it before going on. */
export function resumeText(plan: ResumePlan, stream: NodeJS.WriteStream): string {
  const { interrupted } = plan;
  const done = plan.statements.filter(({ state }) => state === 'finished').length;
  return [
    `Interrupted: version ${plan.version}  ${plan.description}`,
    `  begun        ${plan.begunAt} by ${plan.begunBy}${plan.reason === null ? '' : `: ${plan.reason}`}`,
    `  script       ${plan.script}${plan.scriptChanged ? paint('yellow', ' (changed since; what has finished is unchanged)', stream) : ''}`,
    `  done         ${done} of ${count(plan.statements.length, 'statement')}`,
    ...(plan.stoppedBecause === null
      ? []
      : [`  stopped      ${plan.stoppedBecause.replace(/^Version \S+ could not be rolled back: /, '')}`]),
    ...(plan.historyRow !== 'gone'
      ? []
      : [
          `  history      ${paint('yellow', 'its row is gone (repairing a history removes rows marked as failed)', stream)}`,
        ]),
    '',
    ...plan.statements.map(
      ({ line, sql, state }) =>
        `  ${paint(styles[state], marks[state], stream)}  ${String(line).padStart(4)}  ${sql.split(/\r\n|\r|\n/, 1)[0] ?? ''}`,
    ),
    ...(interrupted === null
      ? []
      : [
          '',
          `  ${interrupted.words}`,
          ...(interrupted.state === 'partly' ? interrupted.repair.map((sql) => `  repair       ${sql}`) : []),
          `  ${consequence(interrupted.state)}`,
        ]),
    '',
  ].join('\n');
}

function consequence(state: NonNullable<ResumePlan['interrupted']>['state']): string {
  switch (state) {
    case 'done':
      return 'It counts as done.';
    case 'not-done':
      return 'It will run again.';
    case 'partly':
      return 'It will be put right first.';
    case 'unknown':
      return 'Somebody must look: --assume done, or --assume not-done to run it again.';
  }
}
