import type { HistoryEntry } from '../history/history.js';
import type { JournalBegun, JournalFailed, JournalFinished, JournalRow, JournalStarted } from './journal.js';

/** A rollback without a transaction that has begun and not ended, as its journal tells it. */
export interface OpenRun {
  readonly run: string;
  /** The newest entry: whoever goes on makes sure that it still is. */
  readonly lastId: number;
  readonly begun: JournalBegun;
  /** In the order of the script; each statement at most once. */
  readonly finished: readonly JournalFinished[];
  /** The statement that was started and has no end, or that failed; undefined between two statements. */
  readonly open: JournalStarted | undefined;
  /** How the open statement failed, when the server said so. */
  readonly failure: JournalFailed | undefined;
  /** Why the run is still open although every statement has run. */
  readonly unverified: string | undefined;
  readonly resumes: number;
}

/** The entries of a history as they were before flyback marked these as failed, for as long as a run is open. Pure. */
export function beforeMarking(
  entries: readonly HistoryEntry[],
  marked: readonly HistoryEntry[],
): readonly HistoryEntry[] {
  const byRank = new Map(marked.map((entry) => [entry.rank, entry]));
  return entries.map((entry) => {
    const before = byRank.get(entry.rank);
    return before !== undefined && before.versionText === entry.versionText ? before : entry;
  });
}

/**
 * The runs that are open, oldest first; never more than one unless somebody tampered with the journal. Entries are taken
 * in the order of their ids: clocks may have been set back. Pure.
 */
export function openRuns(rows: readonly JournalRow[]): readonly OpenRun[] {
  const runs = new Map<string, OpenRun>();
  for (const { id, run, entry } of [...rows].sort((a, b) => a.id - b.id)) {
    if (entry.event === 'begun') {
      runs.set(run, {
        run,
        lastId: id,
        begun: entry,
        finished: [],
        open: undefined,
        failure: undefined,
        unverified: undefined,
        resumes: 0,
      });
      continue;
    }
    const known = runs.get(run);
    if (known === undefined) continue;
    const next = { ...known, lastId: id };
    switch (entry.event) {
      case 'started':
        runs.set(run, { ...next, open: entry, failure: undefined, unverified: undefined });
        break;
      case 'finished':
        runs.set(run, {
          ...next,
          finished: [...known.finished.filter((other) => other.statement !== entry.statement), entry],
          open: undefined,
          failure: undefined,
        });
        break;
      case 'failed':
        runs.set(run, { ...next, failure: entry });
        break;
      case 'unverified':
        runs.set(run, { ...next, unverified: entry.message });
        break;
      case 'resumed':
        runs.set(run, { ...next, resumes: known.resumes + 1 });
        break;
    }
  }
  return [...runs.values()];
}
