import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { postgresqlChecks } from '../../adapters/databases/postgresql/server-checks.js';
import { diagnoseProject, type DiagnoseOptions } from '../../src/compose/diagnose-project.js';
import { areas, catalogue, type AreaCheck, type Diagnosis } from '../../src/doctor/check.js';
import type { JournalBegun } from '../../src/journal/journal.js';
import { historyEntry } from '../harness/history-values.js';
import { createDatabase, forEachMajor, newestServer, runOn, type TestDatabase } from '../harness/postgres.js';
import { createProject, snapshot, takeBack, type TestProject, type VersionFiles } from '../harness/project.js';

/* Each check says yes in one set-up and no in another; where a run can tell, the run is asked whether the check was right. */

async function diagnose(project: TestProject, options: DiagnoseOptions = {}): Promise<Diagnosis> {
  return diagnoseProject({ folder: project.folder, environment: {}, ...options });
}

async function checkOf(project: TestProject, name: string, options: DiagnoseOptions = {}): Promise<AreaCheck> {
  const { checks } = await diagnose(project, options);
  const found = checks.find(({ check }) => check === name);
  if (found === undefined) throw new Error(`There is no check ${name}.`);
  return found;
}

const problemsOf = ({ checks }: Diagnosis): readonly string[] =>
  checks.filter(({ result }) => result === 'problem').map(({ check }) => check);

const first: VersionFiles = { version: '1', up: 'CREATE TABLE t1 (id int PRIMARY KEY)', down: 'DROP TABLE t1;' };

/** A database of the suite's own, emptied before each test, and roles that go with it. */
function useDatabase(serverUrl: string): {
  readonly database: () => TestDatabase;
  /** A login role of this suite's own. */
  readonly role: string;
  /** The project as this role sees it. */
  readonly as: (versions?: readonly VersionFiles[], flyback?: string) => Promise<TestProject>;
  readonly project: () => TestProject;
} {
  let database: TestDatabase;
  let project: TestProject;
  const others: TestProject[] = [];
  const role = `doctor_${randomUUID().slice(0, 8)}`;
  const owner = `${role}_owner`;
  beforeAll(async () => {
    database = await createDatabase(serverUrl);
    await runOn(
      serverUrl,
      `CREATE ROLE ${owner}; CREATE ROLE ${role} LOGIN PASSWORD 'see-no-evil'; GRANT CREATE ON DATABASE "${database.name}" TO ${role}`,
    );
  });
  beforeEach(async () => {
    await runOn(
      database.url,
      `DROP SCHEMA IF EXISTS app CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO ${role}, ${owner}`,
    );
    project = await createProject({ database });
  });
  afterEach(async () => {
    await project.remove();
    for (const other of others.splice(0)) await other.remove();
  });
  afterAll(async () => {
    await database.drop();
    await runOn(serverUrl, `DROP ROLE ${role}; DROP ROLE ${owner}`);
  });
  return {
    database: () => database,
    role,
    project: () => project,
    as: async (versions = [first], flyback = '') => {
      const connection = { url: database.jdbcUrl, user: role, password: 'see-no-evil' };
      const other = await createProject({ database, versions, connection, flyback });
      others.push(other);
      return other;
    },
  };
}

const usual = (role: string): string => `GRANT SELECT, DELETE ON flyway_schema_history TO ${role}`;

