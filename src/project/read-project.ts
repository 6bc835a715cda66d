import { realpath } from 'node:fs/promises';
import type { QueryResult, ServerFacts, ServerFailure, Session } from '../adapter/database.js';
import type { MigrationSet, PlaceholderContext } from '../adapter/history.js';
import type { Toolbox } from '../adapter/toolbox.js';
import type { Config } from '../config/config.js';
import { createRedactor } from '../config/create-redactor.js';
import { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import { redactFinding } from '../errors/redact-error.js';
import type { History, HistoryEntry, QualifiedName } from '../history/history.js';
import { beforeMarking, openRuns, type OpenRun } from '../journal/journal-state.js';
import { readJournal } from '../journal/journal-store.js';
import { journalTableOf, type JournalRow } from '../journal/journal.js';
import { resumeNeeded } from '../journal/resume-needed.js';
import { describeHolder, presentable } from '../locks/describe-holder.js';
import { pairVersions } from '../pairing/pair-versions.js';
import { readProofBook } from '../receipt/proof-book.js';
import { editionOf } from '../receipt/server-edition.js';
import { FunctionRunner, runsFunctions } from '../functions/function-runner.js';
import { flagFinding } from '../run/tool-flag.js';
import { loadRollbackScripts } from '../scripts/script-files.js';
import type { ConnectedProject, Project } from './project.js';

/** Reads the history through the session and the files beside it, and pairs them. Changes nothing. */
export async function readProject(
  config: Config,
  toolbox: Toolbox,
  session: Session,
  now: Date,
): Promise<ConnectedProject> {
  const table = toolbox.history.tableName(config.tool, session.facts.currentSchema);
  const recordTable = recordTableOf(config, table);
  const [{ rows, journal }, migrations] = await Promise.all([
    readTables(config, toolbox, session, table, journalTableOf(recordTable)),
    toolbox.history.loadMigrations(config.tool),
  ]);
  const entries = toolbox.history.parseRows(rows, migrations.migrations);
  const open = openRuns(journal);
  const asBefore = beforeMarking(
    entries,
    open.map(({ begun }) => begun.historyRow),
  );
  const history = {
    ...toolbox.history.interpret(table, entries),
    // What an interrupted rollback has marked is told of as interrupted, with another remedy than the tool's.
    ...(open.length === 0 ? {} : { findings: toolbox.history.interpret(table, asBefore).findings }),
  };
  const project = await pairProject(config, toolbox, {
    table,
    history,
    entries,
    migrations,
    context: { ...session.facts, now },
  });
  const interrupted = open.map(interruptedFinding);
  const { flag } = toolbox.history.toolLock(toolbox.database, table, session.facts);
  const lockRow = await flagFinding(session, toolbox.database, toolbox.history.words, flag);
  if (lockRow !== undefined) interrupted.push(redactFinding(lockRow, createRedactor(config.secrets)));
  const proofs = await readProofBook(project, editionOf(session.facts));
  return { ...project, findings: [...project.findings, ...interrupted], history, session, journal, proofs };
}

/** Reads the files alone: every version counts as pending. For stub and for an audit without a database. */
export async function readProjectFiles(config: Config, toolbox: Toolbox, now: Date): Promise<Project> {
  return pairProject(config, toolbox, {
    table: toolbox.history.tableName(
      config.tool,
      // Where a database is what elsewhere is a schema, there is no other default.
      toolbox.database.name === 'mysql' ? (config.connection?.databaseName ?? 'public') : 'public',
    ),
    history: undefined,
    entries: [],
    migrations: await toolbox.history.loadMigrations(config.tool),
    context: {
      user: config.connection?.user ?? '',
      databaseName: config.connection?.databaseName ?? '',
      currentSchema: null,
      now,
    },
  });
}

interface Tables {
  readonly rows: QueryResult;
  readonly journal: readonly JournalRow[];
}

async function readTables(
  config: Config,
  toolbox: Toolbox,
  session: Session,
  table: QualifiedName,
  journal: QualifiedName,
): Promise<Tables> {
  const { history, database } = toolbox;
  const described = await session.pipeline([
    `${history.describeTable(database, table)};${database.sql.journal.describe(journal)}`,
    `${database.sql.boundWaits(config.run.lockTimeoutMs)};${history.readRows(database, table)}`,
  ]);
  const columns = described.results[0]?.[0];
  if (columns === undefined) {
    throw new FlybackError(
      'history-missing',
      `The history table ${table.schema}.${table.name} cannot be looked up: ${described.failure?.error.message ?? 'no answer'}`,
      {
        hint: 'Check the connection and the table setting.',
      },
    );
  }
  history.checkTable(table, columns);
  const rows = described.results[1]?.at(-1);
  if (described.failure?.error.condition === 'lock-timeout') {
    throw await lockedError(config, toolbox, session, table, described.failure.error);
  }
  if (rows === undefined) {
    throw new FlybackError(
      described.failure?.error.condition === 'privilege-missing' ? 'privilege-missing' : 'history-malformed',
      `The history table ${table.schema}.${table.name} cannot be read: ${described.failure?.error.message ?? 'no answer'}.`,
      {
        hint: `GRANT SELECT, DELETE ON ${table.schema}.${table.name} TO ${session.facts.user};`,
      },
    );
  }
  const hasJournal = described.results[0]?.[1]?.rows[0]?.[0] === 't';
  return {
    rows,
    journal: hasJournal ? await readJournal(session, database, journal) : [],
  };
}

/** The record lies beside the history unless it is configured elsewhere. */
function recordTableOf(config: Config, table: QualifiedName): QualifiedName {
  return { schema: config.record.schema ?? table.schema, name: config.record.table };
}

function interruptedFinding(open: OpenRun): Finding {
  const { message, hint } = resumeNeeded(open);
  return { code: 'rollback-interrupted', severity: 'error', subject: open.begun.version, message, hint };
}

/** Somebody has the history for themselves: another rollback between two of its commits, or a change of the table. */
async function lockedError(
  config: Config,
  toolbox: Toolbox,
  session: Session,
  table: QualifiedName,
  { serverCode, condition }: ServerFailure,
): Promise<FlybackError> {
  const { obstacles } = await toolbox.database.locks.survey(session, {
    needs: [{ on: { kind: 'table', schema: table.schema, name: table.name }, level: 'ACCESS SHARE' }],
    scriptSchema: table.schema,
    toolLock: toolbox.history.toolLock(toolbox.database, table, session.facts),
    snapshots: 'leave-out',
  });
  const redact = createRedactor(config.secrets);
  const holders = obstacles.map(({ holder }) => describeHolder(presentable(holder, redact)));
  return new FlybackError(
    'lock-unavailable',
    `The history table ${table.schema}.${table.name} could not be read within ${config.run.lockTimeoutMs / 1000} s, because another session has locked it${holders.length === 0 ? '' : `: ${[...new Set(holders)].join('; ')}`}.`,
    {
      hint: 'Wait until it has ended, for example another rollback, or raise run.lockTimeout.',
      serverCode,
      condition,
    },
  );
}

interface ReadParts {
  readonly table: QualifiedName;
  readonly history: History | undefined;
  readonly entries: readonly HistoryEntry[];
  readonly migrations: MigrationSet;
  readonly context: Pick<ServerFacts, 'user' | 'databaseName' | 'currentSchema'> & { readonly now: Date };
}

async function pairProject(config: Config, toolbox: Toolbox, parts: ReadParts): Promise<Project> {
  const { table, history, migrations, context } = parts;
  const recordTable = recordTableOf(config, table);
  const functions = runsFunctions(toolbox, config.tool)
    ? new FunctionRunner({ toolbox, settings: config.tool, environment: config.environment.reveal() })
    : undefined;
  const placeholders: Omit<PlaceholderContext, 'file'> = {
    defaultSchema: table.schema,
    user: context.user,
    databaseName: context.databaseName,
    table: table.name,
    timestamp: timestamp(context.now),
  };
  const { scripts, findings: scriptFindings } = loadRollbackScripts({
    folder: config.rollbacksFolder,
    migrations: migrations.migrations,
    versions: toolbox.history.versions,
    known: [...(history?.rows ?? []), ...migrations.migrations].flatMap(({ version }) => version ?? []),
    functions: functions === undefined ? 'leave' : 'use',
    dialect: toolbox.database.dialect,
    historyTable: table,
    recordTable,
    storedVersions: new Map(
      history?.applied.flatMap((row) =>
        row.version === undefined ? [] : [[row.version.key, row.entry.versionText ?? ''] as const],
      ) ?? [],
    ),
    replacePlaceholders: (text, file) =>
      toolbox.history.replacePlaceholders(text, config.tool, { ...placeholders, file }),
  });
  const redact = createRedactor(config.secrets);
  const pairing = pairVersions({
    history,
    migrations: migrations.migrations,
    scripts: scripts.map((script) =>
      script.findings.length === 0
        ? script
        : { ...script, findings: script.findings.map((finding) => redactFinding(finding, redact)) },
    ),
    scriptFindings: scriptFindings.map((finding) => redactFinding(finding, redact)),
    rollbacksFolder: await real(config.rollbacksFolder),
    scannedFolders: await Promise.all(migrations.scannedFolders.map(real)),
    versions: toolbox.history.versions,
    migrationFindings:
      history === undefined ? [] : toolbox.history.checkMigrations(history, migrations.migrations, config.tool),
  });
  return {
    config,
    toolbox,
    table,
    recordTable,
    history,
    entries: parts.entries,
    migrations,
    scriptSchema: toolbox.history.scriptSchema(config.tool, table, context.currentSchema),
    placeholders,
    functions,
    pairs: pairing.pairs,
    findings: [...config.findings, ...migrations.findings, ...pairing.findings],
  };
}

/** Links resolved, so that a folder inside a location is noticed by whatever way it got there. */
async function real(folder: string): Promise<string> {
  return realpath(folder).catch(() => folder);
}

/** As Flyway writes flyway:timestamp: yyyy-MM-dd HH:mm:ss in local time. */
function timestamp(now: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())} ${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`;
}
