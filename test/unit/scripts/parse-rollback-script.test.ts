import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FlybackError } from '../../../src/errors/error.js';
import { historyDeleteFindings } from '../../../src/scripts/parse-rollback-script.js';
import { scriptFindings } from '../../../src/scripts/script-findings.js';
import { codes, errors, readScript } from './read-script.js';

const texts = (script: ReturnType<typeof readScript>): readonly string[] => script.statements.map(({ text }) => text);
const parts = (script: ReturnType<typeof readScript>): readonly string[] =>
  script.takenOver.map(({ part, line }) => `${part} ${String(line)}`);

describe('a script in the form that teams write by hand', () => {
  test('is understood part by part, and what flyback does better is taken over', () => {
    const script = readScript(`-- ROLLBACK: Remove ON DELETE actions (restore NO ACTION default)
-- WARNING: This rollback may fail if data violates constraints

BEGIN;

-- Step 1: Disable triggers to prevent cascade issues
SET session_replication_role = 'replica';

ALTER TABLE wallets DROP CONSTRAINT IF EXISTS fk_wallets_user;
ALTER TABLE wallets ADD CONSTRAINT fk_wallets_user
    FOREIGN KEY (user_id) REFERENCES users(id);

SET session_replication_role = 'origin';

DELETE FROM flyway_schema_history WHERE version = '7';

COMMIT;

SELECT tc.table_name, tc.constraint_name, rc.delete_rule
FROM information_schema.table_constraints tc
JOIN information_schema.referential_constraints rc ON tc.constraint_name = rc.constraint_name
ORDER BY tc.table_name;

-- Expected: All delete_rule should be 'NO ACTION'
`);
    expect(texts(script).map((text) => text.slice(0, 30))).toEqual([
      'ALTER TABLE wallets DROP CONST',
      'ALTER TABLE wallets ADD CONSTR',
    ]);
    expect(parts(script)).toEqual(['begin 4', 'replica-on 7', 'replica-off 13', 'history-delete 15', 'commit 17']);
    expect(script.takenOver.every(({ instead }) => instead.startsWith('flyback '))).toBe(true);
    expect(script.verifications).toMatchObject([
      { name: 'query on line 19', expectation: { kind: 'every', column: 'delete_rule', value: 'NO ACTION' } },
    ]);
    expect(codes(script)).toEqual(['verification-after-commit 19']);
  });

  test('with a vague expectation says that nothing is verified by it', () => {
    const script = readScript(`BEGIN;
CREATE TABLE transactions_backup_rollback AS
SELECT * FROM transactions;
DROP TABLE IF EXISTS transactions CASCADE;
DELETE FROM flyway_schema_history WHERE version = '007';
COMMIT;

-- If rollback successful and data needs restoration:
-- RESTORE FROM: transactions_backup_rollback

SELECT COUNT(*) FROM transactions_backup_rollback;
-- Verify backup contains expected data before proceeding
`);
    expect(codes(script)).toEqual(['query-without-expectation 11', 'expectation-not-understood 12']);
    expect(errors(script)).toEqual([]);
    expect(texts(script)).toHaveLength(3);
  });

  test('with configuration of the server runs statement by statement, because its transaction is impossible', () => {
    const script = readScript(`BEGIN;
ALTER SYSTEM SET max_connections = 200;
ALTER SYSTEM SET work_mem = '4MB';
SELECT pg_reload_conf();
DROP VIEW IF EXISTS connection_usage_by_database CASCADE;
DELETE FROM flyway_schema_history WHERE version = '7';
COMMIT;
SELECT name, setting FROM pg_settings WHERE name = 'max_connections';
-- Expected: 200
`);
    expect(codes(script)).toEqual(['transaction-impossible 2', 'verification-after-commit 8']);
    expect(errors(script)).toEqual([]);
    expect(script.transaction).toBe('off');
    expect(script.findings[0]?.message).toContain('ALTER SYSTEM');
    expect(parts(script)).toEqual(['begin 1', 'history-delete 6', 'commit 7']);
    expect(texts(script)).toHaveLength(4);
    expect(script.verifications[0]?.expectation).toEqual({ kind: 'value', value: '200' });
  });

  test('that ends with ROLLBACK has not been reviewed and is not committed silently', () => {
    const script = readScript(
      "BEGIN;\nDROP TABLE a;\nDELETE FROM flyway_schema_history WHERE version = '7';\nROLLBACK;  -- Change to COMMIT after testing\n",
    );
    expect(errors(script)).toEqual(['script-unreviewed 4']);
    expect(parts(script)).toContain('rollback 4');
  });
});

