import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { splitScript, tokenizeStatement } from '../../../../../adapters/databases/postgresql/lexer.js';

interface ParsedStatement {
  readonly start: number;
  /** Where the semicolon or the end of the text is. */
  readonly end: number;
}

let parse: (sql: string) => { stmts?: { stmt_location?: number; stmt_len?: number }[] };

beforeAll(async () => {
  const parser = await import('libpg-query');
  await parser.loadModule();
  parse = (sql) => parser.parseSync(sql);
});

/** Boundaries by the server's own grammar, from UTF-8 bytes to UTF-16 units. */
function parserBoundaries(sql: string): readonly ParsedStatement[] {
  const bytes = Buffer.from(sql, 'utf8');
  const units = (position: number): number => bytes.subarray(0, position).toString('utf8').length;
  return (parse(sql).stmts ?? []).map((statement) => {
    const start = statement.stmt_location ?? 0;
    const length = statement.stmt_len ?? 0;
    return { start: units(start), end: length === 0 ? sql.length : units(start + length) };
  });
}

/** Removes what may stand between the last token of a statement and its semicolon. */
function onlyBlanksAndComments(text: string): boolean {
  return splitScript(text).statements.length === 0;
}

function expectSameAsParser(sql: string): void {
  const expected = parserBoundaries(sql);
  const { statements, problems } = splitScript(sql);
  expect(problems).toEqual([]);
  // Up to 17 a location included leading comments; take the first token in either case.
  expect(statements.map((statement) => statement.offset)).toEqual(expected.map(({ start }) => start));
  for (const [index, statement] of statements.entries()) {
    const end = statement.offset + statement.text.length;
    expect(sql.slice(statement.offset, end)).toBe(statement.text);
    expect(onlyBlanksAndComments(sql.slice(end, expected[index]?.end))).toBe(true);
  }
}

const valid: Record<string, string> = {
  'two statements on one line': 'select 1; select 2',
  'empty statements': ';; select 1;;; select 2;;',
  'nested block comments': 'select /* a /* b ; */ c ; */ 1; select 2 /* ; */ ;',
  'a block comment full of stars': 'select 1 /***; **/; select 2 /*/*;*/*/;',
  'line comments': "select 1 -- it's ; here\n; -- another ; one\nselect 2",
  'a line comment behind an operator': 'select 1 +-- ; \n 2; select 3',
  'a comment behind a slash': 'select 4 //* ; */ 2; select 3',
  'doubled quotes': "select 'it''s ; fine'; select '''';",
  'backslash in a standard string': "select '\\'; select ';\\';",
  'escape strings': "select E'a\\'; b'; select e'\\\\'; select E'''';",
  'an escape string carried on over a line': "select E'a'\n  'b\\'; c'; select 2",
  'a standard string carried on': "select 'a'\n'b\\'; select 2",
  'unicode strings and names': 'select U&\'\\0061;\' as U&"d;\\0061"; select 2',
  'bit and national strings': "select B'01', X'1F', N'a;b'; select 2",
  'a word that ends in e before a string': "select date'2020-01-01'; select 2",
  'quoted identifiers': 'select 1 as "a;""b"; select 2 as "--"',
  'dollar quotes': 'select $$a;b$$; select $t$ $$;$$ $x$; $t$; select $é1$;$é1$',
  'dollar signs inside names': 'select 1 as a$b$; select 2 as c$b$',
  'dollar signs behind letters above ASCII': 'select 1 as é$b$; select 2 as c$b$',
  'a DO block': "do $$ begin perform 1; raise notice ';'; end; $$; select 1",
  'a parameter before a name': 'prepare p as select $1, $2; select 2',
  'casts, slices and named arguments': "select a[1:2], 'x'::text, f(b := 1), f(c => 2) from t; select 2",
  'JSON_OBJECT with colons': "select json_object('a':1, 'b' : 2); select 2",
  'a rule with several commands': 'create rule r as on insert to t do also (delete from a; delete from b); select 1',
  'a rule with one command': 'create rule r as on update to t do instead nothing; select 1',
  'BEGIN ATOMIC': 'create function f() returns int begin atomic select 1; select 2; end; select 3',
  'BEGIN ATOMIC with CASE': `create or replace function f(a int) returns int language sql
    begin atomic
      select case when a > 1 then case a when 2 then 1 else 0 end else 2 end;
      -- end;
      update t set a = 1 where b = 'end;';
      select 1 as end; select 1 end; select x.end from x;
    end; select 3;`,
  'an empty BEGIN ATOMIC': 'create procedure p() begin atomic end; select 3',
  'BEGIN ATOMIC of a procedure':
    'CREATE PROCEDURE p() LANGUAGE sql BEGIN ATOMIC INSERT INTO t VALUES (1); END; SELECT 1',
  'a function with RETURN': 'create function f() returns int return 1; select 3',
  'parameters named begin and atomic': 'create function f("begin" int, atomic int) returns int return 1; select 3',
  transactions: 'begin; savepoint a; rollback to a; commit and chain; end; select 1',
  'CREATE SCHEMA with elements': 'create schema s create table t (a int) create view v as select 1; select 2',
  'CRLF line endings': "select 1;\r\n-- c ; \r\nselect\r\n2;\r\nselect E'a'\r\n'\\';'\r\n;",
  'CR line endings': 'select 1; -- c ; \rselect 2;\r',
  'letters of every length': "select 'ä€😀;' as \"😀;\"; /* 😀; */ select 'é'; select 2 as ä😀",
  'form feed and tab': 'select\t1;\fselect 2',
  'only comments': '-- a\n/* b; */',
  'COPY from a file': "copy t from '/tmp/x' with (format csv); select 1",
  'COPY of a query': 'copy (select 1 from stdin) to stdout; select 1',
  'comments before a semicolon': 'select 1 /* a */ -- b\n ; select 2 -- c',
};

