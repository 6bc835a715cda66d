import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LoadedCode, loadProjectCode, type ProjectCode } from '../../../src/config/load-project-code.js';
import { isAlive } from '../../harness/processes.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'flyback-code-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function load(name: string, text: string, options: Partial<ProjectCode> = {}): Promise<LoadedCode> {
  const file = path.join(folder, name);
  await writeFile(file, text);
  return loadProjectCode({
    file,
    folder,
    environment: { PATH: process.env['PATH'], HOME: folder },
    loadedBy: 'import',
    functions: 'call-or-callback',
    ...options,
  });
}

describe('a module of the project', () => {
  it.each([
    ['CommonJS', 'a.cjs', 'module.exports = { a: 1 }'],
    ['an ES module', 'a.mjs', 'export default { a: 1 }'],
    ['an ES module without default', 'a.mjs', 'export const a = 1'],
    ['compiled from TypeScript', 'a.cjs', 'exports.__esModule = true; exports.default = { a: 1 }'],
    ['a promise', 'a.cjs', 'module.exports = new Promise((r) => setTimeout(() => r({ a: 1 }), 5))'],
    ['a function', 'a.cjs', 'module.exports = async () => ({ a: 1 })'],
    ['a function with a callback', 'a.cjs', 'module.exports = (done) => setTimeout(() => done(null, { a: 1 }), 5)'],
  ])('gives its value: %s', async (_, name, text) => {
    expect(await load(name, text)).toEqual({ value: { a: 1 } });
  });

  it('is required without an extension, in a folder of ES modules too', async () => {
    await writeFile(path.join(folder, 'package.json'), '{"type":"module"}');
    const text = `module.exports = { config: require('node:path').resolve('db.js'), cwd: process.cwd() }`;
    const { value } = (await load('.sequelizerc', text, { loadedBy: 'require', functions: 'refuse' })) as {
      readonly value: Readonly<Record<string, string>>;
    };
    expect(path.basename(value['config'] ?? '')).toBe('db.js');
    expect(value['config']).toBe(path.join(value['cwd'] ?? '', 'db.js'));
  });

  it('sees the environment and nothing of how it was started', async () => {
    const text = 'module.exports = { url: process.env.URL, own: process.argv.length }';
    expect(await load('a.cjs', text, { environment: { URL: 'postgres://h/d' } })).toEqual({
      value: { url: 'postgres://h/d', own: 1 },
    });
  });

  it('tells what JSON cannot say', async () => {
    const text = `class Source { constructor() { this.name = 's'; } }
module.exports = { logging: () => {}, ca: Buffer.from('x'), source: new Source(), at: new Date(0), list: [1, undefined] }`;
    expect(await load('a.cjs', text)).toEqual({
      value: {
        logging: { $kind: 'function' },
        ca: { $kind: 'bytes' },
        source: { name: 's', $class: 'Source' },
        at: '1970-01-01T00:00:00.000Z',
        list: [1, null],
      },
    });
  });
});

describe('a module that does not behave', () => {
  const secret = 's3cret-and-long';

  it.each([
    ['throws', `\n\nthrow new TypeError('${secret}')`, 'failed with TypeError in line 3'],
    ['throws no error', `throw '${secret}'`, 'failed with an error'],
    [
      'has an error named by a secret',
      `const e = new Error('x'); e.name = '${secret}'; throw e`,
      'failed with an error',
    ],
    ['has a slip', `module.exports = {\n  password: '${secret}'\n  host: 'x' };`, 'failed with SyntaxError in line 3'],
    ['rejects', `module.exports = Promise.reject(new RangeError('${secret}'))`, 'failed with RangeError in line 1'],
    ['ends the process', `console.log('${secret}'); process.exit(0)`, 'ended the process'],
    ['never settles', `console.error('${secret}'); module.exports = new Promise(() => {})`, 'waits for something'],
    ['needs what is not there', `require('flyback-no-such-package')`, 'needs the module flyback-no-such-package'],
    ['goes in circles', `const a = { s: '${secret}' }; a.a = a; module.exports = a`, 'cannot be written as JSON'],
    ['writes an answer of its own', `require('fs').writeSync(3, '{"${secret}'); process.exit(0)`, 'ended the process'],
  ])('%s: said without its words', async (_, text, expected) => {
    const loaded = await load('a.cjs', text);
    expect(loaded).toHaveProperty('problem', expect.stringContaining(expected));
    expect(JSON.stringify(loaded)).not.toContain(secret);
  });

  it('calls no function where none is expected', async () => {
    expect(await load('a.cjs', 'module.exports = () => ({})', { functions: 'refuse' })).toHaveProperty(
      'problem',
      'gives a function, not a configuration',
    );
  });

  it.each([
    ['waits for ever', 'setInterval(() => {}, 1000); module.exports = new Promise(() => {})'],
    ['never stops computing', 'for (;;);'],
  ])('%s: is ended with whatever it has started', async (_, text) => {
    const begun = performance.now();
    const grandchild = `const { spawn } = require('node:child_process');
const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
require('node:fs').writeFileSync('pids', process.pid + ' ' + child.pid);
${text}`;
    expect(await load('a.cjs', grandchild, { timeoutMs: 1500 })).toHaveProperty(
      'problem',
      'gave no configuration within 1.5 s',
    );
    expect(performance.now() - begun).toBeLessThan(8000);
    const pids = (await readFile(path.join(folder, 'pids'), 'utf8')).split(' ').map(Number);
    for (const pid of pids) await expect.poll(() => isAlive(pid)).toBe(false);
  });
});
