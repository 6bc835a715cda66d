import type { QueryResult } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import { locate } from '../scripts/locate.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import { checkExpectation } from '../verify/check-expectation.js';
import type { Verification, VerificationResult } from '../verify/verification.js';
import { roundMs } from './recorded-statement.js';
import type { RunRequest } from './run-request.js';

/** What a verification query returned, compared with what it must return; secrets taken out. */
export function verificationResult(
  request: Pick<RunRequest, 'redact'>,
  verification: Verification,
  answer: QueryResult | undefined,
  durationMs: number,
): VerificationResult {
  const checked = checkExpectation(
    verification.expectation,
    answer ?? { command: '', rowCount: 0, columns: [], rows: [] },
  );
  return {
    name: verification.name,
    line: verification.query.line,
    query: request.redact(verification.query.text),
    expected: request.redact(checked.expected),
    actual: request.redact(checked.actual),
    passed: checked.passed,
    durationMs: roundMs(durationMs),
  };
}

/** The error of the first verification that failed. */
export function verificationError(
  script: RollbackScript,
  failed: VerificationResult,
  all: readonly VerificationResult[],
): FlybackError {
  const verification = script.verifications.find(
    (candidate) => candidate.name === failed.name && candidate.query.line === failed.line,
  );
  const count = all.filter((result) => !result.passed).length;
  return new FlybackError(
    'verification-failed',
    `${unmet(script, failed)}${count > 1 ? ` (${count - 1} more failed)` : ''}. Nothing was changed.`,
    {
      hint: 'Find out why the state is not as expected; the script, the expectation or the database is wrong.',
      ...(verification === undefined ? {} : { location: locate(script, verification.query, undefined) }),
    },
  );
}

/** The beginning of a sentence about a verification that failed. */
export function unmet(script: Pick<RollbackScript, 'version'>, failed: VerificationResult): string {
  return `Verification "${failed.name}" of version ${script.version.text} expected ${failed.expected}, but got ${failed.actual}`;
}
