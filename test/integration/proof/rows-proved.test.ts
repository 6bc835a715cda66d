import * as fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFilesOnly } from '../../../src/compose/open-project.js';
import { openScratchPlace } from '../../../src/compose/scratch-place.js';
import { FlybackError } from '../../../src/errors/error.js';
import type { VersionProof } from '../../../src/proof/proof.js';
import { proveChain, type ChainProof } from '../../../src/proof/prove-chain.js';
import { proveProject, type ScratchPlace } from '../../../src/proof/prove-project.js';
import { createProject, noDatabase, type TestProject, type VersionFiles } from '../../harness/project.js';

/* Rows in the proofs of whole projects: fixtures, positions of sequences, large objects. */

let place: ScratchPlace & { close(): Promise<void> };
const projects: TestProject[] = [];
beforeAll(async () => {
  place = await openScratchPlace();
});
afterAll(async () => {
  await place.close();
  await Promise.all(projects.map((project) => project.remove()));
});

const ways = ['quickly', 'thoroughly'] as const;

async function prove(
  versions: readonly VersionFiles[],
  way: (typeof ways)[number],
  fixtures: Readonly<Record<string, string>> = {},
): Promise<readonly VersionProof[]> {
  const files = await createProject({ database: noDatabase, versions, flyback: '[prove]\nfixtures = "fixtures"\n' });
  projects.push(files);
  await fs.mkdir(path.join(files.folder, 'fixtures'));
  for (const [name, text] of Object.entries(fixtures)) {
    await fs.writeFile(path.join(files.folder, 'fixtures', name), text);
  }
  return proveProject(await readFilesOnly({ folder: files.folder, environment: {} }), place, { way });
}

async function chain(
  versions: readonly VersionFiles[],
  fixtures: Readonly<Record<string, string>>,
): Promise<ChainProof | undefined> {
  const files = await createProject({ database: noDatabase, versions, flyback: '[prove]\nfixtures = "fixtures"\n' });
  projects.push(files);
  await fs.mkdir(path.join(files.folder, 'fixtures'));
  for (const [name, text] of Object.entries(fixtures)) {
    await fs.writeFile(path.join(files.folder, 'fixtures', name), text);
  }
  return proveChain(await readFilesOnly({ folder: files.folder, environment: {} }), place);
}

function outline(proofs: readonly VersionProof[]): readonly string[] {
  return proofs.map(({ version, grade, rows }) => [version, grade, ...rows.map(({ table }) => table)].join(' '));
}

