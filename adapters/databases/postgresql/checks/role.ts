import type { ServerFacts } from '../../../../src/adapter/database.js';
import type { NeededScript, ServerNeeds } from '../../../../src/adapter/server-checks.js';
import { notChecked, type Check, listed } from '../../../../src/doctor/check.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import { qualified, quoteIdentifier } from '../quoting.js';
import type { ServerState, TableRights } from './server-state.js';

/** What the role may do, apart from the objects of the scripts. Pure. */
export function roleChecks(state: ServerState, facts: ServerFacts, needs: ServerNeeds): readonly Check[] {
  return [
    superuser(state, facts),
    replicaMode(facts, needs),
    otherSessions(state, facts, needs),
    cancelBlockers(state, facts),
    historyRights(state.history, facts, needs),
    recordRights(state, facts, needs),
  ];
}

function superuser(state: ServerState, { user }: ServerFacts): Check {
  return {
    check: 'superuser',
    result: 'ok',
    message: state.superuser
      ? `Role ${user} is a superuser: no privilege will be missing, and none protects from a mistake.`
      : `Role ${user} is not a superuser.`,
  };
}

function replicaMode(facts: ServerFacts, { run }: ServerNeeds): Check {
  const check = 'replica-mode';
  if (facts.mayUseReplicaMode) {
    return { check, result: 'ok', message: `Role ${facts.user} may set session_replication_role.` };
  }
  const grant =
    facts.majorVersion >= 15
      ? `GRANT SET ON PARAMETER session_replication_role TO ${quoteIdentifier(facts.user)};`
      : 'Only a superuser may before PostgreSQL 15.';
  const isAskedFor = run.triggers === 'replica';
  return {
    check,
    result: isAskedFor ? 'problem' : run.triggers === undefined ? 'warning' : 'ok',
    message: `Role ${facts.user} may not set session_replication_role${
      isAskedFor
        ? ', which the configuration asks for: every plan is refused.'
        : run.triggers === undefined
          ? ': triggers of written tables are disabled one by one instead, which needs to own these tables.'
          : `; the configuration does without it (triggers ${run.triggers}).`
    }`,
    hint: isAskedFor || run.triggers === undefined ? grant : undefined,
  };
}

/** A migrate that waits for the lock shows by its query only, which other roles may not see. */
function otherSessions(state: ServerState, { user, databaseName }: ServerFacts, needs: ServerNeeds): Check {
  const check = 'other-sessions';
  if (state.settings['track_activities']?.value === 'off') {
    return {
      check,
      result: 'warning',
      message: `Sessions do not show what they run (track_activities is off): a ${needs.tool} migrate that waits is not noticed.`,
      hint: `A super-user switches it on: ALTER DATABASE ${quoteIdentifier(databaseName)} SET track_activities = on; each role may have a setting of its own.`,
    };
  }
  if (state.readsAllStats) {
    return { check, result: 'ok', message: `Role ${user} sees what other sessions run.` };
  }
  const hint = `GRANT pg_read_all_stats TO ${quoteIdentifier(user)};`;
  if (state.hiddenWriters.length > 0) {
    return {
      check,
      result: 'warning',
      message: `Role ${user} does not see the queries of ${listed(state.hiddenWriters)}, who wrote the history: a ${needs.tool} migrate that waits there is not noticed.`,
      hint,
    };
  }
  if (state.knownWriters.length === 0) {
    return {
      check,
      result: 'warning',
      message: `Role ${user} sees the queries of its own roles only; a ${needs.tool} migrate that waits as another role is not noticed.`,
      hint,
    };
  }
  return {
    check,
    result: 'ok',
    message: `Role ${user} sees the sessions of ${listed(state.knownWriters)}, who wrote the history.`,
  };
}

function cancelBlockers(state: ServerState, { user }: ServerFacts): Check {
  const check = 'cancel-blockers';
  if (state.superuser || state.signalsBackends) {
    return { check, result: 'ok', message: `Role ${user} may cancel sessions of other roles that are in the way.` };
  }
  return {
    check,
    result: 'warning',
    message: `Role ${user} may cancel sessions of its own roles only; one of another role that is in the way has to be waited for.`,
    hint: `GRANT pg_signal_backend TO ${quoteIdentifier(user)};`,
  };
}

function historyRights(rights: TableRights, { user }: ServerFacts, needs: ServerNeeds): Check {
  const check = 'history-rights';
  if (!rights.exists) return notChecked(check, 'there is no history table.');
  // A rollback without a transaction marks the row as failed while it is under way.
  const marks = needs.scripts?.some((script) => script.transaction === 'off') === true;
  const missing = [
    ...(rights.select ? [] : ['SELECT']),
    ...(rights.delete ? [] : ['DELETE']),
    ...(marks && !rights.update ? ['UPDATE'] : []),
  ];
  const name = qualified(needs.history);
  if (missing.length > 0) {
    return {
      check,
      result: 'problem',
      message: `Role ${user} lacks ${missing.join(', ')} on the history ${plain(needs.history)}.`,
      hint: `GRANT ${missing.join(', ')} ON ${name} TO ${quoteIdentifier(user)};`,
    };
  }
  if (rights.rowSecurity) {
    return {
      check,
      result: 'problem',
      message: `Row-level security of ${plain(needs.history)} holds for role ${user}: it may see fewer rows than there are.`,
      hint: `ALTER ROLE ${quoteIdentifier(user)} BYPASSRLS, or connect as the owner of the history.`,
    };
  }
  return {
    check,
    result: 'ok',
    message: `Role ${user} may read and lock ${plain(needs.history)} and delete its rows${marks ? ', and mark them' : ''}.`,
  };
}

