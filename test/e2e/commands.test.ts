import { execFile } from 'node:child_process';
import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { createDatabase, newestServer, runOn, type TestDatabase } from '../harness/postgres.js';
import { createProject, type TestProject, type VersionFiles } from '../harness/project.js';

const run = promisify(execFile);
const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

const versions: readonly VersionFiles[] = [
  { version: '001', up: 'CREATE TABLE a (id integer PRIMARY KEY);', down: 'DROP TABLE a;' },
  { version: '002', up: 'CREATE TABLE b (id integer PRIMARY KEY);\nCREATE INDEX b_id ON b (id);' },
  { version: '003', up: "ALTER TABLE a ADD COLUMN note text DEFAULT 'x';", down: '-- ALTER TABLE a DROP COLUMN note;' },
];

describe('the commands on a project', () => {
  let database: TestDatabase;
  let project: TestProject;

  beforeAll(async () => {
    database = await createDatabase(newestServer().url);
    project = await createProject({ database });
    await project.apply(versions);
  });
  afterAll(async () => {
    await project.remove();
    await database.drop();
  });

  it('status tells of each version whether it could be taken back', async () => {
    const { code, stdout } = await project.run(['status']);
    expect(code).toBe(0);
    const rows = stdout.split('\n').map((line) => line.split(/ {2,}/));
    expect(rows[0]?.slice(0, 5)).toEqual(['version', 'description', 'state', 'rollback', 'risk']);
    expect(rows.slice(1, 4).map((row) => [row[0], row[2], row[3]])).toEqual([
      ['001', 'applied', 'ready'],
      ['002', 'applied', 'missing'],
      ['003', 'applied', 'comment-only'],
    ]);
    expect(stdout).toContain('2 without a usable rollback');
  });

  it('status --json gives the same as data, and nothing else on stdout', async () => {
    const { stdout } = await project.run(['status', '--json']);
    const value = JSON.parse(stdout) as { versions: { version: string; usable: boolean; risk: { risk: string } }[] };
    expect(value.versions.map(({ version, usable }) => [version, usable])).toEqual([
      ['001', true],
      ['002', false],
      ['003', false],
    ]);
    expect(value.versions[0]?.risk.risk).toBe('high');
  });

  it('audit fails on a missing and a comment-only rollback, and names both', async () => {
    const { code, stdout } = await project.run(['audit']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/error rollback-missing: .*002/);
    expect(stdout).toMatch(/error script-comment-only/);
    expect(stdout).toContain('FAILED: 1 of 3 versions have a usable rollback');
  });

  it('audit works on files alone', async () => {
    const { code, stdout } = await project.run(['audit', '--offline', '--url', 'jdbc:postgresql://127.0.0.1:1/none']);
    expect(code).toBe(1);
    expect(stdout).toContain('(files only, no database asked)');
  });

  it('audit passes once every version has a rollback, and not before a stub was reviewed', async () => {
    const stub = await project.run(['stub', '--missing']);
    expect(stub.code).toBe(0);
    expect(stub.stdout).toBe('wrote rollbacks/R002__step.sql\n');
    const file = path.join(project.folder, 'rollbacks', 'R002__step.sql');
    const text = await fs.readFile(file, 'utf8');
    expect(text).toContain('-- DROP INDEX b_id;');
    expect(text).toContain('-- DROP TABLE b;');

    const unreviewed = await project.run(['audit']);
    expect(unreviewed.code).toBe(1);
    expect(unreviewed.stdout).toContain('error script-stub');
    const refused = await project.run(['rollback', '--to', '001', '--yes']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('script-stub');

    const reviewed = text.replace(/^-- flyback: stub.*\n/m, '').replace('-- DROP TABLE b;', 'DROP TABLE b;');
    await fs.writeFile(file, reviewed);
    await fs.writeFile(path.join(project.folder, 'rollbacks', 'R003__step.sql'), 'ALTER TABLE a DROP COLUMN note;');
    const { code, stdout } = await project.run(['audit']);
    expect(stdout).toContain('passed: 3 of 3 versions');
    expect(code).toBe(0);
  });

  it('audit fails when a migration changed after its rollback was written', async () => {
    const migration = path.join(project.folder, 'migrations', 'V002__step.sql');
    const before = await fs.readFile(migration, 'utf8');
    await fs.writeFile(migration, `${before}\nCREATE INDEX b_again ON b (id);`);
    const { code, stdout } = await project.run(['audit']);
    await fs.writeFile(migration, before);
    expect(code).toBe(1);
    expect(stdout).toContain('rollback-stale');
  });

  it('stub writes nothing over an existing script and asks for a version', async () => {
    const again = await project.run(['stub', '002']);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('has a rollback script already')]);
    const none = await project.run(['stub']);
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('Name the versions')]);
    const unknown = await project.run(['stub', '77']);
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('no migration of version 77')]);
  });

  it('rollback without a terminal needs --yes', async () => {
    const { code, stderr } = await project.run(['rollback']);
    expect(code).toBe(2);
    expect(stderr).toContain('confirmation-missing');
  });

  it('an error with --json is JSON on stdout, with the same exit code', async () => {
    const { code, stdout } = await project.run(['plan', '--to', '99', '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'version-unknown' } });
  });

  it('plan and rollback tell what of the connection they pass over', async () => {
    const url = `${database.jdbcUrl}?noSuchKey=1`;
    const plain = await project.run(['plan']);
    const warned = await project.run(['plan', '--url', url]);
    const rehearsed = await project.run(['rollback', '--dry-run', '--url', url]);
    expect(plain.stderr).not.toContain('noSuchKey');
    expect(warned.stderr).toMatch(/warning .*noSuchKey/);
    expect(rehearsed.stderr).toMatch(/warning .*noSuchKey/);
  });

  it('refuses a rollbacks folder inside a folder that Flyway scans', async () => {
    const inside = path.join(project.folder, 'migrations', 'rollbacks');
    await fs.cp(path.join(project.folder, 'rollbacks'), inside, { recursive: true });
    const { code, stderr } = await project.run(['rollback', '--yes', '--rollbacks', 'migrations/rollbacks']);
    await fs.rm(inside, { recursive: true });
    expect(code).toBe(1);
    expect(stderr).toContain('rollbacks-folder-scanned');
  });
});

