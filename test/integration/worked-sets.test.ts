import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { compareCatalogs, readCatalog, type CatalogComparison, type CatalogText } from '../harness/catalog-text.js';
import { startCrashable, type CrashableServer } from '../harness/crashable-server.js';
import { describeWithFlyway, flyway, type Flyway } from '../harness/flyway/flyway.js';
import { planRollback, rollback, withProject } from '../../src/index.js';
import { createDatabase, forEachMajor, runOn, type TestDatabase } from '../harness/postgres.js';
import type { TestServer } from '../harness/servers.js';

/*
 * Every set under rollbacks/: the real Flyway migrates version by version, the rollbacks run newest first, and after each
 * the database is compared with what it was before that version.
 */

const setsFolder = fileURLToPath(new URL('../../rollbacks/', import.meta.url));

/** What a rollback may leave different, by version as the file name has it. Everything else must be as before. */
interface Set {
  readonly name: string;
  /** Oldest first. */
  readonly versions: readonly string[];
  /** Views of repeatable migrations: they belong to no version. */
  readonly repeatable: readonly string[];
  /** Schemas in which the rollback keeps a copy on purpose. */
  readonly kept: Readonly<Record<string, readonly string[]>>;
  /** Tables whose columns come back in another order. */
  readonly reordered: Readonly<Record<string, readonly string[]>>;
  /** It changes settings of the server itself, which are compared too, on a server of its own. */
  readonly changesServer?: true;
}

const sets: readonly Set[] = [
  {
    name: 'foreign-key-actions',
    versions: ['1', '2', '3', '4', '2025.11.22.001'],
    repeatable: [],
    kept: {},
    reordered: { '4': ['artworks'] },
  },
  {
    name: 'partitioned-table',
    versions: ['001', '002'],
    repeatable: [],
    kept: { '001': ['kept_by_r001'] },
    reordered: {},
  },
  {
    name: 'server-settings',
    versions: ['1', '999'],
    repeatable: [],
    kept: {},
    reordered: {},
    changesServer: true,
  },
  {
    name: 'shop',
    versions: ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10'],
    repeatable: ['top_sellers'],
    kept: {},
    reordered: {},
  },
];

function setOf(name: string): Set {
  const set = sets.find((candidate) => candidate.name === name);
  if (set === undefined) throw new Error(`There is no set ${name}.`);
  return set;
}

/** One set in a database of its own, migrated to its newest version. */
interface Migrated {
  readonly database: TestDatabase;
  readonly tool: Flyway;
  /** The database before each version. */
  readonly before: ReadonlyMap<string, CatalogText>;
  readonly after: CatalogText;
  readonly remove: () => Promise<void>;
}

/** The catalog, and what ALTER SYSTEM has left where the set says that it does so. */
async function readState(set: Set, url: string): Promise<CatalogText> {
  const catalog = await readCatalog(url);
  if (set.changesServer === undefined) return catalog;
  const settings = await runOn(
    url,
    "SELECT name, setting FROM pg_file_settings WHERE sourcefile LIKE '%postgresql.auto.conf'",
  );
  const lines = settings.map((row) => `setting ${String(row['name'])} = ${String(row['setting'])}`);
  return { ...catalog, objects: [...catalog.objects, ...lines].sort() };
}

