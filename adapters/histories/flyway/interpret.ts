import { sha256 } from '../../../src/fingerprint/fingerprint.js';
import type { Finding } from '../../../src/errors/finding.js';
import type {
  EntryState,
  History,
  HistoryEntry,
  InterpretedEntry,
  QualifiedName,
} from '../../../src/history/history.js';
import type { Version } from '../../../src/history/version.js';
import { flywayVersions, isAccidentalVersion } from './versions.js';

/** What a value of the type column stands for (CoreMigrationType and BaselineMigrationType, with their aliases). */
export type RowRole = 'regular' | 'baseline' | 'baseline-script' | 'schema' | 'delete' | 'undo' | 'unknown';

/** A type column value in upper case → its role. Undo types are known here although open-source Flyway lost them in 9.8. */
export function roleOfType(type: string): RowRole {
  switch (type) {
    case 'SQL':
    case 'JDBC':
    case 'SPRING_JDBC':
    case 'SCRIPT':
    case 'CUSTOM':
      return 'regular';
    case 'BASELINE':
      return 'baseline';
    case 'SQL_BASELINE':
    case 'JDBC_BASELINE':
    case 'SCRIPT_BASELINE':
    case 'SQL_STATE_SCRIPT':
    case 'JDBC_STATE_SCRIPT':
      return 'baseline-script';
    case 'SCHEMA':
      return 'schema';
    case 'DELETE':
      return 'delete';
    case 'UNDO_SQL':
    case 'UNDO_JDBC':
    case 'UNDO_SPRING_JDBC':
    case 'UNDO_SCRIPT':
    case 'UNDO_CUSTOM':
      return 'undo';
    default:
      return 'unknown';
  }
}

interface Row {
  readonly entry: HistoryEntry;
  readonly role: RowRole;
  readonly version: Version | undefined;
  state: EntryState;
  outOfOrder: boolean;
}

/**
 * The meaning of a Flyway history, read by rank: regular rows apply their version, a successful undo takes back the
 * newest open one, a successful DELETE the newest, baselines raise the floor. Entries may come in any order. What
 * Flyway itself could not go on from becomes an error finding.
 */
export function interpret(table: QualifiedName, entries: readonly HistoryEntry[]): History {
  const sorted = [...entries].sort((a, b) => a.rank - b.rank);
  const findings: Finding[] = [];
  const rows = sorted.map((entry) => readRow(entry, findings));

  reportRepeatedRanks(sorted, findings);
  applyVersionedRows(rows, findings);
  applyRepeatableRows(rows, findings);
  markOutOfOrder(rows);

  const floor = highest(
    rows.filter(({ role, entry }) => (role === 'baseline' || role === 'baseline-script') && entry.success),
  );
  return {
    tool: 'flyway',
    table,
    rows: rows.map(freeze),
    applied: collectApplied(rows, floor, findings).map(freeze),
    floor,
    findings,
    fingerprint: fingerprintOf(sorted),
  };
}

/** Over every column in a fixed order; rows are plain text, numbers and truth values, so JSON is canonical here. */
function fingerprintOf(sorted: readonly HistoryEntry[]): string {
  const rows = sorted.map((entry) => [
    entry.rank,
    entry.versionText,
    entry.description,
    entry.type,
    entry.script,
    entry.checksum,
    entry.installedBy,
    entry.installedOn,
    entry.executionTimeMs,
    entry.success,
  ]);
  return sha256(JSON.stringify(rows));
}

function freeze({ entry, version, state, outOfOrder }: Row): InterpretedEntry {
  return { entry, version, state, outOfOrder };
}

