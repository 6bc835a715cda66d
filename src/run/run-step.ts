import type { Command, QueryResult, ServerFailure } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import type { PlannedStatement, PlanStep } from '../plan/plan.js';
import type { RecordedStatement } from '../record/record-entry.js';
import { locate } from '../scripts/locate.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import type { VerificationResult } from '../verify/verification.js';
import type { RunRequest, StepInspector } from './run-request.js';
import { rememberingProcesses } from './approach.js';
import { connectionLostError, guardError, isLockTimeout, isToolNear, scriptError } from './step-failure.js';
import { recordedStatement } from './recorded-statement.js';
import { runFunction } from './run-function.js';
import { maySwitchConstraints, timely, withTriggers, type StepMessage } from './step-messages.js';
import type { StepTexts } from './step-texts.js';
import { verificationError, verificationResult } from './verification-result.js';

/** What a step did before its commit. */
export interface StepWork {
  readonly statements: readonly RecordedStatement[];
  readonly verifications: readonly VerificationResult[];
  readonly notices: readonly string[];
  /** What could not be checked, and why. */
  readonly warnings: readonly string[];
  /** What an inspector found; undefined where none looked. */
  readonly drift: readonly Finding[] | undefined;
}

export type StepAttempt =
  | { readonly kind: 'done'; readonly work: StepWork }
  /** `leading` failed: a message that the caller had put in front (the commit of the step before). */
  | { readonly kind: 'leading-failed'; readonly failure: ServerFailure; readonly index: number }
  /** Nothing of the script was sent: these processes have read the history before the transaction locked it. */
  | { readonly kind: 'not-alone'; readonly remembering: readonly string[] }
  | {
      readonly kind: 'failed';
      readonly error: FlybackError;
      readonly retryable: boolean;
      readonly work: StepWork;
    };

/** What one step sends and what it is about. */
export interface StepInput {
  readonly step: PlanStep;
  readonly script: RollbackScript;
  /** The commit of the step before, which travels with this one. */
  readonly leading: readonly Command[];
  /** Opens this step's transaction; none where it is open. */
  readonly opening: readonly StepMessage[];
  /** See stepMessages. */
  readonly messages: readonly StepMessage[];
}

/** Told of on the way. */
export interface StepListener {
  /** The server has answered the last of what leads. */
  onLeadingDone?(): void;
  /** The guard saw somebody who may have read the history before, and nobody had. */
  onFalseAlarm?(): void;
  /** Everything is on its way and the server at work: time for what need not wait for its answers. May come more than once. */
  onWaiting?(): void;
}

/**
 * Sends what leads, what opens the step and the whole script as one unit; checks every answer. The transaction is left
 * open: nothing is committed here. `opening` messages belong to this step; `leading` ones to what came before.
 *
 * A statement of the script may only be on its way together with the opening because the server skips it when the opening
 * fails, also when it never came to BEGIN (a cancel request that meets the server just then): in messages that stand
 * alone it would run, and commit, on its own.
 */
