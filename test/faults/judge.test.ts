import { afterAll, beforeAll, expect, test } from 'vitest';
import { newestServer, runOn } from '../harness/postgres.js';
import { judgeAttempt } from './aftermath.js';
import { openArena, type Arena, type Ending } from './arena.js';
import { commandUnderTest } from './extent.js';
import { fixtureVersions } from './fixture.js';
import { judge } from './state.js';

/* The judge of the faults says no to everything that must never be. The states are made by hand. */

let arena: Arena;
beforeAll(async () => {
  arena = await openArena({ cli: commandUnderTest, form: 'mixed', serverUrl: newestServer().url });
});
afterAll(() => arena.close());

const [third, second] = fixtureVersions('mixed');
const runThird = third?.down.join(';\n') ?? '';
const runSecond = second?.down ?? [];
const removeRow = (version: string): string => `DELETE FROM flyway_schema_history WHERE version = '${version}'`;
const markFailed = `UPDATE flyway_schema_history SET success = false WHERE version = '2'`;
const journal = `CREATE TABLE flyback_record_journal (id serial, run text, entry text);
INSERT INTO flyback_record_journal (run, entry) VALUES ('r', '{"event":"begun"}')`;
const record = (...versions: readonly string[]): string =>
  [
    `CREATE TABLE flyback_record (id serial, entry text, previous_hash text, hash text)`,
    ...versions.map(
      (version) => `INSERT INTO flyback_record (entry, previous_hash, hash)
SELECT e, p, encode(sha256(convert_to(p || E'\\n' || e, 'UTF8')), 'hex') FROM (SELECT '{"outcome":"committed","version":"${version}"}' AS e,
  coalesce((SELECT hash FROM flyback_record ORDER BY id DESC LIMIT 1), repeat('0', 64)) AS p) last`,
    ),
  ].join(';\n');
const thirdDone = [runThird, removeRow('3'), record('3')];

async function judged(...statements: readonly string[]): Promise<string> {
  return arena.use(async (database) => {
    // Each by itself: some refuse a transaction.
    for (const statement of statements) await runOn(database.url, statement);
    const state = await arena.state(database);
    try {
      const verdict = judge(state, arena.model);
      return `${verdict.kind} ${verdict.versions}`;
    } catch (error) {
      return `wrong: ${(error as Error).message}`;
    }
  });
}

test.each<readonly [string, readonly string[], string]>([
  ['nothing happened', [], 'after 0'],
  ['a version is gone, and the record tells so', thirdDone, 'after 1'],
  ['interrupted between statements', [...thirdDone, markFailed, journal, ...runSecond.slice(0, 3)], 'interrupted 1'],
  [
    'an index half made on the way',
    [
      ...thirdDone,
      markFailed,
      journal,
      ...runSecond.slice(0, 2),
      `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'customers_name'::regclass`,
    ],
    'interrupted 1',
  ],
])('yes: %s', async (_title, statements, verdict) => {
  expect(await judged(...statements)).toBe(verdict);
});

test.each<readonly [string, readonly string[], RegExp]>([
  ['the record does not tell', [runThird, removeRow('3')], /1 versions are rolled back, the record tells of 0/],
  ['the record tells too much', [record('3')], /0 versions are rolled back, the record tells of 1/],
  ['the row is still there', [runThird, record('3')], /neither before nor after/],
  ['the row is gone and nothing else', [removeRow('3'), record('3')], /neither before nor after/],
  ['half a script in a transaction', third?.down.slice(0, 4) ?? [], /neither before nor after/],
  ['a statement ran twice', [...thirdDone, third?.down[1] ?? ''], /neither before nor after/],
  ['rows changed twice', [...thirdDone, 'UPDATE orders SET total = total - 1'], /neither before nor after/],
  ['half a script, and nobody was told', [...thirdDone, ...runSecond.slice(0, 3)], /neither before nor after/],
  ['marked as failed without a journal', [...thirdDone, markFailed, ...runSecond.slice(0, 3)], /without a journal/],
  ['a journal without the mark', [...thirdDone, journal], /marked as failed: nothing/],
  ['interrupted within a transaction', [markFailed.replace("'2'", "'3'"), journal], /interrupted where nothing can be/],
  ['another version marked', [...thirdDone, markFailed.replace("'2'", "'1'"), journal], /marked as failed: 1/],
  [
    'an entry of the record changed',
    [...thirdDone, `UPDATE flyback_record SET entry = replace(entry, '"}', '" }')`],
    /chain of the record/,
  ],
  [
    'an invalid index left over',
    [...thirdDone, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'customers_city'::regclass`],
    /neither before nor after|left over/,
  ],
])('no: %s', async (_title, statements, why) => {
  expect(await judged(...statements)).toMatch(why);
});

const ended = (code: number | string, outcome: string, committed: number, more: object = {}, stderr = ''): Ending => ({
  code,
  stdout: JSON.stringify({
    outcome,
    steps: ['3', '2', '1'].map((version, index) => ({ version, outcome: index < committed ? 'committed' : 'not-run' })),
    ...more,
  }),
  stderr,
  isStuck: false,
});

test.each<readonly [string, Ending, RegExp | undefined]>([
  ['failed, one version before', ended(3, 'failed', 1), undefined],
  ['killed', ended('SIGKILL', '', 0), undefined],
  ['all done', ended(0, 'committed', 3), /it says that version 2 was rolled back/],
  ['failed, none before', ended(3, 'failed', 0), /it says that the run failed/],
  ['failed, two before', ended(3, 'failed', 2), /it says that version 2 was rolled back/],
  ['nothing begun', ended(2, 'failed', 0), /it says that nothing was begun/],
  ['interrupted', ended(4, 'interrupted', 1), /it says that the run was interrupted/],
  ['progress ahead of the truth', ended('SIGKILL', '', 0, {}, '      rolled back  version 2'), /progress says/],
  ['an internal error', ended(3, 'failed', 1, { error: { code: 'internal' } }), /internal/],
  ['a stack trace', ended(3, 'failed', 1, {}, 'Error\n    at run (run.js:1:1)'), /stack trace/],
])('words after one version: %s', async (_title, ending, why) => {
  await arena.use(async (database) => {
    for (const statement of thirdDone) await runOn(database.url, statement);
    const verdict = judgeAttempt(arena, database, { command: 'rollback', ending, mayBeCutOff: false });
    if (why === undefined) await expect(verdict).resolves.toEqual({ kind: 'after', versions: 1 });
    else await expect(verdict).rejects.toThrow(why);
  });
});
