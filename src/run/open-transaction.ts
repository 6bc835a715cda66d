import type { Session } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import type { HistoryEntry, QualifiedName } from '../history/history.js';
import { genesisHash } from '../record/record-entry.js';
import { checkRecordTable, createRecord, headHash, isCreatedMeanwhile } from '../record/record-store.js';
import { aboutToMigrate, approachQuery, rememberingProcesses } from './approach.js';
import { pause } from './pause.js';
import { stepSettings, type RunRequest } from './run-request.js';
import { guardError } from './step-failure.js';
import { raiseFlag, setFlag } from './tool-flag.js';

/** How often the migration tool's lock is tried: as often as Flyway itself tries. */
const toolLockPollMs = 1000;

/** What is known once the transaction is open and everyone else is out. */
export interface OpenTransaction {
  /** Hash of the newest record entry: the next one follows it. */
  readonly lastHash: string;
  /** Undefined in a dry run before the first real one: there is no record yet. */
  readonly record: QualifiedName | undefined;
}

/**
 * Opens the transaction of a step the careful way: takes the migration tool's own lock by polling (so as not to cut
 * into a migrate that is between two migrations), then the history table itself, because a waiting migrate has read
 * the table before it asks for the lock; then reads the history again and compares it with what was planned. A migrate
 * that has read the history before is let through first, unless the session holds the lock all the time (`keepsLock`).
 *
 * Afterwards the transaction is open and holds all locks. On any error it has been rolled back.
 */
export async function openTransaction(
  request: RunRequest,
  expected: readonly HistoryEntry[],
  keepsLock: boolean,
): Promise<OpenTransaction> {
  for (let waitedMs = 0; ; waitedMs += toolLockPollMs) {
    const opened = await tryToOpen(request, expected);
    if (!('remembering' in opened)) return opened;
    if (keepsLock || waitedMs >= request.settings.toolLockWaitMs) throw aboutToMigrate(opened.remembering);
    const holders = opened.remembering.map((process) => `process ${process}, which is about to take it`);
    request.onEvent?.({ kind: 'waiting-for-tool-lock', holders, waitedMs });
    await pause(toolLockPollMs, request.signal);
  }
}

async function tryToOpen(
  request: RunRequest,
  expected: readonly HistoryEntry[],
): Promise<OpenTransaction | { readonly remembering: readonly string[] }> {
  const { session, toolbox, plan } = request;
  const { sql } = toolbox.database;
  const lock = toolbox.history.toolLock(toolbox.database, plan.history.table, session.facts);
  await takeToolLock(request);
  let makesRecord = false;
  try {
    const record = await checkRecordTable(session, toolbox.database, plan.recordTable);
    if (!record.exists && request.mode === 'for-real' && toolbox.database.dialect.ddl === 'commits') {
      await session.query(sql.rollback);
      await createRecord(session, toolbox.database, plan.recordTable);
      return await tryToOpen(request, expected);
    }
    // Not in a dry run: what is created would be rolled back, and the entry is written afterwards.
    makesRecord = !record.exists && request.mode === 'for-real';
    const existing = record.exists ? plan.recordTable : undefined;
    const opened = await session.pipeline([
      [
        sql.lockTables(plan.history.table, existing),
        sql.noteWrites(plan.history.table, existing),
        ...(lock.flag === undefined || request.mode === 'dry-run' ? [] : [sql.guardToolLock(session.facts, lock)]),
      ].join(';'),
      toolbox.history.readRows(toolbox.database, plan.history.table),
      approachQuery(request),
      ...(record.exists
        ? [sql.record.head(plan.recordTable)]
        : makesRecord
          ? [sql.record.create(plan.recordTable)]
          : []),
    ]);
    if (opened.failure !== undefined) throw guardError(opened.failure.error, plan.history.table);
    const [, rows, approach, last] = opened.results;
    if (rows?.[0] === undefined) throw new FlybackError('internal', 'The history table gave no answer.');
    const entries = toolbox.history.parseRows(rows[0], request.migrations);
    compareHistory(request, expected, entries);
    const remembering = request.mode === 'for-real' ? await rememberingProcesses(request, approach) : [];
    if (remembering.length > 0) {
      await session.query(sql.rollback);
      if (sql.toolLockEndsWith === 'session') await releaseSessionLock(request);
      return { remembering };
    }
    return {
      lastHash: record.exists ? headHash(last?.[0], plan.recordTable) : genesisHash,
      record: makesRecord ? plan.recordTable : existing,
    };
  } catch (error) {
    await session.query(sql.rollback).catch(() => undefined);
    if (makesRecord && isCreatedMeanwhile(error)) return tryToOpen(request, expected);
    throw error;
  }
}

async function takeToolLock(request: RunRequest): Promise<void> {
  const { session, toolbox, plan } = request;
  const { sql } = toolbox.database;
  const lock = toolbox.history.toolLock(toolbox.database, plan.history.table, session.facts);
  const begin = `${sql.beginStep(session.facts, stepSettings(request))};${sql.tryToolLock(lock)}`;
  await untilLocked(request, async () => {
    const answer = await session.query(begin);
    if (answer.at(-1)?.rows[0]?.[0] !== 't') {
      await session.query(sql.rollback);
      return false;
    }
    if (request.mode === 'for-real') return true;
    // A run has set the flag before; what a dry run sets is rolled back with the rest.
    const set = await setFlag(request);
    return typeof set === 'string' ? set : true;
  });
}

