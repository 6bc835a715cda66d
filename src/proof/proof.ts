import type { CatalogChange } from './compare-catalogs.js';
import type { Footprint } from './footprint.js';
import type { Grade } from './grade.js';

/** One thing that was done for a proof, and how it ended. */
export interface ProofStep {
  readonly action: 'migrate' | 'roll back' | 'roll back twice' | 'migrate again';
  readonly durationMs: number;
  /** Undefined when it ran. */
  readonly error: string | undefined;
}

/** What became of one version when it was applied, taken back and applied again in a scratch database. */
export interface VersionProof {
  readonly version: string;
  readonly description: string;
  readonly grade: Grade;
  /** One sentence: why it is not exact. */
  readonly reason: string | undefined;
  /** What is not as it was before the migration, once it was taken back. */
  readonly changes: readonly CatalogChange[];
  /** Tables whose rows are not as they were. */
  readonly rows: readonly RowChange[];
  /** What the script leaves behind on purpose, as its directive `leaves` says; not part of the grade. */
  readonly left: readonly string[];
  /** What the second migration made other than the first. */
  readonly again: readonly CatalogChange[];
  /** What the script does when it runs a second time: nothing, it writes again, or it fails; undefined: not tried. */
  readonly twice: 'nothing' | 'writes' | 'failed' | undefined;
  /** What the migration made, changed or dropped, as it looks without and with it; empty where that was not found out. */
  readonly footprint: Footprint;
  /** Tables in which rows were generated, with which the migration and its rollback ran. */
  readonly generated: readonly string[];
  /** What the proof could not show, such as a table in which no rows could be generated; one sentence each. */
  readonly notes: readonly string[];
  readonly steps: readonly ProofStep[];
  readonly durationMs: number;
}

/** Rows of one table, counted and added up into a digest that does not depend on their order, before and after. */
export interface RowChange {
  readonly table: string;
  readonly before: TableRows | undefined;
  readonly after: TableRows | undefined;
}

export interface TableRows {
  readonly count: number;
  readonly digest: string;
}
