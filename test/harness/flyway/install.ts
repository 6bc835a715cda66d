import { execFile, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { exists, publishFolder } from '../../../adapters/databases/scratch-server/folders.js';

/** The newest line, and the last releases of two older ones that are still in wide use: 9.22 and 10.22. */
export const flywayMajors = [9, 10, 13] as const;
export type FlywayMajor = (typeof flywayMajors)[number];

/** Where the real Flyway is ready to run, or why it is not. Plain data: it travels to the test processes. */
export type FlywayInstallation =
  | {
      readonly classPath: string;
      /** Classes as Java keeps them in memory, which saves half of its start; of no consequence where Java cannot use it. */
      readonly classArchive: string;
    }
  | { readonly missing: string };
export type FlywayInstallations = Readonly<Record<FlywayMajor, FlywayInstallation>>;

/**
 * For the short life of a test's process: a compiler and a collector that are quick at first. Java must say nothing about
 * an archive that it cannot use, because answers are read from where it would say it.
 */
export const javaOptions = ['-Xlog:disable', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'] as const;

const sourceFolder = fileURLToPath(new URL('.', import.meta.url));
const cacheFolder = fileURLToPath(new URL('../../../node_modules/.cache/flyback/', import.meta.url));

/** Fetches each Flyway with Maven and compiles the runner against it, once for each state of the source files. Never throws. */
export async function installFlyway(): Promise<FlywayInstallations> {
  const java = await run('java', ['-version']);
  // One after the other: two Mavens at once may spoil their common repository.
  const installations: Partial<Record<FlywayMajor, FlywayInstallation>> = {};
  for (const major of flywayMajors)
    installations[major] = java === undefined ? await installMajor(major) : { missing: java };
  return installations as FlywayInstallations;
}

async function installMajor(major: FlywayMajor): Promise<FlywayInstallation> {
  const [pom, runner] = [path.join(sourceFolder, 'pom.xml'), path.join(sourceFolder, 'FlywayRunner.java')];
  const hash = createHash('sha256');
  for (const source of [pom, runner, fileURLToPath(import.meta.url)]) hash.update(await fs.readFile(source));
  const finished = path.join(cacheFolder, `flyway-${String(major)}-${hash.digest('hex').slice(0, 12)}`);
  const installation = {
    classPath: [path.join(finished, 'runner.jar'), path.join(finished, 'lib', '*')].join(path.delimiter),
    classArchive: path.join(finished, 'classes.jsa'),
  };
  if (await exists(finished)) return installation;

  const staging = path.join(cacheFolder, `staging-${randomUUID()}`);
  const library = path.join(staging, 'lib');
  const classes = path.join(staging, 'classes');
  try {
    await fs.mkdir(staging, { recursive: true });
    const profile = ['-P', `flyway-${String(major)}`];
    const copy = ['-q', '-B', '-f', pom, ...profile, 'dependency:copy-dependencies', `-DoutputDirectory=${library}`];
    const failure =
      (await run('mvn', copy)) ??
      (await run('javac', ['-cp', path.join(library, '*'), '-d', classes, runner])) ??
      // Java archives no classes that lie in folders.
      (await run('jar', ['--create', '--file', path.join(staging, 'runner.jar'), '-C', classes, '.']));
    if (failure !== undefined) return { missing: failure };
    await publishFolder(staging, finished);
    await archiveClasses(installation.classPath, installation.classArchive);
    return installation;
  } catch (error) {
    return { missing: String(error) };
  } finally {
    await fs.rm(staging, { recursive: true, force: true });
  }
}

/** Lets Flyway look for a database that is not there: by then it has loaded most of what it ever loads. */
async function archiveClasses(classPath: string, archive: string): Promise<void> {
  const staging = `${archive}-${randomUUID()}`;
  const config = { 'flyway.url': 'jdbc:postgresql://127.0.0.1:9/none', 'flyway.user': 'nobody' };
  const child = spawn(
    'java',
    [`-XX:ArchiveClassesAtExit=${staging}`, ...javaOptions, '-cp', classPath, 'FlywayRunner'],
    {
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  );
  const ended = new Promise((resolve) => child.once('error', resolve).once('close', resolve));
  child.stdin.on('error', () => undefined);
  // The end of its input ends it; what it is asked must be answered before.
  child.stdout.once('data', () => child.stdin.end());
  child.stdin.write(`${JSON.stringify({ id: 1, command: 'info', config })}\n`);
  await ended;
  await fs.rename(staging, archive).catch(() => undefined);
}

/** Undefined when the program ended well, else what went wrong. */
async function run(program: string, programArguments: readonly string[]): Promise<string | undefined> {
  try {
    await promisify(execFile)(program, [...programArguments], {
      cwd: sourceFolder,
      // Java looks the home folder up in the list of accounts; everything else here goes by HOME.
      env: { ...process.env, MAVEN_OPTS: `${process.env['MAVEN_OPTS'] ?? ''} -Duser.home=${os.homedir()}` },
      shell: process.platform === 'win32',
    });
    return undefined;
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return isAbsent ? `${program} is not installed` : `${program} failed: ${String(error)}`;
  }
}
