import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Session } from '../../src/adapter/database.js';
import { openScratchPlace } from '../../src/compose/scratch-place.js';
import { connect, loadProjectConfig, readFilesOnly, withProject } from '../../src/compose/open-project.js';
import { planRollback } from '../../src/plan/plan-rollback.js';
import type { CatalogObject } from '../../src/proof/catalog.js';
import { relationOf } from '../../src/proof/footprint.js';
import { proveProject } from '../../src/proof/prove-project.js';
import { keepReceipts } from '../../src/receipt/keep-receipts.js';
import { rollback } from '../../src/run/rollback.js';
import type { RunResult } from '../../src/run/run-result.js';
import { applyMigrations, inOrder } from '../../src/scratch/apply-migrations.js';
import { createDatabase, forEachMajor, newestServer, runOn, type TestDatabase } from '../harness/postgres.js';
import {
  createProject,
  recordEntries,
  snapshot,
  storedVersions,
  type TestProject,
  type VersionFiles,
} from '../harness/project.js';
import { toolbox } from '../harness/toolbox.js';

/* What a comparison with receipts costs, and every kind of object that it compares. */

const versions: readonly VersionFiles[] = [
  { version: '1', up: 'CREATE TABLE plain (id int PRIMARY KEY)', down: 'DROP TABLE plain' },
  {
    version: '2',
    up: `CREATE SCHEMA "Odd ""Names"".and dots";
CREATE TYPE "Odd ""Names"".and dots"."mood.s" AS ENUM ('a', 'b');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE SEQUENCE counter INCREMENT 5;
CREATE TABLE "Odd ""Names"".and dots"."Ta.ble é" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "ä ""b"".c" positive, m "Odd ""Names"".and dots"."mood.s", r int REFERENCES plain);
CREATE INDEX "In.dex" ON "Odd ""Names"".and dots"."Ta.ble é" (m) WHERE id > 3;
CREATE STATISTICS spread ON id, r FROM "Odd ""Names"".and dots"."Ta.ble é";
CREATE FUNCTION total("Odd ""Names"".and dots"."mood.s", p int) RETURNS int LANGUAGE sql AS 'SELECT p';
CREATE VIEW seen AS SELECT id, total(m, r) AS total FROM "Odd ""Names"".and dots"."Ta.ble é";
CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER "on it" BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION fired();
CREATE POLICY "p q" ON plain USING (id > 0);
CREATE RULE quiet AS ON DELETE TO plain WHERE OLD.id < 0 DO INSTEAD NOTHING;
ALTER TABLE plain ENABLE ROW LEVEL SECURITY, ALTER COLUMN id SET STATISTICS 50;
COMMENT ON TABLE plain IS 'what it is for'; COMMENT ON FUNCTION fired() IS 'fires';
CREATE PUBLICATION told FOR TABLE plain`,
    down: `DROP PUBLICATION told; COMMENT ON TABLE plain IS NULL;
ALTER TABLE plain DISABLE ROW LEVEL SECURITY, ALTER COLUMN id SET STATISTICS -1;
DROP RULE quiet ON plain; DROP POLICY "p q" ON plain; DROP TRIGGER "on it" ON plain; DROP FUNCTION fired();
DROP VIEW seen; DROP FUNCTION total("Odd ""Names"".and dots"."mood.s", int);
DROP TABLE "Odd ""Names"".and dots"."Ta.ble é"; DROP SEQUENCE counter; DROP DOMAIN positive;
DROP TYPE "Odd ""Names"".and dots"."mood.s"; DROP SCHEMA "Odd ""Names"".and dots"`,
  },
];

let database: TestDatabase;
let project: TestProject;
const lockFile = (): string => path.join(project.folder, 'flyback.lock');

/** Proves a project's versions as `flyback prove` does, and keeps the receipts. */
async function prove(folder: string): Promise<void> {
  const files = await readFilesOnly({ folder, flags: {}, environment: {} });
  const place = await openScratchPlace();
  try {
    const proofs = await proveProject(files, place);
    expect(
      proofs
        .filter(({ grade }) => !files.config.prove.passes.includes(grade))
        .map(({ version, reason }) => [version, reason]),
    ).toEqual([]);
    await keepReceipts(files, proofs, { product: place.product, major: place.majorVersion }, files.config.prove);
  } finally {
    await place.close();
  }
}

