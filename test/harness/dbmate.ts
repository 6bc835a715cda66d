import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, inject } from 'vitest';
import { exists, publishFolder } from '../../adapters/databases/scratch-server/folders.js';

/** Where the real dbmate is ready to run, or why it is not. Plain data: it travels to the test processes. */
export type DbmateInstallation = { readonly program: string } | { readonly missing: string };

const sourceFolder = fileURLToPath(new URL('dbmate/', import.meta.url));
const cacheFolder = fileURLToPath(new URL('../../node_modules/.cache/flyback/', import.meta.url));

/** Builds dbmate's library with its PostgreSQL and MySQL drivers and a small command around it, once for each state of the sources. Never throws. */
export async function installDbmate(): Promise<DbmateInstallation> {
  const hash = createHash('sha256');
  for (const name of ['main.go', 'go.mod', 'go.sum']) hash.update(await fs.readFile(path.join(sourceFolder, name)));
  const folder = path.join(cacheFolder, `dbmate-${hash.digest('hex').slice(0, 12)}`);
  const name = process.platform === 'win32' ? 'dbmate.exe' : 'dbmate';
  const program = path.join(folder, name);
  if (await exists(folder)) return { program };
  const staging = path.join(cacheFolder, `staging-${randomUUID()}`);
  try {
    await fs.mkdir(staging, { recursive: true });
    await promisify(execFile)('go', ['build', '-o', path.join(staging, name), '.'], {
      cwd: sourceFolder,
      env: { ...process.env, CGO_ENABLED: '0' },
    });
    await publishFolder(staging, folder);
    return { program };
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return { missing: isAbsent ? 'go is not installed' : `go build failed: ${String(error)}` };
  } finally {
    await fs.rm(staging, { recursive: true, force: true });
  }
}

/** A suite that needs the real dbmate. Where it cannot be had the suite is skipped by name (in CI the run fails before). */
export function describeWithDbmate(title: string, define: () => void): void {
  const installation = inject('dbmate');
  const reason = 'missing' in installation ? ` [not run, no dbmate: ${installation.missing}]` : '';
  describe.skipIf('missing' in installation)(`${title}${reason}`, define);
}

/** Starts migrate or rollback; `strict` as --strict. */
export function startDbmate(
  command: 'migrate' | 'rollback',
  folder: string,
  databaseUrl: string,
  strict = false,
): ChildProcess {
  const installation = inject('dbmate');
  if ('missing' in installation) throw new Error(`No dbmate: ${installation.missing}`);
  return spawn(installation.program, [command, folder, ...(strict ? ['strict'] : [])], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], DATABASE_URL: databaseUrl },
  });
}
