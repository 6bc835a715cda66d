import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Catalog } from '../../../src/proof/catalog.js';
import { compareCatalogs } from '../../../src/proof/compare-catalogs.js';
import { forEachMajor } from '../../harness/postgres.js';
import { differingEntries, dumpVerdict, findPgDump, type Dump } from '../../harness/pg-dump.js';
import { startOwnServer, type OwnDatabase, type OwnServer } from '../../harness/scratch-server.js';
import { blindSpots, tooStrict, unseen } from './mutants/disagreements.js';
import { serverWide, scenariosAlone, scenariosFor } from './mutants/scenarios.js';
import { joined, numberIn, numbered, type Scenario } from './mutants/subject.js';
import { toolbox } from '../../harness/toolbox.js';

/*
 * A second judge, which shares nothing with flyback: pg_dump before the migration and after its rollback. It is shown the
 * same faulty and faithful rollbacks, and has to say of each what flyback says, but for a list with reasons.
 */

const pgDump = await findPgDump();

const docs = new URL('../../../docs/proofs.md', import.meta.url);

/** Statements of this many scenarios are one transaction. */
const together = 25;
const firstTwin = 2001;

describe.skipIf(pgDump === undefined)(`pg_dump${pgDump === undefined ? ' [not run: it cannot be had]' : ''}`, () => {
  test('differs from flyback in nothing but what docs/proofs.md says, with the reason', async () => {
    const text = await readFile(docs, 'utf8');
    const reasons = [...blindSpots, ...tooStrict, ...unseen].map(({ reason }) => reason);
    expect(reasons.filter((reason) => !text.includes(reason))).toEqual([]);
    const [, section = ''] = text.split('## Where pg_dump and flyback differ');
    const rows = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| '));
    expect(rows.slice(2)).toHaveLength(reasons.length);
  });

  forEachMajor(({ major }) => {
    const mutants = scenariosFor(major);
    const twins = scenariosFor(major, firstTwin);
    let server: OwnServer;

    beforeAll(async () => {
      server = await startOwnServer(major);
      const session = await (await server.createDatabase()).connect();
      for (const statement of serverWide) await session.query(statement);
      await session.close();
    });
    afterAll(() => server.stop());

    /** The dumps before all migrations and after all rollbacks, cut into what belongs to each scenario. */
    async function judge(
      scenarios: readonly Scenario[],
      rollback: 'faulty' | 'faithful',
    ): Promise<ReadonlyMap<number | undefined, { before: Dump; after: Dump }>> {
      const database = await server.createDatabase();
      await play(database, scenarios, ({ before }) => before);
      const before = await dump(database);
      await play(database, scenarios, ({ up }) => up);
      await play(database, [...scenarios].reverse(), (scenario) => scenario[rollback]);
      const after = await dump(database);
      const parts = new Map<number | undefined, { before: Dump; after: Dump }>();
      for (const [side, entries] of [['before', before] as const, ['after', after] as const]) {
        for (const entry of entries) {
          const number = numberIn(entry.text);
          const part = parts.get(number) ?? { before: [], after: [] };
          parts.set(number, { ...part, [side]: [...part[side], entry] });
        }
      }
      return parts;
    }

    async function play(
      database: OwnDatabase,
      scenarios: readonly Scenario[],
      sql: (scenario: Scenario) => string,
    ): Promise<void> {
      const session = await database.connect();
      try {
        for (let at = 0; at < scenarios.length; at += together) {
          await session.query(joined(...scenarios.slice(at, at + together).map(sql)));
        }
      } finally {
        await session.close();
      }
    }

    async function dump(database: OwnDatabase): Promise<Dump> {
      if (pgDump === undefined) throw new Error('There is no pg_dump.');
      return pgDump.dump(server.server, database.name);
    }

    test('says no to every faulty rollback, but for what it cannot see', async () => {
      const parts = await judge(mutants, 'faulty');
      const passed = mutants.flatMap(({ title }, at) => {
        const { before, after } = parts.get(at + 1) ?? { before: [], after: [] };
        return dumpVerdict(before, after) === 'different' ? [] : [title];
      });
      const listed = blindSpots.filter(({ from = 0, until = Infinity }) => from <= major && major <= until);
      expect(passed).toEqual(
        mutants.filter(({ title }) => listed.some(({ titles }) => titles.test(title))).map(({ title }) => title),
      );
      // An entry of the list that fits nothing any more has to go.
      expect(listed.filter(({ titles }) => !passed.some((title) => titles.test(title)))).toEqual([]);
      const rest = parts.get(undefined) ?? { before: [], after: [] };
      expect(differingEntries(rest.before, rest.after)).toEqual([]);
    });

    test('says yes to every faithful one, but for what it takes too strictly', async () => {
      const parts = await judge(twins, 'faithful');
      const refused = twins.flatMap(({ title, grade = 'exact' }, at) => {
        const { before, after } = parts.get(firstTwin + at) ?? { before: [], after: [] };
        const verdict = dumpVerdict(before, after);
        const wanted = { exact: 'same', 'column-order': 'column-order', residue: 'different' }[grade];
        return verdict === wanted
          ? []
          : [{ title, verdict, wanted, entries: differingEntries(before, after).map(({ text }) => text) }];
      });
      const isListed = (title: string): boolean => tooStrict.some(({ titles }) => titles.test(title));
      expect(refused.filter(({ title }) => !isListed(title))).toEqual([]);
      expect(tooStrict.filter(({ titles }) => !refused.some(({ title }) => titles.test(title)))).toEqual([]);
      const rest = parts.get(undefined) ?? { before: [], after: [] };
      expect(differingEntries(rest.before, rest.after)).toEqual([]);
    });

    test.each(scenariosAlone(major))('says the same of $title', async (scenario) => {
      for (const [rollback, wanted] of [['faulty', 'different'] as const, ['faithful', 'same'] as const]) {
        const database = await server.createDatabase();
        await play(database, [scenario], ({ before }) => before);
        const before = await dump(database);
        await play(database, [scenario], ({ up }) => up);
        await play(database, [scenario], (one) => one[rollback]);
        expect(dumpVerdict(before, await dump(database)), rollback).toBe(wanted);
      }
    });

    test.each(unseen)('sees $title, which flyback does not', async ({ before, up }) => {
      const queries = await toolbox.database.loadProofQueries();
      const database = await server.createDatabase();
      const session = await database.connect();
      const look = async (): Promise<Catalog> => {
        await session.query('BEGIN');
        const catalog = await queries.readCatalog(session, []);
        await session.query('ROLLBACK');
        return catalog;
      };
      try {
        await session.query(numbered(before, 9001));
        const [catalog, dumped] = [await look(), await dump(database)];
        await session.query(numbered(up, 9001));
        expect(compareCatalogs(catalog, await look())).toEqual([]);
        expect(dumpVerdict(dumped, await dump(database))).toBe('different');
      } finally {
        await session.close();
      }
    });
  });
});
