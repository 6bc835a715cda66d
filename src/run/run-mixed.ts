import { FlybackError } from '../errors/error.js';
import type { HistoryEntry } from '../history/history.js';
import type { PlanStep } from '../plan/plan.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import { writeAfterwards } from './aftermath.js';
import { releaseSessionLock, takeSessionLock } from './open-transaction.js';
import { cancelledError } from './pause.js';
import { runJournalledStep } from './run-journalled-step.js';
import type { RunRequest } from './run-request.js';
import type { RunResult, StepResult } from './run-result.js';
import { stepEntry } from './step-entry.js';

interface Part {
  readonly transaction: 'on' | 'off';
  readonly steps: readonly PlanStep[];
  readonly scripts: readonly RollbackScript[];
}

/**
 * Runs a plan some of whose steps run without a transaction. The tool's lock is held by the session from the first step to
 * the last; steps in a row that have transactions run as they would alone.
 */
export async function runMixed(
  request: RunRequest,
  runTransactional: (part: RunRequest) => Promise<RunResult>,
): Promise<RunResult> {
  const { plan, session } = request;
  if (session.facts.proxied) throw poolerBetween();
  const results: StepResult[] = [];
  const warnings: string[] = [];
  let failure: FlybackError | undefined;
  let outcome: RunResult['outcome'] = 'committed';
  let recordHash: string | undefined;
  try {
    await takeSessionLock(request);
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    return lockMissing(request, request.signal?.aborted === true ? cancelledError() : error);
  }
  try {
    let entries = request.entries;
    let hasTables = false;
    for (const part of partsOf(request)) {
      const before = results.length;
      if (part.transaction === 'on') {
        const result = await runTransactional({
          ...request,
          plan: { ...plan, steps: part.steps },
          scripts: part.scripts,
          entries,
          part: { before, of: plan.steps.length },
          holdsLock: true,
        });
        results.push(...result.steps);
        warnings.push(...result.warnings);
        ({ failure, outcome } = result);
        recordHash = result.recordHash ?? recordHash;
        entries = without(entries, part.steps);
      } else {
        const [step, script] = [part.steps[0], part.scripts[0]];
        if (step === undefined || script === undefined) throw new FlybackError('internal', 'A part has no step.');
        const done = await runJournalledStep(request, {
          step,
          script,
          number: before + 1,
          of: plan.steps.length,
          entries,
          hasTables,
        });
        hasTables = true;
        results.push(done.result);
        warnings.push(...done.warnings);
        ({ failure, entries } = done);
        outcome = outcomeOf(failure);
        recordHash = done.recordHash ?? recordHash;
      }
      if (failure !== undefined) break;
    }
  } finally {
    await releaseSessionLock(request);
  }
  for (const step of plan.steps.slice(results.length)) results.push(notRun(step));
  return { run: request.runId, outcome, steps: results, failure, recordHash, warnings };
}

/** Runs of steps with transactions together, each step without one by itself. */
function partsOf({ plan, scripts }: RunRequest): readonly Part[] {
  const parts: { transaction: 'on' | 'off'; steps: PlanStep[]; scripts: RollbackScript[] }[] = [];
  for (const [index, step] of plan.steps.entries()) {
    const script = scripts[index];
    if (script === undefined) throw new FlybackError('internal', `Step ${index + 1} has no script.`);
    const last = parts.at(-1);
    if (last?.transaction === 'on' && step.transaction === 'on') {
      last.steps.push(step);
      last.scripts.push(script);
    } else parts.push({ transaction: step.transaction, steps: [step], scripts: [script] });
  }
  return parts;
}

function without(entries: readonly HistoryEntry[], steps: readonly PlanStep[]): readonly HistoryEntry[] {
  const gone = new Set(steps.map((step) => step.entry.rank));
  return entries.filter((entry) => !gone.has(entry.rank));
}

/** What the way in which a step without a transaction stopped makes of the run. */
export function outcomeOf(failure: FlybackError | undefined): RunResult['outcome'] {
  switch (failure?.code) {
    case undefined:
      return 'committed';
    case 'run-interrupted':
    case 'resume-unclear':
      return 'interrupted';
    case 'commit-unknown':
      return 'unknown';
    case 'cancelled':
      return 'cancelled';
    default:
      return 'failed';
  }
}

function notRun(step: PlanStep): StepResult {
  return {
    version: step.version,
    outcome: 'not-run',
    durationMs: 0,
    statements: [],
    verifications: [],
    notices: [],
  };
}

/** The result of a run that never got the tool's lock. */
export async function lockMissing(request: RunRequest, error: FlybackError): Promise<RunResult> {
  const { plan } = request;
  const [first] = plan.steps;
  const steps = plan.steps.map(notRun);
  if (first === undefined) throw error;
  const written = await writeAfterwards(request, [
    stepEntry(request, {
      step: first,
      outcome: error.code === 'cancelled' ? 'cancelled' : 'failed',
      number: 1,
      of: plan.steps.length,
      transaction: first.transaction === 'off' ? 'none' : plan.transaction,
      statements: [],
      verifications: [],
      started: performance.now(),
      error,
    }),
  ]);
  return {
    run: request.runId,
    outcome: outcomeOf(error),
    steps: steps.map((step, index) => (index === 0 ? { ...step, outcome: 'failed' } : step)),
    failure: error,
    recordHash: 'hash' in written ? written.hash : undefined,
    warnings: 'warning' in written ? [written.warning] : [],
  };
}

/** The lock of a session is worth nothing when the next statement may run in another one. */
export function poolerBetween(): FlybackError {
  return new FlybackError(
    'lock-unavailable',
    'A rollback without a transaction needs the lock of a session, and something between flyback and the server (a pooler) may move it to another session with each statement.',
    { hint: 'Connect to the server directly.' },
  );
}