describe.each(ways)('%s', (way) => {
  test('rows of a fixture show what a rollback loses, where no row could be generated', async () => {
    const versions = [
      // Nobody guesses a text with this digest.
      {
        version: '1',
        up: `CREATE TABLE t (a text NOT NULL CHECK (md5(a) = '900150983cd24fb0d6963f7d28e17f72'), b int)`,
        down: 'DROP TABLE t;',
      },
      { version: '2', up: 'ALTER TABLE t DROP COLUMN b', down: 'ALTER TABLE t ADD COLUMN b int;' },
      { version: '3', up: 'CREATE INDEX t_a ON t (a)', down: 'DROP INDEX t_a;' },
    ];
    const without = await prove(versions, way);
    expect(outline(without)).toEqual(['1 exact', '2 exact', '3 exact']);
    const fixtures = { 'F1__rows.sql': `INSERT INTO t VALUES ('abc', 1), ('abc', 2);` };
    expect(outline(await prove(versions, way, fixtures))).toEqual(['1 exact', '2 data-lost public.t', '3 exact']);
  });

  test('rows that a version only deletes or rewrites are lost', async () => {
    const proofs = await prove(
      [
        {
          version: '1',
          up: 'CREATE TABLE t (a int, b int); CREATE TABLE "odd name" (a text); CREATE TABLE kept (a int)',
        },
        { version: '2', up: 'DELETE FROM t; ALTER TABLE kept ADD b int', down: 'ALTER TABLE kept DROP b' },
        {
          version: '3',
          up: 'ALTER TABLE kept ADD c int',
          down: `DO $$ BEGIN UPDATE "odd name" SET a = upper(a); END $$; ALTER TABLE kept DROP c`,
        },
        { version: '4', up: 'UPDATE kept SET a = a; SELECT a FROM t', down: 'DELETE FROM kept WHERE a IS NULL' },
      ],
      way,
    );
    expect(outline(proofs)).toEqual(['2 data-lost public.t', '3 data-lost public."odd name"', '4 exact']);
  });

  test('a rollback that stumbles over generated rows of a table that it alone writes to says so', async () => {
    const [proof] = await prove(
      [
        { version: '1', up: 'CREATE TABLE t (a text); CREATE TABLE kept (a int)' },
        {
          version: '2',
          up: 'ALTER TABLE kept ADD b int',
          down: 'UPDATE t SET a = (a::int - 1)::text; ALTER TABLE kept DROP b',
        },
      ],
      way,
    );
    expect(proof).toMatchObject({
      grade: 'exact',
      notes: [expect.stringMatching(/public\.t.* the rollback does not run/)],
    });
  });

  test('a fixture is not there for the proof of its own version, and is for those above', async () => {
    const versions = [
      { version: '1', up: 'CREATE TABLE t (a int)', down: 'DROP TABLE t;' },
      { version: '2', up: 'SELECT 1', down: 'DELETE FROM t WHERE a = 2;' },
      { version: '3', up: 'SELECT 1', down: 'DELETE FROM t WHERE a = 2;' },
    ];
    const proofs = await prove(versions, way, { 'F2__rows.sql': 'INSERT INTO t VALUES (2);' });
    expect(outline(proofs)).toEqual(['1 exact', '2 exact', '3 data-lost public.t']);
  });

  test('a fixture that fails is named, and says nothing against its own version', async () => {
    const versions = [
      { version: '1', up: 'CREATE TABLE t (a int PRIMARY KEY)', down: 'DROP TABLE t;' },
      { version: '2', up: 'CREATE TABLE u (a int)', down: 'DROP TABLE u;' },
    ];
    const proofs = await prove(versions, way, { 'F1__rows.sql': 'INSERT INTO t\nVALUES (1), (1);' });
    expect(outline(proofs)).toEqual(['1 exact', '2 not-possible']);
    expect(proofs[1]?.reason).toBe(
      'The fixture F1__rows.sql failed in line 1: duplicate key value violates unique constraint "t_pkey"',
    );
  });

  test('fixtures that cannot be used stop it before it begins', async () => {
    const refused = await prove([{ version: '1', up: 'SELECT 1', down: 'SELECT 1;' }], way, {
      'F9__rows.sql': 'SELECT 1',
    }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(FlybackError);
    expect(refused).toMatchObject({ code: 'fixtures-invalid', exitCode: 2 });
  });

  test('a sequence that moved on is residue, one that starts again is different', async () => {
    const versions = [
      { version: '1', up: 'CREATE TABLE t (id serial PRIMARY KEY, a text)', down: 'DROP TABLE t;' },
      { version: '2', up: `INSERT INTO t (a) VALUES ('x')`, down: `DELETE FROM t WHERE a = 'x';` },
      {
        version: '3',
        up: 'ALTER TABLE t ALTER id DROP DEFAULT; DROP SEQUENCE t_id_seq',
        down: `CREATE SEQUENCE t_id_seq AS int OWNED BY t.id; ALTER TABLE t ALTER id SET DEFAULT nextval('t_id_seq');`,
      },
      {
        version: '4',
        up: 'ALTER TABLE t ALTER id DROP DEFAULT; DROP SEQUENCE t_id_seq',
        down: `CREATE SEQUENCE t_id_seq AS int OWNED BY t.id; ALTER TABLE t ALTER id SET DEFAULT nextval('t_id_seq'); SELECT setval('t_id_seq', 1);`,
      },
    ];
    // Version 3 takes the sequence away, so that 4 has a fixture that makes it anew.
    const fixtures = {
      'F3__again.sql': `CREATE SEQUENCE t_id_seq AS int OWNED BY t.id; ALTER TABLE t ALTER id SET DEFAULT nextval('t_id_seq'); SELECT setval('t_id_seq', 1);`,
    };
    const proofs = await prove(versions, way, fixtures);
    expect(outline(proofs)).toEqual(['1 exact', '2 residue', '3 different', '4 exact']);
    expect(proofs[1]?.changes.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'sequence position public.t_id_seq',
    ]);
    expect(proofs[2]?.changes.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'sequence position public.t_id_seq',
    ]);
  });

  test('the content of a large object that was not put back is lost', async () => {
    const versions = [
      { version: '1', up: `SELECT lo_from_bytea(4711, 'before')` },
      { version: '2', up: `SELECT lo_put(4711, 0, 'after!')`, down: 'COMMENT ON LARGE OBJECT 4711 IS NULL;' },
      { version: '3', up: `SELECT lo_put(4711, 0, 'later!')`, down: `SELECT lo_put(4711, 0, 'after!');` },
    ];
    const proofs = await prove(versions, way);
    expect(outline(proofs)).toEqual(['2 data-lost', '3 exact']);
    expect(proofs[0]?.changes.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['large object content 4711']);
  });
});

describe('all versions in a row, with fixtures', () => {
  const first = { version: '1', up: 'CREATE TABLE t (id serial, a int)', down: 'DROP TABLE t;' };
  const second = { version: '2', up: 'ALTER TABLE t ADD COLUMN b text', down: 'ALTER TABLE t DROP COLUMN b;' };
  const fixture = { 'F2__rows.sql': `INSERT INTO t (a, b) VALUES (2, 'x');` };

  test('they run on the way up, both times', async () => {
    expect(await chain([first, second], fixture)).toMatchObject({ versions: 2, grade: 'exact', again: [] });
    // Whoever needs them finds them again.
    const third = {
      version: '3',
      up: `DO $$ BEGIN IF NOT EXISTS (SELECT FROM t) THEN RAISE 'no rows'; END IF; END $$; CREATE TABLE u (a int)`,
      down: 'DROP TABLE u;',
    };
    expect(await chain([first, second, third], fixture)).toMatchObject({ versions: 3, grade: 'exact' });
    expect(await chain([first, second, third], {})).toMatchObject({ grade: 'not-possible' });
  });

  test('a rollback that does not run with their rows fails', async () => {
    const faulty = { ...second, down: `ALTER TABLE t DROP COLUMN b; ALTER TABLE t ADD CHECK (a <> 2);` };
    const proof = await chain([first, faulty], fixture);
    expect(proof?.grade).toBe('failed');
    expect(proof?.reason).toContain('violated by some row');
  });

  test('their rows in tables that stay count for nobody, those that were there do', async () => {
    const kept = { version: '1', up: first.up };
    expect(await chain([kept, second], fixture)).toMatchObject({ stoppedAt: '1', grade: 'exact', again: [] });
    const below = { 'F1__rows.sql': 'INSERT INTO t (a) VALUES (1);' };
    expect(await chain([kept, second], below)).toMatchObject({ grade: 'exact' });
    const deleting = { ...second, down: `${second.down} DELETE FROM t;` };
    expect(await chain([kept, deleting], below)).toMatchObject({ grade: 'data-lost', rows: [{ table: 'public.t' }] });
  });
});
