import type { ServerFacts } from '../../../../src/adapter/database.js';
import type { NeededScript, ServerNeeds } from '../../../../src/adapter/server-checks.js';
import { numberOf, type Check, listed } from '../../../../src/doctor/check.js';
import type { PreparedTransaction, ServerState } from './server-state.js';

/** Between two messages of a run the server waits for no longer than the network and a pause before a retry take. */
const shortIdleMs = 10_000;

/** What may end a rollback before its time, or hold it up, or forget it. Pure. */
export function limitChecks(
  state: ServerState,
  facts: ServerFacts,
  needs: ServerNeeds,
  scripts: readonly NeededScript[],
): readonly Check[] {
  return [commits(state), timeouts(state, facts, needs), preparedTransactions(state.prepared, needs, scripts)];
}

function commits({ settings, standbys }: ServerState): Check {
  const check = 'commits';
  const mode = settings['synchronous_commit']?.value ?? 'on';
  const names = settings['synchronous_standby_names']?.value ?? '';
  if (settings['fsync']?.value === 'off') {
    return {
      check,
      result: 'warning',
      message: 'fsync is off: after a crash of the machine the whole database may be damaged.',
      hint: 'Switch it on, unless this database is thrown away.',
    };
  }
  if (mode === 'off') {
    return {
      check,
      result: 'warning',
      message:
        'synchronous_commit is off: a rollback that was answered as committed may be gone after a crash of the server, all of it.',
      hint: 'ALTER ROLE … SET synchronous_commit = on; for the role that rolls back.',
    };
  }
  if (names !== '' && mode !== 'local') {
    if (standbys.seen > 0 && standbys.readable === 0) {
      return {
        check,
        result: 'not-checked',
        message: `Not checked: commits wait for the standbys of synchronous_standby_names (${names}), which this role may not see.`,
      };
    }
    if (standbys.synchronous === 0) {
      return {
        check,
        result: 'problem',
        message: `synchronous_standby_names is ${names}, and no such standby is connected: every commit waits without end.`,
        hint: 'Bring the standby back, or take its name out and reload the server.',
      };
    }
    return { check, result: 'ok', message: `Commits wait for the disk and for the standbys ${names}.` };
  }
  return { check, result: 'ok', message: 'Commits are on disk before they are answered.' };
}

function timeouts({ settings }: ServerState, facts: ServerFacts, { run }: ServerNeeds): Check {
  const check = 'timeouts';
  const milliseconds = (name: string): number => Number(settings[name]?.value ?? 0);
  const found: { readonly message: string; readonly hint: string }[] = [];
  if (run.statementTimeoutMs === 0 && facts.statementTimeout !== '0') {
    found.push({
      message: `statement_timeout is ${facts.statementTimeout}: a statement of a rollback that takes longer is cancelled, and its version is not taken back.`,
      hint: 'Set run.statementTimeout in flyback.toml to what the longest statement may take.',
    });
  }
  if (milliseconds('transaction_timeout') > 0) {
    found.push({
      message: `transaction_timeout is ${milliseconds('transaction_timeout')} ms: a version that takes longer in all is cut off with its connection.`,
      hint: 'ALTER ROLE … SET transaction_timeout = 0; for the role that rolls back.',
    });
  }
  for (const name of ['idle_in_transaction_session_timeout', 'idle_session_timeout']) {
    const value = milliseconds(name);
    if (value === 0 || value >= shortIdleMs) continue;
    found.push({
      message: `${name} is ${value} ms: a slow network or a pause before a retry may cost the connection.`,
      hint: `ALTER ROLE … SET ${name} = 0; for the role that rolls back.`,
    });
  }
  const [first] = found;
  if (first === undefined) {
    return {
      check,
      result: 'ok',
      message:
        run.statementTimeoutMs > 0
          ? `None but flyback's own run.statementTimeout, ${run.statementTimeoutMs} ms.`
          : 'None that would end a rollback.',
    };
  }
  const details = found.map(({ message }) => message);
  return { check, result: 'warning', ...first, ...(details.length > 1 ? { details } : {}) };
}

function preparedTransactions(
  prepared: readonly PreparedTransaction[],
  needs: ServerNeeds,
  scripts: readonly NeededScript[],
): Check {
  const check = 'prepared-transactions';
  if (prepared.length === 0) return { check, result: 'ok', message: 'None.' };
  const details = prepared.map(
    ({ gid, owner, ageSeconds, tables }) =>
      `${gid} of ${owner}, ${ageSeconds} s old${tables.length === 0 ? '' : `, holds locks on ${listed(tables)}`}`,
  );
  const names = new Set(
    [
      needs.history.name,
      ...scripts.flatMap((script) =>
        script.statements.flatMap(({ impact }) => (impact?.locks ?? []).map((lock) => lock.on.name)),
      ),
    ].map((name) => name.toLowerCase()),
  );
  const blocking = prepared.filter(({ tables }) => tables.some((table) => names.has(bareName(table))));
  const hint = `COMMIT PREPARED or ROLLBACK PREPARED '${(blocking[0] ?? prepared[0])?.gid ?? ''}', by whoever knows which.`;
  return blocking.length > 0
    ? {
        check,
        result: 'problem',
        message: `${numberOf(blocking.length, 'prepared transaction')} ${blocking.length === 1 ? 'holds' : 'hold'} locks on what the scripts need: ${listed(blocking.map(({ gid }) => gid))}; no timeout ends them.`,
        hint,
        details,
      }
    : {
        check,
        result: 'warning',
        message: `${numberOf(prepared.length, 'prepared transaction')} waiting to be finished: ${listed(prepared.map(({ gid }) => gid))}.`,
        hint,
        details,
      };
}

/** The table's own name in what the server prints: schema."Name" → name. */
function bareName(printed: string): string {
  return (/(?:^|\.)("(?:[^"]|"")*"|[^".]+)$/.exec(printed)?.[1] ?? printed).replaceAll(/^"|"$/g, '').toLowerCase();
}
