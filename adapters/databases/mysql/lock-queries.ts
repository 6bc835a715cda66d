import type { Session, ToolLock } from '../../../src/adapter/database.js';
import type {
  LockHolder,
  LockNeed,
  LockQueries,
  LockQuestion,
  LockSurvey,
  LockWait,
  Obstacle,
} from '../../../src/adapter/locks.js';
import { FlybackError } from '../../../src/errors/error.js';
import type { QualifiedName } from '../../../src/history/history.js';
import type { ObjectRef } from '../../../src/risk/change.js';
import { foldNames } from './facts.js';
import { dropLevel, excludes, levelOf } from './locks/levels.js';
import { preparedHolder, readSessions, type SeenSession } from './locks/sessions.js';
import { lockSources, type LockSources } from './locks/sources.js';
import { usedTables } from './locks/used-tables.js';
import { quoteLiteral } from './quoting.js';

/** A lock on a table that somebody has or waits for. */
interface TableLock {
  readonly schema: string;
  readonly name: string;
  readonly level: string;
  readonly granted: boolean;
  readonly id: number;
}

const noLock: ToolLock = { kind: 'named', keys: [], approach: undefined };

const unsure =
  'The server does not tell which transactions have used the table, so this may be another one; performance_schema or, on MariaDB, the plugin metadata_lock_info would.';

const waitsForTable = /^Waiting for (?:table metadata lock|table flush|table level lock|.*metadata lock)/i;

async function survey(session: Session, question: LockQuestion): Promise<LockSurvey> {
  const sources = await lockSources(session);
  const sessions = await readSessions(session, sources, question.toolLock);
  const byId = new Map(sessions.map((seen) => [seen.id, seen]));
  const locks =
    sources.tables === 'none'
      ? sessions.flatMap((seen) => runningLocks(seen))
      : await readLocks(session, sources, namesOf(question), schemasOf(question));
  const fold = foldNames(session.facts);
  const obstacles = locks.flatMap((lock) => {
    const seen = byId.get(lock.id);
    if (seen === undefined) return [];
    return question.needs.flatMap((need, index): readonly Obstacle[] =>
      standsInTheWay(lock, need, question.scriptSchema, fold)
        ? [
            {
              holder: seen.holder,
              level: lock.level,
              granted: lock.granted,
              on: `${lock.schema}.${lock.name}`,
              need: index,
            },
          ]
        : [],
    );
  });
  const open = sessions.filter(({ hasTransaction, holder }) => hasTransaction && holder.kind === 'session');
  return {
    obstacles: uniqueObstacles(obstacles),
    snapshots: question.snapshots === 'ask' ? open.map(({ holder }) => holder) : [],
    hidden: hiddenSentence(session, sources, open.length),
  };
}

function hiddenSentence(session: Session, sources: LockSources, open: number): string | null {
  const { user, mysql } = session.facts;
  if (!sources.seesOthers)
    return `Account ${user} lacks the privilege PROCESS: it sees neither sessions of other accounts nor transactions (GRANT PROCESS ON *.* TO ${user} changes that).`;
  if (sources.tables !== 'none' || open === 0) return null;
  return mysql?.product === 'MySQL'
    ? `The server does not tell account ${user} who holds locks on tables, and ${open} transactions are open (GRANT SELECT ON performance_schema.* TO ${user} changes that).`
    : `The server does not tell who holds locks on tables, and ${open} transactions are open (INSTALL SONAME 'metadata_lock_info' changes that).`;
}

function uniqueObstacles(obstacles: readonly Obstacle[]): readonly Obstacle[] {
  return [
    ...new Map(
      obstacles.map((obstacle) => [
        [obstacle.holder.identity, obstacle.on, obstacle.level, obstacle.granted, obstacle.need].join('\n'),
        obstacle,
      ]),
    ).values(),
  ];
}

