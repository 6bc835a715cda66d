import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { FunctionEnd } from '../../../src/adapter/migration-functions.js';
import type { FunctionBounds } from '../../../src/functions/start-functions.js';
import { addressOf, call, createFunctionProject, type FunctionProject } from '../../harness/functions.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';
import { isAlive } from '../../harness/processes.js';

const secret = 's3cret-and-long';
const patiently = { timeout: 20_000 };

describe('the process of functions', () => {
  let database: TestDatabase;
  let project: FunctionProject;

  beforeAll(async () => {
    database = await createDatabase(newestServer().url);
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    project = await createFunctionProject('knex', database);
  });
  afterEach(() => project.remove());

  interface Outcome {
    readonly end: FunctionEnd;
    readonly wasReady: boolean;
  }

  async function outcome(file: string, text: string, bounds?: FunctionBounds): Promise<Outcome> {
    await project.write(`migrations/${file}`, text);
    const functions = project.start(await project.caller(), bounds);
    let wasReady = false;
    const end = await call(functions, { folder: project.folder, database, file, direction: 'down' }, () => {
      wasReady = true;
    });
    expect(JSON.stringify(end)).not.toContain(secret);
    // Whatever happened, the next one runs.
    await project.write('migrations/0.js', 'exports.down = (knex) => knex.raw("SELECT 2")');
    const next = { folder: project.folder, database, file: '0.js', direction: 'down' } as const;
    expect(await call(functions, next)).toEqual({ kind: 'returned' });
    functions.end();
    return { end, wasReady };
  }

  test.each([
    ['throws', `\nexports.down = () => { throw new TypeError('${secret}'); }`, 'failed with TypeError in line 2'],
    ['throws no error', `exports.down = () => { throw '${secret}'; }`, 'failed with an error'],
    [
      'throws later',
      `exports.down = () => new Promise(() => { setTimeout(() => { throw new RangeError('${secret}'); }, 5); })`,
      'failed with RangeError in line 1',
    ],
    [
      'rejects aside',
      `exports.down = async (knex) => { void knex.raw('SELECT ${secret}').then(); await knex.raw('SELECT pg_sleep(0.1)'); }`,
      'failed with an error',
    ],
    ['ends the process', `exports.down = () => { process.exit(0); }`, 'ended the process that ran it'],
    [
      'kills the process',
      `exports.down = () => { process.kill(process.pid, 'SIGKILL'); }`,
      'ended the process that ran it',
    ],
    [
      'leaves a query under way',
      `exports.config = { transaction: false };
exports.down = (knex) => { void knex.raw('SELECT pg_sleep(20)').catch(() => undefined); return knex.raw('SELECT 1'); }`,
      'left something under way when it returned, which did not end within 0.3 s',
    ],
    [
      'needs what is missing',
      `exports.down = () => require('flyback-no-such')`,
      'needs the module flyback-no-such, which is not there',
    ],
  ])('%s: it has failed, without its words', async (_, text, problem) => {
    const { end, wasReady } = await outcome('1.js', text, { endMs: 300 });
    expect(end).toMatchObject({ kind: 'failed', problem });
    expect(wasReady).toBe(true);
  });

  test.each([
    ['1.js', 'exports.up = () => {}', 'has no down function'],
    ['1.js', 'exports.down = "DROP TABLE a"', 'has no down function'],
    ['1.js', `require('flyback-no-such')`, 'needs the module flyback-no-such, which is not there'],
    ['1.mjs', `import 'flyback-no-such'`, 'needs the module flyback-no-such, which is not there'],
    ['1.js', `\nconst a = '${secret}' b;`, 'failed with SyntaxError in line 2'],
    // Node tells the line of a slip in an ES module to its own console alone.
    ['1.mjs', `\nconst a = '${secret}' b;`, 'failed with SyntaxError'],
    ['1.mjs', 'await new Promise(() => {});', 'waits for something that never comes'],
    ['1.mjs', 'setInterval(() => {}, 1000); await new Promise(() => {});', 'could not be called within 1.5 s'],
    ['1.js', 'for (;;);', 'could not be called within 1.5 s'],
    ['1.js', 'process.exit()', 'ended the process that ran it'],
  ])('%s: %s cannot be called', async (file, text, problem) => {
    const { end, wasReady } = await outcome(file, text, { readyMs: 1500 });
    expect(end).toMatchObject({ kind: 'failed', problem });
    expect(wasReady).toBe(false);
  });

  test('TypeScript that Node cannot run is told as such', async () => {
    const { end } = await outcome('1.ts', 'export const down = (knex: unknown): void => {};');
    const strips = (process.features as { readonly typescript?: unknown }).typescript !== undefined;
    expect(end).toMatchObject(
      strips ? { kind: 'returned' } : { kind: 'failed', problem: 'is of a kind that Node.js cannot run' },
    );
  });

  test('a connection that nobody gives is no success', async () => {
    await project.write('migrations/1.js', 'exports.down = () => undefined');
    const functions = project.start(await project.caller());
    const called = { file: path.join(project.folder, 'migrations', '1.js'), name: '1.js', direction: 'down' } as const;
    const nobody = { ...addressOf(database), port: 1 };
    expect(await functions.run(called, nobody, () => expect.fail('is not ready'))).toMatchObject({ kind: 'failed' });
  });

  test('what it prints and sends is neither shown nor taken for an answer', async () => {
    const { end } = await outcome(
      '1.js',
      `process.send({ flyback: '${secret}', end: { isReturned: true } });
process.send({ end: { isReturned: true } });
process.send('${secret}');
exports.down = async (knex) => {
  console.log('${secret}'); console.error('${secret}');
  process.send({ isReady: true, end: { isReturned: true } });
  await knex.raw('SELECT 1');
  throw new RangeError('${secret}');
}`,
    );
    expect(end).toMatchObject({ kind: 'failed', problem: 'failed with RangeError in line 8' });
  });

  test('the function is not called before onReady has come back', async () => {
    await project.write(
      'migrations/1.js',
      `exports.down = () => { require('node:fs').writeFileSync('called', ''); return Promise.resolve(); }`,
    );
    const functions = project.start(await project.caller());
    const mark = path.join(project.folder, 'called');
    let wasCalled: boolean | undefined;
    await call(functions, { folder: project.folder, database, file: '1.js', direction: 'down' }, () => {
      wasCalled = existsSync(mark);
    });
    expect(wasCalled).toBe(false);
    expect(existsSync(mark)).toBe(true);
  });

  test('what onReady throws is thrown, and the function is not called', async () => {
    await project.write('migrations/1.js', `exports.down = (knex) => knex.raw('CREATE TABLE a ()')`);
    const functions = project.start(await project.caller());
    const called = { folder: project.folder, database, file: '1.js', direction: 'down' } as const;
    const refuse = (): void => {
      throw new Error('the door is shut');
    };
    await expect(call(functions, called, refuse)).rejects.toThrow('the door is shut');
    expect(await runOn(database.url, `SELECT to_regclass('a') AS a`)).toEqual([{ a: null }]);
    expect(await call(functions, called)).toEqual({ kind: 'returned' });
  });

  const lasting = `const { spawn } = require('node:child_process');
exports.down = () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  require('node:fs').writeFileSync('pids', process.pid + ' ' + child.pid + ' ');
  return new Promise(() => {});
};`;
  const pids = (): readonly number[] => {
    const file = path.join(project.folder, 'pids');
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    return text.endsWith(' ') ? text.trim().split(' ').map(Number) : [];
  };

  test('end() ends it and what it started; the call has failed, and no other begins', async () => {
    await project.write('migrations/1.js', lasting);
    const functions = project.start(await project.caller());
    const called = { folder: project.folder, database, file: '1.js', direction: 'down' } as const;
    const running = call(functions, called);
    await expect.poll(() => pids().length, patiently).toBe(2);
    expect(pids().map(isAlive)).toEqual([true, true]);
    functions.end();
    expect(await running).toEqual({ kind: 'failed', problem: 'was stopped', hint: undefined });
    for (const pid of pids()) await expect.poll(() => isAlive(pid), patiently).toBe(false);
    expect(await call(functions, called)).toMatchObject({ kind: 'failed', problem: 'was stopped' });
  });

  test.each([
    ['waits', lasting],
    ['computes', lasting.replace('return new Promise(() => {});', 'for (;;);')],
  ])('it ends with a flyback that is killed while the function %s', async (_, text) => {
    await project.write('migrations/1.js', text);
    const program = path.join(project.folder, 'parent.mjs');
    await build({
      entryPoints: [fileURLToPath(new URL('../../../src/functions/start-functions.ts', import.meta.url))],
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: path.join(project.folder, 'start-functions.mjs'),
    });
    const called = { file: path.join(project.folder, 'migrations', '1.js'), name: '1.js', direction: 'down' };
    const given = [await project.caller(), called, addressOf(database)].map((value) => JSON.stringify(value));
    await project.write(
      'parent.mjs',
      `import { startFunctions } from './start-functions.mjs';
await startFunctions(${given[0] ?? ''}, process.env).run(${given[1] ?? ''}, ${given[2] ?? ''}, () => {});`,
    );
    const parent = spawn(process.execPath, [program], { stdio: 'ignore' });
    try {
      await expect.poll(() => pids().length, patiently).toBe(2);
      expect(pids().map(isAlive)).toEqual([true, true]);
    } finally {
      parent.kill('SIGKILL');
    }
    for (const pid of pids()) await expect.poll(() => isAlive(pid), patiently).toBe(false);
  });
});