describe('splitScript and the parser of the server', () => {
  test.each(Object.entries(valid))('find the same boundaries in %s', (_name, sql) => {
    expectSameAsParser(sql);
  });

  test('differ where libpg-query breaks a literal that a comment line carries on, which a server of 18.4 does not', () => {
    // Checked by running it on a server: SELECT E'a' -- c ↵ 'b\'; c' returns one row, ab'; c.
    const sql = "select E'a' -- c\n 'b\\'; c'; select 2";
    expect(() => parserBoundaries(sql)).toThrow(/syntax error/);
    expect(splitScript(sql).statements.map(({ text }) => text)).toEqual(["select E'a' -- c\n 'b\\'; c'", 'select 2']);
  });

  test('find the same boundaries in any concatenation of statements and gaps', () => {
    const statements = Object.values(valid).flatMap((sql) => splitScript(sql).statements.map(({ text }) => text));
    const gap = fc.constantFrom(';', '; ', ';\n', ' ;\r\n', "; -- c ; '\n", ';/* /* ; */ $$ */', ' -- d\n;;', ';\r');
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...statements), gap), { maxLength: 8 }), (parts) => {
        const sql = parts.map(([text, between]) => text + between).join('');
        // The generated statements must come back exactly, and the real parser must agree.
        expect(splitScript(sql).statements.map(({ text }) => text)).toEqual(parts.map(([text]) => text));
        if (sql !== '') expectSameAsParser(sql);
      }),
      { numRuns: 300 },
    );
  });

  test('agree on generated soups of tokens whenever the parser accepts them', () => {
    const piece = fc.constantFrom(
      ...["'a'", "E'\\''", "'\\'", "'", '"b"', '$$', '$a$', 'a$a$', '1', 'x', '-', '--', '/*', '*/', '\n', ';', ' '],
      ...['(', ')', 'select ', ' as ', ',', '+', 'end', '::text', '$1', "U&'x'", '\\', "''", 'é', "e'", "b'", '$é$'],
    );
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const sql = `select 1${pieces.join('')};select 'z'`;
        let known: readonly ParsedStatement[];
        try {
          known = parserBoundaries(sql);
        } catch {
          return;
        }
        accepted++;
        const { statements, metaCommands } = splitScript(sql);
        if (metaCommands.length > 0) return;
        expect(statements.map(({ offset }) => offset)).toEqual(known.map(({ start }) => start));
      }),
      { numRuns: 20_000 },
    );
    expect(accepted).toBeGreaterThan(300);
  });
});

