import { createRedactor } from '../config/create-redactor.js';
import { FlybackError } from '../errors/error.js';
import type { ConnectedProject } from '../project/project.js';
import { parseEntry, readRecord } from '../record/record-store.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import { locate } from '../run/step-failure.js';
import { checkExpectation } from './check-expectation.js';
import type { VerificationResult } from './verification.js';

export interface VersionVerification {
  readonly version: string;
  readonly results: readonly VerificationResult[];
}

/**
 * Runs the verification queries of rollback scripts alone, in one read-only transaction. Without versions: those of
 * the newest run in the record that was committed. Throws FlybackError verification-failed when a query itself fails;
 * an unmet expectation is a result.
 */
export async function verifyVersions(
  project: ConnectedProject,
  versionTexts: readonly string[],
): Promise<readonly VersionVerification[]> {
  const { session, toolbox, config, table } = project;
  const scripts = versionTexts.length === 0 ? await newestScripts(project) : versionTexts.map((text) => findScript(project, text));
  const redact = createRedactor(config.secrets);
  const begin = toolbox.database.sql.beginReadOnly(session.facts, toolbox.history.scriptSchema(config.flyway, table));
  await session.query(begin);
  try {
    const verified: VersionVerification[] = [];
    for (const script of scripts) {
      const results: VerificationResult[] = [];
      for (const verification of script.verifications) {
        const started = performance.now();
        const outcome = await session.pipeline([verification.query.text]);
        if (outcome.failure !== undefined) {
          throw new FlybackError('verification-failed', `The verification query "${verification.name}" of version ${script.version.text} failed: ${outcome.failure.error.message}`, {
            hint: 'Correct the query; it may rely on objects that are there only after the rollback.',
            location: locate(script, verification.query, outcome.failure.error.position),
            serverCode: outcome.failure.error.serverCode,
          });
        }
        const checked = checkExpectation(verification.expectation, outcome.results[0]?.[0] ?? { command: '', rowCount: 0, columns: [], rows: [] });
        results.push({
          name: verification.name,
          line: verification.query.line,
          query: redact(verification.query.text),
          expected: checked.expected,
          actual: redact(checked.actual),
          passed: checked.passed,
          durationMs: performance.now() - started,
        });
      }
      verified.push({ version: script.version.text, results });
    }
    return verified;
  } finally {
    await session.query(toolbox.database.sql.rollback).catch(() => undefined);
  }
}

function findScript(project: ConnectedProject, text: string): RollbackScript {
  const version = project.toolbox.history.versions.parse(text);
  if (version === undefined) {
    throw new FlybackError('version-invalid', `"${text}" is not a version.`, { hint: 'flyback status lists the versions.' });
  }
  const script = project.pairs.find((pair) => pair.version.key === version.key)?.script;
  if (script === undefined) {
    throw new FlybackError('version-unknown', `Version ${version.text} has no usable rollback script, so there is nothing to verify.`, {
      hint: 'flyback audit tells what is wrong with it.',
    });
  }
  if (script.verifications.length === 0) {
    throw new FlybackError('verification-failed', `The rollback script of version ${version.text} has no verification query, so nothing can be verified.`, {
      hint: 'Add one: -- flyback: verify NAME before a SELECT, -- expect: VALUE after it.',
    });
  }
  return script;
}

async function newestScripts(project: ConnectedProject): Promise<readonly RollbackScript[]> {
  const rows = await readRecord(project.session, project.toolbox.database, project.recordTable);
  const entries = rows.flatMap((row) => parseEntry(row) ?? []).filter((entry) => entry.outcome === 'committed');
  const run = entries.at(-1)?.run;
  if (run === undefined) {
    throw new FlybackError('usage-invalid', 'The record holds no rollback whose verification could be repeated.', {
      hint: 'Name the versions: flyback verify VERSION…',
    });
  }
  const scripts = entries
    .filter((entry) => entry.run === run)
    .flatMap((entry) => {
      const key = project.toolbox.history.versions.parse(entry.version)?.key;
      return project.pairs.find((pair) => pair.version.key === key)?.script ?? [];
    });
  if (!scripts.some((script) => script.verifications.length > 0)) {
    throw new FlybackError('verification-failed', 'The newest rollback in the record has no verification query, so nothing can be verified.', {
      hint: 'Add one to its script: -- flyback: verify NAME before a SELECT, -- expect: VALUE after it.',
    });
  }
  return scripts;
}
