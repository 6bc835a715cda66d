import type { Forecast, HoleInHistory, MigrationFinding } from '../../../src/adapter/history.js';
import { canonicalJson, sha256 } from '../../../src/fingerprint/fingerprint.js';
import type { Finding } from '../../../src/errors/finding.js';
import type { History, HistoryEntry, InterpretedEntry, QualifiedName } from '../../../src/history/history.js';
import type { Migration } from '../../../src/history/migration.js';
import type { DbmateSettings } from './settings.js';
import { dbmateVersions } from './versions.js';

/** Every row is an applied version. */
export function interpret(table: QualifiedName, entries: readonly HistoryEntry[]): History {
  const findings: Finding[] = [];
  const rows = entries.map((entry): InterpretedEntry => {
    const version = dbmateVersions.parse(entry.versionText ?? '');
    if (version === undefined) {
      findings.push({
        code: 'history-version-unreadable',
        severity: 'error',
        subject: entry.versionText ?? '',
        message: `The history has "${entry.versionText ?? ''}" where dbmate writes the digits of a file name.`,
        hint: 'Find out what wrote the row.',
      });
    }
    return { entry, version, state: version === undefined ? 'unknown' : 'applied', outOfOrder: false };
  });
  return {
    tool: 'dbmate',
    table,
    rows,
    applied: rows.filter(({ state }) => state === 'applied'),
    floor: undefined,
    findings,
    fingerprint: sha256(canonicalJson(entries)),
  };
}

/** `dbmate migrate` applies whatever has no row, in the order of file names; with --strict only above the newest row. */
export function forecast(history: History, migrations: readonly Migration[], { strict }: DbmateSettings): Forecast {
  const applied = new Set(history.applied.map(({ version }) => version?.key));
  const newest = history.applied.at(-1)?.version;
  const pending = migrations.flatMap(({ kind, version }) =>
    kind === 'versioned' && version !== undefined && !applied.has(version.key) ? [version] : [],
  );
  const [lowest] = pending;
  if (strict && lowest !== undefined && newest !== undefined && dbmateVersions.compare(lowest, newest) < 0) {
    const reason = `With --strict it does not apply ${lowest.text} below ${newest.text}.`;
    return { willApply: [], willRepeat: [], refuses: reason, summary: `dbmate migrate will refuse. ${reason}` };
  }
  const willApply = pending.map(({ text }) => text);
  const named = `${willApply.slice(0, 5).join(', ')}${willApply.length > 5 ? ` and ${willApply.length - 5} more` : ''}`;
  return {
    willApply,
    willRepeat: [],
    refuses: undefined,
    summary: `${willApply.length === 0 ? 'dbmate migrate will find nothing to do.' : `dbmate migrate will apply ${named}.`} schema.sql, where it is kept, is not as the database until the next dbmate dump.`,
  };
}

export function holeAt(): HoleInHistory {
  return { possible: true, words: 'dbmate migrate applies it again, below the higher ones, and with --strict refuses' };
}

/** Applied versions whose file is gone: dbmate goes on without them, and its rollback of one fails. */
export function checkMigrations(history: History, migrations: readonly Migration[]): readonly MigrationFinding[] {
  const files = new Set(migrations.map(({ version }) => version?.key));
  return history.applied.flatMap(({ version }): readonly MigrationFinding[] =>
    version === undefined || files.has(version.key)
      ? []
      : [
          {
            version,
            finding: {
              code: 'migration-missing',
              severity: 'warning',
              subject: version.text,
              message: `Version ${version.text} is applied, and its file is gone.`,
              hint: 'Use the folder of migrations that the deployment uses.',
            },
          },
        ],
  );
}
