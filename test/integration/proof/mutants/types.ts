import { set, type Property, type Subject } from './subject.js';

/** Properties that only another CREATE gives. */
function anew(
  drop: string,
  usual: string,
  others: readonly (readonly [what: string, create: string, from?: number])[],
): readonly Property[] {
  return others.map(([what, create, from]) =>
    set(what, `${drop}; ${create}`, `${drop}; ${usual}`, { make: create, ...(from === undefined ? {} : { from }) }),
  );
}

const parser = 'START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype';

function range(more = ''): string {
  return `CREATE TYPE app.span AS RANGE (subtype = float8${more})`;
}

const text = `CREATE TYPE app.word; CREATE FUNCTION app.word_in(cstring) RETURNS app.word LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION app.word_out(app.word) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE FUNCTION app.word_send(app.word) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'textsend'`;

/** What happens to a base type takes place between its shell and its functions, which nothing else may drop. */
function word(more = ''): string {
  return `CREATE TYPE app.word (input = app.word_in, output = app.word_out, like = text${more})`;
}

const same = 'OPERATOR app.=== (leftarg = int, rightarg = int, function = int4eq)';

function operator(what: string, more: string): Property {
  const drop = 'DROP OPERATOR app.=== (int, int)';
  return set(
    what,
    `${drop}; CREATE OPERATOR app.=== (leftarg = int, rightarg = int, function = ${more})`,
    `${drop}; CREATE ${same}`,
  );
}

const ordering =
  'OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int)';

function cast(more: string): string {
  return `CREATE CAST (app.pair AS int) ${more}`;
}

const casting = `CREATE TYPE app.pair AS (x int, y int); CREATE FUNCTION app.to_int(app.pair) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT ($1).x';
CREATE FUNCTION app.also_int(app.pair) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT ($1).y'`;

