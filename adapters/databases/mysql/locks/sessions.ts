import type { Session, ToolLock } from '../../../../src/adapter/database.js';
import type { LockHolder } from '../../../../src/adapter/locks.js';
import { quoteLiteral } from '../quoting.js';
import type { LockSources } from './sources.js';

/** A session of the server, and what shows of it beside what it is as a holder of locks. */
export interface SeenSession {
  readonly id: number;
  readonly holder: LockHolder;
  readonly database: string | null;
  /** What the server says it is doing ("Waiting for table metadata lock"). */
  readonly doing: string;
  readonly statement: string | null;
  /** How long its statement runs, or it idles. */
  readonly sinceMs: number;
  readonly hasTransaction: boolean;
  /** It waits for a row. */
  readonly waitsForRow: boolean;
  readonly holdsToolLock: boolean;
}

/** Statements of other sessions are cut here already; what is shown of them is shorter still. */
const queryLength = 2000;

function sessionsSql(sources: LockSources, { keys, approach }: ToolLock): string {
  const isTool = keys.map((key) => `COALESCE(IS_USED_LOCK(${quoteLiteral(key)}), 0) = p.ID`);
  const asks = approach === undefined ? [] : [`p.INFO REGEXP ${quoteLiteral(approach.asks)}`];
  const application = sources.readsPerformanceSchema
    ? `(SELECT MAX(c.ATTR_VALUE) FROM performance_schema.session_connect_attrs c WHERE c.PROCESSLIST_ID = p.ID AND c.ATTR_NAME = 'program_name')`
    : 'NULL';
  const transaction = sources.seesOthers
    ? {
        columns: `t.trx_id, UNIX_TIMESTAMP(t.trx_started), TIMESTAMPDIFF(SECOND, t.trx_started, NOW()), t.trx_state`,
        join: ` LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.ID`,
      }
    : { columns: 'NULL, NULL, NULL, NULL', join: '' };
  return `SELECT p.ID, p.USER, p.HOST, p.DB, p.COMMAND, p.TIME, p.STATE, LEFT(p.INFO, ${queryLength}), ${application}, ${transaction.columns},
 ${isTool.length === 0 ? 'FALSE' : isTool.join(' OR ')}, ${asks.length === 0 ? 'FALSE' : asks.join(' OR ')}
FROM ${sources.processList} p${transaction.join} WHERE p.ID <> CONNECTION_ID() AND p.ID <> 0`;
}

/**
 * The server shows transactions from a copy that it makes anew only when nobody has looked for 0.1 s (MySQL manual,
 * "Persistence and Consistency of InnoDB Transaction and Locking Information"); so long is waited, not to judge by an old one.
 */
const untilFresh = 'DO SLEEP(0.11)';

/** Every session that the account sees, but its own. */
export async function readSessions(
  session: Session,
  sources: LockSources,
  lock: ToolLock,
): Promise<readonly SeenSession[]> {
  if (sources.seesOthers) await session.query(untilFresh);
  const [answer] = await session.query(sessionsSql(sources, lock));
  const rows = (answer?.rows ?? []).map(readRow);
  const tools = rows.filter(({ holdsToolLock }) => holdsToolLock);
  const own = accountName(session.facts.user);
  const mayKill = sources.privileges.hasEverywhere('SUPER', 'CONNECTION_ADMIN', 'CONNECTION ADMIN');
  return rows.map((row) => ({
    id: row.id,
    database: row.database,
    doing: row.doing,
    statement: row.statement,
    sinceMs: row.sinceMs,
    hasTransaction: row.startedAt !== null,
    waitsForRow: row.transactionState === 'LOCK WAIT',
    holdsToolLock: row.holdsToolLock,
    holder: {
      kind: row.kind,
      belongsTo: belongsTo(row, tools, lock),
      pid: row.id,
      gid: null,
      user: row.user,
      application: row.application,
      client: row.client,
      state: stateOf(row, sources),
      openMs: row.openMs,
      query: row.statement,
      lacking:
        row.user === own || mayKill
          ? null
          : `Account ${session.facts.user} may end its own sessions only; the privilege ${session.facts.mysql?.product === 'MySQL' ? 'CONNECTION_ADMIN' : 'CONNECTION ADMIN'} changes that.`,
      identity: identityOf(row),
    },
  }));
}

