import {
  guardMarks,
  type Inspection,
  type PipelineOutcome,
  type QueryResult,
  type ServerFailure,
  type StatementRecovery,
} from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import { sha256 } from '../fingerprint/fingerprint.js';
import type { HistoryEntry, QualifiedName } from '../history/history.js';
import { openRuns, type OpenRun } from '../journal/journal-state.js';
import { createJournal, parseJournal } from '../journal/journal-store.js';
import { journalTableOf, type JournalEntry, type JournalFinished } from '../journal/journal.js';
import { resumeNeeded } from '../journal/resume-needed.js';
import type { PlannedStatement, PlanStep } from '../plan/plan.js';
import type { RecordedStatement, RecordOutcome } from '../record/record-entry.js';
import { chainEntry, checkRecordTable, createRecord, headHash, isCreatedMeanwhile } from '../record/record-store.js';
import { locate } from '../scripts/locate.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import type { Statement } from '../scripts/statement.js';
import type { VerificationResult } from '../verify/verification.js';
import { rollBack, wasBegun, wasCommitted, writeAfterwards, type Committed } from './aftermath.js';
import { judgeOpenStatement } from './interrupted-statement.js';
import { aboutToMigrate, approachQuery, rememberingProcesses } from './approach.js';
import { compareHistory } from './open-transaction.js';
import { cancelledError, pause } from './pause.js';
import { recordedStatement } from './recorded-statement.js';
import { maySwitchConstraints } from './step-messages.js';
import { stepSettings, type RunRequest, type StepInspector } from './run-request.js';
import type { StepOutcome, StepResult } from './run-result.js';
import { checkTouched } from './run-step.js';
import { stepEntry } from './step-entry.js';
import { connectionLostError, guardError, isLockTimeout, lookAgainHint, scriptError } from './step-failure.js';
import { freeFlagTexts } from './tool-flag.js';
import { unmet, verificationResult } from './verification-result.js';

/** One step that runs statement by statement. The caller holds the tool's lock for the session. */
export interface JournalledStepInput {
  readonly step: PlanStep;
  readonly script: RollbackScript;
  /** 1-based place of the step in its run, and how many there are. */
  readonly number: number;
  readonly of: number;
  /** Every history row as it must be now, by rank. */
  readonly entries: readonly HistoryEntry[];
  /** A step of the same run has found, or made, record and journal. */
  readonly hasTables?: boolean | undefined;
  /** An interrupted run to carry on. */
  readonly resumed?: ResumedRun | undefined;
}

export interface ResumedRun {
  readonly open: OpenRun;
  /** What a person has found out about the open statement, where nothing tells flyback. */
  readonly assume: 'done' | 'not-done' | undefined;
}

export interface JournalledStepResult {
  readonly result: StepResult;
  readonly failure: FlybackError | undefined;
  readonly recordHash: string | undefined;
  readonly warnings: readonly string[];
  /** The history as it is afterwards. */
  readonly entries: readonly HistoryEntry[];
}

/**
 * Takes one version back without a transaction around it: marks its history row as failed, which stops the migration
 * tool, runs statement after statement, each journalled before and after in commits of their own, and in one last
 * transaction verifies, removes the row, writes the record and clears the journal.
 *
 * A failure before anything has happened is withdrawn: the row is as it was. After any other the result is
 * `interrupted`, and resume carries on.
 */
export async function runJournalledStep(
  request: RunRequest,
  input: JournalledStepInput,
): Promise<JournalledStepResult> {
  return new JournalledStep(request, input).execute();
}

/** Changes the session only, so it is applied again before each later statement, in a resumed run too. */
const sessionSetting = /^(?:set(?!\s+(?:local|constraints)\b)|reset|use)\b/i;

interface Failure {
  readonly error: FlybackError;
  readonly connectionLost: boolean;
  readonly isLockTimeout: boolean;
}

/** A transaction of flyback's own around a step: what it does to a version, and what is certain all the same when it is lost. */
const ownTransactions = {
  begin: {
    doing: (version: string) => `the rollback of version ${version} was being begun`,
    known: 'No statement of the script has run.',
  },
  finish: {
    doing: (version: string) => `the rollback of version ${version} was being finished`,
    known: 'Every statement of the script has run.',
  },
  withdraw: {
    doing: (version: string) => `the history row of version ${version} was being set back`,
    known: 'Nothing of the script remains.',
  },
} as const;
type OwnTransaction = keyof typeof ownTransactions;

/** A statement of flyback's own in a transaction of its own. */
interface Change {
  readonly sql: string;
  /** It must match exactly one row: that of the version in the history. */
  readonly isOfTheRow?: boolean | undefined;
}

interface NextStatement {
  readonly index: number;
  readonly recovery: StatementRecovery | undefined;
}

interface OwnWork {
  /** Read under the locks, in the message that takes them. */
  readonly asks: readonly string[];
  /** Judges the answers, and gives what is to be changed and committed. */
  readonly work: (answers: readonly (readonly QueryResult[])[]) => Promise<{
    readonly changes: readonly Change[];
    /** Asked when the connection breaks during the commit. */
    readonly wasIt: () => Promise<Committed>;
  }>;
}

/** Longest wait for the record, which others hold only for a moment. */
const ownLockWaitMs = 10_000;

class JournalledStep {
  readonly #request: RunRequest;
  readonly #input: JournalledStepInput;
  readonly #journal: QualifiedName;
  /** Under which the journal keeps this run: that of the call which began it. */
  readonly #run: string;
  readonly #started = performance.now();
  readonly #warnings: string[] = [];
  readonly #statements: RecordedStatement[] = [];
  readonly #finished = new Set<number>();
  #verifications: readonly VerificationResult[] = [];
  readonly #inspector: StepInspector | undefined;
  #driftBefore: readonly Finding[] | undefined;
  #driftAfter: readonly Finding[] = [];
  #entries: readonly HistoryEntry[];
  #recordHash: string | undefined;
  #retriesLeft: number;
  /** The row is marked and the journal says so. */
  #hasBegun: boolean;
  /** A statement was started and nobody knows yet what became of it. */
  #isStatementOpen = false;
  /** The session is set up for this statement, and its objects were looked at: in the message that ended the one before. */
  #prepared: { readonly index: number; readonly inspected: QueryResult['rows'] | null } | undefined;
  /** The script's last statement has finished, and the journal is told in the message that begins the end of the step. */
  #unsaid: { readonly index: number; readonly entry: JournalFinished } | undefined;
  /** The statement after the one that runs, where it can be prepared in the message that ends that one. */
  #next: NextStatement | undefined;

