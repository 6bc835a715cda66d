import type { Forecast, HoleInHistory } from '../../../src/adapter/history.js';
import type { History } from '../../../src/history/history.js';
import type { Migration } from '../../../src/history/migration.js';
import type { Version } from '../../../src/history/version.js';
import { isInEffect } from './in-effect.js';
import type { ToolName } from './settings.js';
import { withoutExtension } from './versions.js';

const commands = {
  sequelize: { up: 'sequelize-cli db:migrate', down: 'sequelize-cli db:migrate:undo' },
  umzug: { up: 'umzug.up()', down: 'umzug.down()' },
} as const satisfies Record<ToolName, { readonly up: string; readonly down: string }>;

/**
 * What the next migrate does, and the next undo, which people type out of habit after a rollback although it is another one.
 * Every file whose name is not in the history is applied, wherever it stands; nothing is refused for its order.
 */
export function forecast(tool: ToolName, history: History, migrations: readonly Migration[]): Forecast {
  const versioned = migrations.filter(({ kind }) => kind === 'versioned');
  const isApplied = isInEffect(tool, history);
  const pending = versioned.filter((migration) => !isApplied(migration)).map(({ script }) => withoutExtension(script));
  const { up, down } = commands[tool];
  const sentences = [
    pending.length === 0 ? `${up} will find nothing to do.` : `${up} will apply ${list(pending)}.`,
    history.rows.length === 0
      ? 'The history is then empty.'
      : `A ${down} after this rollback would be a second one: ${nextUndo(tool, history, versioned)}.`,
  ];
  return { willApply: pending, willRepeat: [], refuses: undefined, summary: sentences.join(' ') };
}

function nextUndo(tool: ToolName, history: History, versioned: readonly Migration[]): string {
  if (tool === 'umzug') {
    const isApplied = isInEffect(tool, history);
    const last = versioned.filter(isApplied).at(-1);
    return last === undefined ? 'it would find no file to take back' : `it takes back ${last.script}`;
  }
  const last = history.rows.at(-1)?.entry.script ?? '';
  const file = versioned.find(({ script }) => script.startsWith(last));
  return file === undefined
    ? `it fails, because the file of ${last} is gone`
    : file.script === last
      ? `it takes back ${last}`
      : `it runs the down of ${file.script} for ${last}`;
}

/** At most five by name: a forecast is read, not searched. */
function list(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}

/** Both tools apply whatever file is not in the history, without a look at the order. */
export function holeAt(tool: ToolName, version: Version): HoleInHistory {
  return { possible: true, words: `the next ${commands[tool].up} applies ${version.text} again, below what stays` };
}
