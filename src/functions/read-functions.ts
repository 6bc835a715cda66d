import type { StepSettings } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import type { InterpretedEntry } from '../history/history.js';
import type { Pair } from '../pairing/pair.js';
import type { ConnectedProject } from '../project/project.js';
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
}

/**
 * Finds out what the down functions among the rollbacks of these rows send: runs them one after the other, each from where the
 * one before has left the database, in one transaction that is rolled back. Rollback scripts above a function run there too.
 * Holds the locks of all that until it ends; sequences that were drawn from stay ahead. Returns all pairs, those of functions
 * with their scripts read. Throws FlybackError for the first that fails.
 */
export async function readFunctions(
  project: ConnectedProject,
  { rows, triggers, signal }: FunctionsToRead,
): Promise<readonly Pair[]> {
  const pairOf = new Map(
    project.pairs.flatMap((pair) => (pair.row === undefined ? [] : [[pair.row.entry.rank, pair]])),
  );
  const chosen = rows.flatMap(({ entry }) => pairOf.get(entry.rank) ?? []);
  const lowest = chosen.findLastIndex(({ script }) => script !== undefined && isUnread(script));
  if (lowest < 0 || project.functions === undefined) return project.pairs;
  const { session, toolbox } = project;
  const { sql } = toolbox.database;
  const read = new Map<string, RollbackScript>();
  const usesReplicaMode = (triggers ?? 'replica') === 'replica' && session.facts.mayUseReplicaMode;
  await begin(project);
  try {
    for (const { script } of chosen.slice(0, lowest + 1)) {
      // A version without a script has its own reason not to be planned.
      if (script === undefined) break;
      if (usesReplicaMode) await session.query(sql.enterReplicaMode());
      if (isUnread(script)) read.set(script.version.key, await readFunction(project, script, signal));
      else await runScript(project, script);
      await session.query(sql.afterScript(session.facts, settingsOf(project)));
    }
  } finally {
    await session.query(sql.rollback);
  }
  return project.pairs.map((pair) => {
    const script = read.get(pair.version.key);
    return script === undefined ? pair : { ...pair, script };
  });
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
  const migration = project.migrations.migrations.find(
    ({ kind, version }) => kind === 'versioned' && version?.key === script.version.key,
  );
  if (functions === undefined || migration === undefined) {
    throw new FlybackError('internal', `The migration of version ${script.version.text} is not there.`);
  }
  const statements: string[] = [];
  const outcome = await functions.call(
    { file: migration.file, name: migration.script, direction: 'down' },
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
    throw functionError(subjectOf(script, migration.script), {
      kind: 'refused',
      reason: `it sends what flyback does by itself (${part.text.slice(0, 60)}).`,
    });
  }
  if (outcome.kind !== 'failed') throw functionError(subjectOf(script, migration.script), outcome);
  const statement = parsed.statements[outcome.index];
  throw statement === undefined
    ? guardError(outcome.failure, project.table)
    : scriptError(outcome.failure, parsed, statement);
}

/** How a down function is spoken of at the beginning of a sentence. */
export function subjectOf({ version }: Pick<RollbackScript, 'version'>, file: string): string {
  return `Version ${version.text}: the down function of ${file}`;
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
