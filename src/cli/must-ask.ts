import { FlybackError } from '../errors/error.js';

/** Whether somebody can be asked here. Throws FlybackError confirmation-missing when nobody can and nobody said yes. */
export function mustAsk(isConfirmed: boolean, what: string, hint: string): boolean {
  if (isConfirmed) return false;
  if (process.stdin.isTTY && process.stderr.isTTY) return true;
  throw new FlybackError('confirmation-missing', `${what}, and nobody can be asked here: this is not a terminal.`, {
    hint,
  });
}
