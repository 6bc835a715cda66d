import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFilesOnly } from '../../../src/compose/open-project.js';
import type { Project } from '../../../src/project/project.js';
import type { VersionProof } from '../../../src/proof/proof.js';
import { proveVersion } from '../../../src/proof/prove-version.js';
import { verdictOf } from '../../../src/proof/verdict.js';
import { forEachMajor } from '../../harness/postgres.js';
import { createProject, noDatabase, type TestProject } from '../../harness/project.js';
import { startOwnServer, type OwnDatabase, type OwnServer } from '../../harness/scratch-server.js';
import { serverWide, scenariosAlone, scenariosFor } from './mutants/scenarios.js';
import { joined, numberIn, type Scenario } from './mutants/subject.js';

/*
 * The prover proven: hundreds of rollbacks with one fault each, none of which may pass, and their faithful twins, all of
 * which must. Many are proven at once, each with a schema and names of its own, by which what is found is told apart.
 */

const together = 25;

/** Groups in one database: on the oldest servers a new one takes longer than a proof. */
const groupsInDatabase = 4;

/** Twins get numbers of their own: roles and the like belong to the whole server. */
const firstTwin = 2001;

type Rollback = 'faulty' | 'faithful';

interface Group {
  readonly scenarios: readonly Scenario[];
  readonly first: number;
}

function groupsOf(scenarios: readonly Scenario[], first: number): readonly Group[] {
  const count = Math.ceil(scenarios.length / together);
  return Array.from({ length: count }, (_, at) => ({
    scenarios: scenarios.slice(at * together, (at + 1) * together),
    first: first + at * together,
  }));
}

/** A folder in which version n migrates and takes back everything in the nth group. */
async function createFolder(groups: readonly Group[], rollback: Rollback): Promise<TestProject> {
  return createProject({
    database: noDatabase,
    versions: groups.map(({ scenarios }, at) => ({
      version: String(at + 1),
      up: joined(...scenarios.map(({ up }) => up)),
      // The last thing that was done is the first to be undone.
      down: joined(...[...scenarios].reverse().map((scenario) => scenario[rollback])),
    })),
  });
}

/** What a proof names: "index app1.i is missing", "rows app1.t is rows". */
function found({ changes, rows }: Pick<VersionProof, 'changes' | 'rows'>): readonly string[] {
  return [
    ...changes.map(({ kind, name, change }) => `${kind} ${name} is ${change}`),
    ...rows.map(({ table }) => `rows ${table} is rows`),
  ];
}

