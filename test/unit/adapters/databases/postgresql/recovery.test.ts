import { describe, expect, it } from 'vitest';
import { recovery } from '../../../../../adapters/databases/postgresql/recovery.js';

/* What is found out in the catalog is judged by real servers: test/integration, recovery and recovery-objects. */

describe('recovery', () => {
  it.each([
    'CALL p()',
    'DO $$ BEGIN COMMIT; END $$',
    'CREATE INDEX i ON t (a)',
    'DROP INDEX i',
    'DROP INDEX CONCURRENTLY i, j',
    'ALTER TABLE t DETACH PARTITION p',
    'ALTER TABLE t DETACH PARTITION p FINALIZE',
    'ALTER TABLE t ADD a int',
    'ALTER DATABASE d SET work_mem = 1000',
    'ALTER DATABASE d CONNECTION LIMIT 5',
    'REINDEX SYSTEM CONCURRENTLY d',
    "COMMIT PREPARED 'x'",
    'SELECT 1',
    'SELECT 1; VACUUM',
    'VACUUM; SELECT 1',
    'NOT EVEN SQL',
    '',
    '-- VACUUM',
  ])('claims to know nothing of: %s', async (statement) => {
    const found = await recovery(statement);
    expect(found).toMatchObject({ kind: 'unknown', failsCleanly: false, waitsAside: false, inspect: undefined });
    expect(found.judge(null, [])).toMatchObject({ state: 'unknown' });
    expect(found.judge([], [])).toMatchObject({ state: 'unknown' });
  });

  it.each([
    ['ALTER SUBSCRIPTION s REFRESH PUBLICATION', 'repeatable'],
    ['ALTER SUBSCRIPTION s SET PUBLICATION p', 'repeatable'],
    ['ALTER SUBSCRIPTION s SET (failover = true)', 'repeatable'],
    ['ALTER SUBSCRIPTION s ADD PUBLICATION p', 'inspectable'],
    ['ALTER SUBSCRIPTION s DROP PUBLICATION p', 'inspectable'],
    ['ALTER DATABASE d WITH TABLESPACE x', 'inspectable'],
    ['DROP TABLESPACE IF EXISTS x', 'inspectable'],
    ['REINDEX (CONCURRENTLY, CONCURRENTLY false) TABLE t', 'repeatable'],
    ['REINDEX (CONCURRENTLY false) TABLE CONCURRENTLY t', 'inspectable'],
  ])('%s is %s', async (statement, kind) => {
    expect(await recovery(statement)).toMatchObject({ kind });
  });

  it('keeps every name out of the meaning of its question', async () => {
    const { inspect } = await recovery(`DROP INDEX CONCURRENTLY "a'b""c".U&"\\005C'--"`);
    expect(inspect).toContain(`E'"a''b""c"."\\\\''--"'`);
  });
});