forEachMajor((server) => {
  const { database, role, as, project } = useDatabase(server.url);
  const owner = `${role}_owner`;

  test('a healthy project has no problem, every check has its line, and nothing was changed', async () => {
    await project().apply([first, { version: '2', up: 'CREATE TABLE t2 (id int)', down: 'DROP TABLE t2;' }]);
    const before = await snapshot(database());
    const { checks, counts } = await diagnose(project());
    expect(checks.map(({ check }) => check)).toEqual(
      areas.flatMap((area) => catalogue[area]).filter((name) => !postgresqlChecks.without.has(name)),
    );
    expect(checks.filter(({ result }) => result === 'problem' || result === 'not-checked')).toEqual([]);
    expect(counts.ok).toBeGreaterThan(30);
    expect(await snapshot(database())).toBe(before);
    expect((await takeBack(project(), { target: { kind: 'all' } })).failure).toBeUndefined();
  });

  test('a role with what it needs and nothing more has no problem, and can roll back', async () => {
    await project().apply([first]);
    await runOn(database().url, `${usual(role)}; ALTER TABLE t1 OWNER TO ${role}`);
    const lesser = await as();
    const diagnosis = await diagnose(lesser);
    expect(problemsOf(diagnosis)).toEqual([]);
    const warnings = diagnosis.checks.filter(({ result }) => result === 'warning').map(({ check }) => check);
    expect(warnings).toEqual(expect.arrayContaining(['replica-mode', 'other-sessions', 'cancel-blockers']));
    expect((await takeBack(lesser)).failure).toBeUndefined();
  });

  test('a role without rights: the history cannot be read, the files are checked all the same', async () => {
    await project().apply([first]);
    const { checks } = await diagnose(await as());
    const result = (name: string): string => `${name} ${checks.find(({ check }) => check === name)?.result ?? ''}`;
    expect(checks.find(({ check }) => check === 'history')).toMatchObject({
      result: 'problem',
      hint: expect.stringContaining('GRANT SELECT') as unknown,
    });
    expect(checks.find(({ check }) => check === 'history-rights')).toMatchObject({
      result: 'problem',
      message: expect.stringContaining('lacks SELECT, DELETE') as unknown,
    });
    expect(['rollback-scripts', 'coverage', 'object-rights', 'tool-lock', 'clock'].map(result)).toEqual([
      'rollback-scripts ok',
      'coverage not-checked',
      'object-rights not-checked',
      'tool-lock ok',
      'clock ok',
    ]);
  });

  describe('rights on the objects of a script', () => {
    // What the script does, and the objects whose owner decides.
    const cases: readonly (readonly [string, string, string, readonly string[]])[] = [
      ['drops a table', 'CREATE TABLE t (id int)', 'DROP TABLE t;', ['TABLE t']],
      ['drops an index', 'CREATE TABLE t (id int); CREATE INDEX i ON t (id)', 'DROP INDEX i;', ['TABLE t']],
      ['drops a column', 'CREATE TABLE t (id int, a int)', 'ALTER TABLE t DROP COLUMN a;', ['TABLE t']],
      [
        'drops a constraint',
        'CREATE TABLE t (id int CONSTRAINT c CHECK (id > 0))',
        'ALTER TABLE t DROP CONSTRAINT c;',
        ['TABLE t'],
      ],
      ['adds a column', 'CREATE TABLE t (id int)', 'ALTER TABLE t ADD COLUMN a int;', ['TABLE t']],
      ['creates an index', 'CREATE TABLE t (id int)', 'CREATE INDEX i ON t (id);', ['TABLE t']],
      ['drops a view', 'CREATE VIEW v AS SELECT 1 AS a', 'DROP VIEW v;', ['VIEW v']],
      ['replaces a view', 'CREATE VIEW v AS SELECT 1 AS a', 'CREATE OR REPLACE VIEW v AS SELECT 2 AS a;', ['VIEW v']],
      [
        'drops a function by its signature',
        'CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$; CREATE FUNCTION f(text) RETURNS int LANGUAGE sql AS $$ SELECT 2 $$',
        'DROP FUNCTION f(int);',
        ['FUNCTION f(int)'],
      ],
      [
        'drops a function by its name',
        'CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
        'DROP FUNCTION f;',
        ['FUNCTION f(int)'],
      ],
      ['drops a type', `CREATE TYPE mood AS ENUM ('glad')`, 'DROP TYPE mood;', ['TYPE mood']],
      ['adds an enum value', `CREATE TYPE mood AS ENUM ('glad')`, `ALTER TYPE mood ADD VALUE 'sad';`, ['TYPE mood']],
      [
        'drops a domain',
        'CREATE DOMAIN positive AS int CHECK (VALUE > 0)',
        'DROP DOMAIN positive;',
        ['DOMAIN positive'],
      ],
      ['drops a sequence', 'CREATE SEQUENCE s', 'DROP SEQUENCE s;', ['SEQUENCE s']],
      [
        'drops a trigger',
        'CREATE TABLE t (id int); CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
        'DROP TRIGGER g ON t;',
        ['TABLE t'],
      ],
      ['drops a policy', 'CREATE TABLE t (id int); CREATE POLICY p ON t', 'DROP POLICY p ON t;', ['TABLE t']],
      ['comments on a column', 'CREATE TABLE t (id int)', `COMMENT ON COLUMN t.id IS 'x';`, ['TABLE t']],
      ['renames a table', 'CREATE TABLE t (id int)', 'ALTER TABLE t RENAME TO u;', ['TABLE t']],
      ['drops a schema', 'CREATE SCHEMA app; CREATE TABLE app.t (id int)', 'DROP SCHEMA app CASCADE;', ['SCHEMA app']],
      [
        'refreshes a materialized view',
        'CREATE MATERIALIZED VIEW m AS SELECT 1 AS a',
        'REFRESH MATERIALIZED VIEW m;',
        ['MATERIALIZED VIEW m'],
      ],
    ];

    test.each(cases)('%s: no without them, yes with them, and the server agrees', async (_name, up, down, owned) => {
      await project().apply([{ version: '1', up, down }]);
      await runOn(database().url, usual(role));
      const lesser = await as([{ version: '1', up, down }]);
      const refused = await checkOf(lesser, 'object-rights');
      expect(refused).toMatchObject({ result: 'problem', hint: expect.stringContaining('postgres') as unknown });
      expect((await takeBack(lesser, { mode: 'dry-run' })).failure).toMatchObject({ serverCode: '42501' });
      for (const object of owned) await runOn(database().url, `ALTER ${object} OWNER TO ${role}`);
      expect(await checkOf(lesser, 'object-rights')).toMatchObject({ result: 'ok' });
      expect((await takeBack(lesser, { mode: 'dry-run' })).failure).toBeUndefined();
    });

    test.each([
      ['INSERT', 'INSERT INTO t VALUES (1);'],
      ['UPDATE', 'UPDATE t SET id = 2;'],
      ['DELETE', 'DELETE FROM t;'],
      ['TRUNCATE', 'TRUNCATE t;'],
    ])('%s of rows needs its privilege', async (privilege, down) => {
      const versions = [{ version: '1', up: 'CREATE TABLE t (id int)', down }];
      await project().apply(versions);
      await runOn(database().url, usual(role));
      const lesser = await as(versions);
      expect(await checkOf(lesser, 'object-rights')).toMatchObject({
        result: 'problem',
        details: [`lacks ${privilege} on table t, which belongs to ${database().user} (version 1)`],
      });
      expect((await takeBack(lesser, { mode: 'dry-run' })).failure).toMatchObject({ serverCode: '42501' });
      await runOn(database().url, `GRANT ${privilege} ON t TO ${role}`);
      expect(await checkOf(lesser, 'object-rights')).toMatchObject({ result: 'ok' });
      expect((await takeBack(lesser, { mode: 'dry-run' })).failure).toBeUndefined();
    });

    test('a trigger that has to be switched off needs the owner of its table', async () => {
      const up =
        'CREATE TABLE t (id int); CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()';
      const versions = [{ version: '1', up, down: 'DELETE FROM t;' }];
      await project().apply(versions);
      await runOn(database().url, `${usual(role)}; GRANT ALL ON t TO ${role}`);
      const lesser = await as(versions);
      expect(await checkOf(lesser, 'object-rights')).toMatchObject({
        result: 'problem',
        details: [expect.stringContaining('to switch the triggers of table t') as unknown],
      });
      expect((await takeBack(lesser, { mode: 'dry-run' })).failure).toMatchObject({ serverCode: '42501' });
      await runOn(database().url, 'DROP TRIGGER g ON t');
      expect(await checkOf(lesser, 'object-rights')).toMatchObject({ result: 'ok' });
      expect((await takeBack(lesser, { mode: 'dry-run' })).failure).toBeUndefined();
    });

    test('whoever belongs to the owner is as good; whoever only may become the owner is told so', async () => {
      await project().apply([first]);
      await runOn(database().url, `${usual(role)}; ALTER TABLE t1 OWNER TO ${owner}; GRANT ${owner} TO ${role}`);
      const lesser = await as();
      expect(await checkOf(lesser, 'object-rights')).toMatchObject({ result: 'ok' });
      const inherit =
        server.major >= 16 ? `GRANT ${owner} TO ${role} WITH INHERIT FALSE` : `ALTER ROLE ${role} NOINHERIT`;
      await runOn(database().url, inherit);
      expect(await checkOf(lesser, 'object-rights')).toMatchObject({
        result: 'problem',
        hint: expect.stringContaining('SET ROLE') as unknown,
      });
      await runOn(database().url, `REVOKE ${owner} FROM ${role}; ALTER ROLE ${role} INHERIT`);
      expect(await checkOf(lesser, 'object-rights')).toMatchObject({
        result: 'problem',
        hint: expect.stringContaining(`GRANT "${owner}"`) as unknown,
      });
    });

    test('the owner of a schema may drop what others own in it, not alter it', async () => {
      const up = 'CREATE SCHEMA app; CREATE TABLE app.t (id int)';
      for (const [down, isAllowed] of [
        ['DROP TABLE app.t;', true],
        ['ALTER TABLE app.t ADD COLUMN a int;', false],
      ] as const) {
        await runOn(database().url, 'DROP SCHEMA IF EXISTS app CASCADE; DROP TABLE IF EXISTS flyway_schema_history');
        await project().apply([{ version: '1', up, down }]);
        await runOn(database().url, `${usual(role)}; ALTER SCHEMA app OWNER TO ${role}`);
        const lesser = await as([{ version: '1', up, down }]);
        expect(await checkOf(lesser, 'object-rights')).toMatchObject({ result: isAllowed ? 'ok' : 'problem' });
        expect((await takeBack(lesser, { mode: 'dry-run' })).failure?.serverCode).toBe(isAllowed ? undefined : '42501');
      }
    });

    test('objects that are not there, and scripts of versions that are not applied, do not count', async () => {
      await project().apply([{ version: '1', up: 'SELECT 1', down: 'DROP TABLE IF EXISTS gone;' }]);
      await runOn(database().url, `${usual(role)}; CREATE TABLE t1 (id int)`);
      const lesser = await as([
        { version: '1', up: 'SELECT 1', down: 'DROP TABLE IF EXISTS gone;' },
        { version: '2', up: 'SELECT 2', down: 'DROP TABLE t1;' },
      ]);
      expect(await checkOf(lesser, 'object-rights')).toMatchObject({ result: 'ok' });
    });
  });

  test('session_replication_role: a warning without the right, a problem when asked for, and how to grant it', async () => {
    await project().apply([first]);
    await runOn(database().url, `${usual(role)}; ALTER TABLE t1 OWNER TO ${role}`);
    const lesser = await as();
    expect(await checkOf(lesser, 'replica-mode')).toMatchObject({ result: 'warning' });
    expect(await checkOf(lesser, 'replica-mode', { flags: { triggers: 'keep' } })).toMatchObject({ result: 'ok' });
    const asked = await checkOf(lesser, 'replica-mode', { flags: { triggers: 'replica' } });
    expect(asked.result).toBe('problem');
    if (server.major < 15) return;
    const grant = /GRANT .*;/.exec(asked.hint ?? '')?.[0] ?? '';
    await runOn(database().url, grant);
    expect(await checkOf(lesser, 'replica-mode')).toMatchObject({ result: 'ok' });
    await runOn(database().url, grant.replace('GRANT', 'REVOKE').replace(' TO ', ' FROM '));
  });

  test('sessions of others: who wrote the history, and whether they show', async () => {
    await project().apply([first]);
    await runOn(database().url, `${usual(role)}; ALTER TABLE t1 OWNER TO ${role}`);
    const lesser = await as();
    expect(await checkOf(lesser, 'other-sessions')).toMatchObject({
      result: 'warning',
      message: expect.stringContaining(`the queries of ${database().user}`) as unknown,
    });
    await runOn(database().url, `UPDATE flyway_schema_history SET installed_by = '${role}'`);
    expect(await checkOf(lesser, 'other-sessions')).toMatchObject({ result: 'ok' });
    await runOn(
      database().url,
      `UPDATE flyway_schema_history SET installed_by = 'nobody'; GRANT pg_read_all_stats, pg_signal_backend TO ${role}`,
    );
    expect(await checkOf(lesser, 'other-sessions')).toMatchObject({ result: 'ok' });
    expect(await checkOf(lesser, 'cancel-blockers')).toMatchObject({ result: 'ok' });
    await runOn(database().url, `REVOKE pg_read_all_stats, pg_signal_backend FROM ${role}`);
    expect(await checkOf(lesser, 'other-sessions')).toMatchObject({ result: 'warning' });
    expect(await checkOf(lesser, 'cancel-blockers')).toMatchObject({ result: 'warning' });
  });

  test('sessions of others show nothing where the server does not track what they do', async () => {
    await project().apply([first]);
    expect(await checkOf(project(), 'other-sessions')).toMatchObject({ result: 'ok' });
    await runOn(database().url, `ALTER DATABASE ${database().name} SET track_activities = off`);
    expect(await checkOf(project(), 'other-sessions')).toMatchObject({
      result: 'warning',
      hint: expect.stringContaining(`ALTER DATABASE "${database().name}" SET track_activities = on`) as unknown,
    });
    await runOn(database().url, `ALTER DATABASE ${database().name} RESET track_activities`);
    expect(await checkOf(project(), 'other-sessions')).toMatchObject({ result: 'ok' });
  });

  test('row-level security on the history hides rows', async () => {
    await project().apply([first]);
    await runOn(database().url, `${usual(role)}; ALTER TABLE t1 OWNER TO ${role}`);
    const lesser = await as();
    expect(await checkOf(lesser, 'history-rights')).toMatchObject({ result: 'ok' });
    await runOn(database().url, 'ALTER TABLE flyway_schema_history ENABLE ROW LEVEL SECURITY');
    expect(await checkOf(lesser, 'history-rights')).toMatchObject({
      result: 'problem',
      message: expect.stringContaining('Row-level security') as unknown,
    });
  });

  test('the record of another role: reading and writing it is not enough, it has to be locked too', async () => {
    const versions = [first, { version: '2', up: 'SELECT 2', down: 'DO $$ BEGIN END $$;' }];
    await project().apply(versions);
    await takeBack(project());
    await runOn(database().url, `${usual(role)}; ALTER TABLE t1 OWNER TO ${role}`);
    const lesser = await as(versions);
    const grants = [
      ['SELECT, INSERT', 'problem'],
      ['UPDATE', 'ok'],
    ] as const;
    expect(await checkOf(lesser, 'record-rights')).toMatchObject({
      result: 'problem',
      message: expect.stringContaining('lacks SELECT, INSERT') as unknown,
    });
    for (const [grant, result] of grants) {
      await runOn(database().url, `GRANT ${grant} ON flyback_record TO ${role}`);
      const check = await checkOf(lesser, 'record-rights');
      expect(check.result).toBe(result);
      const { failure } = await takeBack(lesser);
      if (result === 'problem') {
        expect(check.message).toContain('may not lock');
        expect(failure).toMatchObject({
          code: 'privilege-missing',
          hint: expect.stringContaining('UPDATE') as unknown,
        });
      } else {
        expect(failure).toBeUndefined();
      }
    }
  });

  test('no record yet, and no right to make one', async () => {
    await project().apply([first]);
    await runOn(
      database().url,
      `${usual(role)}; ALTER TABLE t1 OWNER TO ${role}; REVOKE CREATE ON SCHEMA public FROM ${role}`,
    );
    const lesser = await as();
    expect(await checkOf(lesser, 'record-rights')).toMatchObject({
      result: 'problem',
      message: expect.stringContaining('may not create public.flyback_record') as unknown,
    });
    await runOn(database().url, `GRANT CREATE ON SCHEMA public TO ${role}`);
    expect(await checkOf(lesser, 'record-rights')).toMatchObject({ result: 'ok' });
  });

  test('ALTER SYSTEM needs a right of its own, which 14 cannot grant', async () => {
    const versions = [{ version: '1', up: 'SELECT 1', down: 'ALTER SYSTEM RESET work_mem;' }];
    await project().apply(versions);
    await runOn(database().url, `GRANT SELECT, DELETE, UPDATE ON flyway_schema_history TO ${role}`);
    const lesser = await as(versions);
    const alone = new URL(database().url);
    alone.username = role;
    alone.password = 'see-no-evil';
    const tried = (): Promise<string> =>
      runOn(alone.href, 'ALTER SYSTEM RESET work_mem').then(
        () => 'ok',
        () => 'problem',
      );
    const check = await checkOf(lesser, 'server-settings');
    expect(check.result).toBe('problem');
    expect(await tried()).toBe('problem');
    expect(await checkOf(project(), 'server-settings')).toMatchObject({ result: 'ok' });
    if (server.major < 15) return;
    const grant = /GRANT .*;/.exec(check.hint ?? '')?.[0] ?? '';
    await runOn(database().url, grant);
    expect(await checkOf(lesser, 'server-settings')).toMatchObject({ result: 'ok' });
    expect(await tried()).toBe('ok');
    await runOn(database().url, grant.replace('GRANT', 'REVOKE').replace(' TO ', ' FROM '));
    expect(await checkOf(lesser, 'server-settings')).toMatchObject({ result: 'problem' });
  });

  test('timeouts of the role that would end a rollback', async () => {
    await project().apply([first]);
    await runOn(database().url, usual(role));
    const lesser = await as();
    expect(await checkOf(lesser, 'timeouts')).toMatchObject({ result: 'ok' });
    const settings = [
      ['statement_timeout', '30s', /statement_timeout is 30s/],
      ['idle_in_transaction_session_timeout', '2s', /idle_in_transaction_session_timeout is 2000 ms/],
      ['idle_session_timeout', '2s', /idle_session_timeout is 2000 ms/],
      ...(server.major >= 17 ? ([['transaction_timeout', '1min', /transaction_timeout is 60000 ms/]] as const) : []),
    ] as const;
    for (const [name, value, words] of settings) {
      await runOn(database().url, `ALTER ROLE ${role} SET ${name} = '${value}'`);
      expect(await checkOf(lesser, 'timeouts')).toMatchObject({
        result: 'warning',
        message: expect.stringMatching(words) as unknown,
      });
      if (name === 'statement_timeout') {
        expect(await checkOf(lesser, 'timeouts', { flags: { statementTimeout: '1h' } })).toMatchObject({
          result: 'ok',
        });
      }
      await runOn(database().url, `ALTER ROLE ${role} RESET ${name}`);
    }
    await runOn(database().url, `ALTER ROLE ${role} SET idle_in_transaction_session_timeout = '10min'`);
    expect(await checkOf(lesser, 'timeouts')).toMatchObject({ result: 'ok' });
    await runOn(database().url, `ALTER ROLE ${role} RESET idle_in_transaction_session_timeout`);
  });

  test('a role whose transactions are read-only', async () => {
    await project().apply([first]);
    await runOn(database().url, usual(role));
    const lesser = await as();
    expect(await checkOf(lesser, 'writable')).toMatchObject({ result: 'ok' });
    await runOn(database().url, `ALTER ROLE ${role} SET default_transaction_read_only = on`);
    expect(await checkOf(lesser, 'writable')).toMatchObject({ result: 'problem' });
    await runOn(database().url, `ALTER ROLE ${role} RESET default_transaction_read_only`);
  });

  test('event triggers: silent in replica mode, firing when enabled for it or when triggers are kept', async () => {
    await project().apply([first]);
    expect(await checkOf(project(), 'event-triggers')).toMatchObject({ result: 'ok' });
    await runOn(
      database().url,
      `CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$; CREATE EVENT TRIGGER watch_drops ON sql_drop EXECUTE FUNCTION note()`,
    );
    try {
      expect(await checkOf(project(), 'event-triggers')).toMatchObject({
        result: 'warning',
        details: ['watch_drops on sql_drop: does not fire'],
      });
      expect(await checkOf(project(), 'event-triggers', { flags: { triggers: 'keep' } })).toMatchObject({
        details: ['watch_drops on sql_drop: fires'],
      });
      await runOn(database().url, 'ALTER EVENT TRIGGER watch_drops ENABLE ALWAYS');
      expect(await checkOf(project(), 'event-triggers')).toMatchObject({ details: ['watch_drops on sql_drop: fires'] });
      await runOn(database().url, 'ALTER EVENT TRIGGER watch_drops DISABLE');
      expect(await checkOf(project(), 'event-triggers')).toMatchObject({ result: 'ok' });
    } finally {
      await runOn(database().url, 'DROP EVENT TRIGGER watch_drops');
    }
  });

  test('triggers of written tables that a rollback silences', async () => {
    const up = `CREATE TABLE t (id int); CREATE TABLE audit (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (TG_OP); RETURN NULL; END $$;
CREATE TRIGGER audited AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note()`;
    const down = 'INSERT INTO t VALUES (1);';
    await project().apply([{ version: '1', up, down }]);
    expect(await checkOf(project(), 'triggers')).toMatchObject({
      result: 'warning',
      details: ['audited of t: does not fire'],
    });
    expect(await checkOf(project(), 'triggers', { flags: { triggers: 'keep' } })).toMatchObject({ result: 'ok' });
    await runOn(database().url, 'ALTER TABLE t ENABLE ALWAYS TRIGGER audited');
    expect(await checkOf(project(), 'triggers')).toMatchObject({ result: 'ok' });
    await runOn(database().url, 'ALTER TABLE t ENABLE REPLICA TRIGGER audited');
    expect(await checkOf(project(), 'triggers')).toMatchObject({ result: 'warning', details: ['audited of t: fires'] });
    expect((await takeBack(project())).failure).toBeUndefined();
    expect(await runOn(database().url, 'SELECT what FROM audit')).toEqual([{ what: 'INSERT' }]);
  });

  test('CASCADE that sweeps more than the script names', async () => {
    await project().apply([{ version: '1', up: 'CREATE TABLE t (id int)', down: 'DROP TABLE t CASCADE;' }]);
    expect(await checkOf(project(), 'cascade')).toMatchObject({ result: 'ok' });
    await runOn(database().url, 'CREATE VIEW v AS SELECT * FROM t');
    expect(await checkOf(project(), 'cascade')).toMatchObject({
      result: 'warning',
      details: ['version 1, line 1: view v'],
    });
  });
});

