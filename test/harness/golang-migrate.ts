import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, inject } from 'vitest';
import { exists, publishFolder } from '../../adapters/databases/scratch-server/folders.js';
import { finished, type CommandResult } from './project.js';

/** Where the real golang-migrate is ready to run, or why it is not. Plain data: it travels to the test processes. */
export type GolangMigrateInstallation = { readonly program: string } | { readonly missing: string };

const version = 'v4.18.3';
const cacheFolder = fileURLToPath(new URL('../../node_modules/.cache/flyback/', import.meta.url));

/** Builds the command line of golang-migrate with its PostgreSQL and MySQL drivers, once. Never throws. */
export async function installGolangMigrate(): Promise<GolangMigrateInstallation> {
  const folder = path.join(cacheFolder, `golang-migrate-${version}`);
  const program = path.join(folder, process.platform === 'win32' ? 'migrate.exe' : 'migrate');
  if (await exists(folder)) return { program };
  const staging = path.join(cacheFolder, `staging-${randomUUID()}`);
  try {
    await fs.mkdir(staging, { recursive: true });
    const from = `github.com/golang-migrate/migrate/v4/cmd/migrate@${version}`;
    await promisify(execFile)('go', ['install', '-tags', 'postgres mysql', from], {
      env: { ...process.env, GOBIN: staging, GOFLAGS: '-mod=mod' },
    });
    await publishFolder(staging, folder);
    return { program };
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return { missing: isAbsent ? 'go is not installed' : `go install failed: ${String(error)}` };
  } finally {
    await fs.rm(staging, { recursive: true, force: true });
  }
}

/** A suite that needs the real golang-migrate. Where it cannot be had the suite is skipped by name (in CI the run fails before). */
export function describeWithGolangMigrate(title: string, define: () => void): void {
  const installation = inject('golangMigrate');
  const reason = 'missing' in installation ? ` [not run, no golang-migrate: ${installation.missing}]` : '';
  describe.skipIf('missing' in installation)(`${title}${reason}`, define);
}

/** The real golang-migrate on one folder and one database. */
export interface GolangMigrate {
  /** Runs a command to its end: up, down 1, version, force 3 … */
  run(...command: readonly string[]): Promise<CommandResult>;
  start(...command: readonly string[]): ChildProcess;
}

export function golangMigrate(folder: string, databaseUrl: string): GolangMigrate {
  const start = (...command: readonly string[]): ChildProcess => {
    const installation = inject('golangMigrate');
    if ('missing' in installation) throw new Error(`No golang-migrate: ${installation.missing}`);
    return spawn(installation.program, ['-path', folder, '-database', databaseUrl, ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  };
  return { start, run: (...command) => finished(start(...command)) };
}
