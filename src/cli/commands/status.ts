import { withProject } from '../../compose/open-project.js';
import { exitCodes } from '../../errors/error.js';
import type { Pair } from '../../pairing/pair.js';
import { classifyPairs } from '../../project/classify-project.js';
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
        versions: pairs.map(pairJson),
        findings: project.findings,
      });
      return exitCodes.done;
    }
    out(await statusTable(pairs));
    const without = pairs.filter((pair) => pair.state === 'applied' && !rollbackWord(pair).startsWith('ready')).length;
    out(
      `\n${table.schema}.${table.name} in ${project.session.facts.databaseName}: ${count(history.applied.length, 'version')} applied${history.floor === undefined ? '' : `, baseline ${history.floor.text}`}; ${without === 0 ? 'every one has a rollback' : `${without} without a usable rollback`}`,
    );
    for (const finding of project.findings) progress(findingText(finding, process.stderr));
    return exitCodes.done;
  });
}

/** The table of versions, newest last. */
export async function statusTable(pairs: readonly Pair[]): Promise<string> {
  return printTable(
    ['version', 'description', 'state', 'rollback', 'risk', 'data loss'],
    pairs.map((pair) => [
      pair.version.text,
      pair.description,
      pair.row?.outOfOrder === true ? `${pair.state} (out of order)` : pair.state,
      rollbackWord(pair),
      pair.risk?.risk ?? '',
      pair.risk?.dataLoss ?? '',
    ]),
  );
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
  return pair.script.source === 'undo' ? 'ready (undo)' : 'ready';
}

/** One version as JSON, without the texts of its files. */
export function pairJson(pair: Pair): unknown {
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
    risk: pair.risk ?? null,
    findings: pair.findings,
  };
}
