import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Session } from '../../../src/adapter/database.js';
import { connect, loadProjectConfig } from '../../../src/compose/open-project.js';
import { compareLargeObjects, compareSequences } from '../../../src/proof/compare-sequences.js';
import { compareRows } from '../../../src/proof/compare-rows.js';
import { gradeOfCatalog } from '../../../src/proof/grade.js';
import type { TableRows } from '../../../src/proof/proof.js';
import { createDatabase, forEachMajor, type TestDatabase } from '../../harness/postgres.js';
import { createProject, type TestProject } from '../../harness/project.js';
import { toolbox } from '../../harness/toolbox.js';

/*
 * What counts as the same rows: the laws of the digest, on the servers' own types, and positions of sequences.
 */

/** Values of one type that a careless digest takes for equal, or fails on. */
const confusable: readonly { readonly type: string; readonly values: readonly string[]; readonly from?: number }[] = [
  {
    type: 'text',
    values: [`'a'`, `'a '`, `' a'`, `'A'`, `''`, 'NULL', `'NULL'`, `'"'`, `'a,b'`, `'()'`, `E'\\n'`, `'é'`],
  },
  { type: 'char(3)', values: [`'a'`, `' a'`, 'NULL', `''`] },
  { type: 'varchar', values: [`'a'`, `'a '`] },
  { type: 'numeric', values: ['1', '1.0', '1.00', `'NaN'`, '-1', '0', '0.0', '1e-30', '1e30', 'NULL'] },
  { type: 'numeric', values: [`'Infinity'`, `'-Infinity'`, `'NaN'`] },
  { type: 'real', values: ['1.5', '1.5000001', `'-0'`, `'0'`, `'NaN'`, `'Infinity'`, `'-Infinity'`] },
  { type: 'double precision', values: ['0.1', '0.10000000000000002', `'-0'`, `'0'`, '1e300', `'Infinity'`] },
  {
    type: 'timestamp',
    values: [`'2024-01-01 00:00:00.000001'`, `'2024-01-01'`, `'infinity'`, `'-infinity'`, `'0044-03-15 BC'`],
  },
  { type: 'timestamptz', values: [`'2024-06-01 00:00:00.1+00'`, `'2024-06-01 00:00:00.1+01'`, `'infinity'`] },
  { type: 'timetz', values: [`'12:00+00'`, `'13:00+01'`] },
  { type: 'date', values: [`'infinity'`, `'2024-02-01'`, `'2024-01-02'`] },
  { type: 'interval', values: [`'1 mon'`, `'30 days'`, `'720 hours'`, `'-1 mon'`] },
  { type: 'bytea', values: [`'\\x00'`, `'\\x'`, `'\\x0000'`, `'\\x5c78'`] },
  {
    type: 'json',
    values: [
      `'{"a":1,"b":2}'`,
      `'{"b":2,"a":1}'`,
      `'{"a": 1,"b":2}'`,
      `'{"a":1,"a":1}'`,
      `'"\\u0000"'`,
      `'null'`,
      'NULL',
    ],
  },
  { type: 'jsonb', values: [`'{"a":1}'`, `'{"a":1.0}'`, `'{"a":"1"}'`, `'null'`, 'NULL'] },
  {
    type: 'text[]',
    values: [`'{}'`, `'{NULL}'`, `'{"NULL"}'`, `'{""}'`, `'{a,b}'`, `'{"a,b"}'`, `'{{a,b}}'`, `'[2:3]={a,b}'`],
  },
  { type: 'int4range', values: [`'empty'`, `'[1,3)'`, `'(,)'`, `'[1,)'`] },
  { type: 'numrange', values: [`'[1,2)'`, `'[1,2]'`, `'[1.0,2)'`] },
  { type: 'int4multirange', values: [`'{}'`, `'{[1,2),[4,5)}'`, `'{[1,5)}'`] },
  { type: 'bit varying', values: [`B'0'`, `B'00'`, `B''`] },
  { type: 'inet', values: [`'10.0.0.1'`, `'10.0.0.1/24'`, `'::1'`] },
  { type: 'money', values: [`'1.00'`, `'1.01'`, `'-1.00'`] },
  { type: 'xml', values: [`'<a/>'`, `'<a></a>'`, `'<a b="1"/>'`] },
  { type: 'point', values: [`'(0,0)'`, `'(-0,0)'`, `'(1e-300,0)'`] },
  { type: 'tsvector', values: [`'a:1'`, `'a:2'`, `'a:1A'`, `'a'`] },
  { type: 'regclass', values: [`'pg_class'`, `'pg_type'`, `'app.plain'`] },
  { type: '"char"', values: [`'a'`, `''`, 'NULL'] },
  { type: 'uuid', values: [`'00000000-0000-0000-0000-000000000000'`, 'NULL'] },
  { type: 'app.pair', values: [`'(1,)'`, `'(,1)'`, `'(1,"")'`, `'(,)'`, 'NULL', `'(1," ")'`] },
  { type: 'app.positive', values: ['1', '2'] },
  { type: 'app.mood', values: [`'sad'`, `'sad '`] },
];

