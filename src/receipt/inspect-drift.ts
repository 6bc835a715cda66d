import type { Session } from '../adapter/database.js';
import type { PartReading } from '../adapter/proof-queries.js';
import { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import type { Version } from '../history/version.js';
import { journalTableOf } from '../journal/journal.js';
import type { PlanStep } from '../plan/plan.js';
import type { ConnectedProject } from '../project/project.js';
import type { StepInspector } from '../run/run-request.js';
import { driftAfter, driftBefore, partOf } from './drift.js';
import type { ProofBook } from './proof-book.js';
import type { Receipt } from './receipt.js';
import { editionOf, editionOfReceipt, editionText, isSameEdition } from './server-edition.js';
import { madeByRepeatables } from './repeatable-objects.js';

/** Which steps of a plan are compared with the proof of their version, by the version as the plan writes it. */
export interface DriftPlan {
  readonly compared: ReadonlyMap<string, Receipt>;
  /** Why a step whose proof counts is not compared. */
  readonly findings: readonly Finding[];
}

/** What can be compared when these steps run in this order; nothing where the policy is off. Pure. */
export function planDrift(
  { session, history, toolbox }: Pick<ConnectedProject, 'session' | 'history' | 'toolbox'>,
  book: ProofBook,
  steps: readonly PlanStep[],
): DriftPlan {
  const compared = new Map<string, Receipt>();
  const findings: Finding[] = [];
  if (book.drift === 'off') return { compared, findings };
  const { versions } = toolbox.history;
  const edition = editionOf(session.facts);
  const applied = new Map(
    history.applied.flatMap(({ version }) => (version === undefined ? [] : [[version.key, version]])),
  );
  for (const step of steps) {
    const version = versions.parse(step.version);
    const state = version === undefined ? undefined : book.states.get(version.key);
    if (version !== undefined && (state?.state === 'proven' || state?.state === 'not-passing')) {
      const above = newestAbove(version, [...applied.values()], versions.compare.bind(versions));
      const reason = !isSameEdition(editionOfReceipt(state.receipt), edition)
        ? `its proof was made on ${editionText(editionOfReceipt(state.receipt))}, and this is ${editionOfReceipt(state.receipt).product === edition.product ? edition.major : editionText(edition)}`
        : above === undefined
          ? undefined
          : `version ${above.text} above it stays applied, which its proof knows nothing of`;
      if (reason === undefined) compared.set(step.version, state.receipt);
      else {
        findings.push({
          code: 'drift-unchecked',
          severity: book.drift === 'stop' ? 'warning' : 'info',
          subject: step.version,
          message: `Version ${step.version} is taken back without comparing the database with its proof: ${reason}.`,
        });
      }
    }
    if (version !== undefined) applied.delete(version.key);
  }
  return { compared, findings };
}

function newestAbove(
  version: Version,
  applied: readonly Version[],
  compare: (a: Version, b: Version) => number,
): Version | undefined {
  return applied
    .filter((candidate) => compare(candidate, version) > 0)
    .sort(compare)
    .at(-1);
}

/**
 * Compares the database around each step's script with what the proof of its version saw. As the policy says, a difference
 * is told, or the step is rolled back with the FlybackError drift-found. Undefined when no step is compared.
 */
export function driftInspector(
  project: ConnectedProject,
  book: ProofBook,
  steps: readonly PlanStep[],
): ((step: PlanStep) => StepInspector | undefined) | undefined {
  const { compared } = planDrift(project, book, steps);
  if (compared.size === 0) return undefined;
  const stops = book.drift === 'stop';
  let repeatables: ReturnType<typeof madeByRepeatables> | undefined;
  const { table, recordTable } = project;
  const ownTables = [table, recordTable, journalTableOf(recordTable)];
  const tell = (version: string, findings: readonly Finding[]): readonly Finding[] => {
    if (!stops || findings.length === 0) return findings;
    const named = findings.slice(0, 3).map(({ subject }) => subject);
    throw new FlybackError(
      'drift-found',
      `Version ${version} was not taken back: the database is not as its proof saw it (${named.join(', ')}${findings.length > 3 ? ` and ${findings.length - 3} more` : ''}). Everything of it was rolled back.`,
      {
        hint: 'Look at each difference; when the rollback script fits all the same, run it with --drift warn.',
        findings: findings.map((finding) => ({ ...finding, severity: 'error' })),
      },
    );
  };
  return (step) => {
    const receipt = compared.get(step.version);
    if (receipt === undefined) return undefined;
    const part = partOf(receipt, step.statements);
    const compare = async (
      session: Session,
      known: readonly string[],
      judge: (reading: PartReading) => readonly Finding[],
    ): Promise<readonly Finding[]> => {
      const queries = await project.toolbox.database.loadProofQueries();
      let reading: PartReading;
      try {
        reading = await queries.readPart(session, ownTables, part, known);
      } catch (error) {
        // That a run was cancelled shows when the transaction goes on.
        if (!(error instanceof FlybackError) || error.code === 'connection-lost') throw error;
        return tell(step.version, [unchecked(step, error.message)]);
      }
      const found = judge(reading);
      if (found.length === 0) return found;
      repeatables ??= madeByRepeatables(project);
      const isRepeatable = await repeatables;
      return tell(
        step.version,
        found.filter(({ subject }) => !isRepeatable(subject)),
      );
    };
    let before: PartReading | undefined;
    return {
      before: async (session) =>
        compare(session, [], (reading) => {
          before = reading;
          return driftBefore(step.version, receipt, reading.catalog);
        }),
      after: async (session) => {
        const first = before;
        if (first === undefined) return [];
        return compare(session, first.ids, (after) => driftAfter(step.version, receipt, { before: first, after }));
      },
    };
  };
}

function unchecked(step: PlanStep, problem: string): Finding {
  return {
    code: 'drift-unchecked',
    severity: 'warning',
    subject: step.version,
    message: `The database could not be compared with the proof of version ${step.version}: ${problem}`,
  };
}
