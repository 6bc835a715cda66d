/**
 * The savepoints that stand for the transactions of programs. They lie upon each other on the server, in whatever order
 * their owners begin and end: releasing one releases all above it, and going back to one removes them.
 */
export class Savepoints {
  #open: { readonly owner: object; readonly name: string; isCommitted: boolean }[] = [];
  /** Each owner's own; also when it is not on the server any more. */
  readonly #names = new Map<object, string>();
  #made = 0;

  constructor(private readonly prefix: string) {}

  /** The one that was made first of those that are there. */
  get lowest(): string | undefined {
    return this.#open[0]?.name;
  }

  has(owner: object): boolean {
    return this.#names.has(owner);
  }

  nameOf(owner: object): string | undefined {
    return this.#names.get(owner);
  }

  add(owner: object): string {
    this.#made += 1;
    const name = `${this.prefix}_${this.#made}`;
    this.#open.push({ owner, name, isCommitted: false });
    this.#names.set(owner, name);
    return name;
  }

  /** It could not be made. */
  undo(owner: object): void {
    this.#open = this.#open.filter((savepoint) => savepoint.owner !== owner || savepoint.isCommitted);
    this.#names.delete(owner);
  }

  /** Which one is to be released, with all above it; undefined: one above it is still in use, or it is gone. */
  commit(owner: object): string | undefined {
    const name = this.nameOf(owner);
    this.#names.delete(owner);
    const own = this.#open.find((savepoint) => savepoint.name === name);
    if (own === undefined) return undefined;
    own.isCommitted = true;
    let released: string | undefined;
    while (this.#open.at(-1)?.isCommitted === true) released = this.#open.pop()?.name;
    return released;
  }

  /** Whether it is there to go back to; it and all above are gone then. */
  rollback(owner: object): boolean {
    const name = this.nameOf(owner);
    this.#names.delete(owner);
    const at = this.#open.findIndex((savepoint) => savepoint.name === name);
    if (at !== -1) this.#open.splice(at);
    return at !== -1;
  }
}
