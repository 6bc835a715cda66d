import { expect, it } from 'vitest';
import { mysqlLocks } from '../../../../../adapters/databases/mysql/lock-queries.js';
import { excludes, levelOf } from '../../../../../adapters/databases/mysql/locks/levels.js';
import { preparedHolder } from '../../../../../adapters/databases/mysql/locks/sessions.js';
import { usedTables } from '../../../../../adapters/databases/mysql/locks/used-tables.js';

const levels = [
  'SHARED',
  'SHARED HIGH PRIO',
  'SHARED READ',
  'SHARED WRITE',
  'SHARED WRITE LOW PRIO',
  'SHARED UPGRADABLE',
  'SHARED READ ONLY',
  'SHARED NO WRITE',
  'SHARED NO READ WRITE',
  'EXCLUSIVE',
];

it('locks exclude each other whichever came first, and EXCLUSIVE excludes all', () => {
  for (const one of levels) {
    for (const other of levels) expect([one, other, excludes(one, other)]).toEqual([one, other, excludes(other, one)]);
    expect(excludes('EXCLUSIVE', one)).toBe(true);
  }
  expect(excludes('SHARED READ', 'SHARED WRITE')).toBe(false);
  expect(excludes('SHARED UPGRADABLE', 'SHARED WRITE')).toBe(false);
  expect(excludes('SHARED UPGRADABLE', 'SHARED UPGRADABLE')).toBe(true);
  expect(excludes('of a kind unknown here', 'SHARED')).toBe(true);
  expect([levelOf('SHARED_NO_READ_WRITE'), levelOf('MDL_EXCLUSIVE')]).toEqual(['SHARED NO READ WRITE', 'EXCLUSIVE']);
});

it.each([
  ['SELECT * FROM t, `shop`.`Orders` WHERE a IN (SELECT b FROM u)', 'SHARED READ', ['t', 'shop.Orders', 'u']],
  ['UPDATE t JOIN u ON u.id = t.id SET a = 1', 'SHARED WRITE', ['t', 'u', 'u.id']],
  ['INSERT IGNORE INTO t VALUES (1)', 'SHARED WRITE', ['t']],
  ['ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES p (id)', 'EXCLUSIVE', ['t', 'p']],
  ['DROP TABLE IF EXISTS a, b', 'EXCLUSIVE', ['a', 'b']],
  ['CREATE INDEX i ON t (a)', 'EXCLUSIVE', ['t']],
  ['TRUNCATE TABLE t', 'EXCLUSIVE', ['t']],
  ['SELECT SLEEP(1)', 'SHARED READ', []],
  ['', 'EXCLUSIVE', []],
])('%s is at work on its tables', (statement, level, tables) => {
  const use = usedTables(statement);
  expect(use.level).toBe(level);
  expect(use.tables.map(({ schema, name }) => (schema === undefined ? name : `${schema}.${name}`))).toEqual(tables);
});

it('tells how a person ends somebody', () => {
  const session = { ...preparedHolder('7'), kind: 'session', pid: 12, gid: null } as const;
  expect(mysqlLocks.endingStatement({ ...session, state: 'running' })).toBe('KILL QUERY 12');
  expect(mysqlLocks.endingStatement({ ...session, state: 'idle in transaction' })).toBe('KILL 12');
  expect(mysqlLocks.endingStatement(preparedHolder('7'))).toContain('XA ROLLBACK');
});
