import { runDemo } from '../../demo/run-demo.js';
import { exitCodes } from '../../errors/error.js';
import { out, type CommandContext } from '../command.js';
import { runProgram } from '../program.js';

/** flyback demo: the commands of the story are run in this process, as if typed. --tool says of which tool. */
export async function runDemoCommand({ open }: CommandContext, flags: { readonly keep?: string }): Promise<number> {
  await runDemo({
    keep: flags.keep,
    tool: open.flags?.tool ?? 'flyway',
    runCommand: (commandLine) => runProgram(commandLine),
    say: out,
  });
  return exitCodes.done;
}
