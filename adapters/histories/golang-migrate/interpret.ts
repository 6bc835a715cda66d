import type { HistoryOrigin } from '../../../src/adapter/history.js';
import type { Finding } from '../../../src/errors/finding.js';
import { canonicalJson, sha256 } from '../../../src/fingerprint/fingerprint.js';
import type { History, HistoryEntry, InterpretedEntry, QualifiedName } from '../../../src/history/history.js';
import { nilType } from './table.js';
import { golangMigrateVersions } from './versions.js';

/**
 * Every entry is applied. A dirty row is told as an error: a failed up of the version that it names leaves the same row as a
 * failed down of the next one.
 */
export function interpret(table: QualifiedName, entries: readonly HistoryEntry[]): History {
  const findings: Finding[] = [];
  const rows = entries.map((entry): InterpretedEntry => {
    const version = entry.versionText === null ? undefined : golangMigrateVersions.parse(entry.versionText);
    const state = entry.type === nilType ? 'marker' : entry.success ? 'applied' : 'failed';
    return { entry, version, state, outOfOrder: false };
  });
  const dirty = entries.find(({ success }) => !success);
  if (dirty !== undefined) {
    const { versionText } = dirty;
    findings.push({
      code: 'history-dirty',
      severity: 'error',
      subject: versionText ?? 'no version',
      message:
        versionText === null
          ? 'The history is dirty and names no version: migrate was interrupted while it took the lowest version back.'
          : `The history is dirty at version ${versionText}: either migrate up was interrupted in ${versionText}, or migrate down in the version above it; the row is the same.`,
      hint: 'Look at the schema, repair it by hand, and then tell the truth with migrate force.',
    });
  }
  return {
    tool: 'golang-migrate',
    table,
    rows,
    applied: rows.filter(({ state }) => state === 'applied' || state === 'failed'),
    floor: undefined,
    findings,
    fingerprint: sha256(canonicalJson(entries)),
  };
}

/** Every version of the tool writes the same two columns. */
export function origin({ rows }: History): HistoryOrigin {
  return {
    isDoubtful: false,
    words:
      rows.length === 0
        ? 'It has no version yet.'
        : 'One row with the newest version; what lies below it is taken from the files.',
    hint: undefined,
  };
}