function recordRights({ record, journal }: ServerState, { user }: ServerFacts, needs: ServerNeeds): Check {
  const check = 'record-rights';
  const problems = [
    ...tableProblem(
      needs.record,
      record,
      [
        ['SELECT', record.select],
        ['INSERT', record.insert],
      ],
      user,
    ),
    ...tableProblem(
      needs.journal,
      journal,
      [
        ['SELECT', journal.select],
        ['INSERT', journal.insert],
        ['DELETE', journal.delete],
      ],
      user,
      // Only a rollback without a transaction needs one.
      needs.scripts?.some((script) => script.transaction === 'off') === true || journal.exists,
    ),
    ...(record.exists && !record.lock
      ? [
          {
            message: `Role ${user} may not lock ${plain(needs.record)} against other writers, which takes UPDATE, DELETE or TRUNCATE (from PostgreSQL 17 on MAINTAIN too).`,
            hint: `GRANT UPDATE ON ${qualified(needs.record)} TO ${quoteIdentifier(user)}; the record itself still refuses every change.`,
          },
        ]
      : []),
  ];
  const [first] = problems;
  if (first !== undefined) {
    const details = problems.map(({ message }) => message);
    return { check, result: 'problem', ...first, ...(details.length > 1 ? { details } : {}) };
  }
  return {
    check,
    result: 'ok',
    message: record.exists
      ? `Role ${user} may read, write and lock the record ${plain(needs.record)}.`
      : `Role ${user} may create the record ${plain(needs.record)}.`,
  };
}

function tableProblem(
  table: QualifiedName,
  rights: TableRights,
  needed: readonly (readonly [string, boolean])[],
  user: string,
  isNeeded = true,
): readonly { readonly message: string; readonly hint: string }[] {
  if (!isNeeded) return [];
  if (!rights.exists) {
    if (rights.mayCreate) return [];
    return [
      rights.schemaExists
        ? {
            message: `Role ${user} may not create ${plain(table)}.`,
            hint: `GRANT CREATE ON SCHEMA ${quoteIdentifier(table.schema)} TO ${quoteIdentifier(user)}; or set record.schema in flyback.toml.`,
          }
        : {
            message: `The schema ${table.schema} of ${plain(table)} does not exist.`,
            hint: 'Create it, or set record.schema in flyback.toml.',
          },
    ];
  }
  const missing = needed.filter(([, has]) => !has).map(([right]) => right);
  if (missing.length === 0) return [];
  return [
    {
      message: `Role ${user} lacks ${missing.join(', ')} on ${plain(table)}.`,
      hint: `GRANT ${missing.join(', ')} ON ${qualified(table)} TO ${quoteIdentifier(user)};`,
    },
  ];
}

function plain(table: QualifiedName): string {
  return `${table.schema}.${table.name}`;
}

/** The settings that scripts change by ALTER SYSTEM, and whether one resets all. Pure. */
export function alteredSettings(scripts: readonly NeededScript[]): {
  readonly names: readonly string[];
  readonly resetsAll: boolean;
  readonly reloads: boolean;
} {
  const statements = scripts.flatMap((script) => script.statements);
  const altering = statements.filter(({ text }) => /^alter\s+system\b/i.test(text));
  const names = altering.flatMap(({ impact }) =>
    (impact?.objects ?? []).filter((ref) => ref.kind === 'setting').map((ref) => ref.name.toLowerCase()),
  );
  return {
    names: [...new Set(names)].toSorted(),
    resetsAll: altering.some(({ text }) => /^alter\s+system\s+reset\s+all\b/i.test(text)),
    reloads: statements.some(({ text }) => /\bpg_reload_conf\b/i.test(text)),
  };
}

/** Whether the role may change the server settings that the scripts change; `refused` are those that it may not. Pure. */
export function settingsCheck(
  state: ServerState,
  facts: ServerFacts,
  altered: ReturnType<typeof alteredSettings>,
  refused: readonly string[],
): Check {
  const check = 'server-settings';
  const { user, majorVersion } = facts;
  if (altered.names.length === 0 && !altered.resetsAll && !altered.reloads) {
    return { check, result: 'ok', message: 'No script changes a setting of the server.' };
  }
  if (altered.names.length + Number(altered.resetsAll) > 0 && state.settings['allow_alter_system']?.value === 'off') {
    return {
      check,
      result: 'problem',
      message: 'allow_alter_system is off: the server refuses ALTER SYSTEM from everyone.',
      hint: 'Change these settings where this server keeps them, and take the statements out of the script.',
    };
  }
  if (refused.length > 0 || (altered.resetsAll && !state.superuser)) {
    return {
      check,
      result: 'problem',
      message:
        refused.length > 0
          ? `Role ${user} may not ALTER SYSTEM ${listed(refused)}.`
          : `Role ${user} may not ALTER SYSTEM RESET ALL, which takes a superuser.`,
      hint:
        majorVersion < 15 || refused.length === 0
          ? 'Connect as a superuser for these versions.'
          : `GRANT ALTER SYSTEM ON PARAMETER ${refused.join(', ')} TO ${quoteIdentifier(user)};`,
    };
  }
  if (altered.reloads && !state.mayReload) {
    return {
      check,
      result: 'problem',
      message: `Role ${user} may not call pg_reload_conf().`,
      hint: `GRANT EXECUTE ON FUNCTION pg_reload_conf() TO ${quoteIdentifier(user)};`,
    };
  }
  return {
    check,
    result: 'ok',
    message: `Role ${user} may change what the scripts change: ${altered.names.length === 0 ? 'every setting' : listed(altered.names)}.`,
  };
}
