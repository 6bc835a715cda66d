import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConnection } from '../../../adapters/databases/postgresql/jdbc-url.js';
import { tools } from '../../../adapters/index.js';
import { initProject, type InitResult, planInit, type ProjectFacts } from '../../../src/config/init.js';
import { loadConfig } from '../../../src/config/load-config.js';

const nothing: ProjectFacts = {
  configFiles: [],
  buildFiles: [],
  migrationFolders: [],
  locations: [],
  hasFlybackConfig: false,
};

function codes(facts: Partial<ProjectFacts>, rollbacksFolder?: string): readonly string[] {
  return planInit({ ...nothing, ...facts }, rollbacksFolder).findings.map(
    ({ code, severity }) => `${severity} ${code}`,
  );
}

describe('the plan of init', () => {
  it.each([
    [{ configFiles: ['flyway.toml'], buildFiles: ['pom.xml'] }, 'flyway.toml'],
    [{ buildFiles: ['build.gradle'] }, 'build.gradle'],
    [{ migrationFolders: ['sql'] }, 'sql'],
  ])('says what the tool was recognised by: %j', (facts, word) => {
    const plan = planInit({ ...nothing, ...facts });
    expect(plan.evidence).toContain(word);
    expect(plan.findings).toEqual([]);
    expect(plan.folders).toEqual(['rollbacks']);
  });

  it('warns when there is nothing to recognise', () => {
    expect(codes({})).toEqual(['warning init-nothing-found']);
  });

  it.each([
    [['filesystem:.'], 'rollbacks'],
    [['filesystem:db'], 'db/rollbacks'],
    [['filesystem:./db/'], 'db'],
    [['filesystem:db/**/x'], 'db/rollbacks'],
    [['classpath:db/migration'], 'src/main/resources/db/migration/rollbacks'],
    [['db/migration'], 'src/main/resources/db/migration/rollbacks'],
  ])('refuses a rollbacks folder inside a location: %j holds %s', (locations, folder) => {
    expect(codes({ configFiles: ['flyway.toml'], locations }, folder)).toEqual(['error rollbacks-folder-scanned']);
  });

  it('refuses a rollbacks folder beside migrations that were found, outside the project, and an existing file', () => {
    expect(codes({ migrationFolders: ['sql'] }, 'sql/back')).toEqual(['error rollbacks-folder-scanned']);
    expect(codes({ configFiles: ['flyway.toml'] }, '../back')).toEqual(['error init-folder-outside']);
    expect(codes({ configFiles: ['flyway.toml'] }, '.')).toEqual(['error init-folder-outside']);
    expect(codes({ configFiles: ['flyway.toml'], hasFlybackConfig: true })).toEqual(['error init-exists']);
  });

  it('accepts a folder beside the locations, one with a longer name too, and places that are no folders', () => {
    expect(
      codes(
        { configFiles: ['flyway.toml'], locations: ['filesystem:db/migration', 's3:bucket'] },
        'db/migration-rollbacks',
      ),
    ).toEqual([]);
  });

  it('tells how to name a folder that no configuration names', () => {
    const plan = planInit({ ...nothing, migrationFolders: ['database/changes'] });
    expect(plan.findings).toMatchObject([
      {
        code: 'init-locations-unknown',
        severity: 'warning',
        hint: expect.stringContaining('filesystem:database/changes') as string,
      },
    ]);
  });
});

describe('init', () => {
  let project: string;
  beforeEach(async () => {
    project = await mkdtemp(path.join(tmpdir(), 'flyback-init-'));
  });
  afterEach(() => rm(project, { recursive: true }));

  const init = (rollbacksFolder?: string): Promise<InitResult> =>
    initProject(project, {
      rollbacksFolder,
      environment: {},
      homeFolder: path.join(project, 'no-home'),
      tools,
    });
  const put = async (name: string, text: string): Promise<void> => {
    const file = path.join(project, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  };

  it('finds golang-migrate by its pairs of files, and writes what its command line is told', async () => {
    await put('db/migrations/000001_a.up.sql', 'SELECT 1;');
    await put('db/migrations/000001_a.down.sql', 'SELECT 1;');
    const result = await init();
    expect(result.evidence).toBe('golang-migrate, by the migrations in db/migrations');
    expect(result.findings).toEqual([]);
    const config = await loadConfig({
      projectFolder: project,
      flags: {},
      environment: { DATABASE_URL: 'postgres://h/d' },
      homeFolder: '/nowhere',
      tools,
      readConnection,
    });
    expect(config.tool).toMatchObject({ tool: 'golang-migrate', folder: path.join(project, 'db/migrations') });
    expect(config.connection?.databaseName).toBe('d');
  });

  it('writes a file that loadConfig accepts, and the folder', async () => {
    await put('flyway.toml', '[flyway]\nlocations = ["filesystem:sql"]\n');
    await put('sql/V1__a.sql', 'SELECT 1;');
    const result = await init('db/rollbacks "x"');
    expect(result.evidence).toContain('flyway.toml');
    expect(result.findings).toEqual([]);
    const config = await loadConfig({
      projectFolder: project,
      flags: {},
      environment: {},
      homeFolder: '/nowhere',
      tools,
      readConnection,
    });
    expect(config.rollbacksFolder).toBe(path.join(project, 'db/rollbacks "x"'));
    expect(await readdir(config.rollbacksFolder)).toEqual([]);
  });

  it('recognises Maven with migrations on the class path', async () => {
    await put('pom.xml', '<artifactId>flyway-maven-plugin</artifactId>');
    await put('src/main/resources/db/migration/V1__a.sql', '');
    await put('target/classes/db/migration/V1__a.sql', '');
    const result = await init();
    expect([result.evidence, result.findings]).toEqual(['Flyway, by pom.xml', []]);
  });

  it('does not take a build file without Flyway for one', async () => {
    await put('build.gradle', 'plugins { id "java" }');
    expect((await init()).evidence).toBeUndefined();
  });

  it('does not overwrite anything, and writes nothing when refused', async () => {
    await put('flyback.toml', '# mine\n');
    await expect(init()).rejects.toMatchObject({
      code: 'usage-invalid',
      message: expect.stringContaining('not overwritten') as string,
    });
    expect(await readFile(path.join(project, 'flyback.toml'), 'utf8')).toBe('# mine\n');
    expect(await readdir(project)).toEqual(['flyback.toml']);
  });

  it('refuses a folder that Flyway scans, and writes nothing', async () => {
    await put('flyway.conf', 'flyway.locations=filesystem:.\n');
    await expect(init()).rejects.toMatchObject({
      code: 'usage-invalid',
      findings: [{ code: 'rollbacks-folder-scanned' }],
    });
    expect(await readdir(project)).toEqual(['flyway.conf']);
  });

  it('refuses a project that is not there', async () => {
    await expect(
      initProject(path.join(project, 'gone'), {
        environment: {},
        homeFolder: project,
        tools,
      }),
    ).rejects.toMatchObject({ code: 'project-not-found' });
  });
});
