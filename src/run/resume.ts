import type { Inspection } from '../adapter/database.js';
import { createRedactor } from '../config/create-redactor.js';
import { FlybackError } from '../errors/error.js';
import { redactError } from '../errors/redact-error.js';
import { sha256 } from '../fingerprint/fingerprint.js';
import type { HistoryEntry } from '../history/history.js';
import { beforeMarking, openRuns, type OpenRun } from '../journal/journal-state.js';
import { readJournal } from '../journal/journal-store.js';
import { journalTableOf, type JournalBegun } from '../journal/journal.js';
import { buildPlan, type BuiltPlan } from '../plan/build-plan.js';
import type { ConnectedProject } from '../project/project.js';
import { entryFormat, type RecordEntry } from '../record/record-entry.js';
import { chainEntry, checkRecordTable, headHash } from '../record/record-store.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import { judgeOpenStatement } from './interrupted-statement.js';
import { releaseSessionLock, takeFlag, takeSessionLock } from './open-transaction.js';
import { requestOf, type RollbackOptions } from './rollback.js';
import { runJournalledStep } from './run-journalled-step.js';
import { outcomeOf } from './run-mixed.js';
import type { RunRequest } from './run-request.js';
import type { RunResult } from './run-result.js';
import { afterRun, freeFlagTexts, lowerFlag } from './tool-flag.js';
import { watched } from './watch-locks.js';

/** A statement of the interrupted script, and what is known of it. */
export interface ResumeStatement {
  readonly line: number;
  readonly sql: string;
  readonly state: 'finished' | 'interrupted' | 'to-run';
}

/** What resume would do: plain JSON, made without changing anything. */
export interface ResumePlan {
  /** The run that was interrupted. */
  readonly run: string;
  readonly version: string;
  readonly description: string;
  readonly begunAt: string;
  readonly begunBy: string;
  readonly reason: string | null;
  readonly script: string;
  /** The file or a placeholder in it was changed since; what has finished is unchanged. */
  readonly scriptChanged: boolean;
  /** Why it stopped, where that is known. */
  readonly stoppedBecause: string | null;
  readonly statements: readonly ResumeStatement[];
  /** How far the interrupted statement came, and what would be done about it; null between two statements. */
  readonly interrupted: Inspection | null;
  /**
   * marked: it is there, marked as failed; unmarked: it is there, and the tool has no such mark; gone: somebody removed it
   * (flyway repair does).
   */
  readonly historyRow: 'marked' | 'unmarked' | 'gone';
}

/** A resume plan with what is needed to run it in this process. */
export interface BuiltResume {
  readonly plan: ResumePlan;
  readonly open: OpenRun;
  readonly built: BuiltPlan;
}

export interface ResumeOptions extends Omit<RollbackOptions, 'mode'> {
  /** What a person has found out about the interrupted statement, where nothing tells flyback. */
  readonly assume?: 'done' | 'not-done' | undefined;
  /** Go on although the script's file was changed since. */
  readonly changedScript?: boolean | undefined;
}

/**
 * Looks at the rollback that was interrupted: what has finished, how far the statement under way came, what is left.
 * Undefined when nothing is interrupted. Throws FlybackError journal-mismatch when journal, script and history do not
 * belong together any more.
 */
