import { PassThrough } from 'node:stream';
import { beforeEach, expect, test } from 'vitest';
import { ask, confirmDatabase, type Terminal } from '../../../src/cli/confirm.js';

let input: PassThrough;
let terminal: Terminal;
beforeEach(() => {
  input = new PassThrough();
  terminal = { input, output: new PassThrough() };
});

const never = new AbortController().signal;

test('an answer is one line, without the blanks around it', async () => {
  input.write('  shop \nmore\n');
  expect(await ask('Which? ', never, terminal)).toBe('shop');
});

test('the end of the input is no answer, and is not waited for', async () => {
  input.end();
  expect(await ask('Which? ', never, terminal)).toBe('');
});

test('Ctrl-C is no answer', async () => {
  const stop = new AbortController();
  const asked = ask('Which? ', stop.signal, terminal);
  stop.abort();
  expect(await asked).toBe('');
});

test('the name of the database confirms', async () => {
  input.write('shop\n');
  await expect(confirmDatabase('Go on?', 'shop', never, terminal)).resolves.toBeUndefined();
});

test.each(['y', 'yes', '', 'SHOP'])('%j does not confirm', async (answer) => {
  input.end(`${answer}\n`);
  await expect(confirmDatabase('Go on?', 'shop', never, terminal)).rejects.toMatchObject({
    code: 'confirmation-missing',
  });
});
