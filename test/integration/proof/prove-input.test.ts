import * as fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFilesOnly } from '../../../src/compose/open-project.js';
import { openScratchPlace } from '../../../src/compose/scratch-place.js';
import type { VersionProof } from '../../../src/proof/proof.js';
import { proveProject, type ScratchPlace } from '../../../src/proof/prove-project.js';
import { createProject, noDatabase, type TestProject, type VersionFiles } from '../../harness/project.js';

/* Projects that are not as a proof would like them. */

let place: ScratchPlace & { close(): Promise<void> };
const projects: TestProject[] = [];
beforeAll(async () => {
  place = await openScratchPlace();
});
afterAll(async () => {
  await place.close();
  await Promise.all(projects.map((project) => project.remove()));
});

async function prove(versions: readonly VersionFiles[], flyback = ''): Promise<readonly VersionProof[]> {
  const files = await createProject({
    database: noDatabase,
    versions,
    flyback,
  });
  projects.push(files);
  return proveProject(await readFilesOnly({ folder: files.folder, environment: {} }), place);
}

const first = { version: '1', up: 'CREATE TABLE first (id int)', down: 'DROP TABLE first;' };
const third = { version: '3', up: 'CREATE TABLE third (id int)', down: 'DROP TABLE third;' };

describe('a migration that does not run here says nothing about its rollback, nor about those above it', () => {
  test.each([
    ['fails half-way', 'CREATE TABLE half (id int); SELECT 1 / 0', 'division by zero'],
    ['needs a role', 'GRANT SELECT ON first TO somebody_else', '"somebody_else" does not exist'],
    ['needs an extension', 'CREATE EXTENSION postgis', 'extension "postgis" is not available'],
    ['needs a setting', `SELECT current_setting('app.tenant')`, 'app.tenant'],
    [
      'needs data',
      `DO $$ BEGIN IF NOT EXISTS (SELECT FROM first) THEN RAISE 'no rows in first'; END IF; END $$`,
      'no rows in first',
    ],
    ['has commands of psql', 'CREATE TABLE t (id int);\n\\d t\n', 'syntax error'],
    ['drops the history with its schema', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public', 'flyway_schema_history'],
  ])('one that %s', async (_title, up, reason) => {
    const proofs = await prove([first, { version: '2', up, down: 'SELECT 1;' }, third]);
    expect(proofs.map(({ grade }) => grade)).toEqual(['exact', 'not-possible', 'not-possible']);
    for (const proof of proofs.slice(1)) expect(proof.reason).toContain(reason);
  });
});

test('a rollback that hangs is ended, and has failed', async () => {
  const proofs = await prove(
    [first, { version: '2', up: 'CREATE TABLE t (id int)', down: 'SELECT pg_sleep(3600);\nDROP TABLE t;' }, third],
    '[run]\nstatementTimeout = "300ms"\n',
  );
  expect(proofs.map(({ grade }) => grade)).toEqual(['exact', 'failed', 'exact']);
  expect(proofs[1]?.reason).toMatch(/statement timeout|statement_timeout/);
});

describe('a migration that hangs is ended, and said where', () => {
  const bounded = '[prove]\nstatementTimeout = "300ms"\n';
  const hangs = 'SELECT pg_sleep(3600)';

  test.each([
    ['in a transaction', `CREATE TABLE t (id int);\n${hangs};`],
    ['outside of any', `VACUUM first;\n${hangs};`],
    ['behind data', `COPY first FROM STDIN;\n\\.\n${hangs};`],
  ])('%s', async (_title, up) => {
    const proofs = await prove([first, { version: '2', up, down: 'DROP TABLE t;' }, third], bounded);
    expect(proofs.map(({ grade }) => grade)).toEqual(['exact', 'not-possible', 'not-possible']);
    const line = up.split('\n').findIndex((text) => text.startsWith(hangs)) + 1;
    for (const { reason } of proofs.slice(1)) {
      expect(reason).toMatch(new RegExp(`V2__step.sql failed in line ${line}: .*0.3 s; prove.statementTimeout`));
    }
  });

  test('also where an earlier one has lifted the bound', async () => {
    const lifts = { version: '2', up: 'SET statement_timeout = 0', down: 'DO $$ BEGIN NULL; END $$;' };
    const proofs = await prove([first, lifts, { ...third, up: hangs }], bounded);
    expect(proofs.map(({ grade }) => grade)).toEqual(['exact', 'exact', 'not-possible']);
  });

  test('a fixture, and the second run of a script, likewise', async () => {
    const files = await createProject({
      database: noDatabase,
      versions: [
        {
          ...first,
          down: `DO $$ BEGIN IF to_regclass('first') IS NULL THEN PERFORM pg_sleep(3600); END IF; END $$;\nDROP TABLE first;`,
        },
        third,
      ],
      flyback: `${bounded}fixtures = "fixtures"\n`,
    });
    projects.push(files);
    await fs.mkdir(path.join(files.folder, 'fixtures'));
    await fs.writeFile(path.join(files.folder, 'fixtures', 'F1__rows.sql'), `INSERT INTO first VALUES (1);\n${hangs};`);
    const proofs = await proveProject(await readFilesOnly({ folder: files.folder, environment: {} }), place);
    expect(proofs.map(({ grade, twice }) => [grade, twice])).toEqual([
      ['exact', 'failed'],
      ['not-possible', undefined],
    ]);
    expect(proofs[1]?.reason).toMatch(/F1__rows.sql failed in line 2: .*prove.statementTimeout/);
  });

  test('a rollback has the same bound where rollbacks have none of their own', async () => {
    const proofs = await prove([first, { ...third, down: `${hangs};\nDROP TABLE third;` }], bounded);
    expect(proofs.map(({ grade }) => grade)).toEqual(['exact', 'failed']);
  });
});

test('COPY with its data, and placeholders', async () => {
  const proofs = await prove([
    {
      version: '1',
      up: 'CREATE TABLE ${flyway:defaultSchema}.t (a int, b text);\nCOPY t (a, b) FROM STDIN;\n1\tone\n2\t\\N\n\\.\n',
      down: 'DROP TABLE ${flyway:defaultSchema}.t;',
    },
    { version: '2', up: 'DELETE FROM t WHERE a = 2', down: 'INSERT INTO t VALUES (2, NULL);' },
    { version: '3', up: `UPDATE t SET b = '' WHERE a = 1`, down: 'UPDATE t SET b = NULL WHERE a = 1;' },
  ]);
  expect(proofs.map(({ grade }) => grade)).toEqual(['exact', 'exact', 'data-lost']);
});

test('what has no transaction: a database of its own, a setting of the server', async () => {
  const proofs = await prove([
    { version: '1', up: 'CREATE DATABASE proof_input_beside', down: 'DROP DATABASE proof_input_beside;' },
    { version: '2', up: `ALTER SYSTEM SET work_mem = '5MB'`, down: 'ALTER SYSTEM RESET work_mem;' },
    { version: '3', up: `ALTER SYSTEM SET work_mem = '6MB'`, down: 'ALTER SYSTEM RESET maintenance_work_mem;' },
    { version: '4', up: 'CREATE DATABASE proof_input_left', down: 'DO $$ BEGIN NULL; END $$;' },
  ]);
  expect(proofs.map(({ grade }) => grade)).toEqual(['exact', 'exact', 'different', 'failed']);
  expect(proofs[2]?.reason).toContain('work_mem');
  expect(proofs[3]?.changes).toMatchObject([{ kind: 'database', name: 'proof_input_left' }]);
});

test('roles, which a server has once: made, granted to, and forgotten', async () => {
  const role = { version: '1', up: 'CREATE ROLE proof_input_role', down: 'DROP ROLE proof_input_role;' };
  const granted = {
    version: '2',
    up: 'CREATE TABLE t (id int); GRANT SELECT ON t TO proof_input_role',
    down: 'DROP TABLE t;',
  };
  const forgotten = { version: '3', up: 'CREATE ROLE proof_input_other', down: 'DO $$ BEGIN NULL; END $$;' };
  const afterwards = {
    version: '4',
    up: 'GRANT SELECT ON t TO proof_input_other',
    down: 'REVOKE SELECT ON t FROM proof_input_other;',
  };
  const proofs = await prove([role, granted, forgotten, afterwards]);
  expect(proofs.map(({ grade, reason }) => `${grade} ${reason ?? ''}`)).toEqual([
    'exact ',
    'exact ',
    expect.stringMatching(/^failed .*proof_input_other/),
    'exact ',
  ]);
  expect(proofs[2]?.changes).toMatchObject([{ change: 'left-over', kind: 'role', name: 'proof_input_other' }]);
});
