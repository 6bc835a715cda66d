import { expect, test } from 'vitest';
import { createDatabase, forEachMajor, runOn } from '../../harness/postgres.js';

forEachMajor((server) => {
  test('the server is of the major version that it is listed under', async () => {
    const [row] = await runOn(server.url, 'SHOW server_version_num');
    expect(Math.floor(Number(row?.['server_version_num']) / 10_000)).toBe(server.major);
  });

  test('a test database is separate, in UTF-8, and gone after drop, even with a connection open', async () => {
    const database = await createDatabase(server.url);
    await runOn(database.url, 'CREATE TABLE only_here (id int)');
    const [encoding] = await runOn(database.url, 'SHOW server_encoding');
    expect(encoding).toEqual({ server_encoding: 'UTF8' });
    const elsewhere = await runOn(server.url, "SELECT to_regclass('only_here') AS found");
    expect(elsewhere).toEqual([{ found: null }]);
    const open = runOn(database.url, 'SELECT pg_sleep(60)').catch((error: unknown) => error);
    const busy = `SELECT 1 FROM pg_stat_activity WHERE datname = '${database.name}' AND state = 'active'`;
    await expect.poll(() => runOn(server.url, busy), { timeout: 10_000 }).toHaveLength(1);
    await database.drop();
    expect(await open).toBeInstanceOf(Error);
    await expect(runOn(database.url, 'SELECT 1')).rejects.toThrow(/does not exist/);
  });
});
