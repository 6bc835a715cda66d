import type { LockHolder, LockWait } from '../adapter/locks.js';
import type { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import type { RecordedStatement } from '../record/record-entry.js';
import type { VerificationResult } from '../verify/verification.js';

/**
 * How one planned step ended.
 * - committed: the version is rolled back, for good
 * - passed: a dry run went through and was taken back
 * - failed: this step stopped the run; nothing of it remains
 * - rolled-back: it went through, but the transaction it shared was rolled back
 * - unknown: the connection broke during COMMIT and the server could not be asked again
 * - interrupted: a step without a transaction stopped between two statements; flyback resume carries on
 * - not-run: the run stopped before it
 */
export type StepOutcome = 'committed' | 'passed' | 'failed' | 'rolled-back' | 'unknown' | 'interrupted' | 'not-run';

export interface StepResult {
  readonly version: string;
  readonly outcome: StepOutcome;
  readonly durationMs: number;
  readonly statements: readonly RecordedStatement[];
  readonly verifications: readonly VerificationResult[];
  /** What the server said while the script ran (NOTICE, WARNING). */
  readonly notices: readonly string[];
  /** What was not as the version's proof had seen it, before and after the script; absent where nobody looked. */
  readonly drift?: readonly Finding[] | undefined;
}

export interface RunResult {
  readonly run: string;
  readonly outcome: 'committed' | 'dry-run' | 'failed' | 'cancelled' | 'unknown' | 'interrupted';
  readonly steps: readonly StepResult[];
  /** Why the run stopped, when it did. Steps committed before stay committed. */
  readonly failure: FlybackError | undefined;
  /** Hash of the newest record entry of this run, or undefined when none could be written. */
  readonly recordHash: string | undefined;
  /** Things that did not stop the run but that a person should know. */
  readonly warnings: readonly string[];
}

/** Progress of a run, as it happens. Times are milliseconds. */
export type RunEvent =
  | { readonly kind: 'waiting-for-tool-lock'; readonly holders: readonly string[]; readonly waitedMs: number }
  | { readonly kind: 'locked' }
  | { readonly kind: 'step-started'; readonly version: string; readonly number: number; readonly of: number }
  /** The server has begun with the statement in this line. */
  | { readonly kind: 'statement-started'; readonly version: string; readonly line: number }
  | {
      readonly kind: 'statement-finished';
      readonly version: string;
      readonly line: number;
      readonly durationMs: number;
    }
  | { readonly kind: 'verified'; readonly version: string; readonly result: VerificationResult }
  | {
      readonly kind: 'step-finished';
      readonly version: string;
      readonly outcome: StepOutcome;
      readonly durationMs: number;
    }
  | {
      readonly kind: 'lock-timeout';
      readonly version: string;
      readonly attempt: number;
      readonly pauseMs: number;
      readonly message: string;
    }
  /** The server has been waiting for a lock for a while; line undefined: not for a statement of the script. */
  | { readonly kind: 'blocked'; readonly version: string; readonly line: number | undefined; readonly wait: LockWait }
  /** Only where the run may end the sessions that block it. */
  | { readonly kind: 'session-ended'; readonly holder: LockHolder; readonly how: 'cancelled' | 'terminated' }
  | {
      readonly kind: 'session-left';
      readonly holder: LockHolder;
      readonly reason: string;
      /** The statement with which a person may end it. */
      readonly byHand: string;
    }
  | { readonly kind: 'recorded'; readonly hash: string };
