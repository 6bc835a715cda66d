import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connect, withProject } from '../../src/compose/open-project.js';
import { FlybackError } from '../../src/errors/error.js';
import { abandon, planResume, resume, type ResumeOptions, type ResumePlan } from '../../src/run/resume.js';
import type { RunResult } from '../../src/run/run-result.js';
import { createDatabase, forEachMajor, runOn, type TestDatabase } from '../harness/postgres.js';
import {
  createProject,
  recordEntries,
  snapshot,
  storedVersions,
  takeBack,
  type TestProject,
  type VersionFiles,
} from '../harness/project.js';

/* Rollbacks that the server allows no transaction for: statement by statement, journalled, carried on by resume. */

const first: VersionFiles = {
  version: '1',
  up: 'CREATE TABLE orders (id int PRIMARY KEY, note text, runs int DEFAULT 0); INSERT INTO orders VALUES (1, NULL), (2, NULL); CREATE INDEX orders_note_old ON orders (note)',
  down: 'DROP TABLE orders;',
};
/** Its rollback mixes what a transaction allows with what it refuses. */
const second: VersionFiles = {
  version: '2',
  up: `DROP INDEX orders_note_old; CREATE INDEX orders_note ON orders (note); ALTER TABLE orders ADD COLUMN state text DEFAULT 'new'`,
  down: `UPDATE orders SET runs = runs + 1;
DROP INDEX CONCURRENTLY orders_note;
CREATE INDEX CONCURRENTLY orders_note_old ON orders (note);
ALTER TABLE orders DROP COLUMN state;
-- flyback: verify index is back
SELECT count(*) FROM pg_indexes WHERE indexname = 'orders_note_old';
-- expect: 1
`,
};

/** A rollback whose third statement fails until `ready` says so. */
const failing: VersionFiles = {
  ...second,
  down: (second.down ?? '').replace('ALTER TABLE', 'INSERT INTO ready VALUES (1);\nALTER TABLE'),
};

interface CarriedOn {
  readonly plan: ResumePlan | undefined;
  readonly result: RunResult | undefined;
  readonly failure: FlybackError | undefined;
}

async function carryOn(
  project: TestProject,
  options: ResumeOptions = {},
  planned: () => Promise<unknown> = () => Promise.resolve(),
): Promise<CarriedOn> {
  let plan: ResumePlan | undefined;
  try {
    const result = await withProject({ folder: project.folder, environment: {} }, async (opened, config) => {
      const found = await planResume(opened);
      if (found === undefined) return undefined;
      ({ plan } = found);
      await planned();
      return resume(opened, found, { reconnect: () => connect(config), ...options });
    });
    return { plan, result, failure: result?.failure };
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    return { plan, result: undefined, failure: error };
  }
}

async function giveUp(project: TestProject): Promise<{ readonly version: string } | undefined> {
  return withProject({ folder: project.folder, environment: {} }, (opened) => abandon(opened, { reason: 'by hand' }));
}

