import type mysqlModule from 'mysql2';
import type { Connection, ConnectionOptions } from 'mysql2';
import type {
  BatchOutcome,
  Command,
  OnAnswer,
  OnCommandAnswer,
  PipelineOutcome,
  QueryResult,
  ServerFacts,
  ServerFailure,
  Session,
} from '../../../src/adapter/database.js';
import type { ConnectionSettings, HostAddress } from '../../../src/config/config.js';
import { FlybackError } from '../../../src/errors/error.js';
import { isSupported, readFacts, variablesQuery, whoQuery } from './facts.js';
import { brokenMark } from './guard.js';
import { splitScript, tokenizeStatement } from './lexer.js';
import { quoteLiteral } from './quoting.js';
import { allowSeveral, createQuery, sendStatements, type Answer } from './query.js';
import { mysqlFailure, sessionError } from './server-failure.js';
import { type DriverTls, tlsAttempts } from './tls.js';

type Mysql = typeof mysqlModule;

/** A session on MySQL or MariaDB. */
export interface MysqlSession extends Session {
  /** Whether a transaction was open after the latest answer: an implicit commit shows here. */
  readonly inTransaction: boolean;
}

/** Connects to the first host that answers and fits, and learns the facts of the server. */
export async function connectMysql(settings: ConnectionSettings): Promise<MysqlSession> {
  const mysql = (await import('mysql2')).default;
  const failures: FlybackError[] = [];
  for (const host of settings.hosts) {
    try {
      return await open(mysql, settings, host);
    } catch (error) {
      const known =
        error instanceof FlybackError
          ? error
          : sessionError(error, `Cannot connect to ${settings.databaseName} on ${printHost(host)}`, 'connecting');
      // A wrong password or database is wrong on every host; going on would only hide it.
      if (known.code === 'authentication-failed') throw known;
      failures.push(known);
    }
  }
  const [first] = failures;
  if (first !== undefined && failures.length === 1) throw first;
  throw new FlybackError(
    'connection-failed',
    `Cannot connect to any of ${settings.hosts.map(printHost).join(', ')}: ${failures.map((f) => f.message).join(' ')}`,
    { hint: 'Check that the hosts are reachable.' },
  );
}

function printHost(host: HostAddress): string {
  return host.host.startsWith('/') ? host.host : `${host.host}:${host.port}`;
}

async function open(mysql: Mysql, settings: ConnectionSettings, host: HostAddress): Promise<MysqlSession> {
  const attempts = await tlsAttempts(settings.tls, host.host);
  for (const [index, tls] of attempts.entries()) {
    const options = driverOptions(settings, host, tls);
    try {
      return await DriverSession.start(mysql, await connect(mysql, options), options, settings);
    } catch (error) {
      const hasNoTls = (error as { code?: string }).code === 'HANDSHAKE_NO_SSL_SUPPORT';
      if (!hasNoTls || index === attempts.length - 1) throw error;
    }
  }
  throw new Error('No way to connect was tried.');
}

function driverOptions(
  settings: ConnectionSettings,
  { host, port }: HostAddress,
  tls: DriverTls | undefined,
): ConnectionOptions {
  return {
    ...(host.startsWith('/') ? { socketPath: host } : { host, port }),
    database: settings.databaseName,
    ...(settings.user === undefined ? {} : { user: settings.user }),
    ...(settings.password === undefined ? {} : { password: settings.password.reveal() }),
    ...(tls === undefined ? {} : { ssl: { ...tls } }),
    connectTimeout: settings.connectTimeoutMs,
    connectAttributes: { program_name: settings.applicationName },
    charset: 'utf8mb4',
    enableKeepAlive: true,
    keepAliveInitialDelay: 10_000,
    // No file of this machine for any server; and no other reading of function names than the server's own sql_mode.
    flags: ['-LOCAL_FILES', '-IGNORE_SPACE'],
    multipleStatements: true,
    disableEval: true,
    trace: false,
  };
}

