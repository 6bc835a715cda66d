import { randomBytes } from 'node:crypto';
import type pgModule from 'pg';
import type { Client as PgClient, QueryArrayResult } from 'pg';
import type {
  BatchOutcome,
  Command,
  OnAnswer,
  OnCommandAnswer,
  PipelineOutcome,
  QueryResult,
  ServerFacts,
  ServerFailure,
  ServerIdentity,
  Session,
} from '../../../src/adapter/database.js';
import type { ConnectionSettings, HostAddress } from '../../../src/config/config.js';
import { FlybackError } from '../../../src/errors/error.js';
import { createBatchClass, createDrafts, createKeptPlans, type Wire } from './batch.js';
import { quoteIdentifier } from './quoting.js';
import { serverFailure, sessionError } from './server-failure.js';
import { tlsAttempts } from './tls.js';
import { takeOver, type TakenWire, type WireHandlers } from './wire.js';

type Pg = typeof pgModule;

/** Text exactly as the server sends it: flyback compares and records, it never computes with driver types. */
const textOnly = { getTypeParser: () => (value: string) => value };

/** Everything flyback asks about a server, in one row, right after connecting. */
const factsQuery = `SELECT current_setting('server_version'), current_setting('server_version_num'), current_database(), current_user,
 current_schema(), pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on', pg_backend_pid(),
 current_setting('max_locks_per_transaction')::bigint, current_setting('max_connections')::bigint,
 current_setting('max_prepared_transactions')::bigint, current_setting('role'), current_setting('search_path'),
 current_setting('max_worker_processes')::bigint + current_setting('max_wal_senders')::bigint
   + coalesce(current_setting('autovacuum_worker_slots', true), current_setting('autovacuum_max_workers'))::bigint + 1,
 current_setting('statement_timeout'), EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D')`;

/**
 * The server's identity, apart from the facts because it may be refused: everybody may call these functions unless that
 * was revoked, and some services do not offer them. A standby knows no current position, and no name of a log file.
 */
const identityQuery = `SELECT s.system_identifier::text || '/' || (SELECT d.oid::text FROM pg_catalog.pg_database d WHERE d.datname = current_database()),
 CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8) END,
 pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_flush_lsn() END, '0/0')::text
 FROM pg_catalog.pg_control_system() s`;

/**
 * Lets the server notice within a second that flyback is gone, also in the middle of a statement: without it a killed
 * flyback leaves its locks behind until the statement has ended. Not through a pooler, where the setting would stay with a
 * server process of others; and it may fail, for not every platform of the server can do it.
 */
function noticeLostClient(processId: number): string {
  return `SELECT pg_catalog.set_config('client_connection_check_interval', '1s', false) WHERE pg_catalog.pg_backend_pid() = ${processId} AND pg_catalog.current_setting('client_connection_check_interval') = '0'`;
}

/** Asks by trying: outside a transaction block SET LOCAL has no effect, but the permission is checked (all versions). */
const replicaModeProbe = `SET LOCAL session_replication_role = replica`;

/** Connects to the first host that answers and fits, and learns the facts of the server. */
export async function connectPostgresql(settings: ConnectionSettings): Promise<Session> {
  const pg = (await import('pg')).default;
  const failures: FlybackError[] = [];
  let secondChoice: PostgresqlSession | undefined;
  for (const host of settings.hosts) {
    try {
      const session = await open(pg, settings, host);
      const fit = targetFit(settings, session.facts);
      if (fit === 'right') {
        await secondChoice?.close();
        return session;
      }
      if (fit === 'acceptable' && secondChoice === undefined) {
        secondChoice = session;
      } else {
        await session.close();
        if (fit === 'wrong') {
          failures.push(
            new FlybackError(
              'connection-failed',
              `${printHost(host)} is not the kind of server that targetServerType=${settings.targetServer} asks for.`,
            ),
          );
        }
      }
    } catch (error) {
      const known =
        error instanceof FlybackError
          ? error
          : sessionError(error, `Cannot connect to ${printHost(host)}`, 'connecting');
      // A wrong password or database is wrong on every host; going on would only hide it.
      if (known.code === 'authentication-failed') throw known;
      failures.push(known);
    }
  }
  if (secondChoice !== undefined) return secondChoice;
  const [first] = failures;
  if (first !== undefined && failures.length === 1) throw first;
  throw new FlybackError(
    'connection-failed',
    `Cannot connect to any of ${settings.hosts.map(printHost).join(', ')}: ${failures.map((f) => f.message).join(' ')}`,
    { hint: 'Check that the hosts are reachable and that one of them fits targetServerType.' },
  );
}

