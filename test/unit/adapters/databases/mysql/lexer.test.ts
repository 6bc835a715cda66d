import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitScript, tokenizeStatement } from '../../../../../adapters/databases/mysql/lexer.js';

function texts(script: string, options = {}): readonly string[] {
  return splitScript(script, options).statements.map(({ text }) => text);
}

function problems(script: string, options = {}): readonly string[] {
  return splitScript(script, options).problems.map(({ message, line, column }) => `${line}:${column} ${message}`);
}

describe('statements', () => {
  it('end at semicolons outside of quotes and comments', () => {
    const script = `SELECT ';' , ";", \`;\`; # a ; b
      SELECT 'it''s ; \\'; ', "say ""x;"" \\";" -- one; two
      ; /* ; */ SELECT 1--1; SELECT 2-- ;
      ;`;
    expect(texts(script)).toEqual([
      'SELECT \';\' , ";", `;`',
      `SELECT 'it''s ; \\'; ', "say ""x;"" \\";"`,
      'SELECT 1--1',
      'SELECT 2',
    ]);
    expect(
      splitScript(script).comments.map(({ text, afterStatement, inside }) => [text, afterStatement, inside]),
    ).toEqual([
      ['a ; b', 0, false],
      ['one; two', 1, false],
      [';', 1, false],
      [';', 3, false],
    ]);
    expect(problems(script)).toEqual([]);
  });

  it('"--" is a comment before a blank, a control character and the end; between two statements always', () => {
    expect(texts('SELECT 1--2;--;\nSELECT 3 --\t;\n;SELECT 4 --\u0001;\n;--x;\nSELECT 5 --')).toEqual([
      'SELECT 1--2',
      'SELECT 3',
      'SELECT 4',
      'SELECT 5',
    ]);
  });

  it('keep what versioned comments hold', () => {
    const script = `/*!40101 SET NAMES utf8 */;
/*!50003 CREATE*/ /*!50017 DEFINER=\`a;b\`@\`%\`*/ /*M!100100 VIEW v AS */ SELECT 1;
/* plain; */ /*! */;`;
    expect(texts(script)).toEqual([
      '/*!40101 SET NAMES utf8 */',
      '/*!50003 CREATE*/ /*!50017 DEFINER=`a;b`@`%`*/ /*M!100100 VIEW v AS */ SELECT 1',
      '/*! */',
    ]);
    expect(problems(script)).toEqual([]);
  });

  it('have the place of their first token', () => {
    const { statements } = splitScript('-- x\n\n  SELECT 1; é = SELECT 2;');
    expect(statements.map(({ line, column, offset }) => [line, column, offset])).toEqual([
      [3, 3, 8],
      [3, 13, 18],
    ]);
  });

  it('follow the modes of the server', () => {
    expect(texts("SELECT '\\'; SELECT 2; --'", { noBackslashEscapes: true })).toEqual(["SELECT '\\'", 'SELECT 2']);
    expect(texts('SELECT 1 AS "\\"; SELECT 2', { ansiQuotes: true })).toEqual(['SELECT 1 AS "\\"', 'SELECT 2']);
    expect(texts('SELECT "\\"; SELECT 2"')).toEqual(['SELECT "\\"; SELECT 2"']);
  });
});

