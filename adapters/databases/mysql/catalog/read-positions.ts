import type { Session } from '../../../../src/adapter/database.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import type { SequencePosition } from '../../../../src/proof/compare-sequences.js';
import { quoteIdentifier, quoteLiteral } from '../quoting.js';
import { shown } from './names.js';
import { ask, withPlainSettings } from './plain-reading.js';
import { leftOutNames, notIn } from './read-catalog.js';

/**
 * The value that each AUTO_INCREMENT column ("orders.id") and each sequence of MariaDB would give next; `only` restricts it to
 * these names. Of a sequence it is the first value that no server has taken into its cache.
 */
export async function readSequences(
  session: Session,
  without: readonly QualifiedName[],
  only?: readonly string[],
): Promise<ReadonlyMap<string, SequencePosition>> {
  if (only?.length === 0) return new Map();
  return withPlainSettings(session, async () => {
    const schema = quoteLiteral(session.facts.databaseName);
    // Joined, the first two would be read for every database there is.
    const conditions = `TABLE_SCHEMA = ${schema} AND ${notIn('TABLE_NAME', leftOutNames(session, without))}`;
    const [columns, counters, sequences] = await ask(session, 'Positions of AUTO_INCREMENT', [
      `SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE ${conditions} AND EXTRA LIKE '%auto_increment%'`,
      `SELECT TABLE_NAME, AUTO_INCREMENT FROM information_schema.TABLES WHERE ${conditions} AND AUTO_INCREMENT IS NOT NULL`,
      `SELECT TABLE_NAME FROM information_schema.TABLES WHERE ${conditions} AND TABLE_TYPE = 'SEQUENCE'`,
    ]);
    const nextOf = new Map((counters?.rows ?? []).map(([table, next]) => [table, next]));
    const names = (sequences?.rows ?? []).flatMap(([name]) => name ?? []);
    const read = await ask(
      session,
      'Positions of sequences',
      names.map(
        (name) =>
          `SELECT next_not_cached_value, increment < 0, cycle_option FROM ${quoteIdentifier(session.facts.databaseName)}.${quoteIdentifier(name)}`,
      ),
    );
    const positions: (readonly [string, SequencePosition])[] = [
      ...(columns?.rows ?? []).map(([table, column]) => {
        const next = nextOf.get(table ?? null) ?? '1';
        return [`${shown(table ?? '')}.${shown(column ?? '')}`, { next, direction: 'up' }] as const;
      }),
      ...names.map((name, at) => {
        const [next, falls, cycles] = read[at]?.rows[0] ?? [];
        const direction = cycles === '1' ? 'cycle' : falls === '1' ? 'down' : 'up';
        return [shown(name), { next: next ?? '0', direction }] as const;
      }),
    ];
    return new Map(positions.filter(([name]) => only === undefined || only.includes(name)));
  });
}
