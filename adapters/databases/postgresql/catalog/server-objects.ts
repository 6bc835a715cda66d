import type { Session } from '../../../../src/adapter/database.js';
import { notMember, ours } from './parts.js';

const serverObjectsSql = `SELECT 'role ' || rolname, format('DROP ROLE %I', rolname) FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_'
UNION ALL SELECT 'database ' || datname, format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_catalog.pg_database
UNION ALL SELECT 'tablespace ' || spcname, format('DROP TABLESPACE %I', spcname) FROM pg_catalog.pg_tablespace
UNION ALL SELECT 'setting ' || name || ' ' || setting, format('ALTER SYSTEM RESET %I', name) FROM pg_catalog.pg_file_settings WHERE sourcefile ~ 'postgresql\\.auto\\.conf$'`;

/** Whether proofs can be made beside this database: nothing is in it, and the role may do everything. */
export async function readScratchFitness(
  session: Session,
): Promise<{ readonly isEmpty: boolean; readonly isSuperuser: boolean }> {
  const [answer] = await session.query(
    `SELECT NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${ours('n')} AND ${notMember('pg_class', 'c.oid')}),
 (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user)`,
  );
  const [isEmpty, isSuperuser] = answer?.rows[0] ?? [];
  return { isEmpty: isEmpty === 't', isSuperuser: isSuperuser === 't' };
}

/** What belongs to the server, each with the statement that removes it. In the order in which that works best. */
export async function readServerObjects(session: Session): Promise<ReadonlyMap<string, string>> {
  const [answer] = await session.query(serverObjectsSql);
  const found = (answer?.rows ?? []).map(([name, removal]) => [name ?? '', removal ?? ''] as const);
  // A database may be owned by a role, and lie in a tablespace.
  const rank = (name: string): number =>
    ['database', 'tablespace', 'setting', 'role'].indexOf(name.split(' ')[0] ?? '');
  return new Map(found.sort(([a], [b]) => rank(a) - rank(b)));
}
