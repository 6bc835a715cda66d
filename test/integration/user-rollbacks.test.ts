import { execFile } from 'node:child_process';
import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { testRollbacks } from '../../src/vitest/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

// What a user writes, on the worked sets.
for (const set of ['shop', 'foreign-key-actions', 'partitioned-table']) {
  await testRollbacks({ folder: path.join(root, 'rollbacks', set) });
}

describe('testRollbacks', () => {
  it('fails a version whose rollback leaves something behind, and passes the others', async () => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-user-'));
    await fs.cp(path.join(root, 'rollbacks', 'shop'), folder, { recursive: true });
    // Version 4 makes an index; a rollback that only looks at it leaves the index there when the version comes again.
    await fs.writeFile(
      path.join(folder, 'rollbacks', 'R4__index_orders_by_customer.sql'),
      'ALTER INDEX orders_by_customer RENAME TO orders_by_customer_old; ALTER INDEX orders_by_customer_old RENAME TO orders_by_customer;',
    );
    await fs.writeFile(
      path.join(folder, 'rollbacks.test.js'),
      `import { testRollbacks } from ${JSON.stringify(path.join(root, 'dist', 'vitest.js'))};\nawait testRollbacks({ folder: ${JSON.stringify(folder)} });\n`,
    );
    const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const failure = (await promisify(execFile)(process.execPath, [vitest, 'run', '--root', folder, '--reporter=json'], {
      env: { PATH: process.env['PATH'], HOME: os.homedir() },
    }).catch((error: unknown) => error)) as { stdout: string; code: number };
    await fs.rm(folder, { recursive: true });
    expect(failure.code).toBe(1);
    const report = JSON.parse(failure.stdout.slice(failure.stdout.indexOf('{'))) as {
      testResults: { assertionResults: { title: string; status: string; failureMessages: string[] }[] }[];
    };
    const results = report.testResults[0]?.assertionResults ?? [];
    const [first] = results.filter(({ status }) => status === 'failed');
    expect(first?.title).toMatch(/^version 4 /);
    expect(first?.failureMessages.join()).toMatch(/orders_by_customer.* already exists/);
    expect(results.filter(({ title }) => /^version [123] /.test(title)).map(({ status }) => status)).toEqual([
      'passed',
      'passed',
      'passed',
    ]);
  });
});
