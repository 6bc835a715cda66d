import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  mysqlFailure,
  sessionError,
  syntaxErrorPosition,
} from '../../../../../adapters/databases/mysql/server-failure.js';

function serverError(errno: number, message: string, sqlState = 'HY000'): Error {
  return Object.assign(new Error(message), { errno, sqlState, code: 'ER_SOMETHING', sql: "… IDENTIFIED BY 'geheim'" });
}

const near = (text: string, line: number): string =>
  `You have an error in your SQL syntax; check the manual … near '${text}' at line ${line}`;

describe('the place of a syntax error', () => {
  const statement = `SELECT a,\n  'é😀' frm ${'long text that goes on '.repeat(8)}end`;

  it('is where the rest of the statement begins', () => {
    expect(syntaxErrorPosition(near('on end', 2), statement)).toBe(Array.from(statement).length - 5);
    expect(syntaxErrorPosition(near('', 2), statement)).toBe(Array.from(statement).length);
  });

  it('is found from the part that the server quotes, with dots or without', () => {
    const quoted = statement.slice(statement.indexOf('frm'), statement.indexOf('frm') + 80);
    for (const text of [quoted, `${quoted}...`])
      expect(syntaxErrorPosition(near(text, 2), statement)).toBe(
        Array.from(statement.slice(0, statement.indexOf('frm'))).length + 1,
      );
  });

  it('is left out where it is not certain', () => {
    const repeated = 'long text that goes on '.repeat(4).slice(0, 80);
    expect(syntaxErrorPosition(near(repeated, 2), statement)).toBeUndefined();
    expect(syntaxErrorPosition(near('on end', 1), statement)).toBeUndefined();
    expect(syntaxErrorPosition(near('elsewhere', 2), statement)).toBeUndefined();
    expect(syntaxErrorPosition('Something else', statement)).toBeUndefined();
    expect(syntaxErrorPosition(near('on end', 2), undefined)).toBeUndefined();
  });
});

describe('a failure', () => {
  it('keeps no statement, which may hold a password', () => {
    const failure = mysqlFailure(serverError(1064, near('x', 1)), 'SELECT x');
    expect(failure).toMatchObject({ serverCode: '1064', sqlState: 'HY000', position: 8, connectionLost: false });
    expect(inspect(failure, { depth: 9 })).not.toContain('geheim');
    expect(inspect(sessionError(serverError(1045, 'Access denied'), 'Cannot connect', 'connecting'))).not.toContain(
      'geheim',
    );
  });

  it.each([1053, 1927, 4031])('%i means that the connection is gone', (errno) => {
    expect(mysqlFailure(serverError(errno, 'Server shutdown in progress')).connectionLost).toBe(true);
  });

  it.each([
    [1205, 'lock-unavailable'],
    [1213, 'lock-unavailable'],
    [1227, 'privilege-missing'],
    [1290, 'server-read-only'],
    [1317, 'cancelled'],
    [1040, 'script-failed'],
    [1146, 'script-failed'],
  ])('%i of a statement of our own is %s', (errno, code) => {
    expect(sessionError(serverError(errno, 'x'), 'Refused', 'connected')).toMatchObject({
      code,
      serverCode: String(errno),
    });
  });

  it('without a number is a lost connection', () => {
    const lost = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', errno: -104 });
    expect(mysqlFailure(lost)).toMatchObject({ connectionLost: true, serverCode: undefined });
    expect(sessionError(lost, 'Refused', 'connected').code).toBe('connection-lost');
  });
});
