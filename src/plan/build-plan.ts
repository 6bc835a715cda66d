import path from 'node:path';
import type { Classifier, ObjectFacts, Session, SqlDialect } from '../adapter/database.js';
import type { Toolbox } from '../adapter/toolbox.js';
import type { ToolSettings } from '../config/config.js';
import { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import { sha256 } from '../fingerprint/fingerprint.js';
import type { History, InterpretedEntry, QualifiedName } from '../history/history.js';
import type { Migration } from '../history/migration.js';
import { higherRisk } from '../pairing/classification.js';
import type { Pair } from '../pairing/pair.js';
import { riskiest, statementRisk, worstLoss } from '../risk/assess.js';
import type { ObjectRef, OnlineChange, Risk, StatementImpact } from '../risk/change.js';
import { locate } from '../scripts/locate.js';
import type { RollbackScript, TriggersMode } from '../scripts/rollback-script.js';
import type { Expectation } from '../verify/verification.js';
import { checkLockBudget } from './lock-budget.js';
import { planHash } from './plan-hash.js';
import type { Estimate, Plan, PlannedStatement, PlanStep, Target, TransactionMode } from './plan.js';
import { selectVersions, type Selection } from './select-versions.js';

export interface PlanRequest {
  readonly target: Target;
  readonly transaction: TransactionMode;
  /** Undefined: replica where the role may, else disable. */
  readonly triggers: TriggersMode | undefined;
  readonly toolbox: Toolbox;
  readonly session: Session;
  readonly history: History;
  readonly pairs: readonly Pair[];
  readonly migrations: readonly Migration[];
  /** Findings of the project as a whole; errors among them refuse the plan. */
  readonly findings: readonly Finding[];
  readonly settings: ToolSettings;
  readonly recordTable: QualifiedName;
  readonly projectFolder: string;
  /** Takes secrets out of SQL that the plan shows. */
  readonly redact: (text: string) => string;
  readonly now: Date;
  /** A dry run is one transaction, so a step that refuses one cannot be rehearsed. */
  readonly mode: 'for-real' | 'dry-run';
  /** Whether all steps will share one transaction when run (single, or a dry run): their locks add up. */
  readonly locksAddUp: 'yes' | 'no';
  /** Sizes cost a look at every file of the tables; only a plan that is shown needs them. */
  readonly estimates: 'ask' | 'leave-out';
}

/** A plan with what is needed to run it in this process. */
export interface BuiltPlan {
  readonly plan: Plan;
  readonly scripts: readonly RollbackScript[];
}

/**
 * Makes the plan: which versions, in which order, with exactly which SQL and which consequences. Reads the catalog,
 * changes nothing. Throws FlybackError plan-refused with every reason at once: a gap in the chain, an unusable script,
 * a middle version, the baseline floor; or for the one that the server or the session is set up wrong.
 */
export async function buildPlan(request: PlanRequest): Promise<BuiltPlan> {
  const { history, toolbox, session } = request;
  const refusal = toolbox.database.refusal?.(session.facts);
  if (refusal !== undefined) throw new FlybackError('plan-refused', refusal.message, { hint: refusal.hint });
  const selection = selectVersions(history, request.target, toolbox.history);
  const chosen = usableScripts(request, selection);
  const triggers = triggersMode(request);
  const classifier = await toolbox.database.classifierFor(
    chosen.flatMap(({ script }) => script.statements.map((statement) => statement.text)),
  );
  const drafts = chosen.map(({ row, script }) => draftStep(request, classifier, row, script, triggers.mode));
  await requireTransactions(request, drafts);
  const facts = await askCatalog(request, drafts);
  const steps = drafts.map((draft) => finishStep(draft, facts));
  refuseWithoutTransaction(request, steps);
  refuseMovedSequences(request, steps);
  checkLockBudget(request.session.facts, steps.length, facts.locks);
  const after = historyAfter(request, selection);
  const unsigned: Omit<Plan, 'hash'> = {
    format: 'flyback-plan/1',
    createdAt: request.now.toISOString(),
    target: request.target,
    transaction: request.transaction,
    triggers,
    tool: history.tool,
    database: {
      name: toolbox.database.name,
      serverVersion: session.facts.version,
      databaseName: session.facts.databaseName,
      user: session.facts.user,
    },
    history: {
      table: history.table,
      fingerprint: history.fingerprint,
      rowCount: history.rows.length,
      maxRank: history.rows.at(-1)?.entry.rank ?? 0,
    },
    recordTable: request.recordTable,
    steps,
    after: after.after,
    repeatables: repeatablesToRepeat(history, selection),
    hazards: [...selection.hazards, ...after.hazards, ...stepHazards(request, steps, facts)],
  };
  return { plan: { ...unsigned, hash: planHash(unsigned) }, scripts: chosen.map(({ script }) => script) };
}

/**
 * Rows that are written in a transaction must be as before when it is rolled back: those of the history, and of every table that a
 * statement names. What commits by itself is journalled, and may do with them what it likes.
 */
async function requireTransactions(request: PlanRequest, drafts: readonly DraftStep[]): Promise<void> {
  const { history, session, toolbox } = request;
  const { untransactionalTables } = toolbox.database;
  if (untransactionalTables === undefined) return;
  const writing = drafts.flatMap(({ step, statements }) =>
    statements.flatMap(({ planned, impact }) =>
      planned.alone === null
        ? impact.writes.map((ref) => ({ ref, at: `version ${step.version}, line ${planned.line}` }))
        : [],
    ),
  );
  const table: ObjectRef = { kind: 'table', ...history.table };
  const found = await withScriptPath(request, () =>
    untransactionalTables(session, distinct([table, ...writing.map(({ ref }) => ref)])),
  );
  if (found.length === 0) return;
  const told = found.map(({ ref, engine }) => {
    const at = writing.find((write) => refKey(write.ref) === refKey(ref))?.at;
    return `${ref.name} (${engine}${at === undefined ? ', the history' : `; ${at}`})`;
  });
  throw new FlybackError(
    'plan-refused',
    `What is written to ${told.join(', ')} stays when a transaction is rolled back: a rollback that failed half-way would leave it changed.`,
    {
      hint: `ALTER TABLE ${found[0]?.ref.name ?? ''} ENGINE = InnoDB; keeps transactions. Otherwise take the version back by hand in a maintenance window.`,
    },
  );
}

/** A step that runs statement by statement can share no transaction, be rehearsed in none, and needs a session of its own. */
function refuseWithoutTransaction(request: PlanRequest, steps: readonly PlanStep[]): void {
  const step = steps.find(({ transaction }) => transaction === 'off');
  if (step === undefined) return;
  const alone = step.statements.find((statement) => statement.alone !== null);
  const why =
    alone === undefined
      ? 'its script says transaction off'
      : `line ${alone.line}: ${alone.alone?.replace(/\.$/, '') ?? ''}`;
  const refuse = (message: string, hint: string): never => {
    throw new FlybackError('plan-refused', `Version ${step.version} runs without a transaction (${why}): ${message}`, {
      hint,
    });
  };
  if (request.mode === 'dry-run') {
    refuse(
      'what it does cannot be taken back, so it cannot be rehearsed here.',
      'Rehearse it on a copy of the database; versions above it can be rehearsed with --to.',
    );
  }
  if (request.transaction === 'single') {
    refuse('it cannot share one with other versions.', 'Leave out --single-transaction.');
  }
  if (request.session.facts.proxied) {
    refuse(
      'that needs the lock of a session, which a pooler between flyback and the server does not keep.',
      'Connect to the server directly.',
    );
  }
}

/** What a statement makes without running it. */
const onlyMade = /^\s*create\s+(?:or\s+replace\s+)?(?:function|procedure|rule|(?:recursive\s+)?view)\b/i;

/**
 * A call of setval, also in a DO block: it is never taken back (PostgreSQL manual, "Sequence Manipulation Functions"; MariaDB
 * documentation, "SETVAL").
 */
function movesSequence(sql: string): boolean {
  return /\bsetval\s*\(/i.test(sql) && !onlyMade.test(sql);
}

/** What stands in for setval: DDL, which is taken back only where it does not commit. */
function insteadOfSetval({ toolbox }: PlanRequest): string | undefined {
  return toolbox.database.dialect.ddl === 'commits'
    ? undefined
    : 'ALTER SEQUENCE … RESTART WITH … does the same and is taken back with the rest.';
}

/** A rehearsal that moves the sequences of a database in use would be worse than none. */
function refuseMovedSequences(request: PlanRequest, steps: readonly PlanStep[]): void {
  if (request.mode !== 'dry-run') return;
  for (const step of steps) {
    const moving = [...step.statements, ...step.verifications].find(({ sql }) => movesSequence(sql));
    if (moving === undefined) continue;
    throw new FlybackError(
      'plan-refused',
      `Version ${step.version}, line ${moving.line}: setval moves a sequence at once, also in a dry run, which could not take that back.`,
      {
        hint:
          insteadOfSetval(request) ??
          'Rehearse it on a copy of the database; versions above it can be rehearsed with --to.',
      },
    );
  }
}

/** Findings about the project as a whole under which nothing is run: Flyway would execute rollback scripts by itself. */
const unsafeSetUp: ReadonlySet<string> = new Set([
  'rollbacks-folder-scanned',
  'rollback-without-version',
  'script-without-version',
]);

interface Chosen {
  readonly row: InterpretedEntry;
  readonly script: RollbackScript;
}

/** Every row must have a script worth running; all reasons are told at once, before the first statement. */
function usableScripts(request: PlanRequest, selection: Selection): readonly Chosen[] {
  const pairByRank = new Map(
    request.pairs.flatMap((pair) => (pair.row === undefined ? [] : [[pair.row.entry.rank, pair] as const])),
  );
  const reasons: Finding[] = request.findings.filter((finding) => unsafeSetUp.has(finding.code));
  const chosen: Chosen[] = [];
  for (const row of selection.rows) {
    const version = row.version?.text ?? row.entry.versionText ?? '';
    const pair = pairByRank.get(row.entry.rank);
    const errors =
      pair === undefined
        ? []
        : [...pair.findings, ...(pair.script?.findings ?? [])].filter(
            (finding) => finding.severity === 'error' && blocksRun(finding),
          );
    reasons.push(...unique(errors));
    if (pair?.script === undefined) {
      if (errors.length === 0) {
        reasons.push({
          code: 'rollback-missing',
          severity: 'error',
          subject: version,
          message: `Version ${version} (${row.entry.description}) has no rollback script.`,
          hint: `Write one, starting from: flyback stub ${version}`,
        });
      }
      continue;
    }
    chosen.push({ row, script: pair.script });
  }
  if (reasons.length > 0) {
    const versions = selection.rows.map((row) => row.version?.text ?? '');
    throw new FlybackError(
      'plan-refused',
      `Cannot plan to take back ${versions.length === 1 ? `version ${versions[0] ?? ''}` : `versions ${versions.slice(0, 6).join(', ')}${versions.length > 6 ? ', …' : ''}`}: ${reasons.length === 1 ? 'one thing stands' : `${reasons.length} things stand`} in the way.`,
      {
        hint: reasons.length === 1 ? reasons[0]?.hint : 'Put right what is listed, then plan again; nothing was run.',
        findings: reasons,
      },
    );
  }
  return chosen;
}

/** Findings about the migration file do not make its rollback script unusable; those about the script do. */
function blocksRun(finding: Finding): boolean {
  return !finding.code.startsWith('migration-');
}

function unique(findings: readonly Finding[]): readonly Finding[] {
  const seen = new Set<string>();
  return findings.filter((finding) => {
    const key = `${finding.code}\n${finding.subject}\n${finding.message}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function triggersMode(request: PlanRequest): Plan['triggers'] {
  const { session, toolbox, triggers } = request;
  if (toolbox.database.sql.replicaMode === 'foreign-keys') {
    if (triggers === 'disable') throw triggersStay('--triggers disable (run.triggers) asks for that');
    return triggers === undefined
      ? { mode: 'keep', reason: 'this server cannot switch triggers off; foreign keys are checked as usual' }
      : {
          mode: triggers,
          reason: triggers === 'replica' ? 'as asked: foreign key checks off, triggers stay on' : 'as asked',
        };
  }
  const may = session.facts.mayUseReplicaMode;
  if (triggers === 'replica' && !may) {
    throw new FlybackError(
      'privilege-missing',
      `Role ${session.facts.user} may not set session_replication_role, which --triggers replica needs.`,
      {
        hint: `Use --triggers disable (the owner of the tables may) or --triggers keep; or, from PostgreSQL 15 on: GRANT SET ON PARAMETER session_replication_role TO ${session.facts.user};`,
      },
    );
  }
  if (triggers !== undefined) return { mode: triggers, reason: 'as asked' };
  return may
    ? { mode: 'replica', reason: 'the default' }
    : {
        mode: 'disable',
        reason: `role ${session.facts.user} may not set session_replication_role; the user triggers of the tables that a script writes to are disabled one by one, foreign keys stay on`,
      };
}

function triggersStay(why: string): FlybackError {
  return new FlybackError('plan-refused', `MySQL and MariaDB cannot switch triggers off, and ${why}.`, {
    hint: 'Use keep; or replica, which switches foreign key checks off and looks afterwards that they hold. A script may drop a trigger and create it again.',
  });
}

interface DraftStatement {
  readonly planned: Omit<PlannedStatement, 'cascade' | 'estimate'>;
  readonly impact: StatementImpact;
}

interface DraftStep {
  readonly step: Omit<PlanStep, 'statements' | 'risk' | 'dataLoss'>;
  readonly declaredRisk: Risk | undefined;
  readonly statements: readonly DraftStatement[];
}

function draftStep(
  request: PlanRequest,
  classifier: Pick<Classifier, 'classify'>,
  row: InterpretedEntry,
  script: RollbackScript,
  mode: TriggersMode,
): DraftStep {
  const relative = path.relative(request.projectFolder, script.file);
  const { database } = request.toolbox;
  if (script.directives.triggers === 'disable' && database.sql.replicaMode === 'foreign-keys') {
    throw triggersStay(`the script of version ${script.version.text} asks for that (-- flyback: triggers disable)`);
  }
  const statements = script.statements.map((statement) => {
    const impact = classifier.classify(statement.text);
    if (!('changes' in impact)) {
      throw new FlybackError(
        'script-refused',
        `Version ${script.version.text}: the statement in line ${statement.line} cannot be parsed: ${impact.message}`,
        {
          location: locate(script, { ...statement, offset: statement.offset + (impact.offset ?? 0) }, undefined),
          hint: 'Correct the script; flyback audit finds such statements in all scripts.',
        },
      );
    }
    if (impact.notTransactional !== undefined && script.transaction === 'on') {
      throw new FlybackError(
        'script-refused',
        `Version ${script.version.text}, line ${statement.line}: ${impact.notTransactional}`,
        {
          location: locate(script, statement, undefined),
          hint: 'Write -- flyback: transaction off into the script: it then runs statement by statement, journalled.',
        },
      );
    }
    return {
      impact,
      planned: {
        line: statement.line,
        sql: request.redact(statement.text),
        changes: impact.changes,
        risk: statementRisk(impact),
        dataLoss: impact.dataLoss,
        locks: impact.locks,
        work: impact.work,
        online: onlineOf(impact, request.session),
        drops: impact.drops,
        writes: impact.writes,
        alone: script.transaction === 'on' ? null : aloneBecause(statement.text, impact, database.dialect.ddl),
      },
    };
  });
  return {
    statements,
    declaredRisk: script.directives.risk,
    step: {
      version: row.version?.text ?? row.entry.versionText ?? '',
      description: row.entry.description,
      entry: row.entry,
      script: {
        file: relative.startsWith('..') || path.isAbsolute(relative) ? script.file : relative.split(path.sep).join('/'),
        source: script.source,
        checksum: script.checksum,
        textChecksum: sha256(script.text),
      },
      triggers: script.directives.triggers ?? mode,
      transaction: script.transaction,
      verifications: script.verifications.map((verification) => ({
        name: verification.name,
        line: verification.query.line,
        sql: request.redact(verification.query.text),
        expectation: redactExpectation(verification.expectation, request.redact),
      })),
      takenOver: script.takenOver.map((part) => ({ ...part, text: request.redact(part.text) })),
      allowLoss: script.directives.allowLoss,
      approval: script.directives.approval === undefined ? undefined : request.redact(script.directives.approval),
    },
  };
}

/** In the words of the server: what MariaDB calls NOCOPY is INPLACE to MySQL. */
function onlineOf({ online }: StatementImpact, { facts }: Session): OnlineChange | null {
  if (online === undefined) return null;
  const isMysql = facts.mysql?.product === 'MySQL';
  return isMysql && online.algorithm === 'NOCOPY' ? { ...online, algorithm: 'INPLACE' } : online;
}

/** A procedure or a block may commit, which only a statement outside of a transaction may do; or may hold DDL that commits. */
const mayCommit = {
  transactional: /^(?:call\b|do\b[\s\S]*\b(?:commit|rollback)\b)/i,
  commits: /^(?:call|execute)\b/i,
};

function aloneBecause(text: string, impact: StatementImpact, ddl: SqlDialect['ddl']): string | null {
  if (impact.notTransactional !== undefined) return impact.notTransactional;
  return mayCommit[ddl].test(text) ? 'It may commit by itself.' : null;
}

function redactExpectation(expectation: Expectation, redact: (text: string) => string): Expectation {
  const value = (text: string | null): string | null => (text === null ? null : redact(text));
  switch (expectation.kind) {
    case 'value':
      return { ...expectation, value: value(expectation.value) };
    case 'every':
      return { ...expectation, value: redact(expectation.value) };
    case 'table':
      return { ...expectation, rows: expectation.rows.map((row) => row.map(value)) };
    case 'comparison':
    case 'row-count':
    case 'no-rows':
      return expectation;
  }
}

interface CatalogFacts {
  readonly byRef: ReadonlyMap<string, ObjectFacts>;
  /** What CASCADE sweeps, by statement. */
  readonly swept: ReadonlyMap<DraftStatement, readonly string[]>;
  /** Locks that all steps need together; undefined when they do not add up. */
  readonly locks: number | undefined;
}

function refKey(ref: ObjectRef): string {
  return JSON.stringify([ref.kind, ref.schema ?? null, ref.name, ref.member ?? null, ref.signature ?? null]);
}

/** Asks only what is needed: what CASCADE sweeps, how many locks when they add up, sizes when they are shown. */
async function askCatalog(request: PlanRequest, drafts: readonly DraftStep[]): Promise<CatalogFacts> {
  const { session, toolbox } = request;
  const statements = drafts.flatMap((draft) => draft.statements);
  const cascading = statements.filter(({ impact }) => impact.cascade && impact.drops.length > 0);
  const locksAddUp = request.locksAddUp === 'yes';
  const dropped = distinct(locksAddUp ? statements.flatMap(({ impact }) => impact.drops) : []);
  const sized = request.estimates === 'ask' ? distinct(statements.flatMap(({ impact }) => sizedRefs(impact))) : [];
  const locked = distinct(statements.flatMap(({ impact }) => impact.locks.map((lock) => lock.on)));
  const inDrops = new Set(dropped.map(refKey));
  const ask = async (): Promise<readonly [readonly (readonly string[])[], readonly ObjectFacts[]]> => {
    const swept = await toolbox.database.cascadeVictims(
      session,
      cascading.map(({ impact }) => impact.drops),
    );
    const ofDropped = await toolbox.database.objectFacts(session, dropped, {
      sizes: request.estimates === 'ask',
      dependents: true,
    });
    const ofOthers = await toolbox.database.objectFacts(
      session,
      sized.filter((ref) => !inDrops.has(refKey(ref))),
      { sizes: true, dependents: false },
    );
    return [swept, [...ofDropped, ...ofOthers]];
  };
  const isAsked = cascading.length + dropped.length + sized.length > 0;
  const [victims, facts] = isAsked ? await withScriptPath(request, ask) : [[], []];
  return {
    byRef: new Map(facts.map((fact) => [refKey(fact.ref), fact])),
    swept: new Map(cascading.map((statement, index) => [statement, victims[index] ?? []])),
    locks: locksAddUp
      ? facts.reduce((sum, fact) => sum + fact.dependents, 0) + locked.filter((ref) => !inDrops.has(refKey(ref))).length
      : undefined,
  };
}

function distinct(refs: readonly ObjectRef[]): readonly ObjectRef[] {
  return [...new Map(refs.map((ref) => [refKey(ref), ref])).values()];
}

/**
 * Unqualified names must mean the same in the plan as in the run. Through a pooler they do so within one transaction
 * only, and what is set for the session would stay with the server process for whoever gets it next.
 */
async function withScriptPath<T>(request: PlanRequest, ask: () => Promise<T>): Promise<T> {
  const { toolbox, session, settings, history } = request;
  const { sql } = toolbox.database;
  const schema = toolbox.history.scriptSchema(settings, history.table, session.facts.currentSchema);
  if (!session.facts.proxied) {
    await session.query(sql.useScriptPath(session.facts, schema));
    return ask();
  }
  await session.query(sql.beginReadOnly(session.facts, schema));
  try {
    return await ask();
  } finally {
    await session.query(sql.rollback).catch(() => undefined);
  }
}

function finishStep(draft: DraftStep, facts: CatalogFacts): PlanStep {
  const statements = draft.statements.map((statement): PlannedStatement => {
    const { planned, impact } = statement;
    const known = (refs: readonly ObjectRef[]): readonly ObjectFacts[] =>
      refs.flatMap((ref) => facts.byRef.get(refKey(ref)) ?? []);
    return {
      ...planned,
      cascade: facts.swept.get(statement) ?? [],
      estimate: facts.byRef.size === 0 ? null : estimateOf(known(sizedRefs(impact)), known(impact.drops)),
    };
  });
  return {
    ...draft.step,
    risk: higherRisk(draft.declaredRisk, riskiest(statements.map((statement) => statement.risk))),
    dataLoss: worstLoss(statements.map((statement) => statement.dataLoss)),
    statements,
  };
}

/** What loses or moves rows, or is read whole: its size tells how long and how much. */
function sizedRefs(impact: StatementImpact): readonly ObjectRef[] {
  return [...impact.drops, ...impact.writes, ...(impact.work === 'none' ? [] : impact.locks.map((lock) => lock.on))];
}

function estimateOf(facts: readonly ObjectFacts[], dropped: readonly ObjectFacts[]): Estimate | null {
  const distinct = [...new Map(facts.map((fact) => [refKey({ ...fact.ref, kind: '' }), fact])).values()];
  const tables = distinct.filter((fact) => fact.bytes !== null && !['index', 'view'].includes(fact.ref.kind));
  const alsoLocks = [...new Set(dropped.flatMap((fact) => fact.alsoLocks))];
  if (tables.length === 0 && alsoLocks.length === 0) return null;
  const sum = (values: readonly (number | null)[]): number | null =>
    values.every((value) => value === null) ? null : values.reduce<number>((total, value) => total + (value ?? 0), 0);
  return { rows: sum(tables.map((fact) => fact.rows)), bytes: sum(tables.map((fact) => fact.bytes)), alsoLocks };
}

function describeRef(ref: ObjectRef): string {
  return `${ref.kind} ${ref.schema === undefined ? '' : `${ref.schema}.`}${ref.name}`;
}

function historyAfter(
  request: PlanRequest,
  selection: Selection,
): { readonly after: Plan['after']; readonly hazards: readonly Finding[] } {
  const { history, toolbox } = request;
  const going = new Set(selection.rows.map((row) => row.entry.rank));
  const remaining = history.rows.filter((row) => !going.has(row.entry.rank)).map((row) => row.entry);
  const later = toolbox.history.interpret(history.table, remaining);
  const forecast = toolbox.history.forecast(later, request.migrations, request.settings);
  const hazards: Finding[] = [...(toolbox.history.habits?.(history, later) ?? [])];
  if (forecast.refuses !== undefined) {
    hazards.push({
      code: 'migrate-will-refuse',
      severity: 'warning',
      subject: `${history.table.schema}.${history.table.name}`,
      message: `Afterwards ${toolbox.history.words.migrate} will refuse: ${forecast.refuses}`,
      hint: 'Remove or correct the migration files before the next migrate.',
    });
  }
  return {
    after: {
      applied: later.applied.map((row) => row.version?.text ?? row.entry.versionText ?? ''),
      forecast: forecast.summary,
      willApply: forecast.willApply,
    },
    hazards,
  };
}

/** Repeatable migrations that ran after a version that goes: their views or functions may rely on it. */
function repeatablesToRepeat(history: History, selection: Selection): readonly string[] {
  const lowest = Math.min(...selection.rows.map((row) => row.entry.rank));
  return history.rows
    .filter((row) => row.state === 'repeatable' && row.entry.rank > lowest)
    .map((row) => row.entry.description);
}

function stepHazards(request: PlanRequest, steps: readonly PlanStep[], facts: CatalogFacts): readonly Finding[] {
  const hazards: Finding[] = [];
  for (const step of steps) {
    const allowed = new Set(step.allowLoss.map((name) => name.toLowerCase()));
    for (const statement of step.statements) {
      const subject = `${step.version}, line ${statement.line}`;
      for (const victim of statement.cascade) {
        hazards.push({
          code: 'cascade-sweeps',
          severity: 'warning',
          subject,
          message: `CASCADE will also remove ${victim}.`,
          hint: 'Name it in the script, or leave out CASCADE.',
        });
      }
      if (statement.dataLoss === 'yes') {
        const objects = [...statement.drops, ...statement.writes].map((ref) =>
          ref.member === undefined ? ref.name : `${ref.name}.${ref.member}`,
        );
        const undeclared = objects.filter((name) => !allowed.has(name.toLowerCase()));
        if (undeclared.length > 0) {
          hazards.push({
            code: 'data-will-go',
            severity: 'warning',
            subject,
            message: `Rows or values of ${[...new Set(undeclared)].join(', ')} will be gone${printEstimate(statement.estimate)}.`,
            hint: `Back them up first, or declare it in the script: -- flyback: allow-loss ${undeclared[0] ?? ''}`,
          });
        }
      }
      for (const ref of statement.drops) {
        if (
          facts.byRef.get(refKey(ref))?.exists === false &&
          !/\bIF\s+EXISTS\b/i.test(statement.sql) &&
          !createdEarlier(steps, step, statement, ref)
        ) {
          hazards.push({
            code: 'object-absent',
            severity: 'warning',
            subject,
            message: `${describeRef(ref)}${ref.member === undefined ? '' : `.${ref.member}`} does not exist now; the statement will fail unless an earlier one creates it.`,
            hint: 'Compare the script with the migration.',
          });
        }
      }
      if (movesSequence(statement.sql)) {
        hazards.push({
          code: 'sequence-stays',
          severity: 'warning',
          subject,
          message:
            'setval takes effect at once: should the rollback fail after it, the sequence stays where it was put.',
          hint: insteadOfSetval(request) ?? 'Let it be the last statement of the script.',
        });
      }
      const rewrite =
        statement.online === null ? offlineRewrite(statement) : onlineRewrite(statement, statement.online);
      if (rewrite !== undefined) hazards.push({ code: 'table-rewrite', severity: 'warning', subject, ...rewrite });
    }
    if (step.transaction === 'off') hazards.push(...withoutTransaction(step, meanwhile(step, request)));
    if (step.triggers === 'disable' && step.statements.some((statement) => statement.changes.includes('procedural'))) {
      hazards.push({
        code: 'triggers-unknown',
        severity: 'warning',
        subject: step.version,
        message: 'The script runs procedural code; triggers of the tables that only it writes to stay on.',
        hint: 'Use a role that may set session_replication_role if they must not fire.',
      });
    }
  }
  if (request.session.facts.proxied) {
    hazards.push({
      code: 'pooler-between',
      severity: 'warning',
      subject: 'connection',
      message:
        'Something between flyback and the server (a pooler) answers with a process id of its own; between two versions another process could slip in, which would stop the run.',
      hint: 'Connect to the server directly.',
    });
  }
  return hazards;
}

type Told = Pick<Finding, 'message' | 'hint'>;

function offlineRewrite(statement: PlannedStatement): Told | undefined {
  if (statement.work !== 'rewrite') return undefined;
  return {
    message: `The statement rewrites ${tablesOf(statement)} under an exclusive lock.`,
    hint: 'Expect it to take as long as copying the table.',
  };
}

const whoWaits = {
  NONE: 'others read and write it meanwhile',
  SHARED: 'writers wait until it is done',
  EXCLUSIVE: 'readers and writers wait until it is done',
} as const;

/** MySQL and MariaDB: only where rows are copied, others wait for more than a moment, or the text does not tell. */
function onlineRewrite(statement: PlannedStatement, { algorithm, lock, isCertain }: OnlineChange): Told | undefined {
  const { work } = statement;
  const isWorth = algorithm === 'COPY' || (work !== 'none' && lock !== 'NONE') || (work === 'rewrite' && !isCertain);
  if (!isWorth) return undefined;
  const verb =
    algorithm === 'COPY' ? ['copies', 'copy'] : work === 'rewrite' ? ['rewrites', 'rewrite'] : ['reads', 'read'];
  const how = `${whoWaits[lock]} (ALGORITHM=${algorithm}, LOCK=${lock})`;
  return isCertain
    ? {
        message: `The statement ${verb[0] ?? ''} ${tablesOf(statement)}: ${how}.`,
        hint: 'Expect it to take as long as copying the table, and run it when few write to it.',
      }
    : {
        message: `The statement may ${verb[1] ?? ''} ${tablesOf(statement)}: ${how}. Its text does not tell, for it depends on the table.`,
        hint: 'Write ALGORITHM=INPLACE, LOCK=NONE at its end: the server then refuses it where it would have to copy.',
      };
}

function tablesOf(statement: PlannedStatement): string {
  return `${statement.locks.map((lock) => lock.on.name).join(', ')}${printEstimate(statement.estimate)}`;
}

/** What the history shows while a version is partly rolled back. */
function meanwhile({ entry }: PlanStep, { toolbox, history }: PlanRequest): string {
  const marking = toolbox.history.setSuccess(toolbox.database, history.table, entry, false);
  return marking === undefined
    ? 'the history, which has no mark for it, shows the version as applied'
    : 'the history shows the version as failed';
}

function withoutTransaction(step: PlanStep, meanwhileShown: string): readonly Finding[] {
  const alone = step.statements.filter((statement) => statement.alone !== null);
  const mayCommit = alone.filter((statement) => statement.changes.includes('procedural'));
  return [
    {
      code: 'no-transaction',
      severity: 'warning',
      subject: step.version,
      message: `The script runs statement by statement${alone.length === 0 ? ' (transaction off)' : `, because of line ${alone.map(({ line }) => line).join(', ')}`}: when one fails, those before it stay done, and ${meanwhileShown} until flyback resume has finished it.`,
      hint: 'Have somebody at hand who can decide; flyback resume continues at the statement that stopped it.',
    },
    ...(step.triggers !== 'keep' && mayCommit.length > 0
      ? [
          {
            code: 'triggers-stay-on',
            severity: 'warning' as const,
            subject: `${step.version}, line ${mayCommit[0]?.line ?? 0}`,
            message: 'Triggers stay on while this statement runs, for it may commit by itself.',
            hint: 'Disable the triggers in the script, or take what fires them out of the procedure.',
          },
        ]
      : []),
  ];
}

/** An object that an earlier statement of the same plan creates is not missing. */
function createdEarlier(
  steps: readonly PlanStep[],
  step: PlanStep,
  statement: PlannedStatement,
  ref: ObjectRef,
): boolean {
  for (const candidate of steps) {
    for (const earlier of candidate.statements) {
      if (candidate === step && earlier === statement) return false;
      if (earlier.drops.length === 0 && earlier.sql.includes(ref.member ?? ref.name)) return true;
    }
  }
  return false;
}

function printEstimate(estimate: PlannedStatement['estimate']): string {
  if (estimate?.rows === null || estimate?.rows === undefined) return '';
  return ` (about ${estimate.rows} rows)`;
}
