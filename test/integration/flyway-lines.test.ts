import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { flyway, forEachFlyway, type Flyway } from '../harness/flyway/flyway.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../harness/postgres.js';

/* What flyback counts on in every line of Flyway, and where the lines differ. */

forEachFlyway('What flyback counts on', (major) => {
  let folder: string;
  let database: TestDatabase;

  beforeAll(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-flyway-'));
    database = await createDatabase(newestServer().url);
  });
  afterAll(async () => {
    await database.drop();
    await fs.rm(folder, { recursive: true });
  });

  const fresh = async (files: Readonly<Record<string, string>>): Promise<void> => {
    await fs.rm(folder, { recursive: true });
    await fs.mkdir(folder);
    for (const [name, text] of Object.entries(files)) await fs.writeFile(path.join(folder, name), text);
    await runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  };
  const open = (config: Readonly<Record<string, string>> = {}): Flyway =>
    flyway({ database, locations: [folder], config }, major);

  // 'xact': held by a transaction on a connection beside the one that migrates; 'session': by the one that migrates.
  test.each<[string, Readonly<Record<string, string>>, 'xact' | 'session']>([
    ['by default', {}, 'xact'],
    ['with transactional.lock=true', { 'postgresql.transactional.lock': 'true' }, 'xact'],
    ['with transactional.lock=false', { 'postgresql.transactional.lock': 'false' }, 'session'],
  ])('the lock that migrate takes %s', async (_when, config, kind) => {
    await fresh({ 'V1__sleep.sql': 'SELECT pg_sleep(0.5);\n' });
    const migrated = open(config).migrate();
    const holders = await until(() =>
      runOn(
        database.url,
        `SELECT l.pid, a.query LIKE '%pg_sleep%' AS migrates, l.classid::bigint << 32 | l.objid::bigint AS key
 FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND a.datname = current_database()
 AND EXISTS (SELECT FROM pg_stat_activity s WHERE s.datname = a.datname AND s.query LIKE 'SELECT pg_sleep%')`,
      ),
    );
    expect(holders).toMatchObject([{ key: '77433833903597', migrates: kind === 'session' }]);
    expect(await migrated).toMatchObject({ migrationsExecuted: 1 });
  });

  test('what a failed migration without a transaction leaves depends on the lock', async () => {
    for (const [lock, rows] of [
      ['true', []],
      ['false', [{ version: '1', success: false }]],
    ] as const) {
      await fresh({ 'V1__drop.sql': 'DROP INDEX CONCURRENTLY missing;\n' });
      const tool = open({ 'postgresql.transactional.lock': lock });
      await expect(tool.migrate()).rejects.toThrow('does not exist');
      expect(await runOn(database.url, 'SELECT version, success FROM flyway_schema_history')).toEqual(rows);
    }
    await expect(open().migrate()).rejects.toThrow('Detected failed migration to version 1');
    const unchecked = open({ validateOnMigrate: 'false' });
    await expect(unchecked.migrate()).rejects.toThrow('contains a failed migration to version 1');
    expect(await open().repair()).toMatchObject({ removed: ['1'] });
    expect(await runOn(database.url, 'SELECT FROM flyway_schema_history')).toEqual([]);
  });

  test('rows of a type that it does not know stop it, in words of its own', async () => {
    await fresh({ 'V1__a.sql': 'SELECT 1;\n', 'V2__b.sql': 'SELECT 1;\n' });
    await open().migrate();
    const setType = (type: string): Promise<unknown> =>
      runOn(database.url, `UPDATE flyway_schema_history SET type = '${type}' WHERE installed_rank = 2`);
    for (const type of ['UNDO_SQL', 'SURPRISE']) {
      await setType(type);
      const words = major < 12 ? `No enum constant org.flywaydb.core.api.CoreMigrationType.${type}` : `'${type}' found`;
      for (const command of ['info', 'validate', 'migrate'] as const)
        await expect(open()[command]()).rejects.toThrow(words);
    }
    // The newer ones know the name, and nothing of what it means: the version still counts as applied.
    await setType('UNDO_SCRIPT');
    expect((await open().info()).map(({ version, type }) => `${version ?? ''} ${type}`)).toContain('2 UNDO_SCRIPT');
    await setType('SPRING_JDBC');
    expect((await open().info()).map(({ version, type }) => `${version ?? ''} ${type}`)).toContain('2 JDBC');
  });
});

/** Asks until there are rows. */
async function until(ask: () => ReturnType<typeof runOn>): ReturnType<typeof runOn> {
  let rows = await ask();
  while (rows.length === 0) rows = await ask();
  return rows;
}
