import type pgModule from 'pg';
import type { Command, QueryResult } from '../../../src/adapter/database.js';

/** The part of pg's connection with which its own queries and pg-cursor speak the extended query protocol. */
export interface Wire {
  readonly stream: { readonly writable: boolean; write(bytes: Uint8Array): unknown; destroy(error: Error): void };
  parse(message: { readonly text: string; readonly name: string }): void;
  bind(message: { readonly statement: string; readonly values: readonly (string | null)[] }): void;
  describe(message: { readonly type: 'P' }): void;
  execute(message: object): void;
  close(message: { readonly type: 'S'; readonly name: string }): void;
  flush(): void;
  sync(): void;
}

interface KeptPlan {
  readonly name: string;
  /** Whether the server knows it already ('maybe': it may). */
  readonly known: 'yes' | 'no' | 'maybe';
  /** The messages that execute it without values, once they were needed. */
  call?: Uint8Array;
}

/** The plans that the server keeps for a session. */
export interface KeptPlans {
  /** Changes whenever one of them can no longer be relied on. */
  readonly state: number;
  find(sql: string): KeptPlan;
  note(sql: string, known: 'yes' | 'maybe'): void;
}

export interface BatchHandlers {
  readonly onResult: (index: number, result: QueryResult) => void;
  readonly onEnd: (error: unknown) => void;
}

type BatchClass = new (
  commands: readonly Command[],
  plans: KeptPlans,
  drafts: Drafts,
  handlers: BatchHandlers,
) => object;

/**
 * The query object that sends commands with the extended query protocol and a single Sync behind them: after an error the
 * server "reads and discards messages until a Sync is reached" (PostgreSQL manual, "Extended Query" and "Pipelining"). Its
 * parent is pg's own query because pg takes no other where several queries are under way.
 */
export function createBatchClass(pg: typeof pgModule): BatchClass {
  const { Query } = pg as unknown as { Query: new (text: string, callback: () => void) => object };
  return class Batch extends Query {
    readonly #commands: readonly Command[];
    readonly #plans: KeptPlans;
    readonly #drafts: Drafts;
    readonly #handlers: BatchHandlers;
    #done = 0;
    #columns: readonly string[] = [];
    #rows: (readonly (string | null)[])[] = [];
    #fault: unknown;
    #hasEnded = false;

    constructor(commands: readonly Command[], plans: KeptPlans, drafts: Drafts, handlers: BatchHandlers) {
      // Not as an object, which pg would copy for every version.
      super('', () => undefined);
      this.#commands = commands;
      this.#plans = plans;
      this.#drafts = drafts;
      this.#handlers = handlers;
    }

    submit(wire: Wire): null {
      // In one piece: the client needs longer for a hundred small ones than the server for most versions.
      const bytes = written(wire, (paper) => this.#write(paper));
      if (wire.stream.writable) wire.stream.write(bytes);
      return null;
    }

    #write(wire: Wire): void {
      const sent = new Set<string>();
      for (const command of this.#commands) {
        const draft = this.#drafts.get(command);
        if (draft === undefined) writeCommand(wire, command, this.#plans, sent);
        else wire.stream.write(draft);
      }
      wire.sync();
    }

    handleRowDescription(message: { readonly fields: readonly { readonly name: string }[] }): void {
      this.#columns = message.fields.map((field) => field.name);
    }

    handleDataRow(message: { readonly fields: readonly (string | null)[] }): void {
      this.#rows.push(message.fields);
    }

    handleCommandComplete(message: { readonly text: string }): void {
      this.#finish(message.text);
    }

    handleEmptyQuery(): void {
      this.#finish('');
    }

    handleCopyInResponse(wire: Wire): void {
      // The server takes the Sync for a part of the data, and no other would follow: it would wait for ever.
      wire.stream.destroy(new Error('COPY … FROM STDIN was sent without its data'));
    }

    handleError(error: unknown): void {
      this.#end(error);
    }

    handleReadyForQuery(): void {
      this.#end(this.#fault);
    }

    #finish(tag: string): void {
      const [, tagWords = '', count] = /^([A-Z ]*?)(?:(?: \d+)? (\d+))?$/.exec(tag) ?? [];
      const result: QueryResult = {
        command: tagWords,
        rowCount: count === undefined ? null : Number(count),
        columns: this.#columns,
        rows: this.#rows,
      };
      const index = this.#done;
      this.#done += 1;
      this.#columns = [];
      this.#rows = [];
      const command = this.#commands[index];
      if (command?.keepsPlan === true) this.#plans.note(command.sql, 'yes');
      try {
        this.#handlers.onResult(index, result);
      } catch (error) {
        // Thrown from here it would end the process.
        this.#fault ??= error;
      }
    }

    #end(error: unknown): void {
      if (this.#hasEnded) return;
      this.#hasEnded = true;
      for (const { keepsPlan, sql } of this.#commands.slice(this.#done)) {
        if (keepsPlan === true) this.#plans.note(sql, 'maybe');
      }
      this.#handlers.onEnd(error);
    }
  };
}

