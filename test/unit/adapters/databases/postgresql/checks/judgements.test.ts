import { describe, expect, it } from 'vitest';
import { connectionChecks } from '../../../../../../adapters/databases/postgresql/checks/connection.js';
import { limitChecks } from '../../../../../../adapters/databases/postgresql/checks/limits.js';
import { lockTableCheck } from '../../../../../../adapters/databases/postgresql/checks/objects.js';
import { poolingCheck } from '../../../../../../adapters/databases/postgresql/checks/pooling.js';
import { settingsCheck } from '../../../../../../adapters/databases/postgresql/checks/role.js';
import type { ServerState, TableRights } from '../../../../../../adapters/databases/postgresql/checks/server-state.js';
import { eventTriggerCheck } from '../../../../../../adapters/databases/postgresql/checks/side-effects.js';
import type { ServerFacts } from '../../../../../../src/adapter/database.js';
import type { NeededScript, ServerNeeds } from '../../../../../../src/adapter/server-checks.js';
import type { TlsSettings } from '../../../../../../src/config/config.js';

/* How answers are judged that a test server cannot easily be made to give. */

const rights: TableRights = {
  exists: true,
  schemaExists: true,
  mayCreate: true,
  owner: 'app',
  select: true,
  insert: true,
  update: true,
  delete: true,
  lock: true,
  rowSecurity: false,
};
const setting = (value: string): { readonly value: string; readonly source: string } => ({ value, source: 'user' });
const state = (changes: Partial<ServerState> = {}): ServerState => ({
  backendId: 1,
  timeMs: 1_000_000,
  tls: { on: false, version: null },
  clientAddress: '10.0.0.7',
  inRecovery: false,
  superuser: false,
  readsAllStats: true,
  signalsBackends: true,
  hiddenWriters: [],
  knownWriters: [],
  mayReload: true,
  settings: { fsync: setting('on'), synchronous_commit: setting('on'), synchronous_standby_names: setting('') },
  standbys: { seen: 0, readable: 0, synchronous: 0 },
  heldLocks: 0,
  prepared: [],
  history: rights,
  record: rights,
  journal: rights,
  ...changes,
});
const facts = (changes: Partial<ServerFacts> = {}): ServerFacts => ({
  version: '18.0',
  majorVersion: 18,
  databaseName: 'd',
  user: 'app',
  currentSchema: 'public',
  readOnly: false,
  mayUseReplicaMode: true,
  backendId: 1,
  proxied: false,
  hasEventTriggers: false,
  lockTableSize: 1000,
  role: 'none',
  searchPath: '',
  statementTimeout: '0',
  identity: { database: null, timeline: null, walPosition: null },
  ...changes,
});
const needs = (run: Partial<ServerNeeds['run']> = {}): ServerNeeds => ({
  tool: 'flyway',
  history: { schema: 'public', name: 'flyway_schema_history' },
  record: { schema: 'public', name: 'flyback_record' },
  journal: { schema: 'public', name: 'flyback_record_journal' },
  scriptSchema: 'public',
  scripts: [],
  writers: [],
  run: {
    lockTimeoutMs: 5000,
    statementTimeoutMs: 0,
    lockRetries: 3,
    lockRetryPauseMs: 2000,
    toolLockWaitMs: 50_000,
    triggers: undefined,
    ...run,
  } as ServerNeeds['run'],
  tls: { mode: 'prefer' },
  now: () => new Date(0),
});

describe('how the connection is made', () => {
  const asked = { sentMs: 1_000_000, answeredMs: 1_000_000 };
  const encryption = (changes: Partial<ServerState>, mode: TlsSettings['mode'] = 'prefer', proxied = false): string => {
    const [check] = connectionChecks(state(changes), facts({ proxied }), { mode }, asked);
    return `${check?.result ?? ''}: ${check?.message ?? ''}`;
  };

  it('warns only where bytes leave the machine unencrypted', () => {
    expect(encryption({})).toMatch(/^warning: Not encrypted: .* 10\.0\.0\.7/);
    expect(encryption({ clientAddress: '127.0.0.1' })).toMatch(/^ok: Not encrypted, but/);
    expect(encryption({ clientAddress: '::1' })).toMatch(/^ok: Not encrypted, but/);
    expect(encryption({ clientAddress: null })).toMatch(/^ok: A Unix socket/);
  });

  it('says whether the certificate is checked', () => {
    const tls = { on: true, version: 'TLSv1.3' };
    expect(encryption({ tls }, 'require')).toBe(
      'ok: Encrypted (TLSv1.3), but sslmode=require does not check the certificate.',
    );
    expect(encryption({ tls }, 'verify-full')).toBe('ok: Encrypted (TLSv1.3), and the certificate is checked.');
  });

  it('does not take the way behind a pooler for the way to it', () => {
    expect(encryption({ tls: { on: true, version: 'TLSv1.3' } }, 'prefer', true)).toMatch(/^not-checked/);
    expect(encryption({}, 'require', true)).toMatch(/^ok: Encrypted as far as the pooler/);
  });

  it.each([
    [0, 'ok'],
    [60_000, 'ok'],
    [60_001, 'warning'],
    [-60_001, 'warning'],
  ])('judges a clock that is off by %i ms: %s', (difference, result) => {
    const checks = connectionChecks(state({ timeMs: 1_000_000 + difference }), facts(), { mode: 'prefer' }, asked);
    const clock = checks.find(({ check }) => check === 'clock');
    expect(clock?.result).toBe(result);
    if (result === 'warning') expect(clock?.message).toContain(difference > 0 ? 'ahead' : 'behind');
  });

  it('does not blame a slow answer on the clock', () => {
    const slow = { sentMs: 1_000_000 - 200_000, answeredMs: 1_000_000 };
    const checks = connectionChecks(state({ timeMs: 850_000 }), facts(), { mode: 'prefer' }, slow);
    expect(checks.find(({ check }) => check === 'clock')).toMatchObject({ result: 'ok' });
  });
});

