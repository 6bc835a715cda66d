import type { Command, Session } from '../adapter/database.js';
import type { Toolbox } from '../adapter/toolbox.js';
import { openingOf } from '../scratch/apply-migrations.js';
import { isUnread, type RollbackScript } from '../scripts/rollback-script.js';
import type { VersionProof } from './proof.js';

/**
 * Runs a script once more in a database in which its version is taken back already, and takes that run back: whether it
 * could be run twice by mistake. Leaves nothing but advanced sequences.
 */
export async function runTwice(
  session: Session,
  toolbox: Toolbox,
  script: RollbackScript | undefined,
  scriptSchema: string,
  statementTimeoutMs: number,
): Promise<VersionProof['twice']> {
  if (script === undefined || isUnread(script) || script.transaction === 'off') return undefined;
  if (script.statements.some(({ copyData }) => copyData !== undefined)) return undefined;
  const { sql, dialect } = toolbox.database;
  // What commits by itself cannot be taken back again.
  if (script.statements.some(({ text }) => dialect.notTransactional(text) !== undefined)) return undefined;
  const sameForAll = (texts: readonly string[]): readonly Command[] =>
    texts.flatMap((message) => dialect.split(message).statements.map(({ text }) => ({ sql: text, keepsPlan: false })));
  const sent = await session.batch([
    ...sameForAll([sql.useScriptPath(session.facts, scriptSchema), openingOf({ toolbox, statementTimeoutMs })]),
    ...script.statements.map(({ text }) => ({ sql: text })),
    ...sameForAll([sql.hasWritten, sql.rollback]),
  ]);
  if (sent.failure !== undefined) {
    await session.query(sql.rollback).catch(() => undefined);
    return 'failed';
  }
  return sent.results.at(-2)?.rows[0]?.[0] === 't' ? 'writes' : 'nothing';
}
