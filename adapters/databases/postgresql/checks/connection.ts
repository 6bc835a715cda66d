import type { ServerFacts } from '../../../../src/adapter/database.js';
import type { TlsSettings } from '../../../../src/config/config.js';
import type { Check } from '../../../../src/doctor/check.js';
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
  return [encryption(state, facts.proxied, tls), clock(state.timeMs, asked), writable(state)];
}

function encryption({ tls, clientAddress }: ServerState, proxied: boolean, { mode }: TlsSettings): Check {
  const check = 'encryption';
  const verified = mode === 'verify-full' || mode === 'verify-ca';
  const secure = verified ? 'and the certificate is checked' : `but sslmode=${mode} does not check the certificate`;
  if (proxied) {
    return verified || mode === 'require'
      ? { check, result: 'ok', message: `Encrypted as far as the pooler, ${secure}.` }
      : {
          check,
          result: 'not-checked',
          message: 'Not checked: a pooler stands between, and the server knows only the way from there.',
        };
  }
  if (tls?.on === true) return { check, result: 'ok', message: `Encrypted (${tls.version ?? 'TLS'}), ${secure}.` };
  if (clientAddress === null) return { check, result: 'ok', message: 'A Unix socket of this machine.' };
  if (/^(?:127\.|::1$)/.test(clientAddress)) {
    return { check, result: 'ok', message: `Not encrypted, but it does not leave the machine (${clientAddress}).` };
  }
  return {
    check,
    result: 'warning',
    message: `Not encrypted: passwords of some kinds and every row pass the network from ${clientAddress} in the clear.`,
    hint: 'Add sslmode=verify-full to the URL, or sslmode=require where there is no certificate to check.',
  };
}

/** The server answered between the two moments: what lies outside of them is certain to differ. */
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

function writable({ inRecovery, settings }: ServerState): Check {
  const check = 'writable';
  if (inRecovery) {
    return {
      check,
      result: 'problem',
      message: 'The server is a standby: it takes no writes.',
      hint: 'Connect to the primary server; targetServerType=primary in the URL chooses it among several hosts.',
    };
  }
  if (settings['default_transaction_read_only']?.value === 'on') {
    return {
      check,
      result: 'problem',
      message: 'default_transaction_read_only is on: every transaction begins without the right to write.',
      hint: 'Connect as a role that may write, or take readOnly out of the URL.',
    };
  }
  return { check, result: 'ok', message: 'A primary server that takes writes.' };
}