function targetFit(settings: ConnectionSettings, facts: ServerFacts): 'right' | 'acceptable' | 'wrong' {
  switch (settings.targetServer) {
    case 'any':
      return 'right';
    case 'primary':
      return facts.readOnly ? 'wrong' : 'right';
    case 'secondary':
      return facts.readOnly ? 'right' : 'wrong';
    case 'preferPrimary':
      return facts.readOnly ? 'acceptable' : 'right';
    case 'preferSecondary':
      return facts.readOnly ? 'right' : 'acceptable';
  }
}

function printHost(host: HostAddress): string {
  return host.host.startsWith('/') ? `${host.host} (port ${host.port})` : `${host.host}:${host.port}`;
}

async function open(pg: Pg, settings: ConnectionSettings, host: HostAddress): Promise<PostgresqlSession> {
  let lastError: unknown;
  for (const ssl of await tlsAttempts(settings.tls, host.host)) {
    const client = withoutDriverDefaults(
      () =>
        new pg.Client({
          host: host.host,
          port: host.port,
          database: settings.databaseName,
          ...(settings.user === undefined ? {} : { user: settings.user }),
          ...(settings.password === undefined ? {} : { password: settings.password.reveal() }),
          ...(settings.options === undefined ? {} : { options: settings.options }),
          ssl,
          application_name: settings.applicationName,
          connectionTimeoutMillis: settings.connectTimeoutMs,
          keepAlive: true,
          types: textOnly,
          pipeline: true,
        }),
    );
    // Without a listener a connection that breaks while idle would end the process.
    client.on('error', () => undefined);
    try {
      await client.connect();
      return await PostgresqlSession.start(pg, client, settings, host);
    } catch (error) {
      lastError = error;
      await client.end().catch(() => undefined);
      if (error instanceof FlybackError) throw error;
    }
  }
  throw sessionError(lastError, `Cannot connect to ${settings.databaseName} on ${printHost(host)}`, 'connecting');
}

/** Variables that the driver would add to what is configured; Flyway's driver knows none of them. */
const driverVariables = ['PGOPTIONS', 'PGAPPNAME', 'PGCLIENTENCODING'] as const;

/** The driver reads its variables when a client is made, and offers no switch for that. */
function withoutDriverDefaults<T>(create: () => T): T {
  const saved = driverVariables.map((name) => [name, process.env[name]] as const);
  for (const name of driverVariables) Reflect.deleteProperty(process.env, name);
  try {
    return create();
  } finally {
    for (const [name, value] of saved) if (value !== undefined) process.env[name] = value;
  }
}

class PostgresqlSession implements Session {
  readonly facts: ServerFacts;
  readonly #pg: Pg;
  readonly #client: PgClient;
  readonly #host: HostAddress;
  readonly #Batch: ReturnType<typeof createBatchClass>;
  readonly #plans = createKeptPlans(`flyback_${randomBytes(4).toString('hex')}`);
  readonly #drafts = createDrafts(this.#plans);
  #notices: string[] = [];
  /** What the server said when it ended the session while nothing was asked of it. */
  #farewell: unknown;

  private constructor(pg: Pg, client: PgClient, host: HostAddress, facts: ServerFacts) {
    this.#pg = pg;
    this.#client = client;
    this.#host = host;
    this.#Batch = createBatchClass(pg);
    this.facts = facts;
    client.on('error', (error) => {
      this.#farewell ??= error;
    });
    client.on('notice', (notice) => {
      const detail = notice.detail === undefined || notice.detail === '' ? '' : `\n${notice.detail}`;
      this.#notices.push(`${notice.severity ?? 'NOTICE'}: ${notice.message ?? ''}${detail}`);
    });
  }

