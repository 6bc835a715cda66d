import type { QueryResult, ServerFailure } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import type { PlanStep } from '../plan/plan.js';
import type { RecordedStatement } from '../record/record-entry.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import { checkExpectation } from '../verify/check-expectation.js';
import type { VerificationResult } from '../verify/verification.js';
import type { RunRequest } from './run-request.js';
import { connectionLostError, guardError, isLockTimeout, locate, scriptError } from './step-failure.js';
import { stepMessages, type OwnTables, type StepMessage } from './step-messages.js';

/** Statements longer than this are cut in the record; the script's checksum pins the whole text. */
const recordedLength = 1000;

/** What a step did before its commit. */
export interface StepWork {
  readonly statements: readonly RecordedStatement[];
  readonly verifications: readonly VerificationResult[];
  readonly notices: readonly string[];
}

export type StepAttempt =
  | { readonly kind: 'done'; readonly work: StepWork }
  /** `leading` failed: a message that the caller had put in front (the commit of the step before). */
  | { readonly kind: 'leading-failed'; readonly failure: ServerFailure; readonly index: number }
  | {
      readonly kind: 'failed';
      readonly error: FlybackError;
      readonly retryable: boolean;
      readonly work: StepWork;
      readonly leadingDone: boolean;
    };

/**
 * Sends the caller's leading messages and the whole step in one go, and checks every answer. The transaction is left
 * open: nothing is committed here. `opening` messages belong to this step; `leading` ones to what came before.
 */
export async function runStep(
  request: RunRequest,
  step: PlanStep,
  script: RollbackScript,
  leading: readonly string[],
  opening: readonly StepMessage[],
  own: OwnTables,
): Promise<StepAttempt> {
  const triggers = await switchableTriggers(request, step, leading, opening);
  const messages = [...triggers.opening, ...stepMessages(request, step, script, triggers, own)];
  const collected = new Collector(request, step, script);
  const sent = await send(request, triggers.leading, messages, collected);
  if (sent.kind === 'leading-failed') return sent;
  const work = collected.work();
  if (sent.kind === 'failed') {
    const retryable = isLockTimeout(sent.failure);
    return {
      kind: 'failed',
      error: describe(request, script, sent.message, sent.failure),
      retryable,
      work,
      leadingDone: true,
    };
  }
  try {
    await checkForeignKeys(request, step, sent.answers);
    checkRemoved(request, step, sent.answers);
    const failed = collected.verifications.find((result) => !result.passed);
    if (failed !== undefined) throw verificationError(script, failed, collected.verifications);
    return { kind: 'done', work };
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    return { kind: 'failed', error, retryable: false, work, leadingDone: true };
  }
}

/** In `disable` mode the triggers of the written tables are looked up first, which needs an answer before the script. */
async function switchableTriggers(
  request: RunRequest,
  step: PlanStep,
  leading: readonly string[],
  opening: readonly StepMessage[],
): Promise<{
  readonly leading: readonly string[];
  readonly opening: readonly StepMessage[];
  readonly off: readonly string[];
  readonly on: readonly string[];
}> {
  if (step.triggers !== 'disable') return { leading, opening, off: [], on: [] };
  const { session, toolbox } = request;
  const tables = step.statements.flatMap((statement) => statement.writes);
  if (tables.length === 0) return { leading, opening, off: [], on: [] };
  // The names resolve by the step's search_path, so its transaction must be open.
  const before = await session.pipeline([
    ...leading,
    ...opening.map((message) => message.sql),
    toolbox.database.sql.tableTriggers(tables),
  ]);
  if (before.failure !== undefined) {
    // Let the ordinary path meet the same failure and describe it.
    return { leading, opening, off: [], on: [] };
  }
  const rows = before.results.at(-1)?.[0]?.rows ?? [];
  const found = rows.map(([id, state, off]) => ({ id: id ?? '', state: state ?? '', off: off ?? '' }));
  return {
    leading: [],
    opening: [],
    off: found.map((trigger) => trigger.off),
    on: found.length === 0 ? [] : [toolbox.database.sql.restoreTriggers(found)],
  };
}

class Collector {
  readonly statements: RecordedStatement[] = [];
  readonly verifications: VerificationResult[] = [];
  readonly #request: RunRequest;
  readonly #step: PlanStep;
  readonly #script: RollbackScript;

