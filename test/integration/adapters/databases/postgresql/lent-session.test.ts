import { randomBytes } from 'node:crypto';
import { connect as connectSocket, type Socket } from 'node:net';
import fc from 'fast-check';
import knexFactory, { type Knex } from 'knex';
import pg from 'pg';
import { Sequelize } from 'sequelize';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { postgresql } from '../../../../../adapters/databases/postgresql/index.js';
import type { Session } from '../../../../../src/adapter/database.js';
import type { LentAnswer, LentOutcome, LentSession, OpenDoor } from '../../../../../src/adapter/lent-session.js';
import { createDatabase, forEachMajor, runOn, type TestDatabase } from '../../../../harness/postgres.js';
import { startProxy } from '../../../../harness/proxy.js';
import { connectTo } from '../../../../harness/session.js';

interface Lent {
  readonly outcome: LentOutcome;
  readonly told: readonly string[];
  readonly answers: readonly LentAnswer[];
}

interface Use {
  /** Why a statement must not be sent. */
  readonly objects?: (text: string) => string | undefined;
  readonly idleMs?: number;
}

forEachMajor((server) => {
  let database: TestDatabase;
  let session: Session;
  let door: LentSession;
  beforeAll(async () => {
    database = await createDatabase(server.url);
    await runOn(database.url, 'CREATE TABLE t (id int PRIMARY KEY, note text)');
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    session = await connectTo(database);
    await session.query('BEGIN');
    if (postgresql.lend === undefined) throw new Error('PostgreSQL lends its sessions.');
    door = await postgresql.lend(session);
  });
  afterEach(async () => {
    await door.close();
    await session.close();
  });

  const lend = async (
    work: (door: OpenDoor) => Promise<void>,
    { objects, idleMs = 20_000 }: Use = {},
  ): Promise<Lent> => {
    const told: string[] = [];
    const answers: LentAnswer[] = [];
    const outcome = await door.lend(
      {
        onStatement: (text) => {
          const reason = objects?.(text);
          if (reason === undefined) told.push(text);
          return reason;
        },
        onAnswer: (answer) => answers.push(answer),
      },
      { idleMs },
      work,
    );
    return { outcome, told, answers };
  };
  /** A program with one connection, which needs no set-up. */
  const program = (work: (client: pg.Client) => Promise<void>, use?: Use): Promise<Lent> =>
    lend(async (inside) => {
      inside.setUpEnds();
      const client = await connectClient(door);
      await work(client);
      await client.end();
    }, use);
  const notes = async (): Promise<unknown> => (await session.query('SELECT note FROM t ORDER BY id'))[0]?.rows;

  describe('statements', () => {
    test('are told with their values, answered, and belong to the transaction that was open', async () => {
      const { outcome, told, answers } = await program(async (client) => {
        await client.query("INSERT INTO t VALUES (1, 'a;b') -- one\n; INSERT INTO t VALUES (2, 'c'), (3, 'd');");
        await client.query('UPDATE t SET note = $2 WHERE id > $1', [1, "it's"]);
        const { rows } = await client.query('DELETE FROM t WHERE id = $1 RETURNING note', [3]);
        expect(rows).toEqual([{ note: "it's" }]);
        expect((await client.query('SELECT * FROM t WHERE id = $1', [9])).rows).toEqual([]);
      });
      expect(outcome).toEqual({ kind: 'done' });
      expect(told).toEqual([
        "INSERT INTO t VALUES (1, 'a;b')",
        "INSERT INTO t VALUES (2, 'c'), (3, 'd')",
        "UPDATE t SET note = 'it''s' WHERE id > '1'",
        "DELETE FROM t WHERE id = '3' RETURNING note",
        "SELECT * FROM t WHERE id = '9'",
      ]);
      expect(answers.map(({ rowCount, returnsRows }) => [rowCount, returnsRows])).toEqual([
        [1, false],
        [2, false],
        [2, false],
        [1, true],
        [0, true],
      ]);
      expect(answers.every(({ durationMs }) => durationMs > 0 && durationMs < 10_000)).toBe(true);
      expect(await notes()).toEqual([['a;b'], ["it's"]]);
      expect(await runOn(database.url, 'SELECT * FROM t')).toEqual([]);
      await session.query('ROLLBACK');
      expect(await notes()).toEqual([]);
    });

    test('of many connections run one after the other', async () => {
      const { outcome, told } = await lend(async (inside) => {
        inside.setUpEnds();
        const clients = await Promise.all([1, 2, 3].map(() => connectClient(door)));
        await Promise.all(
          clients.map(async (client, at) => {
            for (const n of [1, 2, 3]) await client.query('INSERT INTO t VALUES ($1, $2)', [at * 3 + n, String(at)]);
          }),
        );
        await Promise.all(clients.map((client) => client.end()));
      });
      expect(outcome).toEqual({ kind: 'done' });
      expect(told).toHaveLength(9);
      expect((await session.query('SELECT count(*) FROM t'))[0]?.rows).toEqual([['9']]);
    });

    test('that are prepared under a name have it for their connection alone', async () => {
      const { outcome, told } = await lend(async (inside) => {
        inside.setUpEnds();
        const [one, two] = [await connectClient(door), await connectClient(door)];
        const first = { name: 'same', text: 'SELECT $1::int + 1 AS n' };
        const second = { name: 'same', text: 'SELECT $1::int * 10 AS n' };
        for (const value of [1, 2]) {
          expect((await one.query(first, [value])).rows).toEqual([{ n: value + 1 }]);
          expect((await two.query(second, [value])).rows).toEqual([{ n: value * 10 }]);
        }
        await Promise.all([one.end(), two.end()]);
      });
      expect(outcome).toEqual({ kind: 'done' });
      expect(told.slice(2)).toEqual(["SELECT '2'::int + 1 AS n", "SELECT '2'::int * 10 AS n"]);
      expect((await session.query("SELECT count(*) FROM pg_prepared_statements WHERE name ~ 'lent'"))[0]?.rows).toEqual(
        [['0']],
      );
    });

    test('give what they give on a connection to the server', async () => {
      const text = `SELECT 1 AS int, 9007199254740993 AS bigint, 1.50 AS numeric, 0.1::float8 AS float, true AS bool,
        '{"a": [1, null]}'::json AS json, '{"b": 2}'::jsonb AS jsonb, '2024-02-29 12:00:00.123+02'::timestamptz AS moment,
        '2024-02-29'::date AS day, '\\x00ff5c27'::bytea AS bytes, NULL AS nothing, ARRAY[1, NULL, 3] AS list,
        ARRAY['a', 'b "c"'] AS texts, 'ä𝄞' AS text, '1 day 02:00'::interval AS span, '' AS empty`;
      const direct = new pg.Client(database.url);
      await direct.connect();
      const values = [new Date(0), Buffer.from([0, 255, 39]), ['x', null], { a: 1 }, null, 1.5];
      const withValues =
        'SELECT $1::timestamptz AS a, $2::bytea AS b, $3::text[] AS c, $4::jsonb AS d, $5::int AS e, $6::float8 AS f';
      try {
        const expected = [await direct.query(text), await direct.query(withValues, values)];
        const { outcome } = await program(async (client) => {
          for (const [at, got] of [await client.query(text), await client.query(withValues, values)].entries()) {
            expect(got.rows).toEqual(expected[at]?.rows);
            expect(got.fields.map(({ dataTypeID }) => dataTypeID)).toEqual(
              expected[at]?.fields.map(({ dataTypeID }) => dataTypeID),
            );
            expect(got.command).toBe('SELECT');
          }
        });
        expect(outcome).toEqual({ kind: 'done' });
      } finally {
        await direct.end();
      }
    });

    test('as told do the same with the values in them', async () => {
      let last: string | undefined;
      const value = fc.record({
        text: fc.oneof(
          fc.string({ unit: 'grapheme' }),
          fc.string({ unit: fc.constantFrom("'", '\\', '$1', '$$', '"', '--', '/*', '\n', 'E', ';', '𝄞', ':x') }),
        ),
        number: fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true })),
        nothing: fc.option(fc.string({ unit: 'grapheme-ascii' })),
        bytes: fc.uint8Array({ maxLength: 40 }),
        flag: fc.boolean(),
        list: fc.array(fc.option(fc.string({ unit: 'grapheme-ascii' })), { maxLength: 4 }),
      });
      const text = `SELECT $1::text AS a, '$1' || $2::float8 /* $3 */ AS b, $3::text AS c, $t$ $4 $t$ AS d, $4::bytea AS e,
        -- $5's
        $5::boolean AS "$6", ($6::text[])[1] AS g, E'\\'$1' || $1 AS h`;
      const { outcome } = await lend(
        async (inside) => {
          inside.setUpEnds();
          const client = await connectClient(door);
          await fc.assert(
            fc.asyncProperty(value, async ({ text: string, number, nothing, bytes, flag, list }) => {
              fc.pre(!JSON.stringify([string, nothing, list]).includes('\\u0000'));
              const values = [string, number, nothing, Buffer.from(bytes), flag, list];
              const { rows } = await client.query<Record<string, unknown>>(text, values);
              expect(rows).toHaveLength(1);
              expect((await client.query(last ?? '')).rows).toEqual(rows);
            }),
            { numRuns: 60 },
          );
          await client.end();
        },
        {
          objects: (told) => {
            last = told;
            return undefined;
          },
        },
      );
      expect(outcome).toEqual({ kind: 'done' });
    });
    test('name the types that the program names', async () => {
      const { told, outcome } = await lend(async (inside) => {
        inside.setUpEnds();
        const socket = await logIn(door);
        const parse = Buffer.concat([text('', 'SELECT $1, $2, ($3)'), int16(3), int32(20), int32(0), int32(23)]);
        const five = Buffer.from([0, 0, 0, 5]);
        const bind = Buffer.concat([
          text('', ''),
          ...[3, 0, 0, 1, 3].map(int16),
          ...[int32(2), Buffer.from('42'), int32(-1), int32(4), five, int16(0)],
        ]);
        socket.write(Buffer.concat([frame('P', parse), frame('B', bind), frame('E', text(''), int32(0)), frame('S')]));
        expect(await socket.until('Z')).toEqual(['1', '2', 'D', 'C', 'Z']);
        socket.write(frame('X'));
        await socket.closed;
      });
      expect(outcome).toEqual({ kind: 'done' });
      expect(told).toEqual(["SELECT '42'::bigint, NULL, ('5'::integer)"]);
    });

    test('whose values tell their types in one place only have them in all', async () => {
      const { outcome, told } = await program(async (client) => {
        expect((await client.query('SELECT $1::int + 1 AS a, $1 AS b', [5])).rows).toEqual([{ a: 6, b: 5 }]);
        await client.query('INSERT INTO t VALUES ($1, $2)', [1, Buffer.from('as bytes')]);
        const named = { name: 'n', text: 'SELECT $1::int AS a, $1 AS b' };
        for (const value of [1, 2]) expect((await client.query(named, [value])).rows).toEqual([{ a: value, b: value }]);
        await expect(client.query('SELECT $1::int, $1, missing', [1])).rejects.toMatchObject({ code: '42703' });
      });
      expect(told).toEqual([
        "SELECT '5'::integer::int + 1 AS a, '5'::integer AS b",
        "INSERT INTO t VALUES ('1', 'as bytes'::text)",
        "SELECT '1'::integer::int AS a, '1'::integer AS b",
        "SELECT '2'::integer::int AS a, '2'::integer AS b",
        "SELECT '1'::int, '1', missing",
      ]);
      expect(outcome).toMatchObject({ kind: 'failed', index: 4, failure: { position: 23 } });
    });

    test('may be long, and have many values', async () => {
      const long = 'x'.repeat(5_000_000);
      const ids = Array.from({ length: 40_000 }, (_, id) => id);
      const { outcome, told } = await program(async (client) => {
        const places = ids.map((id) => `($${String(id + 1)}::int)`).join(',');
        const sum = `SELECT sum(n)::int AS sum FROM (VALUES ${places}) AS v (n)`;
        expect((await client.query(sum, ids)).rows).toEqual([{ sum: (39_999 * 40_000) / 2 }]);
        expect((await client.query('SELECT $1::text AS long', [long])).rows).toEqual([{ long }]);
      });
      expect(outcome).toEqual({ kind: 'done' });
      expect(told[0]?.endsWith("('39999'::int)) AS v (n)")).toBe(true);
      expect(told[1]?.length).toBe(long.length + "SELECT ''::text AS long".length);
    });

    test('may come with Flush, and stay open while others wait', async () => {
      const { outcome, told, answers } = await lend(async (inside) => {
        inside.setUpEnds();
        const [socket, other] = [await logIn(door), await connectClient(door)];
        socket.write(frame('P', text('', 'SELECT generate_series(1, 5)'), int16(0)));
        socket.write(frame('B', text('', ''), int16(0), int16(0), int16(0)));
        socket.write(Buffer.concat([frame('E', text(''), int32(2)), frame('H')]));
        expect(await socket.until('s')).toEqual(['1', '2', 'D', 'D', 's']);
        const waiting = other.query('SELECT 7 AS n');
        socket.write(Buffer.concat([frame('E', text(''), int32(2)), frame('H')]));
        expect(await socket.until('s')).toEqual(['D', 'D', 's']);
        socket.write(frame('S'));
        expect(await socket.until('Z')).toEqual(['Z']);
        expect((await waiting).rows).toEqual([{ n: 7 }]);
        socket.write(frame('X'));
        await other.end();
      });
      expect(outcome).toEqual({ kind: 'done' });
      expect(told).toEqual(['SELECT generate_series(1, 5)', 'SELECT 7 AS n']);
      expect(answers.map(({ returnsRows }) => returnsRows)).toEqual([true, true]);
    });
  });

  describe('a set-up', () => {
    test('is not told, on any connection; what comes behind it is', async () => {
      const { outcome, told } = await lend(async (inside) => {
        const first = await connectClient(door);
        await first.query("SET TIME ZONE 'UTC'");
        await first.query('SELECT $1::int', [1]);
        inside.setUpEnds();
        await first.query('SELECT $1::int', [1]);
        const second = await connectClient(door);
        await second.query("SET TIME ZONE 'UTC'");
        await second.query('SELECT 2');
        await second.query("SET TIME ZONE 'UTC'");
        const third = await connectClient(door);
        await third.query('SELECT 3');
        await Promise.all([first.end(), second.end(), third.end()]);
      });
      expect(outcome).toEqual({ kind: 'done' });
      expect(told).toEqual(["SELECT '1'::int", 'SELECT 2', "SET TIME ZONE 'UTC'", 'SELECT 3']);
    });

    test('that fails is told from what fails behind it', async () => {
      const { outcome } = await lend(async () => {
        const client = await connectClient(door);
        await expect(client.query('SELECT 1/0')).rejects.toThrow('division by zero');
        await client.end();
      });
      expect(outcome).toMatchObject({ kind: 'failed', index: -1, failure: { serverCode: '22012' } });
    });
  });

  describe('transactions of the program', () => {
    test('are savepoints of one transaction', async () => {
      const { outcome, told } = await program(async (client) => {
        expect((await client.query('/* x */ begin;')).command).toBe('BEGIN');
        await client.query("INSERT INTO t VALUES (1, 'a')");
        expect((await client.query('Commit -- y')).command).toBe('COMMIT');
        expect((await client.query('START TRANSACTION READ WRITE, ISOLATION LEVEL READ COMMITTED')).command).toBe(
          'BEGIN',
        );
        await client.query('END WORK');
        await client.query({ text: 'BEGIN', name: 'named' });
        await client.query({ text: 'COMMIT', values: [] });
        expect((await client.query('COMMIT')).command).toBe('COMMIT');
      });
      expect(outcome).toEqual({ kind: 'done' });
      expect(told).toEqual(["INSERT INTO t VALUES (1, 'a')"]);
      expect(await notes()).toEqual([['a']]);
      await session.query('ROLLBACK');
      expect(await notes()).toEqual([]);
    });

    test('show their status to those who began them', async () => {
      await lend(async (inside) => {
        inside.setUpEnds();
        const [one, two] = [await logIn(door), await logIn(door)];
        const status = async (socket: RawProgram, sql: string): Promise<string> => {
          socket.write(frame('Q', text(sql)));
          await socket.until('Z');
          return socket.status;
        };
        expect(await status(one, 'SELECT 1')).toBe('I');
        expect(await status(one, 'BEGIN')).toBe('T');
        expect(await status(two, 'SELECT 1')).toBe('I');
        expect(await status(one, 'SELECT 1/0')).toBe('E');
        expect(await status(two, 'SELECT 1')).toBe('I');
        expect(await status(one, 'ROLLBACK')).toBe('I');
        one.write(frame('X'));
        two.write(frame('X'));
      });
    });

    test('may end in another order than they began', async () => {
      const { outcome } = await lend(async (inside) => {
        inside.setUpEnds();
        const [one, two] = [await connectClient(door), await connectClient(door)];
        await one.query('BEGIN');
        await two.query('BEGIN');
        await one.query("INSERT INTO t VALUES (1, 'a')");
        await one.query('COMMIT');
        await two.query("INSERT INTO t VALUES (2, 'b')");
        await two.query('COMMIT');
        await Promise.all([one.end(), two.end()]);
      });
      expect(outcome).toEqual({ kind: 'done' });
      expect(await notes()).toEqual([['a'], ['b']]);
    });

    test('that are taken back are not for a plan, though the program gets its way', async () => {
      const { outcome } = await program(async (client) => {
        await client.query('BEGIN');
        await client.query("INSERT INTO t VALUES (1, 'a')");
        expect((await client.query('ROLLBACK')).command).toBe('ROLLBACK');
        await expect(client.query('SELECT 1')).rejects.toThrow(/took back work of its own/);
      });
      expect(outcome).toMatchObject({
        kind: 'refused',
        reason: expect.stringMatching(/took back work of its own/) as string,
        wentBack: true,
      });
      expect(await notes()).toEqual([]);
    });

    test('that are taken back after a failure are a failure', async () => {
      const { outcome, told } = await program(async (client) => {
        await client.query('BEGIN');
        await expect(client.query('SELECT * FROM missing')).rejects.toMatchObject({ code: '42P01' });
        expect((await client.query('COMMIT')).command).toBe('ROLLBACK');
      });
      expect(told).toEqual(['SELECT * FROM missing']);
      expect(outcome).toMatchObject({ kind: 'failed', index: 0, failure: { serverCode: '42P01', position: 15 } });
    });

    test('that are left open are refused', async () => {
      const { outcome } = await program(async (client) => {
        await client.query('BEGIN');
        await client.query("INSERT INTO t VALUES (1, 'a')");
      });
      expect(outcome).toMatchObject({ kind: 'refused', reason: expect.stringMatching(/neither committed/) as string });
      expect(await notes()).toEqual([['a']]);
    });
  });

  describe('the door refuses', () => {
    const refused: readonly (readonly [string, RegExp])[] = [
      ['BEGIN ISOLATION LEVEL SERIALIZABLE', /modes of its own/],
      ['START TRANSACTION READ ONLY', /modes of its own/],
      ['BEGIN; SELECT 1; COMMIT', /must come by itself/],
      ["PREPARE TRANSACTION 'x'", /PREPARE TRANSACTION/],
      ['DISCARD ALL', /DISCARD ALL/],
      ['SET SESSION AUTHORIZATION DEFAULT', /SESSION AUTHORIZATION/],
      ['SET TRANSACTION READ ONLY', /SET TRANSACTION/],
      ['COMMIT AND CHAIN', /AND CHAIN/],
      ['SET standard_conforming_strings = off', /standard_conforming_strings/],
      ['COPY t FROM STDIN', /COPY through a program/],
      ['COPY (SELECT 1) TO STDOUT', /COPY through a program/],
    ];
    test.each(refused)('%s', async (sql, reason) => {
      const { outcome, told } = await program(async (client) => {
        await expect(client.query(sql)).rejects.toMatchObject({ code: '0A000', message: reason });
        await expect(client.query('SELECT $1::int', [1])).rejects.toMatchObject({ message: reason });
      });
      expect(outcome).toEqual({ kind: 'refused', wentBack: false, reason: expect.stringMatching(reason) as string });
      expect(told).toEqual([]);
      expect((await session.query('SELECT 1'))[0]?.rows).toEqual([['1']]);
    });

    test('what the watch objects to, in both protocols', async () => {
      for (const values of [[], [2]]) {
        const objects = (told: string): string | undefined => (told.startsWith('DELETE') ? 'Not this.' : undefined);
        const sql = values.length === 0 ? 'DELETE FROM t' : 'DELETE FROM t WHERE id < $1';
        const { outcome, told, answers } = await program(
          async (client) => {
            await client.query("INSERT INTO t VALUES (1, 'a') ON CONFLICT DO NOTHING");
            await expect(client.query(sql, values)).rejects.toThrow('Not this.');
            await expect(client.query('SELECT 1')).rejects.toThrow('Not this.');
          },
          { objects },
        );
        expect(outcome).toEqual({ kind: 'refused', wentBack: false, reason: 'Not this.' });
        expect([told.length, answers.length]).toEqual([1, 1]);
        expect(await notes()).toEqual([['a']]);
      }
    });

    test('everything after an error of the watch, which is thrown', async () => {
      const watches = [
        { onStatement: () => fault(), onAnswer: () => undefined },
        { onStatement: () => undefined, onAnswer: () => fault() },
      ];
      for (const watch of watches) {
        const lent = door.lend(watch, { idleMs: 20_000 }, async (inside) => {
          inside.setUpEnds();
          const client = await connectClient(door);
          await client.query('SELECT $1::int', [1]).catch(() => undefined);
          await client.end();
        });
        await expect(lent).rejects.toThrow('of the watch');
        expect((await session.query('SELECT 1'))[0]?.rows).toEqual([['1']]);
      }
    });

    test('what is no statement: COPY of a file is one', async () => {
      const { outcome } = await program(async (client) => {
        await expect(client.query("COPY t FROM '/nowhere/at/all'")).rejects.toMatchObject({ code: '58P01' });
      });
      expect(outcome).toMatchObject({ kind: 'failed', index: 0 });
    });
  });

  describe('a failure', () => {
    test('that the program catches is one all the same, the first of them', async () => {
      const { outcome, told, answers } = await program(async (client) => {
        await client.query("INSERT INTO t VALUES (1, 'a')");
        await expect(client.query('INSERT INTO t VALUES ($1, $2)', [1, 'b'])).rejects.toMatchObject({ code: '23505' });
        await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' });
      });
      expect(outcome).toMatchObject({
        kind: 'failed',
        index: 1,
        failure: { serverCode: '23505', condition: 'key-taken', connectionLost: false },
      });
      expect([told.length, answers.length]).toEqual([3, 1]);
      await session.query('ROLLBACK');
      expect((await session.query('SELECT 1'))[0]?.rows).toEqual([['1']]);
    });

    test('has its place in the statement as it was told', async () => {
      const { outcome } = await program(async (client) => {
        await expect(client.query("/* 𝄞 */ SELECT $1::text || '𝄞', missing", ['a long value 𝄞'])).rejects.toMatchObject(
          { code: '42703' },
        );
      });
      const told = "SELECT 'a long value 𝄞'::text || '𝄞', missing";
      expect(outcome).toMatchObject({ failure: { position: told.indexOf('missing') + 1 - 2 } });
    });

    test('in a text of several is that of the statement it is in', async () => {
      const { outcome, told, answers } = await program(async (client) => {
        await expect(client.query("INSERT INTO t VALUES (1, 'a'); SELECT missing; SELECT 1")).rejects.toMatchObject({
          code: '42703',
        });
      });
      expect(outcome).toMatchObject({ kind: 'failed', index: 1, failure: { position: 8 } });
      expect([told.length, answers.length]).toEqual([3, 1]);
    });

    test('of the connection is told, and nothing waits for ever', async () => {
      const { outcome } = await program(async (client) => {
        client.on('error', () => undefined);
        const sleeping = client.query('SELECT pg_sleep(60)');
        const slept = expect(sleeping).rejects.toThrow();
        await runOn(server.url, waitAndEnd(session.facts.backendId));
        await slept;
      }).catch((error: unknown) => ({ outcome: { kind: 'thrown' as const, error } }));
      expect(outcome).toMatchObject({
        kind: 'failed',
        index: 0,
        failure: { serverCode: '57P01', connectionLost: true },
      });
      await expect(session.query('SELECT 1')).rejects.toMatchObject({ code: 'connection-lost', serverCode: '57P01' });
    });

    test('of the connection without a last word is told too', async () => {
      const proxy = await startProxy({
        serverUrl: server.url,
        onMessage: ({ from, type, bytes }) =>
          from === 'client' && type === 'P' && bytes.includes('cut') ? 'cut-before' : 'pass',
      });
      const url = new URL(database.jdbcUrl.slice('jdbc:'.length));
      url.host = `127.0.0.1:${String(proxy.port)}`;
      const own = await connectTo({ ...database, jdbcUrl: `jdbc:${url.href}` });
      await own.query('BEGIN');
      const ownDoor = await postgresql.lend?.(own);
      try {
        const watch = { onStatement: () => undefined, onAnswer: () => undefined };
        const outcome = await ownDoor?.lend(watch, { idleMs: 20_000 }, async (inside) => {
          inside.setUpEnds();
          const client = await connectClient(ownDoor);
          client.on('error', () => undefined);
          await expect(client.query("SELECT 'cut', $1::int", [1])).rejects.toThrow();
        });
        expect(outcome).toMatchObject({
          kind: 'failed',
          index: 0,
          failure: { serverCode: undefined, connectionLost: true },
        });
      } finally {
        await ownDoor?.close();
        await own.close();
        await proxy.stop();
      }
    });

    test('of the connection between two statements is thrown', async () => {
      const lost = lend(async () => {
        const client = await connectClient(door);
        const ended = new Promise<void>((resolve) => client.on('error', () => resolve()));
        await client.query('SELECT 1');
        await runOn(server.url, `SELECT pg_terminate_backend(${String(session.facts.backendId)})`);
        await ended;
      });
      await expect(lost).rejects.toMatchObject({ code: 'connection-lost' });
    });
  });

  describe('the door is open', () => {
    test('only while the session is lent', async () => {
      await expect(connectClient(door)).rejects.toMatchObject({ code: '57P03' });
      await lend(async () => (await connectClient(door)).end());
      await expect(connectClient(door)).rejects.toMatchObject({ code: '57P03' });
      await door.close();
      await expect(connectClient(door)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    });

    test('to those with its password, user and database', async () => {
      await lend(async () => {
        await expect(connectClient(door, { password: 'wrong' })).rejects.toMatchObject({ code: '28P01' });
        await expect(connectClient(door, { user: 'somebody' })).rejects.toMatchObject({ code: '28P01' });
        await expect(connectClient(door, { database: 'postgres' })).rejects.toMatchObject({ code: '3D000' });
      });
    });

    test('to one lending at a time, and another one after it', async () => {
      await lend(async () => {
        await expect(lend(() => Promise.resolve())).rejects.toMatchObject({ code: 'internal' });
      });
      for (const n of [1, 2]) {
        const { told } = await program(async (client) => {
          await client.query(`SELECT ${String(n)}`);
        });
        expect(told).toEqual([`SELECT ${String(n)}`]);
      }
    });

    test('not without an open transaction', async () => {
      await session.query('COMMIT');
      await expect(lend(() => Promise.resolve())).rejects.toThrow('without an open transaction');
      expect((await session.query('SELECT 1'))[0]?.rows).toEqual([['1']]);
    });

    test('to nobody who sends garbage, and the others notice nothing', async () => {
      const { outcome } = await program(async (client) => {
        for (const garbage of [
          randomBytes(64),
          Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
          Buffer.from([0, 0, 0, 1]),
          Buffer.from([0x7f, 0xff, 0xff, 0xff]),
          Buffer.from([0, 0, 0, 5, 1]),
        ]) {
          const socket = await rawConnect(door);
          socket.write(garbage);
          await socket.closed;
        }
        for (const garbage of [
          frame('?'),
          Buffer.from([0x51, 0xff, 0xff, 0xff, 0xff]),
          frame('P', Buffer.from('no end')),
          Buffer.concat([frame('B', text('')), frame('S')]),
          Buffer.concat([frame('P', text('', 'SELECT 1'), int16(0)), frame('Q', text('SELECT 1'))]),
        ]) {
          const socket = await logIn(door);
          socket.write(garbage);
          if (garbage[0] === 0x50 && garbage.length < 20) socket.write(frame('S'));
          expect(await socket.until('E')).toEqual(['E']);
          await socket.closed;
        }
        expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
      });
      expect(outcome).toEqual({ kind: 'done' });
    });

    test('to bytes that come one at a time', async () => {
      const { outcome, told } = await lend(async (inside) => {
        inside.setUpEnds();
        const socket = await logIn(door, 1);
        for (const byte of frame('Q', text("SELECT 'ä'"))) {
          socket.write(Buffer.from([byte]));
          await new Promise(setImmediate);
        }
        expect(await socket.until('Z')).toEqual(['T', 'D', 'C', 'Z']);
        socket.write(frame('X'));
        await socket.closed;
      });
      expect(outcome).toEqual({ kind: 'done' });
      expect(told).toEqual(["SELECT 'ä'"]);
    });

    test('not for a call by number', async () => {
      const { outcome } = await lend(async () => {
        const socket = await logIn(door);
        socket.write(frame('F', int32(1598), int16(0), int16(0), int16(0)));
        expect(await socket.until('Z')).toEqual(['E', 'Z']);
        socket.write(frame('X'));
      });
      expect(outcome).toMatchObject({ kind: 'refused', reason: expect.stringMatching(/by its number/) as string });
    });

    test('to a cancel of what is under way, by who sent it', async () => {
      const { outcome } = await program(async (client) => {
        const sleeping = client.query('SELECT pg_sleep(60)');
        const slept = expect(sleeping).rejects.toMatchObject({ code: '57014' });
        await isAsleep(server.url, session.facts.backendId);
        const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
        for (const secret of [secretKey ^ 1, secretKey]) {
          const socket = await rawConnect(door);
          socket.write(Buffer.concat([int32(16), int32(80877102), int32(processID), int32(secret)]));
          await socket.closed;
          if (secret !== secretKey) expect(await isAsleep(server.url, session.facts.backendId)).toBe(true);
        }
        await slept;
      });
      expect(outcome).toMatchObject({ kind: 'failed', index: 0, failure: { condition: 'cancelled' } });
    });
  });

  describe('a program that', () => {
    test('is idle ends', async () => {
      let left: pg.Client | undefined;
      const hung = lend(
        async () => {
          left = await connectClient(door);
          left.on('error', () => undefined);
          await left.query('SELECT pg_sleep(0.5)');
          await new Promise(() => undefined);
        },
        { idleMs: 300 },
      );
      await expect(hung).rejects.toMatchObject({ code: 'function-idle' });
      await expect(left?.query('SELECT 1')).rejects.toThrow();
      expect((await session.query('SELECT 1'))[0]?.rows).toEqual([['1']]);
    });

    test('is busy does not', async () => {
      const { outcome } = await program(
        async (client) => {
          await client.query('SELECT pg_sleep(0.7)');
        },
        {
          idleMs: 300,
        },
      );
      expect(outcome).toEqual({ kind: 'done' });
    });

    test('leaves its connection open has it ended, with what is under way answered', async () => {
      const { outcome, answers } = await lend(async (inside) => {
        inside.setUpEnds();
        const client = await connectClient(door);
        client.on('error', () => undefined);
        client.query("INSERT INTO t SELECT 1, 'a' FROM pg_sleep(0.2)").catch(() => undefined);
        await isAsleep(server.url, session.facts.backendId);
      });
      expect(outcome).toEqual({ kind: 'done' });
      expect(answers).toHaveLength(1);
      expect(await notes()).toEqual([['a']]);
    });

    test('throws has its error thrown, at ReadyForQuery', async () => {
      const thrown = lend(async () => {
        const client = await connectClient(door);
        client.on('error', () => undefined);
        client.query('SELECT pg_sleep(0.3)').catch(() => undefined);
        await isAsleep(server.url, session.facts.backendId);
        throw new Error('of the work');
      });
      await expect(thrown).rejects.toThrow('of the work');
      expect((await session.query('SELECT 1'))[0]?.rows).toEqual([['1']]);
    });

    test('breaks off in the middle of a unit leaves the session at ReadyForQuery', async () => {
      const { outcome } = await lend(async () => {
        const socket = await logIn(door);
        socket.write(Buffer.concat([frame('P', text('', 'SELECT 1'), int16(0)), frame('H')]));
        await socket.until('1');
        socket.destroy();
      });
      expect(outcome).toEqual({ kind: 'done' });
      expect((await session.query('SELECT 1'))[0]?.rows).toEqual([['1']]);
    });

    test('raises notices leaves them with the session', async () => {
      session.takeNotices();
      await program(async (client) => {
        const seen: unknown[] = [];
        client.on('notice', ({ message }) => seen.push(message));
        await client.query("DO $$ BEGIN RAISE NOTICE 'hello'; END $$");
        expect(seen).toEqual(['hello']);
      });
      expect(session.takeNotices()).toEqual(['NOTICE: hello']);
    });
  });

  describe('Knex', () => {
    const withKnex = (work: (knex: Knex) => Promise<void>): Promise<Lent> =>
      lend(async (inside) => {
        const { host, port, user, password, databaseName } = door.address;
        const knex = knexFactory({
          client: 'pg',
          connection: { host, port, user, password, database: databaseName },
          pool: { min: 0, max: 4 },
        });
        await knex.raw('SELECT 1');
        inside.setUpEnds();
        try {
          await work(knex);
        } finally {
          await knex.destroy();
        }
      });

    test('works in nested transactions', async () => {
      const { outcome, told } = await withKnex(async (knex) => {
        await knex.transaction(async (outer) => {
          await outer.schema.createTable('k', (table) => void table.increments('id').primary());
          await outer.transaction(async (inner) => {
            await inner('t').insert({ id: 1, note: "it's" });
          });
        });
        expect(await knex('t').where('id', 1).first()).toEqual({ id: 1, note: "it's" });
      });
      expect(outcome).toEqual({ kind: 'done' });
      expect(told).toEqual([
        'create table "k" ("id" serial primary key)',
        `insert into "t" ("id", "note") values ('1', 'it''s')`,
        `select * from "t" where "id" = '1' limit '1'`,
      ]);
      await session.query('ROLLBACK');
      expect((await session.query("SELECT to_regclass('k')"))[0]?.rows).toEqual([[null]]);
    });

    test('whose transaction fails is told as failed', async () => {
      const { outcome } = await withKnex(async (knex) => {
        await expect(
          knex.transaction(async (trx) => {
            await trx('missing').insert({ id: 1 });
          }),
        ).rejects.toMatchObject({ code: '42P01' });
      });
      expect(outcome).toMatchObject({ kind: 'failed', index: 0, failure: { serverCode: '42P01' } });
    });
  });

  describe('Sequelize', () => {
    test('works in a transaction and beside it', async () => {
      const { outcome, told } = await lend(async (inside) => {
        const { host, port, user, password, databaseName } = door.address;
        const sequelize = new Sequelize(databaseName, user, password, {
          host,
          port,
          dialect: 'postgres',
          logging: false,
        });
        await sequelize.authenticate();
        inside.setUpEnds();
        await sequelize.transaction(async (transaction) => {
          await sequelize.query('INSERT INTO t VALUES ($1, $2)', { bind: [1, 'a'], transaction });
          await sequelize.query("INSERT INTO t VALUES (2, 'beside')");
          await sequelize
            .getQueryInterface()
            .createTable('s', { id: { type: 'int', primaryKey: true } }, { transaction });
        });
        await sequelize.close();
      });
      expect(outcome).toEqual({ kind: 'done' });
      expect(told).toEqual([
        "INSERT INTO t VALUES ('1', 'a')",
        "INSERT INTO t VALUES (2, 'beside')",
        expect.stringMatching(/^CREATE TABLE IF NOT EXISTS "s"/),
      ]);
      expect(await notes()).toEqual([['a'], ['beside']]);
      await session.query('ROLLBACK');
      expect(await notes()).toEqual([]);
    });
  });
});