describe('DELIMITER', () => {
  it('changes what ends a statement, until it is changed again', () => {
    const script = `SELECT 1;
  delimiter //
CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET NEW.a = 1; END//
CREATE PROCEDURE p() BEGIN SELECT 1; END; //
SELECT 2; SELECT 3//
DELIMITER ;
SELECT 4;`;
    expect(texts(script)).toEqual([
      'SELECT 1',
      'CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET NEW.a = 1; END',
      'CREATE PROCEDURE p() BEGIN SELECT 1; END',
      'SELECT 2',
      'SELECT 3',
      'SELECT 4',
    ]);
    expect(splitScript(script).problems).toEqual([]);
    expect(splitScript(script).metaCommands).toEqual([]);
  });

  it('is any text, in quotes too, and ends statements in the middle of a word', () => {
    expect(texts('DELIMITER "go"\nSELECT 1gogo SELECT \'go\' go')).toEqual(['SELECT 1', "SELECT 'go'"]);
    expect(texts('DELIMITER $$ -- dollars\nSELECT 1$$')).toEqual(['SELECT 1']);
    expect(texts('DELIMITER ;;\nSELECT 1;;')).toEqual(['SELECT 1']);
    expect(texts('\\d |\nSELECT 1|')).toEqual(['SELECT 1']);
  });

  it('counts only at the beginning of a line between two statements', () => {
    expect(problems('SELECT 1; DELIMITER //\nSELECT 2;')).toEqual([
      '1:11 DELIMITER must stand at the beginning of a line of its own.',
    ]);
    expect(problems('/* x */ DELIMITER //\n;')).toEqual([
      '1:9 DELIMITER must stand at the beginning of a line of its own.',
    ]);
    expect(texts('CREATE TABLE t (\n  delimiter CHAR(1),\n  b INT);')).toHaveLength(1);
    expect(problems('SELECT 1; DELIMITER ;')).toEqual([
      '1:11 DELIMITER must stand at the beginning of a line of its own.',
    ]);
    expect(problems('DELIMITER //\nCREATE PROCEDURE p() BEGIN END\nDELIMITER ;\nSELECT 1;')).toEqual([
      '3:1 DELIMITER stands in the middle of a statement: the one before it has no // at its end.',
    ]);
  });

  it('is still needed where the server alone would cut', () => {
    expect(problems('DELIMITER //\nSELECT 1;\nDELIMITER ;\nSELECT 2;')).toEqual([
      '3:1 DELIMITER stands in the middle of a statement: the one before it has no // at its end.',
    ]);
    expect(texts('DELIMITER //\nSELECT 1;\n--2; SELECT 3//')).toEqual(['SELECT 1', '--2', 'SELECT 3']);
  });

  it('needs a text that it can use', () => {
    expect(problems('DELIMITER\nSELECT 1;')).toEqual([
      '1:1 DELIMITER must be followed by the text that shall end statements.',
    ]);
    expect(problems('DELIMITER \\\\')).toEqual(['1:1 A delimiter cannot hold a backslash.']);
    expect(problems(`DELIMITER ${'x'.repeat(16)}`)).toEqual(['1:1 A delimiter cannot be longer than 15 characters.']);
  });
});

const missing = (line: number, cut: number): string =>
  `${line}:1 A DELIMITER command is missing before this statement: the mysql client ends it at the first semicolon of its body, on line ${cut}.`;

describe('a body without DELIMITER', () => {
  it.each([
    'CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN\n SET NEW.a = 1;\nEND;',
    'CREATE PROCEDURE p(IN a INT) IF a THEN\n SELECT 1; ELSE SELECT 2; END IF;',
    'CREATE DEFINER = CURRENT_USER PROCEDURE p()\n BEGIN DECLARE x INT; WHILE 1 DO SET x = IF(1, 2, 3); END WHILE; END;',
    'CREATE FUNCTION f() RETURNS INT DETERMINISTIC BEGIN\n RETURN CASE WHEN 1 THEN IF(1, 2, 3) ELSE 2 END; END;',
    'CREATE EVENT IF NOT EXISTS e ON SCHEDULE EVERY 1 DAY DO BEGIN\n CASE 1 WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE; END;',
    'CREATE PROCEDURE p() BEGIN\n DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; END; a: LOOP LEAVE a; END LOOP a; REPEAT SET @x = 1; UNTIL 1 END REPEAT; END;',
    'BEGIN NOT ATOMIC\n DECLARE a INT; SELECT begin.end FROM begin; END;',
    'IF 1 THEN\n SELECT 1; END IF;',
  ])('is kept whole, and the place is told: %s', (statement) => {
    const script = `${statement}\nSELECT 'behind';`;
    expect(texts(script)).toEqual([statement.slice(0, -1), "SELECT 'behind'"]);
    expect(problems(script)).toEqual([missing(1, 2)]);
  });

  it.each([
    'CREATE TRIGGER t BEFORE UPDATE ON x FOR EACH ROW SET NEW.a = IF(1, 2, 3)',
    'CREATE TRIGGER IF NOT EXISTS t BEFORE INSERT ON x FOR EACH ROW CALL p()',
    'CREATE FUNCTION f() RETURNS VARCHAR(9) CHARACTER SET utf8mb4 RETURN CASE 1 WHEN 1 THEN 2 END',
    'CREATE EVENT e ON SCHEDULE AT NOW() DO DELETE FROM t',
    'CREATE TABLE event (begin INT, function INT)',
    'BEGIN',
    'BEGIN WORK',
    'DROP TRIGGER IF EXISTS t',
  ])('is none where one statement is the body: %s', (statement) => {
    expect(texts(`${statement};SELECT 1;`)).toEqual([statement, 'SELECT 1']);
    expect(problems(`${statement};SELECT 1;`)).toEqual([]);
  });

  it('is told when the words do not say where it began', () => {
    expect(problems('x: BEGIN\n SELECT 1;\nEND x;')).toEqual([
      '3:1 END stands here outside of any body: a DELIMITER command is missing before the statement that it belongs to.',
    ]);
    expect(problems('CREATE PROCEDURE p() BEGIN SELECT 1;\n SELECT 2;')).toEqual([
      missing(1, 1),
      '1:1 The body of this statement has no END.',
    ]);
  });
});

