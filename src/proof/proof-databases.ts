import type { Session } from '../adapter/database.js';
import type { QualifiedName } from '../history/history.js';
import type { Migration } from '../history/migration.js';
import type { Project } from '../project/project.js';
import { applyMigrations } from '../scratch/apply-migrations.js';
import { applyFixture, readFixtures, type Fixtures } from '../scratch/fixtures.js';
import { cancelWhileAborted } from './cancel-while-aborted.js';
import type { VersionProof } from './proof.js';
import { proveVersion } from './prove-version.js';
import type { ScratchPlace } from './scratch-place.js';
import { throwIfCancelled } from './throw-if-cancelled.js';
import { applyRequest } from './version-run.js';
import { mayMakeServerObjects, watchableVersions } from './watchable.js';
import { WatchedDatabase } from './watched-database.js';

/**
 * The scratch databases of one run of proofs, in step with the migrations: one in which nothing but migrations ever ran,
 * which is copied for every proof that looks at everything; and one that is watched, for the others. Both are made when
 * they are needed first.
 */
export class ProofDatabases {
  readonly #project: Project;
  readonly #place: ScratchPlace;
  readonly #way: 'quickly' | 'thoroughly';
  readonly #signal: AbortSignal | undefined;
  readonly #table: QualifiedName;
  readonly #isWatchable: (migration: Migration) => boolean;
  readonly #fixtures: Fixtures;
  /** Applied so far, in every database that is open, each with its fixture. */
  readonly #applied: Migration[] = [];
  #plain: { readonly name: string; applied: number } | undefined;
  #watched: { readonly name: string; readonly session: Session; readonly database: WatchedDatabase } | undefined;
  /** Where the plain database and its copies are. */
  #plainPlace: ScratchPlace | undefined;
  #other: (ScratchPlace & { close(): Promise<void> }) | undefined;
  readonly #makesServerObjects: boolean;
  #hasUnwatched = false;
  /** Sessions in which something may run. */
  readonly #working = new Set<Session>();
  readonly #stopListening: () => void;
  /** Its fixture has still to run in the watched database: what is wrong with it is no fault of the version. */
  #proven: Migration | undefined;

  /** Throws FlybackError fixtures-invalid. */
  constructor(project: Project, place: ScratchPlace, way: 'quickly' | 'thoroughly', signal: AbortSignal | undefined) {
    this.#fixtures = readFixtures(project);
    this.#project = project;
    this.#place = place;
    this.#way = way;
    this.#signal = signal;
    this.#stopListening = cancelWhileAborted(signal, this.#working);
    this.#isWatchable = watchableVersions(project);
    this.#makesServerObjects = mayMakeServerObjects(project);
    this.#table = project.toolbox.history.tableName(project.config.tool, 'public');
  }

  /** Throws FlybackError script-failed. */
  async apply(migration: Migration): Promise<void> {
    await this.#runFixture();
    if (this.#watched !== undefined && this.#isWatchable(migration)) {
      await this.#watched.database.apply(migration);
      await this.#watched.database.applyFixture(migration);
    } else await this.#unwatch();
    this.#applied.push(migration);
    // Without a watched database nothing has tried it yet.
    if (this.#watched === undefined) await this.#catchUp();
  }

  /** Throws FlybackError script-failed when an earlier migration does not run. */
  async prove(migration: Migration): Promise<VersionProof> {
    await this.#runFixture();
    const proof = (await this.#proveQuickly(migration)) ?? (await this.#proveThoroughly(migration));
    this.#applied.push(migration);
    return proof;
  }

  /** Whether the watched database, if there is one, is what it is thought to be. */
  async isAsKnown(): Promise<boolean> {
    return this.#watched === undefined || (await this.#watched.database.isAsKnown());
  }

  async close(): Promise<void> {
    this.#stopListening();
    await this.#unwatch();
    if (this.#plain !== undefined) await this.#plainPlace?.drop(this.#plain.name);
    this.#plain = undefined;
    await this.#other?.close();
    this.#other = undefined;
  }

  async #runFixture(): Promise<void> {
    const migration = this.#proven;
    this.#proven = undefined;
    if (migration !== undefined) await this.#watched?.database.applyFixture(migration);
  }

  async #proveQuickly(migration: Migration): Promise<VersionProof | undefined> {
    if (!this.#mayWatch() || !this.#isWatchable(migration)) {
      await this.#unwatch();
      return undefined;
    }
    const found = await (await this.#openWatched()).prove(migration);
    if (found === undefined || found.isSpent) await this.#unwatch();
    else this.#proven = migration;
    return found?.proof;
  }

  /**
   * A role can be made once only on a server: where there may be one, the watched database has a server of its own, to which
   * no copy of the plain one comes.
   */
  #mayWatch(): boolean {
    if (this.#way === 'thoroughly') return false;
    return !this.#makesServerObjects || (this.#place.another !== undefined && !this.#hasUnwatched);
  }

  async #proveThoroughly(migration: Migration): Promise<VersionProof> {
    const { place, name: plain } = await this.#catchUp();
    const before = await this.#serverObjects(place, plain);
    const name = await place.create(plain);
    try {
      return await this.#with(place, name, (session) =>
        proveVersion({
          project: this.#project,
          session,
          table: this.#table,
          migration,
          signal: this.#signal,
        }),
      );
    } finally {
      await place.drop(name);
      await this.#removeServerObjects(place, plain, before);
    }
  }

