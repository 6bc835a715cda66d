import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openScratchPlace } from '../../../src/compose/scratch-place.js';
import { readFilesOnly } from '../../../src/compose/open-project.js';
import { differenceText } from '../../../src/proof/difference-text.js';
import type { VersionProof } from '../../../src/proof/proof.js';
import { proveChain, type ChainProof } from '../../../src/proof/prove-chain.js';
import { proveProject, type ScratchPlace } from '../../../src/proof/prove-project.js';
import { createProject, noDatabase, type TestProject, type VersionFiles } from '../../harness/project.js';
import { scenariosFor } from './mutants/scenarios.js';

/* Proofs of whole projects, on the server that comes along: what a look at the touched alone comes to, and what else is found. */

let place: ScratchPlace & { close(): Promise<void> };
const projects: TestProject[] = [];
beforeAll(async () => {
  place = await openScratchPlace();
});
afterAll(async () => {
  await place.close();
  await Promise.all(projects.map((project) => project.remove()));
});

async function prove(
  versions: readonly VersionFiles[],
  way: 'quickly' | 'thoroughly' = 'quickly',
): Promise<readonly VersionProof[]> {
  const files = await createProject({ database: noDatabase, versions });
  projects.push(files);
  return proveProject(await readFilesOnly({ folder: files.folder, environment: {} }), place, { way });
}

async function proveSecond(table: string, up: string, down: string): Promise<VersionProof> {
  const proofs = await prove([
    { version: '1', up: table, down: 'DROP TABLE t; DROP SEQUENCE IF EXISTS numbers; DROP TYPE IF EXISTS mood;' },
    { version: '2', up, down },
  ]);
  expect(proofs[0]?.grade).toBe('exact');
  const [, second] = proofs;
  if (second === undefined) throw new Error('The second version was not proven.');
  return second;
}

test('both ways come to the same, faulty and faithful rollbacks in turn', async () => {
  const chosen = scenariosFor(place.majorVersion, 8000).filter((_, at) => at % 23 === 0);
  const versions = chosen.map(({ before, up, faulty, faithful }, at) => ({
    version: String(at + 1),
    up: `${before};\nSELECT 1;\n${up}`,
    down: `${at % 2 === 0 ? faulty : faithful};\nDROP SCHEMA app${8000 + at * 23} CASCADE;`,
  }));
  // Roles are the whole server's: each way makes them in its turn.
  const outline = (proofs: readonly VersionProof[]): readonly string[] =>
    proofs.map(
      ({ version, grade, changes, rows }) =>
        `${version} ${grade} ${[...changes.map(({ kind, name }) => `${kind} ${name}`), ...rows.map(({ table }) => table)].join(', ')}`,
    );
  const quick = outline(await prove(versions));
  const thorough = outline(await prove(versions, 'thoroughly'));
  expect(quick).toEqual(thorough);
});

