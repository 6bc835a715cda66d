import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadProjectConfig, readFilesOnly } from '../../../src/compose/open-project.js';
import { openScratchPlace } from '../../../src/compose/scratch-place.js';
import { proveProject } from '../../../src/proof/prove-project.js';
import { createDatabase, newestServer, type TestDatabase } from '../../harness/postgres.js';
import { createProject, finished, type TestProject } from '../../harness/project.js';

/*
 * Proofs in a container, by the docker command. No engine has to run: a stand-in for the command answers what flyback asks,
 * with an embedded server for a container; the real command is tried for its errors where it is installed, and as a whole
 * where an engine answers.
 */

const realPath = process.env['PATH'] ?? '';
let work: string;
let standIn: string;
let state: string;
let database: TestDatabase;
let project: TestProject;

beforeAll(async () => {
  work = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-docker-'));
  standIn = path.join(work, 'bin');
  await fs.mkdir(standIn);
  const program = fileURLToPath(new URL('../../../node_modules/.cache/docker-stand-in.mjs', import.meta.url));
  await build({
    entryPoints: [fileURLToPath(new URL('../../harness/docker-stand-in.ts', import.meta.url))],
    outfile: program,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    define: { 'import.meta.url': JSON.stringify(new URL('../../harness/docker-stand-in.ts', import.meta.url).href) },
  });
  await fs.writeFile(path.join(standIn, 'docker'), `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`);
  await fs.chmod(path.join(standIn, 'docker'), 0o755);
  database = await createDatabase(newestServer().url);
  project = await createProject({
    database,
    versions: [
      { version: '1', up: 'CREATE TABLE t (id int)', down: 'DROP TABLE t;' },
      { version: '2', up: 'CREATE INDEX i ON t (id)', down: 'DO $$ BEGIN NULL; END $$;' },
    ],
  });
});

afterAll(async () => {
  await project.remove();
  await database.drop();
  await fs.rm(work, { recursive: true, force: true });
});

beforeEach(async () => {
  state = await fs.mkdtemp(path.join(work, 'state-'));
  process.env['PATH'] = `${standIn}${path.delimiter}${realPath}`;
  process.env['DOCKER_STAND_IN'] = state;
});

afterEach(() => {
  process.env['PATH'] = realPath;
});

async function open(scratch: string): ReturnType<typeof openScratchPlace> {
  const config = await loadProjectConfig({ folder: project.folder, flags: { scratch }, environment: {} });
  return openScratchPlace(config.prove.scratch, config.connection);
}

const calls = async (): Promise<string> => fs.readFile(path.join(state, 'calls.txt'), 'utf8');
const containers = async (): Promise<readonly string[]> =>
  (await fs.readdir(state)).filter((name) => name !== 'calls.txt');

async function proveIn(scratch: string): Promise<{ readonly grades: readonly string[]; readonly description: string }> {
  const place = await open(scratch);
  try {
    const proofs = await proveProject(await readFilesOnly({ folder: project.folder, environment: {} }), place);
    return { grades: proofs.map(({ grade }) => grade), description: place.description };
  } finally {
    await place.close();
  }
}