  constructor(request: RunRequest, step: PlanStep, script: RollbackScript) {
    this.#request = request;
    this.#step = step;
    this.#script = script;
  }

  add(message: StepMessage, answer: readonly QueryResult[], durationMs: number): void {
    if (message.kind === 'statement') {
      const statement = this.#script.statements[message.statement];
      const line = statement?.line ?? 0;
      const sql = this.#request.redact(message.sql);
      this.statements.push({
        line,
        sql: sql.length > recordedLength ? `${sql.slice(0, recordedLength)}…` : sql,
        rows: answer[0]?.rowCount ?? null,
        durationMs: round(durationMs),
      });
      this.#request.onEvent?.({ kind: 'statement-finished', version: this.#step.version, line, durationMs });
    }
    if (message.kind === 'verification') {
      const verification = this.#script.verifications[message.verification];
      if (verification === undefined) return;
      const checked = checkExpectation(
        verification.expectation,
        answer[0] ?? { command: '', rowCount: 0, columns: [], rows: [] },
      );
      const result: VerificationResult = {
        name: verification.name,
        line: verification.query.line,
        query: this.#request.redact(verification.query.text),
        expected: this.#request.redact(checked.expected),
        actual: this.#request.redact(checked.actual),
        passed: checked.passed,
        durationMs: round(durationMs),
      };
      this.verifications.push(result);
      this.#request.onEvent?.({ kind: 'verified', version: this.#step.version, result });
    }
  }

