import { FlybackError } from '../../errors/error.js';
import type { CommandContext } from '../command.js';
export async function runDemo(_context: CommandContext, _own: { readonly keep?: string }): Promise<number> {
  return Promise.reject(new FlybackError('unsupported', 'not yet'));
}
