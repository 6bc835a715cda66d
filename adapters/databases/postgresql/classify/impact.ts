import type { ChangeType, DataLoss, LockImpact, ObjectRef, StatementImpact } from '../../../../src/risk/change.js';

/** Table-level lock modes from weakest to strongest (PostgreSQL manual, "Explicit Locking"); LOCK TABLE's mode n is entry n - 1. */
export const lockLevels = [
  'ACCESS SHARE',
  'ROW SHARE',
  'ROW EXCLUSIVE',
  'SHARE UPDATE EXCLUSIVE',
  'SHARE',
  'SHARE ROW EXCLUSIVE',
  'EXCLUSIVE',
  'ACCESS EXCLUSIVE',
] as const;
export type LockLevel = (typeof lockLevels)[number];

const works = ['none', 'scan', 'rewrite'] as const;
const losses = ['no', 'maybe', 'yes'] as const;

function keyOf(ref: ObjectRef): string {
  return [ref.kind, ref.schema ?? '', ref.name, ref.member ?? '', ref.signature ?? ''].join('\0');
}

/** Collects what one statement does; each fact may be said more than once, the strongest counts. */
export class ImpactCollector {
  readonly #changes = new Set<ChangeType>();
  readonly #objects = new Map<string, ObjectRef>();
  readonly #drops = new Map<string, ObjectRef>();
  readonly #writes = new Map<string, ObjectRef>();
  readonly #locks = new Map<string, { level: LockLevel; on: ObjectRef }>();
  #cascade = false;
  #work: (typeof works)[number] = 'none';
  #loss: DataLoss = 'no';
  #notTransactional: string | undefined;
  #transactionControl = false;

  change(...types: readonly ChangeType[]): void {
    for (const type of types) this.#changes.add(type);
  }

  object(ref: ObjectRef): void {
    this.#objects.set(keyOf(ref), ref);
  }

  /** The object is removed, so it is also one of the objects concerned. */
  drop(ref: ObjectRef): void {
    this.object(ref);
    this.#drops.set(keyOf(ref), ref);
  }

  cascade(behavior: string | undefined): void {
    if (behavior === 'DROP_CASCADE') this.#cascade = true;
  }

  write(ref: ObjectRef): void {
    this.object(ref);
    this.#writes.set(keyOf(ref), ref);
  }

  lock(level: LockLevel, on: ObjectRef): void {
    const key = keyOf(on);
    const held = this.#locks.get(key);
    if (held === undefined || lockLevels.indexOf(held.level) < lockLevels.indexOf(level)) {
      this.#locks.set(key, { level, on });
    }
  }

  /** Takes over the locks that another collector has found, and nothing else. */
  adoptLocks(other: ImpactCollector): void {
    for (const { level, on } of other.#locks.values()) this.lock(level, on);
  }

  work(work: (typeof works)[number]): void {
    if (works.indexOf(work) > works.indexOf(this.#work)) this.#work = work;
  }

  lose(loss: DataLoss): void {
    if (losses.indexOf(loss) > losses.indexOf(this.#loss)) this.#loss = loss;
  }

  /** The server refuses the statement inside a transaction block; `name` is how its message calls the statement. */
  refuseTransaction(name: string): void {
    this.#notTransactional = `${name} cannot run inside a transaction block.`;
  }

  controlTransaction(): void {
    this.#transactionControl = true;
  }

  /** The collected facts as a value. */
  build(): StatementImpact {
    const locks: readonly LockImpact[] = [...this.#locks.values()];
    return {
      changes: [...this.#changes],
      objects: [...this.#objects.values()],
      drops: [...this.#drops.values()],
      cascade: this.#cascade,
      writes: [...this.#writes.values()],
      locks,
      work: this.#work,
      dataLoss: this.#loss,
      notTransactional: this.#notTransactional,
      transactionControl: this.#transactionControl,
    };
  }
}