const settings = [
  `SET LOCAL datestyle = 'SQL, DMY'; SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL timezone = 'Asia/Kolkata'`,
  `SET LOCAL bytea_output = 'escape'; SET LOCAL extra_float_digits = -15; SET LOCAL search_path = app, public`,
  `SET LOCAL quote_all_identifiers = on; SET LOCAL xmlbinary = 'hex'; SET LOCAL xmloption = 'document'`,
];

const strangeNames = ['Upper "Quote"', 'a.b.c', '🦊 emoji', "it's; -- '", 'n'.repeat(63), 'select', 'new\nline', '\\'];

forEachMajor((server) => {
  let database: TestDatabase;
  let project: TestProject;
  let session: Session;

  beforeAll(async () => {
    database = await createDatabase(server.url);
    project = await createProject({ database });
    session = await connect(await loadProjectConfig({ folder: project.folder, environment: {} }));
    await session.query(`CREATE SCHEMA app; CREATE TYPE app.pair AS (x int, y text); CREATE DOMAIN app.positive AS int CHECK (VALUE > 0);
CREATE TYPE app.mood AS ENUM ('sad', 'sad '); CREATE TABLE app.plain (a int)`);
  });
  afterAll(async () => {
    await session.close();
    await project.remove();
    await database.drop();
  });

  /** Inside a transaction that is taken back. */
  async function inside<T>(work: () => Promise<T>): Promise<T> {
    await session.query('BEGIN');
    try {
      return await work();
    } finally {
      await session.query('ROLLBACK');
    }
  }

  const queries = () => toolbox.database.loadProofQueries();
  const rowsNow = async (only?: readonly string[]): Promise<ReadonlyMap<string, TableRows>> =>
    (await queries()).readRows(session, [], only);

  /** Digest of a table with these columns and rows. */
  async function digestOf(columns: string, rows: readonly string[]): Promise<TableRows | undefined> {
    await session.query(
      `DROP TABLE IF EXISTS app.t; CREATE TABLE app.t (${columns})${rows.map((row) => `; INSERT INTO app.t ${row}`).join('')}`,
    );
    return (await rowsNow(['app.t'])).get('app.t');
  }

  test.each(confusable)('every value of $type has a digest of its own', async ({ type, values }) => {
    await inside(async () => {
      const digests = new Map<string, string>();
      for (const value of values) {
        const rows = await digestOf(`v ${type}`, [`VALUES (CAST(${value} AS ${type}))`]);
        expect(rows?.count).toBe(1);
        const twin = [...digests].find(([, digest]) => digest === rows?.digest);
        expect(twin, `${value} and ${twin?.[0] ?? ''}`).toBeUndefined();
        digests.set(value, rows?.digest ?? '');
      }
    });
  });

  test('is the same whatever the settings of the session are, and leaves them alone', async () => {
    await inside(async () => {
      for (const [at, { type, values }] of confusable.entries()) {
        const rows = values.map((value) => `(CAST(${value} AS ${type}))`).join(', ');
        await session.query(`CREATE TABLE app.s${at} (v ${type}); INSERT INTO app.s${at} VALUES ${rows}`);
      }
      const plain = await rowsNow();
      expect(plain.size).toBe(confusable.length);
      for (const change of settings) {
        await session.query(`SAVEPOINT changed; ${change}`);
        const [shown] = await session.query('SELECT name, setting FROM pg_settings ORDER BY name');
        expect(await rowsNow()).toEqual(plain);
        const [still] = await session.query('SELECT name, setting FROM pg_settings ORDER BY name');
        expect(still?.rows).toEqual(shown?.rows);
        await session.query('ROLLBACK TO SAVEPOINT changed');
      }
    });
  });

  const cell = fc.option(fc.constantFrom('', ' ', 'a', 'a ', ',', '"', '(', ')', 'NULL', '\\', 'ab', 'é'), {
    nil: null,
  });
  const tables = fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 6 });
  const literal = (value: string | null): string => (value === null ? 'NULL' : `E'${value.replaceAll('\\', '\\\\')}'`);
  const insert = (columns: string, row: readonly (string | null)[]): string =>
    `(${columns}) VALUES (${row.map(literal).join(', ')})`;

  test('the order of rows and of columns does not matter', async () => {
    await inside(async () => {
      await fc.assert(
        fc.asyncProperty(
          tables.chain((rows) => fc.tuple(fc.constant(rows), fc.shuffledSubarray(rows, { minLength: rows.length }))),
          async ([rows, shuffled]) => {
            const one = await digestOf(
              'a text, b text, c text',
              rows.map((row) => insert('a, b, c', row)),
            );
            const other = await digestOf(
              'c text, a text, b text',
              shuffled.map((row) => insert('a, b, c', row)),
            );
            expect(other).toEqual(one);
          },
        ),
        { numRuns: 40 },
      );
    });
  });

  test('another value, one row more or less, and swapped values all do', async () => {
    await inside(async () => {
      await fc.assert(
        fc.asyncProperty(tables, tables, async (rows, others) => {
          const bag = (list: typeof rows): string => JSON.stringify(list.map((row) => JSON.stringify(row)).sort());
          const [one, other] = [
            await digestOf(
              'a text, b text, c text',
              rows.map((row) => insert('a, b, c', row)),
            ),
            await digestOf(
              'a text, b text, c text',
              others.map((row) => insert('a, b, c', row)),
            ),
          ];
          expect(JSON.stringify(one) === JSON.stringify(other)).toBe(bag(rows) === bag(others));
        }),
        { numRuns: 60 },
      );
      await fc.assert(
        fc.asyncProperty(tables, fc.nat(), fc.nat(2), cell, async (rows, at, column, value) => {
          const place = at % rows.length;
          const changed = rows.map((row, index) =>
            index === place ? row.map((old, position) => (position === column ? value : old)) : row,
          );
          const columns = 'a text, b text, c text';
          const one = await digestOf(
            columns,
            rows.map((row) => insert('a, b, c', row)),
          );
          const other = await digestOf(
            columns,
            changed.map((row) => insert('a, b, c', row)),
          );
          const twice = await digestOf(
            columns,
            [...rows, rows[place] ?? []].map((row) => insert('a, b, c', row)),
          );
          expect(JSON.stringify(one) === JSON.stringify(other)).toBe(rows[place]?.[column] === value);
          expect(twice).not.toEqual(one);
          expect(twice?.count).toBe(rows.length + 1);
        }),
        { numRuns: 40 },
      );
    });
  });

  test('finds tables and columns of any name, and those asked for alone', async () => {
    await inside(async () => {
      const quoted = strangeNames.map((name) => `"${name.replaceAll('"', '""')}"`);
      await session.query('CREATE SCHEMA "Odd ""schema"".x"');
      const columns = quoted.map((name) => `${name} int DEFAULT 7`).join(', ');
      for (const name of quoted) {
        await session.query(
          `CREATE TABLE "Odd ""schema"".x".${name} (${columns}); INSERT INTO "Odd ""schema"".x".${name} DEFAULT VALUES`,
        );
      }
      const [written] = await session
        .query(
          `SET LOCAL search_path = pg_catalog; SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = '"Odd ""schema"".x"'::regnamespace AND c.relkind = 'r' ORDER BY 1`,
        )
        .then((results) => results.slice(-1));
      const names = (written?.rows ?? []).map(([name]) => name ?? '');
      expect(names).toHaveLength(strangeNames.length);
      const all = await rowsNow();
      expect([...all.keys()].sort()).toEqual([...names].sort());
      for (const name of names) expect([...(await rowsNow([name]))]).toEqual([[name, all.get(name)]]);
      expect(await rowsNow([])).toEqual(new Map());
      expect(await rowsNow(['app.no_such_table'])).toEqual(new Map());
      expect(await (await queries()).readRows(session, [{ schema: 'Odd "schema".x', name: 'a.b.c' }])).toEqual(
        new Map([...all].filter(([name]) => !name.includes('a.b.c'))),
      );
    });
  });

  test('a row counts in the partition where it lies, and in the child that it belongs to', async () => {
    await inside(async () => {
      await session.query(`CREATE TABLE app.p (a int, b text) PARTITION BY LIST (a); CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES IN (1);
CREATE TABLE app.p2 PARTITION OF app.p FOR VALUES IN (2); CREATE TABLE app.mother (a int); CREATE TABLE app.child () INHERITS (app.mother);
INSERT INTO app.p VALUES (1, 'x'); INSERT INTO app.mother VALUES (1)`);
      const before = await rowsNow();
      expect([...before.keys()]).toEqual(['app.mother', 'app.p1']);
      await session.query('UPDATE app.p SET a = 2; DELETE FROM ONLY app.mother; INSERT INTO app.child VALUES (1)');
      expect(compareRows(before, await rowsNow()).map(({ table }) => table)).toEqual([
        'app.child',
        'app.mother',
        'app.p1',
        'app.p2',
      ]);
    });
  });

  if (server.major >= 18) {
    test('a virtual column has no value to lose, even where it cannot be computed', async () => {
      await inside(async () => {
        const one = await digestOf('a int, b int GENERATED ALWAYS AS (1 / a) VIRTUAL', ['(a) VALUES (0)']);
        expect(one?.count).toBe(1);
      });
    });
  }

  test('a table of 1,600 columns, one without any, and 250 tables', async () => {
    await inside(async () => {
      const wide = Array.from({ length: 1600 }, (_, at) => `c${at} boolean`).join(', ');
      expect((await digestOf(wide, ['(c7) VALUES (true)']))?.count).toBe(1);
      expect((await digestOf('', ['DEFAULT VALUES', 'DEFAULT VALUES']))?.count).toBe(2);
      for (let at = 0; at < 250; at++) await session.query(`CREATE TABLE app.many${at} AS SELECT ${at} AS a`);
      expect((await rowsNow()).size).toBe(251);
    });
  });

  test('says which rows cannot be read, and leaves the transaction usable', async () => {
    await inside(async () => {
      await session.query(
        `CREATE TABLE app.mine (a int); INSERT INTO app.mine VALUES (1); CREATE ROLE rows_nobody; GRANT USAGE ON SCHEMA app TO rows_nobody; SET LOCAL ROLE rows_nobody`,
      );
      await expect(rowsNow()).rejects.toMatchObject({
        code: 'script-failed',
        message: 'Rows cannot be read: permission denied for table mine',
      });
      await expect(session.query('SELECT 1')).resolves.toHaveLength(1);
    });
  });

  describe('a sequence', () => {
    const gradeAfter = (made: string, then: string): Promise<readonly (string | undefined)[]> =>
      inside(async () => {
        await session.query(made);
        const before = await (await queries()).readSequences(session, []);
        await session.query(then);
        const changes = compareSequences(before, await (await queries()).readSequences(session, []));
        return [changes.length === 0 ? 'exact' : gradeOfCatalog(changes), ...changes.map(({ name }) => name)];
      });
    const used = `CREATE SEQUENCE app.n; SELECT nextval('app.n'), nextval('app.n')`;

    test.each([
      ['that was asked for more values has a residue', used, `SELECT nextval('app.n')`, ['residue', 'app.n']],
      ['that was not touched is as it was', used, 'SELECT 1', ['exact']],
      ['that was set back by hand is as it was', used, `SELECT nextval('app.n'), setval('app.n', 3, false)`, ['exact']],
      [
        'that was made anew at its start repeats values',
        used,
        'DROP SEQUENCE app.n; CREATE SEQUENCE app.n',
        ['different', 'app.n'],
      ],
      [
        'that nobody has used may be made anew',
        'CREATE SEQUENCE app.n',
        'DROP SEQUENCE app.n; CREATE SEQUENCE app.n',
        ['exact'],
      ],
      [
        'counting down repeats values when it stands higher',
        `CREATE SEQUENCE app.n INCREMENT -1; SELECT nextval('app.n')`,
        `SELECT setval('app.n', -1, false)`,
        ['different', 'app.n'],
      ],
      [
        'counting down has a residue when it stands lower',
        `CREATE SEQUENCE app.n INCREMENT -1`,
        `SELECT nextval('app.n')`,
        ['residue', 'app.n'],
      ],
      [
        'that cycles repeats values by design',
        `CREATE SEQUENCE app.n MAXVALUE 2 CYCLE; SELECT nextval('app.n'), nextval('app.n')`,
        `SELECT nextval('app.n')`,
        ['residue', 'app.n'],
      ],
      [
        'at the end of its 64 bits is read',
        `CREATE SEQUENCE app.n; SELECT setval('app.n', 9223372036854775807)`,
        `SELECT setval('app.n', 9223372036854775807, false)`,
        ['different', 'app.n'],
      ],
      [
        'of an identity is named',
        'CREATE TABLE app.i (id int GENERATED ALWAYS AS IDENTITY, v int)',
        'INSERT INTO app.i (v) VALUES (1)',
        ['residue', 'app.i_id_seq'],
      ],
      [
        'of a serial column that was dropped and added again repeats values',
        'CREATE TABLE app.i (id serial); INSERT INTO app.i DEFAULT VALUES',
        'ALTER TABLE app.i DROP COLUMN id; ALTER TABLE app.i ADD COLUMN id serial; ALTER SEQUENCE app.i_id_seq RESTART',
        ['different', 'app.i_id_seq'],
      ],
    ] as const)('%s', async (_, made, then, expected) => {
      expect(await gradeAfter(made, then)).toEqual(expected);
    });

    test('of a table left out is left out, and names restrict the rest', async () => {
      await inside(async () => {
        await session.query(
          'CREATE TABLE app.i (id serial); CREATE TABLE app.k (id serial); CREATE SEQUENCE app."Odd.x"',
        );
        const proofs = await queries();
        expect([...(await proofs.readSequences(session, [{ schema: 'app', name: 'i' }])).keys()]).toEqual([
          'app."Odd.x"',
          'app.k_id_seq',
        ]);
        expect([...(await proofs.readSequences(session, [], ['app."Odd.x"'])).keys()]).toEqual(['app."Odd.x"']);
      });
    });
  });

  test('the content of a large object counts, its pages do not', async () => {
    await inside(async () => {
      await session.query(
        `SELECT lo_from_bytea(70001, 'abc'); SELECT lo_from_bytea(70002, ''); SELECT lo_put(70002, 5000, 'x')`,
      );
      const proofs = await queries();
      const before = await proofs.readLargeObjects(session);
      expect([...before.keys()]).toEqual(['70001', '70002']);
      await session.query(`SELECT lo_put(70002, 0, decode(repeat('00', 5000), 'hex'))`);
      expect(compareLargeObjects(before, await proofs.readLargeObjects(session))).toEqual([]);
      await session.query(`SELECT lo_put(70001, 2, 'd')`);
      const changes = compareLargeObjects(before, await proofs.readLargeObjects(session));
      expect(changes.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['large object content 70001']);
      expect(gradeOfCatalog(changes)).toBe('data-lost');
    });
  });
});
