import { set, type Property, type Subject } from './subject.js';

const needs =
  'CREATE TABLE app.other (id int PRIMARY KEY, k int UNIQUE); CREATE TABLE app.t (a int NOT NULL, b int, c int, d text)';
const drop = 'ALTER TABLE app.t DROP CONSTRAINT x';

function add(definition: string): string {
  return `ALTER TABLE app.t ADD CONSTRAINT x ${definition}`;
}

/** The constraint x on app.t with what can be different of it: title and definition. */
function constraint(
  definition: string,
  others: readonly (readonly [what: string, definition: string, from?: number])[],
): Subject {
  return {
    kind: 'constraint',
    name: 'x on app.t',
    needs,
    create: add(definition),
    drop,
    comment: ['CONSTRAINT x ON app.t', 'table constraint x on app.t'],
    properties: others.map(([what, other, from]) =>
      set(what, `${drop}; ${add(other)}`, `${drop}; ${add(definition)}`, from === undefined ? {} : { from }),
    ),
  };
}

const foreignKey = 'FOREIGN KEY (b) REFERENCES app.other';

export const constraints: readonly Subject[] = [
  constraint('CHECK (b > 0)', [
    ['other check', 'CHECK (b > 1)'],
    ['not valid', 'CHECK (b > 0) NOT VALID'],
    ['no inherit', 'CHECK (b > 0) NO INHERIT'],
    ['not enforced', 'CHECK (b > 0) NOT ENFORCED', 18],
    ['other columns', 'CHECK (c > 0)'],
  ]),
  constraint('UNIQUE (b)', [
    ['other columns', 'UNIQUE (b, c)'],
    ['order of columns', 'UNIQUE (c, b)'],
    ['deferrable', 'UNIQUE (b) DEFERRABLE'],
    ['initially deferred', 'UNIQUE (b) DEFERRABLE INITIALLY DEFERRED'],
    ['included column', 'UNIQUE (b) INCLUDE (c)'],
    ['nulls not distinct', 'UNIQUE NULLS NOT DISTINCT (b)', 15],
    ['primary key instead', 'PRIMARY KEY (a)'],
  ]),
  constraint('PRIMARY KEY (a)', [
    ['deferrable', 'PRIMARY KEY (a) DEFERRABLE'],
    ['included column', 'PRIMARY KEY (a) INCLUDE (c)'],
  ]),
  constraint(foreignKey, [
    ['other column', 'FOREIGN KEY (c) REFERENCES app.other'],
    ['other referenced column', 'FOREIGN KEY (b) REFERENCES app.other (k)'],
    ['on delete cascade', `${foreignKey} ON DELETE CASCADE`],
    ['on delete set null', `${foreignKey} ON DELETE SET NULL`],
    ['on delete restrict', `${foreignKey} ON DELETE RESTRICT`],
    ['on update cascade', `${foreignKey} ON UPDATE CASCADE`],
    ['match full', `${foreignKey} MATCH FULL`],
    ['deferrable', `${foreignKey} DEFERRABLE`],
    ['initially deferred', `${foreignKey} DEFERRABLE INITIALLY DEFERRED`],
    ['not valid', `${foreignKey} NOT VALID`],
    ['not enforced', `${foreignKey} NOT ENFORCED`, 18],
  ]),
  {
    ...constraint('EXCLUDE USING btree (b WITH =)', [
      ['predicate', 'EXCLUDE USING btree (b WITH =) WHERE (c > 0)'],
      ['other column', 'EXCLUDE USING btree (c WITH =)'],
      ['deferrable', 'EXCLUDE USING btree (b WITH =) DEFERRABLE'],
      ['other method', 'EXCLUDE USING hash (b WITH =)'],
    ]),
  },
  {
    ...constraint('NOT NULL b', [
      ['no inherit', 'NOT NULL b NO INHERIT'],
      ['not valid', 'NOT NULL b NOT VALID'],
    ]),
    from: 18,
  },
  {
    kind: 'constraint',
    name: 'x on app.part',
    needs:
      'CREATE TABLE app.part (id int4range, during daterange, n int); CREATE TABLE app.whole (id int4range, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS))',
    create: 'ALTER TABLE app.part ADD CONSTRAINT x PRIMARY KEY (id, during WITHOUT OVERLAPS)',
    drop: 'ALTER TABLE app.part DROP CONSTRAINT x, ALTER id DROP NOT NULL, ALTER during DROP NOT NULL',
    properties: [
      madeAgain('unique instead', 'UNIQUE (id, during WITHOUT OVERLAPS)', 'PRIMARY KEY (id, during WITHOUT OVERLAPS)'),
      madeAgain(
        'period of another table',
        'FOREIGN KEY (id, PERIOD during) REFERENCES app.whole (id, PERIOD during)',
        'PRIMARY KEY (id, during WITHOUT OVERLAPS)',
      ),
    ],
    from: 18,
  },
  {
    kind: 'constraint',
    name: 'positive on app.p',
    needs:
      'CREATE TABLE app.p (a int, b int) PARTITION BY RANGE (a); CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES FROM (0) TO (10)',
    create: 'ALTER TABLE app.p ADD CONSTRAINT positive CHECK (b > 0)',
    drop: 'ALTER TABLE app.p DROP CONSTRAINT positive',
  },
  {
    kind: 'constraint',
    name: 'to_o on app.p',
    needs:
      'CREATE TABLE app.p (a int, b int) PARTITION BY RANGE (a); CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES FROM (0) TO (10); CREATE TABLE app.o (id int PRIMARY KEY)',
    create: 'ALTER TABLE app.p ADD CONSTRAINT to_o FOREIGN KEY (b) REFERENCES app.o',
    drop: 'ALTER TABLE app.p DROP CONSTRAINT to_o',
    properties: [
      set(
        'on delete',
        'ALTER TABLE app.p DROP CONSTRAINT to_o; ALTER TABLE app.p ADD CONSTRAINT to_o FOREIGN KEY (b) REFERENCES app.o ON DELETE CASCADE',
        'ALTER TABLE app.p DROP CONSTRAINT to_o; ALTER TABLE app.p ADD CONSTRAINT to_o FOREIGN KEY (b) REFERENCES app.o',
      ),
    ],
  },
  {
    kind: 'domain',
    name: 'app.d',
    create: 'CREATE DOMAIN app.d AS text',
    drop: 'DROP DOMAIN app.d',
    owner: 'DOMAIN app.d',
    grant: ['USAGE', 'DOMAIN app.d'],
    comment: ['DOMAIN app.d', 'type app.d'],
    properties: [
      madeAgainDomain('other base', 'int'),
      madeAgainDomain('length', 'varchar(9)'),
      madeAgainDomain('collation', 'text COLLATE "POSIX"'),
      set('not null', 'ALTER DOMAIN app.d SET NOT NULL', 'ALTER DOMAIN app.d DROP NOT NULL'),
      set('default', `ALTER DOMAIN app.d SET DEFAULT 'x'`, 'ALTER DOMAIN app.d DROP DEFAULT'),
      set('check', `ALTER DOMAIN app.d ADD CONSTRAINT y CHECK (VALUE <> '')`, 'ALTER DOMAIN app.d DROP CONSTRAINT y', {
        named: 'constraint y on domain app.d',
      }),
      set(
        'check not validated',
        `ALTER DOMAIN app.d ADD CONSTRAINT y CHECK (VALUE <> '') NOT VALID`,
        'ALTER DOMAIN app.d DROP CONSTRAINT y',
        { named: 'constraint y on domain app.d' },
      ),
    ],
  },
  {
    kind: 'constraint',
    name: 'y on domain app.d',
    needs: 'CREATE DOMAIN app.d AS int',
    create: 'ALTER DOMAIN app.d ADD CONSTRAINT y CHECK (VALUE > 0)',
    drop: 'ALTER DOMAIN app.d DROP CONSTRAINT y',
    comment: ['CONSTRAINT y ON DOMAIN app.d', 'domain constraint y on app.d'],
    properties: [
      set(
        'other check',
        'ALTER DOMAIN app.d DROP CONSTRAINT y; ALTER DOMAIN app.d ADD CONSTRAINT y CHECK (VALUE > 1)',
        'ALTER DOMAIN app.d DROP CONSTRAINT y; ALTER DOMAIN app.d ADD CONSTRAINT y CHECK (VALUE > 0)',
      ),
      set(
        'not validated',
        'ALTER DOMAIN app.d DROP CONSTRAINT y; ALTER DOMAIN app.d ADD CONSTRAINT y CHECK (VALUE > 0) NOT VALID',
        'ALTER DOMAIN app.d VALIDATE CONSTRAINT y',
      ),
    ],
  },
];

function madeAgain(what: string, other: string, usual: string): Property {
  const anew = (definition: string): string =>
    `ALTER TABLE app.part DROP CONSTRAINT x; ALTER TABLE app.part ADD CONSTRAINT x ${definition}`;
  return set(what, anew(other), anew(usual));
}

function madeAgainDomain(what: string, base: string): Property {
  return set(
    what,
    `DROP DOMAIN app.d; CREATE DOMAIN app.d AS ${base}`,
    'DROP DOMAIN app.d; CREATE DOMAIN app.d AS text',
  );
}
