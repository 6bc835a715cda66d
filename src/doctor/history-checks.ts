import type { DatabaseAdapter, Session } from '../adapter/database.js';
import type { Toolbox } from '../adapter/toolbox.js';
import { FlybackError } from '../errors/error.js';
import type { History, QualifiedName } from '../history/history.js';
import { openRuns } from '../journal/journal-state.js';
import type { JournalRow } from '../journal/journal.js';
import { resumeNeeded } from '../journal/resume-needed.js';
import { flagFinding } from '../run/tool-flag.js';
import { checkChain } from '../record/check-chain.js';
import { readRecord } from '../record/record-store.js';
import { describeFinding, notChecked, numberOf, type Check } from './check.js';

/** A table that another session has locked is not waited for longer than this. */
export const questionLockTimeoutMs = 5000;

/** The history as it was read, and which edition of the tool it fits. Pure. */
export function historyChecks(history: History, { history: adapter }: Toolbox): readonly Check[] {
  const name = `${history.table.schema}.${history.table.name}`;
  const errors = history.findings.filter(({ severity }) => severity === 'error');
  const worst = errors.length > 0 ? 'problem' : history.findings.length > 0 ? 'warning' : 'ok';
  const [first] = errors.length > 0 ? errors : history.findings;
  const failed = history.applied.filter(({ state }) => state === 'failed').length;
  const origin = adapter.origin(history);
  return [
    {
      check: 'history',
      result: worst,
      message: `${name} has ${numberOf(history.rows.length, 'row')}, ${numberOf(history.applied.length, 'version')} applied${failed === 0 ? '' : ` (${failed} failed)`}${history.floor === undefined ? '' : `, baseline ${history.floor.text}`}.`,
      hint: first?.hint,
      ...(history.findings.length === 0 ? {} : { details: history.findings.map(describeFinding) }),
    },
    {
      check: 'history-writer',
      result: origin.isDoubtful ? 'warning' : 'ok',
      message: origin.words,
      hint: origin.hint,
    },
  ];
}

/** Whether an earlier run was left half-way. Pure. */
export function journalCheck(journal: readonly JournalRow[]): Check {
  const check = 'journal';
  const open = openRuns(journal);
  const [first] = open;
  if (first === undefined) return { check, result: 'ok', message: 'No rollback was interrupted.' };
  const { message, hint } = resumeNeeded(first);
  return { check, result: 'problem', message, hint };
}

/** Reads the whole record and recomputes its chain. */
export async function recordCheck(session: Session, database: DatabaseAdapter, record: QualifiedName): Promise<Check> {
  const check = 'record';
  const name = `${record.schema}.${record.name}`;
  try {
    const rows = await inTransaction(session, database, () => readRecord(session, database, record));
    if (rows === undefined) {
      return { check, result: 'ok', message: `There is no record ${name} yet; the first run makes it.` };
    }
    const findings = checkChain(rows);
    if (findings.length > 0) {
      return {
        check,
        result: 'problem',
        message: `The record ${name} was tampered with: ${numberOf(findings.length, 'break')} in its chain.`,
        hint: findings[0]?.hint,
        details: findings.map(describeFinding),
      };
    }
    const count = rows.length === 1 ? '1 entry' : `${rows.length} entries`;
    return { check, result: 'ok', message: `${name} is whole: ${count}, newest hash ${rows.at(-1)?.hash ?? 'none'}.` };
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    return notChecked(check, error.message);
  }
}

/** Who holds the migration tool's lock now, and who waits for it. */
export async function toolLockCheck(session: Session, toolbox: Toolbox, history: QualifiedName): Promise<Check> {
  const check = 'tool-lock';
  const lock = toolbox.history.toolLock(toolbox.database, history, session.facts);
  try {
    const [answer] = await session.query(toolbox.database.sql.toolLockSessions(lock));
    const sessions = (answer?.rows ?? []).map(([what, pid, user, application, since]) => ({
      what,
      words: `process ${pid ?? ''} of ${user ?? ''} (${application === '' || application === null || application === undefined ? 'unnamed' : application}) since ${since ?? ''}`,
    }));
    const row = await flagFinding(session, toolbox.database, toolbox.history.words, lock.flag);
    if (row !== undefined) {
      const { severity, message, hint } = row;
      return { check, result: severity === 'error' ? 'problem' : 'warning', message, hint };
    }
    if (sessions.length === 0) return { check, result: 'ok', message: 'Free; nobody waits for it.' };
    const holders = sessions.filter(({ what }) => what === 'holds');
    return {
      check,
      result: 'warning',
      message:
        holders.length > 0
          ? `Held by ${holders.map(({ words }) => words).join('; ')}: a migration or a rollback is under way.`
          : `Waited for by ${sessions.map(({ words }) => words).join('; ')}.`,
      hint: 'Wait until it has ended; a rollback waits for run.toolLockWait, then gives up.',
      details: sessions.map(({ what, words }) => `${what === 'holds' ? 'holds' : 'waits'}: ${words}`),
    };
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    return notChecked(check, error.message);
  }
}

/** Runs questions in one transaction that is not committed: through a pooler they meet the same server process. */
export async function inTransaction<T>(session: Session, { sql }: DatabaseAdapter, ask: () => Promise<T>): Promise<T> {
  await session.query(sql.beginOwn(session.facts, questionLockTimeoutMs));
  try {
    return await ask();
  } finally {
    await session.query(sql.rollback).catch(() => undefined);
  }
}
