import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadProjectConfig, readFilesOnly } from '../../../src/compose/open-project.js';
import { openScratchPlace, type OpenScratchPlace } from '../../../src/compose/scratch-place.js';
import type { VersionProof } from '../../../src/proof/proof.js';
import { proveChain } from '../../../src/proof/prove-chain.js';
import { proveProject } from '../../../src/proof/prove-project.js';
import { createDatabase, describeWithLocalMysql, runOn } from '../../harness/mysql.js';
import { startLocal, type LocalServer } from '../../harness/mysql-servers.js';
import { createProject, noDatabase, type TestProject, type VersionFiles } from '../../harness/project.js';

/* Proofs on MariaDB and MySQL, where DDL commits by itself. */

const target = { ...noDatabase, name: 'shop', jdbcUrl: 'jdbc:mariadb://nowhere.example:3306/shop' };
const customers: VersionFiles = {
  version: '1',
  up: 'CREATE TABLE customers (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL, born DATE)',
  down: 'DROP TABLE customers;',
};

/** A second version on top of the first one, and what its proof has to come to. */
const cases: Readonly<
  Record<string, Omit<VersionFiles, 'version'> & { readonly expected: Partial<Record<keyof VersionProof, unknown>> }>
> = {
  'what is put back': {
    up: 'ALTER TABLE customers ADD note VARCHAR(9), ADD KEY by_note (note); CREATE VIEW names AS SELECT name FROM shop.customers',
    down: 'DROP VIEW names;\nALTER TABLE customers DROP KEY by_note, DROP COLUMN note;',
    expected: { grade: 'exact', changes: [], again: [], generated: ['customers'] },
  },
  'a trigger with a body': {
    up: "CREATE TRIGGER named BEFORE INSERT ON customers FOR EACH ROW BEGIN IF NEW.name = '' THEN SET NEW.name = '?'; END IF; END",
    down: 'DROP TRIGGER named;',
    expected: { grade: 'exact' },
  },
  'DML that is taken back': {
    up: 'CREATE TABLE kinds (id INT PRIMARY KEY); INSERT INTO kinds VALUES (1)',
    down: 'DROP TABLE kinds;',
    expected: { grade: 'exact' },
  },
  'an index that stays': {
    up: 'ALTER TABLE customers ADD note VARCHAR(9), ADD KEY by_name (name)',
    down: 'ALTER TABLE customers DROP COLUMN note;',
    expected: {
      grade: 'failed',
      changes: [expect.objectContaining({ change: 'left-over', name: 'by_name on customers' })],
    },
  },
  'a table that stays': {
    up: 'CREATE TABLE IF NOT EXISTS extra (id INT); CREATE VIEW v AS SELECT 1',
    down: 'DROP VIEW v;',
    expected: {
      grade: 'different',
      changes: expect.arrayContaining([expect.objectContaining({ change: 'left-over', kind: 'table', name: 'extra' })]),
    },
  },
  'a default that is another one': {
    up: "ALTER TABLE customers ALTER name SET DEFAULT 'x'",
    down: "ALTER TABLE customers ALTER name SET DEFAULT '';",
    expected: { grade: 'different', changes: [expect.objectContaining({ name: 'customers.name' })] },
  },
  'values that are lost': {
    up: 'ALTER TABLE customers DROP COLUMN born',
    down: 'ALTER TABLE customers ADD born DATE;',
    expected: { grade: 'data-lost', rows: [expect.objectContaining({ table: 'customers' })], generated: ['customers'] },
  },
  'rows that are only deleted': {
    up: "CREATE TABLE kinds (id INT); DELETE FROM customers WHERE name <> ''",
    down: 'DROP TABLE kinds;',
    expected: { grade: 'data-lost', rows: [expect.objectContaining({ table: 'customers' })], generated: ['customers'] },
  },
  'values whose loss is declared': {
    up: 'ALTER TABLE customers DROP COLUMN born',
    down: '-- flyback: allow-loss customers.born\nALTER TABLE customers ADD born DATE;',
    expected: { grade: 'loss-declared' },
  },
  'the place of a column': {
    up: 'ALTER TABLE customers MODIFY born DATE FIRST',
    down: 'ALTER TABLE customers MODIFY born DATE AFTER id;',
    expected: { grade: 'column-order' },
  },
  'a position that went on': {
    up: "INSERT INTO customers (name) VALUES ('Ada')",
    down: "DELETE FROM customers WHERE name = 'Ada';",
    expected: { grade: 'residue' },
  },
  'a script that fails half-way': {
    up: 'CREATE TABLE a (id INT); CREATE TABLE b (id INT)',
    down: 'DROP TABLE b;\nDROP TABLE nothing;\nDROP TABLE a;',
    expected: { grade: 'failed', reason: expect.stringContaining('nothing') },
  },
  'a migration that does not run again': {
    up: 'CREATE TABLE a (id INT); CREATE TABLE b (id INT)',
    down: 'DROP TABLE b;',
    expected: { grade: 'failed', reason: expect.stringContaining('does not run again') },
  },
  'a migration that rows stop': {
    up: "ALTER TABLE customers ADD note VARCHAR(9); ALTER TABLE customers ADD CONSTRAINT none CHECK (name = 'nobody')",
    down: 'ALTER TABLE customers DROP CONSTRAINT none;\nALTER TABLE customers DROP COLUMN note;',
    expected: { grade: 'exact', notes: [expect.stringContaining('the migration does not run')] },
  },
  'a migration that does not run at all': {
    up: 'CREATE TABLE a (id INT); CREATE TABLE b (id NOTHING)',
    down: 'DROP TABLE a;',
    expected: { grade: 'not-possible' },
  },
  'an account and its privileges': {
    up: "CREATE USER teller@'%'; GRANT SELECT ON customers TO teller@'%'",
    down: "REVOKE SELECT ON customers FROM teller@'%';\nDROP USER teller@'%';",
    expected: { grade: 'exact' },
  },
  'an account that stays': {
    up: "CREATE USER clerk@'%'; CREATE TABLE a (id INT)",
    down: 'DROP TABLE a;',
    expected: { grade: 'failed' },
  },
};

