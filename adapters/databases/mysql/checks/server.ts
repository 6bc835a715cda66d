import type { ServerFacts, Session } from '../../../../src/adapter/database.js';
import type { NeededScript, ServerNeeds } from '../../../../src/adapter/server-checks.js';
import { listed, notChecked, numberOf, type Check } from '../../../../src/doctor/check.js';
import { quoteLiteral } from '../quoting.js';
import type { ServerState } from './server-state.js';

/** Shorter than this, a session may be ended between two statements of a rollback. */
const shortIdleS = 60;

/** What the settings of server and session mean for a rollback. Pure. */
export function settingChecks(state: ServerState, facts: ServerFacts, needs: ServerNeeds): readonly Check[] {
  return [
    commits(state),
    timeouts(state, facts, needs),
    sqlMode(facts),
    nameCase(facts),
    gtid(state, needs.scripts ?? []),
    // The word is read, and nothing is swept along (MySQL manual, "DROP TABLE").
    { check: 'cascade', result: 'ok', message: 'CASCADE means nothing on MySQL and MariaDB.' },
  ];
}

function commits({ variables }: ServerState): Check {
  const check = 'commits';
  const flush = variables.get('innodb_flush_log_at_trx_commit') ?? '1';
  const sync = variables.get('sync_binlog') ?? '1';
  const isLogged = /^(?:on|1)$/i.test(variables.get('log_bin') ?? '');
  if (flush !== '1') {
    return {
      check,
      result: 'warning',
      message: `innodb_flush_log_at_trx_commit is ${flush}: when the ${flush === '0' ? 'server' : 'machine'} crashes, the last second of commits may be lost, the journal of a rollback too, while its DDL stays.`,
      hint: 'SET GLOBAL innodb_flush_log_at_trx_commit = 1; at least while a version is taken back.',
    };
  }
  if (isLogged && sync !== '1') {
    return {
      check,
      result: 'warning',
      message: `sync_binlog is ${sync}: after a crash the binary log, and with it the replicas, may lack what was committed.`,
      hint: 'SET GLOBAL sync_binlog = 1;',
    };
  }
  return { check, result: 'ok', message: 'A commit that was answered survives a crash.' };
}

function timeouts({ variables }: ServerState, facts: ServerFacts, { run }: ServerNeeds): Check {
  const check = 'timeouts';
  const isMysql = facts.mysql?.product === 'MySQL';
  const bound = Number(facts.statementTimeout);
  const details = [
    ...(bound > 0 && run.statementTimeoutMs === 0
      ? [
          isMysql
            ? `max_execution_time ends each SELECT after ${bound} ms, verifications too`
            : `max_statement_time ends each statement after ${bound} s`,
        ]
      : []),
    ...['wait_timeout', 'idle_transaction_timeout'].flatMap((name) => {
      const seconds = Number(variables.get(name) ?? 0);
      return seconds > 0 && seconds < shortIdleS ? [`${name} ends a session that idles for ${seconds} s`] : [];
    }),
  ];
  if (details.length === 0) {
    const wait =
      run.lockTimeoutMs === 0 ? 'without a bound' : `for ${Math.max(1, Math.ceil(run.lockTimeoutMs / 1000))} s at most`;
    return {
      check,
      result: 'ok',
      message: `No timeout would end a rollback; it waits ${wait} for each lock, instead of the ${facts.mysql?.lockWaitTimeout ?? 0} s of lock_wait_timeout.`,
    };
  }
  return {
    check,
    result: 'warning',
    message: `A timeout may end a rollback: ${listed(details)}.`,
    hint: 'Set run.statementTimeout in flyback.toml, or raise them for this account with sessionVariables in the URL.',
    details,
  };
}

/** Modes that change where a name, a text or a statement ends. */
const readingModes = new Set(['ANSI_QUOTES', 'NO_BACKSLASH_ESCAPES', 'ORACLE', 'ANSI', 'MSSQL', 'DB2', 'POSTGRESQL']);

