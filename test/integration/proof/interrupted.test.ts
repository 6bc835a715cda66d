import * as fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createProject, finished, noDatabase, type TestProject } from '../../harness/project.js';

/* flyback prove, stopped with Ctrl-C. */

let project: TestProject;
beforeAll(async () => {
  project = await createProject({
    database: noDatabase,
    versions: [
      { version: '1', up: 'CREATE TABLE t (id int)', down: 'DROP TABLE t;' },
      { version: '2', up: 'CREATE INDEX i ON t (id)', down: 'DROP INDEX i;' },
      { version: '3', up: 'SELECT pg_sleep(3600)', down: 'DO $$ BEGIN NULL; END $$;' },
    ],
  });
});
afterAll(async () => {
  await project.remove();
});

/** Starts the command and interrupts it when the second version is proven. */
async function interrupt(commandLine: readonly string[]): Promise<{ readonly told: string; readonly code: unknown }> {
  const child = project.start(commandLine);
  let told = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    const isFirst = !told.includes('2/3');
    told += text;
    if (isFirst && told.includes('2/3')) child.kill('SIGINT');
  });
  const { code } = await finished(child);
  return { told, code };
}

const receipts = async (): Promise<readonly string[]> => {
  const text = await fs.readFile(path.join(project.folder, 'flyback.lock'), 'utf8').catch(() => '');
  return [...text.matchAll(/^(\d+) /gm)].map(([, version]) => version ?? '');
};

test('keeps the receipts of the versions that are proven by then, unless nothing is to be written', async () => {
  expect((await interrupt(['prove', '--no-write'])).code).not.toBe(0);
  expect(await receipts()).toEqual([]);

  const { told, code } = await interrupt(['prove']);
  expect(told).toContain('2 receipts written');
  expect(code).not.toBe(0);
  expect(await receipts()).toEqual(['1', '2']);
  expect((await project.run(['prove', '--check', '1', '2'])).code).toBe(0);
});
