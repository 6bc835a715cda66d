import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const summary = fileURLToPath(new URL('../../../.ci/summary.mjs', import.meta.url));
const green = { numPassedTests: 5, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };
const brokenFile = { status: 'failed', assertionResults: [] };
const fileWithFailure = { status: 'failed', assertionResults: [{ status: 'passed' }, { status: 'failed' }] };
let folder: string;

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-summary-'));
});
afterAll(async () => {
  await fs.rm(folder, { recursive: true });
});

test.each([
  ['all is well', green, 0, '5 passed, 0 failed, 0 skipped', 0],
  ['a test was skipped', { ...green, numPendingTests: 1 }, 0, '5 passed, 0 failed, 1 skipped', 1],
  ['a test is yet to be written', { ...green, numTodoTests: 2 }, 0, '5 passed, 0 failed, 2 skipped', 1],
  [
    'tests failed, and so did their step',
    { ...green, numFailedTests: 1, testResults: [fileWithFailure] },
    1,
    '5 passed, 1 failed, 0 skipped',
    1,
  ],
  [
    'tests and another step failed',
    { ...green, numFailedTests: 1, testResults: [fileWithFailure] },
    2,
    '5 passed, 2 failed, 0 skipped',
    1,
  ],
  ['a test file could not be loaded', { ...green, testResults: [brokenFile] }, 1, '5 passed, 1 failed, 0 skipped', 1],
  ['only a step failed', green, 1, '5 passed, 1 failed, 0 skipped', 1],
  ['nothing ran', { ...green, numPassedTests: 0 }, 0, '0 passed, 0 failed, 0 skipped', 1],
] as const)('the closing line and the exit code when %s', async (_case, report, steps, line, exitCode) => {
  const file = path.join(folder, 'report.json');
  await fs.writeFile(file, JSON.stringify(report));
  const { stdout, status } = spawnSync(process.execPath, [summary, file, String(steps)], { encoding: 'utf8' });
  expect(stdout).toBe(`${line}\n`);
  expect(status).toBe(exitCode);
});

test('without a report the run has failed', () => {
  const { stdout, status } = spawnSync(process.execPath, [summary, path.join(folder, 'none'), '1'], {
    encoding: 'utf8',
  });
  expect(stdout).toBe('0 passed, 1 failed, 0 skipped\n');
  expect(status).toBe(1);
});
