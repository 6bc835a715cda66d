import { readFile } from 'node:fs/promises';
import { connect, withProject } from '../../compose/open-project.js';
import { exitCodes, FlybackError } from '../../errors/error.js';
import { parsePlan, requireCurrent } from '../../plan/plan-file.js';
import { planEndings, requirePermitted } from '../../locks/ending.js';
import { planRollback, type PlannedRollback, type PlanOptions } from '../../plan/plan-rollback.js';
import type { ConnectedProject } from '../../project/project.js';
import { rollback } from '../../run/rollback.js';
import { out, outJson, progress, type CommandContext } from '../command.js';
import { mustAsk } from '../must-ask.js';
import { endingsText } from '../output/endings-text.js';
import { errorJson, errorText, warningsText } from '../output/error-text.js';
import { count } from '../output/numbers.js';
import { tellOfFunctions } from './plan.js';
import { planText } from '../output/plan-text.js';
import { progressWriter, runText } from '../output/run-text.js';
import type { RollbackFlags } from '../program.js';
import { readTarget } from '../target.js';

/** flyback rollback: plans, asks, runs, reports. */
export async function runRollback(context: CommandContext, flags: RollbackFlags): Promise<number> {
  const isDry = flags.dryRun === true;
  const isAsking = mustAsk(
    isDry || flags.yes === true,
    'A rollback destroys',
    'Look at flyback plan first, then give --yes.',
  );
  const stored = flags.plan === undefined ? undefined : parsePlan(await readPlanFile(flags.plan), flags.plan);
  return withProject(context.open, async (project, config) => {
    const warnings = warningsText(config.findings, process.stderr);
    if (warnings !== '') progress(warnings);
    const options: PlanOptions = {
      target: stored?.target ?? readTarget(flags),
      transaction: stored?.transaction ?? (flags.singleTransaction === true ? 'single' : 'per-version'),
      // A mode that nobody asked for is chosen anew: the plan's hash covers the reason too.
      triggers: stored?.triggers.reason === 'as asked' ? stored.triggers.mode : undefined,
      mode: isDry ? 'dry-run' : 'for-real',
      estimates: isAsking ? 'ask' : 'leave-out',
      signal: context.signal,
      onReadingFunctions: tellOfFunctions,
    };
    const built = await planRollback(project, options);
    if (stored !== undefined) requireCurrent(stored, built.plan);
    if (isAsking) {
      progress(planText(built.plan, process.stderr));
      const ended = showEndings(project, built, flags);
      const { confirmDatabase } = await import('../confirm.js');
      await confirmDatabase(
        `Take back ${count(built.plan.steps.length, 'version')}${ended === 0 ? '' : ` and end ${count(ended, 'session')} of others`}?`,
        project.session.facts.databaseName,
        context.signal,
      );
    } else {
      const lines = built.plan.hazards.map(
        (hazard) => `${hazard.severity} ${hazard.code}: ${hazard.subject}: ${hazard.message}`,
      );
      if (lines.length > 0) progress(lines.join('\n'));
      showEndings(project, built, flags);
    }
    const result = await rollback(project, built, {
      mode: isDry ? 'dry-run' : 'for-real',
      reason: flags.reason,
      signal: context.signal,
      onEvent: progressWriter(process.stderr),
      reconnect: () => connect(config),
      cancelBlockers: flags.cancelBlockers,
    });
    if (context.json) {
      const { failure, ...rest } = result;
      outJson({ ...rest, planHash: built.plan.hash, ...(failure === undefined ? {} : errorJson(failure)) });
    } else {
      out(runText(result, process.stdout));
    }
    if (result.failure === undefined) return exitCodes.done;
    progress(errorText(result.failure, process.stderr));
    return result.failure.exitCode;
  });
}

/** Shows whom --cancel-blockers would end now, and tells how many. Throws FlybackError privilege-missing. */
function showEndings(project: ConnectedProject, built: PlannedRollback, flags: RollbackFlags): number {
  if (flags.cancelBlockers !== true) return 0;
  const endings = planEndings(built.locks.blockers, built.locks.snapshots);
  requirePermitted(endings);
  const { locks } = project.toolbox.database;
  const text = endingsText(endings, ({ holder }) => locks.endingStatement(holder), process.stderr);
  if (text !== '') progress(text);
  return endings.filter(({ ending }) => ending.kind === 'end').length;
}

async function readPlanFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new FlybackError(
      'file-unreadable',
      `Cannot read the plan ${file}: ${(cause as NodeJS.ErrnoException).code ?? 'unreadable'}.`,
      {
        hint: 'Make one with: flyback plan --json > plan.json',
        cause,
      },
    );
  }
}
