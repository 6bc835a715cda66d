import type { LockHolder, LockNeed, LockSurvey } from '../adapter/locks.js';
import type { Plan } from '../plan/plan.js';
import type { ObjectRef } from '../risk/change.js';

/** A need, and where in the plan it comes from; undefined: from flyback's own work around the scripts. */
export interface PlannedNeed {
  readonly need: LockNeed;
  readonly version: string | undefined;
  readonly line: number | undefined;
}

/** Somebody who stands in the way of a plan, with every lock that does. */
export interface Blocker {
  readonly holder: LockHolder;
  /** False: all that it does is to wait for such a lock itself. */
  readonly holds: boolean;
  readonly locks: readonly {
    readonly level: string;
    readonly on: string;
    /** Of the first statement that needs what it holds. */
    readonly version: string | undefined;
    readonly line: number | undefined;
  }[];
}

/** Shorter transactions come and go; they are over before anybody has read about them. */
const worthTellingMs = 1000;

/** Every distinct need of the plan with the first place that has it. */
export function plannedNeeds(
  plan: Pick<Plan, 'steps'>,
  own: readonly LockNeed[],
  concurrentLevel: (sql: string) => string | undefined,
): readonly PlannedNeed[] {
  const needs = new Map<string, PlannedNeed>();
  const add = (need: LockNeed, version: string | undefined, line: number | undefined): void => {
    const key = `${need.level ?? ''}\n${refKey(need.on)}`;
    if (!needs.has(key)) needs.set(key, { need, version, line });
  };
  for (const need of own) add(need, undefined, undefined);
  for (const { version, statements } of plan.steps) {
    for (const { sql, line, locks, drops } of statements) {
      const concurrent = concurrentLevel(sql);
      for (const on of drops) add({ on, level: null }, version, line);
      const dropped = new Set(drops.map(refKey));
      for (const { on, level } of locks) {
        // Dropping needs every lock there is.
        if (dropped.has(refKey(on))) continue;
        add({ on, level }, version, line);
        if (concurrent !== undefined) add({ on, level: concurrent }, version, line);
      }
    }
  }
  return [...needs.values()];
}

function refKey({ kind, schema, name, member }: ObjectRef): string {
  return `${kind}\n${schema ?? ''}\n${name}\n${member ?? ''}`;
}

/** Groups what was found by holder; who has been there longest comes first. */
export function findBlockers(needs: readonly PlannedNeed[], { obstacles }: LockSurvey): readonly Blocker[] {
  const byHolder = new Map<
    string,
    { holder: LockHolder; holds: boolean; locks: Map<string, Blocker['locks'][number]> }
  >();
  for (const { holder, level, granted, on, need } of obstacles.toSorted((a, b) => a.need - b.need)) {
    if (!isWorthTelling(holder)) continue;
    const found = byHolder.get(holder.identity) ?? { holder, holds: false, locks: new Map() };
    byHolder.set(holder.identity, found);
    found.holds ||= granted;
    const { version, line } = needs[need] ?? {};
    const key = JSON.stringify([level, on]);
    if (!found.locks.has(key)) found.locks.set(key, { level, on, version, line });
  }
  return [...byHolder.values()]
    .map(({ holder, holds, locks }) => ({ holder, holds, locks: [...locks.values()] }))
    .toSorted((a, b) => (b.holder.openMs ?? Infinity) - (a.holder.openMs ?? Infinity));
}

/** Hidden ages count as long: better one word too many. */
function isWorthTelling(holder: LockHolder): boolean {
  return holder.kind === 'prepared-transaction' || holder.openMs === null || holder.openMs >= worthTellingMs;
}