async function connect(mysql: Mysql, options: ConnectionOptions): Promise<Connection> {
  const connection = mysql.createConnection(options);
  // Without a listener a connection that breaks while idle would end the process.
  connection.on('error', () => undefined);
  const { host } = options;
  // For an address without a name the driver tells Node no name to check, and Node would then expect "localhost".
  if (host !== undefined) Object.assign((connection as unknown as { stream: object }).stream, { _host: host });
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) => {
      if (error === null) resolve();
      else {
        connection.destroy();
        reject(error);
      }
    });
  });
  return connection;
}

/** Statements whose answer would be another one if flyback asked for warnings before them. */
const asksAboutThePrevious = /row_count|found_rows|diagnostics|\bshow\s+(?:warnings|errors|count)/i;

class DriverSession implements MysqlSession {
  readonly facts: ServerFacts;
  readonly #mysql: Mysql;
  readonly #connection: Connection;
  readonly #options: ConnectionOptions;
  #notices: string[] = [];
  #inTransaction = false;
  /** The latest statement of somebody's has warnings that were not asked for yet. */
  #hasWarnings = false;
  /** What the server said when it ended the session while nothing was asked of it. */
  #farewell: unknown;

  private constructor(mysql: Mysql, connection: Connection, options: ConnectionOptions, facts: ServerFacts) {
    this.#mysql = mysql;
    this.#connection = connection;
    this.#options = options;
    this.facts = facts;
    connection.on('error', (error: unknown) => {
      this.#farewell ??= error;
    });
  }

  static async start(
    mysql: Mysql,
    connection: Connection,
    options: ConnectionOptions,
    settings: ConnectionSettings,
  ): Promise<DriverSession> {
    const ask = async (sql: string): Promise<Answer> => createQuery(connection, sql);
    try {
      // The handshake names one collation of utf8mb4; a client of the server's own takes the server's default.
      await ask('SET NAMES utf8mb4');
      try {
        for (const { text } of splitScript(settings.initSql ?? '', { endsBodiesItself: true }).statements)
          await ask(text);
      } catch (error) {
        throw sessionError(
          error,
          'The connection was opened, but its initial SQL (sessionVariables, initSql) failed',
          'connecting',
        );
      }
      // Otherwise the end of a transaction may begin another one or end the session, and of a long history the first rows be all.
      await ask("SET SESSION completion_type = 'NO_CHAIN', sql_select_limit = 18446744073709551615");
      const variables = await ask(variablesQuery);
      const who = await ask(whoQuery);
      const facts = readFacts(variables.rows, who.rows[0] ?? [], connection.threadId);
      if (!isSupported(facts)) {
        throw new FlybackError(
          'server-unsupported',
          `This server is ${facts.mysql.product} ${facts.version}; flyback supports MySQL 8.0 and MariaDB 10.6, and newer.`,
          { hint: 'Upgrade the server, or run the rollback script by hand with the mysql client.' },
        );
      }
      return new DriverSession(mysql, connection, options, facts);
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  get inTransaction(): boolean {
    return this.#inTransaction;
  }

  async query(sql: string): Promise<readonly QueryResult[]> {
    const outcome = await this.pipeline([sql]);
    if (outcome.failure !== undefined) {
      const { error } = outcome.failure;
      if (error.cause === undefined) throw new FlybackError('script-failed', error.message, { hint: error.hint });
      throw sessionError(error.cause, 'The server refused a statement of flyback', 'connected');
    }
    return outcome.results[0] ?? [];
  }

  async pipeline(messages: readonly string[], onAnswer?: OnAnswer): Promise<PipelineOutcome> {
    const split = messages.map((message) =>
      splitScript(message, { endsBodiesItself: true }).statements.map(({ text }) => ({ text })),
    );
    const results: (readonly QueryResult[])[] = [];
    let current: QueryResult[] = [];
    const close = (): void => {
      while (split[results.length]?.length === current.length) {
        results.push(current);
        onAnswer?.(results.length - 1, current);
        current = [];
      }
    };
    close();
    const { failure } = await this.#sendAll(split.flat(), (_index, result) => {
      current.push(result);
      close();
    });
    return { results, failure: failure === undefined ? undefined : { index: results.length, error: failure.error } };
  }

