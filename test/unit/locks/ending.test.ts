import { describe, expect, it, test } from 'vitest';
import { FlybackError } from '../../../src/errors/error.js';
import { endingOf, planEndings, requirePermitted } from '../../../src/locks/ending.js';
import { lockHolder } from '../../harness/lock-holder.js';

describe('what --cancel-blockers does about a holder', () => {
  test.each([
    [{ state: 'running' }, 'cancel'],
    [{ state: 'idle in transaction' }, 'terminate'],
  ] as const)('%o: %s', (changes, how) => {
    expect(endingOf(lockHolder(changes))).toEqual({ kind: 'end', how });
  });

  test.each([
    { kind: 'prepared-transaction', pid: null, gid: 'x' },
    { kind: 'autovacuum', state: 'running' },
    { kind: 'autovacuum-wraparound', state: 'running' },
    { kind: 'replication', state: 'running' },
    { kind: 'background', state: 'running' },
    { belongsTo: 'flyback' },
    { belongsTo: 'migration-tool' },
    { belongsTo: 'migration-tool', state: 'running' },
    { state: 'idle' },
    { state: 'unknown' },
  ] as const)('%o is left, with a reason', (changes) => {
    expect(endingOf(lockHolder(changes))).toEqual({
      kind: 'leave',
      reason: expect.stringMatching(/^[a-z].{10,}/) as string,
    });
  });

  it('needs the right; whom nobody would end needs none', () => {
    const lacking = 'Role me may not.';
    expect(endingOf(lockHolder({ lacking }))).toEqual({ kind: 'forbidden', lacking });
    expect(endingOf(lockHolder({ lacking, state: 'unknown' }))).toEqual({ kind: 'forbidden', lacking });
    expect(endingOf(lockHolder({ lacking, kind: 'autovacuum-wraparound' })).kind).toBe('leave');
  });
});

describe('the plan of endings', () => {
  const held = (on: string): { level: string; on: string; version: undefined; line: undefined } => ({
    level: 'ACCESS SHARE',
    on,
    version: undefined,
    line: undefined,
  });

  it('passes by who only waits in line', () => {
    const holder = lockHolder();
    const endings = planEndings(
      [
        { holder, holds: true, locks: ['a', 'b', 'c', 'd'].map(held) },
        { holder: lockHolder({ pid: 2 }), holds: false, locks: [held('a')] },
      ],
      [lockHolder({ pid: 3, state: 'running' })],
    );
    expect(endings).toEqual([
      {
        holder,
        because: 'holds ACCESS SHARE on a, ACCESS SHARE on b, ACCESS SHARE on c and 1 more',
        ending: { kind: 'end', how: 'terminate' },
      },
      {
        holder: lockHolder({ pid: 3, state: 'running' }),
        because: 'is older than a CONCURRENTLY statement',
        ending: { kind: 'end', how: 'cancel' },
      },
    ]);
  });

  it('is refused as a whole when one of them may not be ended', () => {
    const allowed = { holder: lockHolder(), holds: true, locks: [held('a')] };
    const forbidden = { ...allowed, holder: lockHolder({ pid: 5, lacking: 'GRANT it TO me.' }) };
    expect(() => requirePermitted(planEndings([allowed], []))).not.toThrow();
    let error: unknown;
    try {
      requirePermitted(planEndings([allowed, forbidden], []));
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(FlybackError);
    expect(error).toMatchObject({ code: 'privilege-missing', hint: 'GRANT it TO me.' });
    expect((error as FlybackError).message).toContain('process 5');
    expect((error as FlybackError).message).not.toContain('4711');
  });
});
