import pg from 'pg';
import { recovery } from '../../../../../adapters/databases/postgresql/recovery.js';
import type { Inspection, StatementRecovery } from '../../../../../src/adapter/database.js';

type Rows = readonly (readonly (string | null)[])[];

/** Connections to one database, all with the same search_path, and the statement whose recovery is looked at. */
export class Bench {
  readonly #url: string;
  readonly #searchPath: string;
  readonly #clients: pg.Client[] = [];

  constructor(url: string, searchPath: string) {
    this.#url = url;
    this.#searchPath = searchPath;
  }

  async open(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.#url,
      types: { getTypeParser: () => (text: string) => text },
    });
    // A session that is terminated on purpose must not end the test process.
    client.on('error', () => undefined);
    await client.connect();
    this.#clients.push(client);
    await client.query(`SET search_path = ${this.#searchPath}`);
    return client;
  }

  /** A session that has begun a transaction and run these statements in it. */
  async hold(...statements: readonly string[]): Promise<pg.Client> {
    const client = await this.open();
    for (const sql of statements) await client.query(sql);
    return client;
  }

  /** Runs statements one after the other, each alone, on a connection of their own. */
  async run(...statements: readonly string[]): Promise<void> {
    const client = await this.open();
    for (const sql of statements) await client.query(sql);
    await client.end();
  }

  async ask({ inspect }: StatementRecovery): Promise<Rows> {
    if (inspect === undefined) throw new Error('There is nothing to ask.');
    const client = await this.open();
    const { rows } = await client.query<(string | null)[]>({ text: inspect, rowMode: 'array' });
    await client.end();
    return rows;
  }

  async holds(condition: string): Promise<boolean> {
    const client = await this.open();
    const { rows } = await client.query<{ holds: string }>(`SELECT (${condition}) AS holds`);
    await client.end();
    return rows[0]?.holds === 't';
  }

  async until(condition: string): Promise<void> {
    const deadline = Date.now() + 20_000;
    const client = await this.open();
    for (;;) {
      const { rows } = await client.query<{ holds: string }>(`SELECT (${condition}) AS holds`);
      if (rows[0]?.holds === 't') break;
      if (Date.now() > deadline) throw new Error(`Never came true: ${condition}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await client.end();
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end().catch(() => undefined)));
  }
}

/** A statement under way on a connection of its own. */
export class Running {
  readonly processId: string;
  readonly #bench: Bench;
  readonly #client: pg.Client;
  readonly #end: Promise<string>;

  private constructor(bench: Bench, client: pg.Client, processId: string, sql: string) {
    this.#bench = bench;
    this.#client = client;
    this.processId = processId;
    this.#end = client.query(sql).then(
      () => '00000',
      (error: unknown) => (error as pg.DatabaseError).code ?? String(error),
    );
  }

  static async start(bench: Bench, sql: string, ...settings: readonly string[]): Promise<Running> {
    const client = await bench.open();
    for (const setting of settings) await client.query(setting);
    const { rows } = await client.query<{ pid: string }>('SELECT pg_backend_pid() AS pid');
    return new Running(bench, client, rows[0]?.pid ?? '', sql);
  }

  /** Waits until it waits for others, in a phase of building an index or with this condition fulfilled. */
  async reaches(state: { readonly phase: string } | { readonly condition: string }): Promise<void> {
    const waits = `EXISTS (SELECT FROM pg_locks WHERE pid = ${this.processId} AND NOT granted)`;
    const there =
      'phase' in state
        ? `EXISTS (SELECT FROM pg_stat_progress_create_index WHERE pid = ${this.processId} AND phase = '${state.phase}')`
        : state.condition;
    await this.#bench.until(`${waits} AND ${there}`);
  }

  /** SQLSTATE with which it ended, 00000 when it did not fail. */
  ended(): Promise<string> {
    return this.#end;
  }

  /** Returns the SQLSTATE when the server process has let go of everything. */
  async interrupt(how: 'cancel' | 'terminate'): Promise<string> {
    await this.#bench.run(`SELECT pg_${how}_backend(${this.processId})`);
    const state = await this.#end;
    await this.#client.end().catch(() => undefined);
    await this.#bench.until(`NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ${this.processId})`);
    return state;
  }
}

/** The recovery of a statement with what was there before; the answer goes through JSON, as in the journal. */
export class Observed {
  readonly recovery: StatementRecovery;
  readonly #bench: Bench;
  readonly #before: string;

  private constructor(bench: Bench, found: StatementRecovery, before: Rows) {
    this.#bench = bench;
    this.recovery = found;
    this.#before = JSON.stringify(before);
  }

  static async before(bench: Bench, statement: string): Promise<Observed> {
    const found = await recovery(statement);
    return new Observed(bench, found, await bench.ask(found));
  }

  async now(): Promise<Inspection> {
    return this.recovery.judge(JSON.parse(this.#before) as Rows, await this.#bench.ask(this.recovery));
  }

  /** As if the journal had kept nothing from before. */
  async nowWithoutBefore(): Promise<Inspection> {
    return this.recovery.judge(null, await this.#bench.ask(this.recovery));
  }
}