describe('history deletes', () => {
  test.each([
    "DELETE FROM flyway_schema_history WHERE version = '7'",
    "delete from public.flyway_schema_history where version='7'",
    'DELETE FROM "public"."flyway_schema_history" WHERE "version" = \'7\'',
    "DELETE FROM ONLY flyway_schema_history AS h WHERE h.version = '7' AND h.success",
    "DELETE FROM flyway_schema_history h WHERE (h.version = '7') AND success = true RETURNING *",
    "DELETE FROM flyway_schema_history WHERE version IN ('7')",
    "DELETE /* c */ FROM flyway_schema_history -- c\n WHERE version::text = '7'::text",
    "DELETE FROM flyway_schema_history WHERE version = '7' AND script = 'V7__x.sql'",
  ])('are taken over: %s', (sql) => {
    const script = readScript(`DROP TABLE a; ${sql};`);
    expect(errors(script)).toEqual([]);
    expect(script.takenOver).toMatchObject([{ part: 'history-delete', versionText: '7' }]);
    expect(texts(script)).toEqual(['DROP TABLE a']);
  });

  test('are taken over by rank, and by the highest rank', () => {
    expect(
      readScript('DROP TABLE a; DELETE FROM flyway_schema_history WHERE installed_rank = 12').takenOver,
    ).toMatchObject([{ part: 'history-delete', rank: 12 }]);
    const newest =
      'DELETE FROM flyway_schema_history WHERE installed_rank = (SELECT MAX(installed_rank) FROM flyway_schema_history)';
    expect(parts(readScript(`DROP TABLE a; ${newest}`))).toEqual(['history-delete 1']);
  });

  test('of another version are refused', () => {
    expect(errors(readScript("DROP TABLE a;\nDELETE FROM flyway_schema_history WHERE version = '8';"))).toEqual([
      'history-delete-other-version 2',
    ]);
  });

  test('with a version text that the row does not have are corrected aloud', () => {
    const sql = "DROP TABLE a;\nDELETE FROM flyway_schema_history WHERE version = '1';";
    const script = readScript(sql, { version: '001', storedVersion: '001' });
    expect(codes(script)).toEqual(['history-delete-text 2']);
    expect(script.findings[0]?.message).toContain("'001'");
    expect(codes(readScript(sql, { version: '001', storedVersion: '1' }))).toEqual([]);
    expect(codes(readScript(sql, { version: '001' }))).toEqual([]);
  });

  test('are compared with the row once it is known', () => {
    const script = readScript('DROP TABLE a; DELETE FROM flyway_schema_history WHERE installed_rank = 12');
    expect(historyDeleteFindings(script, { versionText: '7', rank: 12 })).toEqual([]);
    expect(historyDeleteFindings(script, { versionText: '7', rank: 13 })).toMatchObject([{ severity: 'error' }]);
    const named = readScript("DROP TABLE a; DELETE FROM flyway_schema_history WHERE version = '07'");
    expect(historyDeleteFindings(named, { versionText: '7' })).toMatchObject([{ severity: 'warning' }]);
  });

  test.each([
    'DELETE FROM flyway_schema_history',
    "DELETE FROM flyway_schema_history WHERE version LIKE '7%'",
    "DELETE FROM flyway_schema_history WHERE version IN ('7', '8')",
    "DELETE FROM flyway_schema_history WHERE version = '7' OR true",
    'DELETE FROM flyway_schema_history WHERE success = false',
    "UPDATE flyway_schema_history SET success = true WHERE version = '7'",
    'INSERT INTO flyway_schema_history VALUES (1)',
    'TRUNCATE TABLE a, flyway_schema_history',
    'DROP TABLE IF EXISTS public.flyway_schema_history CASCADE',
    'ALTER TABLE "flyway_schema_history" ADD a int',
    'LOCK TABLE flyway_schema_history',
    "WITH d AS (DELETE FROM flyway_schema_history WHERE version = '7' RETURNING *) SELECT * FROM d",
    'MERGE INTO flyway_schema_history h USING a ON true WHEN MATCHED THEN DELETE',
    "DO $$ BEGIN DELETE FROM flyway_schema_history WHERE version = '7'; END $$",
    'DROP SCHEMA public CASCADE',
    "COPY flyway_schema_history FROM '/tmp/x'",
    "EXPLAIN ANALYZE DELETE FROM flyway_schema_history WHERE version = '7'",
  ])('and changes that flyback does not take over are refused: %s', (sql) => {
    expect(errors(readScript(`DROP TABLE a;\n${sql};`))).toEqual(['history-touched 2']);
  });

  test.each([
    'CREATE TABLE backup AS SELECT * FROM flyway_schema_history',
    'INSERT INTO audit SELECT h.version FROM a JOIN flyway_schema_history h ON true',
    'UPDATE a SET b = 1 FROM flyway_schema_history WHERE flyway_schema_history.version = a.v',
    'DELETE FROM other.flyway_schema_history',
    "DELETE FROM a USING flyway_schema_history h WHERE h.version = '7'",
    "INSERT INTO a VALUES ('flyway_schema_history')",
    'DROP SCHEMA reporting CASCADE',
    'CREATE TABLE b (LIKE flyway_schema_history)',
  ])('and reading the history is not: %s', (sql) => {
    expect(errors(readScript(`DROP TABLE a;\n${sql};`))).toEqual([]);
  });

  test.each(['DELETE FROM flyback_record', 'DROP TABLE public.flyback_record', 'UPDATE flyback_record SET a = 1'])(
    'and writing the record of flyback is refused: %s',
    (sql) => {
      expect(errors(readScript(`DROP TABLE a;\n${sql};`))).toEqual(['record-touched 2']);
    },
  );
});