  static async start(
    pg: Pg,
    client: PgClient,
    settings: ConnectionSettings,
    host: HostAddress,
  ): Promise<PostgresqlSession> {
    const setUp: string[] = [];
    if (settings.searchPath.length > 0) {
      setUp.push(`SET search_path = ${settings.searchPath.map(quoteIdentifier).join(', ')}`);
    }
    if (settings.initSql !== undefined && settings.initSql.trim() !== '') setUp.push(settings.initSql);
    // All in one go: the answers are read in order, and only the set-up and the facts must not fail.
    const preparing = setUp.map((sql) => client.query(sql));
    const asking = client.query({ text: factsQuery, rowMode: 'array' });
    const identifying = client.query({ text: identityQuery, rowMode: 'array' }).then(
      ({ rows }) => readIdentity(rows[0] as readonly (string | null)[] | undefined),
      () => readIdentity(undefined),
    );
    const { processID } = client as unknown as { processID: number | null };
    const noticing = client.query(noticeLostClient(processID ?? 0)).catch(() => undefined);
    const probing = client.query(replicaModeProbe).then(
      () => true,
      () => false,
    );
    const [prepared, answered] = await Promise.allSettled([Promise.all(preparing), asking]);
    const [mayUseReplicaMode, identity] = await Promise.all([probing, identifying, noticing]);
    if (prepared.status === 'rejected') {
      throw sessionError(
        prepared.reason,
        'The connection was opened, but its initial SQL (search_path, initSql) failed',
        'connecting',
      );
    }
    if (answered.status === 'rejected') {
      throw sessionError(answered.reason, 'The server answered, but not like a PostgreSQL server', 'connecting');
    }
    const row = answered.value.rows[0] as readonly (string | null)[];
    const facts = {
      ...readFacts(row, mayUseReplicaMode, client as unknown as { processID: number | null }),
      identity,
    };
    if (facts.majorVersion < 14) {
      throw new FlybackError(
        'server-unsupported',
        `This server is PostgreSQL ${facts.version}; flyback supports 14 and newer.`,
        {
          hint: 'Upgrade the server, or run the rollback script by hand with psql.',
        },
      );
    }
    return new PostgresqlSession(pg, client, host, facts);
  }

  async query(sql: string): Promise<readonly QueryResult[]> {
    const outcome = await this.pipeline([sql]);
    if (outcome.failure !== undefined) {
      throw sessionError(outcome.failure.error.cause, 'The server refused a statement of flyback', 'connected');
    }
    return outcome.results[0] ?? [];
  }

