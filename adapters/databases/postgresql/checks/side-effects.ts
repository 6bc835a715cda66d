import type { ServerFacts, Session } from '../../../../src/adapter/database.js';
import type { NeededScript, ServerNeeds } from '../../../../src/adapter/server-checks.js';
import { numberOf, type Check, listed } from '../../../../src/doctor/check.js';
import type { QualifiedName } from '../../../../src/history/history.js';
import type { ChangeType, ObjectRef } from '../../../../src/risk/change.js';
import type { TriggersMode } from '../../../../src/scripts/rollback-script.js';
import { qualified, quoteIdentifier, quoteLiteral } from '../quoting.js';
import { askJson } from './ask.js';
import { triggersModeOf } from './needed-rights.js';

/*
 * What else happens when rows and tables change: event triggers, triggers of tables, logical replication.
 *
 * session_replication_role = replica (PostgreSQL manual, "Client Connection Defaults") decides which triggers and rules
 * fire, and nothing else: rows that are written under it are decoded and sent to subscribers as any others. What is lost
 * are the rows that ordinary triggers would have written: trigger-based replication and audit tables. Definitions are
 * never replicated (manual, "Logical Replication", "Restrictions").
 */

/** A table that scripts write rows to, alter or drop. */
interface TouchedTable {
  readonly ref: ObjectRef;
  /** Some script updates or deletes rows of it. */
  readonly updates: boolean;
  readonly writes: boolean;
  /** Some script changes which rows fit into it. */
  readonly reshapes: boolean;
  /** How triggers are kept from firing in the scripts that write to it. */
  readonly modes: ReadonlySet<TriggersMode>;
}

interface EventTrigger {
  readonly name: string;
  readonly event: string;
  /** pg_event_trigger.evtenabled: O ordinary, R replica, A always. */
  readonly enabled: 'O' | 'R' | 'A';
}

interface TableTrigger {
  readonly i: number;
  readonly table: string;
  readonly name: string;
  readonly enabled: 'O' | 'R' | 'A';
}

interface PublishedTable {
  readonly i: number;
  readonly publication: string;
  readonly table: string;
  readonly updates: boolean;
  /** Whether the server can tell subscribers which row was updated or deleted. */
  readonly identity: boolean;
}

interface SubscribedTable {
  readonly i: number;
  readonly subscription: string;
  readonly table: string;
  readonly enabled: boolean;
}

interface SideEffects {
  readonly eventTriggers: readonly EventTrigger[];
  readonly triggers: readonly TableTrigger[];
  readonly published: readonly PublishedTable[];
  readonly publications: number;
  /** Publications that hold the record, or will as soon as it is made. */
  readonly publishRecord: readonly string[];
  readonly subscribed: readonly SubscribedTable[];
  readonly subscriptions: number;
}

/** Event triggers, triggers, publications and subscriptions that the scripts would meet. One message. */
export async function sideEffectChecks(
  session: Session,
  needs: ServerNeeds,
  scripts: readonly NeededScript[],
): Promise<readonly Check[]> {
  const touched = touchedTables(scripts, needs.run.triggers, session.facts);
  const found = (await askJson(
    session,
    needs.scriptSchema,
    effectsQuery(touched, needs.record, session.facts.majorVersion),
  )) as SideEffects;
  const modes = new Set(scripts.map((script) => triggersModeOf(script, needs.run.triggers, session.facts)));
  return [
    eventTriggerCheck(found.eventTriggers, modes, needs.run.triggers),
    triggerCheck(found.triggers, touched),
    publicationCheck(found, touched, needs.record),
    subscriptionCheck(found),
  ];
}

/** Changes after which rows of one side may not fit into the table of the other. */
const shapes: ReadonlySet<ChangeType> = new Set<ChangeType>([
  'drop-table',
  'add-column',
  'drop-column',
  'alter-type',
  'rename',
  'partition',
  'drop-not-null',
  'drop-constraint',
]);

