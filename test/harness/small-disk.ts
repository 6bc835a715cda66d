import { execFile, spawnSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

/** A file system of its own, small enough to fill. */
export interface SmallDisk {
  readonly folder: string;
  /** Takes what room there is left, but for so many bytes. */
  fill(butBytes?: number): Promise<void>;
  /** Gives it more room. */
  grow(megabytes: number): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Mounts a tmpfs that belongs to this account. Only root may mount (Linux); as another user sudo is asked, which must not
 * want a password.
 */
export async function mountSmallDisk(
  megabytes: number,
  owner: { readonly uid: number; readonly gid: number },
): Promise<SmallDisk> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-disk-'));
  const filler = path.join(folder, 'filler');
  const options = (size: number): string =>
    `size=${String(size)}m,mode=0700,uid=${String(owner.uid)},gid=${String(owner.gid)}`;
  try {
    await asRoot('mount', '-t', 'tmpfs', '-o', options(megabytes), 'flyback-test', folder);
  } catch (cause) {
    await fs.rm(folder, { recursive: true });
    throw new Error(
      'A small disk cannot be mounted: run the tests as root, or allow sudo without a password, on Linux.',
      { cause },
    );
  }
  return {
    folder,
    fill: async (butBytes = 0) => {
      const { bavail, bsize } = await fs.statfs(folder);
      const bytes = bavail * bsize - butBytes;
      if (bytes <= 0) return;
      await asRoot('dd', 'if=/dev/zero', `of=${filler}`, 'bs=4096', `count=${String(Math.floor(bytes / 4096))}`);
    },
    grow: async (size) => {
      await asRoot('mount', '-o', `remount,${options(size)}`, folder);
    },
    remove: async () => {
      // Whoever is still writing to it is a server that is about to end.
      await asRoot('umount', '-l', folder);
      await fs.rm(folder, { recursive: true });
    },
  };
}

/**
 * Why no small disk can be had here; undefined where one can. In CI all must be had, so there it fails for itself.
 */
export function whyNoSmallDisk(): string | undefined {
  if (process.env['CI'] !== undefined || process.getuid?.() === 0) return undefined;
  const { status } = spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' });
  return status === 0 ? undefined : 'a small disk takes root, or sudo without a password';
}

/** Runs a program with the rights of root. */
export async function asRoot(program: string, ...programArguments: readonly string[]): Promise<void> {
  const isRoot = process.getuid?.() === 0;
  const [command, list] = isRoot ? [program, programArguments] : ['sudo', ['-n', program, ...programArguments]];
  await promisify(execFile)(command, list);
}