/** Locks that the text of a statement that runs right now shows. */
function runningLocks({ id, holder, statement, database, doing }: SeenSession): readonly TableLock[] {
  if (holder.state !== 'running' || statement === null || waitsForTable.test(doing)) return [];
  const { tables, level } = usedTables(statement);
  return tables.map(({ schema, name }) => ({ schema: schema ?? database ?? '', name, level, granted: true, id }));
}

function namesOf({ needs }: LockQuestion): readonly string[] {
  return [...new Set(needs.flatMap(({ on }) => (isSchema(on) ? [] : [on.name])))];
}

function schemasOf({ needs }: LockQuestion): readonly string[] {
  return [...new Set(needs.flatMap(({ on }) => (isSchema(on) ? [on.name] : [])))];
}

function isSchema({ kind }: ObjectRef): boolean {
  return kind === 'schema' || kind === 'database';
}

/** Comparing as a server does that stores names in lower case is right for one that does not, too, as far as it finds enough. */
async function readLocks(
  session: Session,
  sources: LockSources,
  names: readonly string[],
  schemas: readonly string[],
): Promise<readonly TableLock[]> {
  const list = (some: readonly string[]): string => some.map((name) => `LOWER(${quoteLiteral(name)})`).join(', ');
  const [schema, table] =
    sources.tables === 'plugin' ? ['l.TABLE_SCHEMA', 'l.TABLE_NAME'] : ['l.OBJECT_SCHEMA', 'l.OBJECT_NAME'];
  const wanted = [
    ...(names.length === 0 ? [] : [`LOWER(${table}) IN (${list(names)})`]),
    ...(schemas.length === 0 ? [] : [`LOWER(${schema}) IN (${list(schemas)})`]),
  ];
  if (wanted.length === 0) return [];
  const [answer] = await session.query(
    sources.tables === 'plugin'
      ? `SELECT l.TABLE_SCHEMA, l.TABLE_NAME, l.LOCK_MODE, 'GRANTED', l.THREAD_ID FROM information_schema.METADATA_LOCK_INFO l
 WHERE l.LOCK_TYPE = 'Table metadata lock' AND l.THREAD_ID <> CONNECTION_ID() AND (${wanted.join(' OR ')})`
      : `SELECT l.OBJECT_SCHEMA, l.OBJECT_NAME, l.LOCK_TYPE, l.LOCK_STATUS, t.PROCESSLIST_ID
 FROM performance_schema.metadata_locks l JOIN performance_schema.threads t ON t.THREAD_ID = l.OWNER_THREAD_ID
 WHERE l.OBJECT_TYPE = 'TABLE' AND t.PROCESSLIST_ID <> CONNECTION_ID() AND (${wanted.join(' OR ')})`,
  );
  return (answer?.rows ?? []).map(([lockSchema, name, mode, status, id]) => ({
    schema: lockSchema ?? '',
    name: name ?? '',
    level: levelOf(mode ?? ''),
    granted: status === 'GRANTED',
    id: Number(id),
  }));
}

function standsInTheWay(
  lock: TableLock,
  { on, level }: LockNeed,
  scriptSchema: string,
  fold: (name: string) => string,
): boolean {
  if (!excludes(lock.level, level ?? dropLevel)) return false;
  if (isSchema(on)) return level === null && fold(on.name) === fold(lock.schema);
  return fold(on.name) === fold(lock.name) && fold(on.schema ?? scriptSchema) === fold(lock.schema);
}

async function waitOf(session: Session, backendId: number, toolLock: ToolLock): Promise<LockWait | undefined> {
  const sources = await lockSources(session);
  const sessions = await readSessions(session, sources, toolLock);
  const waiting = sessions.find(({ id }) => id === backendId);
  if (waiting === undefined || (toolLock.keys.length > 0 && !waiting.holdsToolLock)) return undefined;
  if (waiting.waitsForRow) return rowWait(session, sources, waiting, sessions);
  return waitsForTable.test(waiting.doing) ? tableWait(session, sources, waiting, sessions) : undefined;
}