function sqlMode({ mysql }: ServerFacts): Check {
  const check = 'sql-mode';
  const modes = mysql?.sqlModes ?? [];
  const reading = modes.filter((mode) => readingModes.has(mode));
  if (reading.length > 0) {
    return {
      check,
      result: 'warning',
      message: `sql_mode has ${listed(reading)}: the server reads quotes otherwise than flyback does when it looks for the end of a statement.`,
      hint: 'Look at flyback plan: every statement must begin and end where it should. Or add sessionVariables=sql_mode=… to the URL.',
    };
  }
  return modes.some((mode) => mode.startsWith('STRICT_'))
    ? { check, result: 'ok', message: 'Strict: a value that does not fit is an error.' }
    : {
        check,
        result: 'warning',
        message:
          'sql_mode is not strict: when a rollback makes a column narrower, values that do not fit are cut with a warning only.',
        hint: "Add sessionVariables=sql_mode='STRICT_TRANS_TABLES' to the URL that flyback uses.",
      };
}

function nameCase({ mysql }: ServerFacts): Check {
  return {
    check: 'name-case',
    result: 'ok',
    message:
      mysql?.lowerCaseTableNames === 0
        ? 'Names of tables depend on case: Orders and orders are two (lower_case_table_names is 0).'
        : `Names of tables do not depend on case (lower_case_table_names is ${mysql?.lowerCaseTableNames ?? 1}).`,
  };
}

function gtid({ variables }: ServerState, scripts: readonly NeededScript[]): Check {
  const check = 'gtid';
  const mode = variables.get('gtid_mode');
  const enforces = /^(?:on|1)$/i.test(variables.get('enforce_gtid_consistency') ?? '');
  if (mode === undefined || !enforces)
    return { check, result: 'ok', message: 'The server does not enforce consistency for global transaction ids.' };
  const isByStatement = variables.get('binlog_format')?.toUpperCase() === 'STATEMENT';
  const refused = scripts.flatMap(({ version, statements }) =>
    statements.flatMap(({ line, text }) =>
      isByStatement && /^\s*(?:create|drop)\s+temporary\b/i.test(text) ? [`version ${version}, line ${line}`] : [],
    ),
  );
  return refused.length === 0
    ? { check, result: 'ok', message: `gtid_mode is ${mode}; no script has a statement that this refuses.` }
    : {
        check,
        result: 'problem',
        message: `enforce_gtid_consistency is on and the binary log holds statements: temporary tables are refused in a transaction (${listed(refused)}).`,
        hint: 'Set binlog_format=ROW, or do without the temporary table.',
        details: refused,
      };
}

/** Triggers on MySQL and MariaDB cannot be switched off, so those of written tables fire. */
export async function triggersCheck(
  session: Session,
  needs: ServerNeeds,
  scripts: readonly NeededScript[],
): Promise<Check> {
  const check = 'triggers';
  const written = new Map<string, string>();
  for (const { version, statements } of scripts) {
    for (const { impact } of statements) {
      for (const { schema, name } of impact?.writes ?? [])
        written.set(`(${quoteLiteral(schema ?? needs.scriptSchema)}, ${quoteLiteral(name)})`, version);
    }
  }
  if (written.size === 0) return { check, result: 'ok', message: 'No script writes rows.' };
  const [answer] = await session.query(
    `SELECT o.EVENT_OBJECT_TABLE, o.TRIGGER_NAME, o.ACTION_TIMING, o.EVENT_MANIPULATION FROM information_schema.TRIGGERS o WHERE (o.EVENT_OBJECT_SCHEMA, o.EVENT_OBJECT_TABLE) IN (${[...written.keys()].join(', ')}) ORDER BY 1, 2`,
  );
  const details = (answer?.rows ?? []).map(
    ([table, name, timing, event]) => `${name ?? ''} on ${table ?? ''}: ${timing ?? ''} ${event ?? ''}`,
  );
  return details.length === 0
    ? { check, result: 'ok', message: 'No table that the scripts write to has triggers.' }
    : {
        check,
        result: 'warning',
        message: `${numberOf(details.length, 'trigger')} of tables that the scripts write to ${details.length === 1 ? 'fires' : 'fire'} while a version is taken back; the server cannot switch triggers off.`,
        hint: 'Look at what they do; where that is wrong, drop them in the script and make them again at its end.',
        details,
      };
}