describe('generated rows', () => {
  const table = 'CREATE TABLE t (id int PRIMARY KEY, name varchar(40) NOT NULL, note text)';

  test('a column that is dropped and added again has lost its values', async () => {
    const proof = await proveSecond(table, 'ALTER TABLE t DROP COLUMN note', 'ALTER TABLE t ADD COLUMN note text;');
    const { grade, rows } = proof;
    expect(grade).toBe('data-lost');
    expect(rows.map(({ table: name }) => name)).toEqual(['public.t']);
    expect(await differenceText(proof)).toBe('rows of public.t (generated): 3, with other values');
  });

  test('unless the script says that they may go: then it is told, and passes', async () => {
    const down = '-- flyback: allow-loss t.note\nALTER TABLE t ADD COLUMN note text;';
    expect((await proveSecond(table, 'ALTER TABLE t DROP COLUMN note', down)).grade).toBe('loss-declared');
  });

  test('a rename that is undone by dropping and adding is caught', async () => {
    const down = 'ALTER TABLE t DROP COLUMN remark; ALTER TABLE t ADD COLUMN note text;';
    expect((await proveSecond(table, 'ALTER TABLE t RENAME note TO remark', down)).grade).toBe('data-lost');
    const faithful = 'ALTER TABLE t RENAME remark TO note;';
    expect((await proveSecond(table, 'ALTER TABLE t RENAME note TO remark', faithful)).grade).toBe('exact');
  });

  test('a type that comes back with shortened values is caught', async () => {
    const down = 'ALTER TABLE t ALTER name TYPE varchar(40) USING left(name, 4);';
    expect((await proveSecond(table, 'ALTER TABLE t ALTER name TYPE text', down)).grade).toBe('data-lost');
    const faithful = 'ALTER TABLE t ALTER name TYPE varchar(40);';
    expect((await proveSecond(table, 'ALTER TABLE t ALTER name TYPE text', faithful)).grade).toBe('exact');
  });

  test('a rollback that does not run once there are rows has failed', async () => {
    const { grade, reason } = await proveSecond(
      table,
      'ALTER TABLE t DROP COLUMN name',
      'ALTER TABLE t ADD COLUMN name varchar(40) NOT NULL;',
    );
    expect(grade).toBe('failed');
    expect(reason).toMatch(/generated rows in public\.t.*null values/s);
  });

  test('a migration that does not run with rows: said, and proven without', async () => {
    const { grade, notes } = await proveSecond(
      table,
      'ALTER TABLE t ADD COLUMN kind text NOT NULL',
      'ALTER TABLE t DROP COLUMN kind;',
    );
    expect(grade).toBe('exact');
    expect(notes.join()).toMatch(/generated rows in public\.t the migration does not run/);
  });

  test('a rollback that stumbles over what a generated value means: said, and not held against it', async () => {
    const up = 'ALTER TABLE t ADD COLUMN kind text';
    const documents = 'CREATE TABLE t (id int PRIMARY KEY, document jsonb NOT NULL)';
    const list = 'SELECT jsonb_array_elements(document) FROM t; ALTER TABLE t DROP COLUMN kind;';
    const { grade, notes, again, steps } = await proveSecond(documents, up, list);
    expect(notes.join()).toMatch(/generated rows in public\.t the rollback does not run: .*elements from/);
    expect(grade).toBe('exact');
    expect(again).toEqual([]);
    expect(steps.some(({ action, error }) => action === 'migrate again' && error === undefined)).toBe(true);
    // What a type cannot hold is no matter of what it means.
    const narrow = `CREATE TEMP TABLE x (n varchar(3)) ON COMMIT DROP; INSERT INTO x SELECT name FROM t; ALTER TABLE t DROP COLUMN kind;`;
    expect((await proveSecond(table, up, narrow)).grade).toBe('failed');
  });

  test('a migration that does not run again for what is left behind is not said to fail for its rows', async () => {
    const { grade, notes, reason } = await proveSecond(
      `${table}; CREATE TYPE mood AS ENUM ('fine')`,
      `ALTER TABLE t ADD COLUMN kind text; ALTER TYPE mood ADD VALUE 'better'`,
      'ALTER TABLE t DROP COLUMN kind;',
    );
    expect(grade).toBe('failed');
    expect(reason).toMatch(/^After the rollback the migration does not run again: .*"better" already exists/);
    expect(notes).toEqual([]);
  });

  test('a migration that does not run again with the rows as the rollback left them: the reason names them', async () => {
    const up = `DO $$ BEGIN IF EXISTS (SELECT FROM t WHERE note IS NULL) THEN RAISE 'no note'; END IF; END $$; ALTER TABLE t DROP COLUMN note`;
    const { grade, reason, rows } = await proveSecond(table, up, 'ALTER TABLE t ADD COLUMN note text;');
    expect(grade).toBe('failed');
    expect(reason).toMatch(/^With the rows of public\.t as the rollback left them the migration .*no note/);
    expect(rows.map(({ table: name }) => name)).toEqual(['public.t']);
  });
});

describe('positions of sequences', () => {
  const table = 'CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, name text); CREATE SEQUENCE numbers';

  test('an advanced one is residue, and is named', async () => {
    const { grade, changes } = await proveSecond(
      table,
      `INSERT INTO t (name) VALUES ('a')`,
      `DELETE FROM t WHERE name = 'a';`,
    );
    expect(grade).toBe('residue');
    expect(changes).toMatchObject([{ kind: 'sequence position', name: 'public.t_id_seq' }]);
  });

  test('unless the script says that it stays behind', async () => {
    const left = ['sequence position public.t_id_seq'];
    const up = `INSERT INTO t (name) VALUES ('a')`;
    const down = `-- flyback: leaves public.t_id_seq\nDELETE FROM t`;
    expect(await proveSecond(table, up, `${down} WHERE name = 'a';`)).toMatchObject({ grade: 'exact', left });
    expect(await proveSecond(table, up, `${down};`)).toMatchObject({ grade: 'data-lost', left });
  });

  test('one that was put back is exact, one that was put too far back is different', async () => {
    const up = `SELECT setval('numbers', 10)`;
    expect((await proveSecond(table, up, 'ALTER SEQUENCE numbers RESTART;')).grade).toBe('exact');
    const used = `${table}; SELECT setval('numbers', 20)`;
    const behind = `SELECT setval('numbers', 5);`;
    expect((await proveSecond(used, `SELECT setval('numbers', 30)`, behind)).grade).toBe('different');
  });
});

test('a version that is not restored does not stand in the way of those above it', async () => {
  const proofs = await prove([
    { version: '1', up: 'CREATE TABLE a (id int)', down: 'DROP TABLE a;' },
    { version: '2', up: 'CREATE INDEX a_id ON a (id); CREATE TABLE b (id int)', down: 'DROP TABLE b;' },
    { version: '3', up: 'ALTER TABLE b ADD COLUMN n int', down: 'ALTER TABLE b DROP COLUMN n;' },
    { version: '4', up: 'CREATE VIEW c AS SELECT 1 AS one' },
    {
      version: '5',
      up: 'DROP VIEW c; CREATE TABLE d (id int)',
      down: 'DROP TABLE d; CREATE VIEW c AS SELECT 1 AS one;',
    },
  ]);
  expect(proofs.map(({ version, grade }) => `${version} ${grade}`)).toEqual([
    '1 exact',
    '2 failed',
    '3 exact',
    '5 exact',
  ]);
  expect(proofs[1]?.changes).toMatchObject([{ change: 'left-over', kind: 'index', name: 'public.a_id' }]);
});