  async batch(commands: readonly Command[], onAnswer?: OnCommandAnswer): Promise<BatchOutcome> {
    return this.#sendAll(
      commands.map(({ sql, values, answersAtOnce }) => ({
        text: bindValues(sql, values ?? []),
        isLast: answersAtOnce,
      })),
      onAnswer,
    );
  }

  async #sendAll(statements: readonly Sendable[], onAnswer?: OnCommandAnswer): Promise<BatchOutcome> {
    const results: QueryResult[] = [];
    for (const packet of packets(statements)) {
      const outcome = packet.length === 1 ? await this.#sendOne(packet[0] ?? '') : await this.#sendTogether(packet);
      for (const result of outcome.results) {
        results.push(result);
        onAnswer?.(results.length - 1, result);
      }
      if (outcome.failure !== undefined) return { results, failure: { index: results.length, error: outcome.failure } };
    }
    if (this.#hasWarnings) await this.#noteWarnings().catch(() => undefined);
    return { results, failure: undefined };
  }

  async #sendOne(statement: string): Promise<PacketOutcome> {
    try {
      // A statement of a script may ask about the one before it; whoever was asked in between would answer for that.
      if (this.#hasWarnings && !asksAboutThePrevious.test(statement)) await this.#noteWarnings();
      this.#hasWarnings = false;
      const answer = await this.#askOne(statement);
      this.#inTransaction = answer.inTransaction;
      this.#hasWarnings = answer.warnings > 0;
      return { results: [toResult(statement, answer)], failure: undefined };
    } catch (error) {
      return { results: [], failure: this.#failure(error, statement) };
    }
  }

  /** Where the end of a statement could be in doubt, the server is told that there is but one. */
  async #askOne(statement: string): Promise<Answer> {
    if (!statement.includes(';')) return createQuery(this.#connection, statement);
    await allowSeveral(this.#connection, false);
    try {
      return await createQuery(this.#connection, statement);
    } finally {
      await allowSeveral(this.#connection, true).catch(() => undefined);
    }
  }

  async #sendTogether(statements: readonly string[]): Promise<PacketOutcome> {
    if (this.#hasWarnings) await this.#noteWarnings();
    const { answers, failure } = await sendStatements(this.#connection, statements.join('\n;\n'));
    this.#inTransaction = answers.at(-1)?.inTransaction ?? this.#inTransaction;
    const results = answers.map((answer, index) => toResult(statements[index] ?? '', answer));
    if (results.length > statements.length)
      throw new FlybackError('internal', 'More answers came than statements were sent.');
    if (failure === undefined) return { results, failure: undefined };
    return { results, failure: this.#failure(failure, statements[results.length] ?? '') };
  }

  /** Level, number and text of what the server noticed about the latest statement. */
  async #noteWarnings(): Promise<void> {
    this.#hasWarnings = false;
    const { rows } = await createQuery(this.#connection, 'SHOW WARNINGS');
    for (const [level, number, text] of rows)
      this.#notices.push(`${(level ?? '').toUpperCase()}: ${text ?? ''} (${number ?? ''})`);
  }

  /** The driver says of a broken session only that it is broken; the server may have said why. */
  #failure(cause: unknown, statement: string): ServerFailure {
    const failure = mysqlFailure(cause, statement);
    const mark = brokenMark(statement, failure.serverCode);
    if (mark !== undefined) return guardFailure(mark);
    const earlier = this.#farewell === undefined ? undefined : mysqlFailure(this.#farewell);
    if (failure.connectionLost) this.#inTransaction = false;
    return failure.serverCode === undefined && earlier?.serverCode !== undefined ? earlier : failure;
  }

  forgetPlans(): void {
    // No plans are kept: every statement goes as text.
  }

  async copyIn(): Promise<{ readonly failure: ServerFailure }> {
    return {
      failure: {
        message: 'COPY … FROM STDIN is not a statement of MySQL or MariaDB.',
        serverCode: undefined,
        condition: undefined,
        detail: undefined,
        hint: 'Use INSERT.',
        position: undefined,
        connectionLost: false,
        cause: undefined,
      },
    };
  }

  takeNotices(): readonly string[] {
    const taken = this.#notices;
    this.#notices = [];
    return taken;
  }

  async cancel(): Promise<void> {
    const { database: _none, ...options } = this.#options;
    const connection = await connect(this.#mysql, { ...options, connectTimeout: 3000 }).catch(() => undefined);
    if (connection === undefined) return;
    // A statement that has ended meanwhile cannot be killed any more, which is no failure.
    await createQuery(connection, `KILL QUERY ${this.facts.backendId}`).catch(() => undefined);
    connection.destroy();
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      const patience = setTimeout(() => {
        this.#connection.destroy();
        resolve();
      }, 2000);
      try {
        this.#connection.end(() => {
          clearTimeout(patience);
          resolve();
        });
      } catch {
        clearTimeout(patience);
        resolve();
      }
    });
  }
}

/** Puts literals in the place of $1, $2 …; the server would take those for names of columns. */
function bindValues(sql: string, values: readonly (string | null)[]): string {
  if (values.length === 0) return sql;
  let bound = '';
  let at = 0;
  for (const { kind, value, offset, length } of tokenizeStatement(sql)) {
    if (kind !== 'word' || !/^\$\d+$/.test(value)) continue;
    const literal = values[Number(value.slice(1)) - 1];
    bound += sql.slice(at, offset) + (literal === undefined || literal === null ? 'NULL' : quoteLiteral(literal));
    at = offset + length;
  }
  return bound + sql.slice(at);
}

function toResult(statement: string, answer: Answer): QueryResult {
  return {
    command: commandTag(statement),
    rowCount: answer.affectedRows ?? answer.rows.length,
    columns: answer.columns,
    rows: answer.rows,
  };
}

interface Sendable {
  readonly text: string;
  /** Its answer is waited for. */
  readonly isLast?: boolean | undefined;
}

interface PacketOutcome {
  readonly results: readonly QueryResult[];
  readonly failure: ServerFailure | undefined;
}

/** First words of statements that give exactly one answer. Anything else goes alone. */
const companions = new Set([
  ...[
    'commit',
    'delete',
    'do',
    'insert',
    'release',
    'rollback',
    'savepoint',
    'select',
    'set',
    'start',
    'update',
    'use',
  ],
]);

/**
 * Statements that travel in one message: the server stops at the first that fails, a guard among them. Where the end of a
 * statement could be in doubt, it goes alone.
 */
function packets(statements: readonly Sendable[]): readonly (readonly string[])[] {
  const all: string[][] = [];
  let isOpen = false;
  for (const { text, isLast } of statements) {
    const word = /^[a-z]+/i.exec(text)?.[0].toLowerCase() ?? '';
    // SET NAMES changes how the rest of a message would be read.
    const isCompanion =
      companions.has(word) && !text.includes(';') && (word !== 'set' || /^set\s+(?:session\b|@)/i.test(text));
    if (!isOpen || !isCompanion) all.push([]);
    all.at(-1)?.push(text);
    isOpen = isCompanion && isLast !== true;
  }
  return all;
}

function guardFailure(mark: string): ServerFailure {
  return {
    message: `A guard of flyback does not hold: ${mark}`,
    serverCode: undefined,
    condition: undefined,
    detail: undefined,
    hint: undefined,
    position: undefined,
    connectionLost: false,
    cause: undefined,
  };
}

const withKind = new Set(['create', 'drop', 'alter', 'truncate', 'rename']);

/** MySQL names no commands: the key words of the statement stand in. */
function commandTag(statement: string): string {
  const words = tokenizeStatement(statement, 3).filter(({ kind }) => kind === 'word');
  const [first, second] = words.map(({ value }) => value);
  if (first === undefined) return '';
  return (withKind.has(first) && second !== undefined ? `${first} ${second}` : first).toUpperCase();
}
