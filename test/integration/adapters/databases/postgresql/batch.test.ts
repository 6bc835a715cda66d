import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Command, Session } from '../../../../../src/adapter/database.js';
import { createDatabase, forEachMajor, runOn, type TestDatabase } from '../../../../harness/postgres.js';
import { connectTo } from '../../../../harness/session.js';

forEachMajor((server) => {
  let database: TestDatabase;
  let session: Session;
  beforeEach(async () => {
    database = await createDatabase(server.url);
    session = await connectTo(database);
  });
  afterEach(async () => {
    await session.close();
    await database.drop();
  });

  const exists = async (table: string): Promise<boolean> => {
    const [row] = await runOn(database.url, `SELECT to_regclass('${table}') IS NOT NULL AS found`);
    return row?.['found'] === true;
  };
  const commands = (...texts: readonly string[]): readonly Command[] => texts.map((sql) => ({ sql }));

  test('after an error nothing of the rest runs, not even outside of a transaction', async () => {
    // Messages that stand alone do not have this: why the script of a version never travels so with its BEGIN.
    await session.pipeline(['BEGIX', 'CREATE TABLE alone (id int)']);
    expect(await exists('alone')).toBe(true);

    const { results, failure } = await session.batch(commands('BEGIX', 'CREATE TABLE t (id int)', 'COMMIT'));
    expect(results).toEqual([]);
    expect(failure).toMatchObject({ index: 0, error: { serverCode: '42601', connectionLost: false, position: 1 } });
    expect(await exists('t')).toBe(false);
    expect((await session.query('SELECT 1'))[0]?.rows).toEqual([['1']]);
  });

  test('a COMMIT in the middle is done before what follows fails', async () => {
    const { results, failure } = await session.batch(
      commands(
        'BEGIN',
        'CREATE TABLE kept (id int)',
        'COMMIT',
        'BEGIN',
        'CREATE TABLE gone (id int)',
        'SELECT 1/0',
        'COMMIT',
      ),
    );
    expect(results.map((result) => result.command)).toEqual([
      'BEGIN',
      'CREATE TABLE',
      'COMMIT',
      'BEGIN',
      'CREATE TABLE',
    ]);
    expect(failure).toMatchObject({ index: 5, error: { serverCode: '22012' } });
    await session.query('ROLLBACK');
    expect([await exists('kept'), await exists('gone')]).toEqual([true, false]);
  });

  test('a COMMIT that fails lets nothing of the next transaction run', async () => {
    await session.query(
      'CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int REFERENCES p DEFERRABLE INITIALLY DEFERRED)',
    );
    const { failure } = await session.batch(
      commands('BEGIN', 'INSERT INTO c VALUES (1)', 'COMMIT', 'BEGIN', 'CREATE TABLE t (id int)', 'COMMIT'),
    );
    expect(failure).toMatchObject({ index: 2, error: { serverCode: '23503' } });
    expect(await exists('t')).toBe(false);
  });

  test('a cancel request stops the statement and all that follow', async () => {
    const answered: number[] = [];
    let sleeping: (() => void) | undefined;
    const asleep = new Promise<void>((resolve) => (sleeping = resolve));
    const sent = session.batch(
      [{ sql: 'SELECT 1', answersAtOnce: true }, ...commands('SELECT pg_sleep(60)', 'CREATE TABLE t (id int)')],
      (index) => {
        answered.push(index);
        sleeping?.();
      },
    );
    await asleep;
    for (;;) {
      await session.cancel();
      const outcome = await Promise.race([
        sent,
        new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 100)),
      ]);
      if (outcome === undefined) continue;
      expect(outcome.failure).toMatchObject({ index: 1, error: { serverCode: '57014' } });
      break;
    }
    expect(answered).toEqual([0]);
    expect(await exists('t')).toBe(false);
  });

  test('a connection that ends in the middle is told, with what was answered before', async () => {
    const { results, failure } = await session.batch([
      { sql: 'SELECT 1', answersAtOnce: true },
      { sql: 'SELECT pg_terminate_backend(pg_backend_pid())' },
      { sql: 'SELECT 2' },
    ]);
    expect(results).toHaveLength(1);
    expect(failure).toMatchObject({ index: 1, error: { connectionLost: true } });
  });

  test('results hold texts, counts, columns where asked for, and notices come along', async () => {
    const { results, failure } = await session.batch([
      { sql: 'CREATE TABLE t (id int, name text)' },
      { sql: 'INSERT INTO t VALUES ($1, $2), (2, $2)', values: ['1', null] },
      { sql: `SELECT id, name, $1::text AS "a b" FROM t ORDER BY id`, values: ["'ö'"], tellsColumns: true },
      { sql: 'SELECT id FROM t WHERE name = $1', values: ['x'] },
      { sql: 'UPDATE t SET name = id' },
      { sql: `DO $$ BEGIN RAISE NOTICE 'here'; END $$` },
      { sql: '-- nothing' },
    ]);
    expect(failure).toBeUndefined();
    expect(results).toEqual([
      { command: 'CREATE TABLE', rowCount: null, columns: [], rows: [] },
      { command: 'INSERT', rowCount: 2, columns: [], rows: [] },
      {
        command: 'SELECT',
        rowCount: 2,
        columns: ['id', 'name', 'a b'],
        rows: [
          ['1', null, "'ö'"],
          ['2', null, "'ö'"],
        ],
      },
      { command: 'SELECT', rowCount: 0, columns: [], rows: [] },
      { command: 'UPDATE', rowCount: 2, columns: [], rows: [] },
      { command: 'DO', rowCount: null, columns: [], rows: [] },
      { command: '', rowCount: null, columns: [], rows: [] },
    ]);
    expect(session.takeNotices()).toEqual(['NOTICE: here']);
  });

  test('plans are kept over batches, and made anew after a failure or when a script has ended them', async () => {
    const command: Command = { sql: 'SELECT 7 / $1', values: ['7'], keepsPlan: true };
    const kept = async (): Promise<string | null | undefined> =>
      (await session.query('SELECT count(*) FROM pg_prepared_statements'))[0]?.rows[0]?.[0];
    const ask = async (): Promise<unknown> => (await session.batch([command, command])).results.map(({ rows }) => rows);
    expect(await ask()).toEqual([[['1']], [['1']]]);
    expect(await ask()).toEqual([[['1']], [['1']]]);
    expect(await kept()).toBe('1');

    const failed = await session.batch([
      { ...command, values: ['0'] },
      { sql: 'SELECT 8', keepsPlan: true },
    ]);
    expect(failed.failure).toMatchObject({ index: 0, error: { serverCode: '22012' } });
    expect(await ask()).toEqual([[['1']], [['1']]]);
    expect((await session.batch([{ sql: 'SELECT 8', keepsPlan: true }])).results[0]?.rows).toEqual([['8']]);
    expect(await kept()).toBe('2');

    await session.query('DEALLOCATE ALL');
    session.forgetPlans();
    expect(await ask()).toEqual([[['1']], [['1']]]);
    expect(await kept()).toBe('1');
  });

  describe('what was written down before', () => {
    const divide = (by: string, more: Partial<Command> = {}): Command => ({
      sql: 'SELECT 7 / $1',
      values: [by],
      keepsPlan: true,
      ...more,
    });
    const rows = async (list: readonly Command[]): Promise<unknown> =>
      (await session.batch(list)).results.map((result) => result.rows);
    const parsed = async (): Promise<readonly unknown[]> =>
      (await session.query('SELECT statement FROM pg_prepared_statements ORDER BY 1'))[0]?.rows.flat() ?? [];

    test('is sent in its place among what was not, and gives the same', async () => {
      const list: readonly Command[] = [
        divide('7'),
        { sql: `SELECT 'once', $1`, values: ['ö'], tellsColumns: true },
        { sql: 'SELECT 8', keepsPlan: true },
        divide('1', { answersAtOnce: true }),
      ];
      // By then the server knows the plans; before, it has to be told of them.
      session.draft?.(list);
      const first = await session.batch(list);
      session.draft?.(list.slice(1));
      expect(await session.batch(list)).toEqual(first);
      expect(first.results.map((result) => result.rows)).toEqual([[['1']], [['once', 'ö']], [['8']], [['7']]]);
      expect(first.results[1]?.columns).toEqual(['?column?', '?column?']);
      expect(await parsed()).toEqual(['SELECT 7 / $1', 'SELECT 8']);
    });

    test('is not sent when the plans are not relied on any more', async () => {
      const command = divide('7');
      await session.batch([command]);
      session.draft?.([command]);
      await session.query('DEALLOCATE ALL');
      session.forgetPlans();
      expect(await rows([command])).toEqual([[['1']]]);
      expect(await parsed()).toEqual(['SELECT 7 / $1']);
    });

    test('is not sent when its plan may have gone with a batch that failed meanwhile', async () => {
      const command = divide('7');
      await session.batch([command]);
      const failing = session.batch([{ sql: 'DEALLOCATE ALL' }, { sql: 'SELECT 1 / 0' }, divide('1')]);
      session.draft?.([command]);
      expect((await failing).failure).toMatchObject({ index: 1 });
      expect(await rows([command])).toEqual([[['1']]]);
    });

    test('belongs to that object: another with the same text has its own values', async () => {
      await session.batch([divide('1')]);
      session.draft?.([divide('7')]);
      expect(await rows([divide('1')])).toEqual([[['7']]]);
    });
  });

  test('a fault of the listener is told, and does not end the process', async () => {
    const { failure } = await session.batch(commands('SELECT 1', 'SELECT 2'), () => {
      throw new Error('listener');
    });
    expect(failure?.error.message).toBe('listener');
    expect((await session.query('SELECT 3'))[0]?.rows).toEqual([['3']]);
  });

  test('COPY without its data breaks the connection rather than waiting for ever', async () => {
    await session.query('CREATE TABLE t (id int)');
    const { failure } = await session.batch(commands('COPY t FROM STDIN'));
    expect(failure).toMatchObject({ index: 0, error: { connectionLost: true } });
  });
});
