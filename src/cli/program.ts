import { FlybackError } from '../errors/error.js';

/** Runs one command line; resolves to the exit code. Never throws. */
export async function runProgram(commandLine: readonly string[]): Promise<number> {
  const error = new FlybackError('usage-invalid', `No command ${JSON.stringify(commandLine[0] ?? '')} yet.`);
  process.stderr.write(`${error.message}\n`);
  return Promise.resolve(error.exitCode);
}
