import type { Session } from '../../../../src/adapter/database.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import type { SequencePosition } from '../../../../src/proof/compare-sequences.js';
import { qualified, quoteLiteral } from '../quoting.js';
import { oidsOf, ownRelation, pieces, readPlainly } from './plain-reading.js';

const sequencesAtOnce = 200;

/** Sequences with their parameters; none that belongs to a table left out. */
function sequencesSql(without: readonly QualifiedName[], only: readonly string[] | undefined): string {
  const owner = `SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
 AND d.deptype IN ('a', 'i') AND d.refobjid = ANY (${oidsOf(without.map(qualified))})`;
  return `SELECT format('%I.%I', n.nspname, c.relname), s.seqincrement, s.seqmin, s.seqmax, s.seqcycle
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE ${ownRelation(without, only)}${without.length === 0 ? '' : ` AND NOT EXISTS (${owner})`} ORDER BY 1`;
}

/**
 * The value that each sequence would give next, by name; `only` restricts it to sequences of these names, as the catalog
 * writes them. Sequences of the tables left out are left out too.
 */
export async function readSequences(
  session: Session,
  without: readonly QualifiedName[],
  only?: readonly string[],
): Promise<ReadonlyMap<string, SequencePosition>> {
  if (only?.length === 0) return new Map();
  const [listed] = await readPlainly(session, 'The list of sequences', [sequencesSql(without, only)]);
  const sequences = listed?.rows ?? [];
  const answers = await readPlainly(
    session,
    'Positions of sequences',
    pieces(sequences, sequencesAtOnce).map((some) =>
      some
        .map(([name]) => `SELECT ${quoteLiteral(name ?? '')}, last_value, is_called FROM ${name ?? ''}`)
        .join('\nUNION ALL\n'),
    ),
  );
  const parameters = new Map(sequences.map((row) => [row[0] ?? '', row]));
  return new Map(
    answers
      .flatMap(({ rows }) => rows)
      .map(([name, last, called]) => {
        const [, increment, min, max, cycles] = parameters.get(name ?? '') ?? [];
        const step = BigInt(increment ?? '1');
        const following = BigInt(last ?? '0') + (called === 't' ? step : 0n);
        const isOver = step > 0n ? following > BigInt(max ?? '0') : following < BigInt(min ?? '0');
        const next = isOver && cycles === 't' ? BigInt((step > 0n ? min : max) ?? '0') : following;
        return [
          name ?? '',
          { next: String(next), direction: cycles === 't' ? 'cycle' : step > 0n ? 'up' : 'down' },
        ] as const;
      }),
  );
}

/** SHA-256 (hex) of the content of each large object, by its oid. */
export async function readLargeObjects(session: Session): Promise<ReadonlyMap<string, string>> {
  const [read] = await readPlainly(session, 'Large objects', [
    `SELECT m.oid, encode(sha256(lo_get(m.oid)), 'hex') FROM pg_largeobject_metadata m ORDER BY 1`,
  ]);
  return new Map((read?.rows ?? []).map(([oid, digest]) => [oid ?? '', digest ?? '']));
}
