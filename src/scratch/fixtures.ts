import { readdirSync } from 'node:fs';
import path from 'node:path';
import { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import { sha256 } from '../fingerprint/fingerprint.js';
import type { Version } from '../history/version.js';
import type { Project } from '../project/project.js';
import { readScriptFile } from '../scripts/read-script-file.js';
import { endedNote, openingOf, replaced, sendStatement, type ApplyRequest } from './apply-migrations.js';

/** Rows that a user wants to be there for the proofs of later versions: a file F<version>__<description>.sql. */
export interface Fixture {
  /** It runs directly after this version was applied. */
  readonly version: Version;
  /** Absolute. */
  readonly file: string;
  /** Before placeholders are replaced. */
  readonly sql: string;
}

/** By the key of their version. */
export type Fixtures = ReadonlyMap<string, Fixture>;

const fixtureName = /^F(.+?)__.*\.sql$/;

/**
 * Reads the project's fixtures; none where no folder is configured. Throws FlybackError fixtures-invalid with all problems
 * at once, each naming its file.
 */
export function readFixtures(project: Pick<Project, 'config' | 'migrations' | 'toolbox'>): Fixtures {
  const { config, migrations, toolbox } = project;
  const folder = config.prove.fixturesFolder;
  if (folder === undefined) return new Map();
  const applied = new Set(
    migrations.migrations.flatMap(({ kind, version }) => (kind === 'versioned' ? (version?.key ?? []) : [])),
  );
  const find = toolbox.history.versions.finder(migrations.migrations.flatMap(({ version }) => version ?? []));
  const fixtures = new Map<string, Fixture>();
  const findings: Finding[] = [];
  for (const file of listFiles(folder)) {
    const shown = path.relative(folder, file);
    const versionText = fixtureName.exec(path.basename(file))?.[1];
    const version = versionText === undefined ? undefined : find(versionText);
    if (version === undefined) {
      findings.push({
        code: 'fixture-name-invalid',
        severity: 'error',
        subject: shown,
        message: `The fixture ${shown} is not named F<version>__<description>.sql: it would never run.`,
        hint: 'Rename it, or move it out of the folder.',
      });
      continue;
    }
    const first = fixtures.get(version.key);
    if (first !== undefined) {
      findings.push({
        code: 'fixture-duplicate',
        severity: 'error',
        subject: shown,
        message: `The fixtures ${shown} and ${path.relative(folder, first.file)} are both for version ${version.text}.`,
        hint: 'Put both into one file.',
      });
      continue;
    }
    if (!applied.has(version.key)) {
      findings.push({
        code: 'fixture-version-unknown',
        severity: 'error',
        subject: shown,
        message: `The fixture ${shown} is for version ${version.text}, which no migration has: it would never run.`,
        hint: 'Name it after the version whose tables it fills, or remove it.',
      });
      continue;
    }
    const { text: sql } = readScriptFile(file);
    if (toolbox.database.dialect.split(sql).statements.length === 0) {
      findings.push({
        code: 'fixture-empty',
        severity: 'error',
        subject: shown,
        message: `The fixture ${shown} holds no statement.`,
        hint: 'Write the INSERTs into it, or remove it.',
      });
      continue;
    }
    fixtures.set(version.key, { version, file, sql });
  }
  const [problem, ...others] = findings;
  if (problem === undefined) return fixtures;
  throw new FlybackError(
    'fixtures-invalid',
    others.length === 0 ? problem.message : `${findings.length} fixtures in ${folder} cannot be used.`,
    { hint: others.length === 0 ? problem.hint : 'Correct each of them.', findings },
  );
}

/** Files that end in .sql in any case, sorted by path; hidden ones are passed over. */
function listFiles(folder: string): readonly string[] {
  const files: string[] = [];
  const visit = (at: string): void => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue;
      if (entry.isDirectory()) visit(path.join(at, entry.name));
      else if (/\.sql$/i.test(entry.name)) files.push(path.join(at, entry.name));
    }
  };
  try {
    visit(folder);
  } catch (cause) {
    throw new FlybackError(
      'fixtures-invalid',
      `The folder of fixtures ${folder} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? 'unknown reason'}.`,
      { hint: 'Create it, or correct prove.fixtures in flyback.toml.', cause },
    );
  }
  return files.sort();
}

/**
 * Digest (SHA-256, hex) of the fixtures that are there when this version is proven: those of lower versions, line endings
 * apart. Undefined when there are none. Pure.
 */
export function digestOfFixtures(
  fixtures: Fixtures,
  before: Version,
  { history }: Pick<Project['toolbox'], 'history'>,
): string | undefined {
  const there = [...fixtures.values()]
    .filter(({ version }) => history.versions.compare(version, before) < 0)
    .sort((a, b) => history.versions.compare(a.version, b.version));
  if (there.length === 0) return undefined;
  return sha256(JSON.stringify(there.map(({ version, sql }) => [version.key, sql.replaceAll(/\r\n?/g, '\n')])));
}

/**
 * Runs the fixture of a version, if there is one, in a transaction of its own; with placeholders, as in migrations. To be
 * called once, when the version was applied for good. Throws FlybackError script-failed that names file and line; then
 * nothing of it is there.
 */
export async function applyFixture(
  request: Omit<ApplyRequest, 'migrations'> & { readonly fixtures: Fixtures },
  version: Version,
): Promise<void> {
  const { session, toolbox, settings, table } = request;
  const fixture = request.fixtures.get(version.key);
  if (fixture === undefined) return;
  const { database, history } = toolbox;
  const { statements } = database.dialect.split(replaced(request, fixture.file, fixture.sql));
  await session.query(
    database.sql.useScriptPath(session.facts, history.scriptSchema(settings, table, session.facts.currentSchema)),
  );
  await session.query(openingOf(request));
  for (const statement of statements) {
    const failure = await sendStatement(session, statement);
    if (failure === undefined) continue;
    await session.query(database.sql.rollback);
    throw new FlybackError(
      'script-failed',
      `The fixture ${path.basename(fixture.file)} failed in line ${statement.line}: ${failure.message}${endedNote(request, failure)}`,
      {
        hint: failure.hint ?? `Correct it: it runs directly after version ${version.text} was applied.`,
        serverCode: failure.serverCode,
        condition: failure.condition,
      },
    );
  }
  await session.query(database.sql.commit);
}
