import { execFile } from 'node:child_process';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/fingerprint/fingerprint.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../harness/postgres.js';
import {
  createProject,
  recordEntries,
  snapshot,
  storedVersions,
  type CommandResult,
  type TestProject,
  type VersionFiles,
} from '../harness/project.js';

/* flyback.lock as a user meets it: written, read, gone stale, edited, checked, demanded, and compared with production. */

const versions: readonly VersionFiles[] = [
  {
    version: '1',
    up: 'CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);\nCREATE INDEX users_name ON users (name);\n',
    down: 'DROP TABLE users;\n',
  },
  {
    version: '2',
    up: `ALTER TABLE users ADD COLUMN state text DEFAULT 'new';\n`,
    down: 'ALTER TABLE users DROP COLUMN state;\n',
  },
  {
    version: '3',
    up: 'CREATE TABLE orders (id int PRIMARY KEY, buyer int REFERENCES users);\n',
    down: 'DROP TABLE orders;\n',
  },
];
const [, second, third] = versions as [VersionFiles, VersionFiles, VersionFiles];

let database: TestDatabase;
let project: TestProject;
/** flyback.lock as proving the three versions writes it. */
let lock: string;
const lockFile = (): string => path.join(project.folder, 'flyback.lock');

beforeAll(async () => {
  database = await createDatabase(newestServer().url);
  project = await createProject({ database, versions });
  const { code, stderr } = await project.run(['prove']);
  expect(code, stderr).toBe(0);
  lock = await fs.readFile(lockFile(), 'utf8');
});
afterAll(async () => {
  await project.remove();
  await database.drop();
});
beforeEach(async () => {
  await fs.writeFile(lockFile(), lock);
  await fs.writeFile(path.join(project.folder, 'flyback.toml'), '');
  for (const files of versions) await project.write(files);
});

async function json(
  commandLine: readonly string[],
): Promise<Record<string, unknown> & { readonly code: number | string }> {
  const { code, stdout, stderr } = await project.run(['--json', ...commandLine]);
  expect(stdout, stderr).not.toBe('');
  return { ...(JSON.parse(stdout) as Record<string, unknown>), code };
}

interface Audited {
  readonly code: number | string;
  readonly findings: readonly {
    readonly code: string;
    readonly severity: string;
    readonly subject: string;
    readonly message: string;
  }[];
  readonly versions: readonly { readonly version: string; readonly proof: { readonly state: string } | null }[];
}
const proofCodes = /^(?:proof|rollback-unproven|receipt)/;

/** What an audit of the files says about proofs. */
async function audited(...flags: readonly string[]): Promise<Audited & { readonly states: readonly string[] }> {
  const result = (await json(['audit', '--offline', ...flags])) as unknown as Audited;
  return {
    ...result,
    findings: result.findings.filter(({ code }) => proofCodes.test(code)),
    states: result.versions.map(({ version, proof }) => `${version} ${proof?.state ?? 'none'}`),
  };
}
const policy = (text: string): Promise<void> =>
  fs.writeFile(path.join(project.folder, 'flyback.toml'), `[prove]\n${text}\n`);

/** Replaces one version's line. */
async function editLine(version: string, edit: (line: string) => string): Promise<void> {
  const lines = (await fs.readFile(lockFile(), 'utf8')).split('\n');
  await fs.writeFile(lockFile(), lines.map((line) => (line.startsWith(`${version} `) ? edit(line) : line)).join('\n'));
}

/** As somebody would who knows how the file is made. */
async function forge(
  version: string,
  edit: (receipt: Record<string, unknown>) => Record<string, unknown>,
): Promise<void> {
  await editLine(version, (line) => {
    const body = line.slice(line.indexOf(' ') + 1, line.lastIndexOf(' '));
    const text = `${version} ${JSON.stringify(edit(JSON.parse(body) as Record<string, unknown>))}`;
    return `${text} ${sha256(text).slice(0, 16)}`;
  });
}

