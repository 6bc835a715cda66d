import type { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import type { PlanStep } from '../plan/plan.js';
import { entryFormat, type RecordedStatement, type RecordEntry, type RecordOutcome } from '../record/record-entry.js';
import type { VerificationResult } from '../verify/verification.js';
import type { RunRequest } from './run-request.js';

/** What an entry of the record tells of one step. */
export interface StepReport {
  readonly step: PlanStep;
  readonly outcome: RecordOutcome;
  /** 1-based, and of how many. */
  readonly number: number;
  readonly of: number;
  readonly transaction: RecordEntry['transaction'];
  readonly statements: readonly RecordedStatement[];
  readonly verifications: readonly VerificationResult[];
  readonly drift?: readonly Finding[] | undefined;
  /** By performance.now(): the wall clock may be set back meanwhile. */
  readonly started: number;
  readonly error: FlybackError | undefined;
  readonly resumes?: string | undefined;
}

/** The record entry of a step that has just ended. */
export function stepEntry(request: RunRequest, report: StepReport): RecordEntry {
  const { plan, session, who, reason, redact, now } = request;
  const { step, error, resumes, drift = [] } = report;
  const ended = request.endedSessions?.() ?? [];
  const finishedAt = now();
  return {
    format: entryFormat,
    flyback: request.flybackVersion,
    run: request.runId,
    step: { number: report.number, of: report.of },
    outcome: report.outcome,
    tool: plan.tool,
    version: step.version,
    description: step.description,
    script: { file: step.script.file, source: step.script.source, checksum: step.script.checksum },
    historyRow: step.entry,
    planHash: plan.hash,
    triggers: step.triggers,
    transaction: report.transaction,
    ...(resumes === undefined ? {} : { resumes }),
    reason: reason === undefined ? null : redact(reason),
    approval: step.approval ?? null,
    who: { databaseUser: session.facts.user, ...who },
    database: { name: session.facts.databaseName, serverVersion: session.facts.version },
    ...(ended.length === 0 ? {} : { endedSessions: ended }),
    startedAt: new Date(finishedAt.getTime() - (performance.now() - report.started)).toISOString(),
    finishedAt: finishedAt.toISOString(),
    statements: report.statements,
    verifications: report.verifications,
    ...(drift.length === 0 ? {} : { drift: drift.map(({ message }) => redact(message)) }),
    error: error === undefined ? null : { code: error.code, message: redact(error.message) },
  };
}
