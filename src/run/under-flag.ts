import { FlybackError } from '../errors/error.js';
import { releaseSessionLock, takeFlag, takeSessionLock } from './open-transaction.js';
import { cancelledError } from './pause.js';
import { lockMissing } from './run-mixed.js';
import type { RunRequest } from './run-request.js';
import type { RunResult } from './run-result.js';
import { afterRun, leftWarning, lowerFlag } from './tool-flag.js';

/** Runs under the flag of a tool that locks by a row. The run itself frees it where it comes to its end. */
export async function underFlag(request: RunRequest, run: (own: RunRequest) => Promise<RunResult>): Promise<RunResult> {
  const { session } = request;
  // A pooler may move the next statement to another session: the key of one would outlive us there.
  const keepsKey = !session.facts.proxied;
  let hasKey = false;
  try {
    let wasLeft: boolean;
    try {
      if (keepsKey) await takeSessionLock(request);
      hasKey = keepsKey;
      wasLeft = await takeFlag(request);
    } catch (error) {
      if (!(error instanceof FlybackError)) throw error;
      return await lockMissing(request, request.signal?.aborted === true ? cancelledError() : error);
    }
    try {
      const result = await afterRun(request, await run({ ...request, holdsLock: hasKey }));
      return wasLeft ? { ...result, warnings: [leftWarning(request), ...result.warnings] } : result;
    } catch (error) {
      await lowerFlag(request);
      throw error;
    }
  } finally {
    if (hasKey) await releaseSessionLock(request);
  }
}
