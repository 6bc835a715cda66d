import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { readPendingActions } from '../../../../../adapters/databases/postgresql/pending-actions.js';
import { connect, loadProjectConfig } from '../../../../../src/compose/open-project.js';
import { startCrashable, type CrashableServer } from '../../../../harness/crashable-server.js';
import { forEachMajor, runOn } from '../../../../harness/postgres.js';

/* What a person still has to do after ALTER SYSTEM, on servers that really run with one value and will start with another. */

forEachMajor(({ major }) => {
  let server: CrashableServer;

  beforeAll(async () => {
    server = await startCrashable(major);
    await runOn(server.url, 'CREATE ROLE clerk LOGIN');
    await change('ALTER SYSTEM SET max_connections = 90');
    await restart();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    await change('ALTER SYSTEM RESET ALL', 'ALTER SYSTEM SET max_connections = 90', 'SELECT pg_reload_conf()');
  });

  const restart = async (): Promise<void> => {
    await server.crash();
    await server.restart();
  };

  async function change(...statements: readonly string[]): Promise<void> {
    for (const statement of statements) await runOn(server.url, statement);
  }

  /** Runs the statements, as a script does, and asks what is left to do. */
  async function leftBy(statements: readonly string[], user = 'postgres'): Promise<readonly string[]> {
    await change(...statements);
    return askedAs(user, statements);
  }

  async function askedAs(user: string, statements: readonly string[]): Promise<readonly string[]> {
    const url = server.url.replace('//postgres@', `//${user}@`);
    const session = await connect(await loadProjectConfig({ folder: '/', flags: { url, user }, environment: {} }));
    try {
      return await readPendingActions(session, statements);
    } finally {
      await session.close();
    }
  }

  const reload = 'SELECT pg_reload_conf()';

  it('names a restart for a setting that the server will start with another value of, and none once it has', async () => {
    const statements = ['ALTER SYSTEM SET max_connections = 80', reload];
    const sentence = 'max_connections takes effect only after a restart of the server.';
    expect(await leftBy(statements)).toEqual([sentence]);
    await restart();
    expect(await askedAs('postgres', statements)).toEqual([]);
    await change('ALTER SYSTEM SET max_connections = 90');
    await restart();
  });

  it('names none for a setting that the server runs with already', async () => {
    expect(await leftBy(['ALTER SYSTEM SET max_connections = 90', reload])).toEqual([]);
  });

  it('names one for a setting that was taken out of the file', async () => {
    expect(await leftBy(['ALTER SYSTEM RESET max_connections', reload])).toEqual([
      'max_connections takes effect only after a restart of the server.',
    ]);
  });

  it('names none for a setting that was set and taken out before the server ever ran with it', async () => {
    expect(
      await leftBy(['ALTER SYSTEM SET max_wal_senders = 7', 'ALTER SYSTEM RESET max_wal_senders', reload]),
    ).toEqual([]);
  });

  it('names a reload for the others, unless the script has asked for it behind them', async () => {
    expect(await leftBy(["ALTER SYSTEM SET work_mem = '5MB'"])).toEqual([
      'work_mem takes effect after a reload: SELECT pg_reload_conf();',
    ]);
    expect(await leftBy([reload, "ALTER SYSTEM SET work_mem = '5MB'"])).toHaveLength(1);
    expect(await leftBy(["ALTER SYSTEM SET work_mem = '5MB'", reload])).toEqual([]);
  });

  it('tells several of both kinds in a sentence each', async () => {
    expect(
      await leftBy([
        'ALTER SYSTEM SET max_worker_processes = 9',
        'ALTER SYSTEM SET max_connections = 80',
        "ALTER SYSTEM SET work_mem = '5MB'",
        'alter system reset maintenance_work_mem',
      ]),
    ).toEqual([
      'max_connections and max_worker_processes take effect only after a restart of the server.',
      'work_mem and maintenance_work_mem take effect after a reload: SELECT pg_reload_conf();',
    ]);
  });

  it('finds what RESET ALL leaves for a restart', async () => {
    expect(await leftBy(['ALTER SYSTEM RESET ALL', reload])).toEqual([
      'max_connections takes effect only after a restart of the server.',
    ]);
    expect(await leftBy(['ALTER SYSTEM RESET ALL'])).toHaveLength(2);
  });

  // The launcher of the test servers gives shared_buffers on the command line.
  it('says of a setting on the command line that nothing else counts, whatever is restarted', async () => {
    const statements = ["ALTER SYSTEM SET shared_buffers = '80MB'", reload];
    const sentence = "shared_buffers is set on the server's command line, which ALTER SYSTEM does not change.";
    expect(await leftBy(statements)).toEqual([sentence]);
    await restart();
    expect(await askedAs('postgres', statements)).toEqual([sentence]);
  });

  it('goes by the kind of the setting where the role may not read the files', async () => {
    const statements = ['ALTER SYSTEM SET max_connections = 90', "ALTER SYSTEM SET work_mem = '5MB'", reload];
    await change(...statements);
    expect(await askedAs('clerk', statements)).toEqual([
      'max_connections takes effect only after a restart of the server.',
    ]);
    expect(await askedAs('clerk', ['ALTER SYSTEM RESET ALL', reload])).toEqual([
      'Some settings that ALTER SYSTEM RESET ALL put back may need a restart of the server.',
    ]);
  });

  it('has nothing to say of statements that set nothing', async () => {
    expect(await askedAs('postgres', ['DROP TABLE IF EXISTS alter_system', reload])).toEqual([]);
  });
});
