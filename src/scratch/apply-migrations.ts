import type { Command, ServerFailure, Session } from '../adapter/database.js';
import type { Toolbox } from '../adapter/toolbox.js';
import type { ToolSettings } from '../config/config.js';
import { FlybackError } from '../errors/error.js';
import type { FunctionRunner } from '../functions/function-runner.js';
import type { QualifiedName } from '../history/history.js';
import type { Migration } from '../history/migration.js';
import type { Statement } from '../scripts/statement.js';
import { applyProgram } from './apply-program.js';

export interface ApplyRequest {
  /** A session to a scratch database: what is applied here is not applied by the migration tool. */
  readonly session: Session;
  readonly toolbox: Toolbox;
  readonly settings: ToolSettings;
  readonly table: QualifiedName;
  /** Calls the functions of migrations that are programs; undefined: those cannot be applied. */
  readonly functions?: FunctionRunner | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bound on each statement of a migration or a fixture; undefined: none. */
  readonly statementTimeoutMs?: number | undefined;
  /** In the order in which they are to be applied. */
  readonly migrations: readonly Migration[];
}

/**
 * Applies migrations to a scratch database, each in a transaction together with its history row, as the migration tool
 * would with its default settings. Throws FlybackError script-failed that names the migration; earlier ones stay.
 */
export async function applyMigrations(request: ApplyRequest): Promise<void> {
  const { session, toolbox, table } = request;
  const prepared = await session.pipeline([toolbox.history.scratch.createTable(toolbox.database, table)]);
  if (prepared.failure !== undefined) {
    throw new FlybackError(
      'script-failed',
      `The history table ${table.schema}.${table.name} cannot be created: ${prepared.failure.error.message}`,
      {
        hint: 'A scratch database must let this role create tables.',
      },
    );
  }
  for (const migration of request.migrations) await applyMigration(request, migration);
}

/**
 * The order of the migration tool: versions ascending, then repeatable migrations by description. Those that are programs are
 * there only where they can be called.
 */
export function inOrder(
  migrations: readonly Migration[],
  toolbox: Toolbox,
  programs: 'include' | 'leave-out' = 'leave-out',
): readonly Migration[] {
  const versioned = migrations.filter(
    (migration) => migration.kind === 'versioned' && (migration.isSql || programs === 'include'),
  );
  const repeatable = migrations.filter((migration) => migration.kind === 'repeatable' && migration.isSql);
  return [
    ...[...versioned].sort((a, b) =>
      a.version === undefined || b.version === undefined ? 0 : toolbox.history.versions.compare(a.version, b.version),
    ),
    ...[...repeatable].sort((a, b) => (a.description < b.description ? -1 : 1)),
  ];
}

/**
 * Whether the migration tool would run a migration in a transaction: its own configuration decides, then the project's; a
 * statement that refuses a transaction is found by the tool itself. Pure.
 */
export function runsInTransaction(
  migration: Migration,
  settings: ToolSettings,
  statements: readonly Statement[],
  { history, database }: Toolbox,
): boolean {
  if (migration.executeInTransaction !== undefined) return migration.executeInTransaction;
  return (
    history.opensTransaction(migration, settings) &&
    statements.every(({ text }) => database.dialect.notTransactional(text) === undefined)
  );
}

/**
 * One migration, where the history table is there already. `forgetsOthers`: the history then has its row alone. Throws
 * FlybackError script-failed.
 */