describe('a rollback that was interrupted', () => {
  let database: TestDatabase;
  let project: TestProject;

  beforeAll(async () => {
    database = await createDatabase(newestServer().url);
    project = await createProject({ database });
    await project.apply([
      { version: '1', up: 'CREATE TABLE a (id integer, note text);', down: 'DROP TABLE a;' },
      {
        version: '2',
        up: 'CREATE INDEX a_note ON a (note);\nCREATE TABLE c (id integer);',
        down: 'DROP TABLE c;\nDROP INDEX CONCURRENTLY a_note;\nINSERT INTO ready VALUES (1);\nSELECT count(*) FROM ready; -- expect: 1\n',
      },
      { version: '3', up: 'CREATE TABLE d (id integer);', down: 'DROP TABLE d;' },
    ]);
  });
  afterAll(async () => {
    await project.remove();
    await database.drop();
  });

  it('says which version is partly rolled back, which were before it, and what to do', async () => {
    const { code, stdout, stderr } = await project.run(['rollback', '--to', '1', '--yes', '--reason', 'drill']);
    expect(code).toBe(4);
    expect(stdout).toContain(
      'The run was interrupted: version 2 is partly rolled back; 1 version rolled back before (3)\n',
    );
    expect(stderr).toContain(
      'run-interrupted: Version 2 is partly rolled back: 2 of 3 statements ran, then in line 3: ',
    );
    expect(stderr).toMatch(/→ .*flyback resume$/m);
  });

  it('is unmistakable in status, and an error in audit', async () => {
    const { code, stdout, stderr } = await project.run(['status']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^2 +step +partly rolled back \(2 of 3\) +flyback resume /m);
    expect(stdout).toContain(': 1 version applied, version 2 partly rolled back;');
    expect(stderr).toContain('error rollback-interrupted: Version 2 is partly rolled back');
    const json = JSON.parse((await project.run(['status', '--json'])).stdout) as { interrupted: unknown };
    expect(json.interrupted).toMatchObject([{ version: '2', statements: 3, finished: 2, resumes: 0 }]);
    const audited = await project.run(['audit']);
    expect(audited.code).toBe(1);
    expect(audited.stdout).toMatch(/^2 .* partly rolled back \(2 of 3\) /m);
    expect(audited.stdout).toContain('error rollback-interrupted');
  });

  it.each([['rollback', '--yes'], ['rollback', '--all', '--yes'], ['rollback', '--dry-run'], ['plan']])(
    'stops %s … with exit code 4',
    async (...commandLine) => {
      const { code, stderr } = await project.run(commandLine);
      expect([code, stderr]).toEqual([4, expect.stringMatching(/resume-needed: .*stopped after 2 of 3 statements/)]);
    },
  );

  it('is shown by resume, which does nothing unless it was told yes', async () => {
    const { code, stderr } = await project.run(['resume']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/done +1 +DROP TABLE c\n +done +2 +DROP INDEX .*\n +open +3 +INSERT INTO ready/);
    expect(stderr).toContain('It will run again.');
    expect(stderr).toContain('confirmation-missing');
  });

  it('is finished by resume, and told by the log', async () => {
    await runOn(database.url, 'CREATE TABLE ready (id integer)');
    const { code, stdout } = await project.run(['resume', '--yes']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('Rolled back 1 version: 2\n')]);
    const log = await project.run(['log']);
    expect(log.stdout).toMatch(/ interrupted +2 .* drill /);
    expect(log.stdout).toMatch(/ committed \(resumed\) +2 .* drill .* 1\/1 /);
    expect(log.stdout).toContain('run-interrupted: Version 2 is partly rolled back');
    const status = await project.run(['status']);
    expect(status.stdout).toMatch(/^2 +step +pending +ready /m);
    expect(status.stderr).not.toContain('rollback-interrupted');
    expect(await project.run(['audit'])).toMatchObject({ code: 0 });
  });
});