forEachMajor(({ major }) => {
  const mutants = groupsOf(scenariosFor(major), 1);
  const alone = scenariosAlone(major).map((scenario): Group => ({ scenarios: [scenario], first: 1 }));
  const twins = groupsOf(scenariosFor(major, firstTwin), firstTwin);
  const folders: TestProject[] = [];
  let server: OwnServer;
  let shared: OwnDatabase | undefined;
  let faulty: Project;
  let faithful: Project;
  let aloneFaulty: Project;
  let aloneFaithful: Project;

  beforeAll(async () => {
    server = await startOwnServer(major);
    const database = await server.createDatabase();
    const session = await database.connect();
    for (const statement of serverWide) await session.query(statement);
    await session.close();
    folders.push(
      await createFolder(mutants, 'faulty'),
      await createFolder(twins, 'faithful'),
      await createFolder(alone, 'faulty'),
      await createFolder(alone, 'faithful'),
    );
    const projects = await Promise.all(folders.map(({ folder }) => readFilesOnly({ folder, environment: {} })));
    const [one, two, three, four] = projects;
    if (one === undefined || two === undefined || three === undefined || four === undefined) {
      throw new Error('A folder is missing.');
    }
    [faulty, faithful, aloneFaulty, aloneFaithful] = [one, two, three, four];
  });
  afterAll(async () => {
    await server.stop();
    await Promise.all(folders.map((folder) => folder.remove()));
  });

  async function proveTogether(project: Project, group: Group, at: number): Promise<VersionProof> {
    if (at % groupsInDatabase === 0 || shared === undefined) shared = await server.createDatabase();
    return prove(shared, project, group, at);
  }

  async function prove(
    database: OwnDatabase,
    project: Project,
    { scenarios }: Group,
    at: number,
  ): Promise<VersionProof> {
    const session = await database.connect();
    try {
      await session.query(joined(...scenarios.map(({ before }) => before)));
      const migration = migrationOf(project, at);
      const table = { schema: 'public', name: 'flyway_schema_history' };
      return await proveVersion({ project, session, table, migration, rows: 'present' });
    } finally {
      await session.close();
    }
  }

  function migrationOf(project: Project, at: number): Project['migrations']['migrations'][number] {
    const migration = project.migrations.migrations.find(({ version }) => version?.text === String(at + 1));
    if (migration === undefined) throw new Error(`There is no version ${at + 1}.`);
    return migration;
  }

  test('there are enough of them', () => {
    expect(mutants.flatMap(({ scenarios }) => scenarios).length).toBeGreaterThanOrEqual(900);
  });

  describe('faulty rollbacks', () => {
    const groups = mutants.map((group, at) => ({ ...group, at, last: group.first + group.scenarios.length - 1 }));
    test.each(groups)('$first to $last do not pass, and the object is named', async ({ at, ...group }) => {
      const proof = await proveTogether(faulty, group, at);
      expect(proof.steps.find(({ action }) => action === 'roll back')?.error).toBeUndefined();
      expect(proof.grade === 'different' || proof.grade === 'failed', proof.reason).toBe(true);
      // What speaks of no scenario would be a difference that nobody made.
      expect(found(proof).filter((line) => numberIn(line) === undefined)).toEqual([]);
      const passed = group.scenarios.flatMap((scenario, index) => {
        const number = group.first + index;
        const own = {
          changes: proof.changes.filter(({ name }) => numberIn(name) === number),
          rows: proof.rows.filter(({ table }) => numberIn(table) === number),
        };
        const { grade } = verdictOf(faulty, migrationOf(faulty, at), own.changes, own.rows);
        const isCaught = (scenario.caught === undefined ? ['different', 'data-lost'] : [scenario.caught]).includes(
          grade,
        );
        const isNamed = found(own).includes(`${scenario.named} is ${scenario.change}`);
        return isCaught && isNamed ? [] : [{ title: scenario.title, named: scenario.named, grade, found: found(own) }];
      });
      expect(passed).toEqual([]);
    });
  });

  describe('faithful rollbacks', () => {
    const groups = twins.map((group, at) => ({ ...group, at, last: group.first + group.scenarios.length - 1 }));
    test.each(groups)('$first to $last pass', async ({ at, ...group }) => {
      const proof = await proveTogether(faithful, group, at);
      expect(proof.steps.filter(({ error }) => error !== undefined)).toEqual([]);
      const refused = group.scenarios.flatMap((scenario, index) => {
        const number = group.first + index;
        const changes = proof.changes.filter(({ name }) => numberIn(name) === number);
        const rows = proof.rows.filter(({ table }) => numberIn(table) === number);
        const { grade } = verdictOf(faithful, migrationOf(faithful, at), changes, rows);
        const wanted = scenario.grade ?? 'exact';
        return grade === wanted ? [] : [{ title: scenario.title, grade, wanted, found: found({ changes, rows }) }];
      });
      expect(refused).toEqual([]);
      expect(found(proof).filter((line) => numberIn(line) === undefined)).toEqual([]);
    });
  });

  describe('of what needs a database of its own', () => {
    test.each(alone.flatMap(({ scenarios }, at) => scenarios.map((scenario) => ({ ...scenario, at }))))(
      '$title: the faulty rollback does not pass, the faithful one does',
      async ({ at, ...scenario }) => {
        const group = { scenarios: [scenario], first: 1 };
        const proof = await prove(await server.createDatabase(), aloneFaulty, group, at);
        expect(['different', 'failed']).toContain(proof.grade);
        expect(found(proof)).toContain(`${scenario.named} is ${scenario.change}`);
        const twin = await prove(await server.createDatabase(), aloneFaithful, group, at);
        expect({ grade: twin.grade, found: found(twin) }).toEqual({ grade: 'exact', found: [] });
      },
    );
  });
});
