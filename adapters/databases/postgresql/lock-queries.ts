import type { QueryResult, Session, ToolLock } from '../../../src/adapter/database.js';
import type {
  ConcurrentWait,
  LockHolder,
  LockNeed,
  LockQueries,
  LockQuestion,
  LockSurvey,
  LockWait,
  Obstacle,
} from '../../../src/adapter/locks.js';
import type { QualifiedName } from '../../../src/history/history.js';
import type { ObjectRef } from '../../../src/risk/change.js';
import { postgresqlDialect } from './dialect.js';
import { quoteLiteral } from './quoting.js';
import { postgresqlSql } from './run-sql.js';

/** Which lock excludes which (PostgreSQL manual, "Conflicting Lock Modes"). Symmetric. */
const excluded: Readonly<Record<string, readonly string[]>> = {
  'ACCESS SHARE': ['ACCESS EXCLUSIVE'],
  'ROW SHARE': ['EXCLUSIVE', 'ACCESS EXCLUSIVE'],
  'ROW EXCLUSIVE': ['SHARE', 'SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE'],
  'SHARE UPDATE EXCLUSIVE': ['SHARE UPDATE EXCLUSIVE', 'SHARE', 'SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE'],
  SHARE: ['ROW EXCLUSIVE', 'SHARE UPDATE EXCLUSIVE', 'SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE'],
  'SHARE ROW EXCLUSIVE': [
    'ROW EXCLUSIVE',
    'SHARE UPDATE EXCLUSIVE',
    'SHARE',
    'SHARE ROW EXCLUSIVE',
    'EXCLUSIVE',
    'ACCESS EXCLUSIVE',
  ],
  EXCLUSIVE: [
    'ROW SHARE',
    'ROW EXCLUSIVE',
    'SHARE UPDATE EXCLUSIVE',
    'SHARE',
    'SHARE ROW EXCLUSIVE',
    'EXCLUSIVE',
    'ACCESS EXCLUSIVE',
  ],
  'ACCESS EXCLUSIVE': [
    'ACCESS SHARE',
    'ROW SHARE',
    'ROW EXCLUSIVE',
    'SHARE UPDATE EXCLUSIVE',
    'SHARE',
    'SHARE ROW EXCLUSIVE',
    'EXCLUSIVE',
    'ACCESS EXCLUSIVE',
  ],
};

/** Whether one session cannot hold `one` while another holds `other` on the same table. */
export function excludes(one: string, other: string): boolean {
  return excluded[one]?.includes(other) ?? true;
}

const dropLevel = 'ACCESS EXCLUSIVE';

/** "AccessExclusiveLock" → "ACCESS EXCLUSIVE". */
export function levelOf(mode: string): string {
  return mode
    .replace(/Lock$/, '')
    .replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toUpperCase();
}

/** Kinds of objects that are locked as relations, and those whose locks are on the table that they are named with. */
const relationKinds = new Set(['table', 'view', 'materialized view', 'index', 'sequence', 'foreign table']);
const memberKinds = new Set(['column', 'constraint', 'trigger', 'rule', 'policy']);

/** With more than these, joining everything with everything is cheaper than looking up one by one. */
const manyLocks = 100;

/** Queries of other sessions are cut here already; what is shown of them is shorter still. */
const queryLength = 2000;

const database = `(SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())`;

/** The advisory lock `l` is the tool's. */
function isToolLock(lock: ToolLock): string {
  return `l.locktype = 'advisory' AND l.database = ${database} AND l.objsubid = 1 AND ${lock.keys.length === 0 ? 'false' : `((l.classid::bigint << 32) | l.objid::bigint) IN (${lock.keys.join(', ')})`}`;
}

/**
 * Columns that parseHolder reads, for a session `a` of pg_stat_activity or a prepared transaction `x` of
 * pg_prepared_xacts, one of them missing; `tool` (see toolSessions) must be at hand. What the role may not see is null.
 */
