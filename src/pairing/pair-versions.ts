import path from 'node:path';
import type { MigrationFinding } from '../adapter/history.js';
import type { Finding } from '../errors/finding.js';
import type { History, InterpretedEntry } from '../history/history.js';
import type { Migration } from '../history/migration.js';
import type { Version, VersionScheme } from '../history/version.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import type { Pair, PairState } from './pair.js';

/** Everything that is known about the project's versions. Folders are real paths, links resolved by the caller. */
export interface PairingInput {
  /** Undefined when no database was asked: every migration then counts as pending. */
  readonly history: History | undefined;
  readonly migrations: readonly Migration[];
  /** Rollback scripts and the migration tool's undo files. */
  readonly scripts: readonly RollbackScript[];
  /** Problems of the rollbacks folder that belong to no script. */
  readonly scriptFindings: readonly Finding[];
  readonly rollbacksFolder: string;
  readonly scannedFolders: readonly string[];
  readonly versions: VersionScheme;
  /** Where history and migration files disagree, from the history adapter. */
  readonly migrationFindings?: readonly MigrationFinding[] | undefined;
}

export interface Pairing {
  /** In ascending version order, one for each version that has a row, a migration or a rollback script. */
  readonly pairs: readonly Pair[];
  /** What belongs to no single version: the history's, the folders', repeatables'. */
  readonly findings: readonly Finding[];
}

interface Candidate {
  readonly version: Version;
  row: InterpretedEntry | undefined;
  migration: Migration | undefined;
  readonly scripts: RollbackScript[];
  readonly findings: Finding[];
}

/**
 * Puts together what belongs to one version: its row in the history, its migration file and its rollback script. Pure.
 * Versions are compared as the migration tool compares them. A rollback script goes before an undo file of the same
 * version; of two rollback scripts none is taken.
 */
export function pairVersions(input: PairingInput): Pairing {
  const { history, versions } = input;
  const candidates = collectCandidates(input);
  const findings = [
    ...(history?.findings ?? []),
    ...withoutScripts(input.scriptFindings, input.scripts),
    ...(input.migrationFindings ?? []).filter(({ version }) => version === undefined).map(({ finding }) => finding),
    ...findScannedRollbacks(input),
  ];
  const pairs = [...candidates.values()]
    .sort((a, b) => versions.compare(a.version, b.version))
    .map((candidate) => createPair(candidate, history?.floor, versions));
  return { pairs, findings };
}

function collectCandidates(input: PairingInput): ReadonlyMap<string, Candidate> {
  const candidates = new Map<string, Candidate>();
  const candidateFor = (version: Version): Candidate => {
    const known = candidates.get(version.key);
    if (known !== undefined) {
      return known;
    }
    const candidate: Candidate = { version, row: undefined, migration: undefined, scripts: [], findings: [] };
    candidates.set(version.key, candidate);
    return candidate;
  };

  for (const row of rowsInEffect(input)) {
    if (row.version !== undefined) {
      candidateFor(row.version).row = row;
    }
  }
  for (const migration of input.migrations) {
    if (migration.kind === 'versioned' && migration.version !== undefined) {
      candidateFor(migration.version).migration ??= migration;
    }
  }
  for (const script of input.scripts) {
    candidateFor(script.version).scripts.push(script);
  }
  for (const { version, finding } of input.migrationFindings ?? []) {
    if (version !== undefined) {
      candidateFor(version).findings.push(finding);
    }
  }
  return candidates;
}

/** Later rows win: the newest row of a version that is in effect, baselines included. */
function rowsInEffect({ history }: PairingInput): readonly InterpretedEntry[] {
  return (history?.rows ?? []).filter(({ state }) => state === 'applied' || state === 'failed' || state === 'baseline');
}

function createPair(candidate: Candidate, floor: Version | undefined, versions: VersionScheme): Pair {
  const { version, row, migration } = candidate;
  const { script, findings: choiceFindings } = chooseScript(candidate);
  const state = stateOf(candidate, floor, versions);
  const findings = [...candidate.findings, ...choiceFindings, ...(script?.findings ?? [])];

  if (script === undefined && choiceFindings.length === 0 && state !== 'baseline') {
    findings.push(missingRollback(version, migration, state));
  }
  if (script !== undefined && state === 'orphan') {
    findings.push({
      code: 'rollback-orphan',
      severity: 'warning',
      subject: version.text,
      message: `${path.basename(script.file)} belongs to no migration: version ${version.text} is neither in the history nor among the migration files.`,
      hint: 'Correct the version in its name, or remove it.',
    });
  }
  if (script?.source === 'function' && state !== 'baseline') {
    findings.push({
      code: 'rollback-is-function',
      severity: 'info',
      subject: version.text,
      message: `Version ${version.text} has no rollback script: the down function of ${path.basename(script.file)} takes it back. What it sends is known when a plan is made.`,
      hint: undefined,
    });
  }
  const stale = script === undefined || state === 'baseline' ? undefined : findStale(script, migration, row);
  if (stale !== undefined) {
    findings.push(stale);
  }
  return {
    version: row?.version ?? migration?.version ?? version,
    description: row?.entry.description ?? migration?.description ?? script?.description ?? '',
    state,
    row,
    migration,
    script,
    risk: undefined,
    findings,
  };
}

