import { describe, expect, it } from 'vitest';
import type { LockHolder, Obstacle } from '../../../src/adapter/locks.js';
import { findBlockers, plannedNeeds } from '../../../src/locks/blocker.js';
import { lockHazards } from '../../../src/locks/lock-hazards.js';
import { lockHolder } from '../../harness/lock-holder.js';

const orders = { kind: 'table', schema: 'public', name: 'orders' };
const history = { kind: 'table', schema: 'public', name: 'history' };
const index = { kind: 'index', name: 'orders_note' };

function plan(
  ...statements: readonly { sql?: string; line: number; level?: string; on?: object; drops?: readonly object[] }[]
): Parameters<typeof plannedNeeds>[0] {
  return {
    steps: [
      {
        version: '2',
        statements: statements.map(({ sql = '', line, level, on = orders, drops = [] }) => ({
          sql,
          line,
          drops,
          locks: level === undefined ? [] : [{ level, on }],
        })),
      },
    ],
  } as unknown as Parameters<typeof plannedNeeds>[0];
}

const never = (): undefined => undefined;

describe('what a plan needs', () => {
  it('is each lock once, with the first place that has it; flyback needs its own tables first', () => {
    const own = [{ on: history, level: 'ACCESS EXCLUSIVE' }];
    const needs = plannedNeeds(
      plan({ line: 1, level: 'SHARE' }, { line: 4, level: 'SHARE' }, { line: 9, level: 'ACCESS EXCLUSIVE' }),
      own,
      never,
    );
    expect(needs.map(({ need: { level, on }, version, line }) => [level, on.name, version, line])).toEqual([
      ['ACCESS EXCLUSIVE', 'history', undefined, undefined],
      ['SHARE', 'orders', '2', 1],
      ['ACCESS EXCLUSIVE', 'orders', '2', 9],
    ]);
  });

  it('is everything for what is dropped, and what CONCURRENTLY waits for besides its lock', () => {
    const needs = plannedNeeds(
      plan(
        { line: 1, level: 'ACCESS EXCLUSIVE', drops: [orders] },
        { line: 2, sql: 'create', level: 'SHARE UPDATE EXCLUSIVE', on: index },
      ),
      [],
      (sql) => (sql === 'create' ? 'SHARE' : undefined),
    );
    expect(needs.map(({ need: { level, on } }) => [level, on.name])).toEqual([
      [null, 'orders'],
      ['SHARE UPDATE EXCLUSIVE', 'orders_note'],
      ['SHARE', 'orders_note'],
    ]);
  });
});

function obstacle(holder: LockHolder, changes: Partial<Obstacle> = {}): Obstacle {
  return { holder, level: 'ACCESS SHARE', granted: true, on: 'public.orders', need: 0, ...changes };
}

const needs = plannedNeeds(plan({ line: 1, level: 'SHARE' }, { line: 9, level: 'ACCESS EXCLUSIVE' }), [], never);
const found = (...obstacles: readonly Obstacle[]): ReturnType<typeof findBlockers> =>
  findBlockers(needs, { obstacles, snapshots: [], hidden: null });

describe('blockers', () => {
  it('are told once each, the oldest first, with the first statement that is concerned', () => {
    const young = lockHolder({ pid: 1, openMs: 2000 });
    const blockers = found(
      obstacle(young, { need: 1, granted: false }),
      obstacle(lockHolder({ pid: 2 }), { need: 1 }),
      obstacle(lockHolder({ pid: 2 }), { need: 0 }),
      obstacle(lockHolder({ pid: 2 }), { need: 1, on: 'public.orders_note' }),
    );
    expect(
      blockers.map(({ holder: { pid }, holds, locks }) => [pid, holds, locks.map(({ on, line }) => [on, line])]),
    ).toEqual([
      [
        2,
        true,
        [
          ['public.orders', 1],
          ['public.orders_note', 9],
        ],
      ],
      [1, false, [['public.orders', 9]]],
    ]);
  });

  it('are not those who come and go within a second', () => {
    const prepared = lockHolder({ kind: 'prepared-transaction', pid: null, gid: 'x', openMs: 5 });
    const blockers = found(
      obstacle(lockHolder({ pid: 1, openMs: 999 })),
      obstacle(lockHolder({ pid: 2, openMs: 1000 })),
      obstacle(lockHolder({ pid: 3, openMs: null })),
      obstacle(prepared),
    );
    expect(blockers.map(({ holder: { pid } }) => pid)).toEqual([3, 2, null]);
  });
});

describe('hazards', () => {
  const hazards = (changes: Partial<Parameters<typeof lockHazards>[0]>): readonly string[] =>
    lockHazards({
      blockers: [],
      snapshots: [],
      waitingPlace: '',
      hidden: null,
      endingStatement: () => 'END IT',
      ...changes,
    }).map(({ code, severity, subject, message, hint }) => `${severity} ${code} ${subject} ${message} ${hint ?? ''}`);

  it('are none when nobody is in the way, even for a role that sees little', () => {
    expect(hazards({})).toEqual([]);
    expect(hazards({ hidden: 'Role me sees nothing.' })).toEqual([]);
  });

  it('have a code for each kind of holder', () => {
    const kinds = [
      'session',
      'prepared-transaction',
      'autovacuum',
      'autovacuum-wraparound',
      'replication',
      'background',
    ] as const;
    const blockers = found(
      ...kinds.map((kind, pid) => obstacle(lockHolder({ kind, pid: pid + 1, openMs: 9000 - pid }))),
    );
    expect(hazards({ blockers }).map((line) => line.split(' ', 4).slice(0, 4).join(' '))).toEqual([
      'warning lock-held 2, line',
      'warning prepared-transaction-holds-lock 2, line',
      'info autovacuum-holds-lock 2, line',
      'warning wraparound-vacuum 2, line',
      'warning lock-held 2, line',
      'warning lock-held 2, line',
    ]);
    expect(hazards({ blockers })[1]).toContain('END IT');
    expect(hazards({ blockers })[0]).toContain('--cancel-blockers');
    expect(hazards({ blockers })[4]).not.toContain('--cancel-blockers');
  });

  it('tell ten one by one and the others together', () => {
    const many = Array.from({ length: 15 }, (_, pid) => obstacle(lockHolder({ pid })));
    const lines = hazards({ blockers: found(...many) });
    expect(lines).toHaveLength(11);
    expect(lines.at(-1)).toContain('5 more');
  });

  it('tell who is older than a CONCURRENTLY statement, and that the list may be incomplete', () => {
    const lines = hazards({
      snapshots: [lockHolder()],
      waitingPlace: '2, line 9',
      hidden: 'Role me sees nothing.',
    });
    expect(lines[0]).toMatch(/^warning long-transaction 2, line 9 .*process 4711 .* 12 min/);
    expect(lines[1]).toMatch(/^info sessions-hidden connection .*Role me sees nothing\./);
    const hidden = found(obstacle(lockHolder({ state: 'unknown' })));
    expect(hazards({ blockers: hidden, hidden: 'Role me sees nothing.' }).at(-1)).toContain('sessions-hidden');
  });
});
