import { describe, expect, it, test } from 'vitest';
import {
  excludes,
  kindOf,
  levelOf,
  postgresqlLocks,
} from '../../../../../adapters/databases/postgresql/lock-queries.js';
import { lockHolder } from '../../../../harness/lock-holder.js';

const levels = [
  'ACCESS SHARE',
  'ROW SHARE',
  'ROW EXCLUSIVE',
  'SHARE UPDATE EXCLUSIVE',
  'SHARE',
  'SHARE ROW EXCLUSIVE',
  'EXCLUSIVE',
  'ACCESS EXCLUSIVE',
];

it('knows which lock excludes which, as the table of the manual has it', () => {
  // One row for each requested level, one column for each existing one, X for a conflict.
  const manual = ['.......X', '......XX', '....XXXX', '...XXXXX', '..XX.XXX', '..XXXXXX', '.XXXXXXX', 'XXXXXXXX'];
  expect(levels.map((one) => levels.map((other) => (excludes(one, other) ? 'X' : '.')).join(''))).toEqual(manual);
});

test.each(levels)('writes %s as SQL does', (level) => {
  const mode = `${level.toLowerCase().replaceAll(/(?:^| )(.)/g, (_, letter: string) => letter.toUpperCase())}Lock`;
  expect(levelOf(mode)).toBe(level);
});

describe('the kind of a process', () => {
  test.each([
    ['client backend', 'SELECT 1', 'session'],
    [null, null, 'session'],
    ['client backend', 'autovacuum: VACUUM public.t (to prevent wraparound)', 'session'],
    ['autovacuum worker', 'autovacuum: VACUUM ANALYZE public.t', 'autovacuum'],
    ['autovacuum worker', 'autovacuum: VACUUM public.t (to prevent wraparound)', 'autovacuum-wraparound'],
    ['walsender', 'START_REPLICATION SLOT "s" LOGICAL 0/0', 'replication'],
    ['logical replication apply worker', '', 'replication'],
    ['logical replication launcher', '', 'replication'],
    ['pg_cron', '', 'background'],
    ['checkpointer', '', 'background'],
  ])('%s running %s: %s', (backendType, query, kind) => {
    expect(kindOf(backendType, query)).toBe(kind);
  });
});

test.each([
  [lockHolder(), 'SELECT pg_terminate_backend(4711)'],
  [lockHolder({ state: 'running' }), 'SELECT pg_cancel_backend(4711)'],
  [lockHolder({ kind: 'prepared-transaction', pid: null, gid: "it's \\ odd" }), "ROLLBACK PREPARED E'it''s \\\\ odd'"],
])('a person may end it: %#', (holder, sql) => {
  expect(postgresqlLocks.endingStatement(holder)).toBe(sql);
});

test.each([
  ['CREATE INDEX i ON t (a)', undefined],
  ['REFRESH MATERIALIZED VIEW CONCURRENTLY m', undefined],
  ["COMMENT ON TABLE t IS 'concurrently'", undefined],
  ['create unique index concurrently i on t (a)', { level: 'SHARE', snapshots: true }],
  ['REINDEX (CONCURRENTLY) TABLE t', { level: 'ACCESS EXCLUSIVE', snapshots: true }],
  ['DROP INDEX CONCURRENTLY i', { level: 'ACCESS EXCLUSIVE', snapshots: false }],
  ['ALTER TABLE t DETACH PARTITION p CONCURRENTLY', { level: 'ACCESS EXCLUSIVE', snapshots: false }],
])('%s waits for more than its locks: %o', (statement, wait) => {
  expect(postgresqlLocks.concurrentWait(statement)).toEqual(wait);
});
