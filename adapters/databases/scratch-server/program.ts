import { spawn } from 'node:child_process';
import type { ServerAccount } from './account.js';

export interface ProgramOptions {
  /** Where it runs. */
  readonly folder: string;
  readonly account: ServerAccount | undefined;
  readonly environment: NodeJS.ProcessEnv;
}

/** Runs a program until it ends; resolves with why it did not work, as the end of a sentence. Never throws. */
export async function runProgram(
  program: string,
  programArguments: readonly string[],
  { folder, account, environment }: ProgramOptions,
): Promise<string | undefined> {
  const child = spawn(program, programArguments, {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...account,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve) => {
    child.once('error', (error) => {
      resolve(error.message);
    });
    child.once('close', (code, signal) => {
      resolve(code === 0 ? undefined : `it ended with ${String(code ?? signal)}: ${lastLines(output)}`);
    });
  });
}

export function lastLines(text: string): string {
  return text.trim().split('\n').slice(-5).join('\n');
}