describe('splitScript', () => {
  test('never throws, keeps texts exact and in order, on any string', () => {
    const soup = fc.string({
      unit: fc.constantFrom(...'\'"$\\;-/*()[]:eEuU&abBEGINATOMICcopyfromstdin \n\r\t\0😀.'.split('')),
    });
    fc.assert(
      fc.property(fc.oneof(soup, fc.string({ unit: 'binary' })), (text) => {
        const { statements, comments, metaCommands } = splitScript(text);
        let last = 0;
        for (const statement of statements) {
          expect(statement.offset).toBeGreaterThanOrEqual(last);
          expect(text.startsWith(statement.text, statement.offset)).toBe(true);
          expect(statement.text.length).toBeGreaterThan(0);
          last = statement.offset + statement.text.length;
          const before = text.slice(0, statement.offset);
          const lines = before.split(/\r\n|\r|\n/);
          if (!(before.endsWith('\r') && text[statement.offset] === '\n')) {
            expect([statement.line, statement.column]).toEqual([lines.length, (lines.at(-1) ?? '').length + 1]);
          }
        }
        for (const comment of comments) {
          if (comment.inside) continue;
          const before = statements[comment.afterStatement];
          if (before !== undefined) expect(comment.offset).toBeGreaterThanOrEqual(before.offset + before.text.length);
          const after = statements[comment.afterStatement + 1];
          if (after !== undefined) expect(comment.offset).toBeLessThan(after.offset);
        }
        for (const command of metaCommands) expect(text[command.offset]).toMatch(/[\\:]/);
      }),
      { numRuns: 5000 },
    );
  });

  test('loses nothing but blanks, comments, semicolons and commands', () => {
    const text = 'a; b -- c\n; /* d */ e';
    const { statements, comments } = splitScript(text);
    expect(statements.map((statement) => statement.text)).toEqual(['a', 'b', 'e']);
    expect(comments.map(({ text: words, afterStatement, inside }) => [words, afterStatement, inside])).toEqual([
      ['c', 1, false],
      ['d', 1, false],
    ]);
  });

  test('says which statement a comment follows or lies in', () => {
    const { comments } = splitScript('-- head\nselect 1; -- one\nselect -- in\n 2\n-- tail');
    expect(comments.map(({ text, line, afterStatement, inside }) => [text, line, afterStatement, inside])).toEqual([
      ['head', 1, -1, false],
      ['one', 2, 0, false],
      ['in', 3, 0, true],
      ['tail', 5, 1, false],
    ]);
  });

  test('takes the data of COPY FROM STDIN up to its closing line', () => {
    const { statements, problems } = splitScript(
      "COPY t (a, b) FROM stdin; -- data\n1\tit's; -- not SQL\n\\N\t$$\n\\.\nSELECT 1;\r\ncopy u from STDIN with (format csv);\r\n1,2\r\n\\.\r\nselect 2",
    );
    expect(problems).toEqual([]);
    expect(statements.map(({ text, line, copyData }) => [text, line, copyData])).toEqual([
      ['COPY t (a, b) FROM stdin', 1, "1\tit's; -- not SQL\n\\N\t$$\n"],
      ['SELECT 1', 5, undefined],
      ['copy u from STDIN with (format csv)', 6, '1,2\r\n'],
      ['select 2', 9, undefined],
    ]);
  });

  test('takes a COPY without rows', () => {
    expect(splitScript('copy t from stdin;\n\\.\n').statements[0]?.copyData).toBe('');
  });

  test('reports COPY data that never ends, that begins on the same line or that is missing', () => {
    expect(splitScript('copy t from stdin;\n1\n2\n').problems[0]).toMatchObject({
      line: 1,
      message: expect.stringMatching(/never ends/) as string,
    });
    expect(splitScript('copy t from stdin; 1\n\\.\n').problems[0]).toMatchObject({
      line: 1,
      message: expect.stringMatching(/next line/) as string,
    });
    expect(splitScript('select 1;\ncopy t from stdin').problems[0]).toMatchObject({
      line: 2,
      message: expect.stringMatching(/semicolon/) as string,
    });
  });

  test('reads as COPY FROM STDIN only what is', () => {
    for (const sql of [
      'copy t to stdout;\n1;',
      "copy t from 'stdin';\n1;",
      'select a from stdin;\n1;',
      'copy (select a from stdin) to stdout;\n1;',
    ]) {
      expect(splitScript(sql).statements).toHaveLength(2);
    }
  });

  test.each([
    ["select 1;\n  select 'abc; select 2", 2, 10, /string/],
    ['select 1;\nselect "abc; select 2', 2, 8, /identifier/],
    ['select $q$ abc; $$; select 2', 1, 8, /\$q\$/],
    ['select 1; /* abc /* */ select 2', 1, 11, /comment/],
    ["select E'abc\\'; select 2", 1, 8, /string/],
    ['select (1; select 2', 1, 8, /parenthesis/],
    ['create function f() begin atomic select 1; select 2', 1, 1, /BEGIN ATOMIC/],
  ])('reports what is left open: %s', (sql, line, column, message) => {
    expect(splitScript(sql).problems).toEqual([
      { line, column, offset: expect.any(Number) as number, message: expect.stringMatching(message) as string },
    ]);
  });

  test('returns psql commands apart, to the end of their line', () => {
    const { statements, metaCommands, problems } = splitScript(
      "\\set ON_ERROR_STOP on\r\nselect '\\x'; \\echo it's done\nselect 1 \\gexec\nselect 2;\\q",
    );
    expect(problems).toEqual([]);
    expect(statements.map(({ text }) => text)).toEqual(["select '\\x'", 'select 1', 'select 2']);
    expect(metaCommands.map(({ text, line, afterStatement, inside }) => [text, line, afterStatement, inside])).toEqual([
      ['\\set ON_ERROR_STOP on', 1, -1, false],
      ["\\echo it's done", 2, 0, false],
      ['\\gexec', 3, 1, true],
      ['\\q', 4, 2, false],
    ]);
  });

  test.each([
    ['select :version', ':version'],
    ["delete from t where v = :'version'", ":'version'"],
    ['drop table :"name"', ':"name"'],
    ['select :{?name}', ':{?name}'],
    ['select (:a)', ':a'],
  ])('returns the psql variable in %s', (sql, variable) => {
    expect(splitScript(sql).metaCommands.map(({ text }) => text)).toEqual([variable]);
  });

  test.each([
    "select 'a :b'",
    'select a[1:b], a[:b]',
    'select a::int, a ::int',
    'select f(a := b)',
    "select json_object('a':b, c: d, 'e' : f)",
    'select $$ :x $$ -- :y',
    'select "a :b" /* :c */',
  ])('finds no psql variable in %s', (sql) => {
    expect(splitScript(sql).metaCommands).toEqual([]);
  });

  test('takes time in proportion to the length, whatever the text', { timeout: 120_000 }, () => {
    const hostile = [
      '-- a\n',
      "E''--\n",
      '$a ',
      '/*',
      '(',
      "'",
      '"',
      '$a$b',
      '\\x\n',
      ' :a ',
      'a;',
      "E'\\",
      '\r',
      'copy t from stdin;\n',
    ];
    for (const unit of hostile) {
      const timed = (size: number): number => {
        const text = unit.repeat(size / unit.length);
        let best = Number.POSITIVE_INFINITY;
        for (let turn = 0; turn < 3; turn++) {
          const begin = process.cpuUsage().user;
          splitScript(text);
          best = Math.min(best, process.cpuUsage().user - begin);
        }
        return best;
      };
      timed(100_000);
      // Ten times the text; a quadratic scan would take a hundred times as long. A floor keeps the clock's grain out.
      expect(timed(2_000_000), unit).toBeLessThan(40 * Math.max(timed(200_000), 5000));
    }
  });

  test('splits a script of 50 MB', { timeout: 120_000 }, () => {
    const line = "INSERT INTO shop.orders (id, note) VALUES (1, 'x; y'), (2, $$z;$$); -- note\n";
    const count = Math.ceil((50 * 1024 * 1024) / line.length);
    const { statements, comments } = splitScript(line.repeat(count));
    expect(statements).toHaveLength(count);
    expect(comments).toHaveLength(count);
    expect(statements.at(-1)?.line).toBe(count);
  });
});

