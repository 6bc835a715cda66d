import { readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import type { Migration } from '../history/migration.js';
import type { Version } from '../history/version.js';
import {
  parseRollbackScript,
  unreadableScript,
  unreadFunction,
  type RollbackScriptInput,
} from './parse-rollback-script.js';
import { checksumOfFile, readScriptFile } from './read-script-file.js';
import type { RollbackScript, ScriptSource } from './rollback-script.js';
import { scriptFindings, type ScriptFindingCode } from './script-findings.js';

export interface LoadRollbackScriptsOptions extends Pick<
  RollbackScriptInput,
  'dialect' | 'versions' | 'historyTable' | 'recordTable' | 'replacePlaceholders'
> {
  /** Absolute. */
  readonly folder: string;
  /** Migrations of kind undo are the second source, and those that are programs the third where `functions` says so. */
  readonly migrations: readonly Migration[];
  /** Whether the down function of a migration takes its version back. */
  readonly functions: 'use' | 'leave';
  /** Every version of the history and of the migration files, by which a script may be named in short. */
  readonly known: readonly Version[];
  /** Version key → version text as the history (or else the migration file) has it. */
  readonly storedVersions?: ReadonlyMap<string, string> | undefined;
}

export interface LoadedScripts {
  /** One for each version, in version order. Scripts carry their own findings, also when they could not be read. */
  readonly scripts: readonly RollbackScript[];
  /** About names, duplicates and the folder; paths relative to the folder where they lie in it. */
  readonly findings: readonly Finding[];
}

/** A file that claims to roll back a version. */
interface Candidate {
  readonly version: Version;
  readonly description: string;
  readonly file: string;
  readonly source: ScriptSource;
  /** Text that was read already (undo files, in the encoding of the migration tool). */
  readonly text: string | undefined;
}

/**
 * Reads all rollback scripts: R files below the folder, and the migration tool's own undo files. An R file wins over an
 * undo file of the same version. Never throws for what is wrong with a file.
 */
export function loadRollbackScripts(options: LoadRollbackScriptsOptions): LoadedScripts {
  const findings: Finding[] = [];
  const chosen = new Map<string, Candidate>();
  const duplicates = new Map<string, Finding[]>();
  const undo = options.migrations.filter((migration) => migration.kind === 'undo').flatMap(undoCandidate);
  const functions = options.functions === 'use' ? options.migrations.flatMap(functionCandidate) : [];
  for (const candidate of [...findScripts(options, findings), ...undo, ...functions]) {
    const { key } = candidate.version;
    const first = chosen.get(key);
    if (first === undefined) {
      chosen.set(key, candidate);
    } else if (candidate.source === 'function') {
      // Whoever wrote a script as well wants that; two files of one name are the migration tool's business.
      continue;
    } else if (first.source === 'rollback' && candidate.source === 'undo') {
      findings.push(
        finding(
          'script-shadows-undo',
          candidate.file,
          `${candidate.file} is passed over: ${first.file} rolls back version ${first.version.text}.`,
        ),
      );
    } else {
      const duplicate = finding(
        'script-duplicate',
        candidate.file,
        `${candidate.file} and ${first.file} both roll back version ${first.version.text}.`,
        'Keep one of them: flyback runs neither while there are two.',
      );
      findings.push(duplicate);
      duplicates.set(key, [...(duplicates.get(key) ?? []), duplicate]);
    }
  }
  const scripts = [...chosen.entries()].map(([key, candidate]) => {
    const script = readCandidate(candidate, options);
    const twice = duplicates.get(key) ?? [];
    return twice.length === 0 ? script : { ...script, findings: [...twice, ...script.findings] };
  });
  scripts.sort((a, b) => options.versions.compare(a.version, b.version));
  return { scripts, findings };
}

function finding(code: ScriptFindingCode, subject: string, message: string, hint?: string): Finding {
  return { code, severity: scriptFindings[code][0], subject, message, hint };
}

function undoCandidate(migration: Migration): readonly Candidate[] {
  const { version, description, file, sql } = migration;
  if (version === undefined || !migration.isSql) return [];
  return [{ version, description, file, source: 'undo', text: sql }];
}

function functionCandidate({ kind, version, description, file, isSql }: Migration): readonly Candidate[] {
  if (version === undefined || kind !== 'versioned' || isSql) return [];
  return [{ version, description, file, source: 'function', text: undefined }];
}

const scriptName = /^R(.*?)__(.*)\.sql$/;

/**
 * Version and description of a script's name, cut at the first "__"; at a later one where what stands before it is a known
 * version, for some tools' versions are file names, which may hold "__" too.
 */
function cutName(name: string, isKnown: (version: string) => boolean): readonly [string, string] | undefined {
  const match = scriptName.exec(name);
  if (match === null) return undefined;
  const [, first = '', rest = ''] = match;
  const parts = rest.split('__');
  for (let count = parts.length - 1; count > 0; count -= 1) {
    const version = [first, ...parts.slice(0, count)].join('__');
    if (isKnown(version)) return [version, parts.slice(count).join('__')];
  }
  return [first, rest];
}

function findScripts(options: LoadRollbackScriptsOptions, findings: Finding[]): readonly Candidate[] {
  const find = options.versions.finder(options.known);
  const keys = new Set(options.known.map(({ key }) => key));
  const isKnown = (text: string): boolean => keys.has(options.versions.parse(text)?.key ?? '');
  return listFiles(options.folder, findings).flatMap((file): readonly Candidate[] => {
    const name = file.slice(file.lastIndexOf(sep) + 1);
    const cut = cutName(name, isKnown);
    const shown = (): string => relative(options.folder, file);
    if (cut === undefined) {
      findings.push(invalidName(shown(), 'is not named R<version>__<description>.sql'));
      return [];
    }
    const [versionText, words] = cut;
    if (versionText === '') {
      findings.push(
        finding(
          'script-without-version',
          shown(),
          `${shown()} has no version: in a folder that the migration tool scans, it would run as a repeatable migration.`,
          'Name it R<version>__<description>.sql.',
        ),
      );
      return [];
    }
    const version = find(versionText);
    if (version === undefined) {
      findings.push(invalidName(shown(), `has "${versionText}" where a version should be`));
      return [];
    }
    return [{ version, description: words.replaceAll('_', ' '), file, source: 'rollback', text: undefined }];
  });
}

function invalidName(shown: string, reason: string): Finding {
  return finding('script-name-invalid', shown, `${shown} ${reason}: it rolls nothing back.`, 'Rename or move it.');
}

/** Files that end in .sql in any case, sorted by path; hidden files and folders are passed over. */
function listFiles(folder: string, findings: Finding[]): readonly string[] {
  const files: string[] = [];
  const visit = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue;
      if (entry.isDirectory()) visit(join(path, entry.name));
      else if (/\.sql$/i.test(entry.name)) files.push(join(path, entry.name));
    }
  };
  try {
    visit(folder);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
    findings.push(
      finding(
        'rollbacks-folder-missing',
        folder,
        `The rollbacks folder ${folder} cannot be read: ${reason}.`,
        'Create it with flyback init, or correct its name in flyback.toml.',
      ),
    );
  }
  return files.sort();
}

function readCandidate(candidate: Candidate, options: LoadRollbackScriptsOptions): RollbackScript {
  const { version, description, file, source } = candidate;
  try {
    if (source === 'function') return unreadFunction({ version, description, file }, checksumOfFile(file));
    const { text, checksum } =
      candidate.text === undefined ? readScriptFile(file) : { text: candidate.text, checksum: checksumOfFile(file) };
    return parseRollbackScript({
      version,
      description,
      file,
      source,
      text,
      checksum,
      dialect: options.dialect,
      versions: options.versions,
      historyTable: options.historyTable,
      recordTable: options.recordTable,
      replacePlaceholders: options.replacePlaceholders,
      storedVersion: options.storedVersions?.get(version.key),
    });
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    return unreadableScript({ version, description, file, source }, error);
  }
}