describe('history, record and journal', () => {
  const { database, project } = useDatabase(newestServer().url);

  test('no history: the files are checked, what hangs on it is not', async () => {
    await project().write(first);
    const { checks } = await diagnose(project());
    expect(checks.find(({ check }) => check === 'history')).toMatchObject({
      result: 'problem',
      message: expect.stringContaining('does not exist') as unknown,
    });
    const reasons = checks.filter(({ result }) => result === 'not-checked').map(({ check }) => check);
    expect(reasons).toEqual(expect.arrayContaining(['coverage', 'object-rights', 'history-writer', 'journal']));
    expect(checks.find(({ check }) => check === 'rollback-scripts')).toMatchObject({ result: 'ok' });
  });

  test('a history that somebody has locked is not waited for, and the tool lock tells by whom', async () => {
    await project().apply([first]);
    expect(await checkOf(project(), 'tool-lock')).toMatchObject({ result: 'ok' });
    const other = new pg.Client({ connectionString: database().url, application_name: 'night-shift' });
    await other.connect();
    try {
      const key = '77433833903597';
      await other.query(
        `BEGIN; SELECT pg_advisory_xact_lock(${key}); LOCK TABLE flyway_schema_history IN ACCESS EXCLUSIVE MODE`,
      );
      const { checks } = await diagnose(project());
      expect(checks.find(({ check }) => check === 'history')).toMatchObject({ result: 'problem' });
      expect(checks.find(({ check }) => check === 'tool-lock')).toMatchObject({
        result: 'warning',
        message: expect.stringContaining('night-shift') as unknown,
      });
    } finally {
      await other.end();
    }
  });

  test('rows of a paid edition', async () => {
    await project().apply([first]);
    expect(await checkOf(project(), 'history-writer')).toMatchObject({ result: 'ok' });
    await runOn(
      database().url,
      `INSERT INTO flyway_schema_history VALUES (2, '1', 'step', 'UNDO_SQL', 'U1__step.sql', NULL, 'x', now(), 1, true)`,
    );
    expect(await checkOf(project(), 'history-writer')).toMatchObject({ result: 'warning' });
    expect(await checkOf(project(), 'history')).toMatchObject({ result: 'warning' });
  });

  test('a record that was tampered with', async () => {
    await project().apply([first]);
    expect((await checkOf(project(), 'record')).message).toContain('no record');
    expect((await takeBack(project())).failure).toBeUndefined();
    expect(await checkOf(project(), 'record')).toMatchObject({
      result: 'ok',
      message: expect.stringContaining('1 entry') as unknown,
    });
    await runOn(
      database().url,
      `ALTER TABLE flyback_record DISABLE TRIGGER append_only; UPDATE flyback_record SET entry = replace(entry, 'committed', 'dry-run')`,
    );
    expect(await checkOf(project(), 'record')).toMatchObject({ result: 'problem' });
  });

  test('a rollback that was left half-way', async () => {
    await project().apply([first]);
    expect(await checkOf(project(), 'journal')).toMatchObject({ result: 'ok' });
    const begun: Partial<JournalBegun> = {
      event: 'begun',
      format: 1,
      at: '2026-01-01T00:00:00Z',
      version: '1',
      who: { databaseUser: 'x', systemUser: 'kim', host: 'bastion' },
      statements: ['a', 'b'],
      historyRow: historyEntry(1, '1'),
    };
    await runOn(
      database().url,
      `CREATE TABLE flyback_record_journal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run text NOT NULL, entry text NOT NULL);
INSERT INTO flyback_record_journal (run, entry) VALUES ('r', '${JSON.stringify(begun)}')`,
    );
    expect(await checkOf(project(), 'journal')).toMatchObject({
      result: 'problem',
      message: expect.stringMatching(/Version 1 is partly rolled back.*kim on bastion/) as unknown,
      hint: expect.stringContaining('flyback resume') as unknown,
    });
  });
});

