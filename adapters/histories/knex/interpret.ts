import type { HistoryOrigin } from '../../../src/adapter/history.js';
import type { Finding } from '../../../src/errors/finding.js';
import { sha256 } from '../../../src/fingerprint/fingerprint.js';
import type { History, HistoryEntry, InterpretedEntry, QualifiedName } from '../../../src/history/history.js';
import type { Version } from '../../../src/history/version.js';
import { knexVersions } from './versions.js';

/** Every row is a migration in effect; what Knex could not take back row by row is an error. Entries may come in any order. */
export function interpret(table: QualifiedName, entries: readonly HistoryEntry[]): History {
  const sorted = [...entries].sort((a, b) => a.rank - b.rank);
  const findings: Finding[] = [];
  const byKey = new Map<string, HistoryEntry>();
  const ranks = new Set<number>();
  let highest: Version | undefined;
  const rows = sorted.map((entry): InterpretedEntry => {
    const { rank, versionText } = entry;
    if (ranks.has(rank)) findings.push(repeatedId(rank));
    ranks.add(rank);
    const version = versionText === null ? undefined : knexVersions.parse(versionText);
    if (version === undefined) {
      findings.push({
        code: 'history-corrupt',
        severity: 'error',
        subject: `id ${rank}`,
        message: `The row with id ${rank} has ${versionText === null ? 'no name' : 'a name that is none of a file'}: Knex finds no migration for it, and every command of it fails.`,
        hint: 'Find out what wrote the row, and correct or delete it.',
      });
      return { entry, version, state: 'unknown', outOfOrder: false };
    }
    const earlier = byKey.get(version.key);
    if (earlier !== undefined) findings.push(repeated(version, earlier, entry));
    byKey.set(version.key, entry);
    const outOfOrder = highest !== undefined && knexVersions.compare(version, highest) < 0;
    if (!outOfOrder) highest = version;
    return { entry, version, state: 'applied', outOfOrder };
  });
  return {
    tool: 'knex',
    table,
    rows,
    applied: rows.filter(({ state }) => state === 'applied'),
    floor: undefined,
    findings,
    fingerprint: sha256(
      JSON.stringify(sorted.map(({ rank, script, batch, installedOn }) => [rank, script, batch ?? null, installedOn])),
    ),
  };
}

function repeatedId(rank: number): Finding {
  return {
    code: 'history-rank-repeated',
    severity: 'error',
    subject: `id ${rank}`,
    message: `Several rows have the id ${rank}, so none can be deleted safely.`,
    hint: "Give each row an id of its own, and restore the table's primary key.",
  };
}

function repeated(version: Version, earlier: HistoryEntry, later: HistoryEntry): Finding {
  return {
    code: 'history-version-repeated',
    severity: 'error',
    subject: version.text,
    message:
      earlier.script === later.script
        ? `${later.script} has two rows (ids ${earlier.rank} and ${later.rank}): with one deleted, Knex would still take it for applied.`
        : `${earlier.script} (id ${earlier.rank}) and ${later.script} (id ${later.rank}) differ in their extension alone: to Knex these are two migrations.`,
    hint: 'Find out which row is true, and delete the other.',
  };
}

/** Knex leaves no mark of its version. */
export function origin(history: History): HistoryOrigin {
  return {
    isDoubtful: false,
    words:
      history.rows.length === 0
        ? 'It has no rows yet.'
        : 'Its columns are those of Knex 1 to 3; the rows do not tell which.',
    hint: undefined,
  };
}
