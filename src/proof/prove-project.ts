import { FlybackError } from '../errors/error.js';
import type { Migration } from '../history/migration.js';
import type { Project } from '../project/project.js';
import { notSql } from '../scratch/apply-program.js';
import type { VersionProof } from './proof.js';
import { ProofDatabases } from './proof-databases.js';
import { unproven } from './prove-version.js';
import { WalkingDatabases } from './walking-databases.js';
import type { ScratchPlace } from './scratch-place.js';
import { throwIfCancelled } from './throw-if-cancelled.js';

export type { ScratchPlace } from './scratch-place.js';

export interface ProveOptions {
  /** Keys of the versions to prove; undefined: every one that has a migration file and a usable rollback script. */
  readonly versions?: ReadonlySet<string> | undefined;
  /**
   * quickly: what is as it was is found out by looking only at what was touched, everything else by looking at everything.
   * thoroughly: everything is looked at for each version. Default: quickly.
   */
  readonly way?: 'quickly' | 'thoroughly' | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called when the proof is cancelled, with the versions that were proven by then, if what they rest upon holds. */
  readonly onInterrupted?: ((proofs: readonly VersionProof[]) => void) | undefined;
  /** Called again from the first version on when everything has to be proven anew, thoroughly. */
  readonly onProof?: ((proof: VersionProof, done: number, of: number) => void) | undefined;
}

/**
 * Proves versions in the order in which they are applied, each from a database in which the versions below it are applied
 * and nothing is left of earlier proofs. Versions without a rollback script are applied and left out. When a migration
 * does not run in the scratch database, or is a program, nothing above it can be proven there: those versions are `not-possible`.
 */
export async function proveProject(
  project: Project,
  place: ScratchPlace,
  options: ProveOptions = {},
): Promise<readonly VersionProof[]> {
  const { versions } = project.toolbox.history;
  const versioned = project.migrations.migrations
    .filter(({ kind }) => kind === 'versioned')
    .sort((a, b) => (a.version === undefined || b.version === undefined ? 0 : versions.compare(a.version, b.version)));
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
  const databases =
    project.toolbox.database.dialect.ddl === 'commits'
      ? new WalkingDatabases(project, place, options.signal)
      : new ProofDatabases(project, place, options.way ?? 'quickly', options.signal);
  try {
    for (const migration of versioned) {
      if (proofs.length === wanted.length) break;
      throwIfCancelled(options.signal);
      try {
        if (!migration.isSql && project.functions === undefined) throw notSql(migration, project.toolbox);
        if (isWanted(migration)) {
          const proof = await databases.prove(migration);
          if (proof.grade === 'not-possible') throw new FlybackError('script-failed', proof.reason ?? '');
          add(proof);
        } else await databases.apply(migration);
      } catch (error) {
        throwIfCancelled(options.signal);
        if (!(error instanceof FlybackError) || error.code !== 'script-failed') throw error;
        for (const left of wanted.slice(proofs.length)) add(unproven(left, 'not-possible', error.message));
      }
    }
    if (await databases.isAsKnown()) return proofs;
  } catch (error) {
    if (
      error instanceof FlybackError &&
      error.code === 'cancelled' &&
      (await databases.isAsKnown().catch(() => false))
    ) {
      options.onInterrupted?.(proofs);
    }
    throw error;
  } finally {
    await databases.close();
  }
  // What was thought to be known is not what is there: then nothing that was found out that way counts.
  return proveProject(project, place, { ...options, way: 'thoroughly' });
}
