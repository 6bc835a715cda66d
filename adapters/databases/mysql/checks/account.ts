import type { ServerFacts } from '../../../../src/adapter/database.js';
import type { NeededScript, ServerNeeds } from '../../../../src/adapter/server-checks.js';
import { listed, notChecked, type Check } from '../../../../src/doctor/check.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import { qualified, quoteIdentifier } from '../quoting.js';
import { withoutTransaction } from './connection.js';
import { neededRights } from './needed-rights.js';
import { accountOf, type ServerState } from './server-state.js';

/** What the account may do. Pure. */
export function accountChecks(state: ServerState, facts: ServerFacts, needs: ServerNeeds): readonly Check[] {
  return [
    superuser(state, facts),
    otherSessions(state, facts, needs),
    cancelBlockers(state, facts),
    historyRights(state, facts, needs),
    recordRights(state, facts, needs),
    ...(needs.scripts === undefined ? [] : [objectRights(state, facts, needs, needs.scripts)]),
  ];
}

function superuser({ privileges }: ServerState, { user }: ServerFacts): Check {
  return {
    check: 'superuser',
    result: 'ok',
    message: privileges.hasEverywhere('SUPER')
      ? `Account ${user} has SUPER or all privileges: none will be missing, and none protects from a mistake.`
      : `Account ${user} does not have SUPER.`,
  };
}

/** What is missing may come with a role whose privileges SHOW GRANTS does not list. */
function missing(state: ServerState, check: Check): Check {
  return state.privileges.isComplete || check.result === 'ok'
    ? check
    : notChecked(check.check, `${check.message.replace(/\.$/, '')}, unless a role of the account gives it.`);
}

function otherSessions(state: ServerState, facts: ServerFacts, { tool }: ServerNeeds): Check {
  const check = 'other-sessions';
  const { user } = facts;
  if (state.privileges.hasEverywhere('PROCESS'))
    return { check, result: 'ok', message: `Account ${user} sees what other sessions run.` };
  return missing(state, {
    check,
    result: 'warning',
    message: `Account ${user} lacks PROCESS: it sees its own sessions only, so who is in the way is not told, and a ${tool} migrate that waits as another account is not noticed.`,
    hint: `GRANT PROCESS ON *.* TO ${accountOf(facts)};`,
  });
}

function cancelBlockers(state: ServerState, facts: ServerFacts): Check {
  const check = 'cancel-blockers';
  const { user, mysql } = facts;
  if (state.privileges.hasEverywhere('SUPER', 'CONNECTION_ADMIN', 'CONNECTION ADMIN'))
    return { check, result: 'ok', message: `Account ${user} may end sessions of other accounts that are in the way.` };
  return missing(state, {
    check,
    result: 'warning',
    message: `Account ${user} may end its own sessions only; one of another account that is in the way has to be waited for.`,
    hint: `GRANT ${mysql?.product === 'MySQL' ? 'CONNECTION_ADMIN' : 'CONNECTION ADMIN'} ON *.* TO ${accountOf(facts)};`,
  });
}

function lacking({ privileges }: ServerState, table: QualifiedName, needed: readonly string[]): readonly string[] {
  return needed.filter((privilege) => !privileges.has(privilege, table.schema, table.name));
}

function plain({ schema, name }: QualifiedName): string {
  return `${schema}.${name}`;
}

function historyRights(state: ServerState, facts: ServerFacts, needs: ServerNeeds): Check {
  const check = 'history-rights';
  // A rollback that runs statement by statement marks the row as failed while it is under way.
  const marks = withoutTransaction(needs.scripts ?? []).length > 0;
  const without = lacking(state, needs.history, ['SELECT', 'DELETE', ...(marks ? ['UPDATE'] : [])]);
  // A table on which one may do nothing does not show.
  if (!state.historyExists && !without.includes('SELECT')) return notChecked(check, 'there is no history table.');
  if (without.length === 0) {
    return {
      check,
      result: 'ok',
      message: `Account ${facts.user} may read and lock ${plain(needs.history)} and delete its rows${marks ? ', and mark them' : ''}.`,
    };
  }
  return missing(state, {
    check,
    result: 'problem',
    message: `Account ${facts.user} lacks ${without.join(', ')} on the history ${plain(needs.history)}.`,
    hint: `GRANT ${without.join(', ')} ON ${qualified(needs.history)} TO ${accountOf(facts)};`,
  });
}