export const types: readonly Subject[] = [
  {
    kind: 'enum',
    name: 'app.mood',
    create: `CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'glad')`,
    drop: 'DROP TYPE app.mood',
    owner: 'TYPE app.mood',
    grant: ['USAGE', 'TYPE app.mood'],
    comment: ['TYPE app.mood', 'type app.mood'],
    properties: [
      set(
        'label',
        `ALTER TYPE app.mood RENAME VALUE 'sad' TO 'blue'`,
        `ALTER TYPE app.mood RENAME VALUE 'blue' TO 'sad'`,
      ),
      ...anew('DROP TYPE app.mood', `CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'glad')`, [
        ['order of labels', `CREATE TYPE app.mood AS ENUM ('sad', 'glad', 'ok')`],
      ]),
      set(
        'privileges of everyone',
        'REVOKE USAGE ON TYPE app.mood FROM PUBLIC',
        'GRANT USAGE ON TYPE app.mood TO PUBLIC',
      ),
    ],
  },
  {
    kind: 'range type',
    name: 'app.span',
    needs: `CREATE FUNCTION app.gap(float8, float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2'; CREATE OPERATOR CLASS app.floats FOR TYPE float8 USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btfloat8cmp(float8, float8)`,
    create: range(),
    drop: 'DROP TYPE app.span',
    owner: 'TYPE app.span',
    comment: ['TYPE app.span', 'type app.span'],
    properties: anew('DROP TYPE app.span', range(), [
      ['subtype', 'CREATE TYPE app.span AS RANGE (subtype = numeric)'],
      ['collation', 'CREATE TYPE app.span AS RANGE (subtype = text, collation = "POSIX")'],
      ['difference', range(', subtype_diff = app.gap')],
      ['operator class', range(', subtype_opclass = app.floats')],
      ['name of its multirange', range(', multirange_type_name = app.spans')],
    ]),
  },
  { kind: 'shell type', name: 'app.later', create: 'CREATE TYPE app.later', drop: 'DROP TYPE app.later' },
  {
    kind: 'type',
    name: 'app.word',
    needs: text,
    create: word(),
    drop: 'DROP TYPE app.word CASCADE;' + text,
    owner: 'TYPE app.word',
    comment: ['TYPE app.word', 'type app.word'],
    properties: [
      set('storage', 'ALTER TYPE app.word SET (storage = external)', 'ALTER TYPE app.word SET (storage = extended)'),
      set('send function', 'ALTER TYPE app.word SET (send = app.word_send)', 'ALTER TYPE app.word SET (send = NONE)'),
      ...anew(`DROP TYPE app.word CASCADE; ${text}`, word(), [
        ['category', word(`, category = 'X'`)],
        ['preferred', word(', preferred = true')],
        ['delimiter', word(`, delimiter = ';'`)],
        ['default', word(`, default = 'x'`)],
        ['modifiers', word(', typmod_in = varchartypmodin, typmod_out = varchartypmodout')],
        ['collatable', word(', collatable = true')],
      ]),
    ],
  },
  {
    kind: 'operator',
    name: 'app.===(integer,integer)',
    needs: 'CREATE OPERATOR app.<>= (leftarg = int, rightarg = int, function = int4ne)',
    create: `CREATE ${same}`,
    drop: 'DROP OPERATOR app.=== (int, int)',
    owner: 'OPERATOR app.=== (int, int)',
    comment: ['OPERATOR app.=== (int, int)', 'operator app.===(integer,integer)'],
    properties: [
      operator('function', 'int4le'),
      operator('commutator', 'int4eq, commutator = OPERATOR(app.===)'),
      operator('restriction', 'int4eq, restrict = eqsel'),
      operator('join', 'int4eq, join = eqjoinsel'),
      operator('hashes', 'int4eq, commutator = OPERATOR(app.===), hashes'),
      operator('merges', 'int4eq, commutator = OPERATOR(app.===), merges'),
      set(
        'restriction altered',
        'ALTER OPERATOR app.=== (int, int) SET (RESTRICT = neqsel)',
        'ALTER OPERATOR app.=== (int, int) SET (RESTRICT = NONE)',
      ),
    ],
  },
  {
    kind: 'operator class',
    name: 'app.odd using btree',
    needs: 'CREATE OPERATOR FAMILY app.odd USING btree; CREATE OPERATOR FAMILY app.even USING btree',
    create: `CREATE OPERATOR CLASS app.odd FOR TYPE int USING btree FAMILY app.odd AS ${ordering}`,
    drop: 'DROP OPERATOR CLASS app.odd USING btree',
    owner: 'OPERATOR CLASS app.odd USING btree',
    comment: ['OPERATOR CLASS app.odd USING btree', 'operator class app.odd USING btree'],
    properties: [
      ...anew(
        'DROP OPERATOR CLASS app.odd USING btree',
        `CREATE OPERATOR CLASS app.odd FOR TYPE int USING btree FAMILY app.odd AS ${ordering}`,
        [
          ['family', `CREATE OPERATOR CLASS app.odd FOR TYPE int USING btree FAMILY app.even AS ${ordering}`],
          [
            'type',
            `CREATE OPERATOR CLASS app.odd FOR TYPE bigint USING btree FAMILY app.odd AS ${ordering.replace('btint4cmp(int, int)', 'btint8cmp(bigint, bigint)')}`,
          ],
        ],
      ),
      set(
        'operators',
        `DROP OPERATOR CLASS app.odd USING btree; CREATE OPERATOR CLASS app.odd FOR TYPE int USING btree FAMILY app.odd AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 btint4cmp(int, int)`,
        `DROP OPERATOR CLASS app.odd USING btree; CREATE OPERATOR CLASS app.odd FOR TYPE int USING btree FAMILY app.odd AS ${ordering}`,
        { changes: 'operator family app.odd using btree' },
      ),
    ],
  },
  {
    kind: 'operator family',
    name: 'app.fam using btree',
    create: 'CREATE OPERATOR FAMILY app.fam USING btree',
    drop: 'DROP OPERATOR FAMILY app.fam USING btree',
    owner: 'OPERATOR FAMILY app.fam USING btree',
    comment: ['OPERATOR FAMILY app.fam USING btree', 'operator family app.fam USING btree'],
    properties: [
      set(
        'operator',
        'ALTER OPERATOR FAMILY app.fam USING btree ADD OPERATOR 1 < (int4, int8)',
        'ALTER OPERATOR FAMILY app.fam USING btree DROP OPERATOR 1 (int4, int8)',
      ),
      set(
        'function',
        'ALTER OPERATOR FAMILY app.fam USING btree ADD FUNCTION 1 btint48cmp(int4, int8)',
        'ALTER OPERATOR FAMILY app.fam USING btree DROP FUNCTION 1 (int4, int8)',
      ),
    ],
  },
  {
    kind: 'cast',
    name: 'app.pair as integer',
    needs: casting,
    create: cast('WITH FUNCTION app.to_int(app.pair)'),
    drop: 'DROP CAST (app.pair AS int)',
    comment: ['CAST (app.pair AS int)', 'cast (app.pair AS integer)'],
    properties: anew('DROP CAST (app.pair AS int)', cast('WITH FUNCTION app.to_int(app.pair)'), [
      ['function', cast('WITH FUNCTION app.also_int(app.pair)')],
      ['assignment', cast('WITH FUNCTION app.to_int(app.pair) AS ASSIGNMENT')],
      ['implicit', cast('WITH FUNCTION app.to_int(app.pair) AS IMPLICIT')],
      ['by text', cast('WITH INOUT')],
    ]),
  },
  {
    kind: 'collation',
    name: 'app.plain',
    create: `CREATE COLLATION app.plain (locale = 'C')`,
    drop: 'DROP COLLATION app.plain',
    owner: 'COLLATION app.plain',
    comment: ['COLLATION app.plain', 'collation app.plain'],
    properties: anew('DROP COLLATION app.plain', `CREATE COLLATION app.plain (locale = 'C')`, [
      ['locale', `CREATE COLLATION app.plain (locale = 'POSIX')`],
      ['provider', `CREATE COLLATION app.plain (provider = icu, locale = 'de-DE')`],
      ['only the order', `CREATE COLLATION app.plain (lc_collate = 'POSIX', lc_ctype = 'C')`],
    ]),
  },
  {
    kind: 'collation',
    name: 'app.words_of',
    create: `CREATE COLLATION app.words_of (provider = icu, locale = 'de-DE')`,
    drop: 'DROP COLLATION app.words_of',
    properties: anew(
      'DROP COLLATION app.words_of',
      `CREATE COLLATION app.words_of (provider = icu, locale = 'de-DE')`,
      [
        ['ICU locale', `CREATE COLLATION app.words_of (provider = icu, locale = 'sv-SE')`],
        [
          'not deterministic',
          `CREATE COLLATION app.words_of (provider = icu, locale = 'de-DE', deterministic = false)`,
        ],
      ],
    ),
  },
  {
    kind: 'conversion',
    name: 'app.conv',
    create: `CREATE CONVERSION app.conv FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1`,
    drop: 'DROP CONVERSION app.conv',
    owner: 'CONVERSION app.conv',
    comment: ['CONVERSION app.conv', 'conversion app.conv'],
    properties: anew(
      'DROP CONVERSION app.conv',
      `CREATE CONVERSION app.conv FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1`,
      [
        ['default', `CREATE DEFAULT CONVERSION app.conv FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1`],
        ['direction', `CREATE CONVERSION app.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8`],
      ],
    ),
  },
  {
    kind: 'text search configuration',
    name: 'app.words',
    create: 'CREATE TEXT SEARCH CONFIGURATION app.words (COPY = pg_catalog.simple)',
    drop: 'DROP TEXT SEARCH CONFIGURATION app.words',
    owner: 'TEXT SEARCH CONFIGURATION app.words',
    comment: ['TEXT SEARCH CONFIGURATION app.words', 'text search configuration app.words'],
    properties: [
      set(
        'mapping',
        'ALTER TEXT SEARCH CONFIGURATION app.words DROP MAPPING FOR word',
        'ALTER TEXT SEARCH CONFIGURATION app.words ADD MAPPING FOR word WITH simple',
      ),
      set(
        'dictionaries',
        'ALTER TEXT SEARCH CONFIGURATION app.words ALTER MAPPING FOR word WITH english_stem, simple',
        'ALTER TEXT SEARCH CONFIGURATION app.words ALTER MAPPING FOR word WITH simple',
      ),
      set(
        'order of dictionaries',
        'ALTER TEXT SEARCH CONFIGURATION app.words ALTER MAPPING FOR asciiword WITH simple, english_stem',
        'ALTER TEXT SEARCH CONFIGURATION app.words ALTER MAPPING FOR asciiword WITH simple',
      ),
    ],
  },
  {
    kind: 'text search configuration',
    name: 'app.read_by',
    needs: `CREATE TEXT SEARCH PARSER app.reads (${parser})`,
    create: 'CREATE TEXT SEARCH CONFIGURATION app.read_by (PARSER = "default")',
    drop: 'DROP TEXT SEARCH CONFIGURATION app.read_by',
    properties: anew(
      'DROP TEXT SEARCH CONFIGURATION app.read_by',
      'CREATE TEXT SEARCH CONFIGURATION app.read_by (PARSER = "default")',
      [['parser', 'CREATE TEXT SEARCH CONFIGURATION app.read_by (PARSER = app.reads)']],
    ),
  },
  {
    kind: 'text search dictionary',
    name: 'app.dict',
    create: 'CREATE TEXT SEARCH DICTIONARY app.dict (TEMPLATE = simple)',
    drop: 'DROP TEXT SEARCH DICTIONARY app.dict',
    owner: 'TEXT SEARCH DICTIONARY app.dict',
    comment: ['TEXT SEARCH DICTIONARY app.dict', 'text search dictionary app.dict'],
    properties: [
      set(
        'option',
        'ALTER TEXT SEARCH DICTIONARY app.dict (Accept = false)',
        'ALTER TEXT SEARCH DICTIONARY app.dict (Accept)',
      ),
      ...anew('DROP TEXT SEARCH DICTIONARY app.dict', 'CREATE TEXT SEARCH DICTIONARY app.dict (TEMPLATE = simple)', [
        ['template', 'CREATE TEXT SEARCH DICTIONARY app.dict (TEMPLATE = snowball, Language = english)'],
      ]),
    ],
  },
  {
    kind: 'text search parser',
    name: 'app.parse',
    create:
      'CREATE TEXT SEARCH PARSER app.parse (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)',
    drop: 'DROP TEXT SEARCH PARSER app.parse',
    comment: ['TEXT SEARCH PARSER app.parse', 'text search parser app.parse'],
    properties: anew(
      'DROP TEXT SEARCH PARSER app.parse',
      'CREATE TEXT SEARCH PARSER app.parse (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)',
      [
        [
          'headline',
          'CREATE TEXT SEARCH PARSER app.parse (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline)',
        ],
      ],
    ),
  },
  {
    kind: 'text search template',
    name: 'app.temp',
    create: 'CREATE TEXT SEARCH TEMPLATE app.temp (LEXIZE = dsimple_lexize)',
    drop: 'DROP TEXT SEARCH TEMPLATE app.temp',
    comment: ['TEXT SEARCH TEMPLATE app.temp', 'text search template app.temp'],
    properties: anew(
      'DROP TEXT SEARCH TEMPLATE app.temp',
      'CREATE TEXT SEARCH TEMPLATE app.temp (LEXIZE = dsimple_lexize)',
      [['initialisation', 'CREATE TEXT SEARCH TEMPLATE app.temp (INIT = dsimple_init, LEXIZE = dsimple_lexize)']],
    ),
  },
  {
    kind: 'language',
    name: 'app_lang',
    create: 'CREATE LANGUAGE app_lang HANDLER plpgsql_call_handler',
    drop: 'DROP LANGUAGE app_lang',
    owner: 'LANGUAGE app_lang',
    comment: ['LANGUAGE app_lang', 'language app_lang'],
    properties: anew('DROP LANGUAGE app_lang', 'CREATE LANGUAGE app_lang HANDLER plpgsql_call_handler', [
      ['trust', 'CREATE TRUSTED LANGUAGE app_lang HANDLER plpgsql_call_handler'],
      ['inline handler', 'CREATE LANGUAGE app_lang HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler'],
      ['validator', 'CREATE LANGUAGE app_lang HANDLER plpgsql_call_handler VALIDATOR plpgsql_validator'],
    ]),
  },
  {
    kind: 'language',
    name: 'app_safe',
    create: 'CREATE TRUSTED LANGUAGE app_safe HANDLER plpgsql_call_handler',
    drop: 'DROP LANGUAGE app_safe',
    grant: ['USAGE', 'LANGUAGE app_safe'],
  },
  {
    kind: 'transform',
    name: 'app.pair language plpgsql',
    needs: `CREATE TYPE app.pair AS (x int, y int); CREATE FUNCTION app.there(internal) RETURNS internal LANGUAGE internal IMMUTABLE AS 'prsd_lextype'`,
    create: 'CREATE TRANSFORM FOR app.pair LANGUAGE plpgsql (FROM SQL WITH FUNCTION app.there(internal))',
    drop: 'DROP TRANSFORM FOR app.pair LANGUAGE plpgsql',
    properties: [
      // Older servers word the name of a transform in another way.
      set(
        'comment',
        `COMMENT ON TRANSFORM FOR app.pair LANGUAGE plpgsql IS 'words'`,
        'COMMENT ON TRANSFORM FOR app.pair LANGUAGE plpgsql IS NULL',
        { named: 'comment on transform for app.pair language plpgsql', from: 18 },
      ),
    ],
  },
  {
    kind: 'access method',
    name: 'app_heap',
    create: 'CREATE ACCESS METHOD app_heap TYPE TABLE HANDLER heap_tableam_handler',
    drop: 'DROP ACCESS METHOD app_heap',
    comment: ['ACCESS METHOD app_heap', 'access method app_heap'],
    properties: anew(
      'DROP ACCESS METHOD app_heap',
      'CREATE ACCESS METHOD app_heap TYPE TABLE HANDLER heap_tableam_handler',
      [['type', 'CREATE ACCESS METHOD app_heap TYPE INDEX HANDLER bthandler']],
    ),
  },
];