function holderColumns(session: Session, lock: ToolLock): string {
  const asking =
    lock.approach === undefined
      ? undefined
      : [lock.approach.asks, ...lock.approach.own].map((pattern) => `(?:${pattern})`).join('|');
  return `coalesce(a.pid, 0)::text, x.gid, coalesce(a.usename, x.owner)::text, a.application_name, pg_catalog.host(a.client_addr), a.backend_type, a.state,
 extract(epoch FROM pg_catalog.clock_timestamp() - coalesce(a.xact_start, x.prepared))::text, pg_catalog.left(a.query, ${queryLength}),
 CASE WHEN a.application_name = 'flyback' THEN 'flyback'
  WHEN ${asking === undefined ? 'false' : `a.query ~ ${quoteLiteral(asking)}`} OR EXISTS (SELECT FROM tool t WHERE t.pid = a.pid
   OR t.usesysid = a.usesysid AND t.application_name = a.application_name AND t.client_addr IS NOT DISTINCT FROM a.client_addr) THEN 'migration-tool'
  ELSE 'others' END,
 (SELECT r.rolsuper AND NOT m.rolsuper FROM pg_catalog.pg_roles r, pg_catalog.pg_roles m WHERE r.oid = a.usesysid AND m.rolname = current_user)::text,
 (pg_catalog.pg_has_role(a.usesysid, 'USAGE') OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'))::text,
 ${identityOf('a')}, ${quoteLiteral(session.facts.user)}`;
}

function identityOf(alias: string): string {
  return `pg_catalog.concat_ws('/', ${alias}.pid, extract(epoch FROM ${alias}.backend_start), extract(epoch FROM ${alias}.xact_start))`;
}

/**
 * A common table expression `tool`: whoever holds the migration tool's lock. Flyway holds it on one connection and migrates
 * on another, which shows by nothing but its user, application and address.
 */
function toolSessions(lock: ToolLock, but: string): string {
  return `tool AS MATERIALIZED (SELECT a.pid, a.usesysid, a.application_name, a.client_addr FROM locks l
 JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE ${isToolLock(lock)} AND l.granted AND l.pid <> ${but})`;
}

/**
 * Common table expressions: every lock, read once; and the prepared transactions with the virtual transaction under which
 * their locks stand. That is not "-1/" and the transaction, as the manual says, but the one of the session that prepared
 * it (until a restart); the lock of each on its own transaction id tells.
 */
const locksRead = `locks AS MATERIALIZED (SELECT l.* FROM pg_catalog.pg_locks l),
prepared AS (SELECT l.virtualtransaction, x.* FROM locks l JOIN pg_catalog.pg_prepared_xacts x ON l.pid IS NULL AND l.locktype = 'transactionid' AND l.transactionid = x.transaction)`;
const nobodyPrepared = `LEFT JOIN prepared x ON false`;

/** How many columns holderColumns gives, and parseHeld reads. */
const holderWidth = 14;
const lockWidth = 8;

type Row = readonly (string | null)[];

function parseHolder(row: Row): LockHolder {
  const [pid, gid, user, application, client, backendType, state, openSeconds, query, belongsTo] = row;
  const [superUsers, maySignal, identity, own] = row.slice(10);
  const isHidden = gid === null && backendType === null;
  return {
    kind: gid === null ? kindOf(backendType ?? null, query ?? null) : 'prepared-transaction',
    belongsTo: belongsTo === 'flyback' || belongsTo === 'migration-tool' ? belongsTo : 'others',
    pid: pid === '0' ? null : Number(pid),
    gid: gid ?? null,
    user: user ?? null,
    application: application ?? null,
    client: client ?? null,
    state: stateOf(state ?? null),
    openMs:
      openSeconds === null || openSeconds === undefined ? null : Math.max(0, Math.round(Number(openSeconds) * 1000)),
    query: isHidden ? null : (query ?? null),
    lacking:
      superUsers === 'true'
        ? 'Only a super-user may end the session of a super-user.'
        : maySignal === 'false'
          ? `Role ${own} may end its own sessions only; GRANT pg_signal_backend TO ${own} changes that.`
          : isHidden
            ? `${cannotSee(own ?? '')}, so it is not known what would be ended.`
            : null,
    identity: gid === null ? (identity ?? '') : `prepared ${gid}`,
  };
}