function readRow(entry: HistoryEntry, findings: Finding[]): Row {
  const role = roleOfType(entry.type);
  const version = entry.versionText === null ? undefined : flywayVersions.parse(entry.versionText);
  if (role === 'unknown') {
    findings.push({
      code: 'history-type-unknown',
      severity: 'error',
      subject: `rank ${entry.rank}`,
      message: `Row ${entry.rank} (${entry.script}) has the type ${entry.type}, which Flyway does not know: info, validate and migrate all stop with "Unknown migration type".`,
      hint: 'Find out what wrote the row, and remove it or correct its type.',
    });
    return { entry, role, version, state: 'unknown', outOfOrder: false };
  }
  if (role === 'schema') {
    return { entry, role, version, state: 'marker', outOfOrder: false };
  }
  if (entry.versionText !== null && version === undefined) {
    findings.push(unreadableVersion(entry, entry.versionText));
    return { entry, role, version, state: 'unknown', outOfOrder: false };
  }
  if (version === undefined && role !== 'regular' && role !== 'delete' && role !== 'undo') {
    findings.push({
      code: 'history-corrupt',
      severity: 'error',
      subject: `rank ${entry.rank}`,
      message: `Row ${entry.rank} has the type ${entry.type} but no version.`,
      hint: 'Flyway never writes such a row; find out what did, and correct it.',
    });
    return { entry, role, version, state: 'unknown', outOfOrder: false };
  }
  return { entry, role, version, state: 'marker', outOfOrder: false };
}

function unreadableVersion(entry: HistoryEntry, versionText: string): Finding {
  const consequence = isAccidentalVersion(versionText)
    ? 'Flyway accepts it by accident of its number parser, flyback does not guess its order'
    : 'Flyway stops at it in every command ("Version may only contain 0..9 and .")';
  return {
    code: 'history-version-unreadable',
    severity: 'error',
    subject: `rank ${entry.rank}`,
    message: `Row ${entry.rank} (${entry.script}) has the version "${versionText}", which is not one: ${consequence}.`,
    hint: 'Rename the migration to a plain version and correct the row to match.',
  };
}

function reportRepeatedRanks(sorted: readonly HistoryEntry[], findings: Finding[]): void {
  const seen = new Set<number>();
  const reported = new Set<number>();
  for (const { rank } of sorted) {
    if (seen.has(rank) && !reported.has(rank)) {
      reported.add(rank);
      findings.push({
        code: 'history-rank-repeated',
        severity: 'error',
        subject: `rank ${rank}`,
        message: `Several rows have the rank ${rank}, so their order is unknown and none can be deleted safely.`,
        hint: "Restore the table's primary key on installed_rank after giving each row a rank of its own.",
      });
    }
    seen.add(rank);
  }
}

/** Walks by rank with one stack a version. Linear in the number of rows, for no row is looked at twice from below. */
function applyVersionedRows(rows: readonly Row[], findings: Finding[]): void {
  const byVersion = new Map<string, Row[]>();
  let undoRows = 0;
  for (const row of rows) {
    const { version, role, entry } = row;
    if (version === undefined || row.state === 'unknown') {
      continue;
    }
    const stack = byVersion.get(version.key) ?? [];
    byVersion.set(version.key, stack);
    switch (role) {
      case 'regular':
        row.state = entry.success ? 'applied' : 'failed';
        stack.push(row);
        break;
      case 'baseline-script':
        row.state = entry.success ? 'baseline' : 'failed';
        stack.push(row);
        if (!entry.success) {
          findings.push(failedBaseline(entry));
        }
        break;
      case 'baseline':
        row.state = 'baseline';
        break;
      case 'delete':
        if (entry.success) {
          markDeleted(row, version, stack, findings);
        }
        break;
      case 'undo':
        undoRows++;
        markUndone(row, version, stack, findings);
        break;
      case 'schema':
      case 'unknown':
        break;
    }
  }
  if (undoRows > 0) {
    findings.push({
      code: 'history-undo-rows',
      severity: 'warning',
      subject: 'history',
      message: `The history has ${undoRows} undo ${undoRows === 1 ? 'row' : 'rows'} of a paid Flyway edition; the open-source edition cannot read them since 9.8.`,
      hint: 'Stay with the edition that wrote them, or remove each undo row together with the row that it took back.',
    });
  }
}

function markDeleted(marker: Row, version: Version, stack: readonly Row[], findings: Finding[]): void {
  const target = stack.at(-1);
  if (target === undefined) {
    return;
  }
  if (target.state === 'deleted') {
    findings.push({
      code: 'history-corrupt',
      severity: 'error',
      subject: version.text,
      message: `Version ${version.text} has several DELETE rows for one application (rank ${marker.entry.rank} is too much): Flyway stops with "Corrupted schema history: multiple delete entries".`,
      hint: 'Remove the DELETE row that is too much.',
    });
    return;
  }
  target.state = 'deleted';
}

