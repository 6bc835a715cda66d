import { withProject } from '../../compose/open-project.js';
import { exitCodes } from '../../errors/error.js';
import { openRuns, type OpenRun } from '../../journal/journal-state.js';
import type { Pair } from '../../pairing/pair.js';
import { classifyPairs } from '../../project/classify-project.js';
import type { ConnectedProject } from '../../project/project.js';
import type { Finding } from '../../errors/finding.js';
import { proofFindings, proofJson, proofWord, type ProofBook } from '../../receipt/proof-book.js';
import { out, outJson, progress, type CommandContext } from '../command.js';
import { findingText } from '../output/error-text.js';
import { count } from '../output/numbers.js';
import { printTable } from '../output/table.js';

/** flyback status: the history with its pairs. */
export async function runStatus(context: CommandContext): Promise<number> {
  return withProject(context.open, async (project) => {
    const { toolbox, history, table } = project;
    const pairs = classifyPairs(project.pairs, project, await toolbox.database.loadClassifier());
    if (context.json) {
      outJson({
        tool: history.tool,
        table,
        database: project.session.facts.databaseName,
        baseline: history.floor?.text ?? null,
        interrupted: openRuns(project.journal).map(({ run, begun, finished, resumes }) => ({
          run,
          version: begun.version,
          begunAt: begun.at,
          statements: begun.statements.length,
          finished: finished.length,
          resumes,
        })),
        versions: pairs.map((pair) => pairJson(pair, project.proofs)),
        findings: [...project.findings, ...proofFindingsOf(project, pairs)],
      });
      return exitCodes.done;
    }
    const interrupted = interruptedRuns(project);
    out(await statusTable(pairs, interrupted, project.proofs));
    const isHalfDone = (pair: Pair): boolean => interrupted.has(pair.version.key);
    const without = pairs.filter((pair) => pair.state === 'applied' && !rollbackWord(pair).startsWith('ready')).length;
    const failed = pairs.filter((pair) => pair.state === 'failed' && !isHalfDone(pair)).length;
    const facts = [
      `${count(pairs.filter((pair) => pair.state === 'applied' && !isHalfDone(pair)).length, 'version')} applied`,
      ...(failed === 0 ? [] : [`${failed} failed`]),
      ...pairs.filter(isHalfDone).map((pair) => `version ${pair.version.text} partly rolled back`),
      ...(history.floor === undefined ? [] : [`baseline ${history.floor.text}`]),
    ];
    out(
      `\n${table.schema}.${table.name} in ${project.session.facts.databaseName}: ${facts.join(', ')}; ${without === 0 ? 'every one has a rollback' : `${without} without a usable rollback`}`,
    );
    const findings = [...project.findings, ...proofFindingsOf(project, pairs).filter(isAboutReceipts)];
    for (const finding of findings) progress(findingText(finding, process.stderr));
    return exitCodes.done;
  });
}

/** Rollbacks without a transaction that stopped half-way, by the key of their version. */
export type InterruptedRuns = ReadonlyMap<string, OpenRun>;

export function interruptedRuns(project: ConnectedProject): InterruptedRuns {
  const { versions } = project.toolbox.history;
  return new Map(
    openRuns(project.journal).flatMap((run) => {
      const key = versions.parse(run.begun.version)?.key;
      return key === undefined ? [] : [[key, run] as const];
    }),
  );
}

/** What there is to say about proofs of the versions that may have to be taken back, one day or now. */
export function proofFindingsOf(
  project: { readonly proofs?: ProofBook | undefined },
  pairs: readonly Pair[],
): readonly Finding[] {
  const needed = pairs.filter(({ state }) => state !== 'baseline' && state !== 'orphan');
  return project.proofs === undefined ? [] : proofFindings(project.proofs, needed);
}

/** The table has a column for what else there is to say. */
function isAboutReceipts({ code }: Finding): boolean {
  return code === 'receipts-invalid' || code === 'receipt-edited';
}

/** The table of versions, newest last; with their proofs where the project keeps receipts. */
export async function statusTable(
  pairs: readonly Pair[],
  interrupted: InterruptedRuns = new Map(),
  proofs?: ProofBook,
): Promise<string> {
  const shown = proofs === undefined || (!proofs.kept && proofs.requirement === 'off') ? undefined : proofs;
  return printTable(
    ['version', 'description', 'state', 'rollback', ...(shown === undefined ? [] : ['proof']), 'risk', 'data loss'],
    pairs.map((pair) => {
      const run = interrupted.get(pair.version.key);
      return [
        pair.version.text,
        pair.description,
        run === undefined ? stateWord(pair) : interruptedWord(pair, run),
        run === undefined ? rollbackWord(pair) : 'flyback resume',
        ...(shown === undefined ? [] : [pair.state === 'baseline' ? '–' : proofWord(shown, pair.version)]),
        pair.risk?.risk ?? '',
        pair.risk?.dataLoss ?? '',
      ];
    }),
  );
}

function stateWord(pair: Pair): string {
  return pair.row?.outOfOrder === true ? `${pair.state} (out of order)` : pair.state;
}

/** The history may show it as failed, not at all (repair removes failed rows), or as applied again. */
function interruptedWord(pair: Pair, { begun, finished }: OpenRun): string {
  const progress = `partly rolled back (${finished.length} of ${begun.statements.length})`;
  return pair.state === 'applied' ? `applied, ${progress}` : progress;
}

/** What is to be said of a version's rollback in one word or two. */
export function rollbackWord(pair: Pair): string {
  if (pair.state === 'baseline') return '–';
  const error = pair.findings.find(
    (finding) =>
      finding.severity === 'error' &&
      /^(rollback|script|statement|transaction|history|record|psql|placeholder|directive|verify|expectation|needs|strings)-/.test(
        finding.code,
      ),
  );
  if (error !== undefined) return error.code.replace(/^(rollback|script)-/, '');
  if (pair.script === undefined) return 'missing';
  return { rollback: 'ready', undo: 'ready (undo)', function: 'down()' }[pair.script.source];
}

/** One version as JSON, without the texts of its files. */
export function pairJson(pair: Pair, proofs: ProofBook | undefined): unknown {
  return {
    version: pair.version.text,
    description: pair.description,
    state: pair.state,
    installedRank: pair.row?.entry.rank ?? null,
    installedOn: pair.row?.entry.installedOn ?? null,
    outOfOrder: pair.row?.outOfOrder ?? false,
    migration: pair.migration?.script ?? null,
    rollback:
      pair.script === undefined
        ? null
        : { file: pair.script.file, source: pair.script.source, checksum: pair.script.checksum },
    usable: rollbackWord(pair).startsWith('ready'),
    proof: proofJson(proofs?.states.get(pair.version.key)),
    risk: pair.risk ?? null,
    findings: pair.findings,
  };
}
