import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { CatalogWatch } from '../../../src/adapter/catalog-watch.js';
import type { Session } from '../../../src/adapter/database.js';
import { CatalogStore } from '../../../src/proof/catalog-store.js';
import { compareCatalogs } from '../../../src/proof/compare-catalogs.js';
import { isWatchableText } from '../../../src/proof/watchable.js';
import { WatchedSession } from '../../../src/proof/watched-session.js';
import { forEachMajor } from '../../harness/postgres.js';
import { startOwnServer, type OwnServer } from '../../harness/scratch-server.js';
import { serverWide, scenariosFor } from './mutants/scenarios.js';
import { toolbox } from '../../harness/toolbox.js';

/*
 * What a transaction touches is found out without looking at everything. Held against looking at everything, for each
 * kind of thing that a migration can make and change: not one change may go unseen.
 */

/** Transactions between two looks at everything: a change that was missed is still there then, and named. */
const together = 60;

forEachMajor(({ major }) => {
  // Roles and other databases are seen too: nobody else may make any meanwhile.
  let server: OwnServer;
  let own: Session;
  let reader: Session;
  let watch: CatalogWatch;
  let session: WatchedSession;
  let store: CatalogStore;

  beforeAll(async () => {
    server = await startOwnServer(major);
    const database = await server.createDatabase();
    const first = await database.connect();
    for (const statement of serverWide) await first.query(statement);
    await first.close();
  });
  afterAll(() => server.stop());

  // A database of its own for each test: in one, the looks at everything would take longer and longer.
  beforeEach(async () => {
    const database = await server.createDatabase();
    own = await database.connect();
    reader = await database.connect();
    watch = (await toolbox.database.loadProofQueries()).watchCatalog(major, []);
    store = new CatalogStore();
    store.replace(await watch.readAll(reader));
    session = new WatchedSession(own, watch, toolbox.database.sql.commit, true);
  });
  afterEach(async () => {
    await own.close();
    await reader.close();
  });

  /** Runs SQL in a transaction, and takes over what it touched. */
  async function watched(sql: string, title: string): Promise<void> {
    const { failure } = await session.pipeline(['BEGIN', sql, toolbox.database.sql.commit]);
    if (failure !== undefined) throw new Error(`${title}: ${failure.error.message}\n${sql}`);
    if (store.update(await watch.readChanged(reader, session.takeTouched(), { grants: true }))) {
      store.refresh(await watch.readAll(reader));
    }
  }

  async function notSeen(): Promise<readonly string[]> {
    const there = { objects: (await watch.readAll(reader)).map(({ object }) => object) };
    return compareCatalogs(store.catalog(), there).map(({ change, kind, name }) => `${change}: ${kind} ${name}`);
  }

  const scenarios = scenariosFor(major, 5000).filter(({ up, faithful }) => isWatchableText(`${up};${faithful}`));
  const groups = Array.from({ length: Math.ceil(scenarios.length / together) }, (_, at) =>
    scenarios.slice(at * together, (at + 1) * together),
  );

  test.each(groups.map((group, at) => ({ group, from: at * together + 1, to: at * together + group.length })))(
    'scenarios $from to $to',
    async ({ group }) => {
      for (const step of ['before', 'up', 'faithful'] as const) {
        for (const scenario of group) await watched(scenario[step], `${scenario.title}, ${step}`);
        if (step === 'before') continue;
        const missed = await notSeen();
        // What one group misses is not held against the next.
        store.refresh(await watch.readAll(reader));
        expect(missed, step).toEqual([]);
      }
    },
  );

  test.each([
    { keepsPlans: false, says: 'every transaction is asked' },
    { keepsPlans: true, says: 'the second transaction fails' },
  ])('where a script ends what the server has prepared, and plans are kept ($keepsPlans): $says', async (given) => {
    const careful = new WatchedSession(own, watch, toolbox.database.sql.commit, given.keepsPlans);
    const failures: (string | undefined)[] = [];
    for (const name of ['first', 'second']) {
      const sent = ['BEGIN', `CREATE TABLE ended_${name} (id int)`, 'DEALLOCATE ALL', toolbox.database.sql.commit];
      const { failure } = await careful.batch(sent.map((sql) => ({ sql })));
      failures.push(failure?.error.serverCode);
      if (failure !== undefined) await own.query(toolbox.database.sql.rollback);
    }
    // invalid_sql_statement_name
    expect(failures).toEqual(given.keepsPlans ? [undefined, '26000'] : [undefined, undefined]);
    store.update(await watch.readChanged(reader, careful.takeTouched(), { grants: true }));
    expect(await notSeen()).toEqual([]);
  });

  test('a change of which nobody is told is missed: so the comparison can say no', async () => {
    await own.query('CREATE TABLE unwatched (id int)');
    expect(await notSeen()).toContain('left-over: table public.unwatched');
    store.refresh(await watch.readAll(reader));
    expect(await notSeen()).toEqual([]);
  });
});
