import type { QueryResult, ServerFailure } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import { functionError } from '../functions/function-error.js';
import { downOf, subjectOf } from '../functions/read-functions.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import type { RunRequest } from './run-request.js';
import type { StepMessage } from './step-messages.js';

type StatementMessage = Extract<StepMessage, { kind: 'statement' }>;

/** Told of each statement as the function sends it, and as the server answers it. */
export interface FunctionListener {
  start(message: StatementMessage): void;
  add(message: StatementMessage, answer: QueryResult, durationMs: number): void;
}

export type FunctionRun =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly message: StatementMessage; readonly failure: ServerFailure }
  | { readonly kind: 'stopped'; readonly error: FlybackError };

/**
 * Calls the down function of a step in the open transaction, and holds it to the plan: it sends exactly the planned
 * `messages` in their order, or it is stopped at the first that is another, before the server sees it.
 */
export async function runFunction(
  request: RunRequest,
  script: RollbackScript,
  messages: readonly StatementMessage[],
  listener: FunctionListener,
): Promise<FunctionRun> {
  const { functions, signal } = request;
  if (functions === undefined) throw new FlybackError('internal', 'Functions are not allowed by this project.');
  const called = downOf(script, request.migrations);
  let sent = 0;
  let answered = 0;
  let other: string | undefined;
  let outcome;
  try {
    outcome = await functions.call(
      called,
      {
        onStatement: (text) => {
          const planned = messages[sent];
          if (planned?.sql !== text) {
            other = `statement ${sent + 1} is ${shown(request, text)}, planned was ${planned === undefined ? 'nothing more' : shown(request, planned.sql)}`;
            return 'This is not what was planned.';
          }
          sent += 1;
          listener.start(planned);
          return undefined;
        },
        onAnswer: ({ rowCount, durationMs }) => {
          const message = messages[answered];
          answered += 1;
          if (message !== undefined)
            listener.add(message, { command: '', rowCount, columns: [], rows: [] }, durationMs);
        },
      },
      signal,
    );
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    return { kind: 'stopped', error };
  }
  const subject = subjectOf(script, called);
  if (other !== undefined) return { kind: 'stopped', error: changed(subject, other) };
  if (outcome.kind === 'failed') {
    const message = messages[Math.max(outcome.index, 0)];
    if (message === undefined) throw new FlybackError('internal', 'The server refused a statement that was not sent.');
    return { kind: 'failed', message, failure: outcome.failure };
  }
  if (outcome.kind !== 'done') return { kind: 'stopped', error: functionError(subject, outcome) };
  if (answered === messages.length) return { kind: 'done' };
  return {
    kind: 'stopped',
    error: changed(subject, `it ends after ${answered} of the ${messages.length} statements that were planned`),
  };
}

function changed(subject: string, how: string): FlybackError {
  return new FlybackError(
    'function-changed',
    `${subject} does something else than when it was planned: ${how}. Everything was rolled back.`,
    { hint: 'It depends on rows or on the moment: plan again, or write a rollback script for this version.' },
  );
}

const shownLength = 200;

function shown({ redact }: RunRequest, text: string): string {
  const line = redact(text).replaceAll(/\s+/g, ' ');
  return line.length > shownLength ? `${line.slice(0, shownLength)}…` : line;
}