describe('transaction control', () => {
  test.each([
    ['COMMIT', 'DROP TABLE a;\nCOMMIT;'],
    ['END', 'DROP TABLE a;\nEND;'],
    ['ROLLBACK', 'DROP TABLE a;\nROLLBACK;'],
    ['ABORT', 'DROP TABLE a;\nABORT WORK;'],
    ['COMMIT under a comment', 'DROP TABLE a;\n/* x */ commit /* y */ work;'],
    ['COMMIT AND CHAIN', 'BEGIN; DROP TABLE a;\nCOMMIT AND CHAIN; COMMIT;'],
    ['ROLLBACK TO', 'SAVEPOINT s; DROP TABLE a;\nROLLBACK TO SAVEPOINT s;'],
    ['ROLLBACK PREPARED', "DROP TABLE a;\nROLLBACK PREPARED 'x';"],
    ['COMMIT PREPARED', "DROP TABLE a;\nCOMMIT PREPARED 'x';"],
    ['PREPARE TRANSACTION', "DROP TABLE a;\nPREPARE TRANSACTION 'x';"],
    ['BEGIN in the middle', 'DROP TABLE a;\nBEGIN; DROP TABLE b; COMMIT;'.replace(' COMMIT;', '')],
    ['START TRANSACTION twice', 'BEGIN; DROP TABLE a;\nSTART TRANSACTION; COMMIT;'],
    ['SET TRANSACTION', 'DROP TABLE a;\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE;'],
    ['SET LOCAL transaction_read_only', 'DROP TABLE a;\nSET LOCAL transaction_read_only = on;'],
    ['SET SESSION CHARACTERISTICS', 'DROP TABLE a;\nSET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;'],
    ['DISCARD ALL', 'DROP TABLE a;\nDISCARD ALL;'],
    ['two transactions', 'BEGIN; DROP TABLE a; COMMIT;\nBEGIN;'],
  ])('is refused with its line: %s', (_name, sql) => {
    const script = readScript(sql);
    expect(errors(script)).toEqual(['transaction-control 2']);
    expect(script.findings.find(({ severity }) => severity === 'error')?.hint).toBeDefined();
    expect(texts(script).some((text) => /^(?:commit|end|rollback|abort|begin|start)\b/i.test(text))).toBe(false);
  });

  test('of a whole script is taken over in any of its spellings', () => {
    for (const [open, close] of [
      ['BEGIN', 'COMMIT'],
      ['begin work', 'end transaction'],
      ['START TRANSACTION', 'COMMIT AND NO CHAIN'],
    ]) {
      const script = readScript(`SET lock_timeout = '1s'; ${open}; DROP TABLE a; ${close};`);
      expect(codes(script)).toEqual([]);
      expect(texts(script)).toEqual(["SET lock_timeout = '1s'", 'DROP TABLE a']);
    }
  });

  test('with a mode says that the mode is not taken over', () => {
    expect(codes(readScript('BEGIN ISOLATION LEVEL SERIALIZABLE; DROP TABLE a; COMMIT;'))).toEqual([
      'transaction-mode-ignored 1',
    ]);
  });

  test('without an end is an error', () => {
    expect(errors(readScript('BEGIN;\nDROP TABLE a;'))).toEqual(['transaction-not-ended 1']);
  });

  test('followed by statements is an error at each of them', () => {
    expect(errors(readScript('BEGIN;\nDROP TABLE a;\nCOMMIT;\nDROP TABLE b;\nSET x.y = 1;'))).toEqual([
      'statement-after-commit 4',
      'statement-after-commit 5',
    ]);
  });

  test('leaves savepoints alone, which are harmless without going back to them', () => {
    expect(codes(readScript('SAVEPOINT a; DROP TABLE b; RELEASE SAVEPOINT a;'))).toEqual([]);
  });

  test('is not seen in code, strings, comments and prepared statements', () => {
    const sql =
      "DO $$ BEGIN PERFORM 1; END $$; PREPARE p AS SELECT 1; INSERT INTO a VALUES ('; COMMIT;'); /* ; COMMIT; */";
    expect(errors(readScript(sql))).toEqual([]);
  });

  test('never reaches the server from any mix of statements', () => {
    const piece = fc.constantFrom(
      'BEGIN',
      'COMMIT',
      'ROLLBACK',
      'END',
      'DROP TABLE a',
      'SELECT 1',
      'ROLLBACK TO x',
      'SAVEPOINT x',
      'START TRANSACTION',
      "PREPARE TRANSACTION 'a'",
      'ABORT',
      'COMMIT AND CHAIN',
      'SET TRANSACTION READ ONLY',
      '/* ; */ COMMIT',
      '-- x\nCOMMIT',
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        for (const { text } of readScript(pieces.join(';\n')).statements) {
          expect(text).not.toMatch(/^(?:begin|commit|rollback|end|start|abort|prepare transaction|set transaction)\b/i);
        }
      }),
    );
  });
});

