import * as fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { embeddedPackageName, findEmbeddedPackage } from '../../../adapters/databases/postgresql/embedded-binaries.js';
import { createDatabase, forEachMajor, runOn, type TestDatabase } from '../../harness/postgres.js';
import { createProject, storedVersions, type TestProject, type VersionFiles } from '../../harness/project.js';
import { findBinaries } from '../../harness/servers.js';

/* Receipts made on one major, rollbacks on another: by the built command, from the proof to the target. */

const versions: readonly VersionFiles[] = [
  { version: '1', up: 'CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL)', down: 'DROP TABLE users;' },
  { version: '2', up: 'CREATE INDEX users_name ON users (name)', down: 'DROP INDEX users_name;' },
];

interface Ran {
  readonly code: number | string;
  readonly outcome?: string;
  readonly error?: { readonly code: string };
}

forEachMajor((server) => {
  describe.each([14, 18])(`on ${server.major}, proven on %i`, (provenOn) => {
    const isSame = provenOn === server.major;
    let database: TestDatabase;
    let project: TestProject;

    beforeAll(async () => {
      database = await createDatabase(server.url);
      project = await createProject({ database, versions });
      const installed = path.join(project.folder, 'node_modules', embeddedPackageName());
      await fs.mkdir(path.dirname(installed), { recursive: true });
      await fs.symlink((await findBinaries(provenOn)) ?? findEmbeddedPackage(), installed, 'junction');
      const proven = await project.run(['prove']);
      expect(proven.stderr).toContain(`PostgreSQL ${provenOn}.`);
      expect(proven.code, proven.stderr).toBe(0);
    });
    afterAll(async () => {
      await project.remove();
      await database.drop();
    });
    beforeEach(async () => {
      await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
      await project.apply(versions);
      // Somebody was there at night.
      await runOn(database.url, 'CREATE INDEX by_hand ON users (name, id)');
    });

    const rollback = async (...flags: readonly string[]): Promise<Ran> => {
      const { code, stdout } = await project.run(['rollback', '--yes', '--steps', '1', '--json', ...flags]);
      return { ...(JSON.parse(stdout) as object), code };
    };

    test('what somebody added is drift where it can be compared; else it is said that nobody looked', async () => {
      const { stdout: plan } = await project.run(['plan', '--steps', '1', '--drift', 'stop']);
      const isSaid = plan.includes(`its proof was made on PostgreSQL ${provenOn}, and this is ${server.major}`);
      expect(isSaid).toBe(!isSame);
      const ran = await rollback('--drift', 'stop');
      if (isSame) {
        expect(ran).toMatchObject({ code: 1, error: { code: 'drift-found' } });
        expect(await storedVersions(database)).toEqual(['1', '2']);
        return;
      }
      expect(ran).toMatchObject({ code: 0, outcome: 'committed' });
      expect(JSON.stringify(ran)).not.toContain('drift-before');
      expect(await storedVersions(database)).toEqual(['1']);
    });

    test('with sameMajor a proof of another major counts for nothing', async () => {
      const ran = await rollback('--drift', 'warn', '--same-major', 'true', '--require-proof', 'stop');
      expect(ran).toMatchObject(
        isSame ? { code: 0, outcome: 'committed' } : { code: 1, error: { code: 'proof-missing' } },
      );
      expect(await storedVersions(database)).toEqual(isSame ? ['1'] : ['1', '2']);
      const { stdout } = await project.run(['status', '--same-major', 'true']);
      expect(stdout.includes('stale')).toBe(!isSame);
    });

    test('without it the proof counts, and tells where it was made', async () => {
      const ran = await rollback('--drift', 'warn', '--require-proof', 'stop');
      expect(ran).toMatchObject({ code: 0, outcome: 'committed' });
      expect(JSON.stringify(ran).includes('drift-before')).toBe(isSame);
      const { stdout } = await project.run(['status']);
      expect(stdout.includes(`exact (on ${provenOn})`)).toBe(!isSame);
    });
  });
});