function markUndone(marker: Row, version: Version, stack: readonly Row[], findings: Finding[]): void {
  if (!marker.entry.success) {
    findings.push({
      code: 'history-undo-failed',
      severity: 'error',
      subject: version.text,
      message: `An undo of version ${version.text} failed (rank ${marker.entry.rank}): nobody knows how much of the version is still there.`,
      hint: 'Find out by hand what the undo script did, finish it, and correct the row.',
    });
    return;
  }
  for (let index = stack.length - 1; index >= 0; index--) {
    const row = stack[index];
    if (row !== undefined && (row.state === 'applied' || row.state === 'failed')) {
      row.state = 'undone';
      return;
    }
  }
}

function failedBaseline(entry: HistoryEntry): Finding {
  return {
    code: 'history-baseline-failed',
    severity: 'error',
    subject: entry.versionText ?? `rank ${entry.rank}`,
    message: `The baseline migration ${entry.script} failed (rank ${entry.rank}): Flyway refuses to migrate.`,
    hint: 'Remove what it left behind, then run flyway repair.',
  };
}

function applyRepeatableRows(rows: readonly Row[], findings: Finding[]): void {
  const newest = new Map<string, Row>();
  for (const row of rows) {
    const { entry, role } = row;
    if (entry.versionText !== null || row.state === 'unknown') {
      continue;
    }
    const earlier = newest.get(entry.description);
    if (role === 'regular') {
      if (earlier?.state === 'repeatable') {
        earlier.state = 'repeatable-superseded';
      }
      row.state = 'repeatable';
      newest.set(entry.description, row);
    } else if (role === 'delete' && entry.success && earlier !== undefined) {
      earlier.state = 'deleted';
    }
  }
  for (const { entry, state } of newest.values()) {
    if (state === 'repeatable' && !entry.success) {
      findings.push({
        code: 'history-repeatable-failed',
        severity: 'warning',
        subject: entry.description,
        message: `The repeatable migration "${entry.description}" failed (rank ${entry.rank}): Flyway refuses to migrate.`,
        hint: 'Remove what it left behind, then run flyway repair.',
      });
    }
  }
}

/** As Flyway counts: at or below the highest version that was in effect before it (deleted and undone rows raise nothing). */
function markOutOfOrder(rows: readonly Row[]): void {
  let last: Version | undefined;
  for (const row of rows) {
    const { version, state } = row;
    if (version === undefined || state === 'unknown' || state === 'marker') {
      continue;
    }
    if (last === undefined || flywayVersions.compare(version, last) > 0) {
      if (state !== 'deleted' && state !== 'undone') {
        last = version;
      }
    } else if (state === 'applied' || state === 'failed') {
      row.outOfOrder = true;
    }
  }
}

function highest(rows: readonly Row[]): Version | undefined {
  let result: Version | undefined;
  for (const { version } of rows) {
    if (version !== undefined && (result === undefined || flywayVersions.compare(version, result) > 0)) {
      result = version;
    }
  }
  return result;
}

function collectApplied(rows: readonly Row[], floor: Version | undefined, findings: Finding[]): readonly Row[] {
  const open = new Map<string, Row>();
  const repeated = new Set<string>();
  for (const row of rows) {
    const { version, state, role } = row;
    if (version === undefined || role !== 'regular' || (state !== 'applied' && state !== 'failed')) {
      continue;
    }
    if (floor !== undefined && flywayVersions.compare(version, floor) <= 0) {
      continue;
    }
    if (open.has(version.key)) {
      repeated.add(version.key);
    }
    open.set(version.key, row);
  }
  for (const key of repeated) {
    const row = open.get(key);
    findings.push({
      code: 'history-version-repeated',
      severity: 'error',
      subject: row?.version?.text ?? key,
      message: `Version ${row?.version?.text ?? key} has several rows in effect: with the newest removed, Flyway would still take it for applied.`,
      hint: 'Find out which row is true, and remove the others.',
    });
  }
  return [...open.values()].sort((a, b) =>
    a.version !== undefined && b.version !== undefined ? flywayVersions.compare(a.version, b.version) : 0,
  );
}