/** Every table that the scripts touch, once. */
function touchedTables(
  scripts: readonly NeededScript[],
  configured: TriggersMode | undefined,
  facts: ServerFacts,
): readonly TouchedTable[] {
  const tables = new Map<
    string,
    { ref: ObjectRef; updates: boolean; writes: boolean; reshapes: boolean; modes: Set<TriggersMode> }
  >();
  const at = (ref: ObjectRef): { updates: boolean; writes: boolean; reshapes: boolean; modes: Set<TriggersMode> } => {
    const table: ObjectRef = {
      kind: 'table',
      ...(ref.schema === undefined ? {} : { schema: ref.schema }),
      name: ref.name,
    };
    const key = JSON.stringify([table.schema ?? null, table.name]);
    const known = tables.get(key) ?? { ref: table, updates: false, writes: false, reshapes: false, modes: new Set() };
    tables.set(key, known);
    return known;
  };
  for (const script of scripts) {
    const mode = triggersModeOf(script, configured, facts);
    for (const { impact } of script.statements) {
      if (impact === undefined) continue;
      const written = new Set(impact.writes);
      for (const ref of impact.writes) {
        const table = at(ref);
        table.writes = true;
        table.updates ||= impact.changes.some((change) => change === 'update-data' || change === 'delete-data');
        table.modes.add(mode);
      }
      for (const ref of [...impact.objects, ...impact.drops]) {
        if (written.has(ref) || !(isTable(ref) || ref.member !== undefined)) continue;
        if (impact.changes.includes('create-table')) continue;
        at(ref).reshapes ||= impact.changes.some((change) => shapes.has(change));
      }
    }
  }
  return [...tables.values()];
}

function isTable(ref: ObjectRef): boolean {
  return ref.kind === 'table' || ref.kind === 'foreign table';
}

function effectsQuery(touched: readonly TouchedTable[], record: QualifiedName, majorVersion: number): string {
  const rows = touched.map(({ ref }, index) => {
    const schema = ref.schema === undefined ? '' : `${quoteIdentifier(ref.schema)}.`;
    return `(${index}, pg_catalog.to_regclass(${quoteLiteral(`${schema}${quoteIdentifier(ref.name)}`)})::oid)`;
  });
  const list = (pairs: string, from: string): string =>
    `(SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(${pairs}) ORDER BY 1), '[]') FROM ${from})`;
  const identity = `c.relreplident = 'f' OR EXISTS (SELECT FROM pg_catalog.pg_index x WHERE x.indrelid = c.oid AND x.indisvalid
  AND CASE c.relreplident WHEN 'd' THEN x.indisprimary WHEN 'i' THEN x.indisreplident ELSE false END)`;
  return `WITH RECURSIVE named(i, oid) AS (VALUES ${rows.length === 0 ? '(0, NULL::oid)' : rows.join(', ')}),
touched(i, oid) AS (SELECT i, oid FROM named WHERE oid IS NOT NULL UNION SELECT t.i, h.inhrelid FROM touched t JOIN pg_catalog.pg_inherits h ON h.inhparent = t.oid)
SELECT pg_catalog.json_build_object(
'eventTriggers', ${list(`'name', e.evtname, 'event', e.evtevent, 'enabled', e.evtenabled`, `pg_catalog.pg_event_trigger e WHERE e.evtenabled <> 'D' AND e.evtevent <> 'login'`)},
'triggers', ${list(`'i', t.i, 'table', g.tgrelid::regclass::text, 'name', g.tgname, 'enabled', g.tgenabled`, `touched t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgenabled <> 'D'`)},
'published', ${list(`'i', t.i, 'publication', p.pubname, 'table', c.oid::regclass::text, 'updates', p.pubupdate OR p.pubdelete, 'identity', ${identity}`, `touched t JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_publication_tables u ON u.schemaname = n.nspname AND u.tablename = c.relname JOIN pg_catalog.pg_publication p ON p.pubname = u.pubname`)},
'publications', (SELECT count(*) FROM pg_catalog.pg_publication),
'publishRecord', (SELECT coalesce(pg_catalog.json_agg(p.pubname ORDER BY p.pubname), '[]') FROM pg_catalog.pg_publication p WHERE ${holdsRecord(record, majorVersion)}),
'subscribed', ${list(`'i', t.i, 'subscription', s.subname, 'table', r.srrelid::regclass::text, 'enabled', s.subenabled`, `touched t JOIN pg_catalog.pg_subscription_rel r ON r.srrelid = t.oid JOIN pg_catalog.pg_subscription s ON s.oid = r.srsubid`)},
'subscriptions', (SELECT count(*) FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database()))`;
}

