import type { History } from '../../../src/history/history.js';
import type { Migration } from '../../../src/history/migration.js';
import type { ToolName } from './settings.js';
import { withoutExtension } from './versions.js';

/**
 * Whether the tool takes a migration for applied: it compares whole names. A resolver of an Umzug project may store names
 * without their extension; then no name in the history has one.
 */
export function isInEffect(tool: ToolName, history: History): (migration: Migration) => boolean {
  const names = new Set(history.rows.map(({ entry }) => entry.script));
  const areBare = storesBareNames(tool, history);
  return ({ script }) => names.has(script) || (areBare && names.has(withoutExtension(script)));
}

export function storesBareNames(tool: ToolName, { rows }: History): boolean {
  return tool === 'umzug' && rows.every(({ entry }) => withoutExtension(entry.script) === entry.script);
}
