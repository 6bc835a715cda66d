import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { CommandResult } from '../harness/project.js';

/** A command that runs in a process of its own, which had started before. */
export interface WarmRun {
  /** Ends like a command whose process is killed when that happens. */
  readonly ended: Promise<CommandResult>;
  /** False when there is nothing left to kill. */
  kill(): boolean;
}

interface Message {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly code?: number;
}

/**
 * Processes that run flyback's command one after the other, each for one run at a time: starting Node costs several times
 * what the command does. For runs that are not about the process.
 */
export class WarmProcesses {
  readonly #command: string;
  readonly #free: ChildProcess[] = [];
  readonly #all = new Set<ChildProcess>();

  /** `command`: path of cli.js of some build. */
  constructor(command: string) {
    this.#command = command;
  }

  start(folder: string, commandLine: readonly string[], onStderr: (text: string) => void = () => undefined): WarmRun {
    const child = this.#free.pop() ?? this.#startProcess();
    let [stdout, stderr] = ['', ''];
    const ended = new Promise<CommandResult>((resolve, reject) => {
      const onMessage = (message: Message): void => {
        stdout += message.stdout ?? '';
        if (message.stderr !== undefined) {
          stderr += message.stderr;
          onStderr(message.stderr);
        }
        if (message.code === undefined) return;
        child.off('message', onMessage).off('close', onClose).off('error', reject);
        this.#free.push(child);
        resolve({ code: message.code, stdout, stderr });
      };
      const onClose = (code: number | null, signal: string | null): void => {
        this.#all.delete(child);
        resolve({ code: code ?? signal ?? 'unknown', stdout, stderr });
      };
      child.on('message', onMessage).on('close', onClose).on('error', reject);
      child.send({ folder, commandLine });
    });
    return { ended, kill: () => child.kill('SIGKILL') };
  }

  close(): void {
    for (const child of this.#all) child.kill('SIGKILL');
  }

  #startProcess(): ChildProcess {
    const child = fork(fileURLToPath(new URL('warm-process.mjs', import.meta.url)), [this.#command], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { PATH: process.env['PATH'], TZ: process.env['TZ'] },
      execArgv: [],
    });
    this.#all.add(child);
    return child;
  }
}
