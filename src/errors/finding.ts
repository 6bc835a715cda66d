import type { SourceLocation } from './error.js';

export type Severity = 'error' | 'warning' | 'info';

/** Something noticed about the user's project or database: a value, not an exception. */
export interface Finding {
  /** Stable kebab-case code, documented in docs/findings.md. */
  readonly code: string;
  readonly severity: Severity;
  /** What it is about: a version, a file, a table, a configuration key. */
  readonly subject: string;
  /** What is the matter, one sentence. */
  readonly message: string;
  /** The next action, one sentence. */
  readonly hint?: string | undefined;
  readonly location?: SourceLocation | undefined;
}
