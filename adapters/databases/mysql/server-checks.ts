import type { Session } from '../../../src/adapter/database.js';
import type { ServerChecks, ServerNeeds } from '../../../src/adapter/server-checks.js';
import { orNotChecked, type Check } from '../../../src/doctor/check.js';
import { accountChecks } from './checks/account.js';
import { connectionChecks, poolingCheck, probePooling } from './checks/connection.js';
import { readServerState } from './checks/server-state.js';
import { eventsCheck, preparedCheck, replicaCheck, settingChecks, triggersCheck } from './checks/server.js';

/** What rollbacks need from a MySQL or MariaDB server. */
export const mysqlChecks: ServerChecks = {
  without: new Set([
    'replica-mode',
    'server-settings',
    'lock-table',
    'event-triggers',
    'publications',
    'subscriptions',
  ]),
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
  return [
    ...connectionChecks(state, facts, needs.tls, { sentMs, answeredMs }),
    ...accountChecks(state, facts, needs),
    ...settingChecks(state, facts, needs),
    ...(scripts === undefined
      ? []
      : await orNotChecked(['triggers'], async () => [await triggersCheck(session, needs, scripts)])),
    ...(await orNotChecked(['event-scheduler'], async () => [await eventsCheck(session, state, needs)])),
    ...(await orNotChecked(['prepared-transactions'], async () => [await preparedCheck(session)])),
    await replicaCheck(session),
  ];
}