  async #serverObjects(place: ScratchPlace, database: string): Promise<ReadonlyMap<string, string>> {
    if (!this.#makesServerObjects) return new Map();
    const queries = await this.#project.toolbox.database.loadProofQueries();
    return this.#with(place, database, (session) => queries.readServerObjects(session));
  }

  /** What a proof left on the server would stand in the way of the same migration in the plain database. */
  async #removeServerObjects(
    place: ScratchPlace,
    database: string,
    before: ReadonlyMap<string, string>,
  ): Promise<void> {
    const left = [...(await this.#serverObjects(place, database))].filter(([name]) => !before.has(name));
    if (left.length === 0) return;
    await this.#with(place, database, async (session) => {
      for (const [, removal] of left) await session.pipeline([removal]);
    });
  }

  async #openWatched(): Promise<WatchedDatabase> {
    if (this.#watched !== undefined) return this.#watched.database;
    const name = this.#applied.length === 0 ? await this.#createEmpty(this.#place) : await this.#copy();
    const session = await this.#connect(this.#place, name);
    const reader = await this.#place.connect(name);
    try {
      const database = await WatchedDatabase.open({
        project: this.#project,
        table: this.#table,
        session,
        reader,
        fixtures: this.#fixtures,
        signal: this.#signal,
      });
      this.#watched = { name, session, database };
      return database;
    } catch (error) {
      this.#working.delete(session);
      await session.close();
      await reader.close();
      throw error;
    }
  }

  async #unwatch(): Promise<void> {
    if (this.#watched === undefined) return;
    const { name, session, database } = this.#watched;
    this.#watched = undefined;
    this.#working.delete(session);
    this.#hasUnwatched = true;
    await database.close();
    await this.#place.drop(name);
  }

  /** A copy of the database in which nothing but the migrations so far ran. */
  async #copy(): Promise<string> {
    const { place, name } = await this.#catchUp();
    return place.create(name);
  }

  async #createEmpty(place: ScratchPlace): Promise<string> {
    const name = await place.create();
    await this.#with(place, name, (session) => this.#applyAll(session, []));
    return name;
  }

  /** Applies in the plain database what it lacks. */
  async #catchUp(): Promise<{ readonly place: ScratchPlace; readonly name: string }> {
    if (this.#makesServerObjects) this.#other ??= await this.#place.another?.();
    const place = (this.#plainPlace ??= this.#other ?? this.#place);
    this.#plain ??= { name: await this.#createEmpty(place), applied: 0 };
    const plain = this.#plain;
    if (plain.applied < this.#applied.length) {
      await this.#with(place, plain.name, (session) => this.#applyAll(session, this.#applied.slice(plain.applied)));
      plain.applied = this.#applied.length;
    }
    return { place, name: plain.name };
  }

  async #applyAll(session: Session, migrations: readonly Migration[]): Promise<void> {
    const place = { project: this.#project, session, table: this.#table, signal: this.#signal };
    const request = { ...applyRequest(place), fixtures: this.#fixtures };
    if (this.#fixtures.size === 0 || migrations.length === 0) return applyMigrations({ ...request, migrations });
    // Each fixture runs before the next migration.
    for (const migration of migrations) {
      await applyMigrations({ ...request, migrations: [migration] });
      if (migration.version !== undefined) await applyFixture(request, migration.version);
    }
  }

  /** A session in which whatever runs is ended when the proof is. Throws FlybackError cancelled. */
  async #connect(place: ScratchPlace, name: string): Promise<Session> {
    throwIfCancelled(this.#signal);
    const session = await place.connect(name);
    this.#working.add(session);
    return session;
  }

  async #with<T>(place: ScratchPlace, name: string, work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.#connect(place, name);
    try {
      return await work(session);
    } finally {
      this.#working.delete(session);
      await session.close();
    }
  }
}
