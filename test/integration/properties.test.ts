import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../harness/postgres.js';
import {
  createProject,
  recordEntries,
  snapshot,
  storedVersions,
  takeBack,
  type TestProject,
  type VersionFiles,
} from '../harness/project.js';

/* What must hold for any history: by whatever way versions are taken back, the result is the same. */

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

/** What a version does, by number, over what the versions before it left; with its way back. */
const changes: readonly ((n: string, before: string | undefined) => { up: string; down: string })[] = [
  (n) => ({ up: `CREATE TABLE t${n} (id int PRIMARY KEY); INSERT INTO t${n} VALUES (1)`, down: `DROP TABLE t${n};` }),
  (n, before) => ({
    up: `ALTER TABLE ${before ?? 'base'} ADD c${n} text`,
    down: `ALTER TABLE ${before ?? 'base'} DROP COLUMN c${n};`,
  }),
  (n) => ({
    up: `INSERT INTO base VALUES (${n}00)`,
    down: `DELETE FROM base WHERE id = ${n}00;\n-- flyback: verify gone\nSELECT count(*) FROM base WHERE id = ${n}00;\n-- expect: 0\n`,
  }),
  (n) => ({ up: `CREATE INDEX i${n} ON base (id)`, down: `DROP INDEX i${n};` }),
  (n) => ({ up: `CREATE FUNCTION f${n}() RETURNS int LANGUAGE sql AS 'SELECT ${n}'`, down: `DROP FUNCTION f${n}();` }),
  (n) => ({ up: `CREATE TABLE r${n} (id int REFERENCES base)`, down: `BEGIN;\nDROP TABLE r${n};\nCOMMIT;` }),
];

/** Ascending versions in mixed notations: a step of the first or of the second part each time. */
const histories = fc
  .array(fc.record({ change: fc.nat({ max: changes.length - 1 }), minor: fc.boolean(), padded: fc.boolean() }), {
    minLength: 2,
    maxLength: 7,
  })
  .map((steps) => {
    let major = 0;
    let minor = 0;
    let table: string | undefined;
    return steps.map((step, index): VersionFiles => {
      if (step.minor && index > 0) minor += 1;
      else [major, minor] = [major + 1, 0];
      const version = `${step.padded ? '00' : ''}${String(major)}${minor === 0 ? '' : `_${String(minor)}`}`;
      const number = String(index + 1);
      const made = changes[step.change]?.(number, table) ?? { up: '', down: '' };
      if (step.change === 0) table = `t${number}`;
      return { version, ...made };
    });
  });

async function start(versions: readonly VersionFiles[]): Promise<void> {
  await runOn(
    database.url,
    'DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE base (id int PRIMARY KEY); INSERT INTO base VALUES (1)',
  );
  await project.remove();
  project = await createProject({ database });
  await project.apply(versions);
}

/** Timestamps of the history differ from one application to the next. */
const state = async (): Promise<string> => (await snapshot(database)).replaceAll(/"installed_on": "[^"]*"/g, '');

test(
  'one by one, with --to, or in one transaction: the same catalog, rows and history',
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(histories, fc.nat(), async (versions, seed) => {
        const steps = 1 + (seed % versions.length);
        const stays = versions[versions.length - steps - 1];

        await start(versions.slice(0, versions.length - steps));
        const expected = await state();

        await start(versions);
        for (let step = 0; step < steps; step += 1) expect((await takeBack(project)).failure).toBeUndefined();
        expect(await state()).toBe(expected);

        await start(versions);
        const target =
          stays === undefined ? ({ kind: 'all' } as const) : ({ kind: 'to', version: stays.version } as const);
        const together = await takeBack(project, { target });
        expect(together.result?.steps).toHaveLength(steps);
        expect(await state()).toBe(expected);

        await start(versions);
        const whole = await state();
        const dry = await takeBack(project, { target, mode: 'dry-run' });
        expect(dry.result?.outcome).toBe('dry-run');
        expect(await state()).toBe(whole);
        const single = await takeBack(project, { target: { kind: 'steps', steps }, transaction: 'single' });
        expect(single.failure).toBeUndefined();
        expect(await state()).toBe(expected);
        expect(await recordEntries(database)).toHaveLength(2 * steps);
      }),
      { numRuns: 12 },
    );
  },
);

test('the same state gives the same plan hash, another state another one', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (versions) => {
      await start(versions);
      const target = { kind: 'all' } as const;
      const first = (await takeBack(project, { target, mode: 'dry-run' })).plan;
      const second = (await takeBack(project, { target, mode: 'dry-run', estimates: 'leave-out' })).plan;
      expect(second?.hash).toBe(first?.hash);
      await takeBack(project);
      expect(await storedVersions(database)).toHaveLength(versions.length - 1);
      const third = (await takeBack(project, { target, mode: 'dry-run' })).plan;
      expect(third?.hash).not.toBe(first?.hash);
    }),
    { numRuns: 8 },
  );
});