export async function planResume(project: ConnectedProject): Promise<BuiltResume | undefined> {
  const [open, second] = openRuns(project.journal);
  if (open === undefined) return undefined;
  if (second !== undefined) {
    throw new FlybackError(
      'journal-mismatch',
      `The journal tells of two interrupted runs (versions ${open.begun.version} and ${second.begun.version}), which flyback never lets happen.`,
      { hint: 'Find out who wrote to the journal; flyback resume --abandon closes the older one.' },
    );
  }
  const { begun } = open;
  requireSameDatabase(project, open);
  const row = rowOf(project, open);
  const built = await planAgain(project, open, row);
  const script = built.scripts[0];
  if (script === undefined) throw new FlybackError('internal', 'The plan to resume has no script.');
  const redact = createRedactor(project.config.secrets);
  requireSameBeginning(open, script);
  requireUnmoved(open, script);
  const finished = new Set(open.finished.map((entry) => entry.statement));
  return {
    open,
    built,
    plan: {
      run: open.run,
      version: begun.version,
      description: begun.description,
      begunAt: begun.at,
      begunBy: `${begun.who.systemUser} on ${begun.who.host}`,
      reason: begun.reason,
      script: begun.script.file,
      scriptChanged: script.checksum !== begun.script.checksum || !isSameText(open, script),
      stoppedBecause: open.unverified ?? open.failure?.message ?? null,
      statements: script.statements.map((statement, index) => ({
        line: statement.line,
        sql: redact(statement.text),
        state: finished.has(index) ? 'finished' : open.open?.statement === index ? 'interrupted' : 'to-run',
      })),
      interrupted: open.open === undefined ? null : await inspectOpen(project, open, script),
      historyRow: row === undefined ? 'gone' : hasMark(project, open) ? 'marked' : 'unmarked',
    },
  };
}

/**
 * Carries an interrupted rollback on to its end. Resolves also when it stops again: read `outcome` and `failure`.
 * Whatever was looked at before is looked at again under the lock.
 */
export async function resume(
  project: ConnectedProject,
  { open, built, plan }: BuiltResume,
  options: ResumeOptions = {},
): Promise<RunResult> {
  if (plan.scriptChanged && options.changedScript !== true) {
    throw new FlybackError(
      'journal-mismatch',
      `${plan.script}, or a placeholder in it, was changed after the run was interrupted; what has finished is unchanged.`,
      { hint: 'Read what is left to run, then say so: flyback resume --changed-script' },
    );
  }
  const { begun } = open;
  const ordinary = requestOf(project, built, { ...options, mode: 'for-real' });
  const request: RunRequest = {
    ...ordinary,
    plan: { ...ordinary.plan, hash: begun.planHash },
    reason: options.reason ?? begun.reason ?? undefined,
  };
  const [planned, script] = [built.plan.steps[0], built.scripts[0]];
  if (planned === undefined || script === undefined) throw new FlybackError('internal', 'There is nothing to resume.');
  const run = async (own: RunRequest): Promise<RunResult> => {
    const done = await runJournalledStep(own, {
      step: { ...planned, entry: entryToResume(project, open), triggers: begun.triggers },
      script,
      number: 1,
      of: 1,
      entries: project.entries,
      resumed: { open, assume: options.assume },
    });
    return {
      run: own.runId,
      outcome: outcomeOf(done.failure),
      steps: [done.result],
      failure: done.failure === undefined ? undefined : redactError(done.failure, own.redact),
      recordHash: done.recordHash,
      warnings: done.warnings.map(own.redact),
    };
  };
  return underLock(project, request, open, async () => afterRun(request, await watched(request, run)));
}

/**
 * Closes an interrupted rollback without running anything: for a person who has put things right by hand. The history
 * row stays as it is. Resolves to the hash of the record entry, or undefined when nothing is interrupted.
 */
export async function abandon(
  project: ConnectedProject,
  options: Pick<ResumeOptions, 'reason' | 'signal' | 'onEvent'> = {},
): Promise<{ readonly version: string; readonly recordHash: string } | undefined> {
  const [open] = openRuns(project.journal);
  if (open === undefined) return undefined;
  const { toolbox, session, recordTable, table } = project;
  const { sql } = toolbox.database;
  const request = requestOf(project, emptyPlan(project), { ...options, mode: 'for-real' });
  return underLock(project, request, open, async () => {
    const head = await session.query(
      [
        `${sql.beginOwn(session.facts, project.config.run.lockTimeoutMs)};${sql.durably}`,
        sql.lockTables(table, recordTable),
        sql.record.head(recordTable),
      ].join(';'),
    );
    try {
      const row = chainEntry(abandonedEntry(request, open), headHash(head.at(-1), recordTable));
      await session.query(
        [
          sql.record.append(recordTable, row),
          sql.journal.clear(journalTableOf(recordTable), open.run),
          ...freeFlagTexts(request),
          sql.commit,
        ].join(';'),
      );
      return { version: open.begun.version, recordHash: row.hash };
    } catch (error) {
      await session.query(sql.rollback).catch(() => undefined);
      throw error;
    }
  });
}

