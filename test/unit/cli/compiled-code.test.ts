import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadCompiled, type CompiledFile } from '../../../src/cli/compiled-code.js';

describe('code that was compiled before', () => {
  let folder: string;
  let file: string;

  beforeEach(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-code-'));
    file = path.join(folder, 'common.cjs');
    await fs.writeFile(file, program('one'));
  });
  afterEach(async () => {
    await fs.chmod(folder, 0o755);
    await fs.rm(folder, { recursive: true });
  });

  const program = (answer: string): string =>
    `'use strict'; exports.answer = () => '${answer}'; exports.beside = () => require('./beside.cjs');\n`;

  interface Program {
    answer(): string;
    beside(): { readonly common: Program };
  }

  function load(label = 'plan', environment = {}): { readonly code: CompiledFile; readonly program: Program } {
    const code = loadCompiled(file, label, environment);
    const loaded = code.require(file) as Program;
    // Loaded anew next time, as in another process.
    Reflect.deleteProperty(code.require.cache, file);
    return { code, program: loaded };
  }

  const caches = async (): Promise<readonly string[]> =>
    (await fs.readdir(folder)).filter((name) => name.endsWith('.cache')).map((name) => path.join(folder, name));
  const onlyCache = async (): Promise<string> => {
    const [found = '', ...others] = await caches();
    expect(others).toEqual([]);
    return found;
  };

  test('is kept by a run and taken by the next one of the same name, and the file does the same', async () => {
    const first = load();
    expect(first.code.isKept).toBe(false);
    expect(await caches()).toEqual([]);
    first.code.keep();
    const kept = await fs.stat(await onlyCache());

    const second = load();
    expect(second.code.isKept).toBe(true);
    expect(second.program.answer()).toBe('one');
    second.code.keep();
    expect((await fs.stat(await onlyCache())).mtimeMs).toBe(kept.mtimeMs);
    expect(load('rollback').code.isKept).toBe(false);
  });

  test('whoever requires the file gets the one that was loaded, and it finds what lies beside it', async () => {
    await fs.writeFile(path.join(folder, 'beside.cjs'), `exports.common = require('./common.cjs');`);
    load().code.keep();
    const code = loadCompiled(file, 'plan', {});
    expect(code.isKept).toBe(true);
    const common = code.require('./common.cjs') as Program;
    expect(common.beside().common).toBe(common);
    const again = loadCompiled(file, 'plan', {});
    expect(again.require('./common.cjs')).toBe(common);
    again.keep();
  });

  test('is not taken when the file has changed, also where V8 would not notice, and is kept anew', async () => {
    load().code.keep();
    await fs.writeFile(file, program('two'));
    const changed = load();
    expect(changed.code.isKept).toBe(false);
    expect(changed.program.answer()).toBe('two');
    changed.code.keep();
    expect(load().code.isKept).toBe(true);
  });

  test.each([
    ['was not written to its end', (bytes: Buffer) => bytes.subarray(0, -10)],
    ['has one other bit', (bytes: Buffer) => bytes.map((byte, at) => (at === bytes.length - 9 ? byte ^ 1 : byte))],
    ['is empty', () => Buffer.alloc(0)],
    ['is something else', () => Buffer.from('something else')],
  ])('is not taken when it %s, and is kept anew', async (_, spoil) => {
    load().code.keep();
    const cache = await onlyCache();
    await fs.writeFile(cache, spoil(await fs.readFile(cache)));
    const { code, program: loaded } = load();
    expect(code.isKept).toBe(false);
    expect(loaded.answer()).toBe('one');
    code.keep();
    expect(load().code.isKept).toBe(true);
  });

  test.skipIf(process.getuid === undefined)('is not taken when others could have written it', async () => {
    load().code.keep();
    const cache = await onlyCache();
    for (const [mode, isKept] of [
      [0o664, false],
      [0o646, false],
      [0o644, true],
    ] as const) {
      await fs.chmod(cache, mode);
      expect(load().code.isKept).toBe(isKept);
    }
    await fs.rename(cache, path.join(folder, 'elsewhere'));
    await fs.symlink(path.join(folder, 'elsewhere'), cache);
    expect(load().code.isKept).toBe(false);
  });

  test('is neither taken nor kept where Node is told not to', async () => {
    load('plan', { NODE_DISABLE_COMPILE_CACHE: '1' }).code.keep();
    expect(await caches()).toEqual([]);
    load().code.keep();
    expect(load('plan', { NODE_DISABLE_COMPILE_CACHE: '1' }).code.isKept).toBe(false);
  });

  test('where nothing can be written nothing is, and nobody is told', async () => {
    const { code } = load();
    await fs.rm(folder, { recursive: true });
    code.keep();
    await expect(fs.access(folder)).rejects.toThrow();
    await fs.mkdir(folder);
  });
});