describe('a receipt', () => {
  test('counts for every version after a proof, and a second prove has nothing to do and writes nothing', async () => {
    expect(lock.trimEnd().split('\n')).toHaveLength(4);
    expect(await audited()).toMatchObject({ findings: [], states: ['1 proven', '2 proven', '3 proven'] });
    const { mtimeMs } = await fs.stat(lockFile());
    const { code, stdout, stderr } = await project.run(['prove']);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'nothing to prove: all 3 rollbacks were proven before, and nothing has changed since\n',
    });
    expect(stderr).not.toContain('proving');
    expect((await fs.stat(lockFile())).mtimeMs).toBe(mtimeMs);
  });

  test('is the same text when it is proven again', async () => {
    expect((await project.run(['prove', '--all'])).code).toBe(0);
    expect(await fs.readFile(lockFile(), 'utf8')).toBe(lock);
  });

  test.each<[string, () => Promise<unknown>, readonly string[], string]>([
    [
      'its migration is edited',
      () => project.write({ ...second, up: second.up.replace('new', 'old') }),
      ['1 proven', '2 stale', '3 stale'],
      'its migration was changed',
    ],
    [
      'its rollback script is edited',
      () => project.write({ ...second, down: `-- a word\n${second.down ?? ''}` }),
      ['1 proven', '2 stale', '3 proven'],
      'its rollback script was changed',
    ],
    [
      'a migration is put below it',
      () => project.write({ version: '1.5', up: 'CREATE TABLE between_them ();', down: 'DROP TABLE between_them;' }),
      ['1 proven', '1.5 unproven', '2 stale', '3 stale'],
      'a migration below it was changed, added or removed',
    ],
    [
      'a migration below it is deleted',
      () => fs.rm(path.join(project.folder, 'migrations', 'V2__step.sql')),
      ['1 proven', '2 unproven', '3 stale'],
      'a migration below it was changed, added or removed',
    ],
    [
      'it was made by another way of proving',
      () => forge('2', (receipt) => ({ ...receipt, method: 0 })),
      ['1 proven', '2 stale', '3 proven'],
      'another version of flyback proves otherwise',
    ],
  ])('is stale when %s', async (_, change, states, reason) => {
    await change();
    const result = await audited();
    expect(result.states).toEqual(states);
    expect(result.findings.find(({ code }) => code === 'proof-stale')?.message).toContain(reason);
    expect(result.findings.every(({ severity }) => severity === 'warning')).toBe(true);
    await fs.rm(path.join(project.folder, 'migrations', 'V1.5__step.sql'), { force: true });
    await fs.rm(path.join(project.folder, 'rollbacks', 'R1.5__step.sql'), { force: true });
  });

  test('is stale when a fixture below it is new, changed or gone, and unreadable ones make nothing count', async () => {
    await policy('fixtures = "fixtures"');
    const folder = path.join(project.folder, 'fixtures');
    await fs.mkdir(folder);
    expect((await audited()).states).toEqual(['1 proven', '2 proven', '3 proven']);
    await fs.writeFile(path.join(folder, 'F1__users.sql'), `INSERT INTO users VALUES (1, 'a');`);
    expect((await audited()).states).toEqual(['1 proven', '2 stale', '3 stale']);
    expect((await audited()).findings[0]?.message).toContain('the fixtures were changed');
    await fs.writeFile(path.join(folder, 'users.sql'), `INSERT INTO users VALUES (1, 'a');`);
    expect(await audited()).toMatchObject({
      states: ['1 unproven', '2 unproven', '3 unproven'],
      findings: [{ code: 'receipts-invalid', severity: 'error' }, {}, {}, {}],
    });
    await fs.rm(folder, { recursive: true });
  });

  test('is not stale for line endings of a migration, nor for a version above it', async () => {
    await project.write({ ...second, up: second.up.replaceAll('\n', '\r\n') });
    await project.write({ ...third, up: `${third.up}-- more\n` });
    expect((await audited()).states).toEqual(['1 proven', '2 proven', '3 stale']);
  });

  test('that was edited is named with its line, and shows nothing', async () => {
    await editLine('2', (line) => line.replace('"grade":"exact"', '"grade":"residue"'));
    const result = await audited();
    expect(result.states).toEqual(['1 proven', '2 unproven', '3 proven']);
    expect(result.findings).toMatchObject([{ code: 'receipt-edited', severity: 'error', location: { line: 3 } }]);
    expect(result.code).toBe(1);
    expect((await project.run(['prove'])).stdout).toContain(
      '1 of 1 rollback restores what was there; 2 were proven before',
    );
    expect(await fs.readFile(lockFile(), 'utf8')).toBe(lock);
  });

  test('is taken away when its version does not pass any more, and when its version is gone', async () => {
    await project.write({ ...second, down: 'SELECT 1; ALTER TABLE users ALTER COLUMN state DROP DEFAULT;' });
    await project.write({ ...third, down: undefined });
    const { code, stdout } = await project.run(['prove']);
    expect(code).toBe(1);
    expect(stdout).toContain('flyback.lock: removed: 2, 3');
    expect(stdout).toContain('without a rollback script, not proven: 3');
    expect((await fs.readFile(lockFile(), 'utf8')).split('\n').map((line) => line.split(' ')[0])).toEqual([
      '#',
      '1',
      '',
    ]);
    // Nothing passes that was not proven.
    expect((await audited()).states).toEqual(['1 proven', '2 unproven', '3 none']);
  });

  test('is kept of versions that were not proven now, and none is written with --no-write', async () => {
    await editLine('1', () => '');
    await editLine('3', () => '');
    const without = await fs.readFile(lockFile(), 'utf8');
    expect((await project.run(['prove', '1', '--no-write'])).code).toBe(0);
    expect(await fs.readFile(lockFile(), 'utf8')).toBe(without);
    expect((await project.run(['prove', '1'])).code).toBe(0);
    expect((await audited()).states).toEqual(['1 proven', '2 proven', '3 unproven']);
    // Alone or among others, a proof is the same.
    expect((await project.run(['prove', '3'])).code).toBe(0);
    expect(await fs.readFile(lockFile(), 'utf8')).toBe(lock);
  });
});

