import type { Command, DatabaseAdapter, Session, ToolFlag } from '../adapter/database.js';
import type { ToolWords } from '../adapter/history.js';
import { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import { elsewhere } from './aftermath.js';
import { connectionLostError, guardError } from './step-failure.js';
import { pause } from './pause.js';
import type { RunRequest } from './run-request.js';
import type { RunResult } from './run-result.js';

/*
 * A tool that locks by a row which it commits would find it free while a rollback's own transaction is open, and go on from
 * a list of migrations that it read before. So flyback commits its mark into that row before it reads the history for a run,
 * and frees it in the very transaction of the last step. A run that is killed in between leaves the mark, which stops the
 * tool; the lock on flyback's own key ends with the session, so that the next flyback knows the mark for a dead one's.
 */

/** A row that somebody else is changing is asked for again, rather than waited for. */
const rowWaitMs = 1000;
/** How often, and how long apart, a server that has yet to notice that its client is gone is asked to let go. */
const freeTries = 10;
const freePauseMs = 500;

/** What the rows of the lock table mean. */
export type FlagState = 'free' | 'left' | 'taken' | 'missing' | 'doubled';

export function judgeFlag(values: readonly (string | null)[], flag: ToolFlag): FlagState {
  const [value, second] = values;
  if (value === undefined) return 'missing';
  if (second !== undefined) return 'doubled';
  return value === String(flag.own) ? 'left' : value === String(flag.free) ? 'free' : 'taken';
}

function flagOf({ toolbox, plan, session }: RunRequest): ToolFlag | undefined {
  return toolbox.history.toolLock(toolbox.database, plan.history.table, session.facts).flag;
}

function nameOf({ table }: ToolFlag): string {
  return `${table.schema}.${table.name}`;
}

function change({ sql }: DatabaseAdapter, flag: ToolFlag, from: number, to: number): Command {
  return sql.rows.update(flag.table, [{ column: flag.column, value: to }], [{ column: flag.column, value: from }]);
}

/** Frees the flag where it is flyback's: for the transaction that ends a run. Nothing for a tool without a flag. */
export function freeFlag(request: Pick<RunRequest, 'toolbox' | 'plan' | 'session'>): readonly Command[] {
  const { toolbox, plan, session } = request;
  const { flag } = toolbox.history.toolLock(toolbox.database, plan.history.table, session.facts);
  return flag === undefined ? [] : [change(toolbox.database, flag, flag.own, flag.free)];
}

/** The same with its values in the text. */
export function freeFlagTexts(request: Pick<RunRequest, 'toolbox' | 'plan' | 'session'>): readonly string[] {
  return freeFlag(request).map((command) => request.toolbox.database.sql.rows.inline(command));
}

/** Whether a transactional part ends the run that it belongs to: that one frees the flag. */
export function endsRun({ part, plan }: RunRequest): boolean {
  return part === undefined || part.before + plan.steps.length === part.of;
}

/**
 * Sets the flag in the open transaction. True when it is flyback's now; else the words of who has it. Throws FlybackError
 * lock-unavailable when the lock table is not as the tool keeps it. Where it is not flyback's, the transaction was rolled back.
 */
export async function setFlag(request: RunRequest): Promise<{ readonly wasLeft: boolean } | string> {
  const flag = flagOf(request);
  if (flag === undefined) return { wasLeft: false };
  const { session, toolbox } = request;
  const { sql } = toolbox.database;
  const sent = await session.pipeline([
    sql.rows.inline(change(toolbox.database, flag, flag.free, flag.own)),
    sql.rows.select(flag.table, [flag.column], {}),
  ]);
  const withdraw = (): Promise<unknown> => session.query(sql.rollback).catch(() => undefined);
  if (sent.failure !== undefined) {
    const { error } = sent.failure;
    await withdraw();
    if (error.condition === 'lock-timeout')
      return `a running ${toolbox.history.words.name}, which is changing ${nameOf(flag)}`;
    throw unusable(error.connectionLost ? connectionLostError(error) : guardError(error, flag.table), flag, request);
  }
  const changed = sent.results[0]?.[0]?.rowCount ?? 0;
  const values = (sent.results[1]?.[0]?.rows ?? []).map(([value]) => value ?? null);
  const state = judgeFlag(values, flag);
  if (state === 'left') return { wasLeft: changed === 0 };
  await withdraw();
  if (state === 'taken') return `${toolbox.history.words.name}, by its row in ${nameOf(flag)}`;
  throw broken(flag, toolbox.history.words, state);
}

function broken(flag: ToolFlag, words: ToolWords, state: FlagState): FlybackError {
  const { message, hint } = brokenWords(flag, words, state);
  return new FlybackError('lock-unavailable', message, { hint });
}

function brokenWords(flag: ToolFlag, { name }: ToolWords, state: FlagState): { message: string; hint: string } {
  return {
    message:
      state === 'missing'
        ? `The lock table ${nameOf(flag)} has no row, so that nobody can hold the lock of ${name}.`
        : `The lock table ${nameOf(flag)} has several rows, so that ${name} itself refuses to migrate.`,
    hint: `Make sure that no migration is running, then put it right with: ${state === 'missing' ? flag.restore : flag.unlock}`,
  };
}

/** Why the lock table could not be written. */
function unusable(error: FlybackError, flag: ToolFlag, { session }: RunRequest): FlybackError {
  if (error.condition === 'table-missing' || error.condition === 'column-missing') {
    return new FlybackError(
      'lock-unavailable',
      `There is no lock table ${nameOf(flag)} with a column ${flag.column}.`,
      {
        hint: `Make it with: ${flag.restore}`,
        serverCode: error.serverCode,
        condition: error.condition,
      },
    );
  }
  if (error.condition === 'privilege-missing') {
    return new FlybackError('privilege-missing', `The role may not take the lock in ${nameOf(flag)}.`, {
      hint: `GRANT SELECT, UPDATE ON ${nameOf(flag)} TO ${session.facts.user};`,
      serverCode: error.serverCode,
      condition: error.condition,
    });
  }
  return error;
}

/** A transaction of its own in which flyback's key is held and the flag set: committed, or nothing has happened. */
export async function raiseFlag(request: RunRequest): Promise<{ readonly wasLeft: boolean } | string> {
  const { session, toolbox, plan } = request;
  const { sql } = toolbox.database;
  const lock = toolbox.history.toolLock(toolbox.database, plan.history.table, session.facts);
  const opened = await session.query(
    `${sql.beginOwn(session.facts, rowWaitMs)};${sql.durably};${sql.tryToolLock(lock)}`,
  );
  if (opened.at(-1)?.rows[0]?.[0] !== 't') {
    await session.query(sql.rollback);
    return 'another flyback';
  }
  const set = await setFlag(request);
  if (typeof set !== 'string') await session.query(sql.commit);
  return set;
}

/** Frees the flag after a run that did not do it in its last transaction. A sentence when it could not be freed. */
export async function lowerFlag(request: RunRequest): Promise<string | undefined> {
  const flag = flagOf(request);
  if (flag === undefined) return undefined;
  const { session, toolbox, plan } = request;
  const { sql } = toolbox.database;
  const free = freeFlagTexts(request);
  try {
    await session.query(sql.rollback);
    await session.query([sql.beginOwn(session.facts, rowWaitMs), sql.durably, ...free, sql.commit].join(';'));
    return undefined;
  } catch {
    await session.query(sql.rollback).catch(() => undefined);
  }
  // Only under the key: another flyback may have taken the flag over by now.
  const lock = toolbox.history.toolLock(toolbox.database, plan.history.table, session.facts);
  const freed = await elsewhere(request, async (other) => {
    for (let attempt = 0; attempt < freeTries; attempt += 1) {
      const opened = await other.query(
        `${sql.beginOwn(other.facts, rowWaitMs)};${sql.durably};${sql.tryToolLock(lock)}`,
      );
      if (opened.at(-1)?.rows[0]?.[0] === 't') {
        await other.query([...free, sql.commit].join(';'));
        return true;
      }
      await other.query(sql.rollback);
      await pause(freePauseMs, undefined);
    }
    return false;
  });
  return freed.answer === true ? undefined : stillTaken(request, flag);
}

function stillTaken({ toolbox }: RunRequest, flag: ToolFlag): string {
  return `The lock of ${toolbox.history.words.name} (${nameOf(flag)}) is still taken by this run: the next flyback frees it, and so does ${flag.unlock}.`;
}

/** Whether what a run came to still has to keep the tool out: it is half-way, or nobody knows where it stands. */
export function keepsFlag({ outcome, failure }: Pick<RunResult, 'outcome' | 'failure'>): boolean {
  return outcome === 'interrupted' || outcome === 'unknown' || failure?.code === 'resume-needed';
}

/** Frees the flag after a run that has come to nothing, and says in the result where it had to stay. */
export async function afterRun(request: RunRequest, result: RunResult): Promise<RunResult> {
  const flag = flagOf(request);
  if (flag === undefined) return result;
  const warnings = [...result.warnings];
  if (keepsFlag(result)) warnings.push(stillTaken(request, flag));
  else if (result.outcome !== 'committed') {
    const warning = await lowerFlag(request);
    if (warning !== undefined) warnings.push(warning);
  }
  return { ...result, warnings };
}

export function leftWarning({ toolbox }: Pick<RunRequest, 'toolbox'>): string {
  return `An earlier flyback was killed and had left the lock of ${toolbox.history.words.name} taken; this run took it over.`;
}

/** What the lock table looks like to somebody who does not want the lock; undefined where the tool has none, or all is well. */
export async function flagFinding(
  session: Session,
  database: DatabaseAdapter,
  words: ToolWords,
  flag: ToolFlag | undefined,
): Promise<Finding | undefined> {
  if (flag === undefined) return undefined;
  const subject = nameOf(flag);
  const sent = await session.pipeline([database.sql.rows.select(flag.table, [flag.column], {})]);
  if (sent.failure !== undefined) {
    return {
      code: 'tool-lock-broken',
      severity: 'error',
      subject,
      message: `The lock table ${subject} cannot be read: ${sent.failure.error.message}.`,
      hint: `A role that rolls back needs SELECT and UPDATE on it; where it is gone: ${flag.restore}`,
    };
  }
  const state = judgeFlag(
    (sent.results[0]?.[0]?.rows ?? []).map(([value]) => value ?? null),
    flag,
  );
  switch (state) {
    case 'free':
      return undefined;
    case 'left':
      return {
        code: 'tool-lock-left',
        severity: 'warning',
        subject,
        message: `A flyback holds the lock of ${words.name} (${subject}), or was killed while it did: ${words.name} refuses to migrate until then.`,
        hint: `The next rollback takes it over. To migrate at once, when no flyback is running: ${flag.unlock}`,
      };
    case 'taken':
      return {
        code: 'tool-lock-taken',
        severity: 'warning',
        subject,
        message: `${words.name} holds its lock (${subject}): it is migrating, or was killed while it did. A rollback waits for it, then gives up.`,
        hint: `When none is running: ${flag.unlock}`,
      };
    case 'missing':
    case 'doubled':
      return { code: 'tool-lock-broken', severity: 'error', subject, ...brokenWords(flag, words, state) };
  }
}