  work(): StepWork {
    return {
      statements: this.statements,
      verifications: this.verifications,
      notices: this.#request.session.takeNotices().map(this.#request.redact),
    };
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

type Answers = ReadonlyMap<StepMessage, readonly QueryResult[]>;
type Sent =
  | { readonly kind: 'done'; readonly answers: Answers }
  | { readonly kind: 'leading-failed'; readonly failure: ServerFailure; readonly index: number }
  | { readonly kind: 'failed'; readonly message: StepMessage; readonly failure: ServerFailure };

async function send(
  request: RunRequest,
  leading: readonly string[],
  messages: readonly StepMessage[],
  collected: Collector,
): Promise<Sent> {
  const { session } = request;
  const answers = new Map<StepMessage, readonly QueryResult[]>();
  let first = leading;
  // COPY … FROM STDIN needs its data sent in answer to the server's request, so it breaks the pipeline in two.
  for (const part of splitAtCopies(messages)) {
    const finished: number[] = [];
    let last = performance.now();
    const outcome = await session.pipeline([...first, ...part.messages.map((message) => message.sql)], (index) => {
      const at = performance.now();
      finished[index] = at - last;
      last = at;
    });
    for (const [index, message] of part.messages.entries()) {
      const answer = outcome.results[first.length + index];
      if (answer === undefined) break;
      answers.set(message, answer);
      collected.add(message, answer, finished[first.length + index] ?? 0);
    }
    if (outcome.failure !== undefined) {
      const { index, error } = outcome.failure;
      const message = part.messages[index - first.length];
      if (message === undefined) return { kind: 'leading-failed', failure: error, index };
      return { kind: 'failed', message, failure: error };
    }
    first = [];
    if (part.copy !== undefined) {
      const started = performance.now();
      const result = await session.copyIn(part.copy.sql, part.copy.copyData ?? '');
      if ('failure' in result) return { kind: 'failed', message: part.copy, failure: result.failure };
      answers.set(part.copy, [result]);
      collected.add(part.copy, [result], performance.now() - started);
    }
  }
  return { kind: 'done', answers };
}

interface Part {
  readonly messages: readonly StepMessage[];
  readonly copy: Extract<StepMessage, { kind: 'statement' }> | undefined;
}

function splitAtCopies(messages: readonly StepMessage[]): readonly Part[] {
  const parts: Part[] = [];
  let current: StepMessage[] = [];
  for (const message of messages) {
    if (message.kind === 'statement' && message.copyData !== undefined) {
      parts.push({ messages: current, copy: message });
      current = [];
    } else {
      current.push(message);
    }
  }
  parts.push({ messages: current, copy: undefined });
  return parts;
}

function describe(
  request: RunRequest,
  script: RollbackScript,
  message: StepMessage,
  failure: ServerFailure,
): FlybackError {
  if (request.signal?.aborted === true && failure.serverCode === '57014') {
    return new FlybackError(
      'cancelled',
      `The run was cancelled while version ${script.version.text} was being rolled back; its transaction was rolled back.`,
      {
        hint: 'flyback status shows where the history stands.',
      },
    );
  }
  if (message.kind === 'statement') {
    const statement = script.statements[message.statement];
    if (statement !== undefined) return scriptError(failure, script, statement);
  }
  if (message.kind === 'verification' && !failure.connectionLost) {
    const verification = script.verifications[message.verification];
    if (verification !== undefined) {
      return new FlybackError(
        'verification-failed',
        `The verification query "${verification.name}" of version ${script.version.text} failed: ${failure.message}. Nothing was changed.`,
        {
          hint: 'Correct the query, or the script it checks.',
          location: locate(script, verification.query, failure.position),
          serverCode: failure.serverCode,
        },
      );
    }
  }
  if (failure.connectionLost) return connectionLostError(failure);
  return guardError(failure, request.plan.history.table);
}

/** Words with which a script may switch foreign keys off by itself, whatever the mode. */
const switching = /replication_role|\btrigger\b/i;

/**
 * Replica mode also switches foreign keys off, so what was written is checked before the commit; in the other modes where
 * the script might have switched them off by itself.
 */
async function checkForeignKeys(request: RunRequest, step: PlanStep, answers: Answers): Promise<void> {
  const ids = answerOf(answers, 'foreign-keys')?.rows[0]?.[0];
  if (ids === null || ids === undefined) return;
  const mayHaveSwitched = step.statements.some(
    (statement) => statement.changes.includes('procedural') || switching.test(statement.sql),
  );
  if (step.triggers !== 'replica' && !mayHaveSwitched) return;
  const { session, toolbox } = request;
  const [checks] = await session.query(toolbox.database.sql.foreignKeyChecks(ids));
  const rows = (checks?.rows ?? []).filter((row) => row[3] !== null);
  if (rows.length === 0) return;
  const results = await session.query(rows.map((row) => row[3]).join(';'));
  const violations = rows.flatMap((row, index) => {
    const [count, sample] = results[index]?.rows[0] ?? [];
    if (count === '0' || count === undefined) return [];
    return [
      `${count === '1000' ? '1000 or more rows' : `${count} ${count === '1' ? 'row' : 'rows'}`} of ${row[1]} without a match in ${row[2]} (constraint ${row[0]}, for example key ${request.redact(sample ?? 'NULL')})`,
    ];
  });
  if (violations.length > 0) {
    throw new FlybackError(
      'integrity-violated',
      `After the script of version ${step.version} foreign keys no longer hold: ${violations.join('; ')}. Everything was rolled back.`,
      {
        hint: 'Foreign keys were off while the script ran: delete or correct the rows on both sides in the script, or use --triggers keep.',
      },
    );
  }
}

function checkRemoved(request: RunRequest, step: PlanStep, answers: Answers): void {
  const result = answerOf(answers, 'remove');
  const { table } = request.plan.history;
  if (result?.rowCount === 1) return;
  throw new FlybackError(
    'history-changed',
    `The history row of version ${step.version} (rank ${step.entry.rank}) in ${table.schema}.${table.name} is not what was planned against: ${result?.rowCount ?? 0} rows matched. Everything was rolled back.`,
    {
      hint: 'The script itself must leave the history alone; look at flyback status, and plan again.',
    },
  );
}

function answerOf(answers: Answers, kind: StepMessage['kind']): QueryResult | undefined {
  for (const [message, answer] of answers) if (message.kind === kind) return answer[0];
  return undefined;
}

function verificationError(
  script: RollbackScript,
  failed: VerificationResult,
  all: readonly VerificationResult[],
): FlybackError {
  const verification = script.verifications.find(
    (candidate) => candidate.name === failed.name && candidate.query.line === failed.line,
  );
  const count = all.filter((result) => !result.passed).length;
  return new FlybackError(
    'verification-failed',
    `Verification "${failed.name}" of version ${script.version.text} expected ${failed.expected}, but got ${failed.actual}${count > 1 ? ` (${count - 1} more failed)` : ''}. Nothing was changed.`,
    {
      hint: 'Find out why the state is not as expected; the script, the expectation or the database is wrong.',
      ...(verification === undefined ? {} : { location: locate(script, verification.query, undefined) }),
    },
  );
}
