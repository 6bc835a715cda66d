import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';
import {
  carryOn,
  createProject,
  recordEntries,
  storedVersions,
  takeBack,
  type TestProject,
} from '../../harness/project.js';

/* The clock of the machine that runs flyback goes backwards, and jumps. */

const versions = [
  { version: '1', up: 'CREATE TABLE one (id int)', down: 'SELECT pg_sleep(0.02);\nDROP TABLE one;' },
  {
    version: '2',
    up: 'CREATE TABLE two (id int); CREATE INDEX two_id ON two (id)',
    down: "DROP INDEX CONCURRENTLY two_id;\nINSERT INTO ready VALUES (1);\nDROP TABLE two;\n-- flyback: verify gone\nSELECT to_regclass('two') IS NULL;\n-- expect: true",
  },
  { version: '3', up: 'CREATE TABLE three (id int)', down: 'SELECT pg_sleep(0.02);\nDROP TABLE three;' },
];

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
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-06-01T12:00:00Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Every sign of progress sets the clock back by an hour. */
const backwards = (): void => void vi.setSystemTime(Date.now() - 3_600_000);

interface Timed {
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly statements: readonly { readonly durationMs: number }[];
  readonly verifications: readonly { readonly durationMs: number }[];
}

test('durations are never negative, the order is that of the entries, and resume goes on from the right statement', async () => {
  const stopped = await takeBack(project, { target: { kind: 'all' }, observe: backwards });
  expect(stopped.failure).toMatchObject({ code: 'run-interrupted' });
  expect(stopped.result?.steps.map(({ durationMs }) => durationMs >= 0)).not.toContain(false);
  const journal = await runOn(database.url, 'SELECT id, entry FROM flyback_record_journal ORDER BY id');
  const entries = journal.map((row) => JSON.parse(String(row['entry'])) as { event: string; at: string });
  expect(entries.map(({ event }) => event)).toEqual(['begun', 'started', 'finished', 'started', 'failed']);
  // The test itself works: the times of the journal do fall.
  expect(entries.map(({ at }) => at)).toEqual(
    entries
      .map(({ at }) => at)
      .toSorted()
      .toReversed(),
  );

  await runOn(database.url, 'CREATE TABLE ready (id int)');
  vi.setSystemTime(new Date('2001-01-01T00:00:00Z'));
  const done = await carryOn(project, { onEvent: backwards });
  expect(done.failure).toBeUndefined();
  expect(done.plan?.statements.map(({ state }) => state)).toEqual(['finished', 'interrupted', 'to-run']);
  vi.setSystemTime(new Date('1999-01-01T00:00:00Z'));
  expect((await takeBack(project, { observe: backwards })).failure).toBeUndefined();
  expect(await storedVersions(database)).toEqual([]);

  const record = (await recordEntries(database)) as unknown as readonly (Timed & { readonly version: string })[];
  expect(record.map(({ version }) => version)).toEqual(['3', '2', '2', '1']);
  for (const { startedAt, finishedAt, statements, verifications } of record) {
    expect(Date.parse(finishedAt) - Date.parse(startedAt)).toBeGreaterThanOrEqual(0);
    for (const { durationMs } of [...statements, ...verifications]) expect(durationMs).toBeGreaterThanOrEqual(0);
  }
  expect(await project.run(['log', '--verify'])).toMatchObject({ code: 0 });
  const { stdout } = await project.run(['log']);
  expect(stdout).not.toMatch(/-\d+(?:\.\d)? m?s/);
  expect(stdout).toMatch(/^4 +1998-12-31/m);
});

test('entries from the future do not stop a run, nor a resume', async () => {
  vi.setSystemTime(new Date('2199-01-01T00:00:00Z'));
  await takeBack(project, { target: { kind: 'all' } });
  await runOn(database.url, 'CREATE TABLE ready (id int)');
  vi.setSystemTime(new Date('2026-06-01T12:00:00Z'));
  expect((await carryOn(project)).failure).toBeUndefined();
  expect((await takeBack(project)).failure).toBeUndefined();
  expect(await storedVersions(database)).toEqual([]);
  expect(await project.run(['log', '--verify'])).toMatchObject({ code: 0 });
});