function fault(): never {
  throw new Error('of the watch');
}

async function connectClient(door: LentSession, other: pg.ClientConfig = {}): Promise<pg.Client> {
  const { host, port, user, password, databaseName } = door.address;
  const client = new pg.Client({ host, port, user, password, database: databaseName, ...other });
  await client.connect();
  return client;
}

/** Polls until the backend sleeps in pg_sleep. */
async function isAsleep(url: string, backend: number): Promise<true> {
  for (;;) {
    const [row] = await runOn(
      url,
      `SELECT wait_event = 'PgSleep' AS asleep FROM pg_stat_activity WHERE pid = ${String(backend)}`,
    );
    if (row?.['asleep'] === true) return true;
  }
}

function waitAndEnd(backend: number): string {
  return `DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ${String(backend)} AND wait_event = 'PgSleep')
    LOOP PERFORM pg_stat_clear_snapshot(), pg_sleep(0.01); END LOOP; PERFORM pg_terminate_backend(${String(backend)}); END $$`;
}

/** A program that writes its messages itself. */
interface RawProgram {
  write(bytes: Buffer): void;
  /** Types of the messages that came since the last call, up to and with this one. */
  until(type: string): Promise<readonly string[]>;
  /** Of the last ReadyForQuery. */
  readonly status: string;
  readonly closed: Promise<void>;
  destroy(): void;
}

