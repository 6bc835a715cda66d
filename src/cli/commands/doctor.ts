import { diagnoseProject } from '../../compose/diagnose-project.js';
import { exitCodes } from '../../errors/error.js';
import { out, outJson, type CommandContext } from '../command.js';
import { diagnosisText } from '../output/doctor-text.js';

/** flyback doctor: everything that a rollback needs; exit code 1 when there is a problem. */
export async function runDoctor(context: CommandContext): Promise<number> {
  const diagnosis = await diagnoseProject({ ...context.open, signal: context.signal });
  if (context.json) outJson(diagnosis);
  else out(diagnosisText(diagnosis, process.stdout));
  return diagnosis.counts.problem > 0 ? exitCodes.findings : exitCodes.done;
}
