import { createHash } from 'node:crypto';
import type { DatabaseAdapter, ToolLock } from '../../src/adapter/database.js';

/**
 * The key of a lock that is flyback's own, for tools that have none: a number, or on MySQL a name, of the digest of this text.
 * Names are the whole server's and have at most 64 characters, so the text has to tell databases apart.
 */
export function ownLock(database: DatabaseAdapter, text: string): Pick<ToolLock, 'kind' | 'keys'> {
  const digest = createHash('sha256').update(text).digest();
  return database.name === 'mysql'
    ? { kind: 'named', keys: [`flyback-${digest.toString('hex').slice(0, 40)}`] }
    : { kind: 'advisory', keys: [String(digest.readBigInt64BE(0))] };
}
