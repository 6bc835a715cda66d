import { describe, expect, it, test } from 'vitest';
import { createRedactor } from '../../../src/config/create-redactor.js';
import { Secret } from '../../../src/config/config.js';
import { describeHolder, describeWithQuery, presentable, printAge } from '../../../src/locks/describe-holder.js';
import { lockHolder } from '../../harness/lock-holder.js';

const same = (text: string): string => text;

describe('a holder in words', () => {
  test.each([
    [lockHolder(), 'process 4711 (reporting, app, 10.0.0.5, idle in transaction for 12 min)'],
    [
      lockHolder({ application: '', client: null, state: 'running', openMs: 3000 }),
      'process 4711 (app, running for 3 s)',
    ],
    [lockHolder({ application: 'app' }), 'process 4711 (app, 10.0.0.5, idle in transaction for 12 min)'],
    [
      lockHolder({ application: null, client: null, state: 'unknown', openMs: null }),
      'process 4711 (app, state not known)',
    ],
    [
      lockHolder({ kind: 'autovacuum-wraparound', user: null, application: '', client: null, state: 'running' }),
      'process 4711 (autovacuum to prevent wraparound, running for 12 min)',
    ],
    [
      lockHolder({ kind: 'prepared-transaction', pid: null, gid: 'pay 7', state: 'unknown', openMs: 3 * 86_400_000 }),
      "the prepared transaction 'pay 7' of app, 3 days old",
    ],
  ])('%#', (holder, words) => {
    expect(describeHolder(holder)).toBe(words);
  });

  it('has the query at its end, where there is one', () => {
    expect(describeWithQuery(lockHolder())).toMatch(/12 min\): SELECT \* FROM orders$/);
    expect(describeWithQuery(lockHolder({ query: null }))).toMatch(/12 min\)$/);
    expect(describeWithQuery(lockHolder({ query: '' }))).toMatch(/12 min\)$/);
  });
});

describe('what is shown of others', () => {
  it('stands on one line, cut to 80 characters, and cannot take over the terminal', () => {
    const query = `SELECT\n\t'\u001b[2J${'x'.repeat(200)}'`;
    const shown = presentable(lockHolder({ query, application: 'a\u001b]0;title\u0007b', user: 'u\nv' }), same);
    expect(shown.query).toHaveLength(80);
    expect(shown.query).toMatch(/^SELECT ' \[2Jx+…$/);
    expect(shown.application).toBe('a ]0;title b');
    expect(shown.user).toBe('u v');
    expect(describeHolder(lockHolder({ kind: 'prepared-transaction', gid: 'a\u001b[1mb' }))).toContain("'a [1mb'");
  });

  it('holds no secret, not even the first half of one at the cut', () => {
    const redact = createRedactor([new Secret('hunter2secret')]);
    const before = 'x'.repeat(72);
    const shown = presentable(lockHolder({ query: `${before} hunter2secret`, application: 'hunter2secret' }), redact);
    expect(shown.query).toBe(`${before} ***`);
    expect(shown.application).toBe('***');
  });

  it('keeps what nobody knows', () => {
    const shown = presentable(lockHolder({ query: null, application: null, user: null }), same);
    expect(shown).toMatchObject({ query: null, application: null, user: null });
  });
});

test.each([
  [0, '0 s'],
  [89_000, '89 s'],
  [90_000, '2 min'],
  [12 * 60_000, '12 min'],
  [90 * 60_000, '2 h'],
  [47 * 3_600_000, '47 h'],
  [72 * 3_600_000, '3 days'],
])('%d ms is %s', (ms, text) => {
  expect(printAge(ms)).toBe(text);
});
