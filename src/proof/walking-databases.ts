import type { Session } from '../adapter/database.js';
import type { Migration } from '../history/migration.js';
import type { Project } from '../project/project.js';
import { applyMigrations } from '../scratch/apply-migrations.js';
import { applyFixture, readFixtures, type Fixtures } from '../scratch/fixtures.js';
import { cancelWhileAborted } from './cancel-while-aborted.js';
import { projectIn } from './project-in.js';
import type { VersionProof } from './proof.js';
import { proveVersionThere } from './prove-version.js';
import type { ScratchPlace } from './scratch-place.js';
import { throwIfCancelled } from './throw-if-cancelled.js';
import { applyRequest } from './version-run.js';
import { mayMakeServerObjects } from './watchable.js';

interface OwnDatabase {
  readonly name: string;
  session: Session;
  /** How many of the versions are applied there, and of how many the fixture has run. */
  applied: number;
  fixtures: number;
}

/**
 * The scratch database of one run of proofs where DDL commits and databases cannot be copied: one that goes up with the
 * versions. Each is proven in it by looking at everything, and left applied; whenever it is not as the migrations alone would
 * make it, because a rollback failed or left something, it is thrown away and made anew from them.
 */
export class WalkingDatabases {
  readonly #project: Project;
  readonly #place: ScratchPlace;
  readonly #signal: AbortSignal | undefined;
  readonly #fixtures: Fixtures;
  readonly #makesServerObjects: boolean;
  /** What was on the server before anything was applied. */
  #ofServer: ReadonlyMap<string, string> | undefined;
  /** Applied so far, each with its fixture. */
  readonly #applied: Migration[] = [];
  #database: OwnDatabase | undefined;
  /** Sessions in which something may run. */
  readonly #working = new Set<Session>();
  readonly #stopListening: () => void;

  /** Throws FlybackError fixtures-invalid. */
  constructor(project: Project, place: ScratchPlace, signal: AbortSignal | undefined) {
    this.#fixtures = readFixtures(project);
    this.#project = project;
    this.#place = place;
    this.#signal = signal;
    this.#makesServerObjects = mayMakeServerObjects(project);
    this.#stopListening = cancelWhileAborted(signal, this.#working);
  }

  /** Throws FlybackError script-failed. */
  async apply(migration: Migration): Promise<void> {
    this.#applied.push(migration);
    await this.#catchUp();
  }

  /** Throws FlybackError script-failed when an earlier migration does not run. */
  async prove(migration: Migration): Promise<VersionProof> {
    const session = await this.#catchUp();
    const { proof, isClean } = await proveVersionThere({
      ...this.#at(session),
      migration,
      signal: this.#signal,
      renew: async () => {
        await this.#discard();
        return this.#catchUp();
      },
    });
    this.#applied.push(migration);
    if (isClean && this.#database !== undefined) this.#database.applied++;
    else await this.#discard();
    return proof;
  }

  /** Nothing is known here that was not looked at. */
  async isAsKnown(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    this.#stopListening();
    await this.#discard();
  }

  #at(session: Session): { readonly project: Project; readonly session: Session; readonly table: Project['table'] } {
    const project = projectIn(this.#project, session);
    return { project, session, table: project.table };
  }

  /** A new session to the database, in which everything is applied, each fixture before the next migration. */
  async #catchUp(): Promise<Session> {
    const database = (this.#database ??= await this.#open());
    throwIfCancelled(this.#signal);
    const request = { ...applyRequest(this.#at(database.session)), fixtures: this.#fixtures };
    if (database.applied === 0) await applyMigrations({ ...request, migrations: [] });
    for (const [at, migration] of this.#applied.entries()) {
      if (at >= database.applied) {
        await applyMigrations({ ...request, migrations: [migration] });
        database.applied = at + 1;
      }
      if (at < database.fixtures) continue;
      if (migration.version !== undefined) await applyFixture(request, migration.version);
      database.fixtures = at + 1;
    }
    return this.#renewSession(database);
  }

  /** What a script has set in its session must not reach the next one. */
  async #renewSession(database: OwnDatabase): Promise<Session> {
    const session = await this.#connect(database.name);
    this.#working.delete(database.session);
    await database.session.close();
    database.session = session;
    return session;
  }

  async #open(): Promise<OwnDatabase> {
    const name = await this.#place.create();
    const session = await this.#connect(name);
    if (this.#makesServerObjects) this.#ofServer ??= await this.#serverObjects(session);
    return { name, session, applied: 0, fixtures: 0 };
  }

  async #discard(): Promise<void> {
    if (this.#database === undefined) return;
    const { name, session } = this.#database;
    this.#database = undefined;
    this.#working.delete(session);
    try {
      await this.#removeServerObjects(session, name);
    } finally {
      await session.close();
      await this.#place.drop(name);
    }
  }

  async #serverObjects(session: Session): Promise<ReadonlyMap<string, string>> {
    const queries = await this.#project.toolbox.database.loadProofQueries();
    return queries.readServerObjects(session);
  }

  /** What migrations left on the server would stand in their way in the next database. */
  async #removeServerObjects(session: Session, database: string): Promise<void> {
    const before = this.#ofServer;
    if (before === undefined) return;
    for (const [name, removal] of await this.#serverObjects(session)) {
      if (!before.has(name) && name !== `database ${database}`) await session.pipeline([removal]);
    }
  }

  /** A session in which whatever runs is ended when the proof is. Throws FlybackError cancelled. */
  async #connect(name: string): Promise<Session> {
    throwIfCancelled(this.#signal);
    const session = await this.#place.connect(name);
    this.#working.add(session);
    return session;
  }
}
