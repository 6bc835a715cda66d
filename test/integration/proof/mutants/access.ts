import { set, type Property, type Subject } from './subject.js';

const table = 'CREATE TABLE app.t (a int, b int)';

function policy(definition: string): string {
  return `CREATE POLICY x ON app.t ${definition}`;
}

function policyAs(what: string, definition: string): Property {
  return set(
    what,
    `DROP POLICY x ON app.t; ${policy(definition)}`,
    `DROP POLICY x ON app.t; ${policy('USING (a > 0)')}`,
  );
}

/** Default privileges for new objects of one kind. */
function byDefault(objects: string, privilege: string, schema = 'IN SCHEMA app '): Subject {
  const change = (verb: string): string => `ALTER DEFAULT PRIVILEGES FOR ROLE app_maker ${schema}${verb}`;
  return {
    kind: 'default privileges',
    name: `of app_maker${schema === '' ? '' : ' in app'} on ${objects.toLowerCase()}`,
    needs: 'CREATE ROLE app_maker',
    create: change(`GRANT ${privilege} ON ${objects} TO mutant_reader`),
    drop: change(`REVOKE ${privilege} ON ${objects} FROM mutant_reader`),
    properties: [
      set(
        'grant option',
        change(`GRANT ${privilege} ON ${objects} TO mutant_reader WITH GRANT OPTION`),
        change(`REVOKE GRANT OPTION FOR ${privilege} ON ${objects} FROM mutant_reader`),
      ),
    ],
  };
}

export function onDatabase(statement: string): string {
  return `DO $do$ BEGIN EXECUTE format('ALTER DATABASE %I ${statement.replaceAll(`'`, `''`)}', current_database()); END $do$`;
}

function role(what: string, on: string, off: string): Property {
  return set(what, `ALTER ROLE app_role ${on}`, `ALTER ROLE app_role ${off}`);
}

export const access: readonly Subject[] = [
  {
    kind: 'policy',
    name: 'x on app.t',
    needs: table,
    create: policy('USING (a > 0)'),
    drop: 'DROP POLICY x ON app.t',
    comment: ['POLICY x ON app.t', 'policy x on app.t'],
    properties: [
      policyAs('expression', 'USING (a > 1)'),
      policyAs('check', 'USING (a > 0) WITH CHECK (b > 0)'),
      policyAs('command', 'FOR SELECT USING (a > 0)'),
      policyAs('role', 'TO mutant_reader USING (a > 0)'),
      policyAs('roles', 'TO mutant_reader, mutant_writer USING (a > 0)'),
      policyAs('restrictive', 'AS RESTRICTIVE USING (a > 0)'),
      set('roles altered', 'ALTER POLICY x ON app.t TO mutant_writer', 'ALTER POLICY x ON app.t TO PUBLIC'),
    ],
  },
  {
    kind: 'table',
    name: 'app.t',
    create: table,
    drop: 'DROP TABLE app.t',
    properties: [
      set(
        'several privileges',
        'GRANT SELECT, UPDATE ON app.t TO mutant_reader, mutant_writer',
        'REVOKE ALL ON app.t FROM mutant_reader, mutant_writer',
      ),
      set('truncation', 'GRANT TRUNCATE ON app.t TO mutant_writer', 'REVOKE TRUNCATE ON app.t FROM mutant_writer'),
    ],
  },
  byDefault('TABLES', 'SELECT'),
  byDefault('SEQUENCES', 'USAGE'),
  byDefault('FUNCTIONS', 'EXECUTE'),
  byDefault('TYPES', 'USAGE'),
  byDefault('SCHEMAS', 'USAGE', ''),
  byDefault('TABLES', 'INSERT', ''),
  { ...byDefault('LARGE OBJECTS', 'SELECT', ''), from: 18 },
  {
    kind: 'role',
    name: 'app_role',
    create: `CREATE ROLE app_role VALID UNTIL '2040-01-01 00:00+00'`,
    drop: 'DROP ROLE app_role',
    comment: ['ROLE app_role', 'role app_role'],
    properties: [
      role('superuser', 'SUPERUSER', 'NOSUPERUSER'),
      role('login', 'LOGIN', 'NOLOGIN'),
      role('inheritance', 'NOINHERIT', 'INHERIT'),
      role('creating roles', 'CREATEROLE', 'NOCREATEROLE'),
      role('creating databases', 'CREATEDB', 'NOCREATEDB'),
      role('replication', 'REPLICATION', 'NOREPLICATION'),
      role('bypassing row security', 'BYPASSRLS', 'NOBYPASSRLS'),
      role('end', `VALID UNTIL '2030-01-01 00:00+00'`, `VALID UNTIL '2040-01-01 00:00+00'`),
      role('connection limit', 'CONNECTION LIMIT 5', 'CONNECTION LIMIT -1'),
      set('membership', 'GRANT mutant_reader TO app_role', 'REVOKE mutant_reader FROM app_role'),
      set(
        'membership with admin',
        'GRANT mutant_reader TO app_role WITH ADMIN OPTION',
        'REVOKE mutant_reader FROM app_role',
      ),
      set(
        'membership without inheritance',
        'GRANT mutant_reader TO app_role WITH INHERIT FALSE',
        'REVOKE mutant_reader FROM app_role',
        { from: 16 },
      ),
      set('setting', `ALTER ROLE app_role SET work_mem = '5MB'`, 'ALTER ROLE app_role RESET work_mem', {
        named: 'setting work_mem of role app_role',
      }),
    ],
  },
  {
    kind: 'setting',
    name: 'app.colour of the database',
    create: onDatabase(`SET app.colour = 'red'`),
    drop: onDatabase('RESET app.colour'),
    properties: [set('value', onDatabase(`SET app.colour = 'blue'`), onDatabase(`SET app.colour = 'red'`))],
  },
  {
    kind: 'setting',
    name: 'app.colour of role mutant_reader in the database',
    create: `DO $do$ BEGIN EXECUTE format('ALTER ROLE mutant_reader IN DATABASE %I SET app.colour = red', current_database()); END $do$`,
    drop: `DO $do$ BEGIN EXECUTE format('ALTER ROLE mutant_reader IN DATABASE %I RESET app.colour', current_database()); END $do$`,
  },
  {
    kind: 'large object',
    name: 'LOID',
    create: 'SELECT lo_create(LOID)',
    drop: 'SELECT lo_unlink(LOID)',
    owner: 'LARGE OBJECT LOID',
    grant: ['SELECT', 'LARGE OBJECT LOID'],
    comment: ['LARGE OBJECT LOID', 'large object LOID'],
  },
];

function labelled(what: string, catalog: string, id: string, part = 0): Property {
  const row = `objoid = ${id} AND classoid = '${catalog}'::regclass AND objsubid = ${part}`;
  return set(
    what,
    `INSERT INTO pg_seclabel (objoid, classoid, objsubid, provider, label) VALUES (${id}, '${catalog}'::regclass, ${part}, 'mutant', 'secret')`,
    `DELETE FROM pg_seclabel WHERE ${row}`,
  );
}

/** What a membership allows; older servers know nothing but admin. */
export const memberships: readonly Subject[] = [
  {
    kind: 'role',
    name: 'app_member',
    create: 'CREATE ROLE app_member; GRANT mutant_reader TO app_member',
    drop: 'DROP ROLE app_member',
    properties: [
      set(
        'inheritance of a membership',
        'GRANT mutant_reader TO app_member WITH INHERIT FALSE',
        'GRANT mutant_reader TO app_member WITH INHERIT TRUE',
        { from: 16 },
      ),
      set(
        'setting the role of a membership',
        'GRANT mutant_reader TO app_member WITH SET FALSE',
        'GRANT mutant_reader TO app_member WITH SET TRUE',
        { from: 16 },
      ),
      set(
        'administration of a membership',
        'GRANT mutant_reader TO app_member WITH ADMIN OPTION',
        'REVOKE ADMIN OPTION FOR mutant_reader FROM app_member',
      ),
    ],
  },
];

/** Providers of security labels are modules; what one would write is written by hand. */
export const labels: readonly Subject[] = [
  ['table app.t', labelled('of a table', 'pg_class', `'app.t'::regclass`)] as const,
  ['table column app.t.b', labelled('of a column', 'pg_class', `'app.t'::regclass`, 2)] as const,
  ['function app.f()', labelled('of a function', 'pg_proc', `'app.f()'::regprocedure`)] as const,
].map(([named, { set: create, unset: drop }]) => ({
  kind: 'security label',
  name: `mutant on ${named}`,
  needs: `${table}; CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
  create,
  drop,
  properties: [
    set(
      'label',
      `UPDATE pg_seclabel SET label = 'public' WHERE objoid IN ('app.t'::regclass, 'app.f'::regproc)`,
      `UPDATE pg_seclabel SET label = 'secret' WHERE objoid IN ('app.t'::regclass, 'app.f'::regproc)`,
    ),
  ],
}));

