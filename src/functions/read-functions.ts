import type { StepSettings } from '../adapter/database.js';
import type { MigrationFunction } from '../adapter/migration-functions.js';
import { FlybackError } from '../errors/error.js';
import type { InterpretedEntry } from '../history/history.js';
import type { Migration } from '../history/migration.js';
import type { Pair } from '../pairing/pair.js';
import type { ConnectedProject } from '../project/project.js';
import { pause } from '../run/pause.js';
import { guardError, scriptError } from '../run/step-failure.js';
import { parseRollbackScript } from '../scripts/parse-rollback-script.js';
import { isUnread, type RollbackScript, type TriggersMode } from '../scripts/rollback-script.js';
import { functionError } from './function-error.js';

/** What a rollback of these rows, in this order, is about to call. */
export interface FunctionsToRead {
  readonly rows: readonly InterpretedEntry[];
  /** Undefined: replica where the role may. */
  readonly triggers: TriggersMode | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called before the first is run, with the versions whose functions are. */
  readonly onReading?: ((versions: readonly string[]) => void) | undefined;
}

/**
 * Finds out what the down functions among the rollbacks of these rows send: runs them one after the other, each from where the
 * one before has left the database, in one transaction that is rolled back. Rollback scripts above a function run there too.
 * Holds the locks of all that until it ends; sequences that were drawn from stay ahead. Returns all pairs, those of functions
 * with their scripts read. Throws FlybackError for the first that fails.
 */
export async function readFunctions(
  project: ConnectedProject,
  { rows, triggers, signal, onReading }: FunctionsToRead,
): Promise<readonly Pair[]> {
  const pairOf = new Map(
    project.pairs.flatMap((pair) => (pair.row === undefined ? [] : [[pair.row.entry.rank, pair]])),
  );
  const chosen = rows.flatMap(({ entry }) => pairOf.get(entry.rank) ?? []);
  const lowest = chosen.findLastIndex(({ script }) => script !== undefined && isUnread(script));
  if (lowest < 0 || project.functions === undefined) return project.pairs;
  const unread = chosen.flatMap(({ script }) =>
    script !== undefined && isUnread(script) ? [script.version.text] : [],
  );
  onReading?.(unread);
  const scripts = chosen.slice(0, lowest + 1).map(({ script }) => script);
  const { lockRetries, lockRetryPauseMs } = project.config.run;
  for (let retries = lockRetries; ; retries -= 1) {
    try {
      const read = await readInTransaction(project, scripts, triggers, signal);
      return project.pairs.map((pair) => ({ ...pair, script: read.get(pair.version.key) ?? pair.script }));
    } catch (error) {
      if (!(error instanceof FlybackError) || error.condition !== 'lock-timeout' || retries === 0) throw error;
      await pause(lockRetryPauseMs, signal);
    }
  }
}