describe('flyback.lock', () => {
  test.each<[string, (text: string) => string, string]>([
    [
      'the marks of a merge',
      (text) => text.replace('\n2 ', '\n<<<<<<< HEAD\n2 '),
      'line 3: a merge left its marks here',
    ],
    ['a newer format', (text) => text.replace('format 1', 'format 2'), 'has the format 2; this flyback knows 1'],
    ['another beginning', (text) => text.slice(text.indexOf('\n') + 1), 'line 1: it does not begin with'],
    ['a line that is none', (text) => `${text}nonsense\n`, 'line 5: it is not a version with its receipt'],
    [
      'two receipts of a version',
      (text) => text.replace('\n3 ', '\n2 {"grade":"exact"} 0123456789abcdef\n3 '),
      'line 4: version 2 has another receipt in line 3',
    ],
  ])(
    'with %s is refused by prove, told by audit and status, and stops a rollback only by policy',
    async (_, edit, words) => {
      await fs.writeFile(lockFile(), edit(lock));
      const refused = await project.run(['prove']);
      expect(refused.code).toBe(2);
      expect(refused.stderr).toContain('receipts-invalid');
      expect(refused.stderr).toContain(words);
      expect(await fs.readFile(lockFile(), 'utf8')).toBe(edit(lock));
      const result = await audited();
      expect(result.code).toBe(1);
      expect(result.findings[0]).toMatchObject({ code: 'receipts-invalid', severity: 'error' });
      expect(result.states).toEqual(['1 unproven', '2 unproven', '3 unproven']);
    },
  );

  test('that cannot be read is refused before anything is proven, and does not matter to who writes nothing', async () => {
    await fs.writeFile(lockFile(), `${lock}nonsense\n`);
    for (const flags of [['--all'], ['1'], ['--check']]) {
      const { code, stderr } = await project.run(['prove', ...flags]);
      expect({ code, started: stderr.includes('proving on') }).toEqual({ code: 2, started: false });
    }
    expect((await project.run(['prove', '1', '--no-write'])).code).toBe(0);
  });

  test('names every line that is wrong at once', async () => {
    await fs.writeFile(lockFile(), `${lock}what\nis this\n`);
    const { stderr } = await project.run(['prove']);
    expect(stderr).toContain('2 lines are wrong');
    expect(stderr).toContain('line 5');
    expect(stderr).toContain('line 6');
  });

  test('is not asked for where there is none', async () => {
    await fs.rm(lockFile());
    expect(await audited()).toMatchObject({ findings: [], states: ['1 none', '2 none', '3 none'] });
    expect((await project.run(['audit', '--offline'])).stdout).not.toContain('proof');
    await policy('requireProof = "stop"');
    expect((await audited()).findings.map(({ code, severity }) => `${code} ${severity}`)).toEqual(
      Array.from({ length: 3 }, () => 'rollback-unproven error'),
    );
  });
});