describe('what is for the client', () => {
  it('ends statements with \\g and \\G, and knows \\N', () => {
    expect(texts('SELECT 1\\G\nSELECT \\N\\g SELECT 3')).toEqual(['SELECT 1', 'SELECT \\N', 'SELECT 3']);
  });

  it('is returned apart', () => {
    const { statements, metaCommands } = splitScript(
      'SELECT 1;\nsource other.sql\n\\. third.sql\n\\! rm x; SELECT 2;\nexit\nquit now; quit;\nSTATUS\n',
    );
    expect(statements.map(({ text }) => text)).toEqual(['SELECT 1', 'SELECT 2', 'quit now']);
    expect(metaCommands.map(({ text, line, afterStatement }) => [text, line, afterStatement])).toEqual([
      ['source other.sql', 2, 0],
      ['\\. third.sql', 3, 0],
      ['\\! rm x', 4, 0],
      ['exit', 5, 1],
      ['quit', 6, 2],
      ['STATUS', 7, 2],
    ]);
    expect(splitScript('SELECT 1\n \\c SELECT 2;').metaCommands).toMatchObject([
      { text: '\\c SELECT 2', inside: true },
    ]);
  });

  it('USE is SQL, and ends with its line', () => {
    expect(texts('use shop\nSELECT 1; USE `a`;')).toEqual(['use shop', 'SELECT 1', 'USE `a`']);
  });
});

it.each([
  ["SELECT 1;\n  'abc", '2:3 A string begins here and never ends.'],
  ['SELECT `abc', '1:8 A quoted name begins here and never ends.'],
  [
    'SELECT /*!50003 1, /* x */ 2 */;',
    '1:20 A comment stands here inside one for some servers only: the mysql client loses what follows it.',
  ],
  ['/* abc', '1:1 A comment begins here and never ends.'],
  [
    'SELECT 1 /*! + 1; SELECT 2',
    '1:1 A comment for some servers only begins in this statement and does not end in it.',
  ],
])('what never ends, or is lost, is a problem: %s', (script, problem) => {
  expect(problems(script)).toEqual([problem]);
});

it('reads tokens', () => {
  const tokens = tokenizeStatement(
    "/*!50003 CREATE*/ Table `A``b` # x\n(x'41', N'\\'é', \"q\\n\", _utf8mb4'z', @a:=1e5) -- end",
  );
  expect(tokens.map(({ kind, value }) => `${kind} ${value}`)).toEqual([
    'word create',
    'word table',
    'name A`b',
    'sign (',
    'string 41',
    'sign ,',
    "string 'é",
    'sign ,',
    'string q\n',
    'sign ,',
    'string z',
    'sign ,',
    'sign @',
    'word a',
    'sign :',
    'sign =',
    'number 1e5',
    'sign )',
  ]);
  expect(tokenizeStatement('SELECT "a"', 9, { ansiQuotes: true })[1]).toMatchObject({ kind: 'name', value: 'a' });
});

it('never throws, loses no statement text and ends', () => {
  const piece = fc.constantFrom(
    ...[
      "'",
      '"',
      '`',
      '\\',
      ';',
      '--',
      '#',
      '/*',
      '*/',
      '/*!',
      '\n',
      ' ',
      'DELIMITER //\n',
      '//',
      'BEGIN',
      'END',
      'CASE',
      'a',
      '1',
      '@',
      '\\G',
      'CREATE TRIGGER',
    ],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const script = pieces.join('');
      const { statements, comments, metaCommands } = splitScript(script);
      let last = 0;
      for (const { text, offset } of statements) {
        expect(offset).toBeGreaterThanOrEqual(last);
        expect(script.slice(offset, offset + text.length)).toBe(text);
        last = offset + text.length;
      }
      for (const { offset } of [...comments, ...metaCommands]) expect(offset).toBeLessThan(script.length);
    }),
    { numRuns: 2000 },
  );
});

it.each([
  ["'", 400_000],
  ['/*', 400_000],
  ['/*!', 300_000],
  ['\\', 400_000],
  ['DELIMITER x\n', 60_000],
  ['CASE ', 200_000],
  ['a;', 300_000],
  ['\n ', 300_000],
  ['BEGIN;', 100_000],
])('takes linear time over many %j', (piece, count) => {
  const started = performance.now();
  splitScript(`CREATE PROCEDURE p() BEGIN ${piece.repeat(count)}`);
  splitScript(piece.repeat(count));
  expect(performance.now() - started).toBeLessThan(3000);
});
