import type { CatalogWatch, Reading, Touched } from '../adapter/catalog-watch.js';
import type { Session } from '../adapter/database.js';
import type { ProofQueries } from '../adapter/proof-queries.js';
import type { QualifiedName } from '../history/history.js';
import type { Migration } from '../history/migration.js';
import type { Project } from '../project/project.js';
import { applyMigration } from '../scratch/apply-migrations.js';
import { applyFixture, type Fixtures } from '../scratch/fixtures.js';
import type { RollbackScript } from '../scripts/rollback-script.js';
import { CatalogStore } from './catalog-store.js';
import { compareCatalogs } from './compare-catalogs.js';
import { compareRows } from './compare-rows.js';
import { compareSequences, type SequencePosition } from './compare-sequences.js';
import { footprintOf } from './footprint.js';
import type { ProofStep, TableRows, VersionProof } from './proof.js';
import { unproven } from './prove-version.js';
import { proveWithRows } from './prove-with-rows.js';
import { runTwice } from './run-twice.js';
import { verdictOf } from './verdict.js';
import { applyRequest, attemptsInto, ownTables, takeBack, type StepFailure } from './version-run.js';
import { keepsPlans, mayGrant } from './watchable.js';
import { WatchedSession } from './watched-session.js';

export interface WatchedDatabaseOptions {
  readonly project: Project;
  readonly table: QualifiedName;
  /** Both of the same database: one that migrates and rolls back, and one that only looks. */
  readonly session: Session;
  readonly reader: Session;
  /** Those that run in it. */
  readonly fixtures: Fixtures;
  readonly signal?: AbortSignal | undefined;
}

/** What a version's transactions left to look at. */
interface Look {
  /** Scopes of the relations whose rows they may have changed. */
  readonly rewritten: ReadonlySet<string>;
  /** Tables among what they touched which have, or had, rows. */
  readonly tables: readonly string[];
  /** Sequences among what they touched, and those of them that have given a value. */
  readonly sequences: readonly string[];
  readonly advanced: ReadonlySet<string>;
}

const tableKinds: ReadonlySet<string> = new Set(['table']);
const rowKinds: ReadonlySet<string> = new Set(['table', 'materialized view']);
const sequenceKinds: ReadonlySet<string> = new Set(['sequence']);

/** Where large objects are written; their content is not watched. */
const largeObjects: ReadonlySet<string> = new Set(['pg_largeobject', 'pg_largeobject_metadata']);