describe('init', () => {
  it('finds Flyway, writes flyback.toml and the folder, and does so once', async () => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-init-'));
    await fs.mkdir(path.join(folder, 'sql'));
    await fs.writeFile(path.join(folder, 'sql', 'V1__a.sql'), 'SELECT 1;');
    const { stdout } = await run(process.execPath, [cli, 'init', '--project', folder]);
    expect(stdout).toContain('wrote flyback.toml');
    expect((await fs.stat(path.join(folder, 'rollbacks'))).isDirectory()).toBe(true);
    const again = await run(process.execPath, [cli, 'init', '--project', folder]).catch((error: unknown) => error);
    await fs.rm(folder, { recursive: true });
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('not overwritten') as unknown });
  });
});

describe('the command itself', () => {
  it('prints its version without loading anything else', async () => {
    const { stdout, stderr } = await run(process.execPath, [cli, '--version']);
    expect([stdout, stderr]).toEqual([`${packageJson.version}\n`, '']);
    // A loader hook would be told of every module; the entry's static imports are the ones that count.
    const text = await fs.readFile(cli, 'utf8');
    const imported = [...text.matchAll(/^import\s[^;]*?["']([^"']+)["']/gm)].map((match) => match[1] ?? '');
    const sizes = await Promise.all(
      imported.map(async (file) => (await fs.stat(path.join(path.dirname(cli), file))).size),
    );
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(10_000);
  });

  it.each([['frobnicate'], ['rollback', '--steps', '1', '--all'], ['status', '--nonsense']])(
    'refuses %s with exit code 2 and a pointer to --help',
    async (...commandLine) => {
      const failure = await run(process.execPath, [cli, ...commandLine]).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: 2, stderr: expect.stringContaining('--help') as unknown });
    },
  );

  it('refuses a project folder that is none', async () => {
    const failure = await run(process.execPath, [cli, 'status', '--project', '/nonexistent/folder']).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: 2, stderr: expect.stringContaining('project-not-found') as unknown });
  });

  it('tells the whole story on an embedded database', async () => {
    const { stdout } = await run(process.execPath, [cli, 'demo']);
    for (const said of [
      'passed: 10 of 10 versions',
      'CASCADE also removes view top_sellers',
      'Dry run passed for 4 versions: 10, 9, 8, 7; nothing was changed',
      'Rolled back 4 versions: 10, 9, 8, 7',
      '6 versions applied',
      'demo: order totals are wrong',
      'whole: 8 entries',
    ]) {
      expect(stdout).toContain(said);
    }
  });

  it.each([
    ['golang-migrate', '10, 9, 8, 7', 'under the lock of golang-migrate'],
    ['dbmate', '0010, 0009, 0008, 0007', 'NOT PROVEN: 0 of 1'],
    ['umzug', '0010-orders-can-be-returned, 0009-total-of-an-order', 'exact'],
    ['knex', '0010_orders_can_be_returned, 0009_total_of_an_order', 'under the lock of Knex'],
    ['sequelize', '0010-orders-can-be-returned, 0009-total-of-an-order', 'db:migrate'],
  ])('and tells it as a project of %s', async (tool, gone, said) => {
    const { stdout } = await run(process.execPath, [cli, 'demo', '--tool', tool]);
    for (const text of [`Rolled back 4 versions: ${gone}`, said, 'passed: 10 of 10 versions', 'whole: 8 entries'])
      expect(stdout).toContain(text);
    expect(stdout).not.toContain('Flyway');
  });

  it('and of no tool that it does not know', async () => {
    const failure = await run(process.execPath, [cli, 'demo', '--tool', 'rails']).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 2, stderr: expect.stringContaining('sequelize') as unknown });
  });
});

describe('the driver', () => {
  it('adds nothing from PGOPTIONS to what is configured', async () => {
    const database = await createDatabase(newestServer().url);
    const project = await createProject({ database });
    await project.apply(versions.slice(0, 1));
    const { code, stdout } = await project.run(['status'], { PGOPTIONS: '-c search_path=nowhere' });
    await project.remove();
    await database.drop();
    expect([code, stdout]).toEqual([0, expect.stringContaining('public.flyway_schema_history')]);
  });
});

describe('log on a database where flyback never ran', () => {
  it('says that there is no record, and verifies nothing', async () => {
    const database = await createDatabase(newestServer().url);
    const project = await createProject({ database });
    await project.apply(versions.slice(0, 1));
    const shown = await project.run(['log']);
    const verified = await project.run(['log', '--verify']);
    await project.remove();
    await database.drop();
    expect([shown.code, shown.stderr]).toEqual([0, expect.stringContaining('no record table public.flyback_record')]);
    expect([verified.code, verified.stdout]).toEqual([1, expect.stringContaining('NOT VERIFIED')]);
  });
});
