import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, loadProjectConfig, readFilesOnly } from '../../src/compose/open-project.js';
import { applyMigrations, inOrder } from '../../src/scratch/apply-migrations.js';
import { commandNames } from '../harness/cli-page.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../harness/postgres.js';
import { toolbox } from '../harness/toolbox.js';

/*
 * What the pages show is done here by the built command: the README's story from its first block to its last, then the
 * queries of docs/record.md on the record that the story left.
 */

const root = fileURLToPath(new URL('../../', import.meta.url));
const command = path.join(root, 'dist', 'cli.js');
const page = (name: string): Promise<string> => readFile(path.join(root, name), 'utf8');

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function sh(line: string, cwd: string, environment: Readonly<Record<string, string>>): Promise<Finished> {
  try {
    const { stdout, stderr } = await promisify(execFile)('sh', ['-c', line], {
      cwd,
      env: { PATH: process.env['PATH'], HOME: cwd, ...environment },
    });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const failed = error as { readonly code?: unknown; readonly stdout: string; readonly stderr: string };
    if (typeof failed.code !== 'number') throw error;
    return { code: failed.code, stdout: failed.stdout, stderr: failed.stderr };
  }
}

/** A fenced block: its language, what stands behind it, and its text. */
interface Block {
  readonly language: string;
  readonly note: string;
  readonly text: string;
}

function blocksOf(text: string): readonly Block[] {
  return [...text.matchAll(/^```(\w*) ?([^\n]*)\n([^]*?)^```$/gm)].map((match) => ({
    language: match[1] ?? '',
    note: match[2] ?? '',
    text: match[3] ?? '',
  }));
}

/** "npx flyback …" as this clone has it. */
function ours(line: string): string {
  return line.replace(/^npx flyback\b/, `'${process.execPath}' '${command}'`);
}

describe('the README, followed to the letter', () => {
  let database: TestDatabase;
  let project: string;
  let environment: Readonly<Record<string, string>>;

  beforeAll(async () => {
    database = await createDatabase(newestServer().url);
    project = await mkdtemp(path.join(tmpdir(), 'flyback-readme-'));
    const shop = path.join(root, 'rollbacks', 'shop');
    // The shop before version 6, by someone who has not met flyback: rollbacks for 1 to 4, none for 5.
    await cp(shop, project, { recursive: true });
    await rm(path.join(project, 'flyback.toml'));
    for (const folder of ['migrations', 'rollbacks']) {
      for (const name of await readdir(path.join(project, folder))) {
        const version = Number(/^[A-Z](\d+)__/.exec(name)?.[1] ?? '99');
        if (version > 5 || (folder === 'rollbacks' && version === 5)) await rm(path.join(project, folder, name));
      }
    }
    environment = { FLYWAY_URL: database.jdbcUrl, FLYWAY_USER: database.user, FLYWAY_PASSWORD: database.password };
    const config = await loadProjectConfig({ folder: project, environment });
    const session = await connect(config);
    try {
      const { migrations } = (await readFilesOnly({ folder: project, environment })).migrations;
      await applyMigrations({
        session,
        toolbox,
        settings: config.tool,
        table: { schema: 'public', name: 'flyway_schema_history' },
        migrations: inOrder(migrations, toolbox),
      });
    } finally {
      await session.close();
    }
  });

  afterAll(async () => {
    await database.drop();
    await rm(project, { recursive: true });
  });

  it('ends each command with the exit code that it says, and takes the version back', async () => {
    const results: (Finished & { readonly line: string; readonly expected: number })[] = [];
    for (const { language, note, text } of blocksOf(await page('README.md'))) {
      if (language === 'sql' && note !== '') await writeFile(path.join(project, note), text);
      if (language !== 'sh' || note !== 'runnable') continue;
      for (const line of text.split('\n').filter((candidate) => candidate !== '')) {
        const expected = Number(/# exit code (\d)/.exec(line)?.[1] ?? '0');
        results.push({ line, expected, ...(await sh(ours(line), project, environment)) });
      }
    }
    expect(results.length).toBeGreaterThanOrEqual(11);
    expect(results.filter(({ code, expected }) => code !== expected)).toEqual([]);
    expect(results.find(({ line }) => line.includes(' audit'))?.stdout).toMatch(/rollback-missing.*5/);
    const rows = await runOn(database.url, 'SELECT version FROM flyway_schema_history ORDER BY installed_rank');
    expect(rows.map((row) => row['version'])).toEqual(['1', '2', '3', '4']);
    expect(await runOn(database.url, "SELECT FROM pg_attribute WHERE attname = 'gift_note'")).toEqual([]);
  });

  it('asks the record as docs/record.md does, and sees when somebody has edited it', async () => {
    const blocks = blocksOf(await page('docs/record.md'));
    const [month = '', broken = ''] = blocks.filter(({ language }) => language === 'sql').map(({ text }) => text);
    expect(await runOn(database.url, month)).toMatchObject([{ version: '5', reason: 'INC-7: gift notes withdrawn' }]);
    expect(await runOn(database.url, broken)).toEqual([]);

    const shown = JSON.parse(blocks.find(({ language }) => language === 'json')?.text ?? '') as object;
    const [row] = await runOn(database.url, 'SELECT entry FROM flyback_record ORDER BY id DESC LIMIT 1');
    expect(shapeOf(shown)).toEqual(shapeOf(JSON.parse(String(row?.['entry']))));

    await expect(runOn(database.url, 'DELETE FROM flyback_record')).rejects.toThrow('append-only');
    await runOn(
      database.url,
      `ALTER TABLE flyback_record DISABLE TRIGGER append_only;
       UPDATE flyback_record SET entry = replace(entry, 'INC-7', 'INC-8') WHERE entry LIKE '%INC-7%'`,
    );
    expect(await runOn(database.url, broken)).toHaveLength(1);
    const verified = await sh(ours('npx flyback log --verify'), project, environment);
    expect(verified).toMatchObject({ code: 1 });
    expect(verified.stdout).toContain('record-entry-changed');
  });
});

/** Keys and kinds of values, the first element standing for a list. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]: [string, unknown]) => [key, shapeOf(inner)]));
}

describe('docs/cli.md', () => {
  it('holds what the built command says of itself', async () => {
    const text = await page('docs/cli.md');
    for (const name of ['', ...commandNames()]) {
      const { code, stdout } = await sh(ours(`npx flyback ${name} --help`), root, {});
      expect(code).toBe(0);
      const [own = ''] = stdout.split('\nGlobal Options:');
      expect(text).toContain(own.trimEnd());
    }
  });

  it('is about commands that exist: an unknown one is a usage error that names it', async () => {
    const { code, stderr } = await sh(ours('npx flyback undo'), root, {});
    expect(code).toBe(2);
    expect(stderr).toContain("unknown command 'undo'");
  });
});