describe('statements that the server refuses in a transaction', () => {
  const drop = 'DROP TABLE a;\nDROP INDEX CONCURRENTLY i;\nVACUUM;';

  test('make the whole script run statement by statement, and the first of them is named', () => {
    const script = readScript(drop);
    expect(script.transaction).toBe('off');
    expect(codes(script)).toEqual(['runs-without-transaction 2']);
    expect(script.findings[0]?.message).toContain('DROP INDEX CONCURRENTLY');
    expect(texts(script)).toHaveLength(3);
  });

  test('are expected where the directive says so', () => {
    const script = readScript(`-- flyback: transaction off\n${drop}`);
    expect(script.transaction).toBe('off');
    expect(codes(script)).toEqual([]);
  });

  test('are an error where the directive asks for a transaction', () => {
    const script = readScript(`-- flyback: transaction on\n${drop}`);
    expect(script.transaction).toBe('on');
    expect(errors(script)).toEqual(['needs-no-transaction 3']);
  });

  test.each(['', '-- flyback: transaction off\n'])(
    'make the transaction of the script itself impossible (%j)',
    (directive) => {
      const script = readScript(`${directive}BEGIN;\n${drop}\nCOMMIT;`);
      expect(script.transaction).toBe('off');
      expect(codes(script)).toEqual([expect.stringMatching(/^transaction-impossible [34]$/)]);
      expect(parts(script).map((part) => part.replace(/ \d+$/, ''))).toEqual(['begin', 'commit']);
    },
  );

  test('are none of those that only look like them', () => {
    const script = readScript(
      "BEGIN;\nCREATE INDEX vacuum ON a (b);\nCOMMENT ON TABLE a IS 'VACUUM; ALTER SYSTEM';\nCOMMIT;",
    );
    expect(script.transaction).toBe('on');
    expect(codes(script)).toEqual([]);
  });
});