async function tableWait(
  session: Session,
  sources: LockSources,
  waiting: SeenSession,
  sessions: readonly SeenSession[],
): Promise<LockWait> {
  const use = usedTables(waiting.statement ?? '');
  const fold = foldNames(session.facts);
  const keyOf = (schema: string, name: string): string => `${fold(schema)}.${fold(name)}`;
  const named = use.tables.map(({ schema, name }) => ({ schema: schema ?? waiting.database ?? '', name }));
  if (sources.tables === 'none') {
    const keys = new Set(named.map(({ schema, name }) => keyOf(schema, name)));
    const others = sessions.filter((seen) => seen !== waiting && seen.holder.kind !== 'background');
    const blockers = others.flatMap((seen) => {
      const isAtWork = runningLocks(seen).some(
        (lock) => keys.has(keyOf(lock.schema, lock.name)) && excludes(lock.level, use.level),
      );
      if (isAtWork) return [{ holder: seen.holder, holds: true }];
      if (!seen.hasTransaction || waitsForTable.test(seen.doing)) return [];
      return [{ holder: { ...seen.holder, lacking: unsure }, holds: false }];
    });
    return { level: use.level, on: printTables(named), waitedMs: waiting.sinceMs, blockers };
  }
  const locks = await readLocks(
    session,
    sources,
    named.map(({ name }) => name),
    [],
  );
  // The plugin shows no locks that are waited for: any table of the statement may be meant.
  const pending = locks.filter(({ id, granted }) => id === waiting.id && !granted);
  const wanted =
    pending.length > 0
      ? pending
      : named.map((table) => ({ ...table, level: use.level, granted: false, id: waiting.id }));
  const byId = new Map(sessions.map((seen) => [seen.id, seen]));
  const blockers = new Map<number, { holder: LockHolder; holds: boolean }>();
  for (const lock of locks) {
    const seen = byId.get(lock.id);
    const isInTheWay = wanted.some(
      (want) => keyOf(want.schema, want.name) === keyOf(lock.schema, lock.name) && excludes(want.level, lock.level),
    );
    if (lock.id === waiting.id || seen === undefined || !isInTheWay) continue;
    const holds = lock.granted || blockers.get(lock.id)?.holds === true;
    blockers.set(lock.id, { holder: seen.holder, holds });
  }
  return {
    level: wanted[0]?.level ?? use.level,
    on: printTables(wanted),
    waitedMs: waiting.sinceMs,
    blockers: [...blockers.values()],
  };
}

function printTables(tables: readonly { readonly schema: string; readonly name: string }[]): string {
  const printed = [...new Set(tables.map(({ schema, name }) => `${schema}.${name}`))];
  return printed.length === 0 ? 'a table' : printed.join(' or ');
}