function cannotSee(role: string): string {
  return `Role ${role} cannot see what sessions of other roles do (GRANT pg_read_all_stats TO ${role} changes that)`;
}

/** The words are those of autovacuum.c, "autovac_report_activity"; they are not translated. */
export function kindOf(backendType: string | null, query: string | null): LockHolder['kind'] {
  if (backendType === null || backendType === 'client backend' || backendType === 'parallel worker') return 'session';
  if (backendType === 'autovacuum worker') {
    return query?.endsWith(' (to prevent wraparound)') === true ? 'autovacuum-wraparound' : 'autovacuum';
  }
  return backendType === 'walsender' || backendType.startsWith('logical replication') ? 'replication' : 'background';
}

function stateOf(state: string | null): LockHolder['state'] {
  if (state === 'active' || state === 'fastpath function call') return 'running';
  if (state === 'idle') return 'idle';
  return state?.startsWith('idle in transaction') === true ? 'idle in transaction' : 'unknown';
}

/** A text array as a literal: one constant, whose length hardly matters to the server. */
function nameArray(names: Iterable<string>): string {
  const elements = [...names].map((name) => `"${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`);
  return `${quoteLiteral(`{${elements.join(',')}}`)}::name[]`;
}

/**
 * Starts from the locks of the others, of which there are few as a rule, and looks for the names that a need may have for
 * each: the relation itself, what it is a part of, and objects whose dropping locks it as well.
 */