  async pipeline(messages: readonly string[], onAnswer?: OnAnswer): Promise<PipelineOutcome> {
    // The socket is corked so that all messages leave in as few packets as possible.
    const stream = (this.#client as unknown as { connection: { stream: { cork?(): void; uncork?(): void } } })
      .connection.stream;
    stream.cork?.();
    const answers = messages.map((text, index) => this.#send(text, index, onAnswer));
    stream.uncork?.();
    const settled = await Promise.allSettled(answers);
    const results: (readonly QueryResult[])[] = [];
    for (const [index, answer] of settled.entries()) {
      if (answer.status === 'rejected') return { results, failure: { index, error: this.#failure(answer.reason) } };
      results.push(answer.value);
    }
    return { results, failure: undefined };
  }

  async batch(commands: readonly Command[], onAnswer?: OnCommandAnswer): Promise<BatchOutcome> {
    const results: QueryResult[] = [];
    const error = await new Promise<unknown>((resolve) => {
      const batch = new this.#Batch(commands, this.#plans, this.#drafts, {
        onResult: (index, result) => {
          results.push(result);
          onAnswer?.(index, result);
        },
        onEnd: resolve,
      });
      this.#client.query(batch as never);
    });
    if (error === undefined) return { results, failure: undefined };
    // A connection that breaks behind the last answer has failed all the same: the unit was not closed.
    const index = Math.min(results.length, commands.length - 1);
    return { results: results.slice(0, index), failure: { index, error: this.#failure(error) } };
  }

  draft(commands: readonly Command[]): void {
    this.#drafts.write((this.#client as unknown as { readonly connection: Wire }).connection, commands);
  }

  forgetPlans(): void {
    this.#plans.forget();
  }

  async #send(text: string, index: number, onAnswer: OnAnswer | undefined): Promise<readonly QueryResult[]> {
    const answer = (await this.#client.query({ text, rowMode: 'array' })) as unknown;
    const list = (Array.isArray(answer) ? answer : [answer]) as readonly QueryArrayResult<(string | null)[]>[];
    const results = list.map(toResult);
    onAnswer?.(index, results);
    return results;
  }

  async copyIn(statement: string, data: string): Promise<QueryResult | { readonly failure: ServerFailure }> {
    const { Query } = this.#pg;
    interface CopyConnection {
      sendCopyFromChunk(chunk: Buffer): void;
      endCopyFrom(): void;
    }
    // pg answers COPY … FROM STDIN with CopyFail unless a query object supplies the data itself.
    const query = new (class extends (Query as unknown as new (
      config: object,
      values?: undefined,
      done?: unknown,
    ) => object) {
      handleCopyInResponse(connection: CopyConnection): void {
        connection.sendCopyFromChunk(Buffer.from(data, 'utf8'));
        connection.endCopyFrom();
      }
    })({ text: statement, rowMode: 'array' });
    try {
      const answer = await new Promise<unknown>((resolve, reject) => {
        Object.assign(query, {
          callback: (error: unknown, result: unknown) => (error ? reject(error as Error) : resolve(result)),
        });
        this.#client.query(query as never);
      });
      return toResult(answer as QueryArrayResult<(string | null)[]>);
    } catch (error) {
      return { failure: this.#failure(error) };
    }
  }

  /** The driver says of a broken session only that it is broken; the server may have said why. */
  #failure(cause: unknown): ServerFailure {
    const failure = serverFailure(cause);
    const earlier = this.#farewell === undefined ? undefined : serverFailure(this.#farewell);
    return failure.serverCode === undefined && earlier?.serverCode !== undefined ? earlier : failure;
  }

  takeNotices(): readonly string[] {
    const taken = this.#notices;
    this.#notices = [];
    return taken;
  }

  async cancel(): Promise<void> {
    // The protocol's own cancel request: needs no free connection slot, and a pooler forwards it to the right backend.
    const canceller = new this.#pg.Client({ host: this.#host.host, port: this.#host.port, ssl: false });
    canceller.on('error', () => undefined);
    const wire = canceller as unknown as {
      connection: {
        connect(port: number | string, host?: string): void;
        on(event: string, listener: () => void): void;
        cancel(processId: number, secretKey: number): void;
        stream: { destroy(): void };
      };
    };
    const own = this.#client as unknown as { processID: number; secretKey: number };
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        wire.connection.stream.destroy();
        finish();
      }, 3000);
      wire.connection.on('error', finish);
      wire.connection.on('end', finish);
      wire.connection.on('connect', () => wire.connection.cancel(own.processID, own.secretKey));
      if (this.#host.host.startsWith('/')) wire.connection.connect(`${this.#host.host}/.s.PGSQL.${this.#host.port}`);
      else wire.connection.connect(this.#host.port, this.#host.host);
    });
  }

  takeOver(handlers: WireHandlers): TakenWire {
    return takeOver(this.#client, handlers);
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }
}

/**
 * Takes the session's connection over, whose last answer has come and been read. Until it is given back nothing else may be
 * asked of the session, except to cancel. Undefined: not a session of this adapter.
 */
export function takeConnection(session: Session, handlers: WireHandlers): TakenWire | undefined {
  return session instanceof PostgresqlSession ? session.takeOver(handlers) : undefined;
}

/**
 * What the server plans for, max_locks_per_transaction × all backends, is less than it bears: room for twice as many
 * holders as locks is set aside, which one transaction alone does not need. Measured on 14 and 18 with 340 to 34,560
 * planned locks: 1.28 times that on the smallest, 1.55 to 1.98 times on the others.
 */
function lockTableSize(planned: number): number {
  return Math.floor(planned * 1.4) - 64;
}

function toResult(result: QueryArrayResult<(string | null)[]>): QueryResult {
  return {
    command: result.command,
    rowCount: result.rowCount,
    columns: result.fields.map((field) => field.name),
    rows: result.rows,
  };
}

function readFacts(
  row: readonly (string | null)[],
  mayUseReplicaMode: boolean,
  client: { processID: number | null },
): Omit<ServerFacts, 'identity'> {
  const [
    version,
    versionNumber,
    databaseName,
    user,
    currentSchema,
    readOnly,
    pid,
    locks,
    connections,
    prepared,
    role,
    searchPath,
    auxiliary,
    statementTimeout,
    hasEventTriggers,
  ] = row;
  return {
    version: version ?? '',
    majorVersion: Math.floor(Number(versionNumber) / 10_000),
    databaseName: databaseName ?? '',
    user: user ?? '',
    currentSchema: currentSchema ?? null,
    readOnly: readOnly === 't',
    mayUseReplicaMode,
    backendId: Number(pid),
    proxied: client.processID !== Number(pid),
    lockTableSize: lockTableSize(Number(locks) * (Number(connections) + Number(prepared) + Number(auxiliary))),
    role: role ?? 'none',
    searchPath: searchPath ?? '',
    statementTimeout: statementTimeout ?? '0',
    hasEventTriggers: hasEventTriggers !== 'f',
  };
}

function readIdentity(row: readonly (string | null)[] | undefined): ServerIdentity {
  const [database, timeline, position] = row ?? [];
  return {
    database: database ?? null,
    timeline: timeline === null || timeline === undefined ? null : Number.parseInt(timeline, 16),
    walPosition: position === null || position === undefined ? null : Number(position),
  };
}
