import path from 'node:path';
import { exitCodes } from '../errors/error.js';
import { loadCompiled } from './compiled-code.js';
import { compileParserOnce, nameNavigator } from './lean-start.js';
import type * as program from './program.js';

/**
 * Runs a command line with the program that lies, bundled, in this folder; resolves to the exit code. Throws where the
 * installation lacks a part of it.
 */
export async function startProgram(folder: string, commandLine: readonly string[]): Promise<number> {
  compileParserOnce();
  nameNavigator();
  const [command = ''] = commandLine;
  const common = loadCompiled(
    path.join(folder, 'common.cjs'),
    /^[a-z]+$/.test(command) ? command : 'other',
    process.env,
  );
  const { runProgram } = common.require('./program.cjs') as typeof program;
  const exitCode = await runProgram(commandLine);
  // What it takes to print a help text, or to refuse something, is too little to begin the next run with.
  if (exitCode === exitCodes.done && !commandLine.some((word) => word === '--help' || word === '-h')) common.keep();
  return exitCode;
}
