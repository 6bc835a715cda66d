import { homedir } from 'node:os';
import { tools } from '../../../adapters/index.js';
import { initProject } from '../../config/init.js';
import { exitCodes } from '../../errors/error.js';
import { out, outJson, progress, type CommandContext } from '../command.js';
import { findingText } from '../output/error-text.js';

/** flyback init: writes flyback.toml and the rollbacks folder, never over anything. */
export async function runInit(context: CommandContext): Promise<number> {
  const result = await initProject(context.open.folder ?? process.cwd(), {
    rollbacksFolder: context.open.flags?.rollbacks,
    environment: process.env,
    homeFolder: homedir(),
    tools,
  });
  if (context.json) {
    outJson(result);
    return exitCodes.done;
  }
  for (const finding of result.findings) progress(findingText(finding, process.stderr));
  if (result.evidence !== undefined) out(`found ${result.evidence}`);
  for (const file of result.written) out(`wrote ${file}`);
  out('next: flyback status, then flyback stub --missing');
  return exitCodes.done;
}