function stateOf(
  { version, row, migration }: Candidate,
  floor: Version | undefined,
  versions: VersionScheme,
): PairState {
  if (floor !== undefined && versions.compare(version, floor) <= 0) {
    return 'baseline';
  }
  if (row !== undefined) {
    return row.state === 'failed' ? 'failed' : 'applied';
  }
  return migration === undefined ? 'orphan' : 'pending';
}

function chooseScript({ version, scripts }: Candidate): {
  readonly script: RollbackScript | undefined;
  readonly findings: readonly Finding[];
} {
  const rollbacks = scripts.filter(({ source }) => source === 'rollback');
  const preferred = rollbacks.length > 0 ? rollbacks : scripts;
  if (preferred.length <= 1) {
    return { script: preferred[0], findings: [] };
  }
  const names = preferred.map(({ file }) => path.basename(file)).join(' and ');
  return {
    script: undefined,
    findings: [
      {
        code: 'rollback-duplicate',
        severity: 'error',
        subject: version.text,
        message: `Version ${version.text} has ${preferred.length} rollback scripts, and which one is meant is unknown: ${names}.`,
        hint: 'Keep one of them.',
      },
    ],
  };
}

function missingRollback(version: Version, migration: Migration | undefined, state: PairState): Finding {
  const name = migration === undefined ? '' : ` (${migration.script})`;
  return {
    code: 'rollback-missing',
    severity: 'error',
    subject: version.text,
    message: `Version ${version.text}${name} is ${state === 'pending' ? 'pending and' : state === 'failed' ? 'failed and' : 'applied but'} has no rollback script.`,
    hint: `Run flyback stub ${version.text} to start one.`,
  };
}

/**
 * A script that says which migration it was written against is held to that; one that does not is in doubt as soon as
 * the migration was edited after it had been applied.
 */
function findStale(
  script: RollbackScript,
  migration: Migration | undefined,
  row: InterpretedEntry | undefined,
): Finding | undefined {
  const { migrationChecksum } = script.directives;
  const current = migration === undefined ? row?.entry.checksum : migration.checksum;
  if (current === undefined || current === null) {
    return undefined;
  }
  const name = path.basename(script.file);
  if (migrationChecksum !== undefined) {
    return migrationChecksum === current
      ? undefined
      : {
          code: 'rollback-stale',
          severity: 'error',
          subject: script.version.text,
          message: `${name} was written against another text of its migration: it names the checksum ${migrationChecksum}, the migration has ${current}.`,
          hint: `Check the rollback against the migration, then set its directive to migration-checksum ${current}.`,
        };
  }
  const applied = row?.entry.checksum ?? null;
  if (migration === undefined || row === undefined || applied === current || (applied ?? 0) === current) {
    return undefined;
  }
  return {
    code: 'rollback-stale',
    severity: 'error',
    subject: script.version.text,
    message: `${name} may not fit: its migration ${migration.script} was edited after it had been applied.`,
    hint: `Check the rollback against what was applied, then add the directive migration-checksum ${current} to it.`,
  };
}

function findScannedRollbacks({ rollbacksFolder, scannedFolders }: PairingInput): readonly Finding[] {
  const scanner = scannedFolders.find((folder) => isAtOrInside(rollbacksFolder, folder));
  if (scanner === undefined) {
    return [];
  }
  return [
    {
      code: 'rollbacks-folder-scanned',
      severity: 'error',
      subject: rollbacksFolder,
      message: `The rollbacks folder ${rollbacksFolder} lies inside ${scanner}, which the migration tool scans for migrations: a script there without a version would be executed.`,
      hint: 'Move it out of every location, and set rollbacks in flyback.toml.',
    },
  ];
}

/** A finding that a script carries itself comes with the pair; it is not told twice. */
function withoutScripts(findings: readonly Finding[], scripts: readonly RollbackScript[]): readonly Finding[] {
  const carried = new Set(scripts.flatMap((script) => script.findings));
  return findings.filter((finding) => !carried.has(finding));
}

function isAtOrInside(file: string, folder: string): boolean {
  const relative = path.relative(folder, file);
  return relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}
