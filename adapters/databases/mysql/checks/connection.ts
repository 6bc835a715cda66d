import type { ServerFacts, Session } from '../../../../src/adapter/database.js';
import type { NeededScript, Pooling } from '../../../../src/adapter/server-checks.js';
import type { TlsSettings } from '../../../../src/config/config.js';
import { listed, type Check } from '../../../../src/doctor/check.js';
import { notTransactional } from '../not-transactional.js';
import { refusalOf } from '../refusal.js';
import type { ServerState } from './server-state.js';

/** The record's times are those of this machine; beyond this they would mislead whoever compares them. */
const tolerableClockDifferenceMs = 60_000;

/** How the connection is made, and whether it may write. Pure. */
export function connectionChecks(
  state: ServerState,
  facts: ServerFacts,
  tls: TlsSettings,
  asked: { readonly sentMs: number; readonly answeredMs: number },
): readonly Check[] {
  return [setUp(facts), encryption(state, tls), clock(state.timeMs, asked), writable(facts)];
}

function setUp(facts: ServerFacts): Check {
  const check = 'set-up';
  const refusal = facts.mysql?.readOnlyBy.length === 0 ? refusalOf(facts) : undefined;
  if (refusal !== undefined) return { check, result: 'problem', ...refusal };
  return {
    check,
    result: 'ok',
    message: `${facts.mysql?.product ?? 'The server'} ${facts.version}, a single server or its replica, with autocommit on.`,
  };
}

function encryption({ tlsVersion, client }: ServerState, { mode }: TlsSettings): Check {
  const check = 'encryption';
  const verified = mode === 'verify-full' || mode === 'verify-ca';
  if (tlsVersion !== '') {
    const secure = verified ? 'and the certificate is checked' : 'but the TLS mode does not check the certificate';
    return { check, result: 'ok', message: `Encrypted (${tlsVersion}), ${secure}.` };
  }
  if (client === null) return { check, result: 'ok', message: 'A Unix socket, or this machine itself.' };
  if (/^(?:127\.|::1$)/.test(client))
    return { check, result: 'ok', message: `Not encrypted, but it does not leave the machine (${client}).` };
  return {
    check,
    result: 'warning',
    message: `Not encrypted: every row passes the network from ${client} in the clear.`,
    hint: 'Add sslMode=VERIFY_IDENTITY to the URL, or sslMode=REQUIRED where there is no certificate to check.',
  };
}

function clock(
  timeMs: number,
  { sentMs, answeredMs }: { readonly sentMs: number; readonly answeredMs: number },
): Check {
  const check = 'clock';
  const ahead = timeMs > answeredMs ? timeMs - answeredMs : timeMs < sentMs ? timeMs - sentMs : 0;
  const seconds = Math.round(Math.abs(ahead) / 1000);
  if (Math.abs(ahead) <= tolerableClockDifferenceMs) {
    return {
      check,
      result: 'ok',
      message: seconds === 0 ? 'The same as on the server.' : `${seconds} s from the server's.`,
    };
  }
  return {
    check,
    result: 'warning',
    message: `The server's clock is ${seconds} s ${ahead > 0 ? 'ahead of' : 'behind'} this machine's; the record has the times of this machine.`,
    hint: 'Let both follow the same time server.',
  };
}

function writable(facts: ServerFacts): Check {
  const check = 'writable';
  const refusal = facts.mysql?.readOnlyBy.length === 0 ? undefined : refusalOf(facts);
  return refusal === undefined
    ? { check, result: 'ok', message: 'The server takes writes.' }
    : { check, result: 'problem', ...refusal };
}

const rounds = 5;

/**
 * A proxy such as ProxySQL or MaxScale greets with a number of its own, and may hand each statement to another server. Told by
 * the numbers that the servers behind it give themselves.
 */
export async function probePooling(session: Session): Promise<Pooling> {
  if (!session.facts.proxied) return 'direct';
  const seen = new Set([session.facts.backendId]);
  for (let round = 0; round < rounds; round += 1) {
    for (const question of ['SELECT CONNECTION_ID()', 'START TRANSACTION;SELECT CONNECTION_ID();ROLLBACK']) {
      const answers = await session.query(question);
      seen.add(Number(answers.find(({ columns }) => columns.length === 1)?.rows[0]?.[0]));
    }
  }
  return seen.size === 1 ? 'session' : 'transaction';
}

/** What this way of pooling means for rollbacks. Pure. */
export function poolingCheck(pooling: Pooling, scripts: readonly NeededScript[]): Check {
  const check = 'pooler';
  if (pooling === 'direct')
    return { check, result: 'ok', message: 'None: the connection is one of the server itself.' };
  const without = withoutTransaction(scripts).map(({ version }) => version);
  const moves =
    pooling === 'session'
      ? 'which has kept to one connection of the server so far'
      : 'which hands statements to several connections of a server, or to several servers';
  return {
    check,
    result: pooling === 'session' && without.length === 0 ? 'warning' : 'problem',
    message: `A proxy stands between, ${moves}: the named lock that keeps others out needs one connection. ${
      without.length === 0
        ? 'Rollbacks with DDL would be refused; no script has any.'
        : `Rollbacks with DDL are refused: version ${listed(without)}.`
    }`,
    hint: 'Give flyback the server’s own address: --url, or FLYBACK_URL in the environment of the rollback.',
  };
}

/** Scripts that run statement by statement: those with a statement that commits by itself. */
export function withoutTransaction(scripts: readonly NeededScript[]): readonly NeededScript[] {
  return scripts.filter(
    ({ transaction, statements }) =>
      transaction === 'off' || statements.some(({ text }) => notTransactional(text) !== undefined),
  );
}
