import type { Session } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import type { QualifiedName } from '../history/history.js';
import type { Migration } from '../history/migration.js';
import type { Project } from '../project/project.js';
import { applyMigrations, inOrder } from '../scratch/apply-migrations.js';
import type { VersionProof } from './proof.js';
import { proveVersion } from './prove-version.js';

/** Makes empty databases for proofs; each is dropped by whoever made the place. */
export interface ScratchPlace {
  /** "PostgreSQL 18.4, embedded". */
  readonly description: string;
  readonly majorVersion: number;
  /** A session to a new, empty database. The caller closes it. */
  open(): Promise<Session>;
}

export interface ProveOptions {
  /** Keys of the versions to prove; undefined: every one that has a migration file and a usable rollback script. */
  readonly versions?: ReadonlySet<string> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProof?: ((proof: VersionProof, done: number, of: number) => void) | undefined;
}

/**
 * Proves versions in the order in which they are applied, each from a database in which the versions below it are applied
 * and nothing is left of earlier proofs. Versions without a rollback script are applied and left out. When a migration
 * does not run in the scratch database, nothing above it can be proven there: those versions are `not-possible`.
 */
export async function proveProject(
  project: Project,
  place: ScratchPlace,
  options: ProveOptions = {},
): Promise<readonly VersionProof[]> {
  const versioned = inOrder(project.migrations.migrations, project.toolbox).filter(({ kind }) => kind === 'versioned');
  const scripts = new Map(project.pairs.map((pair) => [pair.version.key, pair.script]));
  const isWanted = ({ version }: Migration): boolean =>
    version !== undefined &&
    scripts.get(version.key) !== undefined &&
    (options.versions === undefined || options.versions.has(version.key));
  const wanted = versioned.filter(isWanted);
  const proofs: VersionProof[] = [];
  const add = (proof: VersionProof): void => {
    proofs.push(proof);
    options.onProof?.(proof, proofs.length, wanted.length);
  };
  const chain = new Chain(project, place);
  try {
    for (const migration of versioned) {
      if (proofs.length === wanted.length) break;
      if (options.signal?.aborted === true) {
        throw new FlybackError('cancelled', 'The proof was cancelled.', {
          hint: 'Nothing but scratch data was touched.',
        });
      }
      try {
        if (isWanted(migration)) {
          const proof = await chain.prove(migration, options.signal);
          if (proof.grade === 'not-possible') throw new FlybackError('script-failed', proof.reason ?? '');
          add(proof);
        } else await chain.apply(migration);
      } catch (error) {
        if (!(error instanceof FlybackError) || error.code !== 'script-failed') throw error;
        for (const left of wanted.slice(proofs.length)) add(notPossible(left, error.message));
      }
    }
  } finally {
    await chain.close();
  }
  return proofs;
}

function notPossible(migration: Migration, reason: string): VersionProof {
  return {
    version: migration.version?.text ?? '',
    description: migration.description,
    grade: 'not-possible',
    reason,
    changes: [],
    rows: [],
    left: [],
    again: [],
    steps: [],
    durationMs: 0,
  };
}

/** A scratch database that grows migration by migration, and is made anew where a proof has left it other than it should be. */
class Chain {
  readonly #project: Project;
  readonly #place: ScratchPlace;
  readonly #table: QualifiedName;
  readonly #applied: Migration[] = [];
  #session: Session | undefined;

  constructor(project: Project, place: ScratchPlace) {
    this.#project = project;
    this.#place = place;
    this.#table = project.toolbox.history.tableName(project.config.flyway, 'public');
  }

  async apply(migration: Migration): Promise<void> {
    await this.#run(await this.#open(), [migration]);
    this.#applied.push(migration);
  }

  async prove(migration: Migration, signal: AbortSignal | undefined): Promise<VersionProof> {
    const session = await this.#open();
    const proof = await proveVersion({ project: this.#project, session, table: this.#table, migration, signal });
    this.#applied.push(migration);
    // What a rollback left behind must not be there when the next version is proven.
    if (proof.grade !== 'exact' || proof.again.length > 0 || proof.left.length > 0) await this.close();
    return proof;
  }

  async close(): Promise<void> {
    await this.#session?.close();
    this.#session = undefined;
  }

  async #open(): Promise<Session> {
    if (this.#session !== undefined) return this.#session;
    const session = await this.#place.open();
    try {
      await this.#run(session, this.#applied);
    } catch (error) {
      await session.close();
      throw error;
    }
    this.#session = session;
    return session;
  }

  async #run(session: Session, migrations: readonly Migration[]): Promise<void> {
    const { toolbox, config } = this.#project;
    await applyMigrations({ session, toolbox, settings: config.flyway, table: this.#table, migrations });
  }
}
