import { execFile } from 'node:child_process';
import * as fs from 'node:fs/promises';
import fc from 'fast-check';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { splitScript, tokenizeStatement } from '../../../../../adapters/databases/mysql/lexer.js';
import { describeWithLocalMysql, runOn } from '../../../../harness/mysql.js';
import { type LocalServer, startLocal } from '../../../../harness/mysql-servers.js';

/*
 * The real client is the judge. Scripts of hard pieces are run whole by the client and, split by us, statement by
 * statement: what the server got to see, and what it did, must be the same.
 */

// One server is enough: the subject is the client, not the server.
describeWithLocalMysql('the splitter and the client', () => {
  let server: LocalServer;
  let connection: Connection;

  beforeAll(async () => {
    server = await startLocal({ settings: { 'log-output': 'TABLE' } });
    await runOn(
      server.url,
      `CREATE DATABASE a; CREATE DATABASE b;
       CREATE USER client@'%' IDENTIFIED BY 'x'; GRANT ALL PRIVILEGES ON *.* TO client@'%'`,
    );
    connection = await createConnection({ uri: `${server.url}a`, flags: ['-IGNORE_SPACE'] });
  });

  afterAll(async () => {
    await connection.end();
    await server.stop();
  });

  async function runClient(script: string, ...options: readonly string[]): Promise<string> {
    const file = `${server.socketFile}.sql`;
    await fs.writeFile(file, script);
    const input = await fs.open(file);
    const connect = [
      '--no-defaults',
      '-h127.0.0.1',
      `-P${String(server.port)}`,
      '-uclient',
      '-px',
      '--default-character-set=utf8mb4',
    ];
    try {
      return await new Promise((resolve, reject) => {
        const child = execFile(
          'mariadb',
          [...connect, ...options, 'a'],
          { encoding: 'utf8' },
          (error, _out, errors) => {
            if (error !== null && !options.includes('--force')) reject(new Error(errors));
            else resolve(errors);
          },
        );
        input.createReadStream({ autoClose: false }).pipe(child.stdin as NodeJS.WritableStream);
      });
    } finally {
      await input.close();
    }
  }

  const tokensOf = (statement: string): string =>
    tokenizeStatement(statement)
      .map(({ kind, value }) => `${kind} ${value}`)
      .join('|');

  /** What the server got from the client, each as its tokens: the client leaves comments out. */
  async function sentByClient(script: string): Promise<readonly string[]> {
    await connection.query('TRUNCATE mysql.general_log');
    await connection.query('SET GLOBAL general_log = 1');
    await runClient(script, '--force');
    await connection.query('SET GLOBAL general_log = 0');
    const [rows] = await connection.query<RowDataPacket[]>({
      sql: "SELECT command_type, CONVERT(argument USING utf8mb4) FROM mysql.general_log WHERE user_host LIKE 'client%' AND command_type IN ('Query', 'Init DB')",
      rowsAsArray: true,
    });
    return (rows as unknown as readonly (readonly [string, string])[])
      .map(([kind, sent]) => tokensOf(kind === 'Query' ? sent : `USE ${sent}`))
      .filter((text) => text !== askedByUse);
  }

  /** The client's own question before it changes the database. */
  const askedByUse = tokensOf('SELECT DATABASE()');

  // Comments stand between blanks: the client would join the words on both sides of one.
  const literals = [
    "'a;b'",
    '"q;"',
    "'it''s'",
    "'\\'; '",
    '"\\";"',
    "'-- no'",
    "'# no'",
    "'/* no'",
    '`c;`',
    "N'x'",
    "x'3b'",
    '\\N',
    "_utf8mb4'éх'",
    "''",
    '""""',
  ];
  const gaps = [' ', '\n', '\t', ' -- c;\n', '# d;\n', ' /* e; */ ', '/*! */', ' --\n', ' /*;*/ ', '\n\n'];

  it('get the same statements out of any mixture of pieces', async () => {
    const piece = fc.constantFrom(
      ...literals,
      ...gaps,
      ';',
      ';\n',
      'SELECT',
      '1--1',
      '-1',
      '--2',
      '@x:=1',
      'begin',
      'source',
      'DELIMITER ;\n',
      '\nDELIMITER //\n',
      '\n delimiter $$ x\n',
      '//',
      '$$',
      '\\G',
      '\\g\n',
      '/*!50003 ',
      '/*M!100100 ',
      ' */ ',
      '\nUSE a\n',
      '\nuse b\n',
      '--x\n',
      '#',
      '/ ',
      'aé',
    );
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 3, maxLength: 25 }), async (pieces) => {
        const script = `SELECT 0;\n${pieces.join('')}`;
        const { statements, problems, metaCommands } = splitScript(script);
        if (problems.length > 0 || metaCommands.length > 0) return;
        compared += 1;
        const ours = statements.map(({ text }) => tokensOf(text)).filter((text) => text !== '');
        const sent = await sentByClient(script);
        // What the client sends in one piece under another delimiter the server cuts at semicolons, and so do we.
        const cut = sent.flatMap((text) => text.split(/(?:^|\|)sign ;(?=\||$)/).map((part) => part.replace(/^\|/, '')));
        expect(ours).toEqual(cut.filter((text) => text !== ''));
      }),
      { numRuns: 250, seed: Number(process.env['FLYBACK_TEST_SEED'] ?? 7) },
    );
    expect(compared).toBeGreaterThan(80);
  });

  it('have the same effect', async () => {
    const statement = fc.oneof(
      fc
        .tuple(fc.constantFrom(...literals.filter((text) => !text.startsWith('`'))), fc.constantFrom(...gaps))
        .map(([literal, gap]) => `INSERT INTO log (v)${gap}VALUES (${literal}${gap})`),
      fc.constantFrom(
        'INSERT INTO log (v) VALUES (1--1)',
        'INSERT /*!50003 INTO */ log /*M!100100 (v) */ VALUES (2)',
        'CALL p(3)',
      ),
    );
    const body = fc
      .array(statement, { minLength: 1, maxLength: 3 })
      .map((list) => list.map((text) => `${text};`).join('\n'));
    const part = fc.oneof(
      {
        weight: 4,
        arbitrary: fc
          .tuple(statement, fc.constantFrom(';', ';\n', '\\g', '\n;', ' ;-- x;\n'))
          .map(([text, end]) => `${text}${end}`),
      },
      body.map(
        (text) =>
          `\nDELIMITER //\nCREATE OR REPLACE PROCEDURE p(IN a INT) BEGIN IF a > 3 THEN ${text} END IF; INSERT INTO log (v) VALUES (CASE a WHEN 3 THEN 'three;' END); END//\nDELIMITER ;\n`,
      ),
      body.map(
        (text) =>
          `\ndelimiter $$\nBEGIN NOT ATOMIC\n${text}\nEND $$\n${text.replaceAll(/;$/gm, '$$$$')}\ndelimiter ;\n`,
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 8 }), async (parts) => {
        const script = parts.join('');
        const prepare = `DROP TABLE IF EXISTS log; CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(40));
          DROP PROCEDURE IF EXISTS p; CREATE PROCEDURE p(IN a INT) INSERT INTO log (v) VALUES (a)`;
        await runOn(`${server.url}b`, prepare);
        await runOn(`${server.url}a`, prepare);
        await runClient(script);
        const { statements, problems, metaCommands } = splitScript(script);
        expect([problems, metaCommands]).toEqual([[], []]);
        await connection.query('USE b');
        for (const { text } of statements) await connection.query(text);
        const read = (database: string) => runOn(`${server.url}${database}`, 'SELECT id, v FROM log ORDER BY id');
        expect(await read('b')).toEqual(await read('a'));
      }),
      { numRuns: 60, seed: Number(process.env['FLYBACK_TEST_SEED'] ?? 7) },
    );
  });

  it('a missing DELIMITER, of which we warn, is an error to the client; the server alone would understand the body', async () => {
    const body = 'CREATE PROCEDURE b.q() BEGIN SELECT 1; SELECT 2; END';
    expect(splitScript(`${body};`).problems).toHaveLength(1);
    await expect(runClient(`${body};`)).rejects.toThrow(/1064/);
    const [statement] = splitScript(`${body};`, { endsBodiesItself: true }).statements;
    await connection.query(statement?.text ?? '');
    expect(await runOn(server.url, "SHOW PROCEDURE STATUS WHERE Db = 'b' AND Name = 'q'")).toHaveLength(1);
  });
});
