import { withProject } from '../../compose/open-project.js';
import { exitCodes } from '../../errors/error.js';
import { planRollback } from '../../plan/plan-rollback.js';
import { out, outJson, progress, type CommandContext } from '../command.js';
import { warningsText } from '../output/error-text.js';
import { planText } from '../output/plan-text.js';
import type { TargetFlags } from '../program.js';
import { readTarget } from '../target.js';

/** flyback plan: shows, or with --json stores, what a rollback would do. */
export async function runPlanCommand(context: CommandContext, flags: TargetFlags): Promise<number> {
  const target = readTarget(flags);
  return withProject(context.open, async (project, config) => {
    const warnings = warningsText(config.findings, process.stderr);
    if (warnings !== '') progress(warnings);
    const { plan } = await planRollback(project, {
      target,
      transaction: flags.singleTransaction === true ? 'single' : 'per-version',
    });
    if (context.json) outJson(plan);
    else out(planText(plan, process.stdout));
    return exitCodes.done;
  });
}