describe('a script without a transaction', () => {
  test('may be wished for: every statement is then a transaction of its own', () => {
    const script = readScript('-- flyback: transaction off\nCALL tidy();\nDROP PROCEDURE tidy;');
    expect(script.transaction).toBe('off');
    expect(codes(script)).toEqual([]);
  });

  test('may keep the BEGIN and COMMIT that it has for psql', () => {
    const script = readScript('-- flyback: transaction off\nBEGIN;\nDROP TABLE a;\nCOMMIT;');
    expect(script.transaction).toBe('off');
    expect(codes(script)).toEqual([]);
    expect(parts(script)).toEqual(['begin 2', 'commit 4']);
  });

  test('is told that SET LOCAL ends with its statement', () => {
    const local = "SET LOCAL lock_timeout = '1s';\nDROP TABLE a;";
    expect(codes(readScript(`-- flyback: transaction off\n${local}`))).toEqual(['set-local-without-transaction 2']);
    expect(codes(readScript(`${local}\nVACUUM;`))).toEqual([
      'set-local-without-transaction 1',
      'runs-without-transaction 3',
    ]);
    expect(codes(readScript(local))).toEqual([]);
    expect(codes(readScript(`-- flyback: transaction off\n${local.replace('LOCAL ', '')}`))).toEqual([]);
  });

  test('keeps its triggers mode, and what it takes over of the history', () => {
    const script = readScript(
      "-- flyback: triggers keep\nVACUUM a;\nDROP TABLE a;\nDELETE FROM flyway_schema_history WHERE version = '7';",
    );
    expect(script.directives.triggers).toBe('keep');
    expect(parts(script)).toEqual(['history-delete 4']);
    expect(script.transaction).toBe('off');
  });

  test('is refused a value that is neither on nor off', () => {
    expect(errors(readScript('-- flyback: transaction maybe\nVACUUM;'))).toEqual(['directive-invalid 1']);
  });
});

describe('replica mode', () => {
  test.each([
    'SET session_replication_role = replica',
    "SET SESSION session_replication_role TO 'replica'",
    'set local session_replication_role="replica"',
  ])('is recognised when switched on: %s', (sql) => {
    expect(parts(readScript(`${sql}; DROP TABLE a;`))).toEqual(['replica-on 1']);
  });

  test.each([
    'SET session_replication_role = DEFAULT',
    "SET LOCAL session_replication_role TO 'origin'",
    'RESET session_replication_role',
  ])('is recognised when switched off: %s', (sql) => {
    expect(parts(readScript(`DROP TABLE a; ${sql};`))).toEqual(['replica-off 1']);
  });

  test('for a part of the script is said to be for all of it', () => {
    const sql = 'SET session_replication_role = replica; DROP TABLE a; RESET session_replication_role;\nDELETE FROM b;';
    expect(codes(readScript(sql))).toEqual(['replica-mode-partial 2']);
  });

  test('against the directive is contradictory', () => {
    expect(
      codes(readScript('-- flyback: triggers keep\nSET session_replication_role = replica; DROP TABLE a;')),
    ).toEqual(['triggers-contradict 2']);
  });
});

describe('psql leftovers', () => {
  test.each([
    '\\set ON_ERROR_STOP on',
    '\\set ON_ERROR_STOP 1',
    '\\echo done',
    "\\echo 'it''s'",
    '\\timing',
    '\\pset pager off',
    '\\x',
    '\\dt',
    '\\d+ inventory_items',
    '\\encoding UTF8',
    '\\conninfo',
  ])('are understood: %s', (command) => {
    const script = readScript(`${command}\nDROP TABLE a;`);
    expect(codes(script)).toEqual([]);
    expect(script.takenOver).toMatchObject([{ part: 'psql', line: 1, text: command }]);
    expect(texts(script)).toEqual(['DROP TABLE a']);
  });

  test('are understood at the end', () => {
    expect(codes(readScript('DROP TABLE a;\n\\q\n'))).toEqual([]);
  });

  test.each([
    '\\i other.sql',
    '\\ir other.sql',
    "\\copy t FROM 'x.csv' CSV",
    '\\c other',
    '\\if :x',
    '\\set name value',
    '\\! rm x',
    '\\o out.txt',
    '\\q',
    '\\encoding LATIN1',
    '\\set AUTOCOMMIT off',
    '\\nonsense',
    '\\.',
    '\\toString',
    '\\set toString x',
  ])('are refused with line and remedy: %s', (command) => {
    const script = readScript(`-- head\n${command}\nDROP TABLE a;`);
    expect(errors(script)).toEqual(['psql-refused 2']);
    expect(script.findings[0]?.hint).toMatch(/\.$/);
  });

  test.each([
    'SELECT 1 \\gexec',
    'DROP TABLE :name',
    "DELETE FROM a WHERE b = :'v'",
    'DROP TABLE a \\g',
    'DROP \\echo x\nTABLE a',
  ])('in the middle of a statement are refused: %s', (sql) => {
    expect(errors(readScript(`DROP TABLE a;\n${sql}`))).toContain('psql-refused 2');
  });
});

