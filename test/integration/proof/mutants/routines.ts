import { set, type Property, type Subject } from './subject.js';

const twice = `FUNCTION app.f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a * 2'`;

function altered(what: string, on: string, off: string): Property {
  return set(what, `ALTER FUNCTION app.f(int) ${on}`, `ALTER FUNCTION app.f(int) ${off}`);
}

function rewritten(what: string, definition: string): Property {
  return set(
    what,
    `DROP FUNCTION app.f(int); CREATE FUNCTION app.f${definition}`,
    `DROP FUNCTION app.f(int); CREATE ${twice}`,
  );
}

const touch = 'CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$';
const table = 'CREATE TABLE app.t (a int, b int)';

function trigger(definition: string): string {
  return `CREATE ${definition.startsWith('CONSTRAINT ') ? 'CONSTRAINT ' : ''}TRIGGER x ${definition.replace(/^CONSTRAINT /, '')}`;
}

const usualTrigger = 'BEFORE UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION app.touch()';

function fires(what: string, definition: string): Property {
  return set(
    what,
    `DROP TRIGGER x ON app.t; ${trigger(definition)}`,
    `DROP TRIGGER x ON app.t; ${trigger(usualTrigger)}`,
  );
}

function fired(what: string, state: string): Property {
  return set(what, `ALTER TABLE app.t ${state} TRIGGER x`, 'ALTER TABLE app.t ENABLE TRIGGER x');
}

const sum = 'AGGREGATE app.add_up(int) (sfunc = int4pl, stype = int)';

function adds(what: string, more: string): Property {
  const drop = 'DROP AGGREGATE app.add_up(int)';
  return set(what, `${drop}; CREATE AGGREGATE app.add_up(int) (${more})`, `${drop}; CREATE ${sum}`);
}

const watch =
  'CREATE FUNCTION app.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$; CREATE FUNCTION app.look() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$';

function watched(what: string, definition: string): Property {
  const anew = (text: string): string => `DROP EVENT TRIGGER app_watch; CREATE EVENT TRIGGER app_watch ${text}`;
  return set(
    what,
    anew(definition),
    anew(`ON ddl_command_end WHEN TAG IN ('CREATE CAST') EXECUTE FUNCTION app.watch()`),
  );
}

function watching(what: string, state: string): Property {
  return set(what, `ALTER EVENT TRIGGER app_watch ${state}`, 'ALTER EVENT TRIGGER app_watch ENABLE');
}

const quiet = 'CREATE RULE r AS ON DELETE TO app.t DO ALSO NOTHING';

function ruled(what: string, definition: string): Property {
  return set(what, `CREATE OR REPLACE RULE r AS ${definition}`, `CREATE OR REPLACE ${quiet.slice(7)}`);
}

