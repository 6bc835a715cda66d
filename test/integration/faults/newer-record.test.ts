import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withProject } from '../../../src/compose/open-project.js';
import { abandon } from '../../../src/run/resume.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';
import { carryOn, createProject, snapshot, storedVersions, takeBack, type TestProject } from '../../harness/project.js';

/* A newer flyback has been at work: what it wrote is not judged by the rules of this one. */

const versions = ['1', '2'].map((version) => ({
  version,
  up: `CREATE TABLE t${version} (id int); CREATE INDEX t${version}_id ON t${version} (id)`,
  down: `DROP TABLE t${version};`,
}));
const oneByOne = {
  ...versions[1],
  version: '2',
  up: versions[1]?.up ?? '',
  down: 'DROP INDEX CONCURRENTLY t2_id;\nDROP TABLE t2;',
};
const failing = { ...oneByOne, down: `${oneByOne.down}\nINSERT INTO nowhere VALUES (1);` };

let database: TestDatabase;
let project: TestProject;

beforeAll(async () => {
  database = await createDatabase(newestServer().url);
  project = await createProject({ database });
});
afterAll(async () => {
  await project.remove();
  await database.drop();
});
beforeEach(async () => {
  await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  await project.apply(versions);
  expect((await takeBack(project, { mode: 'dry-run' })).failure).toBeUndefined();
});

/** Appends what a flyback to come might write: its chain as now, its meaning unknown. */
async function appendNewer(): Promise<void> {
  const [head] = await runOn(database.url, 'SELECT hash FROM flyback_record ORDER BY id DESC LIMIT 1');
  const previous = String(head?.['hash']);
  const entry = JSON.stringify({ format: 2, undone: ['2'], by: { name: 'ops' } });
  const hash = createHash('sha256').update(`${previous}\n${entry}`).digest('hex');
  await runOn(
    database.url,
    `INSERT INTO flyback_record (entry, previous_hash, hash) VALUES ('${entry}', '${previous}', '${hash}')`,
  );
}

const addColumn = (): Promise<unknown> =>
  runOn(database.url, `ALTER TABLE flyback_record ADD COLUMN signature text NOT NULL DEFAULT ''`);

describe.each([
  ['with further columns', addColumn, /further columns \(signature\)/],
  ['with an entry of a later format at its end', appendNewer, /format 2/],
] as const)('a record %s', (_name, make, words) => {
  test.each([
    ['a rollback', versions[1], {}],
    ['a dry run', versions[1], { mode: 'dry-run' as const }],
    ['a rollback without a transaction', oneByOne, {}],
  ] as const)('stops %s before anything runs, and nothing is written', async (_what, files, options) => {
    if (files !== undefined) await project.write(files);
    await make();
    const before = [await snapshot(database), await runOn(database.url, 'SELECT count(*) FROM flyback_record')];
    const { failure, result } = await takeBack(project, options);
    expect(failure).toMatchObject({ code: 'record-newer', exitCode: 2 });
    expect(failure?.message).toMatch(words);
    expect(result?.warnings).toEqual(['This run is not in the record, which a newer flyback keeps.']);
    expect([await snapshot(database), await runOn(database.url, 'SELECT count(*) FROM flyback_record')]).toEqual(
      before,
    );
    expect(await storedVersions(database)).toEqual(['1', '2']);
  });

  test('stops resume and abandon as well', async () => {
    await project.write(failing);
    expect((await takeBack(project)).failure?.code).toBe('run-interrupted');
    await make();
    const before = await runOn(database.url, 'SELECT entry FROM flyback_record_journal ORDER BY id');
    expect((await carryOn(project)).failure).toMatchObject({ code: 'record-newer', exitCode: 2 });
    await expect(
      withProject({ folder: project.folder, environment: {} }, (opened) => abandon(opened)),
    ).rejects.toMatchObject({ code: 'record-newer' });
    expect(await runOn(database.url, 'SELECT entry FROM flyback_record_journal ORDER BY id')).toEqual(before);
  });
});

test('log names such entries as newer, and still checks the chain', async () => {
  await appendNewer();
  await runOn(database.url, `ALTER TABLE flyback_record ADD COLUMN signature text NOT NULL DEFAULT ''`);
  const shown = await project.run(['log']);
  expect(shown).toMatchObject({ code: 0 });
  expect(shown.stdout).toMatch(/dry-run +2 .*\n.* newer /s);
  expect(shown.stderr).toContain('newer flyback');
  const json = await project.run(['log', '--json']);
  expect((JSON.parse(json.stdout) as { entry: unknown }[])[1]?.entry).toMatchObject({ format: 2, undone: ['2'] });
  expect(await project.run(['log', '--verify'])).toMatchObject({ code: 0 });
  await runOn(
    database.url,
    `ALTER TABLE flyback_record DISABLE TRIGGER append_only; UPDATE flyback_record SET entry = replace(entry, 'ops', 'eve') WHERE entry LIKE '%ops%'`,
  );
  const broken = await project.run(['log', '--verify']);
  expect(broken.code).toBe(1);
  expect(broken.stdout).toContain('does not match its own hash');
});

test.each([
  ['no JSON', 'nonsense'],
  ['an entry without its parts', '{"format":1}'],
  ['no object', '7'],
])('log survives an entry that was tampered with: %s', async (_name, text) => {
  await runOn(
    database.url,
    `ALTER TABLE flyback_record DISABLE TRIGGER append_only; UPDATE flyback_record SET entry = '${text}'`,
  );
  const shown = await project.run(['log']);
  expect(shown).toMatchObject({ code: 0, stderr: '' });
  expect(shown.stdout).toContain('unreadable');
});

test('verify without versions does not pass an older rollback off as the newest', async () => {
  expect((await takeBack(project)).failure).toBeUndefined();
  await appendNewer();
  const { code, stderr } = await project.run(['verify']);
  expect(code).toBe(2);
  expect(stderr).toContain('record-newer');
});

test('a record that is gone by then is made anew, so that an interrupted run can end', async () => {
  await project.write(failing);
  expect((await takeBack(project)).failure?.code).toBe('run-interrupted');
  await project.write(oneByOne);
  await runOn(database.url, 'DROP TABLE flyback_record CASCADE; DROP FUNCTION IF EXISTS flyback_record_guard');
  expect((await carryOn(project, { changedScript: true })).failure).toBeUndefined();
  expect(await storedVersions(database)).toEqual(['1']);
  expect(await project.run(['log', '--verify'])).toMatchObject({ code: 0 });
});