beforeAll(async () => {
  database = await createDatabase(newestServer().url);
  project = await createProject({ database, versions });
  await prove(project.folder);
});
afterAll(async () => {
  await project.remove();
  await database.drop();
});
beforeEach(async () => {
  await runOn(
    database.url,
    `DROP PUBLICATION IF EXISTS told; DROP SCHEMA IF EXISTS "Odd ""Names"".and dots" CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public`,
  );
  await project.apply(versions);
});

interface Counted {
  readonly result: RunResult;
  /** How often the session was asked for something while the plan ran. */
  readonly asked: number;
}

/** Takes everything back, and counts. */
async function takeBack(
  flags: Readonly<Record<string, string>> = {},
  steps = 2,
  { folder } = project,
  onLook: () => Promise<unknown> = () => Promise.resolve(),
): Promise<Counted> {
  return withProject({ folder, flags, environment: {} }, async (opened) => {
    const built = await planRollback(opened, { target: { kind: 'steps', steps } });
    let asked = 0;
    const counting = new Proxy(opened.session, {
      get: (session, name: keyof Session) => {
        const member: unknown = Reflect.get(session, name);
        if (typeof member !== 'function') return member;
        if (['query', 'pipeline', 'batch', 'copyIn'].includes(name)) asked += 1;
        if (name !== 'query') return member.bind(session) as unknown;
        return async (sql: string): Promise<unknown> => {
          if (sql.startsWith('SAVEPOINT')) await onLook();
          return session.query(sql);
        };
      },
    });
    const result = await rollback({ ...opened, session: counting }, built);
    return { result, asked };
  });
}

const drift = ({ result }: Counted): readonly string[] =>
  result.steps.flatMap((step) => (step.drift ?? []).map(({ code, subject }) => `${code} ${subject}`));

test('asks nothing more of the server where there is no receipt, or the policy is off', async () => {
  const off = await takeBack({ drift: 'off' });
  expect(off.result.steps.some((step) => 'drift' in step)).toBe(false);
  const lock = await fs.readFile(lockFile());
  await fs.rm(lockFile());
  await project.apply(versions);
  const without = await takeBack();
  await fs.writeFile(lockFile(), lock);
  await project.apply(versions);
  const compared = await takeBack();
  expect(off.asked).toBe(without.asked);
  expect(compared.asked).toBeGreaterThan(without.asked);
});

test('finds nothing in a database with the migrations alone, whatever their objects are called', async () => {
  const { result } = await takeBack({ drift: 'stop' });
  expect({ failure: result.failure, drift: result.steps.map((step) => step.drift) }).toEqual({
    failure: undefined,
    drift: [[], []],
  });
});

test.each([
  [`ALTER TYPE "Odd ""Names"".and dots"."mood.s" ADD VALUE 'c'`, 'enum "Odd ""Names"".and dots"."mood.s"'],
  ['ALTER DOMAIN positive SET DEFAULT 7', 'domain public.positive'],
  ['ALTER SEQUENCE counter INCREMENT 6', 'sequence public.counter'],
  [
    'ALTER TABLE "Odd ""Names"".and dots"."Ta.ble é" ALTER COLUMN "ä ""b"".c" SET NOT NULL',
    'column "Odd ""Names"".and dots"."Ta.ble é"."ä ""b"".c"',
  ],
  [
    'ALTER TABLE "Odd ""Names"".and dots"."Ta.ble é" ADD COLUMN more int',
    'column "Odd ""Names"".and dots"."Ta.ble é".more',
  ],
  ['CREATE INDEX ON "Odd ""Names"".and dots"."Ta.ble é" (r)', 'index "Odd ""Names"".and dots"."Ta.ble é_r_idx"'],
  ['DROP INDEX "Odd ""Names"".and dots"."In.dex"', 'index "Odd ""Names"".and dots"."In.dex"'],
  ['ALTER STATISTICS spread SET STATISTICS 77', 'statistics public.spread'],
  [
    `CREATE OR REPLACE FUNCTION total("Odd ""Names"".and dots"."mood.s", p int) RETURNS int LANGUAGE sql AS 'SELECT p + 1'`,
    'function public.total("Odd ""Names"".and dots"."mood.s",integer)',
  ],
  [
    'CREATE OR REPLACE VIEW seen AS SELECT id, total(m, r) + 1 AS total FROM "Odd ""Names"".and dots"."Ta.ble é"',
    'view public.seen',
  ],
  ['ALTER TABLE plain DISABLE TRIGGER "on it"', 'trigger "on it" on public.plain'],
  [
    'CREATE TRIGGER another BEFORE UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION fired()',
    'trigger another on public.plain',
  ],
  ['ALTER POLICY "p q" ON plain USING (id > 1)', 'policy "p q" on public.plain'],
  ['ALTER TABLE plain DISABLE RULE quiet', 'rule quiet on public.plain'],
  ['ALTER TABLE plain ADD CONSTRAINT odd CHECK (id % 2 = 1)', 'constraint odd on public.plain'],
  ['ALTER TABLE plain SET (fillfactor = 50)', 'table public.plain'],
  [`COMMENT ON TABLE plain IS 'something else'`, 'comment on table public.plain'],
  ['ALTER PUBLICATION told DROP TABLE plain', 'publication table public.plain in told'],
])('names what was changed by hand: %s', async (byHand, subject) => {
  await runOn(database.url, byHand);
  const { result } = await takeBack({ drift: 'stop' }, 1);
  expect(result.failure?.code).toBe('drift-found');
  expect(result.failure?.findings.map(({ code, subject: on }) => `${code} ${on}`)).toContain(`drift-before ${subject}`);
  // What is there in addition goes with its table, or stands in the way of the script.
  const warned = await takeBack({}, 1);
  expect(drift(warned)).toContain(`drift-before ${subject}`);
});