/** Takes the tool's lock, which a run that is still alive would hold, and makes sure that the journal stands as it was read. */
async function underLock<T>(
  project: ConnectedProject,
  request: RunRequest,
  open: OpenRun,
  work: () => Promise<T>,
): Promise<T> {
  const { toolbox, session, table, recordTable } = project;
  const onAbort = (): void => void session.cancel();
  request.signal?.addEventListener('abort', onAbort);
  try {
    await takeSessionLock(request);
    try {
      if (toolbox.history.toolLock(toolbox.database, table, session.facts).flag !== undefined) await takeFlag(request);
      const [current] = openRuns(await readJournal(session, toolbox.database, journalTableOf(recordTable)));
      if (current?.run !== open.run || current.lastId !== open.lastId) {
        if (current === undefined) await lowerFlag(request);
        throw new FlybackError(
          'history-changed',
          current === undefined
            ? `Another process has finished the rollback of version ${open.begun.version} meanwhile; nothing was done.`
            : `Another process has carried the rollback of version ${open.begun.version} on meanwhile; nothing was done.`,
          { hint: 'Look at flyback status.' },
        );
      }
      await requireRecord(project);
      return await work();
    } finally {
      await releaseSessionLock(request);
    }
  } finally {
    request.signal?.removeEventListener('abort', onAbort);
  }
}

/** Before anything runs: the record must be there to end in, as this flyback knows it. */
async function requireRecord({ toolbox, session, recordTable, config }: ConnectedProject): Promise<void> {
  const { sql } = toolbox.database;
  const { exists } = await checkRecordTable(session, toolbox.database, recordTable);
  if (exists) {
    headHash((await session.query(sql.record.head(recordTable)))[0], recordTable);
    return;
  }
  const create = [sql.beginOwn(session.facts, config.run.lockTimeoutMs), sql.record.create(recordTable), sql.commit];
  await session.query(create.join(';'));
}

/** A journal that came with a copy of the data tells of objects by numbers that mean something else here. */
function requireSameDatabase({ session }: ConnectedProject, { begun }: OpenRun): void {
  const here = session.facts.identity.database;
  if (here === null || begun.database === null || begun.database === here) return;
  throw new FlybackError(
    'journal-mismatch',
    `The interrupted rollback of version ${begun.version} was begun in another database (${begun.database}) than this one (${here}): its journal came here with a copy of the data.`,
    {
      hint: 'Resume where it was begun. In the copy, put the objects right by hand, then close it there: flyback resume --abandon',
    },
  );
}

/** Whether the tool's history can say that something is half done. */
function hasMark({ toolbox, table }: ConnectedProject, { begun }: OpenRun): boolean {
  return toolbox.history.setSuccess(toolbox.database, table, begun.historyRow, false) !== undefined;
}

/**
 * The row of the version as it is now, undefined when it is gone. It must be there as it was left: marked as failed, or, where
 * the tool has no mark, unchanged, but for its rank, since nothing kept the tool from adding and removing rows. Anything else
 * means that the version was migrated again.
 */