function surveySql(session: Session, question: LockQuestion, locks: number): string {
  const { needs, scriptSchema, toolLock } = question;
  const names = new Set(
    needs.flatMap(({ on }) => (relationKinds.has(on.kind) || memberKinds.has(on.kind) ? [on.name] : [])),
  );
  const schemas = new Set(needs.flatMap(({ on }) => (on.kind === 'schema' ? [on.name] : [])));
  const me = 'pg_catalog.pg_backend_pid()';
  const columns = (number: string): string =>
    `ARRAY(SELECT k.attname::text FROM pg_catalog.pg_attribute k WHERE k.attrelid = f.${number === 'conkey' ? 'conrelid' : 'confrelid'} AND k.attnum = ANY (f.${number}))`;
  const tool = toolSessions(toolLock, me);
  const holder = holderColumns(session, toolLock);
  const obstacles = `WITH RECURSIVE ${locksRead}, held AS MATERIALIZED (
 SELECT l.pid, l.relation, l.mode, l.granted, l.virtualtransaction FROM locks l
 WHERE l.locktype = 'relation' AND l.database = ${database} AND l.pid IS DISTINCT FROM ${me}),
rel AS MATERIALIZED (SELECT DISTINCT h.relation FROM held h),
whole(relation, named) AS (
 SELECT r.relation, i.inhparent FROM rel r JOIN pg_catalog.pg_inherits i ON i.inhrelid = r.relation
 UNION SELECT w.relation, i.inhparent FROM whole w JOIN pg_catalog.pg_inherits i ON i.inhrelid = w.named),
related(relation, named, how, detail) AS (
 SELECT r.relation, r.relation, 'itself', NULL::text[] FROM rel r
 UNION ALL SELECT r.relation, t.oid, 'itself', NULL FROM rel r JOIN pg_catalog.pg_class t ON t.reltoastrelid = r.relation
 UNION ALL SELECT w.relation, w.named, 'itself', NULL FROM whole w
 UNION ALL SELECT r.relation, i.indexrelid, 'drop', NULL FROM rel r JOIN pg_catalog.pg_index i ON i.indrelid = r.relation
 UNION ALL SELECT r.relation, p.oid, 'drop', NULL FROM rel r JOIN pg_catalog.pg_inherits i ON i.inhparent = r.relation JOIN pg_catalog.pg_class p ON p.oid = i.inhrelid AND p.relispartition
 UNION ALL SELECT r.relation, f.conrelid, 'key', f.conname::text || ${columns('conkey')} FROM rel r JOIN pg_catalog.pg_constraint f ON f.contype = 'f' AND f.confrelid = r.relation
 UNION ALL SELECT r.relation, f.confrelid, 'key', NULL::text || ${columns('confkey')} FROM rel r JOIN pg_catalog.pg_constraint f ON f.contype = 'f' AND f.conrelid = r.relation),
${tool},
obstacle AS MATERIALIZED (
 SELECT n.nspname, c.relname, pg_catalog.pg_table_is_visible(c.oid)::text AS visible, related.how, pg_catalog.array_to_json(related.detail)::text AS detail,
  h.mode, h.granted::text AS granted, hn.nspname || '.' || hc.relname AS "on", coalesce(h.pid::text, h.virtualtransaction) AS key, h.pid, h.virtualtransaction
 FROM related JOIN pg_catalog.pg_class c ON c.oid = related.named JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN held h ON h.relation = related.relation JOIN pg_catalog.pg_class hc ON hc.oid = h.relation JOIN pg_catalog.pg_namespace hn ON hn.oid = hc.relnamespace
 WHERE c.relname = ANY (${nameArray(names)})${schemas.size === 0 ? '' : ` OR n.nspname = ANY (${nameArray(schemas)})`})
SELECT o.key, o.nspname, o.relname, o.visible, o.how, o.detail, o.mode, o.granted, o."on", ${Array(holderWidth).fill('NULL::text').join(', ')} FROM obstacle o
UNION ALL
SELECT o.key, ${Array(lockWidth).fill('NULL').join(', ')}, ${holder} FROM (SELECT DISTINCT o.key, o.pid, o.virtualtransaction FROM obstacle o) o
 LEFT JOIN pg_catalog.pg_stat_activity w ON w.pid = o.pid LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = coalesce(w.leader_pid, w.pid)
 LEFT JOIN prepared x ON o.pid IS NULL AND x.virtualtransaction = o.virtualtransaction WHERE a.pid IS NOT NULL OR x.gid IS NOT NULL`;
  const snapshots = `WITH ${locksRead}, ${tool} SELECT ${holder} FROM pg_catalog.pg_stat_activity a ${nobodyPrepared}
WHERE a.datid = ${database} AND a.pid <> ${me} AND a.leader_pid IS NULL AND (a.backend_xmin IS NOT NULL OR a.backend_type IS NULL) AND a.backend_type IS DISTINCT FROM 'autovacuum worker'`;
  return [
    postgresqlSql.beginReadOnly(session.facts, scriptSchema),
    // The joins stand in a good order; trying all others would take the planner longer than the answer.
    `SELECT pg_catalog.set_config('join_collapse_limit', '1', true), pg_catalog.set_config('from_collapse_limit', '1', true)`,
    // The planner takes the locks for few; a backup that holds one on every table makes them many.
    ...(locks > manyLocks ? ['SET LOCAL enable_nestloop = off'] : []),
    obstacles,
    ...(question.snapshots === 'ask' ? [snapshots] : []),
    postgresqlSql.rollback,
  ].join(';');
}

/** Cheap, and enough where nobody else is at work: whether the role sees what others do, and how many locks they hold. */
const anyoneSql = `SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')::text, (SELECT count(*) FROM pg_catalog.pg_locks l
 WHERE l.locktype = 'relation' AND l.database = ${database} AND l.relation >= 16384 AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid())`;