describe('the way to the server', () => {
  const { database, project } = useDatabase(newestServer().url);

  test('without a connection the files are checked, the error is one of the checks, and the exit code is 1', async () => {
    await project().write(first);
    const unreachable = `jdbc:postgresql://127.0.0.1:1/${database().name}`;
    const { code, stdout } = await project().run(['doctor', '--json', '--url', unreachable]);
    const diagnosis = JSON.parse(stdout) as Diagnosis;
    expect(code).toBe(1);
    expect(problemsOf(diagnosis)).toEqual(['connection']);
    expect(diagnosis.checks.find(({ check }) => check === 'connection')).toMatchObject({
      message: expect.stringContaining('127.0.0.1:1') as unknown,
      hint: expect.stringContaining('Nothing listens there') as unknown,
    });
    expect(diagnosis.checks.filter(({ area, result }) => area === 'files' && result === 'ok')).toHaveLength(3);
    expect(diagnosis.checks.filter(({ area, result }) => area === 'role' && result !== 'not-checked')).toEqual([]);
  });

  test('a configuration that cannot be used is the only thing that was checked', async () => {
    await fs.writeFile(path.join(project().folder, 'flyback.toml'), 'rollback = "x"\n');
    const diagnosis = await diagnose(project());
    expect(problemsOf(diagnosis)).toEqual(['configuration']);
    expect(diagnosis.counts['not-checked']).toBe(diagnosis.checks.length - 1);
    expect(diagnosis.checks[0]?.message).toContain('rollback');
  });

  test('the report on the screen, exit code 0, no secret', async () => {
    await project().apply([first]);
    const { code, stdout } = await project().run(['doctor'], { FLYBACK_PASSWORD: 'correct-horse' });
    expect(stdout).toMatch(/^ {2}ok {7}connection +postgresql \d+/m);
    expect(stdout).toMatch(/\n0 problems, \d+ warnings?, \d+ ok\n$/);
    expect(code).toBe(0);
    expect(stdout).not.toContain('correct-horse');
  });

  test('a clock that is off', async () => {
    await project().apply([first]);
    expect(await checkOf(project(), 'clock')).toMatchObject({ result: 'ok' });
    const late = (): Date => new Date(Date.now() - 5 * 60_000);
    expect(await checkOf(project(), 'clock', { now: late })).toMatchObject({
      result: 'warning',
      message: expect.stringMatching(/(?:299|300|301) s ahead/) as unknown,
    });
  });
});

