import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { FlybackError } from '../../../src/errors/error.js';
import type { ServerAccount } from './account.js';

/** The per-user folder for templates, copies and running servers: ours alone, because we execute what lies there. */
export async function openCacheFolder(account: ServerAccount | undefined): Promise<string> {
  const folder = path.join(os.tmpdir(), `flyback-${String(process.getuid?.() ?? os.userInfo().username)}`);
  // As root the server's account must be able to pass through, not to read.
  const mode = account === undefined ? 0o700 : 0o711;
  try {
    await fs.mkdir(folder, { mode }).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
    const status = await fs.lstat(folder);
    const isOurs = process.getuid === undefined || (status.uid === process.getuid() && (status.mode & 0o022) === 0);
    if (!status.isDirectory() || !isOurs) throw new Error('it belongs to another user or others may write to it');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FlybackError('embedded-unavailable', `Cannot use the cache folder ${folder}: ${reason}.`, {
      hint: 'Remove that folder, or point the TMPDIR variable at a folder of your own.',
      cause,
    });
  }
  return folder;
}

/** Gives a finished folder its name in one step; when another process was first, its folder stays. */
export async function publishFolder(staging: string, finished: string): Promise<void> {
  try {
    await fs.rename(staging, finished);
  } catch (error) {
    if (!(await exists(finished))) throw error;
  }
}

/** Whether something has this name; unreadable counts as absent. */
export async function exists(file: string): Promise<boolean> {
  return fs.stat(file).then(
    () => true,
    () => false,
  );
}

/** sun_path has 104 bytes on macOS, 108 on Linux; the server appends "/.s.PGSQL.65535". */
const socketFolderMaxBytes = 86;

/** The folder of a server's socket: inside the run folder, unless the path would be too long for a socket address. */
export async function createSocketFolder(runFolder: string, account: ServerAccount | undefined): Promise<string> {
  if (Buffer.byteLength(runFolder) <= socketFolderMaxBytes) return runFolder;
  const folder = await fs.mkdtemp('/tmp/flyback-socket-');
  if (account !== undefined) await fs.chown(folder, account.uid, account.gid);
  return folder;
}