async function survey(session: Session, question: LockQuestion): Promise<LockSurvey> {
  const [anyone] = await session.query(anyoneSql);
  const [sees, count] = anyone?.rows[0] ?? [];
  const locks = Number(count ?? 0);
  const hidden = sees === 'true' ? null : `${cannotSee(session.facts.user)}.`;
  if (locks === 0 && question.snapshots === 'leave-out') return { obstacles: [], snapshots: [], hidden };
  const answers = await ask(session, surveySql(session, question, locks));
  const [found, snapshots] = answers.slice(locks > manyLocks ? 4 : 3);
  const byName = new Map<string, number[]>();
  for (const [index, { on }] of question.needs.entries()) {
    const key = on.kind === 'schema' ? 'schema' : on.name;
    const same = byName.get(key);
    if (same === undefined) byName.set(key, [index]);
    else same.push(index);
  }
  const obstacles = new Map<string, Obstacle>();
  const holders = new Map(
    rowsOf(found).flatMap((row) => (row[1] === null ? [[row[0], parseHolder(row.slice(1 + lockWidth))] as const] : [])),
  );
  for (const row of rowsOf(found)) {
    const holder = holders.get(row[0]);
    if (row[1] === null || holder === undefined) continue;
    const lock = parseHeld(row.slice(1));
    for (const index of [...(byName.get(lock.name) ?? []), ...(byName.get('schema') ?? [])]) {
      const need = question.needs[index];
      if (need === undefined || !standsInTheWay(lock, need)) continue;
      obstacles.set([holder.identity, lock.on, lock.level, lock.granted, index].join('\n'), {
        holder,
        level: lock.level,
        granted: lock.granted,
        on: lock.on,
        need: index,
      });
    }
  }
  return {
    obstacles: [...obstacles.values()],
    snapshots: rowsOf(snapshots).map(parseHolder),
    hidden,
  };
}

/** A message with a transaction of its own. */
async function ask(session: Session, message: string): Promise<readonly QueryResult[]> {
  try {
    return await session.query(message);
  } catch (error) {
    await session.query(postgresqlSql.rollback).catch(() => undefined);
    throw error;
  }
}

function rowsOf(result: QueryResult | undefined): readonly Row[] {
  return result?.rows ?? [];
}

/** A lock of somebody else's, under one of the names by which a need may concern it. */
interface HeldLock {
  readonly schema: string;
  readonly name: string;
  /** True when the name alone means this object in a script. */
  readonly visible: boolean;
  /** itself: a lock on the name is a lock on this; drop: dropping it locks this; key: a foreign key joins the two. */
  readonly how: 'itself' | 'drop' | 'key';
  /** Of a key: its own name if it is the named table's, then that table's columns in it. */
  readonly detail: readonly (string | null)[];
  readonly level: string;
  readonly granted: boolean;
  readonly on: string;
}

function parseHeld(row: Row): HeldLock {
  const [schema, name, visible, how, detail, mode, granted, on] = row;
  return {
    schema: schema ?? '',
    name: name ?? '',
    visible: visible === 'true',
    how: how === 'drop' || how === 'key' ? how : 'itself',
    detail: detail === null || detail === undefined ? [] : (JSON.parse(detail) as (string | null)[]),
    level: levelOf(mode ?? ''),
    granted: granted === 'true',
    on: on ?? '',
  };
}

function standsInTheWay(lock: HeldLock, { on, level }: LockNeed): boolean {
  if (on.kind === 'schema') {
    return level === null && lock.how === 'itself' && lock.schema === on.name && excludes(lock.level, dropLevel);
  }
  if (!relationKinds.has(on.kind) && !memberKinds.has(on.kind)) return false;
  if (on.name !== lock.name || (on.schema === undefined ? !lock.visible : on.schema !== lock.schema)) return false;
  if (!excludes(lock.level, level ?? dropLevel)) return false;
  if (lock.how === 'itself') return true;
  if (level !== null) return false;
  if (lock.how === 'drop') return relationKinds.has(on.kind);
  const [constraint, ...columns] = lock.detail;
  switch (on.kind) {
    case 'table':
      return true;
    case 'constraint':
      return on.member === constraint;
    case 'column':
      return columns.includes(on.member ?? '');
    default:
      return false;
  }
}