describe('when commits are on disk', () => {
  const commits = (changes: Partial<ServerState>): string => {
    const check = limitChecks(state(changes), facts(), needs(), []).find((candidate) => candidate.check === 'commits');
    return `${check?.result ?? ''}: ${check?.message ?? ''}`;
  };
  const waiting = { ...state().settings, synchronous_standby_names: setting('one') };

  it('is a problem when no standby answers that commits wait for', () => {
    expect(commits({ settings: waiting })).toMatch(/^problem: .*waits without end/);
    expect(commits({ settings: waiting, standbys: { seen: 1, readable: 1, synchronous: 0 } })).toMatch(/^problem/);
  });

  it('is fine when one does, or when commits do not wait', () => {
    expect(commits({ settings: waiting, standbys: { seen: 2, readable: 2, synchronous: 1 } })).toMatch(/^ok/);
    expect(commits({ settings: { ...waiting, synchronous_commit: setting('local') } })).toMatch(/^ok/);
  });

  it('is not known when the role may not see the standbys', () => {
    expect(commits({ settings: waiting, standbys: { seen: 1, readable: 0, synchronous: 0 } })).toMatch(/^not-checked/);
  });

  it('is a warning when a crash may forget them', () => {
    expect(commits({ settings: { ...waiting, synchronous_commit: setting('off') } })).toMatch(/^warning/);
    expect(commits({ settings: { ...waiting, fsync: setting('off') } })).toMatch(/^warning: fsync/);
  });
});

describe('the lock table', () => {
  it.each([
    [[10, 20], 'ok'],
    [[600, 600], 'warning'],
    [[10, 990], 'problem'],
  ] as const)('of 1000 entries bears scripts with %j locks: %s', (locks, result) => {
    const scripts = locks.map((count, index) => ({ version: String(index + 1), locks: count }));
    expect(lockTableCheck(scripts, 1000, 0)).toMatchObject({ result });
  });

  it('has no more room than others leave', () => {
    expect(lockTableCheck([{ version: '1', locks: 100 }], 1000, 950)).toMatchObject({ result: 'problem' });
  });
});

describe('a pooler', () => {
  const script: NeededScript = { version: '4', transaction: 'off', triggers: undefined, statements: [] };

  it.each([
    ['direct', 'ok', 'ok'],
    ['session', 'ok', 'problem'],
    ['transaction', 'warning', 'problem'],
    ['unclear', 'warning', 'problem'],
    ['statement', 'problem', 'problem'],
  ] as const)('%s is %s, and with a script without a transaction %s', (pooling, plain, without) => {
    expect(poolingCheck(pooling, []).result).toBe(plain);
    expect(poolingCheck(pooling, [script]).result).toBe(without);
  });
});

describe('settings of the server that scripts change', () => {
  const altered = { names: ['work_mem'], resetsAll: false, reloads: false };

  it('cannot be changed where the server forbids it to everyone', () => {
    const closed = state({ superuser: true, settings: { allow_alter_system: setting('off') } });
    expect(settingsCheck(closed, facts(), altered, [])).toMatchObject({ result: 'problem' });
    expect(settingsCheck(closed, facts(), { ...altered, names: [] }, [])).toMatchObject({ result: 'ok' });
  });

  it('are reset as a whole by superusers only', () => {
    const all = { ...altered, names: [], resetsAll: true };
    expect(settingsCheck(state(), facts(), all, [])).toMatchObject({ result: 'problem' });
    expect(settingsCheck(state({ superuser: true }), facts(), all, [])).toMatchObject({ result: 'ok' });
  });
});

describe('event triggers', () => {
  const trigger = (enabled: 'O' | 'R' | 'A') => ({ name: `on_${enabled}`, event: 'sql_drop', enabled });

  // PostgreSQL manual, ALTER EVENT TRIGGER: ENABLE fires in the origin role, REPLICA in the replica role, ALWAYS in both.
  it.each([
    ['O', 'replica', false],
    ['R', 'replica', true],
    ['A', 'replica', true],
    ['O', 'keep', true],
    ['R', 'keep', false],
    ['A', 'disable', true],
    ['O', 'disable', true],
  ] as const)('%s in %s mode fires: %s', (enabled, mode, fires) => {
    const { details } = eventTriggerCheck([trigger(enabled)], new Set([mode]), undefined);
    expect(details).toEqual([`on_${enabled} on sql_drop: ${fires ? 'fires' : 'does not fire'}`]);
  });

  it('are no matter when there are none', () => {
    expect(eventTriggerCheck([], new Set(['replica']), undefined)).toMatchObject({ result: 'ok' });
  });
});