describe('tokenizeStatement', () => {
  test('folds names as the server does and keeps quoted ones', () => {
    expect(
      tokenizeStatement(`Delete /* x */ FROM "S"."a""b" -- c\nWHERE v='1''2'`).map(({ kind, value }) => [kind, value]),
    ).toEqual([
      ['word', 'delete'],
      ['word', 'from'],
      ['name', 'S'],
      ['sign', '.'],
      ['name', 'a"b'],
      ['word', 'where'],
      ['word', 'v'],
      ['sign', '='],
      ['string', "1'2"],
    ]);
  });

  test('reads prefixed strings, numbers and code', () => {
    expect(tokenizeStatement("E'a\\'b' $x$ y $x$ 1.50 N'c' $1").map(({ kind, value }) => [kind, value])).toEqual([
      ['string', "a\\'b"],
      ['code', ' y '],
      ['number', '1.50'],
      ['string', 'c'],
      ['sign', '$'],
      ['number', '1'],
    ]);
  });

  test('stops at the limit', () => {
    expect(tokenizeStatement('a b c d', 2)).toHaveLength(2);
  });

  test('never throws and always moves forward', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        let last = 0;
        for (const token of tokenizeStatement(text)) {
          expect(token.offset).toBeGreaterThanOrEqual(last);
          expect(token.length).toBeGreaterThan(0);
          last = token.offset + token.length;
        }
        expect(last).toBeLessThanOrEqual(text.length);
      }),
    );
  });
});