describe('with a stand-in for docker', () => {
  test('versions are proven in a container, which is gone afterwards', async () => {
    const { grades, description } = await proveIn('docker:postgres:18');
    expect(grades).toEqual(['exact', 'failed']);
    expect(description).toMatch(/^PostgreSQL 18\.\d+, Docker image postgres:18$/);
    expect(await containers()).toEqual([]);
  });

  test("the image is the official one of the target's major, unless one is named", async () => {
    const { description } = await proveIn('docker');
    expect(description).toContain(`Docker image postgres:${newestServer().major}`);
    const config = await loadProjectConfig({ folder: project.folder, flags: { scratch: 'docker' }, environment: {} });
    const nowhere = { ...config.connection, hosts: [{ host: '127.0.0.1', port: 1 }] } as typeof config.connection;
    await expect(openScratchPlace(config.prove.scratch, nowhere)).rejects.toMatchObject({
      code: 'docker-unavailable',
      hint: expect.stringContaining('docker:postgres:16') as string,
    });
  });

  test('the password is in no argument, the data in memory, the port on this machine alone', async () => {
    const place = await open('docker:postgres:18');
    try {
      const [file = ''] = (await containers()).filter((name) => name.endsWith('.json'));
      const { password } = JSON.parse(await fs.readFile(path.join(state, file), 'utf8')) as { password: string };
      expect(password.length).toBeGreaterThan(20);
      const told = await calls();
      expect(told).not.toContain(password);
      const create = told.split('\n').find((line) => line.startsWith('create ')) ?? '';
      expect(create).toMatch(/ --rm .*--publish 127\.0\.0\.1::5432 --tmpfs (\S+) --env PGDATA=\1\/data /);
    } finally {
      await place.close();
    }
  });

  test('what a killed run has left is removed by the next one, what another still uses is not', async () => {
    const ended = spawnSync(process.execPath, ['-e', '']).pid;
    const leave = async (name: string, label: string): Promise<void> =>
      fs.writeFile(path.join(state, `${name}.json`), JSON.stringify({ label, image: 'postgres:18', password: 'x' }));
    await leave('killed', `${os.hostname()} | ${ended} | 1 | `);
    await leave('alive', `${os.hostname()} | ${process.pid} |  | `);
    await leave('elsewhere', `another-machine | ${ended} | 1 | `);
    await (await open('docker:postgres:18')).close();
    expect([...(await containers())].sort()).toEqual(['alive.json', 'elsewhere.json']);
  });

  test('Ctrl-C takes the container along', async () => {
    const slow = await createProject({
      database,
      versions: [{ version: '1', up: 'SELECT pg_sleep(3600)', down: 'DO $$ BEGIN NULL; END $$;' }],
    });
    try {
      const environment = { PATH: process.env['PATH'] ?? '', DOCKER_STAND_IN: state };
      const child = slow.start(['prove', '--scratch', 'docker:postgres:18'], environment);
      let told = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        const isFirst = !told.includes('proving on');
        told += text;
        if (isFirst && told.includes('proving on')) child.kill('SIGINT');
      });
      const { code } = await finished(child);
      expect(told).toContain('Docker image postgres:18');
      expect(code).not.toBe(0);
      expect(await containers()).toEqual([]);
    } finally {
      await slow.remove();
    }
  });
});

describe('refused, and nothing is left', () => {
  test('an image that cannot be had', async () => {
    await expect(open('docker:gone:1')).rejects.toMatchObject({
      code: 'docker-unavailable',
      message: expect.stringMatching(/image gone:1: .*pull access denied/) as string,
      hint: expect.stringContaining('docker pull gone:1') as string,
    });
    expect(await containers()).toEqual([]);
  });

  test('a container that ends by itself: its last lines are told, without the password', async () => {
    const error = await open('docker:dies:1').then(
      () => undefined,
      (cause: unknown) => cause as Error,
    );
    expect(error).toMatchObject({ code: 'docker-unavailable' });
    expect(error?.message).toMatch(/has ended by itself: first line\ninitdb: error: refused with the password \*+/);
    expect(await containers()).toEqual([]);
  });

  test('no docker command', async () => {
    process.env['PATH'] = path.join(work, 'nothing');
    await expect(open('docker:postgres:18')).rejects.toMatchObject({
      code: 'docker-unavailable',
      message: 'There is no docker command on the PATH.',
    });
  });

  test('a name that is none', async () => {
    await expect(open('docker:--privileged')).rejects.toMatchObject({ code: 'config-invalid' });
  });
});

const real = spawnSync('docker', ['info'], { encoding: 'utf8', env: { ...process.env, PATH: realPath } });
const note = (what: string): void => {
  console.info(`[not run: ${what}]`);
};

if (real.error === undefined) {
  test('the real command, where no engine answers', async () => {
    process.env['PATH'] = realPath;
    process.env['DOCKER_HOST'] = `unix://${work}/nothing.sock`;
    try {
      await expect(open('docker:postgres:18')).rejects.toMatchObject({
        code: 'docker-unavailable',
        message: expect.stringMatching(/^No Docker engine answers: .*nothing\.sock/) as string,
      });
    } finally {
      delete process.env['DOCKER_HOST'];
    }
  });
} else note('the docker command is not installed: what it says when no engine answers');

if (real.status === 0 && process.env['FLYBACK_TEST_DOCKER'] !== 'off') {
  test('a real container', { timeout: 300_000 }, async () => {
    process.env['PATH'] = realPath;
    const list = (): string =>
      execFileSync('docker', ['ps', '--all', '--quiet', '--filter', 'label=dev.flyback.scratch'], { encoding: 'utf8' });
    const before = list();
    expect((await proveIn('docker:postgres:17')).grades).toEqual(['exact', 'failed']);
    expect(list()).toBe(before);
  });
} else note('no Docker engine answers: a real container');