async function rowWait(
  session: Session,
  sources: LockSources,
  waiting: SeenSession,
  sessions: readonly SeenSession[],
): Promise<LockWait> {
  const isMysql = session.facts.mysql?.product === 'MySQL';
  const columns = `b.trx_id, b.trx_mysql_thread_id, TIMESTAMPDIFF(SECOND, r.trx_wait_started, NOW())`;
  const rows = !isMysql
    ? `SELECT ${columns}, l.lock_table FROM information_schema.INNODB_LOCK_WAITS w
 JOIN information_schema.INNODB_TRX r ON r.trx_id = w.requesting_trx_id JOIN information_schema.INNODB_TRX b ON b.trx_id = w.blocking_trx_id
 LEFT JOIN information_schema.INNODB_LOCKS l ON l.lock_id = w.requested_lock_id WHERE r.trx_mysql_thread_id = ${waiting.id}`
    : `SELECT ${columns}, CONCAT(l.OBJECT_SCHEMA, '.', l.OBJECT_NAME) FROM performance_schema.data_lock_waits w
 JOIN information_schema.INNODB_TRX r ON r.trx_id = w.REQUESTING_ENGINE_TRANSACTION_ID JOIN information_schema.INNODB_TRX b ON b.trx_id = w.BLOCKING_ENGINE_TRANSACTION_ID
 LEFT JOIN performance_schema.data_locks l ON l.ENGINE_LOCK_ID = w.REQUESTING_ENGINE_LOCK_ID WHERE r.trx_mysql_thread_id = ${waiting.id}`;
  const answer = isMysql && !sources.readsPerformanceSchema ? undefined : (await session.query(rows))[0];
  const found = answer?.rows ?? [];
  const [, , seconds, table] = found[0] ?? [];
  const blockers = new Map<string, { holder: LockHolder; holds: boolean }>();
  for (const [transaction, id] of found) {
    const holder =
      id === '0' ? preparedHolder(transaction ?? '') : sessions.find((seen) => seen.id === Number(id))?.holder;
    if (holder !== undefined) blockers.set(holder.identity, { holder, holds: true });
  }
  return {
    level: null,
    on: table === null || table === undefined ? 'a row' : `a row of ${table.replaceAll('`', '')}`,
    waitedMs: Math.max(0, Number(seconds ?? 0)) * 1000,
    blockers: [...blockers.values()],
  };
}

/** No statement both looks and ends: in between, a session may get to its next transaction, whose beginning tells it apart. */
async function end(
  session: Session,
  holders: readonly LockHolder[],
): Promise<readonly ('cancelled' | 'terminated' | 'gone')[]> {
  const sources = await lockSources(session);
  const results: ('cancelled' | 'terminated' | 'gone')[] = [];
  for (const { identity, pid } of holders) {
    if (pid === null) {
      results.push('gone');
      continue;
    }
    const seen = (await readSessions(session, sources, noLock)).find(({ holder }) => holder.identity === identity);
    const state = seen?.holder.state;
    if (seen?.holder.kind !== 'session' || (state !== 'running' && state !== 'idle in transaction')) {
      results.push('gone');
      continue;
    }
    const wasThere = await kill(session, state === 'running' ? `KILL QUERY ${pid}` : `KILL CONNECTION ${pid}`);
    results.push(wasThere ? (state === 'running' ? 'cancelled' : 'terminated') : 'gone');
  }
  return results;
}

/** Errors 1094 (no such session) and 1095 (not one of this account). */
async function kill(session: Session, statement: string): Promise<boolean> {
  const { failure } = await session.pipeline([statement]);
  if (failure === undefined) return true;
  const { serverCode, message, condition } = failure.error;
  if (serverCode === '1094') return false;
  throw new FlybackError(
    serverCode === '1095' || condition === 'privilege-missing' ? 'privilege-missing' : 'script-failed',
    `${statement} was refused: ${message}.`,
    {
      hint: `Grant CONNECTION_ADMIN (MariaDB: CONNECTION ADMIN) to ${session.facts.user}, or end the session by hand.`,
      serverCode,
    },
  );
}

function endingStatement(holder: LockHolder): string {
  if (holder.gid !== null) return 'XA RECOVER, then XA ROLLBACK';
  const what = holder.state === 'idle in transaction' || holder.state === 'idle' ? 'KILL' : 'KILL QUERY';
  return `${what} ${holder.pid ?? 0}`;
}

function tableRef(table: QualifiedName): ObjectRef {
  return { kind: 'table', schema: table.schema, name: table.name };
}

/** Who is in the way of a rollback on MySQL and MariaDB. */
export const mysqlLocks: LockQueries = {
  // Both are read FOR UPDATE.
  ownNeeds: (history: QualifiedName, record: QualifiedName) => [
    { on: tableRef(history), level: 'SHARED WRITE' },
    { on: tableRef(record), level: 'SHARED WRITE' },
  ],
  concurrentWait: () => undefined,
  survey,
  waitOf,
  end,
  endingStatement,
};