export async function runStep(
  request: RunRequest,
  texts: StepTexts,
  { step, script, leading, opening, messages }: StepInput,
  listener: StepListener,
): Promise<StepAttempt> {
  const collected = new Collector(request, step, script, listener);
  const inspector = request.inspect?.(step);
  const act = async (ahead: readonly Command[], first: readonly StepMessage[]): Promise<Sent | Refused> => {
    let unsent = { leading: ahead, opening: first };
    if (inspector !== undefined) {
      const looked = await inspectBefore(request, inspector, unsent, collected);
      if (looked.kind !== 'done') return looked;
      unsent = { leading: [], opening: [] };
    }
    const found = await findTriggers(request, step, unsent.leading, unsent.opening, collected);
    if ('kind' in found) return found;
    const all = withTriggers(messages, found);
    if (script.source === 'function') return sendAround(request, script, found, all, collected);
    return send(request, found.leading, [...found.opening, ...all], collected);
  };
  let sent = await act(leading, opening);
  if (sent.kind === 'failed' && isToolNear(sent.failure)) {
    const looked = await lookCloser(request, texts, opening, collected);
    if (looked.kind === 'not-alone') return looked;
    if (looked.kind === 'done') listener.onFalseAlarm?.();
    sent = looked.kind === 'done' ? await act([], []) : looked;
  }
  if (sent.kind === 'leading-failed') return sent;
  if (sent.kind === 'refused') return { kind: 'failed', error: sent.error, retryable: false, work: collected.work() };
  const work = collected.work();
  if (sent.kind === 'failed') {
    const retryable = isLockTimeout(sent.failure);
    return {
      kind: 'failed',
      error: describe(request, script, sent.message, sent.failure),
      retryable,
      work,
    };
  }
  try {
    const warnings = await checkConstraints(request, step, sent.answers);
    checkRemoved(request, step, sent.answers);
    const failed = collected.verifications.find((result) => !result.passed);
    if (failed !== undefined) throw verificationError(script, failed, collected.verifications);
    if (inspector === undefined) return { kind: 'done', work: { ...work, warnings } };
    const drift = collected.found(await inspector.after(request.session));
    return { kind: 'done', work: { ...work, warnings, drift } };
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    return { kind: 'failed', error, retryable: false, work };
  }
}

/**
 * Somebody was seen who may have read the history, and the transaction failed for that: it is opened again, and the script
 * waits until it is known who that was.
 */
async function lookCloser(
  request: RunRequest,
  texts: StepTexts,
  opening: readonly StepMessage[],
  collected: Collector,
): Promise<Sent | Extract<StepAttempt, { kind: 'not-alone' }>> {
  await request.session.query(request.toolbox.database.sql.rollback);
  const asking = texts.approach.map((command): StepMessage => ({ kind: 'approach', ...command }));
  const withoutGuard = opening.filter((message) => message.kind !== 'approach');
  const opened = await send(request, [], [...withoutGuard, ...asking], collected);
  if (opened.kind !== 'done') return opened;
  const answers = asking.flatMap((message) => opened.answers.get(message) ?? []);
  const remembering = await rememberingProcesses(request, answers);
  return remembering.length > 0 ? { kind: 'not-alone', remembering } : opened;
}

/** The statements of a function are sent by the function itself, between what comes before and after them. */
async function sendAround(
  request: RunRequest,
  script: RollbackScript,
  { leading, opening }: Pick<Found, 'leading' | 'opening'>,
  messages: readonly StepMessage[],
  collected: Collector,
): Promise<Sent | Refused> {
  const first = messages.findIndex((message) => message.kind === 'statement');
  const statements = messages.filter((message) => message.kind === 'statement');
  const before = await send(request, leading, [...opening, ...messages.slice(0, first)], collected);
  if (before.kind !== 'done') return before;
  const called = await runFunction(request, script, statements, collected);
  if (called.kind === 'stopped') return { kind: 'refused', error: called.error };
  if (called.kind === 'failed') return called;
  return send(request, [], messages.slice(first + statements.length), collected);
}

/** An inspector, or a function, does not let the step go on. */
interface Refused {
  readonly kind: 'refused';
  readonly error: FlybackError;
}

/** Sends what opens the step's transaction, and lets the inspector look. */
async function inspectBefore(
  request: RunRequest,
  inspector: StepInspector,
  { leading, opening }: Pick<Found, 'leading' | 'opening'>,
  collected: Collector,
): Promise<Sent | Refused> {
  const opened =
    leading.length + opening.length === 0
      ? ({ kind: 'done', answers: new Map<StepMessage, QueryResult>() } as const)
      : await send(request, leading, opening, collected);
  if (opened.kind !== 'done') return opened;
  try {
    collected.found(await inspector.before(request.session));
    return opened;
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    return { kind: 'refused', error };
  }
}

interface Found {
  /** What has not been sent yet. */
  readonly leading: readonly Command[];
  readonly opening: readonly StepMessage[];
  /** SQL that switches single triggers off before the script, and on after it. */
  readonly off: readonly string[];
  readonly on: readonly string[];
}