function recordRights(state: ServerState, facts: ServerFacts, needs: ServerNeeds): Check {
  const check = 'record-rights';
  const { user } = facts;
  const tables = [
    { table: needs.record, exists: state.recordExists, rights: ['SELECT', 'INSERT'] },
    { table: needs.journal, exists: state.journalExists, rights: ['SELECT', 'INSERT', 'DELETE'] },
  ];
  for (const { table, exists, rights } of tables) {
    if (!exists && !state.schemas.has(table.schema)) {
      return {
        check,
        result: 'problem',
        message: `The database ${table.schema} of ${plain(table)} does not exist, or account ${user} may not see it.`,
        hint: 'Create it, or set record.schema in flyback.toml.',
      };
    }
    const without = lacking(state, table, exists ? rights : ['CREATE', ...rights]);
    if (without.length > 0) {
      return missing(state, {
        check,
        result: 'problem',
        message: `Account ${user} lacks ${without.join(', ')} on ${plain(table)}${exists ? '' : ', which is still to be created'}.`,
        hint: `GRANT ${without.join(', ')} ON ${qualified(table)} TO ${accountOf(facts)};`,
      });
    }
  }
  // FOR UPDATE takes one of these besides SELECT.
  const locks = ['UPDATE', 'DELETE', 'LOCK TABLES'];
  if (!locks.some((privilege) => state.privileges.has(privilege, needs.record.schema, needs.record.name))) {
    return missing(state, {
      check,
      result: 'problem',
      message: `Account ${user} may not lock ${plain(needs.record)} against other writers, which takes UPDATE, DELETE or LOCK TABLES.`,
      hint: `GRANT LOCK TABLES ON ${quoteIdentifier(needs.record.schema)}.* TO ${accountOf(facts)};`,
    });
  }
  return {
    check,
    result: 'ok',
    message: state.recordExists
      ? `Account ${user} may read, write and lock the record ${plain(needs.record)}.`
      : `Account ${user} may create the record ${plain(needs.record)}.`,
  };
}

function objectRights(
  state: ServerState,
  facts: ServerFacts,
  needs: ServerNeeds,
  scripts: readonly NeededScript[],
): Check {
  const check = 'object-rights';
  const { user } = facts;
  const rights = neededRights(scripts, needs.scriptSchema);
  const without = rights.filter(({ privilege, schema, table }) =>
    schema === undefined ? !state.privileges.hasEverywhere(privilege) : !state.privileges.has(privilege, schema, table),
  );
  if (without.length === 0) {
    return {
      check,
      result: 'ok',
      message:
        rights.length === 0
          ? 'No script needs a privilege on objects.'
          : `Account ${user} has the privileges that the scripts need.`,
    };
  }
  const printed = without.map(
    ({ privilege, schema, table }) => `${privilege} on ${schema === undefined ? '*' : schema}.${table ?? '*'}`,
  );
  const [first] = without;
  return missing(state, {
    check,
    result: 'problem',
    message: `Account ${user} lacks ${listed(printed)}, which scripts need.`,
    hint: `GRANT ${first?.privilege ?? ''} ON ${first?.schema === undefined ? '*' : quoteIdentifier(first.schema)}.${first?.table === undefined ? '*' : quoteIdentifier(first.table)} TO ${accountOf(facts)};`,
    details: without.map(({ versions }, index) => `${printed[index] ?? ''}: version ${versions.join(', ')}`),
  });
}