function writeCommand(wire: Wire, command: Command, plans: KeptPlans, sent: Set<string>): void {
  const { sql, values, keepsPlan, tellsColumns, answersAtOnce } = command;
  const plan = keepsPlan === true ? announce(wire, sql, plans, sent) : undefined;
  if (plan === undefined) wire.parse({ text: sql, name: '' });
  if (plan !== undefined && values === undefined && tellsColumns !== true) {
    plan.call ??= written(wire, (paper) => call(paper, plan.name, [], false));
    wire.stream.write(plan.call);
  } else {
    call(wire, plan?.name ?? '', values ?? [], tellsColumns === true);
  }
  if (answersAtOnce === true) wire.flush();
}

/** Commands that were written down before they are sent. */
export interface Drafts {
  write(wire: Wire, commands: readonly Command[]): void;
  /** Undefined: it was not written down, or that is void. */
  get(command: Command): Uint8Array | undefined;
}

export function createDrafts(plans: KeptPlans): Drafts {
  const drafts = new WeakMap<Command, { readonly bytes: Uint8Array; readonly state: number }>();
  return {
    write: (wire, commands) => {
      for (const command of commands) {
        // What the server has to be told of a plan depends on what was sent by then.
        if (command.keepsPlan === true && plans.find(command.sql).known !== 'yes') continue;
        const bytes = written(wire, (paper) => {
          writeCommand(paper, command, plans, new Set());
        });
        drafts.set(command, { bytes, state: plans.state });
      }
    },
    get: (command) => {
      const draft = drafts.get(command);
      return draft?.state === plans.state ? draft.bytes : undefined;
    },
  };
}

/** What would be sent: the messages are written by the same connection, on paper. */
function written(wire: Wire, write: (paper: Wire) => void): Uint8Array {
  const parts: Uint8Array[] = [];
  const stream = { writable: true, write: (bytes: Uint8Array) => parts.push(bytes) };
  write(Object.create(wire, { stream: { value: stream } }) as Wire);
  return Buffer.concat(parts);
}

function call(wire: Wire, name: string, values: readonly (string | null)[], tellsColumns: boolean): void {
  wire.bind({ statement: name, values });
  if (tellsColumns) wire.describe({ type: 'P' });
  wire.execute({});
}

/** Tells the server the statement's text where it may not know it. */
function announce(wire: Wire, sql: string, plans: KeptPlans, sent: Set<string>): KeptPlan {
  const plan = plans.find(sql);
  const { name, known } = plan;
  if (known === 'yes' || sent.has(name)) return plan;
  // Closing what is not there is no error.
  if (known === 'maybe') wire.close({ type: 'S', name });
  wire.parse({ text: sql, name });
  sent.add(name);
  return plan;
}

/** Names that no script uses by chance: `prefix` and a number. */
export function createKeptPlans(prefix: string): KeptPlans & { forget(): void } {
  const plans = new Map<string, KeptPlan & { known: KeptPlan['known'] }>();
  const find = (sql: string): KeptPlan & { known: KeptPlan['known'] } => {
    const found = plans.get(sql);
    if (found !== undefined) return found;
    const plan = { name: `${prefix}_${plans.size + 1}`, known: 'no' as const };
    plans.set(sql, plan);
    return plan;
  };
  let state = 0;
  return {
    get state() {
      return state;
    },
    find,
    note: (sql, known) => {
      if (known === 'maybe') state += 1;
      find(sql).known = known;
    },
    forget: () => {
      state += 1;
      for (const plan of plans.values()) plan.known = 'maybe';
    },
  };
}