describeWithLocalMysql('a proof on a server of our own', () => {
  let place: OpenScratchPlace;
  beforeAll(async () => {
    const config = await loadProjectConfig({ flags: { url: target.jdbcUrl, tool: 'flyway' }, environment: {} });
    place = await openScratchPlace(undefined, config.connection);
  });
  afterAll(() => place.close());

  async function withProject<T>(
    versions: readonly VersionFiles[],
    use: (project: TestProject) => Promise<T>,
  ): Promise<T> {
    const project = await createProject({ database: target, versions });
    try {
      return await use(project);
    } finally {
      await project.remove();
    }
  }
  const files = (project: TestProject): ReturnType<typeof readFilesOnly> =>
    readFilesOnly({ folder: project.folder, environment: {} });
  const prove = (versions: readonly VersionFiles[]): Promise<readonly VersionProof[]> =>
    withProject(versions, async (project) => proveProject(await files(project), place));
  const grades = (proofs: readonly VersionProof[]): readonly string[] => proofs.map(({ grade }) => grade);

  test.each(Object.entries(cases))('%s', async (_, { expected, ...second }) => {
    const third: VersionFiles = { version: '3', up: 'CREATE TABLE last (id INT)', down: 'DROP TABLE last;' };
    const proofs = await prove([customers, { version: '2', ...second }, third]);
    expect(proofs[1]).toMatchObject(expected);
    // Whatever became of the second version, the third one is proven in a database that knows nothing of it.
    expect(grades([proofs[0], proofs[2]].filter((proof) => proof !== undefined))).toEqual([
      'exact',
      expected.grade === 'not-possible' ? 'not-possible' : 'exact',
    ]);
  });

  test.each([
    ['nothing', 'DELETE FROM kinds WHERE id = 1;'],
    ['writes', 'DELETE FROM kinds WHERE id = 1;\nUPDATE kinds SET runs = runs + 1;\nUPDATE kinds SET runs = 0;'],
    [
      'failed',
      'INSERT INTO kinds VALUES (7, 7);\nDELETE FROM kinds WHERE id IN (1, 7);\nUPDATE kinds SET id = id + (SELECT COUNT(*) FROM nothing);',
    ],
  ])('a script of DML that a second time comes to: %s', async (twice, down) => {
    const kinds: VersionFiles = { version: '1', up: 'CREATE TABLE kinds (id INT PRIMARY KEY, runs INT)' };
    const rows: VersionFiles = { version: '2', up: 'INSERT INTO kinds VALUES (2, 0)' };
    const [proof] = await prove([kinds, rows, { version: '3', up: 'INSERT INTO kinds VALUES (1, 0)', down }]);
    expect(proof).toMatchObject(twice === 'failed' ? { grade: 'failed' } : { grade: 'exact', twice });
  });

  test('a version without a script is applied and left out', async () => {
    const proofs = await prove([
      customers,
      { version: '2', up: 'CREATE TABLE a (id INT)' },
      { version: '3', up: 'ALTER TABLE a ADD b INT', down: 'ALTER TABLE a DROP COLUMN b;' },
    ]);
    expect(proofs.map(({ version, grade }) => [version, grade])).toEqual([
      ['1', 'exact'],
      ['3', 'exact'],
    ]);
  });

  test('fixtures are there for the versions above, and once', async () => {
    const project = await createProject({
      database: target,
      flyback: '[prove]\nfixtures = "fixtures"\n',
      versions: [
        customers,
        { version: '2', up: 'ALTER TABLE customers DROP COLUMN born', down: 'ALTER TABLE customers ADD born DATE;' },
        { version: '3', up: 'CREATE TABLE a (id INT)', down: 'DROP TABLE a;' },
      ],
    });
    const { mkdir, writeFile } = await import('node:fs/promises');
    await mkdir(`${project.folder}/fixtures`);
    await writeFile(`${project.folder}/fixtures/F1__some.sql`, "INSERT INTO customers VALUES (1, 'Ada', '1815-12-10')");
    const proofs = await proveProject(await files(project), place);
    expect(grades(proofs)).toEqual(['exact', 'data-lost', 'exact']);
    expect(proofs[1]).toMatchObject({ generated: [], rows: [{ before: { count: 1 }, after: { count: 1 } }] });
    await project.remove();
  });

  describe('of all versions in a row', () => {
    test('comes down to an empty database and up again', async () => {
      const above = {
        version: '2',
        up: 'ALTER TABLE customers ADD a INT',
        down: 'ALTER TABLE customers DROP COLUMN a;',
      };
      const chain = await withProject([customers, above], async (project) => proveChain(await files(project), place));
      expect(chain).toMatchObject({ grade: 'exact', versions: 2, changes: [], again: [] });
    });

    test('tells what stays', async () => {
      const above = { version: '2', up: 'CREATE VIEW v AS SELECT 1; CREATE VIEW w AS SELECT 1', down: 'DROP VIEW w;' };
      const chain = await withProject([customers, above], async (project) => proveChain(await files(project), place));
      expect(chain?.grade).toBe('failed');
      expect(chain?.changes.map(({ name }) => name)).toEqual(['v']);
    });
  });

  test('leaves no database on the server', async () => {
    await prove([customers]);
    const name = await place.create();
    const session = await place.connect(name);
    const [found] = await session.query(
      "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'flyback%' OR SCHEMA_NAME = 'shop'",
    );
    const [accounts] = await session.query("SELECT COUNT(*) FROM mysql.user WHERE User IN ('teller', 'clerk')");
    await session.close();
    await place.drop(name);
    expect([found?.rows[0]?.[0], accounts?.rows[0]?.[0]]).toEqual(['1', '0']);
  });

  test('can be cancelled', async () => {
    const slow: VersionFiles = { version: '1', up: 'DO SLEEP(60)', down: 'DO 1;' };
    const started = performance.now();
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 300);
    await withProject([slow], async (project) => {
      await expect(proveProject(await files(project), place, { signal: controller.signal })).rejects.toMatchObject({
        code: 'cancelled',
      });
    });
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

describeWithLocalMysql('a server given by URL', () => {
  // One of its own: on a shared one the accounts of other tests come and go, which a proof would notice.
  let server: LocalServer;
  beforeAll(async () => {
    server = await startLocal();
  });
  afterAll(() => server.stop());

  const open = async (scratch: string, url?: string): Promise<OpenScratchPlace> => {
    const flags = { scratch, tool: 'flyway', ...(url === undefined ? {} : { url }) };
    const config = await loadProjectConfig({ flags, environment: {} });
    return openScratchPlace(config.prove.scratch, config.connection);
  };

  test('gets databases beside the one that is named, and none remain', async () => {
    const database = await createDatabase(server);
    const place = await open(database.rootUrl, target.jdbcUrl);
    expect(place.description).toContain(database.name);
    const project = await createProject({ database: target, versions: [customers] });
    const proofs = await proveProject(await readFilesOnly({ folder: project.folder, environment: {} }), place);
    expect(proofs.map(({ grade }) => grade)).toEqual(['exact']);
    const left = await place.create();
    await place.close();
    expect(await runOn(server.url, `SHOW DATABASES LIKE '${left}'`)).toEqual([]);
    await project.remove();
    await database.drop();
  });

  test('keeps a database that has the name of the target', async () => {
    const [empty, taken] = [await createDatabase(server), await createDatabase(server)];
    const place = await open(empty.rootUrl, `jdbc:mariadb://nowhere.example/${taken.name}`);
    expect(await place.create()).toMatch(/^flyback_proof_/);
    await place.close();
    expect(await runOn(server.url, `SHOW DATABASES LIKE '${taken.name}'`)).toHaveLength(1);
    await empty.drop();
    await taken.drop();
  });

  describe('is refused', () => {
    test.each([
      [
        "when it is the target's",
        async () => [(await createDatabase(server)).rootUrl, server.url.replace(/\/?$/, '/other')],
      ],
      ['when its account may not make databases', async () => [(await createDatabase(server)).url, undefined]],
      [
        'when its database is not empty',
        async () => {
          const database = await createDatabase(server);
          await runOn(database.url, 'CREATE TABLE something (id INT)');
          return [database.rootUrl, undefined];
        },
      ],
      [
        'when it is of another kind',
        async () => [(await createDatabase(server)).rootUrl, 'jdbc:postgresql://nowhere/none'],
      ],
    ] as const)('%s', async (_, make) => {
      const [scratch, url] = await make();
      await expect(open(scratch ?? '', url)).rejects.toMatchObject({ code: 'scratch-refused' });
      const name = new URL(scratch ?? '').pathname.slice(1);
      await runOn(server.url, `DROP DATABASE ${name}`);
    });
  });
});
