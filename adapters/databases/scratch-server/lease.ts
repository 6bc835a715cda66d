import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { readFileSync, readlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { randomUUID } from 'node:crypto';

/*
 * Every server lives in a run folder that names the process that started it. Three things end a server: stop(); a guard
 * process that notices the end of its parent however it came (its standard input closes); and, should the guard be
 * killed too, the next start, which sweeps run folders whose parent is gone.
 */

const runFolderPattern = /^run-(\d+)-/;

/** Creates the folder of one server, named after this process. */
export async function createRunFolder(cacheFolder: string): Promise<string> {
  const folder = path.join(cacheFolder, `run-${String(process.pid)}-${randomUUID().slice(0, 8)}`);
  await fs.mkdir(folder, { mode: 0o700 });
  await fs.writeFile(path.join(folder, 'parent'), `${processStart(process.pid) ?? ''}\n${processNamespace()}`);
  return folder;
}

/** Ends the servers, and removes the folders, of processes that are no more. Never throws. */
export async function sweepRunFolders(cacheFolder: string): Promise<void> {
  const names = await fs.readdir(cacheFolder).catch(() => []);
  for (const name of names) {
    const parent = runFolderPattern.exec(name)?.[1] ?? /^staging-(\d+)-/.exec(name)?.[1];
    if (parent === undefined) continue;
    const folder = path.join(cacheFolder, name);
    if (await isParentAlive(folder, Number(parent))) continue;
    await endServer(folder);
    await removeFolder(folder);
  }
}

/**
 * A kind of server by what tells its process. The file lies in the run folder and begins with the process id; for servers
 * that write it late, whoever starts them does. `end`: the signal that ends it at once, and its child processes with it.
 */
export interface ServerKind {
  readonly pidFile: string;
  readonly end: 'SIGQUIT' | 'SIGKILL';
}

/** SIGQUIT is its "immediate shutdown". */
export const postgresKind: ServerKind = { pidFile: 'data/postmaster.pid', end: 'SIGQUIT' };
/** It has no children. */
export const mysqlKind: ServerKind = { pidFile: 'server.pid', end: 'SIGKILL' };

/** Stops the server of a run folder at once (no checkpoint: its data is thrown away) and waits for its end. */
export async function endServer(runFolder: string): Promise<void> {
  for (const kind of [postgresKind, mysqlKind]) await endServerOf(kind, runFolder);
}

async function endServerOf(kind: ServerKind, runFolder: string): Promise<void> {
  const pid = await serverProcess(kind, runFolder);
  if (pid === undefined) return;
  signal(pid, process.platform === 'win32' ? 'SIGKILL' : kind.end);
  for (let waitedMs = 0; isAlive(pid); waitedMs += 5) {
    if (waitedMs === 5000) signal(pid, 'SIGKILL');
    if (waitedMs > 10_000) return;
    await delay(5);
  }
}

/** Removes a folder that a dying server may still be writing to. Never throws. */
export async function removeFolder(folder: string): Promise<void> {
  await fs.rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 }).catch(() => undefined);
}

/**
 * Starts a small shell that outlives this process by a moment: when its standard input closes, because we ended in any
 * way at all, it stops the server and removes the folder. Returns how to dismiss it. Windows has no such shell.
 */
