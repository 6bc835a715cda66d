import type { ChangeType, DataLoss, ObjectRef, OnlineChange, StatementImpact } from '../../../../src/risk/change.js';

/**
 * Levels of metadata locks from weakest to strongest, in the words of performance_schema.metadata_locks (MySQL manual, "The
 * metadata_locks Table"), and of MariaDB's metadata_lock_info without its prefix. A change of a table begins with a weaker one
 * and ends with EXCLUSIVE, which waits for every transaction that has used the table.
 */
const lockLevels = ['SHARED READ', 'SHARED WRITE', 'SHARED READ ONLY', 'SHARED NO READ WRITE', 'EXCLUSIVE'] as const;
export type LockLevel = (typeof lockLevels)[number];

const works = ['none', 'scan', 'rewrite'] as const;
export type Work = (typeof works)[number];
const losses = ['no', 'maybe', 'yes'] as const;

/** Collects what one statement does; each fact may be said more than once, the strongest counts. */
export class ImpactCollector {
  readonly #changes = new Set<ChangeType>();
  readonly #objects = new Map<string, ObjectRef>();
  readonly #drops = new Map<string, ObjectRef>();
  readonly #writes = new Map<string, ObjectRef>();
  readonly #locks = new Map<string, { level: LockLevel; on: ObjectRef }>();
  #work: Work = 'none';
  #loss: DataLoss = 'no';
  #online: OnlineChange | undefined;
  #transactionControl = false;

  change(...types: readonly ChangeType[]): void {
    for (const type of types) this.#changes.add(type);
  }

  object(ref: ObjectRef | undefined): void {
    if (ref !== undefined) this.#objects.set(keyOf(ref), ref);
  }

  /** The object is removed, so it is also one of the objects concerned. */
  drop(ref: ObjectRef | undefined): void {
    this.object(ref);
    if (ref !== undefined) this.#drops.set(keyOf(ref), ref);
  }

  write(ref: ObjectRef | undefined): void {
    this.object(ref);
    if (ref !== undefined) this.#writes.set(keyOf(ref), ref);
  }

  lock(level: LockLevel, on: ObjectRef | undefined): void {
    if (on === undefined) return;
    const key = keyOf(on);
    const held = this.#locks.get(key);
    if (held === undefined || lockLevels.indexOf(held.level) < lockLevels.indexOf(level)) {
      this.#locks.set(key, { level, on });
    }
  }

  /** Rows of the table are written under a lock that lets others read and write too. */
  writeRows(table: ObjectRef | undefined): void {
    this.write(table);
    this.lock('SHARED WRITE', table);
  }

  work(work: Work): void {
    if (works.indexOf(work) > works.indexOf(this.#work)) this.#work = work;
  }

  lose(loss: DataLoss): void {
    if (losses.indexOf(loss) > losses.indexOf(this.#loss)) this.#loss = loss;
  }

  online(change: OnlineChange): void {
    this.#online = change;
  }

  controlTransaction(): void {
    this.#transactionControl = true;
  }

  /** The collected facts as a value; `notTransactional` tells of the whole statement. */
  build(notTransactional: string | undefined): StatementImpact {
    return {
      changes: [...this.#changes],
      objects: [...this.#objects.values()],
      drops: [...this.#drops.values()],
      // CASCADE is read and means nothing (MySQL manual, "DROP TABLE Statement").
      cascade: false,
      writes: [...this.#writes.values()],
      locks: [...this.#locks.values()],
      work: this.#work,
      dataLoss: this.#loss,
      online: this.#online,
      notTransactional,
      transactionControl: this.#transactionControl,
    };
  }
}

function keyOf(ref: ObjectRef): string {
  return [ref.kind, ref.schema ?? '', ref.name, ref.member ?? ''].join('\0');
}

/** A column, an index or a constraint of a table. */
export function memberRef(kind: string, table: ObjectRef | undefined, member: string): ObjectRef {
  return { kind, schema: table?.schema, name: table?.name ?? '', member };
}
