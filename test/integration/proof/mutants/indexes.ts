import { set, type Property, type Subject } from './subject.js';

const needs = 'CREATE TABLE app.t (a int NOT NULL, b text, c int[], d int)';

function made(definition: string): string {
  return `CREATE ${definition.startsWith('UNIQUE ') ? 'UNIQUE INDEX' : 'INDEX'} i ON app.t ${definition.replace(/^UNIQUE /, '')}`;
}

function instead(what: string, definition: string, from?: number): Property {
  return set(
    what,
    `DROP INDEX app.i; ${made(definition)}`,
    `DROP INDEX app.i; ${made('(a)')}`,
    from === undefined ? {} : { from },
  );
}

export const indexes: readonly Subject[] = [
  {
    kind: 'index',
    name: 'app.i',
    needs,
    create: made('(a)'),
    drop: 'DROP INDEX app.i',
    comment: ['INDEX app.i', 'index app.i'],
    properties: [
      instead('descending', '(a DESC)'),
      instead('nulls first', '(a NULLS FIRST)'),
      instead('unique', 'UNIQUE (a)'),
      instead('nulls not distinct', 'UNIQUE (a) NULLS NOT DISTINCT', 15),
      instead('partial', '(a) WHERE a > 5'),
      instead('expression', '((a + 1))'),
      instead('other column', '(d)'),
      instead('more columns', '(a, d)'),
      instead('included column', '(a) INCLUDE (b)'),
      instead('hash', 'USING hash (a)'),
      instead('brin', 'USING brin (a)'),
      instead('gin', 'USING gin (c)'),
      instead('operator class', '(b text_pattern_ops)'),
      instead('options of an operator class', 'USING brin (a int4_bloom_ops (n_distinct_per_range = 16))'),
      instead('collation', '(b COLLATE "POSIX")'),
      set('tablespace', 'ALTER INDEX app.i SET TABLESPACE mutant_space', 'ALTER INDEX app.i SET TABLESPACE pg_default'),
      set('fillfactor', 'ALTER INDEX app.i SET (fillfactor = 50)', 'ALTER INDEX app.i RESET (fillfactor)'),
      set(
        'deduplication',
        'ALTER INDEX app.i SET (deduplicate_items = off)',
        'ALTER INDEX app.i RESET (deduplicate_items)',
      ),
      set('clustering', 'ALTER TABLE app.t CLUSTER ON i', 'ALTER TABLE app.t SET WITHOUT CLUSTER'),
      set(
        'validity',
        `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'app.i'::regclass`,
        `UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'app.i'::regclass`,
      ),
    ],
  },
  {
    kind: 'index',
    name: 'app.u',
    needs,
    create: 'ALTER TABLE app.t ADD CONSTRAINT u UNIQUE (a)',
    drop: 'ALTER TABLE app.t DROP CONSTRAINT u',
    properties: [
      set(
        'fillfactor of a constraint',
        'ALTER TABLE app.t DROP CONSTRAINT u; ALTER TABLE app.t ADD CONSTRAINT u UNIQUE (a) WITH (fillfactor = 50)',
        'ALTER TABLE app.t DROP CONSTRAINT u; ALTER TABLE app.t ADD CONSTRAINT u UNIQUE (a)',
      ),
    ],
  },
  {
    kind: 'index',
    name: 'app.e',
    needs,
    create: 'CREATE UNIQUE INDEX e ON app.t (a, (d + 1))',
    drop: 'DROP INDEX app.e',
    properties: [
      set('statistics', 'ALTER INDEX app.e ALTER 2 SET STATISTICS 50', 'ALTER INDEX app.e ALTER 2 SET STATISTICS -1'),
    ],
  },
  {
    kind: 'index',
    name: 'app.p_a',
    needs:
      'CREATE TABLE app.p (a int) PARTITION BY RANGE (a); CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES FROM (0) TO (10)',
    create: 'CREATE INDEX p_a ON app.p (a)',
    drop: 'DROP INDEX app.p_a',
    comment: ['INDEX app.p_a', 'index app.p_a'],
    properties: [
      set(
        'not on its partitions',
        'DROP INDEX app.p_a; CREATE INDEX p_a ON ONLY app.p (a)',
        'DROP INDEX app.p_a; CREATE INDEX p_a ON app.p (a)',
        { changes: 'index app.p_a' },
      ),
    ],
  },
  {
    kind: 'statistics',
    name: 'app.st',
    needs,
    create: 'CREATE STATISTICS app.st ON a, b FROM app.t',
    drop: 'DROP STATISTICS app.st',
    owner: 'STATISTICS app.st',
    comment: ['STATISTICS app.st', 'statistics object app.st'],
    properties: [
      set('target', 'ALTER STATISTICS app.st SET STATISTICS 9', 'ALTER STATISTICS app.st SET STATISTICS -1'),
      anew('kinds', 'CREATE STATISTICS app.st (ndistinct) ON a, b FROM app.t'),
      anew('columns', 'CREATE STATISTICS app.st ON a, d FROM app.t'),
      anew('expression', 'CREATE STATISTICS app.st ON a, (d * 2) FROM app.t'),
    ],
  },
];

function anew(what: string, other: string): Property {
  const drop = 'DROP STATISTICS app.st';
  return set(what, `${drop}; ${other}`, `${drop}; CREATE STATISTICS app.st ON a, b FROM app.t`);
}
