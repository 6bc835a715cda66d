import { spawnSync } from 'node:child_process';
import { afterEach, expect, test } from 'vitest';
import { nameNavigator } from '../../../src/cli/lean-start.js';

const original = Object.getOwnPropertyDescriptor(globalThis, 'navigator');

afterEach(() => {
  Reflect.deleteProperty(globalThis, 'navigator');
  if (original !== undefined) Object.defineProperty(globalThis, 'navigator', original);
});

test('a Node without a navigator gets one that names Node, as newer ones have', () => {
  Reflect.deleteProperty(globalThis, 'navigator');
  nameNavigator();
  expect((globalThis as { navigator?: { userAgent: string } }).navigator?.userAgent).toBe(
    `Node.js/${process.versions.node.split('.')[0] ?? ''}`,
  );
});

test('a navigator that is there stays', () => {
  const own = { userAgent: 'something else' };
  Object.defineProperty(globalThis, 'navigator', { value: own, configurable: true });
  nameNavigator();
  expect((globalThis as { navigator?: unknown }).navigator).toBe(own);
});

test('this Node knows the flag: it complains of none', () => {
  const program = (flag: string): string => `require('node:v8').setFlagsFromString('${flag}')`;
  const complaint = (flag: string): string =>
    spawnSync(process.execPath, ['--eval', program(flag)], { encoding: 'utf8' }).stderr;
  expect(complaint('--no-such-flag')).toContain('--no-such-flag');
  expect(complaint('--wasm-tiering-budget=2000000000')).toBe('');
});
