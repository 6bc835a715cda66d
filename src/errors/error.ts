import type { Finding } from './finding.js';
import type { ServerCondition } from './server-condition.js';

/** Process exit codes; their meaning is part of the command-line contract (docs/cli.md). */
export const exitCodes = {
  done: 0,
  findings: 1,
  usage: 2,
  failedRun: 3,
  interrupted: 4,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/**
 * Every code a FlybackError can carry, with the exit code of a command that ends with it.
 * Codes are stable: scripts may match on them; each has a section in docs/errors.md.
 */
export const errorCodes = {
  'usage-invalid': exitCodes.usage,
  'project-not-found': exitCodes.usage,
  'config-invalid': exitCodes.usage,
  'file-unreadable': exitCodes.usage,
  'connection-failed': exitCodes.usage,
  'authentication-failed': exitCodes.usage,
  'server-unsupported': exitCodes.usage,
  'server-read-only': exitCodes.usage,
  'privilege-missing': exitCodes.usage,
  'history-missing': exitCodes.usage,
  'history-malformed': exitCodes.usage,
  'version-invalid': exitCodes.usage,
  'version-unknown': exitCodes.usage,
  'plan-invalid': exitCodes.usage,
  'fixtures-invalid': exitCodes.usage,
  'receipts-invalid': exitCodes.usage,
  'revision-unknown': exitCodes.usage,
  'embedded-unavailable': exitCodes.usage,
  'docker-unavailable': exitCodes.usage,
  'scratch-refused': exitCodes.usage,
  'confirmation-missing': exitCodes.usage,
  'plan-refused': exitCodes.findings,
  'plan-outdated': exitCodes.findings,
  'script-refused': exitCodes.findings,
  'verification-failed': exitCodes.findings,
  'proof-missing': exitCodes.findings,
  'drift-found': exitCodes.findings,
  'script-failed': exitCodes.failedRun,
  'function-failed': exitCodes.failedRun,
  'function-idle': exitCodes.failedRun,
  'function-changed': exitCodes.failedRun,
  'lock-unavailable': exitCodes.failedRun,
  'history-changed': exitCodes.failedRun,
  'integrity-violated': exitCodes.failedRun,
  'transaction-ended': exitCodes.failedRun,
  'connection-lost': exitCodes.failedRun,
  cancelled: exitCodes.failedRun,
  'commit-unknown': exitCodes.interrupted,
  'run-interrupted': exitCodes.interrupted,
  'resume-needed': exitCodes.interrupted,
  'resume-unclear': exitCodes.interrupted,
  'journal-mismatch': exitCodes.interrupted,
  'record-newer': exitCodes.usage,
  internal: exitCodes.failedRun,
} as const satisfies Record<string, ExitCode>;
export type ErrorCode = keyof typeof errorCodes;

/** A place in a file, for messages that show the line with a caret under the column. */
export interface SourceLocation {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in characters as an editor counts them. */
  readonly column: number;
  /** The whole text of that line, without its line ending. */
  readonly lineText: string;
}

export interface FlybackErrorOptions {
  /** The next action, as one sentence. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
  readonly location?: SourceLocation | undefined;
  /** All problems, when several were found at once. */
  readonly findings?: readonly Finding[] | undefined;
  /** The server's own error code (SQLSTATE or errno), when a server refused. */
  readonly serverCode?: string | undefined;
  /** What that code comes down to. */
  readonly condition?: ServerCondition | undefined;
}

/**
 * The one error class of flyback. The message says what could not be done, to what, because of what;
 * the hint says what to do next. Neither ever contains a secret.
 */
export class FlybackError extends Error {
  override readonly name = 'FlybackError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly location: SourceLocation | undefined;
  readonly findings: readonly Finding[];
  readonly serverCode: string | undefined;
  readonly condition: ServerCondition | undefined;

  constructor(code: ErrorCode, message: string, options: FlybackErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.location = options.location;
    this.findings = options.findings ?? [];
    this.serverCode = options.serverCode;
    this.condition = options.condition;
  }

  get exitCode(): ExitCode {
    return errorCodes[this.code];
  }
}