test.each([
  ['before the script', 1],
  ['after it', 2],
])('a connection that breaks while it is looked, %s, is told as that, and nothing has happened', async (_, at) => {
  const before = await snapshot(database);
  let looks = 0;
  const { result } = await takeBack({ drift: 'stop' }, 1, project, async () => {
    looks += 1;
    if (looks < at) return;
    await runOn(
      database.url,
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
  });
  expect({ looks, code: result.failure?.code }).toEqual({ looks: at, code: 'connection-lost' });
  expect(await snapshot(database)).toBe(before);
});

test('what repeatable migrations make is no drift, and what is beside it is', async () => {
  const file = path.join(project.folder, 'migrations', 'R__extras.sql');
  const repeatable = `CREATE OR REPLACE FUNCTION "Extra f"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE OR REPLACE TRIGGER extra AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION "Extra f"();
CREATE OR REPLACE VIEW extra_view AS SELECT * FROM seen;
CREATE INDEX IF NOT EXISTS extra_index ON plain (id);`;
  await fs.writeFile(file, repeatable);
  try {
    await runOn(database.url, repeatable);
    await runOn(database.url, 'CREATE INDEX extra_index_too ON plain (id)');
    const { result } = await takeBack({ drift: 'stop' }, 1);
    expect(result.failure?.findings.map(({ subject }) => subject)).toEqual(['index public.extra_index_too']);
  } finally {
    await fs.rm(file);
  }
});

describe('around a script without a transaction', () => {
  const slow: readonly VersionFiles[] = [
    {
      version: '1',
      up: 'CREATE TABLE slow (id int, other int); CREATE INDEX slow_id ON slow (id)',
      down: 'DROP TABLE slow',
    },
    {
      version: '2',
      up: 'CREATE INDEX slow_other ON slow (other)',
      down: `DROP INDEX CONCURRENTLY slow_other;
DO $$ BEGIN IF EXISTS (SELECT FROM slow WHERE id = 4711) THEN CREATE TABLE meddled (); END IF; END $$`,
    },
  ];
  let own: { readonly database: TestDatabase; readonly project: TestProject };
  beforeAll(async () => {
    const ownDatabase = await createDatabase(newestServer().url);
    own = { database: ownDatabase, project: await createProject({ database: ownDatabase, versions: slow }) };
    await prove(own.project.folder);
  });
  afterAll(async () => {
    await own.project.remove();
    await own.database.drop();
  });
  beforeEach(async () => {
    await runOn(own.database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    await own.project.apply(slow);
  });

  test('nothing is found in a database with the migrations alone', async () => {
    const { result } = await takeBack({ drift: 'stop' }, 2, own.project);
    expect(result).toMatchObject({ outcome: 'committed', steps: [{ drift: [] }, { drift: [] }] });
  });

  test('drift stops it before anything has happened', async () => {
    await runOn(own.database.url, 'CREATE INDEX by_hand ON slow (id, other)');
    const before = await snapshot(own.database);
    const { result } = await takeBack({ drift: 'stop' }, 1, own.project);
    expect(result).toMatchObject({ outcome: 'failed', failure: { code: 'drift-found' } });
    expect(await snapshot(own.database)).toBe(before);
    const warned = await takeBack({}, 1, own.project);
    expect(drift(warned)).toEqual(['drift-before index public.by_hand']);
    expect((await recordEntries(own.database)).at(-1)).toMatchObject({
      transaction: 'none',
      drift: [expect.stringContaining('index public.by_hand')],
    });
  });

  test('what the script came to is told when there is no way back, and the run ends as any other', async () => {
    await runOn(own.database.url, 'INSERT INTO slow VALUES (4711)');
    const ran = await takeBack({ drift: 'stop' }, 1, own.project);
    expect(ran.result).toMatchObject({ outcome: 'committed', failure: undefined });
    expect(drift(ran)).toContain('drift-after table public.meddled');
    expect(await storedVersions(own.database)).toEqual(['1']);
  });
});

test.each(['shop', 'foreign-key-actions', 'partitioned-table'])(
  'nothing is found in a database with rows and the migrations of the worked set %s, all the way down',
  async (set) => {
    const own = await createDatabase(newestServer().url);
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-drift-'));
    try {
      await fs.cp(fileURLToPath(new URL(`../../rollbacks/${set}`, import.meta.url)), folder, { recursive: true });
      await prove(folder);
      const open = { folder, flags: { url: own.url, drift: 'stop', requireProof: 'stop' }, environment: {} };
      const files = await readFilesOnly(open);
      const session = await connect(files.config);
      const migrations = inOrder(files.migrations.migrations, toolbox);
      const table = toolbox.history.tableName(files.config.tool, 'public');
      await applyMigrations({ session, toolbox, settings: files.config.tool, table, migrations });
      await session.close();
      const versioned = migrations.filter(({ kind }) => kind === 'versioned').length;
      const result = await withProject(open, async (opened) =>
        rollback(opened, await planRollback(opened, { target: { kind: 'steps', steps: versioned } })),
      );
      expect(result.failure).toBeUndefined();
      expect(result.steps.map((step) => step.drift)).toEqual(result.steps.map(() => []));
      expect(result.steps).toHaveLength(versioned);
    } finally {
      await fs.rm(folder, { recursive: true });
      await own.drop();
    }
  },
);

forEachMajor((server) => {
  test('what is read of a part is what is read of everything, and leaves the transaction as it was', async () => {
    const own = await createDatabase(server.url);
    const settings = { folder: project.folder, flags: { url: own.url }, environment: {} };
    const session = await connect(await loadProjectConfig(settings));
    try {
      await runOn(own.url, versions.map(({ up }) => up).join(';\n'));
      const queries = await toolbox.database.loadProofQueries();
      const relations = ['public.plain', '"Odd ""Names"".and dots"."Ta.ble é"', 'public.counter', 'public.not_there'];
      await session.query('BEGIN; SET LOCAL search_path = "Odd ""Names"".and dots"; SET LOCAL jit = on');
      const whole = await queries.readCatalog(session, []);
      const part = await queries.readPart(
        session,
        [],
        {
          relations,
          tables: [{ name: 'Ta.ble é' }, { schema: 'public', name: 'seen' }, { schema: 'nowhere', name: 'x' }],
          routines: ['public.fired()', 'public.gone(public.never)'],
          types: ['public.positive'],
          remarks: true,
        },
        [],
      );
      const [after] = await session.query(
        `SELECT current_setting('search_path'), current_setting('jit'), count(*) FROM pg_class WHERE relname = 'plain'`,
      );
      expect(after?.rows).toEqual([['"Odd ""Names"".and dots"', 'on', '1']]);
      const keyOf = ({ kind, name }: CatalogObject): string => `${kind} ${name}`;
      const byKey = new Map(whole.objects.map((object) => [keyOf(object), object]));
      expect(part.catalog.objects.filter((object) => digest(object) !== digest(byKey.get(keyOf(object))))).toEqual([]);
      const read = new Set(part.catalog.objects.map(keyOf));
      const wanted = whole.objects.filter(
        (object) => relations.includes(relationOf(object) ?? '') || object.kind === 'comment',
      );
      expect(wanted.length).toBeGreaterThan(15);
      expect(wanted.map(keyOf).filter((key) => !read.has(key))).toEqual([]);
      expect([...read]).toEqual(
        expect.arrayContaining([
          'view public.seen',
          'sequence public.counter',
          'function public.fired()',
          'domain public.positive',
        ]),
      );
      expect(part.names).toEqual(
        expect.arrayContaining(['table public.plain', 'index public.plain_pkey', 'domain public.positive']),
      );
    } finally {
      await session.close();
      await own.drop();
    }
  });
});

function digest(object: CatalogObject | undefined): string | undefined {
  return object === undefined ? undefined : JSON.stringify(object.properties);
}
