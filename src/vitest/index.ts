import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect, loadProjectConfig, toolboxFor } from '../compose/open-project.js';
import { startScratchServer, type ScratchServer } from '../compose/scratch-server.js';
import type { Session } from '../adapter/database.js';
import type { Config } from '../config/config.js';
import { readProjectFiles } from '../project/read-project.js';
import type { Project } from '../project/project.js';
import { differenceText } from '../proof/difference-text.js';
import type { Grade } from '../proof/grade.js';
import { proveVersion } from '../proof/prove-version.js';
import { inOrder } from '../scratch/apply-migrations.js';

export interface RollbackTestOptions {
  /** The project's folder, with flyway.toml or flyback.toml. */
  readonly folder: string;
  /**
   * An empty database that may be written to. Undefined: an embedded PostgreSQL is started for the tests. Never a
   * database that anyone needs.
   */
  readonly url?: string | undefined;
  /** Given to the configuration instead of process.env, so that no production URL is picked up by accident. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /**
   * Grades that pass. Default: exact and column-order, because a column that was dropped and added again stands last
   * whatever the script does.
   */
  readonly accept?: readonly Grade[] | undefined;
}

const acceptedByDefault: readonly Grade[] = ['exact', 'column-order', 'loss-declared'];

/**
 * Defines tests, one for each version of a project: its migration is applied, taken back by its rollback script
 * (verified, in replica mode, as on production), the catalog and the rows are compared with what was there before, and it is
 * applied again. Versions without a rollback script fail. Call it at the top level of a vitest file:
 *
 *   import { testRollbacks } from 'flyback/vitest';
 *   await testRollbacks({ folder: new URL('..', import.meta.url).pathname });
 *
 * Rows are compared as far as there are any: a table that no migration fills says nothing about what a rollback loses.
 */
export async function testRollbacks(options: RollbackTestOptions): Promise<void> {
  const configured = await loadProjectConfig(open(options, options.url));
  const toolbox = toolboxFor(configured);
  const loaded = await toolbox.history.loadMigrations(configured.tool);
  const versions = inOrder(loaded.migrations, toolbox).filter((migration) => migration.kind === 'versioned');

  describe('rollbacks', () => {
    let server: ScratchServer | undefined;
    let session: Session;
    let config: Config;
    let project: Project | undefined;

    beforeAll(async () => {
      server = options.url === undefined ? await startScratchServer() : undefined;
      config = await loadProjectConfig(open(options, options.url ?? server?.url));
      session = await connect(config);
    }, 60_000);

    afterAll(async () => {
      await session.close();
      await server?.stop();
    });

    test('the project has migrations to test', () => {
      expect(versions.length).toBeGreaterThan(0);
    });

    for (const migration of versions) {
      test(`version ${migration.version?.text ?? ''} (${migration.description}) can be taken back and applied again`, async () => {
        const table = toolbox.history.tableName(config.tool, session.facts.currentSchema);
        project ??= await readProjectFiles(config, toolbox, new Date());
        const proof = await proveVersion({ project, session, table, migration });
        if ((options.accept ?? acceptedByDefault).includes(proof.grade)) return;
        expect.fail(`${proof.grade}: ${proof.reason ?? ''}\n${await differenceText(proof)}`);
      });
    }
  });
}

function open(options: RollbackTestOptions, url: string | undefined): Parameters<typeof loadProjectConfig>[0] {
  return { folder: options.folder, flags: url === undefined ? {} : { url }, environment: options.environment ?? {} };
}
