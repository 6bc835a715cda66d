import type { Session } from '../adapter/database.js';
import type { LockHolder, LockSurvey } from '../adapter/locks.js';
import type { Toolbox } from '../adapter/toolbox.js';
import type { Finding } from '../errors/finding.js';
import type { Plan } from '../plan/plan.js';
import type { ConnectedProject } from '../project/project.js';
import { findBlockers, plannedNeeds, type Blocker } from './blocker.js';
import { presentable } from './describe-holder.js';
import { lockHazards } from './lock-hazards.js';

/** From this age on a transaction is told that holds no lock, but lets a CONCURRENTLY statement wait. */
const longTransactionMs = 60_000;

export interface SurveyRequest {
  readonly session: Session;
  readonly toolbox: Toolbox;
  readonly plan: Pick<Plan, 'steps' | 'history' | 'recordTable'>;
  readonly scriptSchema: string;
  /** Takes secrets out of what other sessions run. */
  readonly redact: (text: string) => string;
}

export interface SurveyResult {
  /** Whoever holds, or waits for, a lock that the plan must wait for; longest first. */
  readonly blockers: readonly Blocker[];
  /** Transactions that a CONCURRENTLY statement of the plan must wait for, besides those. */
  readonly snapshots: readonly LockHolder[];
  readonly findings: readonly Finding[];
}

/** The question about a plan of this project. */
export function surveyRequest(
  project: ConnectedProject,
  plan: SurveyRequest['plan'],
  redact: (text: string) => string,
): SurveyRequest {
  const { config, toolbox, session, table } = project;
  return {
    session,
    toolbox,
    plan,
    scriptSchema: toolbox.history.scriptSchema(config.tool, table, session.facts.currentSchema),
    redact,
  };
}

/** Asks the server who stands in the way of the plan at this moment. Changes nothing. */
export async function surveyLocks(request: SurveyRequest): Promise<SurveyResult> {
  const { session, toolbox, plan, scriptSchema, redact } = request;
  const { locks } = toolbox.database;
  const history = plan.history.table;
  const needs = plannedNeeds(
    plan,
    locks.ownNeeds(history, plan.recordTable),
    (sql) => locks.concurrentWait(sql)?.level,
  );
  const waiting = waitingPlace(request);
  const survey = await locks.survey(session, {
    needs: needs.map(({ need }) => need),
    scriptSchema,
    toolLock: toolbox.history.toolLock(toolbox.database, history, session.facts),
    snapshots: waiting === '' ? 'leave-out' : 'ask',
  });
  const blockers = findBlockers(needs, withoutSecrets(survey, redact));
  const known = new Set(blockers.map(({ holder }) => holder.identity));
  const snapshots = survey.snapshots
    .filter(({ identity, openMs }) => !known.has(identity) && openMs !== null && openMs >= longTransactionMs)
    .map((holder) => presentable(holder, redact));
  const findings = lockHazards({
    blockers,
    snapshots,
    waitingPlace: waiting,
    hidden: survey.hidden,
    endingStatement: (holder) => locks.endingStatement(holder),
  });
  return { blockers, snapshots, findings };
}

function withoutSecrets(survey: LockSurvey, redact: (text: string) => string): LockSurvey {
  const shown = new Map<string, LockHolder>();
  return {
    ...survey,
    obstacles: survey.obstacles.map((obstacle) => {
      const holder = shown.get(obstacle.holder.identity) ?? presentable(obstacle.holder, redact);
      shown.set(holder.identity, holder);
      return { ...obstacle, holder };
    }),
  };
}

/** The first statement that waits for every older transaction; empty when there is none. */
function waitingPlace({ plan, toolbox }: SurveyRequest): string {
  for (const { version, statements } of plan.steps) {
    const waiting = statements.find(({ sql }) => toolbox.database.locks.concurrentWait(sql)?.snapshots === true);
    if (waiting !== undefined) return `${version}, line ${waiting.line}`;
  }
  return '';
}
