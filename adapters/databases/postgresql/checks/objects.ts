import type { ServerFacts, Session } from '../../../../src/adapter/database.js';
import type { NeededScript, ServerNeeds } from '../../../../src/adapter/server-checks.js';
import { numberOf, type Check, listed } from '../../../../src/doctor/check.js';
import type { ObjectRef } from '../../../../src/risk/change.js';
import { readCascadeVictims, readObjectFacts, rootExpression } from '../object-facts.js';
import { quoteIdentifier, quoteLiteral } from '../quoting.js';
import { askJson, beginQuestion } from './ask.js';
import { neededRights, type Need, type NeededRight } from './needed-rights.js';
import type { ServerState } from './server-state.js';

/** A right that the role lacks. */
interface MissingRight {
  /** Index of the needed right. */
  readonly i: number;
  /** In the server's words: table t, function f(integer). */
  readonly object: string;
  readonly owner: string;
  /** The role could take on the owner's rights by SET ROLE. */
  readonly member: boolean;
}

interface RightsAnswer {
  /** How many of the objects are there. */
  readonly found: number;
  readonly missing: readonly MissingRight[];
}

/** Whether the role may drop, alter and write what the scripts drop, alter and write. One message. */
export async function objectRightsCheck(
  session: Session,
  needs: ServerNeeds,
  scripts: readonly NeededScript[],
): Promise<Check> {
  const { facts } = session;
  const rights = neededRights(scripts, needs.run.triggers, facts);
  if (rights.length === 0) {
    return { check: 'object-rights', result: 'ok', message: 'The scripts name no object that has an owner.' };
  }
  const answer = await askJson(session, needs.scriptSchema, rightsQuery(rights, facts.majorVersion));
  return judgeRights(rights, answer as RightsAnswer, facts);
}

const needWords: Readonly<Record<Exclude<Need['kind'], 'privileges'>, string>> = {
  drop: 'to drop',
  own: 'to alter',
  maintain: 'to maintain',
  'switch-triggers': 'to switch the triggers of',
};

function judgeRights(rights: readonly NeededRight[], { found, missing }: RightsAnswer, facts: ServerFacts): Check {
  const check = 'object-rights';
  const { user } = facts;
  if (missing.length === 0) {
    return {
      check,
      result: 'ok',
      message: `Role ${user} may do to ${numberOf(found, 'object')} what the scripts do to them.`,
    };
  }
  const details = missing.map(({ i, object, owner }) => {
    const right = rights[i];
    const need = right?.need;
    const words =
      need === undefined || need.kind === 'privileges' ? `lacks ${need?.privileges ?? ''} on` : needWords[need.kind];
    return `${words} ${object}, which belongs to ${owner} (version ${(right?.versions ?? []).join(', ')})`;
  });
  const objects = [...new Set(missing.map(({ object }) => object))];
  const owners = [...new Set(missing.map(({ owner }) => owner))];
  const [owner = ''] = owners;
  return {
    check,
    result: 'problem',
    message: `Role ${user} has not the rights that the scripts need on ${objects.length} of ${numberOf(found, 'object')}: ${listed(objects)}.`,
    hint: missing.every(({ member }) => member)
      ? `Role ${user} may take the rights on by SET ROLE ${quoteIdentifier(owner)}: set it for the connection (initSql), or connect as ${listed(owners)}.`
      : `Connect as ${listed(owners)}, or GRANT ${owners.map(quoteIdentifier).join(', ')} TO ${quoteIdentifier(user)};`,
    details,
  };
}

/** Ownership counts for whoever has the owner's rights without SET ROLE (has_privs_of_role in the server). */
function rightsQuery(rights: readonly NeededRight[], majorVersion: number): string {
  const rows = rights.map(({ ref, need }, index) => {
    const words = need.kind === 'privileges' ? need.privileges : need.kind;
    return `(${index}, ${quoteLiteral(words)}, ${rootExpression(ref)})`;
  });
  const maintains =
    majorVersion >= 17
      ? ` OR o.classid = 'pg_class'::regclass AND pg_catalog.has_table_privilege(o.objid, 'MAINTAIN')`
      : '';
  return `WITH roots(i, need, classid, objid, objsubid) AS (VALUES ${rows.join(',\n')}),
owned AS (SELECT r.i, r.need, r.classid, r.objid, coalesce(c.relowner, p.proowner, t.typowner, n.nspowner, e.extowner, l.collowner) AS owner,
  (SELECT s.nspowner FROM pg_catalog.pg_namespace s WHERE s.oid = coalesce(c.relnamespace, p.pronamespace, t.typnamespace, l.collnamespace)) AS schema_owner
 FROM roots r
 LEFT JOIN pg_catalog.pg_class c ON r.classid = 'pg_class'::regclass AND c.oid = r.objid
 LEFT JOIN pg_catalog.pg_proc p ON r.classid = 'pg_proc'::regclass AND p.oid = r.objid
 LEFT JOIN pg_catalog.pg_type t ON r.classid = 'pg_type'::regclass AND t.oid = r.objid
 LEFT JOIN pg_catalog.pg_namespace n ON r.classid = 'pg_namespace'::regclass AND n.oid = r.objid
 LEFT JOIN pg_catalog.pg_extension e ON r.classid = 'pg_extension'::regclass AND e.oid = r.objid
 LEFT JOIN pg_catalog.pg_collation l ON r.classid = 'pg_collation'::regclass AND l.oid = r.objid
 WHERE r.objid IS NOT NULL),
judged AS (SELECT o.*, pg_catalog.pg_has_role(o.owner, 'USAGE') AS owns FROM owned o WHERE o.owner IS NOT NULL)
SELECT pg_catalog.json_build_object('found', (SELECT count(*) FROM (SELECT DISTINCT classid, objid FROM judged) d), 'missing', (
 SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('i', o.i, 'object', pg_catalog.pg_describe_object(o.classid, o.objid, 0),
  'owner', pg_catalog.pg_get_userbyid(o.owner), 'member', pg_catalog.pg_has_role(o.owner, 'MEMBER')) ORDER BY o.i), '[]')
 FROM judged o WHERE NOT CASE o.need WHEN 'own' THEN o.owns
  WHEN 'drop' THEN o.owns OR coalesce(pg_catalog.pg_has_role(o.schema_owner, 'USAGE'), false)
  WHEN 'maintain' THEN o.owns${maintains}
  WHEN 'switch-triggers' THEN o.owns OR NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = o.objid AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A'))
  ELSE pg_catalog.has_table_privilege(o.objid, o.need) END))`;
}