describe('prove --check', () => {
  test('confirms what was proven, and writes nothing', async () => {
    expect(await json(['prove', '--check'])).toMatchObject({
      code: 0,
      checked: ['1', '2', '3'].map((version) => ({ version, result: 'confirmed' })),
    });
    expect(await fs.readFile(lockFile(), 'utf8')).toBe(lock);
  });

  test('finds a receipt that was forged with its checksum, which nothing else does', async () => {
    await forge('3', (receipt) => ({ ...receipt, touched: {} }));
    expect(await audited()).toMatchObject({ findings: [], states: ['1 proven', '2 proven', '3 proven'] });
    const forged = await fs.readFile(lockFile(), 'utf8');
    const { code, checked } = await json(['prove', '--check']);
    expect({ code, checked }).toMatchObject({
      code: 1,
      checked: [
        { result: 'confirmed' },
        { result: 'confirmed' },
        { version: '3', result: 'different', parts: ['touched'] },
      ],
    });
    expect(await fs.readFile(lockFile(), 'utf8')).toBe(forged);
  });

  test('finds a forged grade of a script that does not restore anything', async () => {
    await project.write({ ...second, down: 'ALTER TABLE users ALTER COLUMN state DROP DEFAULT;' });
    // What the receipt would have to say of the script, were it proven.
    const bytes = await fs.readFile(path.join(project.folder, 'rollbacks', 'R2__step.sql'));
    await forge('2', (receipt) => ({ ...receipt, script: sha256(bytes).slice(0, 32) }));
    expect((await audited()).states).toEqual(['1 proven', '2 proven', '3 proven']);
    const { code, stdout } = await project.run(['prove', '--check', '2']);
    expect(code).toBe(1);
    expect(stdout).toContain('version 2 does not pass');
  });

  test('tells a missing, an edited and a stale receipt apart', async () => {
    await editLine('1', () => '');
    await editLine('2', (line) => line.replace('exact', 'residue'));
    await project.write({ ...third, down: '/* once more */ DROP TABLE orders;' });
    expect((await json(['prove', '--check']))['checked']).toMatchObject([
      { version: '1', result: 'missing' },
      { version: '2', result: 'edited' },
      { version: '3', result: 'stale', parts: ['script'] },
    ]);
  });
});

describe('prove --since', () => {
  const git = async (...words: readonly string[]): Promise<void> => {
    await promisify(execFile)('git', ['-C', project.folder, '-c', 'user.name=a', '-c', 'user.email=a@b', ...words]);
  };

  test('proves what changed since a revision, committed or not, and nothing else', async () => {
    await git('init', '--quiet');
    await git('add', '.');
    await git('commit', '--quiet', '-m', 'first');
    expect(await json(['prove', '--since', 'HEAD'])).toMatchObject({ code: 0, proofs: [] });
    expect((await project.run(['prove', '--since', 'HEAD'])).stdout).toContain('no version changed since HEAD');
    await project.write({ ...second, down: '/* changed */ ALTER TABLE users DROP COLUMN state;' });
    await git('commit', '--quiet', '-a', '-m', 'second');
    await project.write({ version: '4', up: 'CREATE TABLE extra ();', down: 'DROP TABLE extra;' });
    expect((await json(['prove', '--since', 'HEAD']))['proofs']).toMatchObject([{ version: '4' }]);
    expect((await json(['prove', '--since', 'HEAD~1']))['proofs']).toMatchObject([{ version: '2' }, { version: '4' }]);
    for (const file of ['migrations/V4__step.sql', 'rollbacks/R4__step.sql'])
      await fs.rm(path.join(project.folder, file));
  });

  test('says so when the revision, the repository or git is not there', async () => {
    await git('init', '--quiet');
    for (const revision of ['no-such-branch', '--output=stolen', '']) {
      const { code, stderr } = await project.run(['prove', '--since', revision]);
      expect({ code, stderr }).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('revision-unknown') as string,
      });
    }
    await fs.rm(path.join(project.folder, '.git'), { recursive: true });
    expect((await project.run(['prove', '--since', 'HEAD'])).stderr).toContain('is in no git repository');
    expect((await project.run(['prove', '--since', 'HEAD'], { PATH: '/nowhere' })).stderr).toContain(
      'git cannot be started',
    );
  });

  test('does not go with other ways to choose', async () => {
    expect((await project.run(['prove', '1', '--all'])).code).toBe(2);
    expect((await project.run(['prove', '--since', 'HEAD', '--all'])).code).toBe(2);
    expect((await project.run(['prove', '1', '--since', 'HEAD'])).code).toBe(2);
  });
});

