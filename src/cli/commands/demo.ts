import { runDemo } from '../../demo/run-demo.js';
import { exitCodes } from '../../errors/error.js';
import { out } from '../command.js';
import { runProgram } from '../program.js';

/** flyback demo: the commands of the story are run in this process, as if typed. */
export async function runDemoCommand(flags: { readonly keep?: string }): Promise<number> {
  await runDemo({ keep: flags.keep, runCommand: (commandLine) => runProgram(commandLine), say: out });
  return exitCodes.done;
}
