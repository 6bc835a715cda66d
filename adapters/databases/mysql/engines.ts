import type { Session, UntransactionalTable } from '../../../src/adapter/database.js';
import type { ObjectRef } from '../../../src/risk/change.js';
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
  const ignoresCase = (session.facts.mysql?.lowerCaseTableNames ?? 0) > 0;
  return (found?.rows ?? []).flatMap(([index, name, engine]) => {
    const ref = refs[Number(index)];
    // Comparing in SQL ignores case; whether names do is a setting of the server.
    const isMeant = ignoresCase ? name?.toLowerCase() === ref?.name.toLowerCase() : name === ref?.name;
    return ref !== undefined && isMeant ? [{ ref, engine: engine ?? '' }] : [];
  });
}