async function rawConnect(door: LentSession): Promise<RawProgram> {
  const socket: Socket = connectSocket(door.address.port, door.address.host);
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.setNoDelay(true);
  let pending = Buffer.alloc(0);
  const types: string[] = [];
  let status = '';
  let wake: (() => void) | undefined;
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 5 && pending.length > pending.readInt32BE(1)) {
      const length = pending.readInt32BE(1) + 1;
      types.push(pending.toString('latin1', 0, 1));
      if (types.at(-1) === 'Z') status = pending.toString('latin1', 5, 6);
      pending = pending.subarray(length);
    }
    wake?.();
  });
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  return {
    write: (bytes) => void socket.write(bytes),
    until: async (type) => {
      while (!types.includes(type)) {
        await Promise.race([
          new Promise<void>((resolve) => (wake = resolve)),
          closed.then(() => {
            if (!types.includes(type)) throw new Error(`Closed after ${types.join('')}.`);
          }),
        ]);
      }
      return types.splice(0, types.indexOf(type) + 1);
    },
    get status() {
      return status;
    },
    closed,
    destroy: () => socket.destroy(),
  };
}

async function logIn(door: LentSession, chunk = Number.POSITIVE_INFINITY): Promise<RawProgram> {
  const { user, password, databaseName } = door.address;
  const program = await rawConnect(door);
  const options = Buffer.concat([int32(196608), text('user', user, 'database', databaseName, '')]);
  const bytes = Buffer.concat([int32(options.length + 4), options, frame('p', text(password))]);
  for (let at = 0; at < bytes.length; at += chunk) {
    program.write(bytes.subarray(at, at + chunk));
    await new Promise(setImmediate);
  }
  await program.until('Z');
  return program;
}

function frame(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

function text(...values: readonly string[]): Buffer {
  return Buffer.from(values.map((value) => `${value}\0`).join(''));
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
