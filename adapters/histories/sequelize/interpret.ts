import type { Finding } from '../../../src/errors/finding.js';
import { sha256 } from '../../../src/fingerprint/fingerprint.js';
import type { History, HistoryEntry, InterpretedEntry, QualifiedName } from '../../../src/history/history.js';
import type { ToolName } from './settings.js';
import { sequelizeVersions } from './versions.js';

/**
 * The meaning of a set of names: each is a migration in effect. When each was applied is not kept; the tools take the order of
 * names for it, those of sequelize-cli the database's order.
 */
export function interpret(tool: ToolName, table: QualifiedName, entries: readonly HistoryEntry[]): History {
  const sorted = [...entries].sort((a, b) => a.rank - b.rank);
  const rows = sorted.map((entry): InterpretedEntry => {
    const version = sequelizeVersions.parse(entry.script);
    return { entry, version, state: version === undefined ? 'unknown' : 'applied', outOfOrder: false };
  });
  return {
    tool,
    table,
    rows,
    applied: rows.filter(({ version }) => version !== undefined),
    floor: undefined,
    findings: [...unreadable(rows), ...repeated(rows), ...otherOrder(rows)],
    // Ranks are places, which shift when a row goes; the names are all that is kept.
    fingerprint: sha256(JSON.stringify(sorted.map(({ script }) => script))),
  };
}

function unreadable(rows: readonly InterpretedEntry[]): readonly Finding[] {
  return rows
    .filter(({ version }) => version === undefined)
    .map(({ entry }) => ({
      code: 'history-version-unreadable',
      severity: 'error',
      subject: entry.script,
      message: `The history has the name "${entry.script}", which is not that of a file.`,
      hint: 'flyback knows migrations that are files, under their own names; correct or remove the row.',
    }));
}

/** x.js and x.ts are one migration; with one row gone, the other would still say that it is applied. */
function repeated(rows: readonly InterpretedEntry[]): readonly Finding[] {
  const byKey = new Map<string, InterpretedEntry[]>();
  for (const row of rows) {
    if (row.version === undefined) continue;
    byKey.set(row.version.key, [...(byKey.get(row.version.key) ?? []), row]);
  }
  return [...byKey]
    .filter(([, same]) => same.length > 1)
    .map(([key, same]) => ({
      code: 'history-version-repeated',
      severity: 'error',
      subject: key,
      message: `The history has ${key} under several names: ${same.map(({ entry }) => entry.script).join(', ')}.`,
      hint: 'The file was renamed and applied again under its new name. Find out which row is true, and remove the other.',
    }));
}

/** The order in which versions go is the database's; elsewhere (files, --to) the tools and flyback sort by themselves. */
function otherOrder(rows: readonly InterpretedEntry[]): readonly Finding[] {
  const index = rows.findIndex(({ version }, at) => {
    const before = rows[at - 1]?.version;
    return version !== undefined && before !== undefined && sequelizeVersions.compare(before, version) > 0;
  });
  if (index < 0) return [];
  const [before, after] = [rows[index - 1], rows[index]];
  return [
    {
      code: 'history-order-differs',
      severity: 'warning',
      subject: 'history',
      message: `The database sorts ${before?.entry.script ?? ''} before ${after?.entry.script ?? ''}, and the tool sorts their files the other way round: what was applied last cannot be told from the names.`,
      hint: 'Look at what --steps would take; name versions with --only where it matters. Names that begin with a time of equal length sort alike everywhere.',
    },
  ];
}
