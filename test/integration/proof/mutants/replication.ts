import { set, type Property, type Subject } from './subject.js';

const tables = 'CREATE TABLE app.t (id int PRIMARY KEY, b int); CREATE TABLE app.u (id int PRIMARY KEY)';

function publication(what: string, on: string, off: string, extra: { named?: string; from?: number } = {}): Property {
  return set(what, `ALTER PUBLICATION app_news ${on}`, `ALTER PUBLICATION app_news ${off}`, extra);
}

function subscription(what: string, on: string, off: string, from?: number): Property {
  return set(
    what,
    `ALTER SUBSCRIPTION app_sub ${on}`,
    `ALTER SUBSCRIPTION app_sub ${off}`,
    from === undefined ? {} : { from },
  );
}

const foreign = 'CREATE FOREIGN DATA WRAPPER app_far';
const server = 'CREATE SERVER app_there FOREIGN DATA WRAPPER app_far';

function serverAs(what: string, more: string): Property {
  return set(
    what,
    `DROP SERVER app_there; ${server.replace('FOREIGN', `${more} FOREIGN`)}`,
    `DROP SERVER app_there; ${server}`,
  );
}

export const replication: readonly Subject[] = [
  {
    kind: 'publication',
    name: 'app_news',
    needs: tables,
    create: 'CREATE PUBLICATION app_news FOR TABLE app.t',
    drop: 'DROP PUBLICATION app_news',
    owner: 'PUBLICATION app_news',
    comment: ['PUBLICATION app_news', 'publication app_news'],
    properties: [
      publication(
        'what it publishes',
        `SET (publish = 'insert')`,
        `SET (publish = 'insert, update, delete, truncate')`,
      ),
      publication('root', 'SET (publish_via_partition_root)', 'SET (publish_via_partition_root = false)'),
      publication(
        'generated columns',
        'SET (publish_generated_columns = stored)',
        'SET (publish_generated_columns = none)',
        { from: 18 },
      ),
      publication('table', 'ADD TABLE app.u', 'DROP TABLE app.u', { named: 'publication table app.u in app_news' }),
      publication('schema', 'ADD TABLES IN SCHEMA app', 'DROP TABLES IN SCHEMA app', {
        named: 'publication schema app in app_news',
        from: 15,
      }),
    ],
  },
  {
    kind: 'publication table',
    name: 'app.t in app_news',
    needs: `${tables}; CREATE PUBLICATION app_news FOR TABLE app.u`,
    create: 'ALTER PUBLICATION app_news ADD TABLE app.t',
    drop: 'ALTER PUBLICATION app_news DROP TABLE app.t',
    properties: [
      publication('row filter', 'SET TABLE app.u, app.t WHERE (id > 5)', 'SET TABLE app.u, app.t', { from: 15 }),
      publication('columns', 'SET TABLE app.u, app.t (id)', 'SET TABLE app.u, app.t', { from: 15 }),
    ],
  },
  {
    kind: 'publication',
    name: 'app_all',
    create: 'CREATE PUBLICATION app_all',
    drop: 'DROP PUBLICATION app_all',
    properties: [
      set(
        'all tables',
        'DROP PUBLICATION app_all; CREATE PUBLICATION app_all FOR ALL TABLES',
        'DROP PUBLICATION app_all; CREATE PUBLICATION app_all',
      ),
    ],
  },
  {
    kind: 'subscription',
    name: 'app_sub',
    create: `CREATE SUBSCRIPTION app_sub CONNECTION 'host=nowhere' PUBLICATION news WITH (connect = false, slot_name = NONE, streaming = off)`,
    drop: 'DROP SUBSCRIPTION app_sub',
    comment: ['SUBSCRIPTION app_sub', 'subscription app_sub'],
    properties: [
      // Until PostgreSQL 15 nobody but a superuser may own one.
      subscription('owner', 'OWNER TO mutant_super', 'OWNER TO CURRENT_USER'),
      subscription(
        'publications',
        'SET PUBLICATION news, more WITH (refresh = false)',
        'SET PUBLICATION news WITH (refresh = false)',
      ),
      subscription('binary', 'SET (binary = true)', 'SET (binary = false)'),
      subscription('streaming', 'SET (streaming = on)', 'SET (streaming = off)'),
      subscription('synchronous commit', `SET (synchronous_commit = 'local')`, `SET (synchronous_commit = 'off')`),
      subscription('disabled on error', 'SET (disable_on_error = true)', 'SET (disable_on_error = false)', 15),
      subscription('origin', 'SET (origin = none)', 'SET (origin = any)', 16),
      subscription('run as its owner', 'SET (run_as_owner = true)', 'SET (run_as_owner = false)', 16),
      subscription('password', 'SET (password_required = false)', 'SET (password_required = true)', 16),
    ],
  },
  {
    kind: 'foreign data wrapper',
    name: 'app_far',
    // Nobody calls it here: what counts is that it is named.
    needs: `CREATE FUNCTION app.far_handler() RETURNS fdw_handler LANGUAGE internal AS 'bthandler'`,
    create: foreign,
    drop: 'DROP FOREIGN DATA WRAPPER app_far',
    grant: ['USAGE', 'FOREIGN DATA WRAPPER app_far'],
    comment: ['FOREIGN DATA WRAPPER app_far', 'foreign-data wrapper app_far'],
    properties: [
      set(
        'options',
        `ALTER FOREIGN DATA WRAPPER app_far OPTIONS (ADD debug 'true')`,
        'ALTER FOREIGN DATA WRAPPER app_far OPTIONS (DROP debug)',
      ),
      set(
        'validator',
        'ALTER FOREIGN DATA WRAPPER app_far VALIDATOR postgresql_fdw_validator',
        'ALTER FOREIGN DATA WRAPPER app_far NO VALIDATOR',
      ),
      set(
        'handler',
        'ALTER FOREIGN DATA WRAPPER app_far HANDLER app.far_handler',
        'ALTER FOREIGN DATA WRAPPER app_far NO HANDLER',
      ),
    ],
  },
  {
    kind: 'foreign server',
    name: 'app_there',
    needs: foreign,
    create: server,
    drop: 'DROP SERVER app_there',
    owner: 'SERVER app_there',
    grant: ['USAGE', 'FOREIGN SERVER app_there'],
    comment: ['SERVER app_there', 'server app_there'],
    properties: [
      serverAs('type', `TYPE 'one'`),
      serverAs('version', `VERSION '2'`),
      set('options', `ALTER SERVER app_there OPTIONS (ADD host 'x')`, 'ALTER SERVER app_there OPTIONS (DROP host)'),
    ],
  },
  {
    kind: 'user mapping',
    name: 'mutant_reader for app_there',
    needs: `${foreign}; ${server}`,
    create: `CREATE USER MAPPING FOR mutant_reader SERVER app_there OPTIONS (secret 'one')`,
    drop: 'DROP USER MAPPING FOR mutant_reader SERVER app_there',
    properties: [
      set(
        'secret',
        `ALTER USER MAPPING FOR mutant_reader SERVER app_there OPTIONS (SET secret 'two')`,
        `ALTER USER MAPPING FOR mutant_reader SERVER app_there OPTIONS (SET secret 'one')`,
      ),
    ],
  },
  {
    kind: 'foreign table',
    name: 'app.remote',
    needs: `${foreign}; ${server}; CREATE SERVER app_elsewhere FOREIGN DATA WRAPPER app_far`,
    create: 'CREATE FOREIGN TABLE app.remote (id int, b text) SERVER app_there',
    drop: 'DROP FOREIGN TABLE app.remote',
    owner: 'FOREIGN TABLE app.remote',
    grant: ['SELECT', 'app.remote'],
    comment: ['FOREIGN TABLE app.remote', 'foreign table app.remote'],
    properties: [
      set(
        'options',
        `ALTER FOREIGN TABLE app.remote OPTIONS (ADD place 'x')`,
        'ALTER FOREIGN TABLE app.remote OPTIONS (DROP place)',
      ),
      set(
        'server',
        'DROP FOREIGN TABLE app.remote; CREATE FOREIGN TABLE app.remote (id int, b text) SERVER app_elsewhere',
        'DROP FOREIGN TABLE app.remote; CREATE FOREIGN TABLE app.remote (id int, b text) SERVER app_there',
      ),
      set(
        'options of a column',
        `ALTER FOREIGN TABLE app.remote ALTER b OPTIONS (ADD far 'x')`,
        'ALTER FOREIGN TABLE app.remote ALTER b OPTIONS (DROP far)',
        { changes: 'column app.remote.b' },
      ),
    ],
  },
];
