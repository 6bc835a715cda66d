import { createRedactor } from '../config/create-redactor.js';
import type { Finding } from '../errors/finding.js';
import { resumeNeeded } from '../journal/resume-needed.js';
import { openRuns } from '../journal/journal-state.js';
import type { ConnectedProject } from '../project/project.js';
import { planDrift } from '../receipt/inspect-drift.js';
import { proofFindings, proofSummary, requireProofs } from '../receipt/proof-book.js';
import { surveyLocks, surveyRequest, type SurveyResult } from '../locks/survey-locks.js';
import type { TriggersMode } from '../scripts/rollback-script.js';
import { readFunctions } from '../functions/read-functions.js';
import { selectVersions } from './select-versions.js';
import { buildPlan, type BuiltPlan } from './build-plan.js';
import type { Plan, PlanStep, Target, TransactionMode } from './plan.js';

export interface PlanOptions {
  readonly target: Target;
  readonly transaction?: TransactionMode | undefined;
  readonly triggers?: TriggersMode | undefined;
  /** A dry run shares one transaction over all steps, so its locks must fit. */
  readonly mode?: 'for-real' | 'dry-run' | undefined;
  /** Row counts and sizes for a person who reads the plan; they cost a look at every table. */
  readonly estimates?: 'ask' | 'leave-out' | undefined;
  /** Who stands in the way at the moment; nobody does in a database of one's own. */
  readonly locks?: 'ask' | 'leave-out' | undefined;
  readonly now?: Date | undefined;
  /** Ends the down functions that the plan calls to find out what they send. */
  readonly signal?: AbortSignal | undefined;
  /** Called before it calls them, with their versions. */
  readonly onReadingFunctions?: ((versions: readonly string[]) => void) | undefined;
}

/** A plan, and who stands in its way at the moment: told in the plan's hazards too, which are no part of its hash. */
export interface PlannedRollback extends BuiltPlan {
  readonly locks: SurveyResult;
}

/**
 * Plans a rollback of a project. Reads the catalog, changes nothing; where down functions take versions back, it runs them in a
 * transaction that it rolls back, see readFunctions. Throws FlybackError plan-refused with every
 * reason at once, resume-needed, version-unknown, script-refused, privilege-missing, proof-missing.
 */
export async function planRollback(project: ConnectedProject, options: PlanOptions): Promise<PlannedRollback> {
  const { config, toolbox, session } = project;
  const [open] = openRuns(project.journal);
  if (open !== undefined) throw resumeNeeded(open);
  const triggers = options.triggers ?? config.run.triggers;
  const { rows } = selectVersions(project.history, options.target, toolbox.history);
  const pairs = await readFunctions(project, {
    rows,
    triggers,
    signal: options.signal,
    onReading: options.onReadingFunctions,
  });
  const transaction = options.transaction ?? 'per-version';
  const redact = createRedactor(config.secrets);
  const built = await buildPlan({
    target: options.target,
    transaction,
    triggers,
    toolbox,
    session,
    history: project.history,
    pairs,
    migrations: project.migrations.migrations,
    findings: project.findings,
    settings: config.tool,
    recordTable: project.recordTable,
    projectFolder: config.projectFolder,
    redact,
    now: options.now ?? new Date(),
    mode: options.mode ?? 'for-real',
    locksAddUp: transaction === 'single' || options.mode === 'dry-run' ? 'yes' : 'no',
    estimates: options.estimates ?? 'ask',
  });
  const about = proofsOf(project, built.plan.steps);
  const locks =
    options.locks === 'leave-out'
      ? { blockers: [], snapshots: [], findings: [] }
      : await surveyLocks(surveyRequest(project, built.plan, redact));
  const hazards = [...built.plan.hazards, ...about.hazards, ...locks.findings];
  return { ...built, plan: { ...built.plan, ...about.proofs, hazards }, locks };
}

/** What is known of the proofs of the versions that go. Throws FlybackError proof-missing as the policy says. */
function proofsOf(
  project: ConnectedProject,
  steps: readonly PlanStep[],
): { readonly proofs: Pick<Plan, 'proofs'>; readonly hazards: readonly Finding[] } {
  const { proofs: book, toolbox } = project;
  if (book === undefined || (!book.kept && book.requirement === 'off')) return { proofs: {}, hazards: [] };
  const versions = steps.flatMap((step) => {
    const version = toolbox.history.versions.parse(step.version);
    return version === undefined ? [] : [{ version }];
  });
  requireProofs(book, versions);
  return {
    proofs: { proofs: proofSummary(book, versions) },
    // What does not stop the plan is no error of it.
    hazards: [...proofFindings(book, versions), ...planDrift(project, book, steps).findings].map((finding) =>
      finding.severity === 'error' ? { ...finding, severity: 'warning' } : finding,
    ),
  };
}