export async function applyMigration(
  request: Omit<ApplyRequest, 'migrations'>,
  migration: Migration,
  { forgetsOthers = false }: { readonly forgetsOthers?: boolean } = {},
): Promise<void> {
  if (!migration.isSql) return applyProgram(request, migration, { forgetsOthers });
  const { session, toolbox, settings, table } = request;
  const { database, history } = toolbox;
  const text =
    migration.placeholderReplacement === false ? migration.sql : replaced(request, migration.file, migration.sql);
  const { statements, metaCommands } = database.dialect.split(text);
  const inTransaction = runsInTransaction(migration, settings, statements, toolbox);
  const row = history.scratch.insertRow(database, table, migration, 0);
  // An earlier migration may have set another path for the session; the migration tool puts it back.
  const opening = [
    database.sql.useScriptPath(session.facts, history.scriptSchema(settings, table, session.facts.currentSchema)),
  ];
  const clearing = forgetsOthers ? [history.scratch.clearTable(database, table)] : [];
  const ending = inTransaction ? [database.sql.commit] : [];
  if (inTransaction) {
    opening.push(openingOf(request));
  } else opening.push(...boundOf(request, 'session'));
  const fail = async (where: string, failure: ServerFailure): Promise<never> => {
    if (inTransaction) await session.query(database.sql.rollback).catch(() => undefined);
    if (!inTransaction) await session.pipeline(unboundOf(request));
    const text = `Migration ${migration.script} failed${where}: ${failure.message}${endedNote(request, failure)}`;
    throw new FlybackError('script-failed', text, {
      hint: failure.hint ?? 'Correct the migration, or start from a database in which it works.',
      serverCode: failure.serverCode,
      condition: failure.condition,
    });
  };
  const command = metaCommands.find((found) => found.text.startsWith('\\'));
  if (command !== undefined) {
    throw new FlybackError(
      'script-failed',
      `Migration ${migration.script} failed in line ${command.line}: syntax error at "${command.text}", a command of psql`,
      { hint: 'The migration tool sends it to the server, which does not know it.' },
    );
  }
  // Inside a transaction nothing runs after a statement that failed, so all can be on its way at once.
  if (inTransaction && statements.every((statement) => statement.copyData === undefined)) {
    const sameForAll = (texts: readonly string[]): readonly Command[] =>
      texts.flatMap((message) =>
        database.dialect.split(message).statements.map(({ text: sql }) => ({ sql, keepsPlan: false })),
      );
    const before = sameForAll(opening);
    const { failure } = await session.batch([
      ...before,
      ...statements.map((statement) => ({ sql: statement.text })),
      ...sameForAll(clearing),
      // The history of some tools takes two statements.
      ...database.dialect.split(row).statements.map(({ text: sql }) => ({ sql })),
      ...sameForAll(ending),
    ]);
    if (failure === undefined) return;
    const line = statements[failure.index - before.length]?.line;
    return fail(line === undefined ? '' : ` in line ${line}`, failure.error);
  }
  await session.pipeline(opening);
  for (const statement of statements) {
    const failure = await sendStatement(session, statement);
    if (failure !== undefined) {
      await fail(` in line ${statement.line}`, failure);
    }
  }
  for (const message of [...clearing, row, ...ending]) await session.query(message);
  if (!inTransaction) await session.pipeline(unboundOf(request));
}

/** What bounds the statements of a file, and what ends that where no transaction does. */
function boundOf(
  { toolbox, statementTimeoutMs }: Pick<ApplyRequest, 'toolbox' | 'statementTimeoutMs'>,
  scope: 'transaction' | 'session',
): readonly string[] {
  return statementTimeoutMs === undefined ? [] : [toolbox.database.sql.boundStatements(statementTimeoutMs, scope)];
}

function unboundOf({ toolbox, statementTimeoutMs }: Omit<ApplyRequest, 'migrations'>): readonly string[] {
  return statementTimeoutMs === undefined ? [] : [toolbox.database.sql.boundStatements(0, 'session')];
}

/** What the server does not say of a statement that took too long. */
export function endedNote(
  { statementTimeoutMs }: Pick<ApplyRequest, 'statementTimeoutMs'>,
  { condition }: Pick<ServerFailure, 'condition'>,
): string {
  if (condition !== 'cancelled' || statementTimeoutMs === undefined) return '';
  return ` (it was ended after ${statementTimeoutMs / 1000} s; prove.statementTimeout sets another bound)`;
}

/** Opens the transaction of a file of which nothing is left when it fails. */
export function openingOf(request: Pick<ApplyRequest, 'toolbox' | 'statementTimeoutMs'>): string {
  return ['BEGIN', ...boundOf(request, 'transaction')].join(';');
}

/** The text of a file with its placeholders replaced, where the project has them replaced. */
export function replaced(
  { session, toolbox, settings, table }: Omit<ApplyRequest, 'migrations'>,
  file: string,
  sql: string,
): string {
  return toolbox.history.replacePlaceholders(sql, settings, {
    file,
    defaultSchema: table.schema,
    user: session.facts.user,
    databaseName: session.facts.databaseName,
    table: table.name,
    timestamp: new Date().toISOString().slice(0, 19).replace('T', ' '),
  });
}

/** Runs one statement, with the data of COPY; resolves with why it failed. */
export async function sendStatement(session: Session, statement: Statement): Promise<ServerFailure | undefined> {
  if (statement.copyData === undefined) return (await session.pipeline([statement.text])).failure?.error;
  const copied = await session.copyIn(statement.text, statement.copyData);
  return 'failure' in copied ? copied.failure : undefined;
}
