import type { Session } from '../../../../src/adapter/database.js';
import { type Privileges, readPrivileges } from '../privileges.js';

/** Where a server tells which session holds which lock on a table. */
export interface LockSources {
  /**
   * - performance-schema: MySQL; MariaDB where it is switched on, with the instrument wait/lock/metadata/sql/mdl
   * - plugin: MariaDB's metadata_lock_info, which shows what is held, not what is waited for
   * - none: only statements that run and transactions that are open show
   */
  readonly tables: 'performance-schema' | 'plugin' | 'none';
  /** The account sees other accounts' sessions, and transactions at all. */
  readonly seesOthers: boolean;
  /** It may read performance_schema: which program a session says to be, and on MySQL who keeps a row. */
  readonly readsPerformanceSchema: boolean;
  readonly processList: string;
  readonly privileges: Privileges;
}

const known = new WeakMap<Session, Promise<LockSources>>();

/** Found out by asking, once for each session. */
export async function lockSources(session: Session): Promise<LockSources> {
  const asked = known.get(session) ?? find(session);
  known.set(session, asked);
  try {
    return await asked;
  } catch (error) {
    known.delete(session);
    throw error;
  }
}

async function find(session: Session): Promise<LockSources> {
  const isMysql = session.facts.mysql?.product === 'MySQL';
  const privileges = await readPrivileges(session);
  const [switches] = await session.query(
    `SELECT @@performance_schema, (SELECT COUNT(*) FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'METADATA_LOCK_INFO' AND PLUGIN_STATUS = 'ACTIVE')`,
  );
  const [performanceSchema, plugin] = switches?.rows[0] ?? [];
  // A role may give it without showing here.
  const seesOthers =
    privileges.hasEverywhere('PROCESS') ||
    (!privileges.isComplete && (await works(session, 'SELECT COUNT(*) FROM information_schema.INNODB_TRX')));
  const isOn = performanceSchema === '1';
  const readsPerformanceSchema =
    isOn && (await works(session, 'SELECT COUNT(*) FROM performance_schema.session_connect_attrs'));
  const isInstrumented =
    isOn &&
    (await works(
      session,
      `SELECT COUNT(*) FROM performance_schema.metadata_locks l JOIN performance_schema.threads t ON t.THREAD_ID = l.OWNER_THREAD_ID`,
    )) &&
    (await answersYes(
      session,
      `SELECT ENABLED = 'YES' FROM performance_schema.setup_instruments WHERE NAME = 'wait/lock/metadata/sql/mdl'`,
    ));
  return {
    tables: isInstrumented ? 'performance-schema' : plugin !== '0' && seesOthers ? 'plugin' : 'none',
    seesOthers,
    readsPerformanceSchema,
    // The one in information_schema warns on newer MySQL that it will go.
    processList:
      isMysql && isOn && isAtLeast(session.facts.version, [8, 0, 22])
        ? 'performance_schema.processlist'
        : 'information_schema.PROCESSLIST',
    privileges,
  };
}

async function works(session: Session, sql: string): Promise<boolean> {
  return (await session.pipeline([sql])).failure === undefined;
}

async function answersYes(session: Session, sql: string): Promise<boolean> {
  return (await session.pipeline([sql])).results[0]?.[0]?.rows[0]?.[0] === '1';
}

function isAtLeast(version: string, wanted: readonly number[]): boolean {
  const parts = version.split(/[.-]/).map((part) => Number.parseInt(part, 10));
  for (const [index, least] of wanted.entries()) {
    const part = parts[index] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
}
