import type { CatalogWatch, Touched } from '../adapter/catalog-watch.js';
import type { Session } from '../adapter/database.js';
import type { ProofQueries } from '../adapter/proof-queries.js';
import type { QualifiedName } from '../history/history.js';
import type { Migration } from '../history/migration.js';
import type { Project } from '../project/project.js';
import { applyMigration } from '../scratch/apply-migrations.js';
import { CatalogStore } from './catalog-store.js';
import { compareCatalogs } from './compare-catalogs.js';
import { compareRows } from './compare-rows.js';
import { footprintOf } from './footprint.js';
import type { ProofStep, TableRows, VersionProof } from './proof.js';
import { unproven } from './prove-version.js';
import { verdictOf } from './verdict.js';
import { mayGrant } from './watchable.js';
import { attempted, ownTables, takeBack } from './version-run.js';
import { WatchedSession } from './watched-session.js';

export interface WatchedDatabaseOptions {
  readonly project: Project;
  readonly table: QualifiedName;
  /** Both of the same database: one that migrates and rolls back, and one that only looks. */
  readonly session: Session;
  readonly reader: Session;
  readonly signal?: AbortSignal | undefined;
}

/** Holds rows of its own; a partitioned table has none. */
const rowKinds: ReadonlySet<string> = new Set(['table', 'materialized view']);

/**
 * A scratch database of which is known at every moment what is in it: proofs look only at what their transactions touched.
 * It says "as it was" or "not here": whatever is not as it was, is judged in another database by looking at everything.
 */
export class WatchedDatabase {
  readonly #options: WatchedDatabaseOptions;
  readonly #queries: ProofQueries;
  readonly #watch: CatalogWatch;
  readonly #session: WatchedSession;
  readonly #without: readonly QualifiedName[];
  readonly #store = new CatalogStore();
  readonly #mayGrant: boolean;
  #rows = new Map<string, TableRows>();

  private constructor(options: WatchedDatabaseOptions, queries: ProofQueries) {
    const { project, table, session } = options;
    this.#options = options;
    this.#queries = queries;
    this.#without = ownTables({ project, table });
    this.#watch = queries.watchCatalog(session.facts.majorVersion, this.#without);
    this.#session = new WatchedSession(session, this.#watch, project.toolbox.database.sql.commit);
    this.#mayGrant = mayGrant(project);
  }

  /** Looks at everything once. */
  static async open(options: WatchedDatabaseOptions): Promise<WatchedDatabase> {
    const queries = await options.project.toolbox.database.loadProofQueries();
    const database = new WatchedDatabase(options, queries);
    await database.#readEverything();
    return database;
  }

  /** Applies a migration that is not to be proven. Throws FlybackError script-failed. */
  async apply(migration: Migration): Promise<void> {
    await this.#migrate(migration);
    await this.#readRows(await this.#catchUp());
  }

  /**
   * Undefined: the version is not exactly as it was, or something failed; the database is of no further use. Else the
   * version is applied at the end.
   */
  async prove(migration: Migration): Promise<VersionProof | undefined> {
    const started = performance.now();
    const steps: ProofStep[] = [];
    const attempt = async (action: ProofStep['action'], work: () => Promise<unknown>): Promise<boolean> => {
      const done = await attempted(work);
      steps.push({ action, ...done });
      return done.error === undefined;
    };
    const { project, table, signal } = this.#options;
    const mark = this.#store.mark();
    const rowsBefore = this.#rows;
    try {
      if (!(await attempt('migrate', () => this.#migrate(migration)))) return undefined;
      const back = await attempt('roll back', () =>
        takeBack({ project, session: this.#session, table, signal }, { kind: 'steps', steps: 1 }),
      );
      if (!back) return undefined;
      // What the migration alone did shows when it is applied again: from the same state, if this is the same state.
      const tables = await this.#catchUp();
      await this.#readRows(tables);
      const after = this.#store.since(mark);
      const verdict = verdictOf(
        project,
        migration,
        compareCatalogs(after.before, after.after),
        compareRows(rowsBefore, this.#rows),
      );
      if (verdict.grade !== 'exact' || verdict.left.length > 0) return undefined;
      const restored = this.#store.mark();
      if (!(await attempt('migrate again', () => this.#migrate(migration)))) return undefined;
      await this.#readRows(await this.#catchUp());
      const footprint = this.#store.since(restored);
      return {
        ...unproven(migration, verdict.grade, undefined),
        footprint: footprintOf(footprint.before, footprint.after),
        steps,
        durationMs: performance.now() - started,
      };
    } finally {
      this.#store.forgetMarks();
    }
  }

  /** Whether what is known equals what is there: looks at everything again. */
  async isAsKnown(): Promise<boolean> {
    const known = this.#store.catalog();
    const there = { objects: (await this.#watch.readAll(this.#options.reader)).map(({ object }) => object) };
    return compareCatalogs(known, there).length === 0;
  }

  async close(): Promise<void> {
    await this.#options.session.close();
    await this.#options.reader.close();
  }

  async #migrate(migration: Migration): Promise<void> {
    const { project, table } = this.#options;
    await applyMigration(
      { session: this.#session, toolbox: project.toolbox, settings: project.config.flyway, table },
      migration,
      // A run compares the whole history under its lock, which would take longer with each version.
      { forgetsOthers: true },
    );
  }

  /** Reads what the last transactions touched; names of the tables among that which have or had rows. */
  async #catchUp(): Promise<readonly string[]> {
    const touched: readonly Touched[] = this.#session.takeTouched();
    const reading = await this.#watch.readChanged(this.#options.reader, touched, { grants: this.#mayGrant });
    const before = this.#store.namesIn(reading.scopes, rowKinds);
    if (this.#store.update(reading)) this.#store.refresh(await this.#watch.readAll(this.#options.reader));
    const tables = new Set(this.#store.namesIn(reading.scopes, rowKinds));
    return [...before.filter((name) => this.#rows.has(name)), ...reading.filled.filter((name) => tables.has(name))];
  }

  async #readEverything(): Promise<void> {
    const { reader } = this.#options;
    this.#store.replace(await this.#watch.readAll(reader));
    this.#rows = new Map(await this.#readRowsOf(undefined));
  }

  async #readRows(tables: readonly string[]): Promise<void> {
    if (tables.length === 0) return;
    const there = await this.#readRowsOf(tables);
    const rows = new Map(this.#rows);
    for (const table of tables) rows.delete(table);
    for (const [table, found] of there) rows.set(table, found);
    this.#rows = rows;
  }

  async #readRowsOf(tables: readonly string[] | undefined): Promise<ReadonlyMap<string, TableRows>> {
    const { reader } = this.#options;
    await reader.query('BEGIN');
    try {
      return await this.#queries.readRows(reader, this.#without, tables);
    } finally {
      await reader.query(this.#options.project.toolbox.database.sql.rollback);
    }
  }
}