  constructor(request: RunRequest, input: JournalledStepInput) {
    this.#request = request;
    this.#input = input;
    this.#journal = journalTableOf(request.plan.recordTable);
    this.#run = input.resumed?.open.run ?? request.runId;
    this.#entries = input.entries;
    this.#retriesLeft = request.settings.lockRetries;
    this.#hasBegun = input.resumed !== undefined;
    this.#inspector = request.inspect?.(input.step);
  }

  async execute(): Promise<JournalledStepResult> {
    const { step, script, number, of } = this.#input;
    this.#request.onEvent?.({ kind: 'step-started', version: step.version, number, of });
    let failure: FlybackError | undefined;
    let outcome: StepOutcome = 'committed';
    try {
      if (this.#input.resumed === undefined) await this.#begin();
      else await this.#takeOver(this.#input.resumed);
      for (const index of script.statements.keys()) {
        if (!this.#finished.has(index)) await this.#runStatement(index);
      }
      await this.#finish();
    } catch (error) {
      if (!(error instanceof FlybackError)) throw error;
      failure = await this.#stopped(error);
      outcome =
        failure.code === 'run-interrupted' || failure.code === 'resume-unclear'
          ? 'interrupted'
          : failure.code === 'commit-unknown'
            ? 'unknown'
            : 'failed';
    }
    const durationMs = performance.now() - this.#started;
    this.#request.onEvent?.({ kind: 'step-finished', version: step.version, outcome, durationMs });
    return {
      result: {
        version: step.version,
        outcome,
        durationMs,
        statements: this.#statements,
        verifications: this.#verifications,
        notices: this.#request.session.takeNotices().map(this.#request.redact),
        ...(this.#drift() === undefined ? {} : { drift: this.#drift() }),
      },
      failure,
      recordHash: this.#recordHash,
      warnings: this.#warnings,
      entries: this.#entries,
    };
  }

  // ---- begin and take over

  /** Marks the history row and begins the journal, both in one transaction, while everyone else is out. */
  async #begin(): Promise<void> {
    const { session, toolbox, plan } = this.#request;
    const { sql } = toolbox.database;
    const { step } = this.#input;
    const { ddl } = toolbox.database.dialect;
    const { hasTables = false } = this.#input;
    const record = hasTables ? { exists: true } : await checkRecordTable(session, toolbox.database, plan.recordTable);
    const hasJournal = hasTables || (await session.query(sql.journal.describe(this.#journal)))[0]?.rows[0]?.[0] === 't';
    if (ddl === 'commits' && !(record.exists && hasJournal)) {
      if (!record.exists) await createRecord(session, toolbox.database, plan.recordTable);
      if (!hasJournal) await createJournal(session, toolbox.database, this.#journal);
      return this.#begin();
    }
    const asks = [
      toolbox.history.readRows(toolbox.database, plan.history.table),
      approachQuery(this.#request),
      ...(hasJournal ? [sql.journal.read(this.#journal)] : []),
      ...(record.exists ? [sql.record.head(plan.recordTable)] : []),
    ];
    const work: OwnWork['work'] = async (answers) => {
      if (record.exists) headHash(answers.at(-1)?.[0], plan.recordTable);
      const [rows, approach, ...more] = answers;
      compareHistory(this.#request, this.#entries, toolbox.history.parseRows(first(rows), this.#request.migrations));
      const remembering = await rememberingProcesses(this.#request, approach);
      if (remembering.length > 0) throw aboutToMigrate(remembering);
      const other = hasJournal ? openRuns(parseJournal(more[0]?.[0], this.#journal))[0] : undefined;
      if (other !== undefined) throw resumeNeeded(other);
      if (this.#inspector !== undefined) this.#driftBefore = await this.#inspector.before(session);
      const begun: JournalEntry = {
        event: 'begun',
        format: 1,
        flyback: this.#request.flybackVersion,
        at: this.#now(),
        tool: plan.tool,
        version: step.version,
        description: step.description,
        historyRow: step.entry,
        planHash: plan.hash,
        triggers: step.triggers,
        reason: this.#request.reason === undefined ? null : this.#request.redact(this.#request.reason),
        approval: step.approval ?? null,
        who: { databaseUser: session.facts.user, ...this.#request.who },
        database: session.facts.identity.database,
        script: { file: step.script.file, source: step.script.source, checksum: step.script.checksum },
        statements: this.#input.script.statements.map(({ text }) => sha256(text)),
      };
      const created = [
        ...(record.exists ? [] : [sql.record.create(plan.recordTable)]),
        ...(hasJournal ? [] : [sql.journal.create(this.#journal)]),
      ];
      const appended = sql.journal.append(this.#journal, this.#run, JSON.stringify(begun));
      return {
        changes: [...created.map((text) => ({ sql: text })), { sql: appended }, ...this.#marking(step.entry, false)],
        wasIt: () => wasBegun(this.#request, this.#journal, this.#run),
      };
    };
    this.#next = await this.#following(-1);
    let broken: ServerFailure | undefined;
    try {
      broken = await this.#inOwnTransaction('begin', record.exists ? plan.recordTable : undefined, { asks, work });
    } catch (error) {
      if (!record.exists && isCreatedMeanwhile(error)) return this.#begin();
      throw error;
    }
    this.#hasBegun = true;
    if (this.#marking(step.entry, false).length > 0) {
      this.#replaceRow(step.entry.rank, { ...step.entry, success: false });
    }
    if (broken !== undefined) throw connectionLostError(broken);
  }

  /** Counts what has finished as done, finds out how far the open statement came, and puts that right. */
  async #takeOver({ open, assume }: ResumedRun): Promise<void> {
    for (const finished of open.finished) this.#keep(finished.statement, finished);
    await this.#journalled([{ event: 'resumed', at: this.#now(), by: this.#request.runId }]);
    if (open.open === undefined) return;
    const { statement: index, hash, mode } = open.open;
    this.#isStatementOpen = true;
    const statement = this.#input.script.statements[index];
    const isSame = statement !== undefined && sha256(statement.text) === hash;
    const recovery =
      isSame && mode === 'alone' ? await this.#request.toolbox.database.recovery(statement.text) : undefined;
    await this.#setUp(index, recovery);
    const found = judgeOpenStatement(open, recovery, await this.#inspect(recovery));
    if (found.state === 'partly') {
      await this.#repair(found.repair);
      this.#warnings.push(`${found.words} Put right by: ${found.repair.join('; ')}.`);
    }
    const known = found.state === 'partly' ? (found.afterRepair === 'done' ? 'done' : 'not-done') : found.state;
    if (known === 'unknown' && assume === undefined) throw unclear(open, found.words);
    if (known !== 'unknown' && assume !== undefined && assume !== known) {
      throw new FlybackError('usage-invalid', `--assume ${assume} contradicts what is certain: ${found.words}`, {
        hint: 'Leave out --assume.',
      });
    }
    const decision = known === 'unknown' ? assume : known;
    if (decision === 'done') await this.#markFinished(index, null, 0);
    this.#isStatementOpen = false;
  }

  // ---- statements

  async #runStatement(index: number): Promise<void> {
    const { step, script } = this.#input;
    const { statement, planned } = this.#at(index);
    const { toolbox, session } = this.#request;
    let recovery = await this.#recoveryOf(planned, statement);
    this.#next = await this.#following(index);
    for (;;) {
      if (this.#isCancelled()) throw cancelledError();
      const before = await this.#prepare(index, recovery);
      const joins = this.#joins(index);
      const setUp = await this.#journalled(
        [
          {
            event: 'started',
            at: this.#now(),
            statement: index,
            line: statement.line,
            hash: sha256(statement.text),
            mode: recovery === undefined ? 'transaction' : 'alone',
            before,
          },
        ],
        joins ? this.#setUpTexts(recovery) : [],
      );
      this.#isStatementOpen = true;
      // There, a transaction of flyback's own has no settings but the session's.
      if (toolbox.database.dialect.ddl === 'commits' && !(joins && setUp !== undefined)) {
        await this.#setUp(index, recovery);
      }
      this.#request.onEvent?.({ kind: 'statement-started', version: step.version, line: statement.line });
      const started = performance.now();
      const failure =
        recovery === undefined
          ? await this.#runInTransaction(index, started)
          : await this.#runAlone(index, started, recovery);
      if (failure === undefined) {
        this.#retriesLeft = this.#request.settings.lockRetries;
        const durationMs = performance.now() - started;
        this.#request.onEvent?.({
          kind: 'statement-finished',
          version: step.version,
          line: statement.line,
          durationMs,
        });
        return;
      }
      if (failure.connectionLost) throw await this.#interrupted(failure.error, index);
      if (recovery === undefined) await session.query(toolbox.database.sql.rollback);
      const left = await this.#whatIsLeft(recovery, before, script, index);
      const { code } = failure.error;
      await this.#journalled([
        {
          event: 'failed',
          at: this.#now(),
          statement: index,
          line: statement.line,
          code,
          message: this.#request.redact(failure.error.message),
        },
      ]);
      const error = this.#isCancelled() ? cancelledError() : failure.error;
      if (recovery === undefined && refusesTransaction(failure.error)) {
        // Only the server knew: nothing has happened, and alone it may.
        recovery = await toolbox.database.recovery(statement.text);
        this.#isStatementOpen = false;
        continue;
      }
      if (left.state === 'partly' && failure.isLockTimeout && (await this.#carryOut(left, failure.error))) {
        if (left.afterRepair === 'run-again') continue;
        await this.#markFinished(index, null, performance.now() - started);
        return;
      }
      if (left.state === 'not-done') {
        this.#isStatementOpen = false;
        if (failure.isLockTimeout && (await this.#mayRetry(failure.error.message))) continue;
        if (this.#nothingHasHappened()) throw await this.#withdraw(error);
      }
      throw await this.#interrupted(error, index, left.state === 'not-done' ? undefined : left.words);
    }
  }

  /** The statement and the entry that it is finished commit together: afterwards both are true or neither. */
  async #runInTransaction(index: number, started: number): Promise<Failure | undefined> {
    const { session, toolbox, plan } = this.#request;
    const { sql } = toolbox.database;
    const { step } = this.#input;
    const { statement, planned } = this.#at(index);
    const opened = await session.pipeline([
      sql.beginStatement(),
      sql.noteWrites(plan.history.table, plan.recordTable),
      ...(step.triggers === 'disable' && planned.writes.length > 0 ? [sql.tableTriggers(planned.writes)] : []),
    ]);
    if (opened.failure !== undefined) return this.#guardFailure(opened.failure.error);
    const triggers = (opened.results[2]?.[0]?.rows ?? []).map(([id, state, off]) => ({
      id: id ?? '',
      state: state ?? '',
      off: off ?? '',
    }));
    const before = [
      ...(step.triggers === 'replica' ? [sql.enterReplicaMode()] : []),
      ...triggers.map((trigger) => trigger.off),
    ];
    const after = [
      ...(triggers.length === 0 ? [] : [sql.restoreTriggers(triggers)]),
      sql.afterScript(session.facts, stepSettings(this.#request)),
      sql.touchedConstraints(),
      sql.guardWrites(plan.history.table, plan.recordTable, { removed: 0, appended: 0 }),
    ];
    let own: QueryResult | undefined;
    if (statement.copyData === undefined) {
      const sent = await this.#amid(before, statement.text, after);
      if (sent.failure !== undefined) {
        const { index: at, error } = sent.failure;
        return at === before.length ? this.#statementFailure(error, statement) : this.#guardFailure(error);
      }
      own = sent.results[before.length]?.[0];
      const touched = sent.results.at(-2)?.[0]?.rows[0]?.[0];
      const violated = await this.#violation(planned, touched);
      if (violated !== undefined) return violated;
    } else {
      const prepared = await session.pipeline(before);
      if (prepared.failure !== undefined) return this.#guardFailure(prepared.failure.error);
      const copied = await session.copyIn(statement.text, statement.copyData);
      if ('failure' in copied) return this.#statementFailure(copied.failure, statement);
      own = copied;
      const ended = await session.pipeline(after);
      if (ended.failure !== undefined) return this.#guardFailure(ended.failure.error);
      const violated = await this.#violation(planned, ended.results.at(-2)?.[0]?.rows[0]?.[0]);
      if (violated !== undefined) return violated;
    }
    const durationMs = performance.now() - started;
    const finished = this.#finishedEntry(index, own?.rowCount, durationMs);
    const committed = await session.pipeline([
      `${sql.durably};${sql.journal.append(this.#journal, this.#run, JSON.stringify(finished))};${sql.commit}`,
      ...this.#nextTexts(),
    ]);
    if (committed.failure?.index === 0) return this.#guardFailure(committed.failure.error);
    this.#keep(index, finished);
    if (committed.failure === undefined) this.#nextPrepared(committed.results.slice(1));
    return undefined;
  }

  /** A statement of the script between flyback's own, in the order of `pipeline`. */
  async #amid(before: readonly string[], text: string, after: readonly string[]): Promise<PipelineOutcome> {
    const { session, toolbox } = this.#request;
    if (toolbox.database.dialect.ddl !== 'commits') return session.pipeline([...before, text, ...after]);
    // Alone there, so that what it warns of is told as its own.
    const results: (readonly QueryResult[])[] = [];
    for (const messages of [before, [text], after]) {
      const sent = await session.pipeline(messages);
      const { failure } = sent;
      if (failure !== undefined) {
        return {
          results: [...results, ...sent.results],
          failure: { ...failure, index: results.length + failure.index },
        };
      }
      results.push(...sent.results);
    }
    return { results, failure: undefined };
  }

  async #runAlone(index: number, started: number, recovery: StatementRecovery): Promise<Failure | undefined> {
    const { statement } = this.#at(index);
    const sent = await this.#request.session.pipeline([statement.text]);
    if (sent.failure !== undefined) return this.#statementFailure(sent.failure.error, statement);
    const rows = sent.results[0]?.[0]?.rowCount ?? null;
    const durationMs = performance.now() - started;
    // Of what nobody could look up afterwards the journal is told at once.
    if (recovery.inspect !== undefined && this.#endsScript(index))
      this.#unsaid = { index, entry: this.#finishedEntry(index, rows, durationMs) };
    else await this.#markFinished(index, rows, durationMs);
    return undefined;
  }

  async #violation(planned: PlannedStatement, touched: string | null | undefined): Promise<Failure | undefined> {
    try {
      const unchecked = await checkTouched(this.#request, this.#input.step, [planned], touched);
      this.#warnings.push(...unchecked.filter((warning) => !this.#warnings.includes(warning)));
      return undefined;
    } catch (error) {
      if (!(error instanceof FlybackError)) throw error;
      return { error, connectionLost: error.code === 'connection-lost', isLockTimeout: false };
    }
  }

  #statementFailure(failure: ServerFailure, statement: Statement): Failure {
    return {
      error: scriptError(failure, this.#input.script, statement),
      connectionLost: failure.connectionLost,
      isLockTimeout: isLockTimeout(failure),
    };
  }

  #guardFailure(failure: ServerFailure): Failure {
    return {
      error: guardError(failure, this.#request.plan.history.table),
      connectionLost: failure.connectionLost,
      isLockTimeout: false,
    };
  }

  async #inspect(recovery: StatementRecovery | undefined): Promise<QueryResult['rows'] | null> {
    if (recovery?.inspect === undefined) return null;
    return (await this.#request.session.query(recovery.inspect)).at(-1)?.rows ?? [];
  }

  /** What a failed statement left behind; leftovers are removed at once, unless somebody waits for us to stop. */
  async #whatIsLeft(
    recovery: StatementRecovery | undefined,
    before: QueryResult['rows'] | null,
    script: RollbackScript,
    index: number,
  ): Promise<Inspection> {
    if (recovery === undefined || recovery.failsCleanly) return { state: 'not-done', words: '' };
    const now = await this.#inspect(recovery);
    if (now === null) {
      return recovery.kind === 'repeatable'
        ? { state: 'not-done', words: '' }
        : {
            state: 'unknown',
            words: `How far the statement in line ${script.statements[index]?.line ?? 0} came cannot be told.`,
          };
    }
    const left = recovery.judge(before, now);
    if (left.state !== 'partly' || left.afterRepair !== 'run-again' || this.#isCancelled()) {
      return left;
    }
    try {
      await this.#repair(left.repair);
    } catch {
      return left;
    }
    this.#warnings.push(`${left.words} It was removed: ${left.repair.join('; ')}.`);
    return { state: 'not-done', words: left.words };
  }

  /**
   * A statement that ran out of patience half-way (DROP INDEX CONCURRENTLY has made the index INVALID by then) is brought to
   * where its inspection says, as often as a lock is tried again.
   */
  async #carryOut(left: Extract<Inspection, { state: 'partly' }>, error: FlybackError): Promise<boolean> {
    while (await this.#mayRetry(error.message)) {
      try {
        await this.#repair(left.repair);
        return true;
      } catch (second) {
        if (!(second instanceof FlybackError) || second.condition !== 'lock-timeout') throw second;
      }
    }
    return false;
  }

  /** Each statement alone, as flyback itself. */
  async #repair(statements: readonly string[]): Promise<void> {
    for (const text of statements) await this.#request.session.query(text);
  }

  // ---- ends

  /** Verifies, removes the row, writes the record and clears the journal, all in one transaction. */
  async #finish(): Promise<void> {
    const { session, toolbox, plan } = this.#request;
    const { sql } = toolbox.database;
    const { step, script } = this.#input;
    this.#next = undefined;
    const pending = await toolbox.database.pendingActions(
      session,
      script.statements.map((statement) => statement.text),
    );
    let hash = '';
    const work: OwnWork['work'] = async (answers) => {
      const last = this.#compare(answers);
      const marked = this.#entries.find((entry) => entry.rank === step.entry.rank);
      const removal: readonly Change[] =
        marked === undefined
          ? []
          : [{ sql: toolbox.history.removeRow(toolbox.database, plan.history.table, marked), isOfTheRow: true }];
      const looks = script.verifications.length > 0 || this.#checksKeys() || this.#inspector !== undefined;
      if (looks) await this.#change(removal);
      await this.#verify(pending);
      await this.#checkKeys();
      await this.#lookAfter();
      const row = chainEntry(this.#recordEntry('committed', undefined), last);
      ({ hash } = row);
      const endsRun = this.#input.number === this.#input.of;
      const ends = [
        sql.record.append(plan.recordTable, row),
        sql.journal.clear(this.#journal, this.#run),
        ...(endsRun ? freeFlagTexts(this.#request) : []),
      ];
      return {
        changes: [...(looks ? [] : removal), ...ends.map((text) => ({ sql: text }))],
        wasIt: () => wasCommitted(this.#request, row.hash),
      };
    };
    await this.#inOwnTransaction('finish', plan.recordTable, { asks: this.#comparing(), work });
    if (!this.#entries.some((entry) => entry.rank === step.entry.rank)) {
      this.#warnings.push(
        `The history had no row of version ${step.version} any more (repairing a history removes rows marked as failed); there was nothing to remove.`,
      );
    }
    this.#recordHash = hash;
    this.#entries = this.#entries.filter((entry) => entry.rank !== step.entry.rank);
    this.#request.onEvent?.({ kind: 'recorded', hash });
    this.#warnings.push(...pending);
  }

  /** What the script came to is committed: whatever is wrong with it, there is no way back, and the run ends as any other. */
  async #lookAfter(): Promise<void> {
    if (this.#inspector === undefined || this.#driftBefore === undefined) return;
    let found: readonly Finding[];
    try {
      found = await this.#inspector.after(this.#request.session);
    } catch (error) {
      if (!(error instanceof FlybackError) || error.code !== 'drift-found') throw error;
      found = error.findings;
    }
    // A transaction that had to wait for a lock is begun again.
    this.#driftAfter = found;
  }

  #drift(): readonly Finding[] | undefined {
    return this.#driftBefore === undefined ? undefined : [...this.#driftBefore, ...this.#driftAfter];
  }

  /** Statements that commit by themselves cannot be checked in a transaction of their own: all is checked when all has run. */
  #checksKeys(): boolean {
    const { step } = this.#input;
    if (this.#request.toolbox.database.sql.replicaMode !== 'foreign-keys') return false;
    return step.triggers === 'replica' || maySwitchConstraints(step.statements);
  }

  async #checkKeys(): Promise<void> {
    const { session, toolbox, scriptSchema } = this.#request;
    const { sql } = toolbox.database;
    const { step } = this.#input;
    if (!this.#checksKeys()) return;
    const asked = await session.query(`${sql.useScriptPath(session.facts, scriptSchema)};${sql.touchedConstraints()}`);
    const unchecked = await checkTouched(this.#request, step, step.statements, asked.at(-1)?.rows[0]?.[0]);
    this.#warnings.push(...unchecked.filter((warning) => !this.#warnings.includes(warning)));
  }

  async #verify(pending: readonly string[]): Promise<void> {
    const { session, toolbox, scriptSchema } = this.#request;
    const { script, step } = this.#input;
    const results: VerificationResult[] = [];
    this.#verifications = results;
    if (script.verifications.length === 0) return;
    await session.query(toolbox.database.sql.useScriptPath(session.facts, scriptSchema));
    for (const verification of script.verifications) {
      const started = performance.now();
      const sent = await session.pipeline([verification.query.text]);
      if (sent.failure !== undefined) throw scriptError(sent.failure.error, script, verification.query);
      const result = verificationResult(this.#request, verification, sent.results[0]?.[0], performance.now() - started);
      results.push(result);
      this.#request.onEvent?.({ kind: 'verified', version: step.version, result });
    }
    const failed = results.find((result) => !result.passed);
    if (failed === undefined) return;
    const verification = script.verifications[results.indexOf(failed)];
    throw new FlybackError('verification-failed', `${unmet(script, failed)}.`, {
      hint: pending.length === 0 ? undefined : pending.join(' '),
      location: verification === undefined ? undefined : locate(script, verification.query, undefined),
    });
  }

  /** Nothing has happened but the mark on the history row: it is taken back. */
  async #withdraw(error: FlybackError): Promise<FlybackError> {
    const { toolbox, plan } = this.#request;
    const { sql } = toolbox.database;
    const { step } = this.#input;
    const outcome = error.code === 'cancelled' ? 'cancelled' : 'failed';
    let hash = '';
    this.#next = undefined;
    try {
      const work: OwnWork['work'] = async (answers) => {
        const last = this.#compare(answers);
        const marked = this.#entries.find((entry) => entry.rank === step.entry.rank);
        if (marked === undefined) throw rowIsGone(step.version);
        const row = chainEntry(this.#recordEntry(outcome, error), last);
        ({ hash } = row);
        const ends = [sql.record.append(plan.recordTable, row), sql.journal.clear(this.#journal, this.#run)];
        return {
          changes: [...this.#marking(marked, step.entry.success), ...ends.map((text) => ({ sql: text }))],
          wasIt: () => wasCommitted(this.#request, row.hash),
        };
      };
      await this.#inOwnTransaction('withdraw', plan.recordTable, { asks: this.#comparing(), work });
    } catch (second) {
      if (!(second instanceof FlybackError)) throw second;
      if (second.code === 'commit-unknown') return second;
      return this.#interrupted(error, undefined, `The history row could not be set back either: ${second.message}`);
    }
    this.#recordHash = hash;
    this.#replaceRow(step.entry.rank, step.entry);
    this.#hasBegun = false;
    return error;
  }

  /** Something has happened and the rest has not: the journal stays, the row stays marked, the record tells. */
  async #interrupted(error: FlybackError, index?: number, left?: string): Promise<FlybackError> {
    const { step, script } = this.#input;
    const total = script.statements.length;
    const done = this.#finished.size;
    const where = index === undefined ? '' : ` in line ${script.statements[index]?.line ?? 0}`;
    const progress =
      done === total
        ? `Version ${step.version} is not finished, although all of its statements ran (${total})`
        : `Version ${step.version} is partly rolled back: ${done} of ${total} statements ran, then${where}`;
    const interrupted = new FlybackError(
      'run-interrupted',
      `${progress}: ${causeOf(error)}.${left === undefined ? '' : ` ${left}`} ${this.#shownMeanwhile()}`,
      {
        hint: nextAfter(error),
        location: error.location,
        serverCode: error.serverCode,
        condition: error.condition,
        cause: error,
      },
    );
    const written = await writeAfterwards(this.#request, [this.#recordEntry('interrupted', interrupted)]);
    if ('hash' in written) this.#recordHash = written.hash;
    else this.#warnings.push(written.warning);
    return interrupted;
  }

  /** What the migration tool sees until the version is finished. */
  #shownMeanwhile(): string {
    const { toolbox, plan, session } = this.#request;
    const { history, database } = toolbox;
    const { entry } = this.#input.step;
    if (history.setSuccess(database, plan.history.table, entry, false) !== undefined) {
      return 'The history shows the version as failed until this is finished.';
    }
    const { flag } = history.toolLock(database, plan.history.table, session.facts);
    return flag === undefined
      ? `The history cannot show this: for ${history.words.name} the version is applied until this is finished, so run no migrations before.`
      : `${history.words.name} finds its lock taken until this is finished.`;
  }

  /** Whatever stopped the step: told as what it came to. */
  async #stopped(error: FlybackError): Promise<FlybackError> {
    if (this.#unsaid !== undefined) {
      const said = await this.#journalled([this.#unsaid.entry]).catch(() => undefined);
      if (said !== undefined) this.#said();
    }
    if (
      error.code === 'run-interrupted' ||
      error.code === 'resume-unclear' ||
      error.code === 'usage-invalid' ||
      error.code === 'commit-unknown'
    )
      return error;
    if (this.#hasBegun) {
      const final = this.#isCancelled() ? cancelledError() : error;
      if (!this.#isStatementOpen && error.code !== 'connection-lost' && this.#nothingHasHappened()) {
        return this.#withdraw(final);
      }
      if (this.#finished.size < this.#input.script.statements.length || error.code === 'connection-lost') {
        return this.#interrupted(final);
      }
      const note = this.#request.redact(error.message);
      await this.#journalled([{ event: 'unverified', at: this.#now(), message: note }]).catch(() => undefined);
      return this.#interrupted(error);
    }
    // Withdrawn steps have their entry in the record already.
    if (this.#recordHash !== undefined || error.code === 'resume-needed') return error;
    const outcome = error.code === 'cancelled' ? 'cancelled' : 'failed';
    const written = await writeAfterwards(this.#request, [this.#recordEntry(outcome, error)]);
    if ('hash' in written) this.#recordHash = written.hash;
    else this.#warnings.push(written.warning);
    return error;
  }

  // ---- the pieces

  /**
   * A transaction of flyback's own, in which the history is locked, and the record where it exists; tried again when that
   * lock is not to be had. Resolves to a failure of the connection when it was committed all the same.
   */
  async #inOwnTransaction(
    what: OwnTransaction,
    record: QualifiedName | undefined,
    own: OwnWork,
  ): Promise<ServerFailure | undefined> {
    for (;;) {
      try {
        return await this.#tryOwnTransaction(what, record, own);
      } catch (error) {
        await this.#request.session.query(this.#request.toolbox.database.sql.rollback).catch(() => undefined);
        if (!(error instanceof FlybackError) || error.condition !== 'lock-timeout') throw error;
        if (!(await this.#mayRetry(error.message))) throw error;
      }
    }
  }

  async #tryOwnTransaction(
    what: OwnTransaction,
    record: QualifiedName | undefined,
    { asks, work }: OwnWork,
  ): Promise<ServerFailure | undefined> {
    const { session, toolbox, plan, settings } = this.#request;
    const { sql } = toolbox.database;
    const lock = toolbox.history.toolLock(toolbox.database, plan.history.table, session.facts);
    const unsaid = this.#unsaid === undefined ? [] : [this.#journalText([this.#unsaid.entry])];
    const begun = await session.pipeline([
      ...unsaid,
      `${sql.beginOwn(session.facts, settings.lockTimeoutMs === 0 ? ownLockWaitMs : settings.lockTimeoutMs)};${sql.durably}`,
      sql.guardToolLock(session.facts, lock),
      sql.lockTables(plan.history.table, record),
      ...asks,
    ]);
    if (begun.results.length >= unsaid.length) this.#said();
    if (begun.failure !== undefined) {
      throw guardError(begun.failure.error, begun.failure.index < unsaid.length ? this.#journal : plan.history.table);
    }
    const { changes, wasIt } = await work(begun.results.slice(unsaid.length + 3));
    const error = await this.#changeAndCommit(changes);
    if (error === undefined) return undefined;
    if (!error.connectionLost && (await rollBack(this.#request))) {
      if (error.message.includes(guardMarks.historyChanged)) this.#exactlyOne(undefined);
      throw guardError(error, plan.history.table);
    }
    // Its locks were held before any of this was sent: whoever asks waits until it has ended.
    const found = await wasIt();
    if (found.answer === false) throw connectionLostError(error);
    if (found.answer === undefined) throw this.#unknown(what, found.why, error);
    this.#warnings.push(`The connection broke during the last commit; ${found.words}.`);
    return error;
  }

  #unknown(what: OwnTransaction, why: string, failure: ServerFailure): FlybackError {
    const { doing, known } = ownTransactions[what];
    return new FlybackError(
      'commit-unknown',
      `The connection broke while ${doing(this.#input.step.version)}, and ${why}.`,
      {
        hint: `${known} When the server that the run began on is back, flyback resume tells where it stands.`,
        cause: connectionLostError(failure),
      },
    );
  }

  /**
   * The changes, the commit, and what prepares the next statement; one message where the server itself can tell that a change
   * met its one row. What kept it from being committed.
   */
  async #changeAndCommit(changes: readonly Change[]): Promise<ServerFailure | undefined> {
    const { session, toolbox } = this.#request;
    const { guardOneRow, commit } = toolbox.database.sql;
    if (guardOneRow === undefined) {
      await this.#change(changes);
      return (await session.pipeline([commit])).failure?.error;
    }
    const texts = changes.flatMap(({ sql, isOfTheRow }) => (isOfTheRow === true ? [sql, guardOneRow] : [sql]));
    const sent = await session.pipeline([...texts, commit, ...this.#nextTexts()]);
    if (sent.failure === undefined) this.#nextPrepared(sent.results.slice(texts.length + 1));
    return sent.failure !== undefined && sent.failure.index <= texts.length ? sent.failure.error : undefined;
  }

  /** What #compare wants to see. */
  #comparing(): readonly string[] {
    const { toolbox, plan } = this.#request;
    return [
      toolbox.history.readRows(toolbox.database, plan.history.table),
      toolbox.database.sql.record.head(plan.recordTable),
    ];
  }

  /** Compares the history, from which everyone is shut out again, and returns the last hash of the record. */
  #compare([rows, head]: readonly (readonly QueryResult[])[]): string {
    const { toolbox, plan } = this.#request;
    const found = toolbox.history.parseRows(first(rows), this.#request.migrations);
    const { rank } = this.#input.step.entry;
    // repair takes no lock: it may have removed the marked row meanwhile, and that row alone.
    if (!found.some((entry) => entry.rank === rank)) {
      this.#entries = this.#entries.filter((entry) => entry.rank !== rank);
    }
    compareHistory(this.#request, this.#entries, found);
    return headHash(head?.[0], plan.recordTable);
  }

  async #change(changes: readonly Change[]): Promise<void> {
    const sent = await this.#request.session.pipeline(changes.map(({ sql }) => sql));
    if (sent.failure !== undefined) throw guardError(sent.failure.error, this.#request.plan.history.table);
    for (const [index, { isOfTheRow }] of changes.entries()) {
      if (isOfTheRow === true) this.#exactlyOne(sent.results[index]?.[0]);
    }
  }

  /**
   * Commits entries of the journal on their own. The answers to what goes `behind` them in the same message; undefined when
   * that failed, whose reason shows when it is asked alone.
   */
  async #journalled(
    entries: readonly JournalEntry[],
    behind: readonly string[] = [],
  ): Promise<PipelineOutcome['results'] | undefined> {
    const { session, toolbox } = this.#request;
    const sent = await session.pipeline([this.#journalText(entries), ...behind]);
    if (sent.failure === undefined) return sent.results.slice(1);
    if (sent.failure.index > 0) return undefined;
    await session.query(toolbox.database.sql.rollback).catch(() => undefined);
    throw guardError(sent.failure.error, this.#journal);
  }

  #journalText(entries: readonly JournalEntry[]): string {
    const { session, toolbox, plan } = this.#request;
    const { sql } = toolbox.database;
    const lock = toolbox.history.toolLock(toolbox.database, plan.history.table, session.facts);
    return [
      sql.beginOwn(session.facts, ownLockWaitMs),
      sql.durably,
      // A script can let go of the lock (pg_advisory_unlock_all); nothing more may run once somebody else has it.
      ...(entries.some((entry) => entry.event === 'started') ? [sql.guardToolLock(session.facts, lock)] : []),
      ...entries.map((entry) => sql.journal.append(this.#journal, this.#run, JSON.stringify(entry))),
      sql.commit,
    ].join(';');
  }

  async #markFinished(index: number, rows: number | null, durationMs: number): Promise<void> {
    const entry = this.#finishedEntry(index, rows, durationMs);
    const answers = await this.#journalled([entry], this.#nextTexts());
    this.#keep(index, entry);
    if (answers !== undefined) this.#nextPrepared(answers);
  }

  /** No other statement is to run, and what ends the step can go in one message with the entry of this one. */
  #endsScript(index: number): boolean {
    const { statements } = this.#input.script;
    return (
      this.#request.toolbox.database.dialect.ddl === 'commits' &&
      statements.every((_, other) => other === index || this.#finished.has(other))
    );
  }

  #said(): void {
    if (this.#unsaid === undefined) return;
    this.#keep(this.#unsaid.index, this.#unsaid.entry);
    this.#unsaid = undefined;
  }

  async #recoveryOf({ alone }: PlannedStatement, { text }: Statement): Promise<StatementRecovery | undefined> {
    return alone === null ? undefined : this.#request.toolbox.database.recovery(text);
  }

  /** The statement that runs after this one; undefined for none, and for one that cannot be prepared in another's message. */
  async #following(index: number): Promise<NextStatement | undefined> {
    const next = index + 1;
    if (next >= this.#input.script.statements.length || this.#finished.has(next) || !this.#joins(next))
      return undefined;
    const { statement, planned } = this.#at(next);
    return { index: next, recovery: await this.#recoveryOf(planned, statement) };
  }

  #nextTexts(): readonly string[] {
    if (this.#next === undefined) return [];
    const { recovery } = this.#next;
    return [...this.#setUpTexts(recovery), ...(recovery?.inspect === undefined ? [] : [recovery.inspect])];
  }

  #nextPrepared(answers: PipelineOutcome['results']): void {
    if (this.#next === undefined) return;
    const { index, recovery } = this.#next;
    this.#prepared = {
      index,
      inspected: recovery?.inspect === undefined ? null : (answers.at(-1)?.at(-1)?.rows ?? []),
    };
  }

  /** Sets the session up for the statement and looks at its objects, unless that was done when the one before ended. */
  async #prepare(index: number, recovery: StatementRecovery | undefined): Promise<QueryResult['rows'] | null> {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    if (prepared?.index === index) return prepared.inspected;
    await this.#setUp(index, recovery);
    return this.#inspect(recovery);
  }

  #finishedEntry(index: number, rows: number | null | undefined, durationMs: number): JournalFinished {
    const { statement } = this.#at(index);
    return {
      event: 'finished',
      at: this.#now(),
      statement: index,
      hash: sha256(statement.text),
      ...recordedStatement(this.#request, statement.line, statement.text, rows, durationMs),
    };
  }

  #keep(index: number, { line, sql, rows, durationMs }: JournalFinished): void {
    this.#isStatementOpen = false;
    this.#finished.add(index);
    this.#statements.push({ line, sql, rows, durationMs });
  }

  /** The session as the script would have it at this statement: flyback's settings, then the script's own so far. */
  async #setUp(index: number, recovery: StatementRecovery | undefined): Promise<void> {
    const { session } = this.#request;
    for (const text of this.#setUpTexts(recovery)) await session.query(text);
    for (const text of this.#settingsBefore(index)) await session.query(text);
  }

  /** flyback's part of it. */
  #setUpTexts(recovery: StatementRecovery | undefined): readonly string[] {
    const { session, toolbox, settings } = this.#request;
    const ordinary = stepSettings(this.#request);
    const own = recovery?.waitsAside === true ? { ...ordinary, lockTimeoutMs: settings.concurrentWaitMs } : ordinary;
    const { sql } = toolbox.database;
    const isReplica = this.#input.step.triggers === 'replica' && sql.replicaMode === 'foreign-keys';
    return [sql.setUpSession(session.facts, own), ...(isReplica ? [sql.enterReplicaMode()] : [])];
  }

  /** The script's part of it. */
  #settingsBefore(index: number): readonly string[] {
    const before = this.#input.script.statements.slice(0, index);
    return before.map(({ text }) => text).filter((text) => sessionSetting.test(text));
  }

  /**
   * Whether the session can be set up for the statement in a message with what comes before: where that message stops at its
   * first failure, and holds nothing of the script's own.
   */
  #joins(index: number): boolean {
    return this.#request.toolbox.database.dialect.ddl === 'commits' && this.#settingsBefore(index).length === 0;
  }

  #isCancelled(): boolean {
    return this.#request.signal?.aborted === true;
  }

  #nothingHasHappened(): boolean {
    const { script } = this.#input;
    return [...this.#finished].every((index) => sessionSetting.test(script.statements[index]?.text ?? ''));
  }

  async #mayRetry(message: string): Promise<boolean> {
    const { settings, signal, onEvent, redact } = this.#request;
    if (this.#retriesLeft <= 0 || signal?.aborted === true) return false;
    this.#retriesLeft -= 1;
    onEvent?.({
      kind: 'lock-timeout',
      version: this.#input.step.version,
      attempt: settings.lockRetries - this.#retriesLeft,
      pauseMs: settings.lockRetryPauseMs,
      message: redact(message),
    });
    try {
      await pause(settings.lockRetryPauseMs, signal);
      return true;
    } catch {
      return false;
    }
  }

  #at(index: number): { readonly statement: Statement; readonly planned: PlannedStatement } {
    const statement = this.#input.script.statements[index];
    const planned = this.#input.step.statements[index];
    if (statement === undefined || planned === undefined) {
      throw new FlybackError('internal', `The plan has no statement ${index + 1}.`);
    }
    return { statement, planned };
  }

  /** Sets the mark by which the migration tool knows a migration that failed, where its history has one. */
  #marking(entry: HistoryEntry, success: boolean): readonly Change[] {
    const { toolbox, plan } = this.#request;
    const marking = toolbox.history.setSuccess(toolbox.database, plan.history.table, entry, success);
    return marking === undefined ? [] : [{ sql: marking, isOfTheRow: true }];
  }

  #exactlyOne(result: QueryResult | undefined): void {
    const { plan } = this.#request;
    const { step } = this.#input;
    if (result?.rowCount === 1) return;
    throw new FlybackError(
      'history-changed',
      `The history row of version ${step.version} (rank ${step.entry.rank}) in ${plan.history.table.schema}.${plan.history.table.name} is not what was planned against: ${result?.rowCount ?? 0} rows matched.`,
      { hint: 'Look at flyback status, and plan again.' },
    );
  }

  #replaceRow(rank: number, row: HistoryEntry): void {
    this.#entries = this.#entries.map((entry) => (entry.rank === rank ? row : entry));
  }

  #recordEntry(outcome: RecordOutcome, error: FlybackError | undefined): ReturnType<typeof stepEntry> {
    const { step, number, of, resumed } = this.#input;
    return stepEntry(this.#request, {
      step,
      outcome,
      number,
      of,
      transaction: 'none',
      statements: this.#statements,
      verifications: this.#verifications,
      drift: this.#drift(),
      started: this.#started,
      error,
      resumes: resumed?.open.run,
    });
  }

  #now(): string {
    return this.#request.now().toISOString();
  }
}

function first(results: readonly QueryResult[] | undefined): QueryResult {
  const result = results?.[0];
  if (result === undefined) throw new FlybackError('internal', 'The history table gave no answer.');
  return result;
}

function unclear(open: OpenRun, words: string): FlybackError {
  return new FlybackError(
    'resume-unclear',
    `${words} The rollback of version ${open.begun.version} cannot go on before somebody has looked.`,
    {
      hint: 'Look at the database, then say what you found: flyback resume --assume done, or --assume not-done to run the statement again.',
    },
  );
}

/** Why an interrupted run stopped, without what would be true only of a transaction. */
function causeOf({ code, message }: FlybackError): string {
  if (code === 'cancelled') return 'the run was cancelled';
  return message
    .replace(/^Version \S+ could not be rolled back: /, '')
    .replace(/; the server rolls back what was not committed\.$/, '')
    .replace(/\.?\s*(?:Everything was rolled back|Nothing was changed)\.?$/, '')
    .replace(/\.$/, '');
}

function nextAfter({ code, hint }: FlybackError): string {
  const resume = 'flyback resume';
  if (code === 'cancelled') return `Carry it on with: ${resume}`;
  if (code === 'connection-lost') {
    return hint === undefined || hint === lookAgainHint
      ? `When the server can be reached again: ${resume}`
      : `${hint} Then run: ${resume}`;
  }
  if (hint === undefined || /rolled back/i.test(hint)) return `Put right what stopped it, then run: ${resume}`;
  // What a verification hints at is what it waits for.
  return code === 'verification-failed'
    ? `${hint} After that run: ${resume}`
    : `${hint} Put right what stopped it, then run: ${resume}`;
}

/** "cannot run inside a transaction block", and a procedure that wants to commit. */
function refusesTransaction({ condition }: FlybackError): boolean {
  return condition === 'transaction-refused' || condition === 'commits-by-itself';
}

function rowIsGone(version: string): FlybackError {
  return new FlybackError('history-changed', `The history row of version ${version} is gone.`);
}
