import * as fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startCrashable, type CrashableServer } from '../../harness/crashable-server.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';
import {
  carryOn,
  createProject,
  recordEntries,
  snapshot,
  storedVersions,
  takeBack,
  type TestProject,
} from '../../harness/project.js';
import { asRoot, mountSmallDisk, whyNoSmallDisk, type SmallDisk } from '../../harness/small-disk.js';

/*
 * The server's disk is full: a small tmpfs holds the database, or the write-ahead log. Mounting one takes root (or sudo
 * without a password).
 */

const lacking = whyNoSmallDisk();
const note = lacking === undefined ? '' : ` [not run: ${lacking}]`;

const before = { version: '1', up: 'SELECT 1', down: undefined };
const rows = 'SELECT repeat(md5(n::text), 20) AS text FROM generate_series(1, 60000) n';
const up = `CREATE TABLE t (id int, text text); INSERT INTO t SELECT n, repeat(md5(n::text), 4) FROM generate_series(1, 30000) n; CREATE INDEX t_id ON t (id)`;

/** A server of its own, and whose account its files belong to. */
async function start(): Promise<{
  readonly server: CrashableServer;
  readonly dataFolder: string;
  readonly disk: SmallDisk;
}> {
  const server = await startCrashable(newestServer().major);
  const [row] = await runOn(server.url, 'SHOW data_directory');
  const dataFolder = String(row?.['data_directory']);
  return { server, dataFolder, disk: await mountSmallDisk(40, await fs.stat(dataFolder)) };
}

describe.skipIf(lacking !== undefined)(`the disk of the database is full${note}`, () => {
  let server: CrashableServer;
  let disk: SmallDisk;
  let database: TestDatabase;
  let project: TestProject;

  beforeAll(async () => {
    ({ server, disk } = await start());
    await runOn(server.url, `CREATE TABLESPACE small LOCATION '${disk.folder}'`);
    database = await createDatabase(server.url);
    await runOn(server.url, `ALTER DATABASE "${database.name}" SET TABLESPACE small`);
    project = await createProject({ database });
  });
  afterAll(async () => {
    await project.remove();
    await server.stop();
    await disk.remove();
  });
  beforeEach(async () => {
    await makeRoom();
    await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    // What was dropped is given back by the next checkpoint.
    await runOn(database.url, 'CHECKPOINT');
  });

  const makeRoom = (): Promise<void> => asRoot('rm', '-f', path.join(disk.folder, 'filler'));

  test('in a transaction: told, everything as before, recorded; it works when there is room', async () => {
    const down = `CREATE TABLE saved AS ${rows};\nDROP TABLE t;`;
    await project.apply([before, { version: '2', up, down }]);
    const state = await snapshot(database);
    const { failure } = await takeBack(project);
    expect(failure).toMatchObject({ code: 'script-failed', exitCode: 3, serverCode: '53100' });
    expect(failure?.message).toContain('No space left on device');
    expect(failure?.hint).toMatch(/disk/);
    expect(await snapshot(database)).toBe(state);
    expect((await recordEntries(database)).map(({ outcome }) => outcome)).toEqual(['failed']);
    await project.write({ version: '2', up, down: down.replace('60000', '600') });
    expect((await takeBack(project)).failure).toBeUndefined();
    expect(await storedVersions(database)).toEqual(['1']);
  });

  test('not even for the record: told, everything as before, and that it is not recorded', async () => {
    await project.apply([before, { version: '2', up, down: 'DROP TABLE t;' }]);
    const state = await snapshot(database);
    await disk.fill();
    const { failure, result } = await takeBack(project);
    expect(failure).toMatchObject({ exitCode: 3, serverCode: '53100' });
    expect(failure?.hint).toContain('disk of the server is full');
    expect(result?.warnings.join()).toMatch(/could not be written to the record: .*No space left/);
    await makeRoom();
    expect(await snapshot(database)).toBe(state);
    expect((await takeBack(project)).failure).toBeUndefined();
    expect(await storedVersions(database)).toEqual(['1']);
  });

  test('between statements without a transaction: interrupted; resume finishes when there is room', async () => {
    const down = `DROP INDEX CONCURRENTLY t_id;\nCREATE INDEX CONCURRENTLY t_text ON t (text);\nDROP TABLE t;`;
    await project.apply([before, { version: '2', up, down }]);
    // Room for the entries of the journal, not for an index of 5 MB.
    await disk.fill(1_000_000);
    const { failure } = await takeBack(project);
    expect(failure).toMatchObject({ code: 'run-interrupted', exitCode: 4, serverCode: '53100' });
    expect(failure?.message).toContain('1 of 3 statements ran');
    expect(failure?.hint).toMatch(/disk.*flyback resume/);
    const again = await carryOn(project);
    expect(again.failure).toMatchObject({ code: 'run-interrupted', serverCode: '53100' });
    await makeRoom();
    expect((await carryOn(project)).failure).toBeUndefined();
    expect(await storedVersions(database)).toEqual(['1']);
    expect(await runOn(database.url, `SELECT relname FROM pg_class WHERE relname ~ '^t(_|$)'`)).toEqual([]);
    expect((await recordEntries(database)).at(-1)).toMatchObject({ outcome: 'committed' });
  });
});

describe.skipIf(lacking !== undefined)(`the disk of the write-ahead log is full${note}`, () => {
  test.each([
    ['in a transaction', `CREATE TABLE saved AS ${rows};\nDROP TABLE t;`, /^(script-failed|connection-lost)$/, 3],
    [
      'between statements',
      `DROP INDEX CONCURRENTLY t_id;\nINSERT INTO t SELECT 1, text FROM (${rows}) big;\nDROP TABLE t;`,
      /^run-interrupted$/,
      4,
    ],
  ])('%s: the server goes down; with room it is as before, or resumed', async (_name, down, code, exitCode) => {
    const { server, dataFolder, disk } = await start();
    const database = await createDatabase(server.url);
    const project = await createProject({ database });
    try {
      await project.apply([before, { version: '2', up, down }]);
      await runOn(server.url, 'CHECKPOINT');
      await server.crash();
      await asRoot('mv', path.join(dataFolder, 'pg_wal'), disk.folder);
      await asRoot('ln', '-s', path.join(disk.folder, 'pg_wal'), path.join(dataFolder, 'pg_wal'));
      await server.restart();
      await disk.fill(4_000_000);
      const { failure } = await takeBack(project);
      // Whichever of the server's processes needs room first takes the others along.
      expect(failure?.code).toMatch(code);
      expect(failure?.exitCode).toBe(exitCode);
      await disk.grow(400);
      await server.crash().catch(() => undefined);
      await server.restart();
      if (exitCode === 4) expect((await carryOn(project)).failure).toBeUndefined();
      else {
        expect(await storedVersions(database)).toEqual(['1', '2']);
        expect((await takeBack(project)).failure).toBeUndefined();
      }
      expect(await storedVersions(database)).toEqual(['1']);
    } finally {
      await project.remove();
      await server.stop();
      await disk.remove();
    }
  });
});