forEachMajor((server) => {
  let database: TestDatabase;
  let project: TestProject;
  /** The database with version 1 alone. */
  let before = '';

  beforeAll(async () => {
    database = await createDatabase(server.url);
    project = await createProject({
      database,
      flyback:
        '[run]\nlockTimeout = "300ms"\nlockRetries = 1\nlockRetryPause = "100ms"\nconcurrentWait = "300ms"\ntoolLockWait = "1s"\n',
    });
  });
  afterAll(async () => {
    await project.remove();
    await database.drop();
  });
  beforeEach(async () => {
    await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    await project.apply([first]);
    before = (await snapshot(database)).replaceAll('"runs": 0', '"runs": 1');
  });

  /** Applies it as well, without noting it twice. */
  async function applySecond(files: VersionFiles = second): Promise<void> {
    await project.write(files);
    await project.apply([files]);
  }

  async function states(): Promise<readonly (readonly [string, boolean])[]> {
    const rows = await runOn(
      database.url,
      'SELECT version, success FROM flyway_schema_history ORDER BY installed_rank',
    );
    return rows.map((row) => [String(row['version']), row['success'] === true] as const);
  }

  async function journal(): Promise<readonly string[]> {
    const rows = await runOn(database.url, 'SELECT entry FROM flyback_record_journal ORDER BY id');
    return rows.map((row) => (JSON.parse(String(row['entry'])) as { event: string }).event);
  }

  async function columns(): Promise<readonly string[]> {
    const rows = await runOn(
      database.url,
      `SELECT attname FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    );
    return rows.map((row) => String(row['attname']));
  }

  async function runs(): Promise<number> {
    const [row] = await runOn(database.url, 'SELECT runs FROM orders WHERE id = 1');
    return Number(row?.['runs']);
  }

  test('a mixed script runs to its end: verified, recorded, the journal empty, the history as before', async () => {
    await applySecond();
    const { plan, result, failure } = await takeBack(project);
    expect(failure).toBeUndefined();
    expect(plan?.steps[0]?.transaction).toBe('off');
    expect(plan?.steps[0]?.statements.map((statement) => statement.alone === null)).toEqual([true, false, false, true]);
    expect(plan?.hazards.map(({ code }) => code)).toContain('no-transaction');
    expect(result?.outcome).toBe('committed');
    expect(result?.steps[0]?.verifications.map(({ passed }) => passed)).toEqual([true]);
    expect(await snapshot(database)).toBe(before);
    expect(await journal()).toEqual([]);
    const entries = await recordEntries(database);
    expect(entries).toMatchObject([{ outcome: 'committed', version: '2', transaction: 'none' }]);
    expect((entries[0]?.['statements'] as unknown[]).length).toBe(4);
    expect((entries[0]?.['historyRow'] as { success: boolean }).success).toBe(true);
  });

  test('while it runs the history shows the version as failed, which stops the migration tool', async () => {
    await applySecond();
    const seen: (readonly (readonly [string, boolean])[])[] = [];
    const looks: Promise<void>[] = [];
    await takeBack(project, {
      observe: (event) => {
        if (event.kind === 'statement-started') looks.push(states().then((state) => void seen.push(state)));
      },
    });
    await Promise.all(looks);
    expect(seen[0]).toEqual([
      ['1', true],
      ['2', false],
    ]);
    expect(await states()).toEqual([['1', true]]);
  });

  test('versions around it keep their own transactions, under one lock', async () => {
    await applySecond();
    const third = { version: '3', up: 'CREATE TABLE third (id int)', down: 'DROP TABLE third;' };
    await project.apply([third]);
    const { result, failure } = await takeBack(project, { target: { kind: 'all' } });
    expect(failure).toBeUndefined();
    expect(result?.steps.map((step) => [step.version, step.outcome])).toEqual([
      ['3', 'committed'],
      ['2', 'committed'],
      ['1', 'committed'],
    ]);
    expect(await storedVersions(database)).toEqual([]);
    expect((await recordEntries(database)).map((entry) => entry['step'])).toEqual([
      { number: 1, of: 3 },
      { number: 2, of: 3 },
      { number: 3, of: 3 },
    ]);
    await project.write({ ...third, down: undefined });
  });

  describe('a failure', () => {
    test('of the first statement is withdrawn: nothing has happened, the version stays applied', async () => {
      await applySecond({ ...second, down: `INSERT INTO nowhere VALUES (1);\n${second.down ?? ''}` });
      const untouched = await snapshot(database);
      const { result, failure } = await takeBack(project);
      expect(failure).toMatchObject({ code: 'script-failed', exitCode: 3, serverCode: '42P01' });
      expect(failure?.location?.line).toBe(1);
      expect(result?.steps[0]?.outcome).toBe('failed');
      expect(await snapshot(database)).toBe(untouched);
      expect(await journal()).toEqual([]);
      expect(await recordEntries(database)).toMatchObject([{ outcome: 'failed', transaction: 'none' }]);
    });

    test('in the middle leaves the version failed and the journal open; resume finishes, and runs nothing twice', async () => {
      await applySecond(failing);
      const { result, failure } = await takeBack(project);
      expect(failure).toMatchObject({ code: 'run-interrupted', exitCode: 4, serverCode: '42P01' });
      expect(failure?.message).toContain('3 of 5 statements ran');
      expect(failure?.hint).toContain('flyback resume');
      expect(result?.outcome).toBe('interrupted');
      expect(result?.steps[0]?.outcome).toBe('interrupted');
      expect(await states()).toEqual([
        ['1', true],
        ['2', false],
      ]);
      expect((await recordEntries(database)).map((entry) => entry['outcome'])).toEqual(['interrupted']);

      const again = await carryOn(project);
      expect(again.failure).toMatchObject({ code: 'run-interrupted' });
      await runOn(database.url, 'CREATE TABLE ready (id int)');
      const done = await carryOn(project);
      expect(done.failure).toBeUndefined();
      expect(done.plan?.statements.map(({ state }) => state)).toEqual([
        'finished',
        'finished',
        'finished',
        'interrupted',
        'to-run',
      ]);
      expect(done.plan?.interrupted?.state).toBe('not-done');
      expect(done.result?.outcome).toBe('committed');
      await runOn(database.url, 'DROP TABLE ready');
      expect(await snapshot(database)).toBe(before);
      expect(await runs()).toBe(1);
      expect(await journal()).toEqual([]);
      const entries = await recordEntries(database);
      expect(entries.map((entry) => entry['outcome'])).toEqual(['interrupted', 'interrupted', 'committed']);
      expect(entries[2]?.['resumes']).toBe(entries[0]?.['run']);
      expect((entries[2]?.['statements'] as unknown[]).length).toBe(5);
      expect(await carryOn(project)).toMatchObject({ plan: undefined, result: undefined });
    });

    test('of the verification leaves every statement done; resume verifies again', async () => {
      await applySecond({ ...second, down: (second.down ?? '').replace('-- expect: 1', '-- expect: 7') });
      const { failure } = await takeBack(project);
      expect(failure).toMatchObject({ code: 'run-interrupted', exitCode: 4 });
      expect(failure?.message).toContain('expected 7, but got 1');
      expect(await columns()).toEqual(['id', 'note', 'runs']);
      expect((await carryOn(project)).failure?.code).toBe('run-interrupted');
      await project.write(second);
      expect((await carryOn(project)).failure?.code).toBe('journal-mismatch');
      expect((await carryOn(project, { changedScript: true })).failure).toBeUndefined();
      expect(await snapshot(database)).toBe(before);
    });

    test('that leaves an INVALID index names it, removes it, and is withdrawn where nothing else has happened', async () => {
      await applySecond({
        ...second,
        down: 'CREATE UNIQUE INDEX CONCURRENTLY orders_runs ON orders (runs);\nALTER TABLE orders DROP COLUMN state;',
      });
      const untouched = await snapshot(database);
      const { failure, result } = await takeBack(project);
      expect(failure).toMatchObject({ code: 'script-failed', serverCode: '23505' });
      expect(result?.warnings.join()).toContain('orders_runs');
      expect(await snapshot(database)).toBe(untouched);
    });
  });

  describe('what is interrupted', () => {
    beforeEach(async () => {
      await applySecond(failing);
      expect((await takeBack(project)).failure?.code).toBe('run-interrupted');
    });

    test('stops every other run, and is told by status and audit', async () => {
      expect((await takeBack(project, { target: { kind: 'all' } })).failure).toMatchObject({
        code: 'resume-needed',
        exitCode: 4,
      });
      expect((await takeBack(project, { target: { kind: 'all' }, mode: 'dry-run' })).failure?.code).toBe(
        'resume-needed',
      );
      const findings = await withProject(
        { folder: project.folder, environment: {} },
        async (opened) => opened.findings,
      );
      expect(findings.map(({ code }) => code)).toContain('rollback-interrupted');
    });

    test('cannot go on with a script whose finished part was changed', async () => {
      await project.write({ ...failing, down: (failing.down ?? '').replace('runs + 1', 'runs + 2') });
      expect((await carryOn(project, { changedScript: true })).failure).toMatchObject({ code: 'journal-mismatch' });
      await project.write({ ...failing, down: undefined });
      const gone = await carryOn(project);
      expect(gone.failure).toMatchObject({ code: 'journal-mismatch', exitCode: 4 });
      expect(gone.failure?.message).toContain('R2__step.sql is gone');
    });

    test('goes on after flyway repair has removed the row that was marked', async () => {
      await runOn(
        database.url,
        `DELETE FROM flyway_schema_history WHERE version = '2' AND NOT success; CREATE TABLE ready (id int)`,
      );
      const done = await carryOn(project);
      expect(done.failure).toBeUndefined();
      expect(done.plan?.historyRow).toBe('gone');
      expect(done.result?.warnings.join()).toContain('no row of version 2');
      await runOn(database.url, 'DROP TABLE ready');
      expect(await snapshot(database)).toBe(before);
    });

    test('is refused where the version was migrated again meanwhile; abandon closes it', async () => {
      await runOn(database.url, `UPDATE flyway_schema_history SET success = true WHERE version = '2'`);
      expect((await carryOn(project)).failure).toMatchObject({ code: 'journal-mismatch' });
      expect(await giveUp(project)).toMatchObject({ version: '2' });
      expect(await journal()).toEqual([]);
      expect(await giveUp(project)).toBeUndefined();
      expect((await recordEntries(database)).at(-1)).toMatchObject({ outcome: 'abandoned', reason: 'by hand' });
    });

    test('is finished by one of two that resume at once; the other is told', async () => {
      await runOn(database.url, 'CREATE TABLE ready (id int)');
      let looking = 2;
      let go: (() => void) | undefined;
      const bothHaveLooked = new Promise<void>((resolve) => (go = resolve));
      const looked = (): Promise<void> => {
        looking -= 1;
        if (looking === 0) go?.();
        return bothHaveLooked;
      };
      const both = await Promise.all([carryOn(project, {}, looked), carryOn(project, {}, looked)]);
      expect(both.filter(({ result }) => result?.outcome === 'committed')).toHaveLength(1);
      expect(both.map(({ failure }) => failure?.code ?? 'none').sort()).toEqual(['history-changed', 'none']);
      expect(await runs()).toBe(1);
    });

    test('a journal of a newer flyback is not touched', async () => {
      await runOn(
        database.url,
        `INSERT INTO flyback_record_journal (run, entry) VALUES ('x', '{"event":"teleported"}')`,
      );
      expect((await carryOn(project)).failure).toMatchObject({ code: 'record-newer', exitCode: 2 });
    });
  });

  describe('a statement that nothing tells about', () => {
    const procedure: VersionFiles = {
      version: '2',
      up: `CREATE PROCEDURE tidy() LANGUAGE plpgsql AS $$ BEGIN UPDATE orders SET runs = runs + 1; COMMIT; IF to_regclass('ready') IS NULL THEN RAISE 'not ready'; END IF; END $$`,
      down: '-- flyback: transaction off\nCALL tidy();\nDROP PROCEDURE tidy;',
    };

    test('is explained and asked about: done, or run again', async () => {
      await applySecond(procedure);
      expect((await takeBack(project)).failure).toMatchObject({ code: 'run-interrupted' });
      expect(await runs()).toBe(1);
      const unclear = await carryOn(project);
      expect(unclear.failure).toMatchObject({ code: 'resume-unclear', exitCode: 4 });
      expect(unclear.failure?.hint).toContain('--assume');
      expect(await runs()).toBe(1);
      expect((await carryOn(project, { assume: 'not-done' })).failure?.code).toBe('run-interrupted');
      expect(await runs()).toBe(2);
      expect((await carryOn(project, { assume: 'done' })).failure).toBeUndefined();
      expect(await runs()).toBe(2);
      expect(await storedVersions(database)).toEqual(['1']);
    });
  });

  describe('refused before anything runs', () => {
    test.each([
      ['a dry run', { mode: 'dry-run' as const }],
      ['one transaction for all', { transaction: 'single' as const }],
    ])('%s', async (_name, options) => {
      await applySecond();
      const untouched = await snapshot(database);
      const { failure, result } = await takeBack(project, options);
      expect(failure).toMatchObject({ code: 'plan-refused', exitCode: 1 });
      expect(result).toBeUndefined();
      expect(await snapshot(database)).toBe(untouched);
    });

    test('transaction on over a statement that refuses one', async () => {
      await applySecond({ ...second, down: `-- flyback: transaction on\n${second.down ?? ''}` });
      const { failure } = await takeBack(project);
      expect(failure?.findings.map(({ code }) => code)).toContain('needs-no-transaction');
    });
  });

  test('a statement of which only the catalog knows that it refuses a transaction runs alone', async () => {
    await applySecond({
      version: '2',
      up: 'CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE part1 PARTITION OF parted FOR VALUES FROM (1) TO (9)',
      down: '-- flyback: transaction off\nREINDEX TABLE parted;\nDROP TABLE parted;',
    });
    const { plan, failure } = await takeBack(project);
    expect(plan?.steps[0]?.statements.map(({ alone }) => alone)).toEqual([null, null]);
    expect(failure).toBeUndefined();
    expect(await storedVersions(database)).toEqual(['1']);
    expect((await recordEntries(database)).map((entry) => entry['outcome'])).toEqual(['committed']);
  });

  test('a lock that is not to be had is tried again, and named when it stays', async () => {
    await applySecond({
      ...second,
      down: 'DROP INDEX CONCURRENTLY orders_note;\nALTER TABLE orders DROP COLUMN state;',
    });
    const holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
    try {
      await holder.query('BEGIN; LOCK TABLE orders IN ACCESS SHARE MODE; SELECT * FROM orders');
      const stuck = await takeBack(project);
      expect(stuck.events.filter((event) => event.kind === 'lock-timeout')).toHaveLength(1);
      expect(stuck.failure).toMatchObject({ exitCode: 4 });
    } finally {
      await holder.end();
    }
    expect((await carryOn(project)).failure).toBeUndefined();
    expect(await storedVersions(database)).toEqual(['1']);
    expect(await columns()).toEqual(['id', 'note', 'runs']);
  });
});
