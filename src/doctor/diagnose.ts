import type { Classifier, Session } from '../adapter/database.js';
import type { NeededScript, Pooling, ServerChecks, ServerNeeds } from '../adapter/server-checks.js';
import type { Toolbox } from '../adapter/toolbox.js';
import type { Config } from '../config/config.js';
import { createRedactor } from '../config/create-redactor.js';
import { FlybackError } from '../errors/error.js';
import { journalTableOf } from '../journal/journal.js';
import type { Pair } from '../pairing/pair.js';
import { classifyPairs } from '../project/classify-project.js';
import type { ConnectedProject, Project } from '../project/project.js';
import { readProject, readProjectFiles } from '../project/read-project.js';
import {
  catalogue,
  completeDiagnosis,
  describeFinding,
  notChecked,
  problemOf,
  type Check,
  type Diagnosis,
} from './check.js';
import { fileChecks } from './file-checks.js';
import { historyChecks, inTransaction, journalCheck, recordCheck, toolLockCheck } from './history-checks.js';
import { findShellFiles, shellMistakes } from './shell-files.js';

/** What a diagnosis is made with. */
export interface DiagnosisParts {
  readonly toolboxFor: (config: Config) => Toolbox;
  readonly loadConfig: () => Promise<Config>;
  readonly connect: (config: Config) => Promise<Session>;
  readonly now: () => Date;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Looks at everything that a rollback needs, and goes on as far as it can when one thing fails: what could not be asked
 * is not checked, for the reason given. Changes nothing. Resolves for everything that is wrong with the project, the
 * server or the way there.
 */
export async function diagnose(parts: DiagnosisParts): Promise<Diagnosis> {
  let config: Config;
  try {
    config = await parts.loadConfig();
  } catch (error) {
    return completeDiagnosis([problemOf('configuration', known(error))], 'the configuration cannot be used.');
  }
  const redact = createRedactor(config.secrets);
  const found: Check[] = [configurationCheck(config)];
  const session = await connected(parts, config, found);
  const onAbort = (): void => void session?.cancel();
  parts.signal?.addEventListener('abort', onAbort);
  try {
    found.push(...(await examine(parts, config, session)));
  } finally {
    parts.signal?.removeEventListener('abort', onAbort);
    await session?.close();
  }
  const { without } = await parts.toolboxFor(config).database.loadServerChecks();
  const diagnosis = completeDiagnosis(
    found,
    session === undefined ? 'there is no connection.' : 'the history could not be read.',
    without,
  );
  return { ...diagnosis, checks: diagnosis.checks.map((check) => ({ ...check, ...withoutSecrets(check, redact) })) };
}

function withoutSecrets({ message, hint, details }: Check, redact: (text: string) => string): Partial<Check> {
  return {
    message: redact(message),
    ...(hint === undefined ? {} : { hint: redact(hint) }),
    ...(details === undefined ? {} : { details: details.map(redact) }),
  };
}

function known(error: unknown): FlybackError {
  if (error instanceof FlybackError) return error;
  throw error;
}

function configurationCheck(config: Config): Check {
  // "flyway.toml flyway.url", "FLYWAY_URL", "--url": the file, variable or flag without the key.
  const sources = [...new Set(Object.values(config.sources).map((source) => source.split(' ', 1)[0] ?? ''))]
    .filter((source) => source !== 'default')
    .toSorted();
  const remarks = config.findings.filter(({ severity }) => severity === 'warning');
  return {
    check: 'configuration',
    result: remarks.length > 0 ? 'warning' : 'ok',
    message: sources.length === 0 ? 'Nothing is configured.' : `Read from ${sources.join(', ')}.`,
    hint: remarks[0]?.hint,
    ...(remarks.length === 0 ? {} : { details: remarks.map(describeFinding) }),
  };
}

async function connected(parts: DiagnosisParts, config: Config, found: Check[]): Promise<Session | undefined> {
  try {
    const session = await parts.connect(config);
    const { version, databaseName, user } = session.facts;
    found.push({
      check: 'connection',
      result: 'ok',
      message: `${parts.toolboxFor(config).database.name} ${version}, database ${databaseName}, role ${user}, at ${config.connection?.display ?? 'the configured address'}.`,
    });
    return session;
  } catch (error) {
    found.push(problemOf('connection', known(error)));
    return undefined;
  }
}

async function examine(parts: DiagnosisParts, config: Config, session: Session | undefined): Promise<readonly Check[]> {
  const toolbox = parts.toolboxFor(config);
  const serverChecks = await toolbox.database.loadServerChecks();
  const found: Check[] = [];
  const pooling =
    session === undefined ? undefined : await poolingOf(serverChecks, session, () => parts.connect(config), found);
  // A pooler that refuses transactions leaves nothing to ask in.
  const asked = pooling === 'statement' ? undefined : session;
  const project = await readWhatCanBe(parts, config, asked, found);
  const classifier = await toolbox.database.loadClassifier();
  const pairs = classifyPairs(project.pairs, project, classifier);
  found.push(
    ...fileChecks(project, pairs, shellMistakes(findShellFiles(config.projectFolder, config.rollbacksFolder))),
  );
  const scripts = project.history === undefined ? undefined : neededScripts(pairs, classifier);
  if (pooling !== undefined) found.push(serverChecks.judgePooling(pooling, scripts ?? []));
  if (asked === undefined) return found;
  const needs = serverNeeds(parts, project, scripts);
  found.push(
    ...(await withReasons(catalogue.connection.concat(catalogue.role), () => serverChecks.run(asked, needs))),
    await toolLockCheck(asked, toolbox, needs.history),
    await recordCheck(asked, toolbox.database, needs.record),
  );
  if (isConnected(project)) found.push(...historyChecks(project.history, toolbox), journalCheck(project.journal));
  return found;
}

async function poolingOf(
  serverChecks: ServerChecks,
  session: Session,
  connect: () => Promise<Session>,
  found: Check[],
): Promise<Pooling | undefined> {
  try {
    return await serverChecks.pooling(session, connect);
  } catch (error) {
    found.push(notChecked('pooler', known(error).message));
    return undefined;
  }
}

/** History and files; the files alone when there is no connection, or when the history cannot be read. */
async function readWhatCanBe(
  { toolboxFor, now }: DiagnosisParts,
  config: Config,
  session: Session | undefined,
  found: Check[],
): Promise<ConnectedProject | Project> {
  const toolbox = toolboxFor(config);
  if (session === undefined) return readProjectFiles(config, toolbox, now());
  try {
    return await inTransaction(session, toolbox.database, () => readProject(config, toolbox, session, now()));
  } catch (error) {
    found.push(problemOf('history', known(error)));
    const files = await readProjectFiles(config, toolbox, now());
    const table = toolbox.history.tableName(config.tool, session.facts.currentSchema ?? 'public');
    return { ...files, table, recordTable: { ...files.recordTable, schema: config.record.schema ?? table.schema } };
  }
}

function isConnected(project: ConnectedProject | Project): project is ConnectedProject {
  return project.history !== undefined;
}

/** The scripts that could run now: those of versions that the history has. */
function neededScripts(pairs: readonly Pair[], classifier: Classifier): readonly NeededScript[] {
  return pairs.flatMap(({ state, script, version }): readonly NeededScript[] => {
    if (script === undefined || (state !== 'applied' && state !== 'failed')) return [];
    const statements = script.statements.map(({ text, line }) => {
      const impact = classifier.classify(text);
      return { text, line, impact: 'changes' in impact ? impact : undefined };
    });
    const { transaction, directives } = script;
    return [{ version: version.text, transaction, triggers: directives.triggers, statements }];
  });
}

function serverNeeds(
  { now }: DiagnosisParts,
  project: Project,
  scripts: readonly NeededScript[] | undefined,
): ServerNeeds {
  const { config, toolbox, table, recordTable } = project;
  return {
    tool: toolbox.history.tool,
    history: table,
    record: recordTable,
    journal: journalTableOf(recordTable),
    scriptSchema: project.scriptSchema,
    scripts,
    writers: toolbox.history.writers(project.entries, config.tool),
    run: config.run,
    tls: config.connection?.tls ?? { mode: 'prefer' },
    now,
  };
}

/** What the server answers, or why it does not, for each of these checks. */
async function withReasons(names: readonly string[], ask: () => Promise<readonly Check[]>): Promise<readonly Check[]> {
  try {
    return await ask();
  } catch (error) {
    const { message } = known(error);
    return names.map((name) => notChecked(name, message));
  }
}