describe('files', () => {
  const { project } = useDatabase(newestServer().url);

  async function writeRollback(name: string, text: string): Promise<void> {
    await fs.writeFile(path.join(project().folder, 'rollbacks', name), text);
  }

  const verified = '\nSELECT count(*) FROM t1;\n-- expect: 0\n';

  test.each<readonly [check: string, down: string, result: string]>([
    ['server-setting-in-transaction', 'BEGIN;\nALTER SYSTEM SET work_mem = 64;\nCOMMIT;', 'warning'],
    ['server-setting-in-transaction', '-- flyback: transaction on\nVACUUM t1;', 'problem'],
    ['server-setting-in-transaction', 'ALTER SYSTEM SET work_mem = 64;', 'ok'],
    ['history-row-by-text', `DROP TABLE t1;\nDELETE FROM flyway_schema_history WHERE version = '001';`, 'warning'],
    ['history-row-by-text', `DROP TABLE t1;\nDELETE FROM flyway_schema_history WHERE version = '2';`, 'problem'],
    ['history-row-by-text', `DROP TABLE t1;\nDELETE FROM flyway_schema_history WHERE version = '1';`, 'ok'],
    ['verification-after-commit', `BEGIN;\nDELETE FROM t1;\nCOMMIT;${verified}`, 'ok'],
    ['verification-after-commit', `BEGIN;\nDELETE FROM t1;\nCOMMIT;\nDROP TABLE t1;`, 'problem'],
    ['verification-of-dropped-table', `DROP TABLE t1;${verified}`, 'warning'],
    ['verification-of-dropped-table', `DELETE FROM t1;${verified}`, 'ok'],
    ['script-without-effect', '-- drop the table here\n', 'problem'],
    ['script-without-effect', 'DROP TABLE t1;', 'ok'],
    ['backup-of-rows-only', 'CREATE TABLE b AS SELECT * FROM t1;\nDROP TABLE t1;', 'warning'],
    [
      'backup-of-rows-only',
      'CREATE TABLE b (LIKE t1 INCLUDING ALL);\nINSERT INTO b SELECT * FROM t1;\nDROP TABLE t1;',
      'ok',
    ],
    ['rollback-scripts', 'DROP TABEL t1;', 'problem'],
    ['rollback-scripts', 'DROP TABLE t1;', 'ok'],
    ['coverage', '-- flyback: stub\n', 'warning'],
    ['coverage', 'DROP TABLE t1;', 'ok'],
  ])('%s of %j: %s', async (check, down, result) => {
    await project().apply([{ ...first, down }]);
    expect((await checkOf(project(), check)).result).toBe(result);
  });

  test('a verification of the dropped table fails the run, as the check foretells', async () => {
    await project().apply([{ ...first, down: `DROP TABLE t1;${verified}` }]);
    expect((await takeBack(project())).failure).toMatchObject({ code: 'verification-failed', serverCode: '42P01' });
  });

  test('a verification behind COMMIT is told, and that it runs before', async () => {
    await project().apply([{ ...first, down: `BEGIN;\nDELETE FROM t1;\nCOMMIT;${verified}` }]);
    const check = await checkOf(project(), 'verification-after-commit');
    expect(check.message).toContain('1 statement behind COMMIT');
    expect(check.details?.[0]).toContain('flyback runs it before its own commit');
  });

  test('names and places', async () => {
    await project().apply([first]);
    expect(await checkOf(project(), 'rollbacks-folder')).toMatchObject({ result: 'ok' });
    await writeRollback('R__forgotten.sql', 'SELECT 1;');
    expect(await checkOf(project(), 'rollbacks-folder')).toMatchObject({ result: 'problem' });
    await fs.rm(path.join(project().folder, 'rollbacks', 'R__forgotten.sql'));
    await writeRollback('rollback_v1.sql', 'SELECT 1;');
    expect(await checkOf(project(), 'rollbacks-folder')).toMatchObject({ result: 'warning' });
    await fs.rm(path.join(project().folder, 'rollbacks', 'rollback_v1.sql'));
    expect(
      await checkOf(project(), 'rollbacks-folder', { flags: { rollbacks: path.join(project().folder, 'migrations') } }),
    ).toMatchObject({
      result: 'problem',
      details: expect.arrayContaining([expect.stringContaining('rollbacks-folder-scanned')]) as unknown,
    });
  });

  test('migration files that do not fit the history', async () => {
    await project().apply([first]);
    expect(await checkOf(project(), 'migrations')).toMatchObject({ result: 'ok' });
    await project().write({ ...first, up: 'CREATE TABLE t1 (id bigint)' });
    expect(await checkOf(project(), 'migrations')).toMatchObject({
      result: 'problem',
      details: [expect.stringContaining('migration-edited') as unknown],
    });
  });

  test('shell scripts beside the rollbacks', async () => {
    await project().apply([first]);
    expect(await checkOf(project(), 'version-forced')).toMatchObject({ result: 'ok' });
    expect(await checkOf(project(), 'plain-dump-listed')).toMatchObject({ result: 'ok' });
    await fs.writeFile(
      path.join(project().folder, 'rollback.sh'),
      'pg_dump app > backup.sql\npg_restore --list backup.sql\nmigrate -path db -database "$URL" force 1\n',
    );
    expect(await checkOf(project(), 'version-forced')).toMatchObject({ result: 'warning' });
    expect(await checkOf(project(), 'plain-dump-listed')).toMatchObject({ result: 'warning' });
  });
});
