import { withProject } from '../../compose/open-project.js';
import { exitCodes } from '../../errors/error.js';
import { verifyVersions } from '../../verify/verify-versions.js';
import { out, outJson, type CommandContext } from '../command.js';
import { paint } from '../output/error-text.js';
import { printDuration } from '../output/numbers.js';

/** flyback verify: the verification queries alone, read-only. */
export async function runVerify(context: CommandContext, versions: readonly string[]): Promise<number> {
  return withProject(context.open, async (project) => {
    const verified = await verifyVersions(project, versions);
    const passed = verified.every((version) => version.results.every((result) => result.passed));
    if (context.json) {
      outJson({ passed, versions: verified });
    } else {
      for (const { version, results } of verified) {
        for (const result of results) {
          out(
            `${result.passed ? paint('green', 'ok', process.stdout) : paint('red', 'NOT OK', process.stdout)}  ${version}  ${result.name}: expected ${result.expected}, got ${result.actual}  (${printDuration(result.durationMs)})`,
          );
        }
      }
    }
    return passed ? exitCodes.done : exitCodes.findings;
  });
}