describe('scripts without effect', () => {
  test.each([
    ['script-empty', ''],
    ['script-empty', ' \r\n;;\n'],
    ['script-comment-only', '-- nothing to do'],
    ['script-comment-only', '/* DROP TABLE a; */'],
    ['script-comment-only', '\\echo nothing'],
    ['script-no-effect', "BEGIN; DELETE FROM flyway_schema_history WHERE version = '7'; COMMIT;"],
    ['script-no-effect', 'SELECT count(*) FROM a; -- expect: 0'],
    ['script-no-effect', "SET lock_timeout = '1s'; SELECT 1;"],
    ['script-no-effect', 'SELECT EXISTS (SELECT 1 FROM a)'],
  ])('are errors: %s', (code, sql) => {
    expect(errors(readScript(sql))).toEqual([code]);
  });

  test.each([
    "SELECT setval('s', 1)",
    'SELECT drop_partitions(1)',
    'CALL p()',
    'DO $$ BEGIN END $$',
    'SELECT 1 INTO b',
    'WITH d AS (DELETE FROM a RETURNING 1) SELECT 1',
  ])('are not those that may act: %s', (sql) => {
    expect(errors(readScript(sql))).toEqual([]);
  });
});

describe('text that cannot be taken apart', () => {
  test('is refused with the place where it begins', () => {
    const script = readScript("DROP TABLE a;\n  INSERT INTO b VALUES ('open);\nCOMMIT;");
    expect(errors(script)).toEqual(['statement-unsplittable 2']);
    expect(script.findings[0]?.location).toMatchObject({
      line: 2,
      column: 25,
      lineText: "  INSERT INTO b VALUES ('open);",
    });
  });

  test('is refused when strings would end elsewhere on the server', () => {
    expect(errors(readScript('SET standard_conforming_strings = off;\nDROP TABLE a;'))).toEqual([
      'strings-nonstandard 1',
    ]);
    expect(errors(readScript('SET standard_conforming_strings = on;\nDROP TABLE a;'))).toEqual([]);
  });

  test('keeps CRLF in the text and counts lines by it', () => {
    const script = readScript(
      'BEGIN;\r\nDROP TABLE a;\r\n-- flyback: risk low\r\nCOMMIT;\r\nSELECT 1\r\n+ 1;\r\n-- Expected: 2\r\n',
    );
    expect(errors(script)).toEqual([]);
    expect(script.directives.risk).toBe('low');
    expect(script.statements).toMatchObject([{ text: 'DROP TABLE a', line: 2 }]);
    expect(script.verifications).toMatchObject([
      { query: { text: 'SELECT 1\r\n+ 1', line: 5 }, expectation: { value: '2' } },
    ]);
  });

  test('never makes the reader throw', () => {
    const piece = fc.constantFrom(
      '-- flyback: ',
      'verify',
      'expect: table',
      '-- a | b',
      '\n',
      ';',
      'SELECT 1',
      'BEGIN',
      '\\',
      "'",
      '$$',
      '/*',
      '*/',
      '-- Expected: ',
      '\r',
      'DELETE FROM flyway_schema_history WHERE version = ',
      "'7'",
      '(',
      'COPY a FROM STDIN',
      '\\.',
      ':x',
      'é',
      '😀',
      'DO',
      'allow-loss',
      ', ',
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const script = readScript(pieces.join(''));
        for (const { code, location } of script.findings) {
          expect(code in scriptFindings).toBe(true);
          if (location !== undefined) expect(location.column).toBeGreaterThan(0);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('may be 50 MB long', { timeout: 120_000 }, () => {
    const line =
      "INSERT INTO shop.orders (id, note) VALUES (1, 'flyway_schema_history; y'), (2, $$z;$$); -- should be fine\n";
    const count = Math.ceil((50 * 1024 * 1024) / line.length);
    const script = readScript(`BEGIN;\n${line.repeat(count)}COMMIT;\n`);
    expect(script.statements).toHaveLength(count);
    expect(errors(script)).toEqual([]);
  });
});

describe('placeholders', () => {
  test('are replaced before anything is read', () => {
    const script = readScript('DROP TABLE ${t};', { replacePlaceholders: (text) => text.replace('${t}', 'a') });
    expect(texts(script)).toEqual(['DROP TABLE a']);
    expect(script.text).toBe('DROP TABLE a;');
  });

  test('without a value are an error of the script', () => {
    const script = readScript('DROP TABLE ${t};', {
      replacePlaceholders: () => {
        throw new FlybackError('script-refused', 'No value provided for placeholder: ${t}.', { hint: 'Set it.' });
      },
    });
    expect(script.findings[0]).toMatchObject({ code: 'placeholder-unknown', hint: 'Set it.' });
  });
});
