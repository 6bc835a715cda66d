import * as fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { embeddedPackageName } from '../../../adapters/databases/postgresql/embedded-binaries.js';
import { loadProjectConfig, readFilesOnly } from '../../../src/compose/open-project.js';
import { openScratchPlace } from '../../../src/compose/scratch-place.js';
import { proveProject } from '../../../src/proof/prove-project.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';
import { createProject, type TestProject } from '../../harness/project.js';
import { findBinaries } from '../../harness/servers.js';

/* Proofs on a server of the user's own choice. */

let scratch: TestDatabase;
let project: TestProject;
beforeAll(async () => {
  scratch = await createDatabase(newestServer().url);
  project = await createProject({
    database: { ...scratch, jdbcUrl: 'jdbc:postgresql://production.example/shop' },
    versions: [
      { version: '1', up: 'CREATE TABLE t (id int)', down: 'DROP TABLE t;' },
      { version: '2', up: 'CREATE INDEX i ON t (id)', down: 'SELECT 1;' },
    ],
  });
});
afterAll(async () => {
  await project.remove();
  await scratch.drop();
});

async function open(
  url: string,
  {
    target,
    user = scratch.user,
    password = scratch.password,
  }: { target?: string; user?: string; password?: string } = {},
): ReturnType<typeof openScratchPlace> {
  const login = `user=${encodeURIComponent(user)}&password=${encodeURIComponent(password)}`;
  const flags = {
    scratch: `${url}${url.includes('?') ? '&' : '?'}${login}`,
    ...(target === undefined ? {} : { url: target }),
  };
  const config = await loadProjectConfig({ folder: project.folder, flags, environment: {} });
  return openScratchPlace(config.prove.scratch, config.connection);
}

const leftDatabases = async (): Promise<number> =>
  (await runOn(scratch.url, `SELECT FROM pg_database WHERE datname LIKE 'flyback_proof_%'`)).length;

test('databases are made beside the one that is named, and are gone afterwards', async () => {
  const place = await open(scratch.jdbcUrl);
  const proofs = await proveProject(await readFilesOnly({ folder: project.folder, environment: {} }), place);
  expect(proofs.map(({ grade }) => grade)).toEqual(['exact', 'failed']);
  expect(place.description).toContain(scratch.name);
  await place.close();
  expect(await leftDatabases()).toBe(0);
});

describe('refused', () => {
  test("the target's own server, whatever the database", async () => {
    await expect(
      open(scratch.jdbcUrl, { target: scratch.jdbcUrl.replace(scratch.name, 'other') }),
    ).rejects.toMatchObject({
      code: 'scratch-refused',
    });
  });

  test('a database that is not empty', async () => {
    await runOn(scratch.url, 'CREATE TABLE something (id int)');
    await expect(open(scratch.jdbcUrl)).rejects.toMatchObject({ code: 'scratch-refused' });
    await runOn(scratch.url, 'DROP TABLE something');
  });

  test('a role that is no superuser', async () => {
    await runOn(scratch.url, `CREATE ROLE "${scratch.name}" LOGIN CREATEDB PASSWORD 'secret'`);
    await expect(open(scratch.jdbcUrl, { user: scratch.name, password: 'secret' })).rejects.toMatchObject({
      code: 'scratch-refused',
    });
    await runOn(scratch.url, `DROP ROLE "${scratch.name}"`);
  });
});

test('the major whose npm package the project has is the one to prove on', async () => {
  const binaries = await findBinaries(14);
  if (binaries === undefined) throw new Error('Another major than the one that comes along is wanted.');
  const installed = path.join(project.folder, 'node_modules', embeddedPackageName());
  await fs.mkdir(path.dirname(installed), { recursive: true });
  await fs.symlink(binaries, installed, 'junction');
  const place = await openScratchPlace(undefined, undefined, project.folder);
  try {
    expect(place.majorVersion).toBe(14);
    const proofs = await proveProject(await readFilesOnly({ folder: project.folder, environment: {} }), place);
    expect(proofs.map(({ grade }) => grade)).toEqual(['exact', 'failed']);
  } finally {
    await place.close();
    await fs.rm(installed);
  }
});