/** Publications of all tables, and from 15 on of all tables of a schema, take in every table that is made later. */
function holdsRecord(record: QualifiedName, majorVersion: number): string {
  const schema = `(SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = ${quoteLiteral(record.schema)})`;
  const bySchema = `EXISTS (SELECT FROM pg_catalog.pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid = ${schema})`;
  const byName = `EXISTS (SELECT FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = pg_catalog.to_regclass(${quoteLiteral(qualified(record))}))`;
  return `p.pubinsert AND (p.puballtables OR ${byName}${majorVersion >= 15 ? ` OR ${bySchema}` : ''})`;
}

/** Whether a trigger in this state fires while a script runs in this mode. */
function fires(enabled: 'O' | 'R' | 'A', mode: TriggersMode): boolean {
  if (enabled === 'A') return mode !== 'disable';
  return (enabled === 'R') === (mode === 'replica');
}

/** As fires, for event triggers, which no mode disables one by one. Pure. */
export function eventTriggerCheck(
  found: readonly EventTrigger[],
  modes: ReadonlySet<TriggersMode>,
  configured: TriggersMode | undefined,
): Check {
  const check = 'event-triggers';
  if (found.length === 0) return { check, result: 'ok', message: 'None that could fire.' };
  const used = modes.size === 0 ? [configured ?? 'replica'] : [...modes];
  const roles = used.map((mode) => (mode === 'replica' ? 'replica' : 'keep'));
  const firing = found.filter(({ enabled }) => roles.some((role) => fires(enabled, role)));
  const silent = found.filter((trigger) => !firing.includes(trigger));
  const names = (triggers: readonly EventTrigger[]): string => listed(triggers.map(({ name }) => name));
  const details = found.map(
    (trigger) => `${trigger.name} on ${trigger.event}: ${firing.includes(trigger) ? 'fires' : 'does not fire'}`,
  );
  if (firing.length > 0) {
    return {
      check,
      result: 'warning',
      message: `${numberOf(firing.length, 'event trigger')} will fire while scripts run: ${names(firing)}.`,
      hint: 'Make sure that they let the statements of the rollbacks pass: try rollback --dry-run.',
      details,
    };
  }
  return {
    check,
    result: 'warning',
    message: `${numberOf(silent.length, 'event trigger')} will not fire while scripts run in replica mode: what ${names(silent)} would write down or forbid passes unseen.`,
    hint: 'Write -- flyback: triggers keep into the scripts that they must see.',
    details,
  };
}

function triggerCheck(found: readonly TableTrigger[], touched: readonly TouchedTable[]): Check {
  const check = 'triggers';
  const judged = found.flatMap((trigger) => {
    const modes = touched[trigger.i]?.modes ?? new Set();
    if (modes.size === 0) return [];
    const fired = [...modes].some((mode) => fires(trigger.enabled, mode));
    const usually = trigger.enabled !== 'R';
    return fired === usually ? [] : [{ name: `${trigger.name} of ${trigger.table}`, fired }];
  });
  const silent = [...new Set(judged.filter(({ fired }) => !fired).map(({ name }) => name))];
  const extra = [...new Set(judged.filter(({ fired }) => fired).map(({ name }) => name))];
  if (silent.length + extra.length === 0) {
    return {
      check,
      result: 'ok',
      message: 'No trigger of a written table behaves otherwise than usual in a rollback.',
    };
  }
  return {
    check,
    result: 'warning',
    message: `${[
      ...(silent.length === 0
        ? []
        : [`${numberOf(silent.length, 'trigger')} of written tables will not fire: ${listed(silent)}`]),
      ...(extra.length === 0
        ? []
        : [`${numberOf(extra.length, 'trigger')} will fire only because of replica mode: ${listed(extra)}`]),
    ].join('; ')}.`,
    hint: 'If one of them feeds an audit table or a replication by triggers (Slony, Londiste, Bucardo, SymmetricDS), write -- flyback: triggers keep into these scripts.',
    details: [...silent.map((name) => `${name}: does not fire`), ...extra.map((name) => `${name}: fires`)],
  };
}