export async function eventsCheck(session: Session, state: ServerState, needs: ServerNeeds): Promise<Check> {
  const check = 'event-scheduler';
  const scheduler = state.variables.get('event_scheduler') ?? 'OFF';
  if (!/^(?:on|1)$/i.test(scheduler))
    return { check, result: 'ok', message: `The event scheduler is ${scheduler.toLowerCase()}.` };
  const [answer] = await session.query(
    `SELECT o.EVENT_NAME FROM information_schema.EVENTS o WHERE o.EVENT_SCHEMA = ${quoteLiteral(needs.scriptSchema)} AND o.STATUS = 'ENABLED' ORDER BY 1`,
  );
  const names = (answer?.rows ?? []).map(([name]) => name ?? '');
  return names.length === 0
    ? { check, result: 'ok', message: `The event scheduler is on; no event of ${needs.scriptSchema} is.` }
    : {
        check,
        result: 'warning',
        message: `The event scheduler runs ${numberOf(names.length, 'event')} of ${needs.scriptSchema} (${listed(names)}), also while a version is taken back.`,
        hint: 'ALTER EVENT … DISABLE for those that touch what the scripts change.',
        details: names,
      };
}

/** Transactions that XA PREPARE has left behind keep their locks over a restart. */
export async function preparedCheck(session: Session): Promise<Check> {
  const check = 'prepared-transactions';
  const [answer] = await session.query('XA RECOVER');
  const names = (answer?.rows ?? []).map((row) => transactionName(row[3] ?? ''));
  return names.length === 0
    ? { check, result: 'ok', message: 'None is waiting to be finished.' }
    : {
        check,
        result: 'warning',
        message: `${numberOf(names.length, 'prepared transaction')} waiting to be finished: ${listed(names)}; ${names.length === 1 ? 'it keeps its' : 'they keep their'} locks, over a restart of the server too.`,
        hint: 'XA COMMIT or XA ROLLBACK, by whoever knows which.',
        details: names,
      };
}

/** The name comes as bytes. */
function transactionName(bytes: string): string {
  const text = /^0x(?:[0-9a-f]{2})*$/i.test(bytes) ? Buffer.from(bytes.slice(2), 'hex').toString('utf8') : bytes;
  return /^[\p{L}\p{N}\p{P}\p{S} ]*$/u.test(text) ? text : bytes;
}

/** Where this server gets its changes from, by what it says of its own replication. */
export async function replicaCheck(session: Session): Promise<Check> {
  const check = 'replica';
  const isMysql = session.facts.mysql?.product === 'MySQL';
  const { results, failure } = await session.pipeline([isMysql ? 'SHOW REPLICA STATUS' : 'SHOW ALL SLAVES STATUS']);
  if (failure !== undefined) return notChecked(check, `${failure.error.message}.`.replace(/\.\.$/, '.'));
  const answer = results[0]?.[0];
  const column = answer?.columns.findIndex((name) => /^(?:Master|Source)_Host$/i.test(name)) ?? -1;
  const sources = (answer?.rows ?? []).map((row) => row[column] ?? 'an unknown host');
  return sources.length === 0
    ? { check, result: 'ok', message: 'The server is the replica of no other.' }
    : {
        check,
        result: 'warning',
        message: `The server is a replica of ${listed(sources)}: what is taken back here stays there, and the next change that comes from there may not fit.`,
        hint: 'Connect to the source; its replicas follow.',
      };
}
