import type { Session, UntransactionalTable } from '../../../src/adapter/database.js';
import type { ObjectRef } from '../../../src/risk/change.js';
import { foldNames } from './facts.js';
import { quoteLiteral } from './quoting.js';

/**
 * Of these tables those whose engine keeps no transactions (information_schema.ENGINES), in one query; names without a schema are
 * those of the current database. The table behind a view is not looked for.
 */
export async function untransactionalTables(
  session: Session,
  refs: readonly ObjectRef[],
): Promise<readonly UntransactionalTable[]> {
  if (refs.length === 0) return [];
  // One part for each: only a table that is named in full is looked up without opening all the others.
  const parts = refs.map(({ schema, name }, index) => {
    const database = schema === undefined ? 'DATABASE()' : quoteLiteral(schema);
    return `SELECT ${index}, t.TABLE_NAME, t.ENGINE FROM information_schema.TABLES t WHERE t.TABLE_SCHEMA = ${database} AND t.TABLE_NAME = ${quoteLiteral(name)} AND t.ENGINE IN (SELECT e.ENGINE FROM information_schema.ENGINES e WHERE e.TRANSACTIONS = 'NO')`;
  });
  const [found] = await session.query(parts.join('\nUNION ALL '));
  const fold = foldNames(session.facts);
  return (found?.rows ?? []).flatMap(([index, name, engine]) => {
    const ref = refs[Number(index)];
    return ref !== undefined && fold(name ?? '') === fold(ref.name) ? [{ ref, engine: engine ?? '' }] : [];
  });
}
