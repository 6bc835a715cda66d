/*
 * The library: the functions behind the commands. Every value is plain and readonly; every error is a FlybackError.
 *
 *   import { withProject, planRollback, rollback } from 'flyback';
 *   await withProject({ folder: '.' }, async (project) => {
 *     const built = await planRollback(project, { target: { kind: 'steps', steps: 1 } });
 *     const result = await rollback(project, built, { reason: 'release 4.2 withdrawn' });
 *   });
 */
export {
  connect,
  loadProjectConfig,
  readFilesOnly,
  toolboxFor,
  withProject,
  type OpenOptions,
} from './compose/open-project.js';
export { diagnoseProject, type DiagnoseOptions } from './compose/diagnose-project.js';
export { startScratchServer, type ScratchServer } from './compose/scratch-server.js';
export { Secret, type Config, type ConnectionSettings } from './config/config.js';
export type { Area, AreaCheck, CheckResult, Diagnosis } from './doctor/check.js';
export {
  FlybackError,
  errorCodes,
  exitCodes,
  type ErrorCode,
  type ExitCode,
  type SourceLocation,
} from './errors/error.js';
export type { Finding, Severity } from './errors/finding.js';
export type { EntryState, History, HistoryEntry, InterpretedEntry, QualifiedName } from './history/history.js';
export type { Migration } from './history/migration.js';
export type { Version, VersionScheme } from './history/version.js';
export { openScratchPlace } from './compose/scratch-place.js';
export { audit, type AuditResult } from './pairing/audit.js';
export type { Pair, PairState, RiskAssessment } from './pairing/pair.js';
export type { BuiltPlan } from './plan/build-plan.js';
export { parsePlan, requireCurrent } from './plan/plan-file.js';
export { planRollback, type PlanOptions } from './plan/plan-rollback.js';
export type { Estimate, Plan, PlannedStatement, PlanStep, Target, TransactionMode } from './plan/plan.js';
export { classifyPairs } from './project/classify-project.js';
export type { ConnectedProject, Project } from './project/project.js';
export type { Catalog, CatalogObject } from './proof/catalog.js';
export type { CatalogChange } from './proof/compare-catalogs.js';
export { differenceText } from './proof/difference-text.js';
export type { Grade } from './proof/grade.js';
export type { ProofStep, RowChange, TableRows, VersionProof } from './proof/proof.js';
export { proveProject, type ProveOptions, type ScratchPlace } from './proof/prove-project.js';
export { checkReceipts, keepReceipts, type Checked, type Kept } from './receipt/keep-receipts.js';
export { proofFindings, readProofBook, type ProofBook, type ProofState } from './receipt/proof-book.js';
export type { Receipt } from './receipt/receipt.js';
export { checkChain, type StoredRecord } from './record/check-chain.js';
export type { RecordEntry, RecordOutcome } from './record/record-entry.js';
export { parseEntry, readRecord } from './record/record-store.js';
export type { ChangeType, DataLoss, Risk } from './risk/change.js';
export type { RunEvent, RunResult, StepOutcome, StepResult } from './run/run-result.js';
export {
  abandon,
  planResume,
  resume,
  type BuiltResume,
  type ResumeOptions,
  type ResumePlan,
  type ResumeStatement,
} from './run/resume.js';
export { rollback, type RollbackOptions } from './run/rollback.js';
export { applyMigrations, inOrder } from './scratch/apply-migrations.js';
export type { RollbackScript } from './scripts/rollback-script.js';
export { makeStubs, writeStubs, type Stub } from './stub/stub-versions.js';
export type { Expectation, Verification, VerificationResult } from './verify/verification.js';
export { verifyVersions, type VersionVerification } from './verify/verify-versions.js';