/** One round trip; the catalog is joined only when the process is waiting for a lock indeed. */
function waitSql(session: Session, backendId: number, toolLock: ToolLock): string {
  const me = `me AS MATERIALIZED (SELECT s.pid FROM pg_catalog.pg_stat_get_activity(${backendId}) s
 WHERE s.wait_event_type = 'Lock' AND ${toolLock.keys.length === 0 ? 'true' : `EXISTS (SELECT FROM locks l WHERE ${isToolLock(toolLock)} AND l.granted AND l.pid = s.pid)`})`;
  const wanted = `wanted AS MATERIALIZED (SELECT l.* FROM locks l JOIN me ON me.pid = l.pid WHERE NOT l.granted)`;
  const sameTag = [
    'locktype',
    'database',
    'relation',
    'page',
    'tuple',
    'virtualxid',
    'transactionid',
    'classid',
    'objid',
    'objsubid',
  ]
    .map((column) => `l.${column} IS NOT DISTINCT FROM v.${column}`)
    .join(' AND ');
  return `WITH ${locksRead}, ${me}, ${wanted}
SELECT v.locktype, v.mode, n.nspname || '.' || c.relname, extract(epoch FROM pg_catalog.clock_timestamp() - v.waitstart)::text,
 (SELECT tn.nspname || '.' || tc.relname FROM locks t JOIN pg_catalog.pg_class tc ON tc.oid = t.relation JOIN pg_catalog.pg_namespace tn ON tn.oid = tc.relnamespace
  WHERE t.locktype = 'tuple' AND t.pid = v.pid AND t.granted LIMIT 1)
FROM wanted v LEFT JOIN pg_catalog.pg_class c ON c.oid = v.relation LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace;
WITH ${locksRead}, ${me}, ${wanted}, ${toolSessions(toolLock, String(backendId))},
blockers AS MATERIALIZED (SELECT DISTINCT b.pid FROM me, LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(me.pid)) b(pid))
SELECT EXISTS (SELECT FROM wanted v JOIN locks l ON ${sameTag} WHERE l.granted AND (l.pid = a.pid OR l.pid IN (SELECT g.pid FROM pg_catalog.pg_stat_activity g WHERE g.leader_pid = a.pid)))::text, NULL, ${holderColumns(session, toolLock)}
FROM blockers b JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid ${nobodyPrepared}
UNION ALL
SELECT 'true', l.mode, ${holderColumns(session, toolLock)}
FROM wanted v JOIN locks l ON ${sameTag} AND l.granted AND l.pid IS NULL
 JOIN prepared x ON x.virtualtransaction = l.virtualtransaction LEFT JOIN pg_catalog.pg_stat_activity a ON false
WHERE EXISTS (SELECT FROM blockers WHERE pid = 0)`;
}

async function waitOf(session: Session, backendId: number, toolLock: ToolLock): Promise<LockWait | undefined> {
  const [waits, blockers] = await session.query(waitSql(session, backendId, toolLock));
  const [lockType, mode, relation, seconds, rowOf] = rowsOf(waits)[0] ?? [];
  if (lockType === undefined || lockType === null) return undefined;
  const isTable = lockType === 'relation';
  const level = isTable ? levelOf(mode ?? '') : null;
  return {
    level,
    on: waitedFor(lockType, relation ?? null, rowOf ?? null),
    waitedMs: Math.max(0, Math.round(Number(seconds ?? 0) * 1000)),
    blockers: rowsOf(blockers).flatMap(([holds, heldMode, ...holder]) =>
      level !== null && heldMode !== null && heldMode !== undefined && !excludes(level, levelOf(heldMode))
        ? []
        : [{ holder: parseHolder(holder), holds: holds === 'true' }],
    ),
  };
}

