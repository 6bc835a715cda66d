import type { LockWait } from '../../adapter/locks.js';
import { describeHolder, describeWithQuery } from '../../locks/describe-holder.js';
import type { RunEvent, RunResult, StepOutcome, StepResult } from '../../run/run-result.js';
import { paint } from './error-text.js';
import { count, printDuration } from './numbers.js';

/** Writes the progress of a run, one line an event, to stderr. */
export function progressWriter(stream: NodeJS.WriteStream): (event: RunEvent) => void {
  // On a terminal a statement's line is begun when it starts and ended with its time; whatever else comes needs a new line.
  let isLineOpen = false;
  const write = (line: string): void => {
    stream.write(`${isLineOpen ? '\n' : ''}${line}\n`);
    isLineOpen = false;
  };
  return (event) => {
    writeTogether(stream);
    switch (event.kind) {
      case 'waiting-for-tool-lock':
        write(
          `waiting for the lock of the migration tool (${printDuration(event.waitedMs)})${event.holders.length === 0 ? '' : `: held by ${event.holders.join('; ')}`}`,
        );
        break;
      case 'locked':
        break;
      case 'step-started':
        write(`${event.number}/${event.of}  version ${event.version}`);
        break;
      case 'statement-started':
        if (!stream.isTTY) break;
        stream.write(`${isLineOpen ? '\n' : ''}      line ${event.line} … `);
        isLineOpen = true;
        break;
      case 'statement-finished':
        if (isLineOpen) {
          isLineOpen = false;
          write(printDuration(event.durationMs));
        } else if (event.durationMs >= 100) write(`      line ${event.line}  ${printDuration(event.durationMs)}`);
        break;
      case 'verified':
        write(
          `      ${event.result.passed ? paint('green', 'verified', stream) : paint('red', 'not verified', stream)}  ${event.result.name}: expected ${event.result.expected}, got ${event.result.actual}`,
        );
        break;
      case 'step-finished':
        write(
          `      ${outcomeText(event.outcome, stream)}  version ${event.version}  ${printDuration(event.durationMs)}`,
        );
        break;
      case 'lock-timeout':
        write(
          `      ${paint('yellow', 'waiting', stream)}  ${event.message}; rolled back, try ${event.attempt + 1} in ${printDuration(event.pauseMs)}`,
        );
        break;
      case 'blocked':
        write(`      ${paint('yellow', 'waiting', stream)} ${waitText(event.wait)}`);
        break;
      case 'session-ended':
        write(`      ${paint('red', event.how, stream)} ${describeWithQuery(event.holder)}`);
        break;
      case 'session-left':
        write(`      left ${describeHolder(event.holder)}: ${event.reason}; by hand: ${event.byHand}`);
        break;
      case 'recorded':
        break;
    }
  };
}

/** Lines come in writes of their own at most this often; each costs the server's next message a tenth of a millisecond. */
const linesTogetherMs = 20;

/** What is written within the next moment leaves in one go, at the latest when the process ends. Not on a terminal, where nobody else waits. */
function writeTogether(stream: NodeJS.WriteStream): void {
  if (stream.isTTY || stream.writableCorked > 0) return;
  stream.cork();
  const release = (): void => {
    clearTimeout(timer);
    process.off('beforeExit', release);
    process.off('exit', release);
    stream.uncork();
  };
  const timer = setTimeout(release, linesTogetherMs).unref();
  process.once('beforeExit', release);
  process.once('exit', release);
}

/** "3 s for ACCESS EXCLUSIVE on public.orders, held by process 4711 (reporting, idle in transaction for 12 min): SELECT …". */
function waitText({ level, on, waitedMs, blockers }: LockWait): string {
  const shown = blockers.slice(0, 3).map(({ holder }) => describeWithQuery(holder));
  const more = blockers.length - shown.length;
  const held = blockers.some(({ holds }) => holds) ? 'held by' : 'behind';
  return `${Math.round(waitedMs / 1000)} s for ${level === null ? '' : `${level} on `}${on}, ${held} ${shown.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

const outcomeWords: Readonly<Record<StepOutcome, string>> = {
  committed: 'rolled back',
  passed: 'passed, taken back',
  failed: 'failed, nothing changed',
  'rolled-back': 'not committed',
  unknown: 'unknown',
  interrupted: 'interrupted',
  'not-run': 'not run',
};

function outcomeText(outcome: StepOutcome, stream: NodeJS.WriteStream): string {
  const style = outcome === 'committed' || outcome === 'passed' ? 'green' : 'red';
  return paint(style, outcomeWords[outcome], stream);
}

/** What a run came to, for stdout. */
export function runText(result: RunResult, stream: NodeJS.WriteStream): string {
  const done = result.steps.filter((step) => step.outcome === 'committed' || step.outcome === 'passed');
  const head =
    result.outcome === 'committed'
      ? `Rolled back ${count(done.length, 'version')}: ${shorten(done.map((step) => step.version))}`
      : result.outcome === 'dry-run'
        ? `Dry run passed for ${count(done.length, 'version')}: ${shorten(done.map((step) => step.version))}; nothing was changed`
        : stoppedText(result, done);
  return [
    head,
    ...result.steps.flatMap((step) =>
      step.verifications.map(
        (check) => `  ${check.passed ? 'ok' : 'NOT OK'}  ${step.version}  ${check.name}: ${check.actual}`,
      ),
    ),
    ...result.steps.flatMap((step) =>
      (step.drift ?? []).map(
        (finding) => `  ${paint('yellow', finding.severity, stream)} ${finding.code}: ${finding.message}`,
      ),
    ),
    ...result.warnings.map((warning) => `  ${paint('yellow', 'warning', stream)} ${warning}`),
    ...(result.recordHash === undefined ? [] : [`  record ${result.recordHash}`]),
  ].join('\n');
}

function stoppedText(result: RunResult, done: readonly StepResult[]): string {
  const before = `${count(done.length, 'version')} rolled back before (${shorten(done.map((step) => step.version))})`;
  const half = result.steps.find((step) => step.outcome === 'interrupted');
  if (half === undefined) return `The run stopped: ${done.length === 0 ? 'no version was rolled back' : before}`;
  return `The run was interrupted: version ${half.version} is partly rolled back${done.length === 0 ? '' : `; ${before}`}`;
}

function shorten(versions: readonly string[]): string {
  return versions.length > 8
    ? `${versions.slice(0, 4).join(', ')} … ${versions.slice(-2).join(', ')}`
    : versions.join(', ');
}