/**
 * In `disable` mode the triggers of the written tables are looked up first; their names resolve by the step's search_path,
 * so its transaction is opened for that.
 */
async function findTriggers(
  request: RunRequest,
  step: PlanStep,
  leading: readonly Command[],
  opening: readonly StepMessage[],
  collected: Collector,
): Promise<Found | Exclude<Sent, { kind: 'done' }>> {
  const { sql } = request.toolbox.database;
  const tables = step.triggers === 'disable' ? step.statements.flatMap((statement) => statement.writes) : [];
  if (tables.length === 0) return { leading, opening, off: [], on: [] };
  const asking: StepMessage = { kind: 'open', sql: sql.tableTriggers(tables) };
  const asked = await send(request, leading, [...opening, asking], collected);
  if (asked.kind !== 'done') return asked;
  const rows = asked.answers.get(asking)?.rows ?? [];
  const triggers = rows.map(([id, state, off]) => ({ id: id ?? '', state: state ?? '', off: off ?? '' }));
  return {
    leading: [],
    opening: [],
    off: triggers.map((trigger) => trigger.off),
    on: triggers.length === 0 ? [] : [sql.restoreTriggers(triggers)],
  };
}

class Collector {
  readonly statements: RecordedStatement[] = [];
  readonly verifications: VerificationResult[] = [];
  readonly #request: RunRequest;
  readonly #step: PlanStep;
  readonly #script: RollbackScript;
  readonly #listener: StepListener;
  #drift: readonly Finding[] | undefined;

  constructor(request: RunRequest, step: PlanStep, script: RollbackScript, listener: StepListener) {
    this.#request = request;
    this.#step = step;
    this.#script = script;
    this.#listener = listener;
  }

  /** The commit of the step before has been answered. */
  leadingDone(): void {
    this.#listener.onLeadingDone?.();
  }

  waiting(): void {
    this.#listener.onWaiting?.();
  }

  /** The server has begun with this message: it has answered the one before. */
  start(message: StepMessage | undefined): void {
    if (message?.kind !== 'statement') return;
    const line = this.#script.statements[message.statement]?.line ?? 0;
    this.#request.onEvent?.({ kind: 'statement-started', version: this.#step.version, line });
  }