function publicationCheck(
  { published, publications, publishRecord }: SideEffects,
  touched: readonly TouchedTable[],
  record: QualifiedName,
): Check {
  const check = 'publications';
  if (publications === 0) return { check, result: 'ok', message: 'The database publishes nothing.' };
  const named = (table: PublishedTable): string => `${table.table} (publication ${table.publication})`;
  const tables = published.map((table) => ({ ...table, use: touched[table.i] }));
  // The server refuses UPDATE and DELETE of a published table that has no replica identity, whatever the mode.
  const refused = tables.filter(({ use, updates, identity }) => use?.updates === true && updates && !identity);
  if (refused.length > 0) {
    return {
      check,
      result: 'problem',
      message: `The server will refuse UPDATE and DELETE of ${listed(refused.map(named))}: published without a replica identity.`,
      hint: 'Give the table a primary key, or ALTER TABLE … REPLICA IDENTITY FULL.',
      details: refused.map(named),
    };
  }
  const altered = [...new Set(tables.filter(({ use }) => use?.reshapes === true).map(named))];
  const written = [...new Set(tables.filter(({ use }) => use?.writes === true).map(named))];
  const remarks = [
    ...(altered.length === 0
      ? []
      : [
          {
            message: `The scripts alter or drop ${listed(altered)}: definitions are not replicated, and rows that do not fit stop the subscriber.`,
            hint: 'Add what the rollback adds on the subscribers first, and drop there what it drops afterwards.',
          },
        ]),
    ...(publishRecord.length === 0
      ? []
      : [
          {
            message: `Publication ${listed(publishRecord)} takes in the record ${record.schema}.${record.name}: its first entry stops every subscriber that lacks the table.`,
            hint: `Create ${record.schema}.${record.name} with its columns on the subscribers before the first run.`,
          },
        ]),
  ];
  if (remarks.length > 0) {
    return {
      check,
      result: 'warning',
      message: remarks.map(({ message }) => message).join(' '),
      hint: remarks.map(({ hint }) => hint).join(' '),
      ...(altered.length === 0 ? {} : { details: altered.map((table) => `altered or dropped: ${table}`) }),
    };
  }
  if (written.length > 0) {
    return {
      check,
      result: 'ok',
      message: `The scripts write to ${listed(written)}: subscribers get these rows as any others, replica mode does not hold them back.`,
    };
  }
  return { check, result: 'ok', message: 'No script touches a published table.' };
}

function subscriptionCheck({ subscribed, subscriptions }: SideEffects): Check {
  const check = 'subscriptions';
  if (subscriptions === 0) return { check, result: 'ok', message: 'The database subscribes to nothing.' };
  if (subscribed.length === 0)
    return { check, result: 'ok', message: 'No script touches a table that a subscription fills.' };
  const named = [...new Set(subscribed.map(({ table, subscription }) => `${table} (subscription ${subscription})`))];
  return {
    check,
    result: 'warning',
    message: `A subscription fills ${listed(named)}: the publisher goes on sending by its own definition, and what does not fit stops the subscription.`,
    hint: 'Take the version back on the publisher too; ALTER SUBSCRIPTION … DISABLE for the time between.',
    details: named,
  };
}
