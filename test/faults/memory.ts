import { rmSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { isAlive } from '../harness/processes.js';

/*
 * Global setup of the faults. Their servers create and delete files by the hundred thousand, which a file system on a
 * disk makes dearer the more of it there is; so they lie in memory where there is enough.
 */

const memory = '/dev/shm';
const prefix = 'flyback-faults-';
const neededBytes = 3 * 2 ** 30;

let folder: string | undefined;
let folderBefore: string | undefined;

/** From here on all temporary folders of this run are in memory. */
export async function setup(): Promise<void> {
  const free = await fs.statfs(memory).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => 0,
  );
  if (free < neededBytes) return;
  folderBefore = process.env['TMPDIR'];
  // Another project of the same run has done it.
  if (folderBefore?.startsWith(path.join(memory, prefix)) === true) return;
  await removeAbandoned();
  folder = path.join(memory, `${prefix}${String(process.pid)}`);
  await fs.mkdir(folder, { mode: 0o711 });
  if (!(await mayExecuteIn(folder))) return teardown();
  process.env['TMPDIR'] = folder;
  // A run that is ended from outside gets no teardown.
  process.once('exit', remove);
}

export async function teardown(): Promise<void> {
  if (folder === undefined) return;
  if (folderBefore === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = folderBefore;
  process.off('exit', remove);
  await fs.rm(folder, { recursive: true, force: true });
}

function remove(): void {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** What runs that were killed have left. */
async function removeAbandoned(): Promise<void> {
  for (const name of await fs.readdir(memory)) {
    if (!name.startsWith(prefix) || isAlive(Number(name.slice(prefix.length)))) continue;
    await fs.rm(path.join(memory, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Containers often forbid it. The servers' programs lie beside their data. */
async function mayExecuteIn(place: string): Promise<boolean> {
  const probe = path.join(place, 'probe');
  await fs.writeFile(probe, '', { mode: 0o755 });
  return fs.access(probe, fs.constants.X_OK).then(
    () => true,
    () => false,
  );
}