  add(message: StepMessage, answer: QueryResult, durationMs: number): void {
    if (message.kind === 'statement') {
      const statement = this.#script.statements[message.statement];
      const line = statement?.line ?? 0;
      this.statements.push(recordedStatement(this.#request, line, message.sql, answer.rowCount, durationMs));
      this.#request.onEvent?.({ kind: 'statement-finished', version: this.#step.version, line, durationMs });
    }
    if (message.kind === 'verification') {
      const verification = this.#script.verifications[message.verification];
      if (verification === undefined) return;
      const result = verificationResult(this.#request, verification, answer, durationMs);
      this.verifications.push(result);
      this.#request.onEvent?.({ kind: 'verified', version: this.#step.version, result });
    }
  }

  /** Notes what an inspector found, and gives everything found so far. */
  found(findings: readonly Finding[]): readonly Finding[] {
    this.#drift = [...(this.#drift ?? []), ...findings];
    return this.#drift;
  }

  work(): StepWork {
    return {
      statements: this.statements,
      verifications: this.verifications,
      notices: this.#request.session.takeNotices().map(this.#request.redact),
      warnings: [],
      drift: this.#drift,
    };
  }
}

type Answers = ReadonlyMap<StepMessage, QueryResult>;
type Sent =
  | { readonly kind: 'done'; readonly answers: Answers }
  | { readonly kind: 'leading-failed'; readonly failure: ServerFailure; readonly index: number }
  | { readonly kind: 'failed'; readonly message: StepMessage; readonly failure: ServerFailure };

async function send(
  request: RunRequest,
  leading: readonly Command[],
  messages: readonly StepMessage[],
  collected: Collector,
): Promise<Sent> {
  const { session } = request;
  const answers = new Map<StepMessage, QueryResult>();
  let first = leading;
  // COPY … FROM STDIN needs its data sent in answer to the server's request, so it breaks the unit in two.
  for (const part of splitAtCopies(messages)) {
    const before = first.length;
    let last = performance.now();
    collected.start(part.messages[0]);
    const answering = session.batch(timely<Command>([...first, ...part.messages]), (index, result) => {
      const at = performance.now();
      if (index === before - 1) collected.leadingDone();
      const message = part.messages[index - before];
      if (message !== undefined) {
        answers.set(message, result);
        collected.add(message, result, at - last);
        collected.start(part.messages[index - before + 1]);
      }
      last = at;
    });
    collected.waiting();
    const outcome = await answering;
    if (outcome.failure !== undefined) {
      const { index, error } = outcome.failure;
      const message = part.messages[index - before];
      if (message === undefined) return { kind: 'leading-failed', failure: error, index };
      return { kind: 'failed', message, failure: error };
    }
    first = [];
    if (part.copy !== undefined) {
      const started = performance.now();
      collected.start(part.copy);
      const result = await session.copyIn(part.copy.sql, part.copy.copyData ?? '');
      if ('failure' in result) return { kind: 'failed', message: part.copy, failure: result.failure };
      answers.set(part.copy, result);
      collected.add(part.copy, result, performance.now() - started);
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
  if (current.length > 0 || parts.length === 0) parts.push({ messages: current, copy: undefined });
  return parts;
}

function describe(
  request: RunRequest,
  script: RollbackScript,
  message: StepMessage,
  failure: ServerFailure,
): FlybackError {
  if (request.signal?.aborted === true && failure.condition === 'cancelled') {
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
          condition: failure.condition,
        },
      );
    }
  }
  if (failure.connectionLost) return connectionLostError(failure);
  return guardError(failure, request.plan.history.table);
}

/**
 * Replica mode also switches foreign keys and deferrable keys off, so what was written is checked before the commit; in the other modes where
 * the script might have switched them off by itself.
 */
async function checkConstraints(request: RunRequest, step: PlanStep, answers: Answers): Promise<readonly string[]> {
  return checkTouched(request, step, step.statements, answerOf(answers, 'touched')?.rows[0]?.[0]);
}

/** The check itself, for the constraints with these ids, after these statements; returns what could not be checked. */
export async function checkTouched(
  request: RunRequest,
  step: Pick<PlanStep, 'version' | 'triggers'>,
  statements: readonly PlannedStatement[],
  ids: string | null | undefined,
): Promise<readonly string[]> {
  if (ids === null || ids === undefined) return [];
  if (step.triggers !== 'replica' && !maySwitchConstraints(statements)) return [];
  const { session, toolbox } = request;
  const [found] = await session.query(toolbox.database.sql.constraintChecks(ids));
  const checks = (found?.rows ?? []).map(([words, sql, reason]) => ({ words, sql, reason }));
  const unchecked = checks.filter(({ sql }) => sql === null).map(({ reason }) => reason ?? '');
  const checked = checks.filter(({ sql }) => sql !== null);
  if (checked.length === 0) return unchecked;
  const results = await session.query(checked.map(({ sql }) => sql).join(';'));
  const violations = checked.flatMap(({ words }, index) => {
    const [count, sample] = results[index]?.rows[0] ?? [];
    if (count === '0' || count === undefined) return [];
    const rows = count === '1000' ? '1000 or more rows' : `${count} ${count === '1' ? 'row' : 'rows'}`;
    return [`${rows} ${words}, for example key ${request.redact(sample ?? 'NULL')})`];
  });
  if (violations.length > 0) {
    throw new FlybackError(
      'integrity-violated',
      `After the script of version ${step.version} constraints no longer hold: ${violations.join('; ')}. Everything was rolled back.`,
      {
        hint: 'Foreign keys and deferrable keys were off while the script ran: correct the rows on both sides in the script, or use --triggers keep.',
      },
    );
  }
  return unchecked;
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
  for (const [message, answer] of answers) if (message.kind === kind) return answer;
  return undefined;
}
