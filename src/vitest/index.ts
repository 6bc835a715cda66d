import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect, loadProjectConfig, toolbox } from '../compose/open-project.js';
import { startScratchServer, type ScratchServer } from '../compose/scratch-server.js';
import type { Session } from '../adapter/database.js';
import type { Config } from '../config/config.js';
import { readProject } from '../project/read-project.js';
import { planRollback } from '../plan/plan-rollback.js';
import { rollback } from '../run/rollback.js';
import { applyMigrations, inOrder } from '../scratch/apply-migrations.js';

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
}

/**
 * Defines tests, one for each version of a project: its migration is applied, taken back by its rollback script
 * (verified, in replica mode, as on production), and applied again. Call it at the top level of a vitest file:
 *
 *   import { testRollbacks } from 'flyback/vitest';
 *   await testRollbacks({ folder: new URL('..', import.meta.url).pathname });
 *
 * What it does not do is compare the schema before and after.
 */
export async function testRollbacks(options: RollbackTestOptions): Promise<void> {
  const configured = await loadProjectConfig(open(options, options.url));
  const loaded = await toolbox.history.loadMigrations(configured.flyway);
  const versions = inOrder(loaded.migrations, toolbox).filter((migration) => migration.kind === 'versioned');

  describe('rollbacks', () => {
    let server: ScratchServer | undefined;
    let session: Session;
    let config: Config;

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
        const apply = async (): Promise<void> => {
          await applyMigrations({
            session,
            toolbox,
            settings: config.flyway,
            table: toolbox.history.tableName(config.flyway, session.facts.currentSchema),
            migrations: [migration],
          });
        };
        await apply();
        const project = await readProject(config, toolbox, session, new Date());
        const built = await planRollback(project, { target: { kind: 'steps', steps: 1 }, estimates: 'leave-out' });
        const result = await rollback(project, built, { reason: 'test' });
        if (result.failure !== undefined) throw result.failure;
        await apply();
      });
    }
  });
}

function open(options: RollbackTestOptions, url: string | undefined): Parameters<typeof loadProjectConfig>[0] {
  return { folder: options.folder, flags: url === undefined ? {} : { url }, environment: options.environment ?? {} };
}