function rowOf(project: ConnectedProject, open: OpenRun): HistoryEntry | undefined {
  const { begun } = open;
  const { rank } = begun.historyRow;
  const isMarked = hasMark(project, open);
  const left = JSON.stringify({ ...begun.historyRow, success: isMarked ? false : begun.historyRow.success });
  const same = project.entries.find((entry) => JSON.stringify(isMarked ? entry : { ...entry, rank }) === left);
  if (same !== undefined) return same;
  const found = isMarked ? project.entries.find((entry) => entry.rank === rank) : undefined;
  const key = project.toolbox.history.versions.parse(begun.version)?.key;
  const other = project.history.applied.find((row) => row.version?.key === key);
  if (found === undefined && other === undefined) return undefined;
  throw new FlybackError(
    'journal-mismatch',
    `The history has another row of version ${begun.version} than the one that flyback ${isMarked ? 'marked as failed' : 'had begun with'} (rank ${rank}): the version was repaired or migrated again meanwhile.`,
    {
      hint: 'Find out by hand what is there and put it right; then close the interrupted run: flyback resume --abandon',
    },
  );
}

/** The row that the run began with, under the rank that it has now; under none that another row has when it is gone. */
function entryToResume(project: ConnectedProject, open: OpenRun): HistoryEntry {
  const { historyRow } = open.begun;
  const rank = rowOf(project, open)?.rank ?? (hasMark(project, open) ? historyRow.rank : 0);
  return { ...historyRow, rank };
}

/** Plans the version again, as it stands in the history now. */
async function planAgain(
  project: ConnectedProject,
  open: OpenRun,
  found: HistoryEntry | undefined,
): Promise<BuiltPlan> {
  const { config, toolbox, session, table } = project;
  const { begun } = open;
  const entries = found !== undefined ? project.entries : [...project.entries, entryToResume(project, open)];
  // The mark of failure is flyback's own, and no reason against going on.
  const history = toolbox.history.interpret(table, beforeMarking(entries, [begun.historyRow]));
  const key = toolbox.history.versions.parse(begun.version)?.key;
  const row = history.applied.find((candidate) => candidate.version?.key === key);
  if (project.pairs.find((pair) => pair.version.key === key)?.script === undefined) {
    throw new FlybackError(
      'journal-mismatch',
      `${begun.script.file} is gone: the script of the rollback of version ${begun.version} that was interrupted.`,
      { hint: `Put it back as it was (${printChecksum(begun)}).` },
    );
  }
  return buildPlan({
    target: { kind: 'only', version: begun.version },
    transaction: 'per-version',
    triggers: begun.triggers,
    toolbox,
    session,
    history,
    pairs: project.pairs.map((pair) => (pair.version.key === key ? { ...pair, row } : pair)),
    migrations: project.migrations.migrations,
    findings: [],
    settings: config.tool,
    recordTable: project.recordTable,
    projectFolder: config.projectFolder,
    redact: createRedactor(config.secrets),
    now: new Date(),
    mode: 'for-real',
    locksAddUp: 'no',
    estimates: 'leave-out',
  });
}

/** What has finished must stand at the beginning of the script as it is now: nothing runs twice, nothing is skipped. */
function requireSameBeginning(open: OpenRun, script: RollbackScript): void {
  for (const { statement: index, line, hash } of open.finished) {
    const now = script.statements[index];
    if (now !== undefined && sha256(now.text) === hash) continue;
    throw new FlybackError(
      'journal-mismatch',
      `The script of version ${open.begun.version} is not the one that was interrupted: its statement ${index + 1}, which has finished (line ${line} then), ${now === undefined ? 'is gone' : `is another one now (line ${now.line})`}.`,
      {
        hint: `Put ${open.begun.script.file} back as it was (${printChecksum(open.begun)}); statements that have not finished may be changed.`,
      },
    );
  }
}

function printChecksum({ script }: JournalBegun): string {
  return `SHA-256 ${script.checksum.slice(0, 12)}…`;
}

function isSameText({ begun }: OpenRun, script: RollbackScript): boolean {
  return (
    script.statements.length === begun.statements.length &&
    script.statements.every(({ text }, index) => sha256(text) === begun.statements[index])
  );
}