/** In words what a lock of pg_locks.locktype is about (PostgreSQL manual, "pg_locks"). */
function waitedFor(lockType: string, relation: string | null, rowOf: string | null): string {
  switch (lockType) {
    case 'relation':
      return relation ?? 'a table';
    case 'tuple':
      return relation === null ? 'a row' : `a row of ${relation}`;
    case 'transactionid':
      return rowOf === null ? 'a row that another transaction has changed' : `a row of ${rowOf}`;
    case 'virtualxid':
      return 'the end of an older transaction';
    case 'advisory':
      return 'an advisory lock';
    default:
      return `a lock of type ${lockType}${relation === null ? '' : ` on ${relation}`}`;
  }
}

async function end(
  session: Session,
  holders: readonly LockHolder[],
): Promise<readonly ('cancelled' | 'terminated' | 'gone')[]> {
  const sessions = holders.filter((holder) => holder.pid !== null);
  if (sessions.length === 0) return holders.map(() => 'gone');
  const values = sessions.map(({ identity }) => `(${quoteLiteral(identity)})`).join(', ');
  // The state is read and acted upon in one statement: in between it could have become something else.
  const [result] = await session.query(`WITH target AS MATERIALIZED (
 SELECT v.identity, a.pid, a.state FROM (VALUES ${values}) v(identity) JOIN pg_catalog.pg_stat_activity a ON ${identityOf('a')} = v.identity
 WHERE a.backend_type = 'client backend' AND a.pid <> pg_catalog.pg_backend_pid())
SELECT t.identity, CASE WHEN t.state IN ('active', 'fastpath function call') THEN CASE WHEN pg_catalog.pg_cancel_backend(t.pid) THEN 'cancelled' END
 WHEN t.state LIKE 'idle in transaction%' THEN CASE WHEN pg_catalog.pg_terminate_backend(t.pid) THEN 'terminated' END END FROM target t`);
  const done = new Map(rowsOf(result).map(([identity, how]) => [identity, how]));
  return holders.map(({ identity }) => {
    const how = done.get(identity);
    return how === 'cancelled' || how === 'terminated' ? how : 'gone';
  });
}

/** How long statements that say CONCURRENTLY wait, and for whom: tried on servers 14 to 18. */
function concurrentWait(statement: string): ConcurrentWait | undefined {
  if (!/concurrently/i.test(statement)) return undefined;
  switch (postgresqlDialect.notTransactional(statement)) {
    case 'CREATE INDEX CONCURRENTLY':
    case 'CREATE UNIQUE INDEX CONCURRENTLY':
      return { level: 'SHARE', snapshots: true };
    case 'REINDEX CONCURRENTLY':
      return { level: dropLevel, snapshots: true };
    case 'DROP INDEX CONCURRENTLY':
    case 'DETACH PARTITION … CONCURRENTLY':
      return { level: dropLevel, snapshots: false };
    default:
      return undefined;
  }
}

function endingStatement(holder: LockHolder): string {
  if (holder.gid !== null) return `ROLLBACK PREPARED ${quoteLiteral(holder.gid)}`;
  const end = holder.state === 'idle in transaction' || holder.state === 'idle' ? 'terminate' : 'cancel';
  return `SELECT pg_${end}_backend(${holder.pid ?? 0})`;
}

/** Who is in the way of a rollback on PostgreSQL. */
export const postgresqlLocks: LockQueries = {
  ownNeeds: (history: QualifiedName, record: QualifiedName) => [
    { on: tableRef(history), level: 'ACCESS EXCLUSIVE' },
    { on: tableRef(record), level: 'SHARE ROW EXCLUSIVE' },
  ],
  concurrentWait,
  survey,
  waitOf,
  end,
  endingStatement,
};

function tableRef(table: QualifiedName): ObjectRef {
  return { kind: 'table', schema: table.schema, name: table.name };
}