export const routines: readonly Subject[] = [
  {
    kind: 'function',
    name: 'app.f(integer)',
    create: `CREATE ${twice}`,
    drop: 'DROP FUNCTION app.f(int)',
    owner: 'FUNCTION app.f(int)',
    grant: ['EXECUTE', 'FUNCTION app.f(int)'],
    comment: ['FUNCTION app.f(int)', 'function app.f(integer)'],
    properties: [
      rewritten('body', `(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a * 3'`),
      rewritten('blanks in its body', `(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT  a * 2'`),
      rewritten('body in standard SQL', `(a int) RETURNS int LANGUAGE sql IMMUTABLE RETURN a * 2`),
      rewritten('language', `(a int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN a * 2; END'`),
      rewritten('result', `(a int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT a::bigint * 2'`),
      rewritten('set of results', `(a int) RETURNS SETOF int LANGUAGE sql IMMUTABLE AS 'SELECT a * 2'`),
      rewritten('table of results', `(a int) RETURNS TABLE (b int) LANGUAGE sql IMMUTABLE AS 'SELECT a * 2'`),
      rewritten('default of an argument', `(a int DEFAULT 7) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a * 2'`),
      rewritten('name of an argument', `(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x * 2'`),
      rewritten('output argument', `(a int, OUT b int) LANGUAGE sql IMMUTABLE AS 'SELECT a * 2'`),
      altered('volatility', 'VOLATILE', 'IMMUTABLE'),
      altered('stable', 'STABLE', 'IMMUTABLE'),
      altered('strictness', 'STRICT', 'CALLED ON NULL INPUT'),
      altered('security', 'SECURITY DEFINER', 'SECURITY INVOKER'),
      altered('leakproofness', 'LEAKPROOF', 'NOT LEAKPROOF'),
      altered('cost', 'COST 5000', 'COST 100'),
      altered('parallel safety', 'PARALLEL SAFE', 'PARALLEL UNSAFE'),
      altered('restricted parallelism', 'PARALLEL RESTRICTED', 'PARALLEL UNSAFE'),
      altered('search_path', 'SET search_path = app, pg_temp', 'RESET search_path'),
      altered('other setting', `SET work_mem = '9MB'`, 'RESET work_mem'),
      set(
        'privileges of everyone',
        'REVOKE EXECUTE ON FUNCTION app.f(int) FROM PUBLIC',
        'GRANT EXECUTE ON FUNCTION app.f(int) TO PUBLIC',
      ),
    ],
  },
  {
    kind: 'function',
    name: 'app.many(integer)',
    create: `CREATE FUNCTION app.many(n int) RETURNS SETOF int LANGUAGE sql AS 'SELECT generate_series(1, n)'`,
    drop: 'DROP FUNCTION app.many(int)',
    properties: [
      set('rows', 'ALTER FUNCTION app.many(int) ROWS 10', 'ALTER FUNCTION app.many(int) ROWS 1000'),
      set(
        'support function',
        'ALTER FUNCTION app.many(int) SUPPORT generate_series_int4_support',
        `DROP FUNCTION app.many(int); CREATE FUNCTION app.many(n int) RETURNS SETOF int LANGUAGE sql AS 'SELECT generate_series(1, n)'`,
      ),
    ],
  },
  {
    kind: 'procedure',
    name: 'app.tidy(integer)',
    create: `CREATE PROCEDURE app.tidy(a int) LANGUAGE sql AS 'SELECT 1'`,
    drop: 'DROP PROCEDURE app.tidy(int)',
    owner: 'PROCEDURE app.tidy(int)',
    grant: ['EXECUTE', 'PROCEDURE app.tidy(int)'],
    comment: ['PROCEDURE app.tidy(int)', 'procedure app.tidy(integer)'],
    properties: [
      set(
        'body',
        `CREATE OR REPLACE PROCEDURE app.tidy(a int) LANGUAGE sql AS 'SELECT 2'`,
        `CREATE OR REPLACE PROCEDURE app.tidy(a int) LANGUAGE sql AS 'SELECT 1'`,
      ),
      set(
        'security',
        'ALTER PROCEDURE app.tidy(int) SECURITY DEFINER',
        'ALTER PROCEDURE app.tidy(int) SECURITY INVOKER',
      ),
    ],
  },
  {
    kind: 'aggregate',
    name: 'app.add_up(integer)',
    create: `CREATE ${sum}`,
    drop: 'DROP AGGREGATE app.add_up(int)',
    owner: 'AGGREGATE app.add_up(int)',
    grant: ['EXECUTE', 'FUNCTION app.add_up(int)'],
    comment: ['AGGREGATE app.add_up(int)', 'aggregate app.add_up(integer)'],
    properties: [
      adds('initial value', `sfunc = int4pl, stype = int, initcond = '7'`),
      adds('transition function', 'sfunc = int4larger, stype = int'),
      adds('final function', 'sfunc = int4pl, stype = int, finalfunc = int4um'),
      adds(
        'final function may modify',
        'sfunc = int4pl, stype = int, finalfunc = int4um, finalfunc_modify = read_write',
      ),
      adds('state space', 'sfunc = int4pl, stype = int, sspace = 64'),
      adds('combining', 'sfunc = int4pl, stype = int, combinefunc = int4pl, parallel = safe'),
      adds('sort operator', 'sfunc = int4smaller, stype = int, sortop = <'),
      adds('moving', 'sfunc = int4pl, stype = int, msfunc = int4pl, minvfunc = int4mi, mstype = int'),
    ],
  },
  {
    kind: 'trigger',
    name: 'x on app.t',
    needs: `${table}; ${touch}; CREATE FUNCTION app.other() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$`,
    create: trigger(usualTrigger),
    drop: 'DROP TRIGGER x ON app.t',
    comment: ['TRIGGER x ON app.t', 'trigger x on app.t'],
    properties: [
      fires('time', 'AFTER UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION app.touch()'),
      fires('event', 'BEFORE INSERT OR UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION app.touch()'),
      fires('column', 'BEFORE UPDATE OF b ON app.t FOR EACH ROW EXECUTE FUNCTION app.touch()'),
      fires('condition', 'BEFORE UPDATE ON app.t FOR EACH ROW WHEN (NEW.a > 5) EXECUTE FUNCTION app.touch()'),
      fires('level', 'BEFORE UPDATE ON app.t FOR EACH STATEMENT EXECUTE FUNCTION app.touch()'),
      fires('function', 'BEFORE UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION app.other()'),
      fires('argument', `BEFORE UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION app.touch('one')`),
      fires(
        'transition table',
        'AFTER UPDATE ON app.t REFERENCING NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION app.touch()',
      ),
      fires(
        'deferred',
        'CONSTRAINT AFTER UPDATE ON app.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.touch()',
      ),
      fired('disabled', 'DISABLE'),
      fired('on replicas', 'ENABLE REPLICA'),
      fired('always', 'ENABLE ALWAYS'),
    ],
  },
  {
    kind: 'trigger',
    name: 'x on app.p1',
    needs: `CREATE TABLE app.p (a int) PARTITION BY RANGE (a); CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES FROM (0) TO (10); ${touch}`,
    create: 'CREATE TRIGGER x AFTER UPDATE ON app.p FOR EACH ROW EXECUTE FUNCTION app.touch()',
    drop: 'DROP TRIGGER x ON app.p',
    properties: [
      set('disabled on one partition', 'ALTER TABLE app.p1 DISABLE TRIGGER x', 'ALTER TABLE app.p1 ENABLE TRIGGER x'),
    ],
  },
  {
    kind: 'foreign key triggers',
    name: 'app.t',
    needs: 'CREATE TABLE app.o (id int PRIMARY KEY); CREATE TABLE app.t (a int REFERENCES app.o)',
    create: 'ALTER TABLE app.t DISABLE TRIGGER ALL',
    drop: 'ALTER TABLE app.t ENABLE TRIGGER ALL',
  },
  {
    kind: 'event trigger',
    name: 'app_watch',
    needs: watch,
    create: `CREATE EVENT TRIGGER app_watch ON ddl_command_end WHEN TAG IN ('CREATE CAST') EXECUTE FUNCTION app.watch()`,
    drop: 'DROP EVENT TRIGGER app_watch',
    comment: ['EVENT TRIGGER app_watch', 'event trigger app_watch'],
    properties: [
      watched('event', `ON ddl_command_start WHEN TAG IN ('CREATE CAST') EXECUTE FUNCTION app.watch()`),
      watched('tags', `ON ddl_command_end WHEN TAG IN ('CREATE CAST', 'DROP CAST') EXECUTE FUNCTION app.watch()`),
      watched('function', `ON ddl_command_end WHEN TAG IN ('CREATE CAST') EXECUTE FUNCTION app.look()`),
      watching('disabled', 'DISABLE'),
      watching('on replicas', 'ENABLE REPLICA'),
      watching('always', 'ENABLE ALWAYS'),
    ],
  },
  {
    kind: 'rule',
    name: 'r on app.t',
    needs: table,
    create: quiet,
    drop: 'DROP RULE r ON app.t',
    comment: ['RULE r ON app.t', 'rule r on app.t'],
    properties: [
      ruled('instead', 'ON DELETE TO app.t DO INSTEAD NOTHING'),
      ruled('event', 'ON UPDATE TO app.t DO ALSO NOTHING'),
      ruled('condition', 'ON DELETE TO app.t WHERE OLD.a > 5 DO ALSO NOTHING'),
      ruled('action', 'ON DELETE TO app.t DO ALSO NOTIFY gone'),
      set('disabled', 'ALTER TABLE app.t DISABLE RULE r', 'ALTER TABLE app.t ENABLE RULE r'),
      set('always', 'ALTER TABLE app.t ENABLE ALWAYS RULE r', 'ALTER TABLE app.t ENABLE RULE r'),
    ],
  },
];
