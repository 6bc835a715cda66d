import { FlybackError } from '../../errors/error.js';
import type { CommandContext } from '../command.js';
export async function runStub(
  _context: CommandContext,
  _versions: readonly string[],
  _own: { readonly missing?: true; readonly stdout?: true },
): Promise<number> {
  return Promise.reject(new FlybackError('unsupported', 'not yet'));
}