/**
 * Takes a tool's lock that is a row: flyback's key for the session, then the flag, committed. Resolves to whether a dead
 * flyback had left it. Whoever calls this frees the flag and releases the key. Throws FlybackError lock-unavailable when
 * it is not to be had in time.
 */
export async function takeFlag(request: RunRequest): Promise<boolean> {
  let wasLeft = false;
  await untilLocked(request, async () => {
    const raised = await raiseFlag(request);
    if (typeof raised === 'string') return raised;
    ({ wasLeft } = raised);
    return true;
  });
  return wasLeft;
}

/**
 * Takes the tool's lock for the session, by the same polling; whoever calls this releases it. Throws FlybackError
 * lock-unavailable when it is not to be had in time.
 */
export async function takeSessionLock(request: RunRequest): Promise<void> {
  const { session, toolbox, plan } = request;
  const lock = toolbox.history.toolLock(toolbox.database, plan.history.table, session.facts);
  const take = toolbox.database.sql.keepToolLock(lock);
  await untilLocked(request, async () => (await session.query(take)).at(-1)?.rows[0]?.[0] === 't');
}

/**
 * Gives back what takeSessionLock took, and what a transaction took whose lock outlives it. A caller's own stays: locks that
 * end with the session are not counted. Never throws: a broken connection has let go already.
 */
export async function releaseSessionLock({ session, toolbox, plan, holdsLock }: RunRequest): Promise<void> {
  const { sql } = toolbox.database;
  if (sql.toolLockEndsWith === 'session' && holdsLock === true) return;
  const lock = toolbox.history.toolLock(toolbox.database, plan.history.table, session.facts);
  await session.query(sql.releaseToolLock(lock)).catch(() => undefined);
}

/** `tryOnce` gives true for the lock, or who has it where that is known. */
async function untilLocked(request: RunRequest, tryOnce: () => Promise<boolean | string>): Promise<void> {
  const { session, toolbox, plan } = request;
  const lock = toolbox.history.toolLock(toolbox.database, plan.history.table, session.facts);
  for (let waitedMs = 0; ; waitedMs += toolLockPollMs) {
    const got = await tryOnce();
    if (got === true) break;
    const holders = [
      ...(got === false ? [] : [got]),
      ...(await describeHolders(session, toolbox.database.sql.toolLockSessions(lock))),
    ];
    if (waitedMs >= request.settings.toolLockWaitMs) {
      throw new FlybackError(
        'lock-unavailable',
        `Another process holds the lock of ${toolbox.history.words.name} on ${plan.history.table.schema}.${plan.history.table.name} and did not release it within ${Math.round(request.settings.toolLockWaitMs / 1000)} s${holders.length === 0 ? '' : `: ${holders.join('; ')}`}.`,
        {
          hint:
            lock.flag === undefined
              ? 'Wait until the migration run has finished, or end that session, then try again. run.toolLockWait in flyback.toml sets the wait.'
              : `Wait until the migration run has finished, then try again. If none is running, one was killed: ${lock.flag.unlock} frees the lock. run.toolLockWait in flyback.toml sets the wait.`,
        },
      );
    }
    request.onEvent?.({ kind: 'waiting-for-tool-lock', holders, waitedMs });
    await pause(toolLockPollMs, request.signal);
  }
  request.onEvent?.({ kind: 'locked' });
}

async function describeHolders(session: Session, sql: string): Promise<readonly string[]> {
  const [result] = await session.query(sql);
  return (result?.rows ?? [])
    .filter((row) => row[0] === 'holds')
    .map(
      ([, pid, user, application, since]) =>
        `process ${pid} of ${user} (${application === '' ? 'unnamed' : application}) since ${since}`,
    );
}

/** What was planned against must still be true, row by row. */
export function compareHistory(
  request: RunRequest,
  expected: readonly HistoryEntry[],
  found: readonly HistoryEntry[],
): void {
  const { toolbox, plan } = request;
  const { table } = plan.history;
  const now = toolbox.history.interpret(table, found).fingerprint;
  if (now === toolbox.history.interpret(table, expected).fingerprint) return;
  const foundByRank = new Map(found.map((entry) => [entry.rank, entry]));
  const changes: string[] = [];
  for (const entry of expected) {
    const other = foundByRank.get(entry.rank);
    foundByRank.delete(entry.rank);
    if (other === undefined) changes.push(`rank ${entry.rank} (version ${entry.versionText ?? 'none'}) is gone`);
    else if (JSON.stringify(other) !== JSON.stringify(entry))
      changes.push(`rank ${entry.rank} (version ${entry.versionText ?? 'none'}) was changed`);
  }
  for (const entry of foundByRank.values())
    changes.push(`rank ${entry.rank} (version ${entry.versionText ?? 'none'}) is new`);
  throw new FlybackError(
    'history-changed',
    `The history ${table.schema}.${table.name} changed after it was planned against: ${changes.slice(0, 5).join(', ')}${changes.length > 5 ? ' and more' : ''}. ${expected.length === request.entries.length ? 'Nothing was run.' : 'What was rolled back before stays so; nothing more was run.'}`,
    {
      hint: 'Look at flyback status, and plan again.',
    },
  );
}
