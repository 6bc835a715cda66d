import type { OpenOptions } from '../compose/open-project.js';
import { options } from '../config/options.js';

/** What a command gets from the command line. */
export interface CommandContext {
  readonly open: OpenOptions;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** Where a command writes: data to stdout, progress to stderr. */
export const out = (text: string): void => void process.stdout.write(`${text}\n`);
export const progress = (text: string): void => void process.stderr.write(`${text}\n`);
export const outJson = (value: unknown): void => out(JSON.stringify(value, null, 2));

/** Commander's camel-case options → the flags that loadConfig knows. */
export function openOptions(all: Readonly<Record<string, unknown>>): OpenOptions {
  const flags: Record<string, string> = {};
  for (const name of Object.keys(options)) {
    const value = all[name];
    if (typeof value === 'string') flags[name] = value;
  }
  return { folder: typeof all['project'] === 'string' ? all['project'] : undefined, flags: flags };
}