/**
 * What is under way may be corrected, not moved: an answer to what became of it would be taken for the statement that
 * stands in its place now, and it would run again in its new one.
 */
function requireUnmoved({ begun, open: started }: OpenRun, script: RollbackScript): void {
  if (started === undefined || started.mode === 'transaction') return;
  const hashes = script.statements.map(({ text }) => sha256(text));
  if (hashes[started.statement] === started.hash) return;
  const count = (list: readonly string[]): number => list.filter((hash) => hash === started.hash).length;
  const now = hashes.indexOf(started.hash);
  if (now < 0 || count(hashes) < count(begun.statements)) return;
  throw new FlybackError(
    'journal-mismatch',
    `The script of version ${begun.version} is not the one that was interrupted: the statement that was under way (line ${started.line} then) has moved to line ${script.statements[now]?.line ?? 0}.`,
    { hint: `Put ${begun.script.file} back as it was up to this statement; what comes after it may be changed.` },
  );
}

async function inspectOpen(project: ConnectedProject, open: OpenRun, script: RollbackScript): Promise<Inspection> {
  const { toolbox, session, config, table } = project;
  const started = open.open;
  const statement = started === undefined ? undefined : script.statements[started.statement];
  const isSame = started !== undefined && statement !== undefined && sha256(statement.text) === started.hash;
  if (!isSame || started.mode === 'transaction') return judgeOpenStatement(open, undefined, null);
  const recovery = await toolbox.database.recovery(statement.text);
  if (recovery.inspect === undefined) return judgeOpenStatement(open, recovery, null);
  await session.query(
    toolbox.database.sql.useScriptPath(
      session.facts,
      toolbox.history.scriptSchema(config.tool, table, session.facts.currentSchema),
    ),
  );
  const answer = await session.query(recovery.inspect);
  return judgeOpenStatement(open, recovery, answer.at(-1)?.rows ?? null);
}

function abandonedEntry(request: RunRequest, open: OpenRun): RecordEntry {
  const { begun, finished } = open;
  const { session, redact, who } = request;
  const at = request.now().toISOString();
  return {
    format: entryFormat,
    flyback: request.flybackVersion,
    run: request.runId,
    step: { number: 1, of: 1 },
    outcome: 'abandoned',
    tool: begun.tool,
    version: begun.version,
    description: begun.description,
    script: begun.script,
    historyRow: begun.historyRow,
    planHash: begun.planHash,
    triggers: begun.triggers,
    transaction: 'none',
    resumes: open.run,
    reason: request.reason === undefined ? null : redact(request.reason),
    approval: begun.approval,
    who: { databaseUser: session.facts.user, ...who },
    database: { name: session.facts.databaseName, serverVersion: session.facts.version },
    startedAt: at,
    finishedAt: at,
    statements: finished.map(({ line, sql, rows, durationMs }) => ({ line, sql, rows, durationMs })),
    verifications: [],
    error: null,
  };
}

/** Closing a run needs the settings of one, and no steps. */
function emptyPlan(project: ConnectedProject): BuiltPlan {
  const { toolbox, session, history, table, recordTable } = project;
  return {
    scripts: [],
    plan: {
      format: 'flyback-plan/1',
      createdAt: new Date().toISOString(),
      target: { kind: 'steps', steps: 0 },
      transaction: 'per-version',
      triggers: { mode: 'keep', reason: 'nothing runs' },
      tool: toolbox.history.tool,
      database: {
        name: toolbox.database.name,
        serverVersion: session.facts.version,
        databaseName: session.facts.databaseName,
        user: session.facts.user,
      },
      history: { table, fingerprint: history.fingerprint, rowCount: history.rows.length, maxRank: 0 },
      recordTable,
      steps: [],
      after: { applied: [], forecast: '', willApply: [] },
      repeatables: [],
      hazards: [],
      hash: '',
    },
  };
}