export function startGuard(runFolder: string, serverPid: number, kind: ServerKind = postgresKind): () => void {
  if (process.platform === 'win32') return () => undefined;
  const words = [String(serverPid), runFolder, kind.pidFile, kind.end.slice(3)];
  const guard = spawn('/bin/sh', ['-c', guardScript, 'flyback-guard', ...words], {
    cwd: '/',
    // A group of its own: Ctrl-C in a terminal must reach neither it nor the server.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a shell there is no guard; the sweep of the next start remains.
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined);
  guard.unref();
  // Typed as a plain stream, but a pipe of a child process is a socket.
  if (guard.stdin instanceof Socket) guard.stdin.unref();
  return () => {
    guard.kill('SIGKILL');
  };
}

// The pid file says whether the number is still our server's: one whose server is long gone may belong to somebody else.
// PostgreSQL's also tells the end better than kill -0, which takes an orphan that nobody collects for alive.
const guardScript = `
read -r _
lock="$2/$3"
i=0
while [ ! -s "$lock" ] && [ $i -lt 20 ] && kill -0 "$1"; do sleep 0.05 || sleep 1; i=$((i + 1)); done
owns() { { tr '\\0' ' ' < "/proc/$1/cmdline" || ps -ww -o command= -p "$1"; } 2>/dev/null | grep -F -q -- "$2"; }
if [ -s "$lock" ] && read -r pid < "$lock" && [ "$pid" = "$1" ]; then
  if [ "$4" = KILL ]; then
    owns "$1" "$2" && kill -KILL "$1"
  else
    kill -"$4" "$1"
    i=0
    while [ -e "$lock" ] && [ $i -lt 100 ]; do sleep 0.05 || sleep 1; i=$((i + 1)); done
    [ -e "$lock" ] && kill -KILL "$1"
  fi
fi
rm -rf -- "$2" || { sleep 1; rm -rf -- "$2"; }
`;

/** Tells this process from every other one on this machine, in one line. */
export function ownProcess(): string {
  return [process.pid, processStart(process.pid) ?? '', processNamespace()].join(' | ');
}

/** Whether the process that gave this line as its own still runs, as far as can be told from here. */
export function isRunning(line: string): boolean {
  const [pid = '', startedAt = '', namespace = ''] = line.split(' | ');
  return Number(pid) > 0 && isSameProcess(Number(pid), startedAt, namespace);
}

async function isParentAlive(runFolder: string, pid: number): Promise<boolean> {
  const recorded = await fs.readFile(path.join(runFolder, 'parent'), 'utf8').catch(() => '');
  const [startedAt = '', namespace = ''] = recorded.split('\n');
  return isSameProcess(pid, startedAt, namespace);
}

function isSameProcess(pid: number, startedAt: string, namespace: string): boolean {
  // A container that shares our temporary files numbers its processes by itself: not ours to judge.
  if (namespace !== '' && namespace !== processNamespace()) return true;
  if (!isAlive(pid)) return false;
  // The number may have been given to another process since; then the start time differs.
  return startedAt === '' || startedAt === (processStart(pid) ?? startedAt);
}

/** Process id of the server that runs on this folder's data, having made sure that it is that server. */
async function serverProcess(kind: ServerKind, runFolder: string): Promise<number | undefined> {
  const dataFolder = path.join(runFolder, 'data');
  const text = await fs.readFile(path.join(runFolder, kind.pidFile), 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  if (!(pid > 0) || !isAlive(pid)) return undefined;
  return commandLine(pid)?.includes(dataFolder) === false ? undefined : pid;
}

/** What the process was called with; undefined where the system does not tell. */
function commandLine(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8');
    if (process.platform === 'win32') return undefined;
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return undefined;
  }
}

/** A text that differs between two processes with the same number; undefined where the system does not tell. */
function processStart(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') {
      const status = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
      // Field 22; counted after the command name, which may itself hold blanks and brackets (proc(5)).
      return status.slice(status.lastIndexOf(')') + 2).split(' ')[19];
    }
    if (process.platform === 'win32') return undefined;
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

/** Which numbering of processes we live in; empty where there is only one. */
function processNamespace(): string {
  try {
    return process.platform === 'linux' ? readlinkSync('/proc/self/ns/pid') : '';
  } catch {
    return '';
  }
}

/** Whether a process with this id exists; a zombie, which only waits to be collected, does not count. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  if (process.platform !== 'linux') return true;
  try {
    const status = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    return status.slice(status.lastIndexOf(')') + 2, status.lastIndexOf(')') + 3) !== 'Z';
  } catch {
    return false;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself between the check and now.
  }
}