/** A sequence may stand elsewhere than at its start without having given a value. */
const movesSequences = /\brestart\b|\bsetval\b/i;

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
  readonly #scripts: ReadonlyMap<string, RollbackScript | undefined>;
  #rows: ReadonlyMap<string, TableRows> = new Map();
  /** Of sequences that have given a value, or were moved; the others stand at their start. */
  #positions: ReadonlyMap<string, SequencePosition> = new Map();
  #hasLargeObjects = false;

  private constructor(options: WatchedDatabaseOptions, queries: ProofQueries) {
    const { project, table, session } = options;
    this.#options = options;
    this.#queries = queries;
    this.#without = ownTables({ project, table });
    this.#watch = queries.watchCatalog(session.facts.majorVersion, this.#without);
    this.#session = new WatchedSession(
      session,
      this.#watch,
      project.toolbox.database.sql.commit,
      // A pooler may answer from another server process, which knows nothing of what was prepared.
      !session.facts.proxied && keepsPlans(project, options.fixtures),
    );
    this.#mayGrant = mayGrant(project);
    this.#scripts = new Map(project.pairs.map(({ version, script }) => [version.key, script]));
  }

  /** Looks at everything once. */
  static async open(options: WatchedDatabaseOptions): Promise<WatchedDatabase> {
    const queries = await options.project.toolbox.database.loadProofQueries();
    const database = new WatchedDatabase(options, queries);
    database.#store.replace(await database.#watch.readAll(options.reader));
    await database.#inTransaction(async () => {
      database.#rows = await queries.readRows(options.reader, database.#without);
      database.#positions = await queries.readSequences(options.reader, database.#without);
    });
    return database;
  }

  /** Applies a migration that is not to be proven. Throws FlybackError script-failed. */
  async apply(migration: Migration): Promise<void> {
    await this.#migrate(migration);
    await this.#takeOver(await this.#catchUp(), movesSequences.test(migration.sql));
    this.#store.forgetMarks();
  }

  /** Runs the fixture of a version that was applied, if it has one. Throws FlybackError script-failed. */
  async applyFixture({ version }: Migration): Promise<void> {
    const { fixtures } = this.#options;
    const fixture = version && fixtures.get(version.key);
    if (fixture === undefined) return;
    const { project, table } = this.#options;
    await applyFixture({ ...applyRequest({ project, session: this.#session, table }), fixtures }, fixture.version);
    await this.#takeOver(await this.#catchUp(), movesSequences.test(fixture.sql));
    this.#store.forgetMarks();
  }

  /**
   * Undefined: the version is not as it was, or something failed; the database is of no further use. Else the version is
   * applied at the end, unless `isSpent`.
   */
  async prove(migration: Migration): Promise<{ readonly proof: VersionProof; readonly isSpent: boolean } | undefined> {
    const started = performance.now();
    const steps: ProofStep[] = [];
    const attempt = attemptsInto(steps);
    const { project, table, signal } = this.#options;
    const alone = onlyWith(project, migration);
    const up = (): Promise<StepFailure | undefined> => attempt('migrate', () => this.#migrate(migration));
    const down = (): Promise<StepFailure | undefined> =>
      attempt('roll back', () =>
        takeBack({ project: alone, session: this.#session, table, signal }, { kind: 'steps', steps: 1 }),
      );
    const finish = (found: Partial<VersionProof>): VersionProof => ({
      ...unproven(migration, 'exact', undefined),
      ...found,
      steps,
      durationMs: performance.now() - started,
    });
    const script = this.#scripts.get(migration.version?.key ?? '');
    const mayMove = movesSequences.test(migration.sql) || movesSequences.test(script?.text ?? '');
    const mark = this.#store.mark();
    const [rowsBefore, positionsBefore] = [this.#rows, this.#positions];
    try {
      if ((await up()) !== undefined || (await down()) !== undefined) return undefined;
      // What the migration alone did shows when it is applied again: from the same state, if this is the same state.
      const look = await this.#catchUp();
      await this.#takeOver(look, mayMove);
      if (this.#hasLargeObjects) return undefined;
      const after = this.#store.since(mark);
      const verdict = verdictOf(
        project,
        migration,
        [...compareCatalogs(after.before, after.after), ...this.#moved(positionsBefore, look)],
        compareRows(rowsBefore, this.#rows),
      );
      const isAsItWas = verdict.changes.every(({ kind }) => kind === 'sequence position') && verdict.rows.length === 0;
      if (!isAsItWas || verdict.left.length > 0 || verdict.grade === 'different') return undefined;
      const twice = await runTwice(
        this.#session,
        project.toolbox,
        script,
        this.#scriptSchema(),
        project.config.prove.statementTimeoutMs,
      );
      const withRows = await proveWithRows({
        session: this.#session,
        queries: this.#queries,
        commit: project.toolbox.database.sql.commit,
        rollback: project.toolbox.database.sql.rollback,
        tables: this.#store.namesIn([...look.rewritten], tableKinds, mark).filter((name) => !rowsBefore.has(name)),
        migrate: up,
        takeBack: down,
        readRows: (tables) => this.#readRows(tables),
      });
      // The migration is applied with rows in which its rollback stumbles.
      if (withRows.unsuited !== undefined) return undefined;
      const { generated, notMigrated } = withRows;
      const notes = [...withRows.notes, ...(notMigrated === undefined ? [] : [notMigrated])];
      const found = { ...verdict, twice, generated, notes };
      if (withRows.failed !== undefined) {
        return { proof: finish({ ...found, grade: 'failed', reason: withRows.failed }), isSpent: true };
      }
      await this.#catchUp();
      const restored = this.#store.mark();
      const again = await attempt('migrate again', () => this.#migrate(migration));
      if (again !== undefined) return undefined;
      await this.#takeOver(await this.#catchUp(), mayMove);
      const { before, after: applied } = this.#store.since(restored);
      const lost = withRows.rows.length === 0 ? {} : verdictOf(project, migration, verdict.changes, withRows.rows);
      return {
        proof: finish({ ...found, ...lost, footprint: footprintOf(before, applied) }),
        isSpent: !withRows.isClean,
      };
    } finally {
      this.#store.forgetMarks();
    }
  }

  /** Whether what is known equals what is there: looks at everything again. */
  async isAsKnown(): Promise<boolean> {
    // A proof that was cancelled may have committed since the last look.
    await this.#catchUp();
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
      applyRequest({ project, session: this.#session, table }),
      migration,
      // A run compares the whole history under its lock, which would take longer with each version.
      { forgetsOthers: true },
    );
  }

  /** Reads what the last transactions touched. */
  async #catchUp(): Promise<Look> {
    const touched: readonly Touched[] = this.#session.takeTouched();
    this.#hasLargeObjects ||= touched.some(({ written }) => written.some(({ catalog }) => largeObjects.has(catalog)));
    const reading: Reading = await this.#watch.readChanged(this.#options.reader, touched, { grants: this.#mayGrant });
    const before = this.#store.namesIn(reading.scopes, rowKinds);
    if (this.#store.update(reading)) this.#store.refresh(await this.#watch.readAll(this.#options.reader));
    const tables = new Set(this.#store.namesIn(reading.scopes, rowKinds));
    return {
      rewritten: new Set(
        touched.flatMap(({ relations }) =>
          relations.flatMap(({ id, hasNewRows }) => (hasNewRows ? [`pg_class/${id}`] : [])),
        ),
      ),
      tables: [...before.filter((name) => this.#rows.has(name)), ...reading.filled.filter((name) => tables.has(name))],
      sequences: this.#store.namesIn(reading.scopes, sequenceKinds),
      advanced: new Set(reading.advanced),
    };
  }

  /** Makes known the rows and positions of what was touched. */
  async #takeOver(look: Look, mayMove: boolean): Promise<void> {
    if (look.tables.length > 0) {
      const there = await this.#readRows(look.tables);
      const rows = new Map(this.#rows);
      for (const table of look.tables) rows.delete(table);
      for (const [table, found] of there) rows.set(table, found);
      this.#rows = rows;
    }
    const moved = look.sequences.filter((name) => mayMove || look.advanced.has(name) || this.#positions.has(name));
    if (moved.length > 0) {
      const { reader } = this.#options;
      const there = await this.#inTransaction(() => this.#queries.readSequences(reader, this.#without, moved));
      this.#positions = new Map([...this.#positions, ...there]);
    }
  }

  /** Sequences that were touched and stand elsewhere than before. */
  #moved(before: ReadonlyMap<string, SequencePosition>, { sequences }: Look): ReturnType<typeof compareSequences> {
    const after = new Map([...this.#positions].filter(([name]) => sequences.includes(name)));
    const was = new Map(
      [...after].map(([name, is]) => [
        name,
        before.get(name) ?? { next: this.#startOf(name), direction: is.direction },
      ]),
    );
    return compareSequences(was, after);
  }

  /** Where a sequence stands that has not given a value and was not moved. */
  #startOf(name: string): string {
    const object = this.#store.find('sequence', name);
    return /^start (-?\d+) /.exec(object?.properties['parameters'] ?? '')?.[1] ?? '1';
  }

  #scriptSchema(): string {
    const { project, table } = this.#options;
    return project.toolbox.history.scriptSchema(project.config.tool, table, this.#session.facts.currentSchema);
  }

  async #readRows(tables: readonly string[]): Promise<ReadonlyMap<string, TableRows>> {
    return this.#inTransaction(() => this.#queries.readRows(this.#options.reader, this.#without, tables));
  }

  async #inTransaction<T>(work: () => Promise<T>): Promise<T> {
    const { reader, project } = this.#options;
    await reader.query('BEGIN');
    try {
      return await work();
    } finally {
      await reader.query(project.toolbox.database.sql.rollback);
    }
  }
}

/**
 * A project in which there is this version and no other, as in the history of the watched database: what a plan says of the
 * others would take longer with each of them.
 */
function onlyWith(project: Project, migration: Migration): Project {
  return {
    ...project,
    migrations: { ...project.migrations, migrations: [migration] },
    pairs: project.pairs.filter(({ version }) => version.key === migration.version?.key),
  };
}
