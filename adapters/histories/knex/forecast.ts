import type { Forecast, HoleInHistory } from '../../../src/adapter/history.js';
import type { Finding } from '../../../src/errors/finding.js';
import type { History, InterpretedEntry } from '../../../src/history/history.js';
import type { Migration } from '../../../src/history/migration.js';
import type { Version } from '../../../src/history/version.js';
import type { KnexSettings } from './settings.js';

/**
 * What `knex migrate:latest` does with this history: it refuses while a row has no file, else it applies every file without a
 * row in the order of the files, also below newer ones. What `knex migrate:rollback` would take back is said as well.
 */
export function forecast(history: History, migrations: readonly Migration[], settings: KnexSettings): Forecast {
  const later = nextRollback(history);
  if (settings.hasOwnSource) {
    return {
      willApply: [],
      willRepeat: [],
      refuses: undefined,
      summary: `What knex migrate:latest will apply cannot be told: migrationSource is the project's own. ${later}`,
    };
  }
  const files = new Set(migrations.map(({ script }) => script));
  const applied = new Set(history.rows.map(({ entry }) => entry.script));
  const missing = [...applied].filter((name) => !files.has(name));
  if (missing.length > 0 && !settings.disableMigrationsListValidation) {
    const reason = `The migration directory is corrupt to it: ${list(missing)} ${missing.length === 1 ? 'has a row and no file' : 'have rows and no files'}.`;
    return {
      willApply: [],
      willRepeat: [],
      refuses: reason,
      summary: `Every command of Knex will refuse. ${reason}`,
    };
  }
  const pending = migrations.filter(({ script }) => !applied.has(script));
  const next =
    pending.length === 0
      ? 'knex migrate:latest will find nothing to do.'
      : `knex migrate:latest will apply ${list(pending.map(({ script }) => script))}.`;
  return {
    willApply: pending.map(({ version, script }) => version?.text ?? script),
    willRepeat: [],
    refuses: undefined,
    summary: `${next} ${later}`,
  };
}

/** The rows with the highest batch: what `knex migrate:rollback` takes back. */
function lastBatch({ applied }: History): { readonly batch: number; readonly rows: readonly InterpretedEntry[] } {
  const batch = applied.reduce((highest, { entry }) => Math.max(highest, entry.batch ?? 0), 0);
  return { batch, rows: applied.filter(({ entry }) => (entry.batch ?? 0) === batch) };
}

function nextRollback(history: History): string {
  const { batch, rows } = lastBatch(history);
  return rows.length === 0
    ? 'knex migrate:rollback will find nothing to take back.'
    : `knex migrate:rollback would take back batch ${batch}: ${list(rows.map(({ entry }) => entry.script))}.`;
}

/** When all of the last batch goes, the one before it becomes the last: a habitual rollback then hits an older release. */
export function habits(before: History, after: History): readonly Finding[] {
  const was = lastBatch(before);
  const is = lastBatch(after);
  if (is.rows.length === 0 || was.batch === is.batch) return [];
  return [
    {
      code: 'last-batch-changes',
      severity: 'warning',
      subject: `batch ${is.batch}`,
      message: `Afterwards nothing of batch ${was.batch} is left, so that a knex migrate:rollback takes back the batch before it: batch ${is.batch} with ${list(is.rows.map(({ entry }) => entry.script))}.`,
      hint: 'Tell whoever runs knex migrate:rollback by habit: the release is taken back already.',
    },
  ];
}

/** At most five by name: a forecast is read, not searched. */
function list(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}

/** Knex compares names, not positions. */
export function holeAt(version: Version): HoleInHistory {
  return {
    possible: true,
    words: `knex migrate:latest applies ${version.text} again, although newer migrations are there, and a knex migrate:rollback then takes back that one alone`,
  };
}