describe('with a database', () => {
  let applied: string;
  beforeEach(async () => {
    await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    await project.apply(versions);
    applied = await snapshot(database);
  });
  const rollback = (...flags: readonly string[]): Promise<CommandResult> =>
    project.run(['rollback', '--yes', '--steps', '1', ...flags]);

  test('status and plan show the proof of each version', async () => {
    await project.write({ ...second, down: '/* other */ ALTER TABLE users DROP COLUMN state;' });
    const status = await project.run(['status']);
    expect(
      status.stdout
        .split('\n')
        .slice(0, 4)
        .map((line) => line.split(/ {2,}/)[4]),
    ).toEqual(['proof', 'exact', 'stale', 'exact']);
    const plan = await project.run(['plan', '--steps', '2']);
    expect(plan.stdout.match(/proof {8}\w+/g)).toEqual(['proof        exact', 'proof        stale']);
    expect(plan.stdout).toContain('proof-stale: The proof of version 2 does not count any more');
    expect((await json(['plan', '--steps', '2']))['proofs']).toEqual({ '2': 'stale', '3': 'exact' });
  });

  test('a policy stops a rollback without a proof before anything happens, and one version among several is enough', async () => {
    await policy('requireProof = "stop"');
    await editLine('2', () => '');
    const { code, stderr } = await project.run(['rollback', '--yes', '--steps', '2']);
    expect(code).toBe(1);
    expect(stderr).toContain('proof-missing');
    expect(stderr).toContain('Nothing shows that the rollback of version 2 restores what was there.');
    expect(await snapshot(database)).toBe(applied);
    expect((await project.run(['plan', '--steps', '2'])).code).toBe(1);
    expect((await project.run(['audit'])).code).toBe(1);
    // The newest alone is proven.
    expect((await rollback()).code).toBe(0);
    expect((await rollback('--require-proof', 'warn')).code).toBe(0);
    expect(await storedVersions(database)).toEqual(['1']);
  });

  test.each([
    ['is stale', (): Promise<void> => project.write({ ...third, down: '/* other */ DROP TABLE orders;' })],
    ['has a grade that does not pass', (): Promise<void> => policy('requireProof = "stop"\npasses = ["column-order"]')],
    ['was edited', (): Promise<void> => editLine('3', (line) => line.replace('"exact"', '"residue"'))],
    ['cannot be read', (): Promise<void> => fs.writeFile(lockFile(), `${lock}<<<<<<< HEAD\n`)],
  ])('a policy stops a rollback whose receipt %s; without it, it runs and says so', async (_, change) => {
    await policy('requireProof = "stop"');
    await change();
    const refused = await rollback();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('proof-missing');
    expect(await snapshot(database)).toBe(applied);
    const warned = await rollback('--require-proof', 'warn');
    expect(warned.code).toBe(0);
    expect(warned.stderr).toMatch(/warning (?:proof-|receipt)/);
  });

  test('a proof of another major counts unless the policy says otherwise', async () => {
    await forge('3', (receipt) => ({ ...receipt, major: 13 }));
    expect((await json(['status']))['findings']).toEqual([]);
    expect((await project.run(['status'])).stdout).toContain('exact (on 13)');
    await policy('sameMajor = true\nrequireProof = "stop"');
    expect((await json(['status']))['findings']).toMatchObject([
      {
        code: 'proof-stale',
        severity: 'error',
        message: expect.stringContaining('it was proven on PostgreSQL 13') as string,
      },
    ]);
    expect((await rollback()).stderr).toContain('proof-missing');
    expect(await snapshot(database)).toBe(applied);
    // Proving knows on which it proves.
    expect((await project.run(['prove'])).stdout).toContain(
      '1 of 1 rollback restores what was there; 2 were proven before',
    );
    expect(await fs.readFile(lockFile(), 'utf8')).toBe(lock);
  });
});

