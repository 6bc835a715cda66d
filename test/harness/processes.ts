import { readFileSync } from 'node:fs';

/**
 * Whether a process runs. One that has ended stays in the list until its parent has asked for it; in a container nobody may
 * ever ask, so that such a process counts as ended where the system tells of it.
 */
export function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
  } catch (error) {
    // It may be somebody else's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  if (process.platform !== 'linux') return true;
  try {
    return !/\) Z /.test(readFileSync(`/proc/${processId}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
