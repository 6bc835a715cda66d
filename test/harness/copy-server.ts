import { execFile } from 'node:child_process';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { CrashableServer } from './crashable-server.js';
import { runOn } from './postgres.js';

/**
 * Gives `to` the data of `from` as it is at this moment, and starts both again on their own ports.
 * - copy: as a machine restored from a snapshot of its disk: the same cluster on the same timeline
 * - promoted: as a standby that had received this much and was then promoted
 */
export async function takeOverData(
  from: CrashableServer,
  to: CrashableServer,
  kind: 'copy' | 'promoted',
): Promise<void> {
  const [source, target] = [await dataFolderOf(from), await dataFolderOf(to)];
  await from.crash();
  await to.crash();
  // How a server is started on its own port lies among its data.
  const options = await fs.readFile(path.join(target, 'postmaster.opts'));
  const { uid, gid } = await fs.stat(target);
  await fs.rm(target, { recursive: true });
  await promisify(execFile)('cp', ['-Rp', source, target]);
  await fs.writeFile(path.join(target, 'postmaster.opts'), options);
  if (kind === 'promoted') {
    const signal = path.join(target, 'standby.signal');
    await fs.writeFile(signal, '');
    await fs.chown(signal, uid, gid);
  }
  await Promise.all([from.restart(), to.restart()]);
  if (kind === 'promoted') await runOn(to.url, 'SELECT pg_promote()');
}

async function dataFolderOf(server: CrashableServer): Promise<string> {
  const [row] = await runOn(server.url, 'SHOW data_directory');
  return String(row?.['data_directory']);
}