/** What CASCADE would sweep, and whether one transaction's locks fit. Two questions to the catalog, in one transaction. */
export async function catalogChecks(
  session: Session,
  needs: ServerNeeds,
  scripts: readonly NeededScript[],
  state: ServerState,
): Promise<readonly Check[]> {
  const statements = scripts.flatMap((script) =>
    script.statements.flatMap(({ impact, line }) =>
      impact === undefined ? [] : [{ version: script.version, line, impact }],
    ),
  );
  const cascading = statements.filter(({ impact }) => impact.cascade && impact.drops.length > 0);
  const dropped = distinct(statements.flatMap(({ impact }) => impact.drops));
  await session.query(beginQuestion(session, needs.scriptSchema));
  try {
    const victims = await readCascadeVictims(
      session,
      cascading.map(({ impact }) => impact.drops),
    );
    const facts = await readObjectFacts(session, dropped, { sizes: false, dependents: true });
    const dependents = new Map(facts.map((fact) => [keyOf(fact.ref), fact.dependents]));
    return [
      cascadeCheck(cascading.map(({ version, line }, index) => ({ version, line, victims: victims[index] ?? [] }))),
      lockTableCheck(
        scripts.map((script) => ({ version: script.version, locks: locksOf(script, dependents) })),
        session.facts.lockTableSize,
        state.heldLocks,
      ),
    ];
  } finally {
    await session.query('ROLLBACK').catch(() => undefined);
  }
}

/** What each CASCADE would remove besides what it names. Pure. */
export function cascadeCheck(
  found: readonly { readonly version: string; readonly line: number; readonly victims: readonly string[] }[],
): Check {
  const check = 'cascade';
  const details = found.flatMap(({ version, line, victims }) =>
    victims.map((victim) => `version ${version}, line ${line}: ${victim}`),
  );
  if (details.length === 0) {
    return {
      check,
      result: 'ok',
      message: found.length === 0 ? 'No script says CASCADE.' : 'No CASCADE removes more now than the script names.',
    };
  }
  return {
    check,
    result: 'warning',
    message: `CASCADE would remove ${numberOf(details.length, 'object')} that the scripts do not name.`,
    hint: 'Name them in the script before the DROP, or leave out CASCADE.',
    details,
  };
}

/** What a run locks besides the objects of the scripts: history, record, their indexes, catalogs. */
const ownLocks = 20;

/** Whether the server's lock table bears each version alone, and all of them at once. Pure. */
export function lockTableCheck(
  scripts: readonly { readonly version: string; readonly locks: number }[],
  size: number,
  held: number,
): Check {
  const check = 'lock-table';
  const room = size - held;
  const tooMany = scripts.filter(({ locks }) => locks + ownLocks > room);
  const all = scripts.reduce((sum, { locks }) => sum + locks, ownLocks);
  const hint = `Raise max_locks_per_transaction by a factor of ${Math.ceil((all / Math.max(room, 1)) * 10) / 10} and restart the server.`;
  if (tooMany.length > 0) {
    return {
      check,
      result: 'problem',
      message: `Room for about ${room} locks, and ${listed(tooMany.map(({ version, locks }) => `version ${version} needs about ${locks + ownLocks}`))}.`,
      hint,
    };
  }
  if (all > room) {
    return {
      check,
      result: 'warning',
      message: `Room for about ${room} locks; each version fits, all ${scripts.length} in one transaction (about ${all}) do not.`,
      hint: `Take them back without --single-transaction, or: ${hint}`,
    };
  }
  return { check, result: 'ok', message: `Room for about ${room} locks; everything at once needs about ${all}.` };
}

function locksOf(script: NeededScript, dependents: ReadonlyMap<string, number>): number {
  const impacts = script.statements.flatMap(({ impact }) => impact ?? []);
  const drops = distinct(impacts.flatMap((impact) => impact.drops));
  const inDrops = new Set(drops.map(keyOf));
  const locked = distinct(impacts.flatMap((impact) => impact.locks.map((lock) => lock.on)));
  return (
    drops.reduce((sum, ref) => sum + (dependents.get(keyOf(ref)) ?? 0), 0) +
    locked.filter((ref) => !inDrops.has(keyOf(ref))).length
  );
}

function distinct(refs: readonly ObjectRef[]): readonly ObjectRef[] {
  return [...new Map(refs.map((ref) => [keyOf(ref), ref])).values()];
}

function keyOf(ref: ObjectRef): string {
  return JSON.stringify([ref.kind, ref.schema ?? null, ref.name, ref.member ?? null, ref.signature ?? null]);
}