test('a rollback without a transaction is proven too', async () => {
  const { grade } = await proveSecond(
    'CREATE TABLE t (id int)',
    'CREATE INDEX t_id ON t (id)',
    'DROP INDEX CONCURRENTLY t_id;',
  );
  expect(grade).toBe('exact');
  const forgotten = await proveSecond(
    'CREATE TABLE t (id int)',
    'CREATE INDEX t_id ON t (id); CREATE INDEX t_id2 ON t (id)',
    'DROP INDEX CONCURRENTLY t_id;',
  );
  expect(forgotten.grade).toBe('failed');
});

describe('a script that runs twice', () => {
  test.each([
    ['does nothing', 'DROP VIEW IF EXISTS v;', 'nothing'],
    ['fails', 'DROP VIEW v;', 'failed'],
    ['writes again', 'DROP VIEW IF EXISTS v; ALTER TABLE t ALTER id SET STATISTICS -1;', 'writes'],
  ])('%s', async (_title, down, twice) => {
    const proof = await proveSecond('CREATE TABLE t (id int)', 'CREATE VIEW v AS SELECT 1 AS one', down);
    expect(proof).toMatchObject({ grade: 'exact', twice });
  });
});

test('names with quotes, dots, emoji, upper case and 63 bytes', async () => {
  const name = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const odd = ['with "quotes"', 'with.dots', 'Ärger 🐘', 'UPPER', 'x'.repeat(63)].map(name);
  const proofs = await prove(
    odd.map((table, at) => ({
      version: String(at + 1),
      up: `CREATE TABLE ${table} (${name('a "b".c 🐘')} int PRIMARY KEY); INSERT INTO ${table} VALUES (1)`,
      down: `DROP TABLE ${table};`,
    })),
  );
  expect(proofs.map(({ grade }) => grade)).toEqual(odd.map(() => 'exact'));
});

test('a migration that changes the search_path, and one that drops public', async () => {
  const proofs = await prove([
    {
      version: '1',
      up: 'CREATE SCHEMA other; SET search_path = other; CREATE TABLE t (id int)',
      down: 'DROP TABLE other.t; DROP SCHEMA other;',
    },
    { version: '2', up: 'CREATE TABLE here (id int)', down: 'DROP TABLE public.here;' },
  ]);
  expect(proofs.map(({ grade }) => grade)).toEqual(['exact', 'exact']);
});

describe('all the way down and up again', () => {
  const chain = async (versions: readonly VersionFiles[]): Promise<ChainProof | undefined> => {
    const files = await createProject({ database: noDatabase, versions });
    projects.push(files);
    return proveChain(await readFilesOnly({ folder: files.folder, environment: {} }), place);
  };
  const first = { version: '1', up: 'CREATE TABLE a (id int); INSERT INTO a VALUES (1)', down: 'DROP TABLE a;' };
  const second = { version: '2', up: 'CREATE TABLE b (id serial)', down: 'DROP TABLE b;' };

  test('to an empty database', async () => {
    expect(await chain([first, second])).toMatchObject({
      versions: 2,
      stoppedAt: undefined,
      grade: 'exact',
      again: [],
    });
  });

  test('to the newest version without a rollback script', async () => {
    expect(await chain([{ version: '1', up: first.up }, second])).toMatchObject({
      versions: 1,
      stoppedAt: '1',
      grade: 'exact',
    });
    expect(await chain([first, { version: '2', up: second.up }])).toBeUndefined();
  });

  test('with a role, which an earlier proof has made on its server', async () => {
    const role = { version: '1', up: 'CREATE ROLE chain_role', down: 'DROP ROLE chain_role;' };
    expect((await prove([role])).map(({ grade }) => grade)).toEqual(['exact']);
    expect(await chain([role, second])).toMatchObject({ versions: 2, grade: 'exact', again: [] });
    const kept = { ...role, down: 'DROP ROLE IF EXISTS nobody_at_all;' };
    expect(await chain([kept, second])).toMatchObject({
      grade: 'failed',
      changes: [{ change: 'left-over', kind: 'role', name: 'chain_role' }],
    });
  });

  test('what one of them leaves behind is named, and what does not run again fails', async () => {
    const leaving = { ...second, up: 'CREATE TABLE b (id int); CREATE INDEX a_id ON a (id)' };
    expect(await chain([{ version: '1', up: first.up }, leaving])).toMatchObject({
      grade: 'failed',
      changes: [{ kind: 'index', name: 'public.a_id' }],
    });
    const quiet = { ...second, up: 'CREATE TABLE b (id int); CREATE INDEX IF NOT EXISTS a_id ON a (id)' };
    expect(await chain([{ version: '1', up: first.up }, quiet])).toMatchObject({ grade: 'different' });
  });
});
