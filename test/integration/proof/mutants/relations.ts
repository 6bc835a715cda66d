import { set, type Property, type Subject } from './subject.js';

/** A table's own index, view, … made in another way under the same name. */
function madeAs(what: string, drop: string, other: string, usual: string, from?: number): Property {
  return set(what, `${drop};\n${other}`, `${drop};\n${usual}`, from === undefined ? {} : { from });
}

const table = 'CREATE TABLE app.t (a int NOT NULL, b text)';

function partitionedBy(key: string): string {
  return `CREATE TABLE app.p (a int, b int) PARTITION BY ${key}`;
}

const view = 'CREATE VIEW app.v AS SELECT a, b FROM app.t';
const totals = 'CREATE MATERIALIZED VIEW app.m AS SELECT a, b FROM app.t';

export const relations: readonly Subject[] = [
  {
    kind: 'schema',
    name: 'app_extra',
    create: 'CREATE SCHEMA app_extra',
    drop: 'DROP SCHEMA app_extra',
    owner: 'SCHEMA app_extra',
    grant: ['USAGE', 'SCHEMA app_extra'],
    comment: ['SCHEMA app_extra', 'schema app_extra'],
  },
  {
    kind: 'table',
    name: 'app.t',
    needs:
      'CREATE TABLE app.base (a int); CREATE TYPE app.row_type AS (a int, b text); CREATE ACCESS METHOD app_heap TYPE TABLE HANDLER heap_tableam_handler',
    create: 'CREATE TABLE app.t (a int NOT NULL, b text, CONSTRAINT t_a UNIQUE (a))',
    drop: 'DROP TABLE app.t',
    owner: 'TABLE app.t',
    grant: ['SELECT', 'TABLE app.t'],
    comment: ['TABLE app.t', 'table app.t'],
    properties: [
      set('fillfactor', 'ALTER TABLE app.t SET (fillfactor = 70)', 'ALTER TABLE app.t RESET (fillfactor)'),
      set(
        'autovacuum',
        'ALTER TABLE app.t SET (autovacuum_enabled = off, autovacuum_vacuum_scale_factor = 0.3)',
        'ALTER TABLE app.t RESET (autovacuum_enabled, autovacuum_vacuum_scale_factor)',
      ),
      set(
        'toast options',
        'ALTER TABLE app.t SET (toast.autovacuum_enabled = off)',
        'ALTER TABLE app.t RESET (toast.autovacuum_enabled)',
      ),
      set('tablespace', 'ALTER TABLE app.t SET TABLESPACE mutant_space', 'ALTER TABLE app.t SET TABLESPACE pg_default'),
      set('persistence', 'ALTER TABLE app.t SET UNLOGGED', 'ALTER TABLE app.t SET LOGGED'),
      set(
        'row security',
        'ALTER TABLE app.t ENABLE ROW LEVEL SECURITY',
        'ALTER TABLE app.t DISABLE ROW LEVEL SECURITY',
      ),
      set(
        'forced row security',
        'ALTER TABLE app.t FORCE ROW LEVEL SECURITY',
        'ALTER TABLE app.t NO FORCE ROW LEVEL SECURITY',
      ),
      set(
        'replica identity full',
        'ALTER TABLE app.t REPLICA IDENTITY FULL',
        'ALTER TABLE app.t REPLICA IDENTITY DEFAULT',
      ),
      set(
        'replica identity nothing',
        'ALTER TABLE app.t REPLICA IDENTITY NOTHING',
        'ALTER TABLE app.t REPLICA IDENTITY DEFAULT',
      ),
      set(
        'replica identity index',
        'ALTER TABLE app.t REPLICA IDENTITY USING INDEX t_a',
        'ALTER TABLE app.t REPLICA IDENTITY DEFAULT',
      ),
      set('parent', 'ALTER TABLE app.t INHERIT app.base', 'ALTER TABLE app.t NO INHERIT app.base'),
      set('type', 'ALTER TABLE app.t OF app.row_type', 'ALTER TABLE app.t NOT OF'),
      set('access method', 'ALTER TABLE app.t SET ACCESS METHOD app_heap', 'ALTER TABLE app.t SET ACCESS METHOD heap', {
        from: 15,
      }),
      set('privileges of everyone', 'GRANT INSERT ON app.t TO PUBLIC', 'REVOKE INSERT ON app.t FROM PUBLIC'),
      set(
        'privileges of its owner',
        'REVOKE DELETE ON app.t FROM CURRENT_USER',
        'GRANT DELETE ON app.t TO CURRENT_USER',
      ),
    ],
  },
  {
    kind: 'table',
    name: 'app.heir',
    needs: 'CREATE TABLE app.one (a int); CREATE TABLE app.two (b int)',
    create:
      'CREATE TABLE app.heir (a int, b int, c int); ALTER TABLE app.heir INHERIT app.one; ALTER TABLE app.heir INHERIT app.two',
    drop: 'DROP TABLE app.heir',
    properties: [
      set(
        'order of its parents',
        'ALTER TABLE app.heir NO INHERIT app.one; ALTER TABLE app.heir INHERIT app.one',
        'ALTER TABLE app.heir NO INHERIT app.two; ALTER TABLE app.heir INHERIT app.two',
      ),
      set('one parent', 'ALTER TABLE app.heir NO INHERIT app.two', 'ALTER TABLE app.heir INHERIT app.two'),
    ],
  },
  {
    kind: 'table',
    name: 'app.p',
    create: partitionedBy('RANGE (a)'),
    drop: 'DROP TABLE app.p',
    owner: 'TABLE app.p',
    properties: [
      madeAs('partition strategy', 'DROP TABLE app.p', partitionedBy('LIST (a)'), partitionedBy('RANGE (a)')),
      madeAs('partition key', 'DROP TABLE app.p', partitionedBy('RANGE (a, b)'), partitionedBy('RANGE (a)')),
      madeAs('partition expression', 'DROP TABLE app.p', partitionedBy('RANGE ((a + b))'), partitionedBy('RANGE (a)')),
      madeAs('no partitioning', 'DROP TABLE app.p', 'CREATE TABLE app.p (a int, b int)', partitionedBy('RANGE (a)')),
    ],
  },
  {
    kind: 'table',
    name: 'app.p1',
    needs: partitionedBy('RANGE (a)'),
    create: 'CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES FROM (0) TO (10)',
    drop: 'DROP TABLE app.p1',
    properties: [
      set(
        'bound',
        'ALTER TABLE app.p DETACH PARTITION app.p1; ALTER TABLE app.p ATTACH PARTITION app.p1 FOR VALUES FROM (0) TO (20)',
        'ALTER TABLE app.p DETACH PARTITION app.p1; ALTER TABLE app.p ATTACH PARTITION app.p1 FOR VALUES FROM (0) TO (10)',
      ),
      set(
        'default partition',
        'ALTER TABLE app.p DETACH PARTITION app.p1; ALTER TABLE app.p ATTACH PARTITION app.p1 DEFAULT',
        'ALTER TABLE app.p DETACH PARTITION app.p1; ALTER TABLE app.p ATTACH PARTITION app.p1 FOR VALUES FROM (0) TO (10)',
      ),
      set(
        'detached',
        'ALTER TABLE app.p DETACH PARTITION app.p1',
        'ALTER TABLE app.p ATTACH PARTITION app.p1 FOR VALUES FROM (0) TO (10)',
      ),
      set(
        'detachment that was interrupted',
        `UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = 'app.p1'::regclass`,
        `UPDATE pg_inherits SET inhdetachpending = false WHERE inhrelid = 'app.p1'::regclass`,
      ),
      set('fillfactor', 'ALTER TABLE app.p1 SET (fillfactor = 60)', 'ALTER TABLE app.p1 RESET (fillfactor)'),
    ],
  },
  {
    kind: 'view',
    name: 'app.v',
    needs: table,
    create: view,
    drop: 'DROP VIEW app.v',
    owner: 'VIEW app.v',
    grant: ['SELECT', 'app.v'],
    comment: ['VIEW app.v', 'view app.v'],
    properties: [
      set(
        'definition',
        `CREATE OR REPLACE VIEW app.v AS SELECT a, b FROM app.t WHERE a > 5`,
        `CREATE OR REPLACE ${view.slice(7)}`,
      ),
      set('security barrier', 'ALTER VIEW app.v SET (security_barrier)', 'ALTER VIEW app.v RESET (security_barrier)'),
      set('check option', 'ALTER VIEW app.v SET (check_option = local)', 'ALTER VIEW app.v RESET (check_option)'),
      set('security invoker', 'ALTER VIEW app.v SET (security_invoker)', 'ALTER VIEW app.v RESET (security_invoker)', {
        from: 15,
      }),
      set('default of a column', 'ALTER VIEW app.v ALTER a SET DEFAULT 7', 'ALTER VIEW app.v ALTER a DROP DEFAULT', {
        changes: 'column app.v.a',
      }),
      set('comment of a column', `COMMENT ON COLUMN app.v.a IS 'words'`, 'COMMENT ON COLUMN app.v.a IS NULL', {
        named: 'comment on view column app.v.a',
      }),
      set(
        'privileges of a column',
        'GRANT UPDATE (a) ON app.v TO mutant_reader',
        'REVOKE UPDATE (a) ON app.v FROM mutant_reader',
        {
          changes: 'column app.v.a',
        },
      ),
    ],
  },
  {
    kind: 'materialized view',
    name: 'app.m',
    needs: `${table}; CREATE ACCESS METHOD app_heap TYPE TABLE HANDLER heap_tableam_handler`,
    create: totals,
    drop: 'DROP MATERIALIZED VIEW app.m',
    owner: 'MATERIALIZED VIEW app.m',
    grant: ['SELECT', 'app.m'],
    comment: ['MATERIALIZED VIEW app.m', 'materialized view app.m'],
    properties: [
      madeAs('definition', 'DROP MATERIALIZED VIEW app.m', `${totals} WHERE a > 5`, totals),
      madeAs('access method', 'DROP MATERIALIZED VIEW app.m', totals.replace('AS', 'USING app_heap AS'), totals),
      set('no data', 'REFRESH MATERIALIZED VIEW app.m WITH NO DATA', 'REFRESH MATERIALIZED VIEW app.m'),
      set(
        'fillfactor',
        'ALTER MATERIALIZED VIEW app.m SET (fillfactor = 70)',
        'ALTER MATERIALIZED VIEW app.m RESET (fillfactor)',
      ),
      set(
        'storage of a column',
        'ALTER MATERIALIZED VIEW app.m ALTER b SET STORAGE EXTERNAL',
        'ALTER MATERIALIZED VIEW app.m ALTER b SET STORAGE EXTENDED',
        { changes: 'column app.m.b' },
      ),
      set(
        'statistics of a column',
        'ALTER MATERIALIZED VIEW app.m ALTER b SET STATISTICS 50',
        'ALTER MATERIALIZED VIEW app.m ALTER b SET STATISTICS -1',
        { changes: 'column app.m.b' },
      ),
      set('index', 'CREATE UNIQUE INDEX m_a ON app.m (a)', 'DROP INDEX app.m_a', { named: 'index app.m_a' }),
      set(
        'clustering',
        'CREATE INDEX m_b ON app.m (b); ALTER MATERIALIZED VIEW app.m CLUSTER ON m_b',
        'DROP INDEX app.m_b',
        {
          named: 'index app.m_b',
        },
      ),
    ],
  },
  {
    kind: 'sequence',
    name: 'app.s',
    needs: table,
    create: 'CREATE SEQUENCE app.s',
    drop: 'DROP SEQUENCE app.s',
    owner: 'SEQUENCE app.s',
    grant: ['USAGE', 'SEQUENCE app.s'],
    comment: ['SEQUENCE app.s', 'sequence app.s'],
    properties: [
      set('increment', 'ALTER SEQUENCE app.s INCREMENT 5', 'ALTER SEQUENCE app.s INCREMENT 1'),
      set('minimum', 'ALTER SEQUENCE app.s MINVALUE 0', 'ALTER SEQUENCE app.s NO MINVALUE'),
      set('maximum', 'ALTER SEQUENCE app.s MAXVALUE 99', 'ALTER SEQUENCE app.s NO MAXVALUE'),
      set('start', 'ALTER SEQUENCE app.s START 7', 'ALTER SEQUENCE app.s START 1'),
      set('cache', 'ALTER SEQUENCE app.s CACHE 20', 'ALTER SEQUENCE app.s CACHE 1'),
      set('cycle', 'ALTER SEQUENCE app.s CYCLE', 'ALTER SEQUENCE app.s NO CYCLE'),
      set('type', 'ALTER SEQUENCE app.s AS int', 'ALTER SEQUENCE app.s AS bigint'),
      set('owning column', 'ALTER SEQUENCE app.s OWNED BY app.t.a', 'ALTER SEQUENCE app.s OWNED BY NONE'),
      set('persistence', 'ALTER SEQUENCE app.s SET UNLOGGED', 'ALTER SEQUENCE app.s SET LOGGED', { from: 15 }),
    ],
  },
  {
    kind: 'sequence',
    name: 'app.t_id_seq',
    needs: 'CREATE TABLE app.t (a int)',
    create: 'ALTER TABLE app.t ADD COLUMN id bigint GENERATED BY DEFAULT AS IDENTITY',
    drop: 'ALTER TABLE app.t DROP COLUMN id',
    properties: [
      set('increment', 'ALTER TABLE app.t ALTER id SET INCREMENT 10', 'ALTER TABLE app.t ALTER id SET INCREMENT 1'),
      set(
        'always',
        'ALTER TABLE app.t ALTER id SET GENERATED ALWAYS',
        'ALTER TABLE app.t ALTER id SET GENERATED BY DEFAULT',
        {
          changes: 'column app.t.id',
        },
      ),
    ],
  },
  {
    kind: 'composite type',
    name: 'app.pair',
    create: 'CREATE TYPE app.pair AS (x int, y text)',
    drop: 'DROP TYPE app.pair',
    owner: 'TYPE app.pair',
    grant: ['USAGE', 'TYPE app.pair'],
    comment: ['TYPE app.pair', 'type app.pair'],
    properties: [
      set('attribute', 'ALTER TYPE app.pair ADD ATTRIBUTE z int', 'ALTER TYPE app.pair DROP ATTRIBUTE z', {
        named: 'column app.pair.z',
      }),
      set(
        'type of an attribute',
        'ALTER TYPE app.pair ALTER ATTRIBUTE y TYPE varchar(9)',
        'ALTER TYPE app.pair ALTER ATTRIBUTE y TYPE text',
        {
          changes: 'column app.pair.y',
        },
      ),
      set(
        'collation of an attribute',
        'ALTER TYPE app.pair ALTER ATTRIBUTE y TYPE text COLLATE "POSIX"',
        'ALTER TYPE app.pair ALTER ATTRIBUTE y TYPE text',
        { changes: 'column app.pair.y' },
      ),
      set(
        'comment of an attribute',
        `COMMENT ON COLUMN app.pair.x IS 'words'`,
        'COMMENT ON COLUMN app.pair.x IS NULL',
        {
          named: 'comment on composite type column app.pair.x',
        },
      ),
    ],
  },
];