/** Version key → script, of the functions among these. */
async function readInTransaction(
  project: ConnectedProject,
  scripts: readonly (RollbackScript | undefined)[],
  triggers: TriggersMode | undefined,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, RollbackScript>> {
  const { session, toolbox } = project;
  const { sql } = toolbox.database;
  const read = new Map<string, RollbackScript>();
  const usesReplicaMode = (triggers ?? 'replica') === 'replica' && session.facts.mayUseReplicaMode;
  const cancel = (): void => void session.cancel().catch(() => undefined);
  await begin(project);
  signal?.addEventListener('abort', cancel);
  try {
    for (const script of scripts) {
      // A version without a script has its own reason not to be planned.
      if (script === undefined) break;
      if (usesReplicaMode) await session.query(sql.enterReplicaMode());
      if (isUnread(script)) read.set(script.version.key, await readFunction(project, script, signal));
      else await runScript(project, script);
      await session.query(sql.afterScript(session.facts, settingsOf(project)));
    }
  } finally {
    signal?.removeEventListener('abort', cancel);
    await session.query(sql.rollback).catch(() => undefined);
  }
  return read;
}

function settingsOf({ config, toolbox, table, session }: ConnectedProject): StepSettings {
  return {
    lockTimeoutMs: config.run.lockTimeoutMs,
    statementTimeoutMs: config.run.statementTimeoutMs,
    scriptSchema: toolbox.history.scriptSchema(config.tool, table, session.facts.currentSchema),
  };
}

async function begin(project: ConnectedProject): Promise<void> {
  const { session, toolbox, table } = project;
  const { failure } = await session.pipeline([toolbox.database.sql.beginStep(session.facts, settingsOf(project))]);
  if (failure !== undefined) throw guardError(failure.error, table);
}

async function readFunction(
  project: ConnectedProject,
  script: RollbackScript,
  signal: AbortSignal | undefined,
): Promise<RollbackScript> {
  const { functions, session } = project;
  if (functions === undefined) throw new FlybackError('internal', 'Functions are not allowed by this project.');
  const called = downOf(script, project.migrations.migrations);
  const statements: string[] = [];
  const outcome = await functions.call(
    called,
    session,
    {
      onStatement: (text) => {
        statements.push(text);
        return undefined;
      },
      onAnswer: () => undefined,
    },
    signal,
  );
  const parsed = scriptOf(project, script, statements);
  if (outcome.kind === 'done') {
    const [part] = parsed.takenOver;
    if (part === undefined) return parsed;
    throw functionError(subjectOf(script, called), {
      kind: 'refused',
      reason: `it sends what flyback does by itself (${part.text.slice(0, 60)}).`,
    });
  }
  if (outcome.kind !== 'failed') throw functionError(subjectOf(script, called), outcome);
  const statement = parsed.statements[outcome.index];
  throw statement === undefined
    ? guardError(outcome.failure, project.table)
    : scriptError(outcome.failure, parsed, statement);
}

/** How a down function is spoken of at the beginning of a sentence. */
export function subjectOf({ version }: Pick<RollbackScript, 'version'>, { name }: MigrationFunction): string {
  return `Version ${version.text}: the down function of ${name}`;
}

/** The down function that stands for a script. */
export function downOf(
  { version }: Pick<RollbackScript, 'version'>,
  migrations: readonly Migration[],
): MigrationFunction {
  const migration = migrations.find((found) => found.kind === 'versioned' && found.version?.key === version.key);
  if (migration === undefined) {
    throw new FlybackError('internal', `The migration of version ${version.text} is not there.`);
  }
  return { file: migration.file, name: migration.script, direction: 'down' };
}

/** What a function sent, as the script that would do the same. */
function scriptOf(project: ConnectedProject, script: RollbackScript, statements: readonly string[]): RollbackScript {
  const { toolbox, table, recordTable } = project;
  return parseRollbackScript({
    version: script.version,
    description: script.description,
    file: script.file,
    source: 'function',
    // A comment at the end of a line would take the semicolon in.
    text: statements.map((text) => (/--[^\n]*$/.test(text) ? `${text}\n;\n` : `${text};\n`)).join(''),
    checksum: script.checksum,
    dialect: toolbox.database.dialect,
    versions: toolbox.history.versions,
    historyTable: table,
    recordTable,
  });
}

/** A script above a function, for what it leaves. */
async function runScript({ session }: ConnectedProject, script: RollbackScript): Promise<void> {
  if (script.transaction === 'off' || script.statements.some(({ copyData }) => copyData !== undefined)) {
    throw new FlybackError(
      'plan-refused',
      `What the down functions below version ${script.version.text} send cannot be found out, because its script ${script.transaction === 'off' ? 'runs without a transaction' : 'copies data'}.`,
      { hint: `Take back version ${script.version.text} by itself first: flyback rollback --steps 1.` },
    );
  }
  for (const statement of script.statements) {
    const { failure } = await session.pipeline([statement.text]);
    if (failure !== undefined) throw scriptError(failure.error, script, statement);
  }
}
