import { withProject } from '../../compose/open-project.js';
import { exitCodes } from '../../errors/error.js';
import { planRollback } from '../../plan/plan-rollback.js';
import { out, outJson, progress, type CommandContext } from '../command.js';
import { warningsText } from '../output/error-text.js';
import { count } from '../output/numbers.js';
import { planText } from '../output/plan-text.js';
import type { TargetFlags } from '../program.js';
import { readTarget } from '../target.js';

/** They take locks like the rollback itself, if only for as long as they need. */
export function tellOfFunctions(versions: readonly string[]): void {
  const shown = versions.slice(0, 6).join(', ');
  progress(
    `calling ${count(versions.length, 'down function')} in a transaction that is rolled back, to see the SQL: ${shown}${versions.length > 6 ? ' …' : ''}`,
  );
}

/** flyback plan: shows, or with --json stores, what a rollback would do. */
export async function runPlanCommand(context: CommandContext, flags: TargetFlags): Promise<number> {
  const target = readTarget(flags);
  return withProject(context.open, async (project, config) => {
    const warnings = warningsText(config.findings, process.stderr);
    if (warnings !== '') progress(warnings);
    const { plan } = await planRollback(project, {
      target,
      transaction: flags.singleTransaction === true ? 'single' : 'per-version',
      signal: context.signal,
      onReadingFunctions: tellOfFunctions,
    });
    if (context.json) outJson(plan);
    else out(planText(plan, process.stdout));
    return exitCodes.done;
  });
}
