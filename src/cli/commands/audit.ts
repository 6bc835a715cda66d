import { loadProjectConfig, readFilesOnly, withProject } from '../../compose/open-project.js';
import { exitCodes } from '../../errors/error.js';
import { audit } from '../../pairing/audit.js';
import { classifyPairs } from '../../project/classify-project.js';
import type { ConnectedProject, Project } from '../../project/project.js';
import { readProofBook } from '../../receipt/proof-book.js';
import { out, outJson, type CommandContext } from '../command.js';
import { findingText } from '../output/error-text.js';
import { count } from '../output/numbers.js';
import { interruptedRuns, pairJson, proofFindingsOf, statusTable, type InterruptedRuns } from './status.js';

/** flyback audit: the coverage gate; exit code 1 when a version has no rollback worth the name. */
export async function runAudit(context: CommandContext, flags: { readonly offline?: true }): Promise<number> {
  const offline = async (): Promise<number> => {
    const project = await readFilesOnly(context.open);
    return report(context, { ...project, proofs: await readProofBook(project, undefined) });
  };
  if (flags.offline === true) return offline();
  const config = await loadProjectConfig(context.open);
  if (config.connection === undefined) return offline();
  return withProject(context.open, (project) => report(context, project, interruptedRuns(project)));
}

async function report(
  context: CommandContext,
  project: Project & Pick<ConnectedProject, 'proofs'>,
  interrupted?: InterruptedRuns,
): Promise<number> {
  const pairs = classifyPairs(project.pairs, project, await project.toolbox.database.loadClassifier());
  const result = audit(pairs, project.config.audit, [...project.findings, ...proofFindingsOf(project, pairs)]);
  if (context.json) {
    outJson({
      ...result,
      versions: pairs.map((pair) => pairJson(pair, project.proofs)),
      askedDatabase: project.history !== undefined,
    });
  } else {
    const shown = pairs.filter((pair) => pair.state !== 'baseline');
    out(await statusTable(shown, interrupted, project.proofs));
    out('');
    for (const finding of result.findings.filter((candidate) => candidate.severity !== 'info'))
      out(findingText(finding, process.stdout));
    const { counts } = result;
    out(
      `\n${result.passed ? 'passed' : 'FAILED'}: ${counts.covered} of ${count(counts.needed, 'version')} ${counts.needed === 1 ? 'has' : 'have'} a usable rollback; ${count(counts.findings.error, 'error')}, ${count(counts.findings.warning, 'warning')}${project.history === undefined ? ' (files only, no database asked)' : ''}`,
    );
  }
  return result.passed ? exitCodes.done : exitCodes.findings;
}
