import type { Session } from '../../../src/adapter/database.js';
import type { NeededScript, ServerChecks, ServerNeeds } from '../../../src/adapter/server-checks.js';
import { type Check, orNotChecked } from '../../../src/doctor/check.js';
import { askJson } from './checks/ask.js';
import { connectionChecks } from './checks/connection.js';
import { limitChecks } from './checks/limits.js';
import { catalogChecks, objectRightsCheck } from './checks/objects.js';
import { poolingCheck, probePooling } from './checks/pooling.js';
import { alteredSettings, roleChecks, settingsCheck } from './checks/role.js';
import { readServerState, type ServerState } from './checks/server-state.js';
import { sideEffectChecks } from './checks/side-effects.js';
import { quoteLiteral } from './quoting.js';

/** What rollbacks need from a PostgreSQL server. */
export const postgresqlChecks: ServerChecks = {
  without: new Set(['set-up', 'sql-mode', 'name-case', 'event-scheduler', 'replica', 'gtid']),
  pooling: probePooling,
  judgePooling: poolingCheck,
  run: runServerChecks,
};

async function runServerChecks(session: Session, needs: ServerNeeds): Promise<readonly Check[]> {
  const { facts } = session;
  const sentMs = needs.now().getTime();
  const state = await readServerState(session, needs);
  const answeredMs = needs.now().getTime();
  const { scripts } = needs;
  const found = [
    ...connectionChecks(state, facts, needs.tls, { sentMs, answeredMs }),
    ...roleChecks(state, facts, needs),
    ...limitChecks(state, facts, needs, scripts ?? []),
  ];
  if (scripts !== undefined) {
    found.push(
      ...(await orNotChecked(['server-settings'], async () => [await serverSettings(session, scripts, state)])),
      ...(await orNotChecked(['object-rights'], async () => [await objectRightsCheck(session, needs, scripts)])),
      ...(await orNotChecked(['cascade', 'lock-table'], () => catalogChecks(session, needs, scripts, state))),
      ...(await orNotChecked(['event-triggers', 'triggers', 'publications', 'subscriptions'], () =>
        sideEffectChecks(session, needs, scripts),
      )),
    );
  }
  return found;
}

/** Before 15 only a superuser may ALTER SYSTEM; from then on a role may be given single settings. */
async function serverSettings(session: Session, scripts: readonly NeededScript[], state: ServerState): Promise<Check> {
  const { facts } = session;
  const altered = alteredSettings(scripts);
  if (state.superuser || altered.names.length === 0) return settingsCheck(state, facts, altered, []);
  const refused =
    facts.majorVersion < 15
      ? altered.names
      : ((await askJson(
          session,
          undefined,
          `SELECT coalesce(json_agg(n), '[]') FROM (VALUES ${altered.names.map((name) => `(${quoteLiteral(name)})`).join(', ')}) names(n) WHERE NOT has_parameter_privilege(n, 'ALTER SYSTEM')`,
        )) as readonly string[]);
  return settingsCheck(state, facts, altered, refused);
}