describe('drift', () => {
  beforeEach(async () => {
    await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    await project.apply(versions);
  });

  interface Ran {
    readonly code: number | string;
    readonly outcome?: string;
    readonly steps?: readonly {
      readonly version: string;
      readonly drift?: readonly { readonly code: string; readonly subject: string }[];
    }[];
    readonly error?: {
      readonly code: string;
      readonly findings: readonly { readonly code: string; readonly subject: string }[];
    };
  }
  const run = async (...flags: readonly string[]): Promise<Ran> => await json(['rollback', '--yes', ...flags]);
  const told = (ran: Ran): readonly string[] =>
    (ran.steps ?? []).flatMap(({ version, drift }) =>
      (drift ?? []).map(({ code, subject }) => `${version} ${code} ${subject}`),
    );
  const stopped = (ran: Ran): readonly string[] =>
    (ran.error?.findings ?? []).map(({ code, subject }) => `${code} ${subject}`);

  test('is none in a database with nothing but the migrations, whoever owns it', async () => {
    await runOn(database.url, 'GRANT SELECT ON users TO PUBLIC; INSERT INTO users VALUES (1, $$a$$)');
    const ran = await run('--steps', '3', '--drift', 'stop');
    expect(ran).toMatchObject({ code: 0, outcome: 'committed', steps: [{ drift: [] }, { drift: [] }, { drift: [] }] });
    expect((await recordEntries(database)).some((entry) => 'drift' in entry)).toBe(false);
  });

  test.each<[string, string, string, readonly string[]]>([
    [
      'an index added to a touched table',
      '2',
      'CREATE INDEX by_hand ON users (state)',
      ['drift-before index public.by_hand'],
    ],
    [
      'a default changed on a column that the migration made',
      '2',
      `ALTER TABLE users ALTER COLUMN state SET DEFAULT 'old'`,
      ['drift-before column public.users.state'],
    ],
    [
      'a column changed that the migration leaves alone',
      '2',
      'ALTER TABLE users ALTER COLUMN name TYPE varchar(90)',
      ['drift-before column public.users.name'],
    ],
    ['an index that is gone from a touched table', '2', 'DROP INDEX users_name', ['drift-before public.users']],
    [
      'an object that the migration made and that is gone',
      '3',
      'ALTER TABLE orders DROP CONSTRAINT orders_buyer_fkey',
      ['drift-before constraint orders_buyer_fkey on public.orders'],
    ],
  ])('before the script: %s', async (_, version, byHand, expected) => {
    if (version === '2') expect((await run()).code).toBe(0);
    await runOn(database.url, byHand);
    const before = await snapshot(database);
    const refused = await run('--drift', 'stop');
    expect(refused).toMatchObject({ code: 1, outcome: 'failed', error: { code: 'drift-found' } });
    expect(stopped(refused).filter((line) => expected.includes(line))).toEqual(expected);
    expect(await snapshot(database)).toBe(before);
    // Nobody is bothered by what is not looked at.
    expect(told(await run('--drift', 'off', '--dry-run'))).toEqual([]);
    const warned = await run();
    expect(warned).toMatchObject({ code: 0, outcome: 'committed' });
    expect(told(warned)).toEqual(expect.arrayContaining(expected.map((line) => `${version} ${line}`)));
    const [entry] = (await recordEntries(database)).slice(-1);
    expect(entry?.['drift']).toEqual(
      expect.arrayContaining([expect.stringContaining('Before the rollback of version')]),
    );
  });

  test('is not seen in a table that no version touches', async () => {
    await runOn(database.url, 'CREATE TABLE apart (id int); CREATE INDEX apart_id ON apart (id)');
    expect(await run('--steps', '2', '--drift', 'stop')).toMatchObject({ code: 0, outcome: 'committed' });
  });

  test('after the script: what it left or changed here and not in its proof', async () => {
    // In the scratch database there are no such rows, so that the script had nothing to keep there.
    const down = `DO $$ BEGIN IF EXISTS (SELECT FROM orders WHERE id = 4711) THEN
      CREATE TABLE kept_orders AS SELECT * FROM orders; ALTER TABLE users ALTER COLUMN name DROP NOT NULL; END IF; END $$;
DROP TABLE orders;
DELETE FROM users WHERE false;`;
    await project.write({ ...third, down });
    expect((await project.run(['prove', '3'])).code).toBe(0);
    await runOn(database.url, 'INSERT INTO orders VALUES (4711)');
    const before = await snapshot(database);
    const refused = await run('--drift', 'stop');
    expect(refused).toMatchObject({ code: 1, outcome: 'failed', error: { code: 'drift-found' } });
    expect(stopped(refused)).toEqual(
      expect.arrayContaining(['drift-after table public.kept_orders', 'drift-after column public.users.name']),
    );
    expect(await snapshot(database)).toBe(before);
    const { code, stdout } = await project.run(['rollback', '--yes']);
    expect(code).toBe(0);
    expect(stdout).toContain(
      'warning drift-after: After the rollback script of version 3, table public.kept_orders is new',
    );
  });

  test('after the script: not what it leaves behind on purpose, and so it was proven', async () => {
    await project.write({
      ...third,
      down: '-- flyback: leaves public.kept_orders\nCREATE TABLE kept_orders AS SELECT id FROM orders;\nDROP TABLE orders;',
    });
    expect((await project.run(['prove', '3'])).code).toBe(0);
    expect(await run('--drift', 'stop')).toMatchObject({ code: 0, outcome: 'committed', steps: [{ drift: [] }] });
  });

  test('stops the version that it concerns; those before stay taken back', async () => {
    await runOn(database.url, 'CREATE INDEX by_hand ON users (state)');
    const ran = await run('--steps', '2', '--drift', 'stop');
    expect(ran).toMatchObject({
      code: 1,
      steps: [
        { version: '3', outcome: 'committed' },
        { version: '2', outcome: 'failed' },
      ],
    });
    expect(await storedVersions(database)).toEqual(['1', '2']);
    expect(await run('--steps', '2', '--single-transaction', '--drift', 'stop')).toMatchObject({ code: 1 });
    expect(await storedVersions(database)).toEqual(['1', '2']);
  });

  test('is not looked for, and that is said, below a version that stays and for a proof of another major', async () => {
    expect((await project.run(['plan', '--only', '2'])).stdout).toContain(
      'drift-unchecked: Version 2 is taken back without',
    );
    await forge('3', (receipt) => ({ ...receipt, major: 13 }));
    await runOn(database.url, 'CREATE INDEX by_hand ON orders (buyer)');
    expect((await project.run(['plan'])).stdout).toContain('its proof was made on PostgreSQL 13');
    const ran = await run('--drift', 'stop');
    expect(ran).toMatchObject({ code: 0, outcome: 'committed' });
    expect(ran.steps?.[0]).not.toHaveProperty('drift');
  });

  describe('for a role with no more rights than a rollback needs', () => {
    let role: string;
    beforeEach(async () => {
      role = `owner_of_${database.name}`;
      const owned = ['users', 'orders', 'flyway_schema_history'].map(
        (table) => `ALTER TABLE ${table} OWNER TO ${role}`,
      );
      await runOn(database.url, `CREATE ROLE ${role} LOGIN; ALTER SCHEMA public OWNER TO ${role}; ${owned.join(';')}`);
    });
    afterEach(async () => {
      await runOn(
        database.url,
        `GRANT SELECT ON pg_transform TO PUBLIC; DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}; CREATE SCHEMA IF NOT EXISTS public`,
      );
    });

    test('it is found as for any other', async () => {
      await runOn(database.url, 'CREATE INDEX by_hand ON orders (buyer)');
      const ran = await run('--user', role, '--drift', 'stop');
      expect({ code: ran.code, stopped: stopped(ran) }).toEqual({
        code: 1,
        stopped: ['drift-before index public.by_hand'],
      });
      await runOn(database.url, 'DROP INDEX by_hand');
      expect(await run('--user', role, '--drift', 'stop')).toMatchObject({ code: 0, steps: [{ drift: [] }] });
    });

    test('that it could not be looked for is told, or stops the run, and harms nothing', async () => {
      await runOn(database.url, 'REVOKE SELECT ON pg_transform FROM PUBLIC');
      const ran = await run('--user', role, '--drift', 'stop');
      expect({ code: ran.code, stopped: stopped(ran) }).toEqual({ code: 1, stopped: ['drift-unchecked 3'] });
      expect(await storedVersions(database)).toEqual(['1', '2', '3']);
      const warned = await run('--user', role);
      expect(warned).toMatchObject({ code: 0, outcome: 'committed' });
      expect(told(warned)).toEqual(['3 drift-unchecked 3']);
    });
  });
});
