import type { Session } from '../adapter/database.js';
import type { FilledTable, ProofQueries } from '../adapter/proof-queries.js';
import { FlybackError } from '../errors/error.js';
import { compareRows } from './compare-rows.js';
import type { RowChange, TableRows } from './proof.js';
import type { StepFailure } from './version-run.js';

/** A database as it is before a migration, in which the migration can be applied and taken back. */
export interface RowsTrial {
  readonly session: Session;
  readonly queries: ProofQueries;
  readonly commit: string;
  readonly rollback: string;
  /** Empty tables whose rows the migration or its rollback can touch. */
  readonly tables: readonly string[];
  /** Each resolves with the reason when it did not run, and then has changed nothing. */
  readonly migrate: () => Promise<StepFailure | undefined>;
  readonly takeBack: () => Promise<StepFailure | undefined>;
  /** Where what did not run has changed something: puts another database, as this one was before the trial, in its place. */
  readonly renew?: (() => Promise<void>) | undefined;
  readonly readRows: (tables: readonly string[]) => Promise<ReadonlyMap<string, TableRows>>;
}

export interface RowsOutcome {
  /** Generated rows that are not as they were. */
  readonly rows: readonly RowChange[];
  /** Why the rollback did not run with them. */
  readonly failed: string | undefined;
  /** Tables in which there were generated rows when the migration ran. */
  readonly generated: readonly string[];
  readonly notes: readonly string[];
  /** Why the migration does not run with generated rows: true only when it runs again without them. */
  readonly notMigrated: string | undefined;
  /** Why the rollback stumbled over values that nobody but flyback has put there; then nothing is known of it with rows. */
  readonly unsuited: string | undefined;
  /** The database is as it was before the trial. */
  readonly isClean: boolean;
}

/**
 * Applies a migration and takes it back once more, with generated rows in tables that are empty: without rows nothing is
 * lost. A migration that does not run with them is tried with plainer ones; when it does not run with those either, that is
 * said, and proves nothing.
 */
export async function proveWithRows(trial: RowsTrial): Promise<RowsOutcome> {
  const nothing: RowsOutcome = {
    rows: [],
    failed: undefined,
    generated: [],
    notes: [],
    notMigrated: undefined,
    unsuited: undefined,
    isClean: true,
  };
  if (trial.tables.length === 0) return nothing;
  let refused = '';
  for (const reach of ['full', 'modest'] as const) {
    const filled = await inTransaction(trial, () => trial.queries.fillTables(trial.session, trial.tables, reach));
    const notes = unfilledNotes(filled);
    const tables = filled.filter(({ rows }) => rows > 0).map(({ table }) => table);
    if (tables.length === 0) return { ...nothing, notes };
    const before = await trial.readRows(tables);
    const notMigrated = await trial.migrate();
    if (notMigrated !== undefined) {
      refused = notMigrated.message;
      await (trial.renew === undefined ? empty(trial, filled) : trial.renew());
      continue;
    }
    const found = { ...nothing, generated: tables, notes };
    const failed = await trial.takeBack();
    if (failed !== undefined) {
      const told = `With generated rows in ${tables.join(', ')}`;
      return isAboutValues(failed)
        ? { ...found, unsuited: `${told} the rollback does not run: ${failed.message}`, isClean: false }
        : { ...found, failed: `${told}: ${failed.message}`, isClean: false };
    }
    const rows = compareRows(before, await trial.readRows(tables));
    if (rows.length > 0) return { ...found, rows, isClean: false };
    return { ...found, isClean: await empty(trial, filled) };
  }
  const notMigrated = `With generated rows in ${trial.tables.join(', ')} the migration does not run: ${refused}`;
  return { ...nothing, notMigrated };
}

/**
 * Whether a statement failed for what a value means to it : text that was to be a number, JSON that was to be an
 * array. Generated values are as their types and checks want them, no more.
 */
function isAboutValues({ condition }: StepFailure): boolean {
  return condition === 'value-unsuited';
}

function unfilledNotes(filled: readonly FilledTable[]): string[] {
  return filled.flatMap(({ table, reason }) =>
    reason === undefined ? [] : [`No rows could be generated in ${table}: ${reason}`],
  );
}

/** False when rows remain. */
async function empty(trial: RowsTrial, filled: readonly FilledTable[]): Promise<boolean> {
  try {
    await inTransaction(trial, () => trial.queries.emptyTables(trial.session, filled));
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    return false;
  }
  const left = await trial.readRows(filled.filter(({ rows }) => rows > 0).map(({ table }) => table));
  return left.size === 0;
}

async function inTransaction<T>({ session, commit, rollback }: RowsTrial, work: () => Promise<T>): Promise<T> {
  await session.query('BEGIN');
  try {
    const result = await work();
    await session.query(commit);
    return result;
  } catch (error) {
    await session.query(rollback).catch(() => undefined);
    throw error;
  }
}
