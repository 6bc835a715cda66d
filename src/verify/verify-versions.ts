import { createRedactor } from '../config/create-redactor.js';
import { FlybackError } from '../errors/error.js';
import { findVersion } from '../history/find-version.js';
import type { ConnectedProject } from '../project/project.js';
import { isNewer, parseEntry, readRecord } from '../record/record-store.js';
import { locate } from '../scripts/locate.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import { checkExpectation } from './check-expectation.js';
import type { Verification, VerificationResult } from './verification.js';

export interface VersionVerification {
  readonly version: string;
  readonly results: readonly VerificationResult[];
}

/** A version as the history or the migration file writes it, with its script. */
interface Subject {
  readonly version: string;
  readonly script: RollbackScript;
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
  const subjects =
    versionTexts.length === 0 ? await newestSubjects(project) : versionTexts.map((text) => findSubject(project, text));
  const { sql } = toolbox.database;
  const begin = sql.beginReadOnly(
    session.facts,
    toolbox.history.scriptSchema(config.tool, table, session.facts.currentSchema),
  );
  await session.query(`${begin};${sql.boundWaits(config.run.lockTimeoutMs)}`);
  try {
    const verified: VersionVerification[] = [];
    for (const { version, script } of subjects) {
      const results: VerificationResult[] = [];
      for (const verification of script.verifications) results.push(await verifyOne(project, script, verification));
      verified.push({ version, results });
    }
    return verified;
  } finally {
    await session.query(sql.rollback).catch(() => undefined);
  }
}

async function verifyOne(
  project: ConnectedProject,
  script: RollbackScript,
  { name, query, expectation }: Verification,
): Promise<VerificationResult> {
  const redact = createRedactor(project.config.secrets);
  const started = performance.now();
  const outcome = await project.session.pipeline([query.text]);
  if (outcome.failure !== undefined) {
    const { error } = outcome.failure;
    throw new FlybackError(
      'verification-failed',
      `The verification query "${name}" of version ${script.version.text} failed: ${error.message}`,
      {
        hint: 'Correct the query; it may rely on objects that are there only after the rollback.',
        location: locate(script, query, error.position),
        serverCode: error.serverCode,
        condition: error.condition,
      },
    );
  }
  const nothing = { command: '', rowCount: 0, columns: [], rows: [] };
  const checked = checkExpectation(expectation, outcome.results[0]?.[0] ?? nothing);
  return {
    name,
    line: query.line,
    query: redact(query.text),
    expected: redact(checked.expected),
    actual: redact(checked.actual),
    passed: checked.passed,
    durationMs: performance.now() - started,
  };
}

function findSubject(project: ConnectedProject, text: string): Subject {
  const known = project.pairs.map((pair) => pair.version);
  const version = findVersion(text, project.toolbox.history.versions, known);
  const pair = project.pairs.find((candidate) => candidate.version.key === version.key);
  if (pair?.script === undefined) {
    throw new FlybackError(
      'version-unknown',
      `Version ${version.text} has no usable rollback script, so there is nothing to verify.`,
      { hint: 'flyback audit tells what is wrong with it.' },
    );
  }
  requireQueries([pair.script], `The rollback script of version ${pair.version.text} has`);
  return { version: pair.version.text, script: pair.script };
}

async function newestSubjects(project: ConnectedProject): Promise<readonly Subject[]> {
  const rows = await readRecord(project.session, project.toolbox.database, project.recordTable);
  if (rows?.some(isNewer) === true) {
    throw new FlybackError(
      'record-newer',
      'The newest rollbacks were run by a newer flyback, whose entries of the record this one cannot read.',
      { hint: 'Name the versions: flyback verify VERSION…' },
    );
  }
  const entries = (rows ?? []).flatMap((row) => parseEntry(row) ?? []).filter((entry) => entry.outcome === 'committed');
  const run = entries.at(-1)?.run;
  if (run === undefined) {
    throw new FlybackError(
      'usage-invalid',
      'The record holds no committed rollback whose verification could be repeated (dry runs do not count).',
      {
        hint: 'Name the versions: flyback verify VERSION…',
      },
    );
  }
  const subjects = entries
    .filter((entry) => entry.run === run)
    .flatMap((entry) => {
      const key = project.toolbox.history.versions.parse(entry.version)?.key;
      const script = project.pairs.find((pair) => pair.version.key === key)?.script;
      return script === undefined ? [] : [{ version: entry.version, script }];
    });
  requireQueries(
    subjects.map(({ script }) => script),
    'The scripts of the newest rollback in the record have',
  );
  return subjects;
}

/** Nothing to check is not the same as checked. */
function requireQueries(scripts: readonly RollbackScript[], whose: string): void {
  if (scripts.some((script) => script.verifications.length > 0)) return;
  throw new FlybackError('verification-failed', `${whose} no verification query, so nothing can be verified.`, {
    hint: 'Add one: -- flyback: verify NAME before a SELECT, -- expect: VALUE after it.',
  });
}
