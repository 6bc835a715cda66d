import type { Forecast, HoleInHistory, MigrationFinding } from '../../../src/adapter/history.js';
import type { History } from '../../../src/history/history.js';
import type { Migration } from '../../../src/history/migration.js';
import type { Version } from '../../../src/history/version.js';
import { golangMigrateVersions } from './versions.js';

/** What `migrate up` does: everything above the newest version, in order; it refuses where that version has no file. */
export function forecast(history: History, migrations: readonly Migration[]): Forecast {
  const newest = history.applied.at(-1)?.version;
  const dirty = history.findings.find(({ code }) => code === 'history-dirty');
  if (dirty !== undefined) return refusal('The history is dirty.');
  if (newest !== undefined && !migrations.some(({ version }) => version?.key === newest.key)) {
    return refusal(
      `There is no file of version ${newest.text}, the newest one: migrate cannot tell what comes after it.`,
    );
  }
  const willApply = migrations
    .filter(({ kind, version }) => kind === 'versioned' && version !== undefined && isAbove(version, newest))
    .map(({ version }) => version?.text ?? '');
  return {
    willApply,
    willRepeat: [],
    refuses: undefined,
    summary:
      willApply.length === 0
        ? 'migrate up will find nothing to do.'
        : `migrate up will apply ${willApply.length <= 5 ? willApply.join(', ') : `${willApply.slice(0, 5).join(', ')} and ${willApply.length - 5} more`}.`,
  };
}

function isAbove(version: Version, newest: Version | undefined): boolean {
  return newest === undefined || golangMigrateVersions.compare(version, newest) > 0;
}

function refusal(reason: string): Forecast {
  return { willApply: [], willRepeat: [], refuses: reason, summary: `migrate up will refuse. ${reason}` };
}

/** One row cannot tell of a hole. */
export function holeAt(version: Version): HoleInHistory {
  return {
    possible: false,
    words: `golang-migrate keeps the newest version alone, so its history cannot say that ${version.text} is gone while higher versions stay.`,
  };
}

/** Versions that count as applied although no file tells what they did, and gaps that were never run. */
export function checkMigrations(history: History, migrations: readonly Migration[]): readonly MigrationFinding[] {
  const newest = history.applied.at(-1);
  return history.applied.flatMap((row): readonly MigrationFinding[] => {
    const { version } = row;
    if (version === undefined) return [];
    const files = migrations.filter((migration) => migration.version?.key === version.key);
    if (files.some(({ kind }) => kind === 'versioned')) return [];
    const isNewest = row === newest;
    return [
      {
        version,
        finding: {
          code: 'migration-missing',
          severity: isNewest && files.length === 0 ? 'error' : 'warning',
          subject: version.text,
          message:
            files.length > 0
              ? `Version ${version.text} has a down file and no up file: it counts as a step of its own.`
              : `There is no file of version ${version.text}, at which the history stands: migrate refuses up and down.`,
          hint: 'Use the folder of migrations that the deployment uses.',
        },
      },
    ];
  });
}