async function migrate(set: Set, serverUrl: string, until = set.versions.length): Promise<Migrated> {
  const source = path.join(setsFolder, set.name, 'migrations');
  const files = await readdir(source);
  const folder = await mkdtemp(path.join(tmpdir(), 'flyback-set-'));
  const database = await createDatabase(serverUrl);
  const tool = flyway({ database, locations: [folder] });
  const before = new Map<string, CatalogText>();
  const copy = async (prefix: string): Promise<void> => {
    for (const file of files.filter((name) => name.startsWith(prefix))) {
      await cp(path.join(source, file), path.join(folder, file));
    }
  };
  await copy('U');
  for (const version of set.versions.slice(0, until)) {
    before.set(version, await readState(set, database.url));
    await copy(`V${version}__`);
    expect(await tool.migrate()).toMatchObject({ success: true, migrationsExecuted: 1, targetVersion: version });
  }
  if (until === set.versions.length) {
    await copy('R__');
    expect(await tool.migrate()).toMatchObject({ success: true, migrationsExecuted: set.repeatable.length });
  }
  return {
    database,
    tool,
    before,
    after: await readState(set, database.url),
    remove: async () => {
      await database.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The set's script for a version: the R file, else the U file beside the migrations. */
async function readRollback(set: Set, version: string): Promise<string> {
  for (const [folder, prefix] of [
    ['rollbacks', 'R'],
    ['migrations', 'U'],
  ] as const) {
    const files = await readdir(path.join(setsFolder, set.name, folder));
    const file = files.find((name) => name.startsWith(`${prefix}${version}__`));
    if (file !== undefined) return readFile(path.join(setsFolder, set.name, folder, file), 'utf8');
  }
  throw new Error(`${set.name} has no rollback for version ${version}.`);
}

/** Takes the newest version back: (database, set, version). */
type Runner = (database: TestDatabase, set: Set, version: string) => Promise<void>;

/**
 * By hand: scripts with a transaction of their own run as they are; around the others goes the least that is needed. What
 * allows no transaction goes statement by statement, as psql sends it.
 */
async function runByHand(database: TestDatabase, version: string, script: string): Promise<void> {
  if (/^-- flyback: transaction off$/m.test(script)) {
    const statements = [...script.split(/;$/m), `DELETE FROM flyway_schema_history WHERE version = '${version}'`];
    for (const statement of statements) await runOn(database.url, statement);
    return;
  }
  const isHandWritten = /^BEGIN;$/m.test(script);
  await runOn(
    database.url,
    isHandWritten
      ? script
      : `BEGIN; ${script}
         DELETE FROM flyway_schema_history WHERE version = '${version}';
         COMMIT;`,
  );
}

const rollBackByHand: Runner = async (database, set, version) =>
  runByHand(database, version, await readRollback(set, version));

const rollBackWithFlyback: Runner = async (database, set, version) => {
  const folder = path.join(setsFolder, set.name);
  const flags = { url: database.jdbcUrl, user: database.user };
  const environment = database.password === '' ? {} : { FLYBACK_PASSWORD: database.password };
  const result = await withProject({ folder, flags, environment }, async (project) => {
    const built = await planRollback(project, { target: { kind: 'steps', steps: 1 } });
    return rollback(project, built, { reason: 'worked set' });
  });
  if (result.failure !== undefined) throw result.failure;
  expect(result.steps.map((step) => step.version)).toEqual([version]);
};

const runners = { 'by hand': rollBackByHand, 'by flyback': rollBackWithFlyback };

/** flyback's record and journal with what belongs to them; the tables themselves are left out of every comparison. */
const ownRecord =
  /^\+ (?:comment on table|relation|sequence|routine) public\.flyback_record(?:_journal)?(?:_id_seq|_guard\(\))?[ :]/;

/** What is different although the set does not say so. */
function unexplained(set: Set, version: string, { objects, columnOrders, rows }: CatalogComparison): CatalogComparison {
  const index = set.versions.indexOf(version);
  const kept = set.versions.slice(index).flatMap((later) => set.kept[later] ?? []);
  const reordered = set.versions.slice(index).flatMap((later) => set.reordered[later] ?? []);
  const isOf = (line: string, relations: readonly string[]): boolean =>
    relations.some((name) => new RegExp(`\\bpublic\\.${name}(?!\\w)`).test(line));
  const isKept = (line: string): boolean =>
    line.startsWith('+') &&
    (ownRecord.test(line) || kept.some((schema) => new RegExp(`\\b(?:schema ${schema} |${schema}\\.)`).test(line)));
  return {
    objects: objects.filter((line) => !isKept(line) && !isOf(line, set.repeatable)),
    columnOrders: columnOrders.filter((line) => !isKept(line) && !isOf(line, reordered)),
    rows: rows.filter((line) => !isKept(line)),
  };
}

const nothing: CatalogComparison = { objects: [], columnOrders: [], rows: [] };

async function storedVersions(database: TestDatabase): Promise<readonly unknown[]> {
  const rows = await runOn(
    database.url,
    'SELECT version FROM flyway_schema_history WHERE version IS NOT NULL ORDER BY installed_rank',
  );
  return rows.map((row) => row['version']);
}

describeWithFlyway('The worked sets under rollbacks/', () => {
  it('are all tested here', async () => {
    const folders = await readdir(setsFolder, { withFileTypes: true });
    const names = folders.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    expect(names.sort()).toEqual(sets.map(({ name }) => name).sort());
  });

  it.each(sets)('have a rollback for every migration of $name, and none besides', async (set) => {
    const folder = path.join(setsFolder, set.name);
    const versionsOf = async (subfolder: string, prefix: string): Promise<readonly string[]> => {
      const files = await readdir(path.join(folder, subfolder));
      return files.flatMap((file) => new RegExp(`^${prefix}([\\d.]+)__\\w+\\.sql$`).exec(file)?.[1] ?? []);
    };
    const undone = [...(await versionsOf('rollbacks', 'R')), ...(await versionsOf('migrations', 'U'))];
    expect([...(await versionsOf('migrations', 'V'))].sort()).toEqual([...set.versions].sort());
    expect(undone.sort()).toEqual([...set.versions].sort());
  });

  forEachMajor((server) => {
    describeSets(server);
  });
});

function describeSets({ url: serverUrl, major }: TestServer): void {
  const ways = sets.flatMap((set) => Object.entries(runners).map(([way, run]) => ({ name: set.name, set, way, run })));
  it.each(ways)('$name is restored by each of its rollbacks $way, and migrates again', async ({ set, run }) => {
    const own: CrashableServer | undefined = set.changesServer === true ? await startCrashable(major) : undefined;
    const { database, tool, before, after, remove } = await migrate(set, own?.url ?? serverUrl);
    try {
      for (const [index, version] of [...set.versions.entries()].reverse()) {
        await run(database, set, version);
        const found = compareCatalogs(before.get(version) as CatalogText, await readState(set, database.url));
        expect({ version, ...unexplained(set, version, found) }).toEqual({ version, ...nothing });
        expect(await storedVersions(database)).toEqual(set.versions.slice(0, index));
      }
      expect(await tool.migrate()).toMatchObject({ success: true, migrationsExecuted: set.versions.length });
      const again = compareCatalogs(after, await readState(set, database.url));
      expect(unexplained(set, set.versions[0] ?? '', again)).toEqual(nothing);
    } finally {
      await remove();
      await own?.stop();
    }
  });

  it('a rollback that leaves an index behind is noticed', async () => {
    const set = setOf('shop');
    const { database, before, remove } = await migrate(set, serverUrl, 4);
    try {
      const faulty = (await readRollback(set, '4')).replace('DROP INDEX orders_by_customer;', 'SELECT 1;');
      await runByHand(database, '4', faulty);
      const found = compareCatalogs(before.get('4') as CatalogText, await readCatalog(database.url));
      expect(unexplained(set, '4', found)).toEqual({
        ...nothing,
        objects: [
          expect.stringMatching(/^\+ index CREATE INDEX orders_by_customer ON public\.orders /),
          expect.stringMatching(/^\+ relation public\.orders_by_customer kind i /),
        ],
      });
    } finally {
      await remove();
    }
  });

  it('a rollback that leaves a setting of the server behind is noticed', async () => {
    const set = setOf('server-settings');
    const own = await startCrashable(major);
    const { database, before, remove } = await migrate(set, own.url);
    try {
      const faulty = (await readRollback(set, '999')).replace("ALTER SYSTEM SET work_mem = '6MB';", '');
      await runByHand(database, '999', faulty);
      const found = compareCatalogs(before.get('999') as CatalogText, await readState(set, database.url));
      expect(unexplained(set, '999', found)).toEqual({
        ...nothing,
        objects: ['- setting work_mem = 6MB', '+ setting work_mem = 3MB'],
      });
    } finally {
      await remove();
      await own.stop();
    }
  });

  it('a rollback that forgets to put values back is noticed', async () => {
    const set = setOf('shop');
    const { database, before, remove } = await migrate(set, serverUrl, 6);
    try {
      const faulty = (await readRollback(set, '6')).replace('SET price_cents = b.price_cents', 'SET price_cents = 2');
      await runByHand(database, '6', faulty);
      const found = compareCatalogs(before.get('6') as CatalogText, await readCatalog(database.url));
      expect(unexplained(set, '6', found).objects).toEqual([]);
      expect(unexplained(set, '6', found).rows).toEqual([
        expect.stringMatching(/^- public\.products .*"SAMPLE-ASSAM".*"price_cents": 0/),
        expect.stringMatching(/^- public\.products .*"SAMPLE-SENCHA".*"price_cents": 0/),
        expect.stringMatching(/^\+ public\.products .*"SAMPLE-ASSAM".*"price_cents": 2/),
        expect.stringMatching(/^\+ public\.products .*"SAMPLE-SENCHA".*"price_cents": 2/),
      ]);
    } finally {
      await remove();
    }
  });

  it('the copy of the partitioned table has everything but the partitions, and gives the rows back', async () => {
    const set = setOf('partitioned-table');
    const { database, tool, before, remove } = await migrate(set, serverUrl);
    try {
      await runOn(
        database.url,
        "INSERT INTO meter_readings VALUES ('HM-0001', '2025-06-30 18:00', 1500, 'visit', true)",
      );
      for (const version of ['002', '001']) await rollBackByHand(database, set, version);
      expect(
        await runOn(
          database.url,
          'SELECT partition_name, bounds, row_count::integer FROM kept_by_r001.partitions ORDER BY 1 LIMIT 1',
        ),
      ).toEqual([
        {
          partition_name: 'meter_readings_2025_01',
          bounds: "FOR VALUES FROM ('2025-01-01 00:00:00') TO ('2025-02-01 00:00:00')",
          row_count: 40 * 31,
        },
      ]);
      expect(
        await runOn(
          database.url,
          "SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE conrelid = 'kept_by_r001.meter_readings'::regclass AND contype <> 'n' ORDER BY 1",
        ),
      ).toEqual([{ text: 'CHECK ((kwh >= (0)::numeric))' }, { text: 'PRIMARY KEY (meter_no, read_at)' }]);

      await tool.migrate();
      const recipe = /```sql\n([\s\S]*?)```/.exec(await readFile(path.join(setsFolder, set.name, 'README.md'), 'utf8'));
      await runOn(database.url, recipe?.[1] ?? 'SELECT no_recipe');
      await rollBackByHand(database, set, '002');
      const found = compareCatalogs(before.get('002') as CatalogText, await readCatalog(database.url));
      expect(unexplained(set, '001', found)).toEqual({
        ...nothing,
        rows: [expect.stringMatching(/^\+ public\.meter_readings_2025_06 .*"source": "visit"/)],
      });
    } finally {
      await remove();
    }
  });

  it('the foreign keys do not come back while a row has lost its handler, and nothing changes', async () => {
    const set = setOf('foreign-key-actions');
    const { database, remove } = await migrate(set, serverUrl);
    try {
      await runOn(database.url, 'DELETE FROM staff WHERE id = 3');
      const before = await readCatalog(database.url);
      for (const run of Object.values(runners)) {
        await expect(run(database, set, '2025.11.22.001')).rejects.toThrow('contains null values');
        expect(unexplained(set, '2025.11.22.001', compareCatalogs(before, await readCatalog(database.url)))).toEqual(
          nothing,
        );
      }
      expect(await storedVersions(database)).toEqual(set.versions);
    } finally {
      await remove();
    }
  });

  it('the view of the repeatable migration goes with version 7 of the shop', async () => {
    const set = setOf('shop');
    const { database, remove } = await migrate(set, serverUrl);
    try {
      const views = 'SELECT viewname FROM pg_views WHERE schemaname = current_schema() ORDER BY 1';
      expect(await runOn(database.url, views)).toEqual([{ viewname: 'sales_by_product' }, { viewname: 'top_sellers' }]);
      await rollBackByHand(database, set, '7');
      expect(await runOn(database.url, views)).toEqual([]);
    } finally {
      await remove();
    }
  });
}
