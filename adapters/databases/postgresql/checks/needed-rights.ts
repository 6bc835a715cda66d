import type { ServerFacts } from '../../../../src/adapter/database.js';
import type { NeededScript } from '../../../../src/adapter/server-checks.js';
import type { ChangeType, ObjectRef, StatementImpact } from '../../../../src/risk/change.js';
import type { TriggersMode } from '../../../../src/scripts/rollback-script.js';

/**
 * What a statement needs of the role (PostgreSQL manual, the page of each statement):
 * - drop: to own the object or its schema; own: to own it; maintain: to own it or to have MAINTAIN (17)
 * - switch-triggers: to own the table, if it has triggers that the run must switch off one by one
 * - privileges: one of these on the table
 */
export type Need =
  | { readonly kind: 'drop' | 'own' | 'maintain' | 'switch-triggers' }
  | { readonly kind: 'privileges'; readonly privileges: string };

export interface NeededRight {
  readonly ref: ObjectRef;
  readonly need: Need;
  /** Versions whose scripts need it. */
  readonly versions: readonly string[];
}

/** Changes whose objects are made anew, or that need no ownership of what they name. */
const withoutOwner: ReadonlySet<ChangeType> = new Set([
  'create-table',
  'create-object',
  'create-schema',
  'insert-data',
  'update-data',
  'delete-data',
  'truncate',
  'data-copy',
  'query',
  'session-setting',
  'server-setting',
  'procedural',
  'transaction-control',
]);

const rowPrivileges: Partial<Record<ChangeType, string>> = {
  'insert-data': 'INSERT',
  'update-data': 'UPDATE',
  'delete-data': 'DELETE',
  truncate: 'TRUNCATE',
};

/** How a script's triggers will be kept from firing. */
export function triggersModeOf(
  script: NeededScript,
  configured: TriggersMode | undefined,
  facts: Pick<ServerFacts, 'mayUseReplicaMode'>,
): TriggersMode {
  return script.triggers ?? configured ?? (facts.mayUseReplicaMode ? 'replica' : 'disable');
}

/** Every right that the scripts need on objects, each once. Objects that are not there are the server's to leave out. */
export function neededRights(
  scripts: readonly NeededScript[],
  configured: TriggersMode | undefined,
  facts: Pick<ServerFacts, 'mayUseReplicaMode'>,
): readonly NeededRight[] {
  const found = new Map<string, { ref: ObjectRef; need: Need; versions: Set<string> }>();
  const note = (script: NeededScript, object: ObjectRef, need: Need): void => {
    const ref = ownedBy(object);
    const key = JSON.stringify([need, ref.kind, ref.schema ?? null, ref.name, ref.signature ?? null]);
    const known = found.get(key) ?? { ref, need, versions: new Set<string>() };
    known.versions.add(script.version);
    found.set(key, known);
  };
  for (const script of scripts) {
    const switches = triggersModeOf(script, configured, facts) === 'disable';
    for (const { impact } of script.statements) {
      if (impact === undefined) continue;
      for (const { ref, need } of rightsOf(impact)) note(script, ref, need);
      if (switches) for (const ref of impact.writes) note(script, ref, { kind: 'switch-triggers' });
    }
  }
  return [...found.values()].map(({ ref, need, versions }) => ({ ref, need, versions: [...versions] }));
}

function rightsOf(impact: StatementImpact): readonly { readonly ref: ObjectRef; readonly need: Need }[] {
  const dropped = impact.drops.map((ref) => ({
    ref,
    need: { kind: isMember(ref) ? 'own' : 'drop' } as const,
  }));
  const privileges = impact.changes.flatMap((change) => rowPrivileges[change] ?? []).join(', ');
  const written =
    privileges === '' ? [] : impact.writes.map((ref) => ({ ref, need: { kind: 'privileges', privileges } as const }));
  const creates = impact.changes.some((change) => withoutOwner.has(change));
  const named = new Set([...impact.drops, ...impact.writes]);
  const isUpkeep = impact.changes.every((change) => change === 'maintenance');
  const altered =
    creates || impact.changes.length === 0
      ? []
      : impact.objects
          .filter(
            (ref) => !named.has(ref) && !(impact.drops.length > 0 && impact.drops.some((drop) => same(drop, ref))),
          )
          .map((ref) => ({ ref, need: { kind: isUpkeep ? 'maintain' : 'own' } as const }));
  return [...dropped, ...written, ...altered];
}

function same(one: ObjectRef, other: ObjectRef): boolean {
  return (
    one.kind === other.kind && one.schema === other.schema && one.name === other.name && one.member === other.member
  );
}

function isMember(ref: ObjectRef): boolean {
  return ref.member !== undefined;
}

/** Columns, constraints, triggers, policies and rules have no owner of their own: their table's counts. */
function ownedBy(ref: ObjectRef): ObjectRef {
  if (ref.member === undefined) return ref;
  const kind = ref.kind === 'domain constraint' ? 'domain' : ref.kind === 'attribute' ? 'type' : 'table';
  return { kind, ...(ref.schema === undefined ? {} : { schema: ref.schema }), name: ref.name };
}
