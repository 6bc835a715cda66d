import { access, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { FlybackError } from '../errors/error.js';
import { findVersion } from '../history/find-version.js';
import type { Version, VersionScheme } from '../history/version.js';
import type { Pair } from '../pairing/pair.js';
import { classifyPairs, migrationStatements } from '../project/classify-project.js';
import type { Project } from '../project/project.js';
import { stubFileName } from './stub-file.js';
import { loadTemplates } from './templates.js';
import { writeStub, type StubStatement } from './write-stub.js';

/** A stub, and where it belongs. */
export interface Stub {
  readonly version: string;
  /** Absolute path in the rollbacks folder. */
  readonly file: string;
  readonly text: string;
}

/**
 * Makes the stubs of these versions, or of every applied, failed or pending version without a rollback script. Writes
 * nothing. Throws FlybackError version-invalid, version-unknown, or usage-invalid for a version that has a script.
 */
export async function makeStubs(project: Project, choice: readonly string[] | 'missing'): Promise<readonly Stub[]> {
  const { toolbox, config } = project;
  const classifier = await toolbox.database.loadClassifier();
  const chosen = choice === 'missing' ? project.pairs.filter(isMissing) : choice.map((text) => findPair(project, text));
  const templates = await loadTemplates(config.templatesFolder);
  const find = toolbox.history.versions.finder(project.pairs.map((pair) => pair.version));
  return classifyPairs(chosen, project, classifier).map((pair) => {
    const { migration } = pair;
    const split = migration?.isSql === true ? migrationStatements(migration, project) : [];
    const statements = split.map((statement): StubStatement => {
      const impact = classifier.classify(statement.text);
      return {
        line: statement.line,
        text: statement.text,
        hints: classifier.inverseHints(statement.text),
        impact: 'changes' in impact ? impact : undefined,
      };
    });
    const version = migration?.version?.text ?? pair.version.text;
    return {
      version,
      file: path.join(
        config.rollbacksFolder,
        stubFileName(shortest(migration?.version ?? pair.version, find), pair.description),
      ),
      text: writeStub({
        version,
        description: pair.description,
        migration: migration?.script ?? pair.row?.entry.script,
        migrationChecksum: migration?.checksum ?? pair.row?.entry.checksum ?? null,
        historyVersionText: pair.row?.entry.versionText ?? undefined,
        risk: pair.risk,
        statements,
        templates,
      }),
    };
  });
}

/** The digits that a version begins with, where they mean no other version: a version may be a whole file name. */
function shortest(version: Version, find: ReturnType<VersionScheme['finder']>): string {
  const digits = /^\d+/.exec(version.text)?.[0];
  return digits !== undefined && find(digits)?.key === version.key ? digits : version.text;
}

/** Writes stubs into the rollbacks folder. Checks all of them first: never over an existing file, never half of them. */
export async function writeStubs(stubs: readonly Stub[]): Promise<void> {
  for (const { file } of stubs) {
    const exists = await access(file).then(
      () => true,
      () => false,
    );
    if (exists) {
      throw new FlybackError('usage-invalid', `${file} exists already and is not overwritten.`, {
        hint: 'Remove it first, or print the stub with --stdout.',
      });
    }
  }
  try {
    for (const { file, text } of stubs) {
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, text, { flag: 'wx' });
    }
  } catch (cause) {
    throw new FlybackError('file-unreadable', `Cannot write stubs: ${(cause as Error).message}.`, {
      hint: 'Make the rollbacks folder writable.',
      cause,
    });
  }
}

/** A file of the migration tool's that takes nothing back is no rollback, and a script of ours goes before it. */
function hasRollback({ script }: Pair): boolean {
  return (
    script !== undefined &&
    script.source !== 'function' &&
    !(script.source === 'undo' && script.statements.length === 0)
  );
}

function isMissing(pair: Pair): boolean {
  return (
    !hasRollback(pair) &&
    pair.script?.source !== 'function' &&
    (pair.state === 'applied' || pair.state === 'failed' || pair.state === 'pending') &&
    !pair.findings.some((finding) => finding.code === 'rollback-duplicate')
  );
}

function findPair(project: Project, text: string): Pair {
  const known = project.pairs.map((pair) => pair.version);
  const version = findVersion(text, project.toolbox.history.versions, known);
  const pair = project.pairs.find((candidate) => candidate.version.key === version.key);
  if (pair === undefined || (pair.migration === undefined && pair.row === undefined)) {
    throw new FlybackError('version-unknown', `There is no migration of version ${version.text}.`, {
      hint: 'flyback audit --offline lists the versions that the migration files have.',
    });
  }
  if (pair.script !== undefined && hasRollback(pair)) {
    throw new FlybackError(
      'usage-invalid',
      `Version ${pair.version.text} has a rollback script already: ${pair.script.file}.`,
      {
        hint: 'Edit it, or remove it first.',
      },
    );
  }
  return pair;
}