/** A transaction that XA PREPARE has left behind. */
export function preparedHolder(transaction: string): LockHolder {
  return {
    kind: 'prepared-transaction',
    belongsTo: 'others',
    pid: null,
    gid: `number ${transaction}; XA RECOVER names it`,
    user: null,
    application: null,
    client: null,
    state: 'unknown',
    openMs: null,
    query: null,
    lacking: null,
    identity: `prepared ${transaction}`,
  };
}

interface Row {
  readonly id: number;
  readonly kind: LockHolder['kind'];
  readonly user: string | null;
  readonly client: string | null;
  readonly database: string | null;
  readonly command: string;
  readonly sinceMs: number;
  readonly doing: string;
  readonly statement: string | null;
  readonly application: string | null;
  readonly startedAt: string | null;
  readonly openMs: number | null;
  readonly transactionState: string | null;
  readonly holdsToolLock: boolean;
  readonly asksForToolLock: boolean;
}

function readRow(row: readonly (string | null)[]): Row {
  const [id, user, host, database, command, time, doing, statement, application] = row;
  const [, startedAt, openSeconds, transactionState, holdsToolLock, asksForToolLock] = row.slice(9);
  return {
    id: Number(id),
    kind: kindOf(user ?? '', command ?? ''),
    user: user ?? null,
    // "10.0.0.5:49818"; a socket of the machine itself is "localhost".
    client: host === null || host === undefined || host === 'localhost' ? null : host.replace(/:\d+$/, ''),
    database: database ?? null,
    command: command ?? '',
    sinceMs: Math.max(0, Number(time ?? 0)) * 1000,
    doing: doing ?? '',
    statement: statement ?? null,
    application: application ?? null,
    startedAt: startedAt ?? null,
    openMs: openSeconds === null || openSeconds === undefined ? null : Math.max(0, Number(openSeconds)) * 1000,
    transactionState: transactionState ?? null,
    holdsToolLock: holdsToolLock === '1',
    asksForToolLock: asksForToolLock === '1',
  };
}

function kindOf(user: string, command: string): LockHolder['kind'] {
  if (user === 'system user' || /^(?:Binlog Dump|Slave|Replica)/i.test(command)) return 'replication';
  return user === 'event_scheduler' || command === 'Daemon' ? 'background' : 'session';
}

function stateOf({ command, startedAt }: Row, { seesOthers }: LockSources): LockHolder['state'] {
  if (command !== 'Sleep') return 'running';
  if (startedAt !== null) return 'idle in transaction';
  return seesOthers ? 'idle' : 'unknown';
}

/** A tool may hold its lock on one connection and migrate on another, which shows by user, program and address only. */
function belongsTo(row: Row, tools: readonly Row[], lock: ToolLock): LockHolder['belongsTo'] {
  if (row.application === 'flyback') return 'flyback';
  const isLike = tools.some(
    (tool) => tool.user === row.user && tool.client === row.client && tool.application === row.application,
  );
  if (!row.asksForToolLock && !isLike) return 'others';
  // Where the tool locks by a row, the named lock is flyback's own.
  return lock.flag !== undefined && !row.asksForToolLock ? 'flyback' : 'migration-tool';
}

/** The moment at which a transaction began tells it from the next of the same session; the server counts in seconds. */
function identityOf({ id, startedAt }: Row): string {
  return `${id}/${startedAt ?? 'no transaction'}`;
}

/** "app@%" → "app": the server lets an account end whatever is called like it. */
function accountName(account: string): string {
  return account.slice(0, account.lastIndexOf('@'));
}
