import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execFile, spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/* flyback prove as a user runs it: on files alone, with the server that comes along. */

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Proven {
  readonly passed: boolean;
  readonly scratch: string;
  readonly proofs: readonly {
    readonly version: string;
    readonly grade: string;
    readonly reason?: string;
    readonly changes: readonly { readonly change: string; readonly kind: string; readonly name: string }[];
    readonly rows: readonly { readonly table: string }[];
  }[];
  readonly withoutRollback: readonly string[];
}

let folder: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-prove-'));
  await fs.cp(path.join(root, 'rollbacks', 'shop'), folder, { recursive: true });
});
afterEach(() => fs.rm(folder, { recursive: true }));

function run(commandLine: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [path.join(root, 'dist', 'cli.js'), ...commandLine],
      { cwd: folder, env: { PATH: process.env['PATH'], HOME: os.homedir() } },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
  });
}

async function rollbackOf(version: string): Promise<string> {
  const files = await fs.readdir(path.join(folder, 'rollbacks'));
  return path.join(
    folder,
    'rollbacks',
    files.find((name) => name.startsWith(`R${version}__`)) ?? `R${version}__other.sql`,
  );
}

async function prove(commandLine: readonly string[] = []): Promise<Proven & { readonly code: number }> {
  const { code, stdout, stderr } = await run(['prove', '--json', ...commandLine]);
  expect(stdout, stderr).not.toBe('');
  return { code, ...(JSON.parse(stdout) as Proven) };
}

describe('flyback prove', () => {
  test('proves every rollback of a worked set, without a database', async () => {
    const { code, passed, proofs, scratch } = await prove();
    expect(proofs.map(({ version, grade }) => `${version} ${grade}`)).toEqual(
      ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10'].map((version) => `${version} exact`),
    );
    expect({ code, passed }).toEqual({ code: 0, passed: true });
    expect(scratch).toMatch(/^PostgreSQL \d+\.\d+, embedded$/);
  });

  test('names what a rollback leaves behind, and goes on with the versions above it', async () => {
    await fs.writeFile(
      await rollbackOf('4'),
      'ALTER INDEX orders_by_customer RENAME TO was; ALTER INDEX was RENAME TO orders_by_customer;',
    );
    const { code, proofs } = await prove(['4', '5']);
    expect(code).toBe(1);
    expect(proofs.map(({ version, grade }) => `${version} ${grade}`)).toEqual(['4 failed', '5 exact']);
    expect(proofs[0]?.changes).toMatchObject([
      { change: 'left-over', kind: 'index', name: 'public.orders_by_customer' },
    ]);
    expect(proofs[0]?.reason).toContain('already exists');
  });

  test('sees values that are lost although the schema is as it was', async () => {
    await fs.writeFile(
      await rollbackOf('8'),
      'ALTER TABLE customers DROP COLUMN loyalty_points; ALTER TABLE customers ADD COLUMN loyalty_points integer NOT NULL DEFAULT 0;',
    );
    const { code, proofs } = await prove(['8']);
    expect(code).toBe(1);
    expect(proofs[0]).toMatchObject({ grade: 'data-lost', rows: [{ table: 'public.customers' }] });
  });

  test('says what it did not prove: a version without a script, one that nobody has, a migration that does not run', async () => {
    await fs.rm(await rollbackOf('10'));
    expect((await prove()).withoutRollback).toEqual(['10']);
    expect(await run(['prove', '10'])).toMatchObject({ code: 1 });
    expect((await run(['prove', '10'])).stderr).toContain('no rollback script');
    expect(await run(['prove', '77'])).toMatchObject({ code: 2 });
    const files = await fs.readdir(path.join(folder, 'migrations'));
    const third = files.find((name) => name.startsWith('V3__')) ?? '';
    await fs.writeFile(path.join(folder, 'migrations', third), 'CREATE EXTENSION no_such_extension;');
    const { code, passed, proofs } = await prove(['2', '4']);
    expect({ code, passed }).toEqual({ code: 1, passed: false });
    expect(proofs.map(({ version, grade }) => `${version} ${grade}`)).toEqual(['2 exact', '4 not-possible']);
    expect(proofs[1]?.reason).toContain('no_such_extension');
  });

  test('leaves out of the grade what a script leaves behind on purpose, and only that', async () => {
    const script = await rollbackOf('7');
    const text = await fs.readFile(script, 'utf8');
    await fs.writeFile(script, `${text}\nCREATE TABLE kept_by_r7 (id int);\n`);
    expect((await prove(['7'])).proofs[0]).toMatchObject({ grade: 'different' });
    await fs.writeFile(script, `-- flyback: leaves public.kept_by_r7\n${text}\nCREATE TABLE kept_by_r7 (id int);\n`);
    const { code, proofs } = await prove(['7']);
    expect({ code, grade: proofs[0]?.grade }).toEqual({ code: 0, grade: 'exact' });
  });

  test('Ctrl-C ends a migration that hangs, and keeps the receipt of what was proven before', async () => {
    const migration = (version: number): string => path.join(folder, 'migrations', `V${version}__waits.sql`);
    await fs.writeFile(migration(11), 'SELECT pg_sleep(3600);');
    await fs.writeFile(path.join(folder, 'rollbacks', 'R11__waits.sql'), 'DROP TABLE IF EXISTS nothing;');
    const child = spawn(process.execPath, [path.join(root, 'dist', 'cli.js'), 'prove', '10', '11'], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: os.homedir() },
    });
    let said = '';
    const isProven = new Promise<void>((resolve) => {
      child.stderr.on('data', (data: Buffer) => {
        said += data.toString();
        if (said.includes('1/2')) resolve();
      });
    });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    await isProven;
    child.kill('SIGINT');
    expect(await ended, said).toBe(3);
    expect(said).toContain('cancelled');
    const kept = await fs.readFile(path.join(folder, 'flyback.lock'), 'utf8');
    expect([...kept.matchAll(/^(\d+) /gm)].map(([, version]) => version)).toEqual(['10']);
  });
});