const tag = `objoid = 'app_tagged'::regrole AND classoid = 'pg_authid'::regclass`;

/** Of what belongs to the whole server. */
export const sharedLabels: readonly Subject[] = [
  {
    kind: 'security label',
    name: 'mutant on role app_tagged',
    needs: 'CREATE ROLE app_tagged',
    create: `INSERT INTO pg_shseclabel (objoid, classoid, provider, label) VALUES ('app_tagged'::regrole, 'pg_authid'::regclass, 'mutant', 'secret')`,
    drop: `DELETE FROM pg_shseclabel WHERE ${tag}`,
    properties: [
      set(
        'label',
        `UPDATE pg_shseclabel SET label = 'public' WHERE ${tag}`,
        `UPDATE pg_shseclabel SET label = 'secret' WHERE ${tag}`,
      ),
    ],
  },
];

/** What carries no name of its own. */
export const alone: readonly Subject[] = [
  {
    kind: 'extension',
    name: 'pgcrypto',
    create: 'CREATE EXTENSION pgcrypto',
    drop: 'DROP EXTENSION pgcrypto',
    properties: [
      set('schema', 'ALTER EXTENSION pgcrypto SET SCHEMA app', 'ALTER EXTENSION pgcrypto SET SCHEMA public'),
      set(
        'comment',
        `COMMENT ON EXTENSION pgcrypto IS 'words'`,
        `COMMENT ON EXTENSION pgcrypto IS 'cryptographic functions'`,
        { changes: 'comment on extension pgcrypto' },
      ),
    ],
    alone: true,
  },
];
