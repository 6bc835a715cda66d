import { describe, expect, it } from 'vitest';
import type { QueryResult } from '../../../../../src/adapter/database.js';
import { FlybackError } from '../../../../../src/errors/error.js';
import { postgresql } from '../../../../../adapters/databases/postgresql/index.js';
import {
  checkTable,
  parseRows,
  removeRow,
  removeRowValues,
  tableName,
} from '../../../../../adapters/histories/flyway/table.js';
import { flywaySettings, historyEntry } from '../../../../harness/history-values.js';

const table = { schema: 'app', name: 'history' };
const ownColumns: readonly (readonly [string, string])[] = [
  ['installed_rank', 'integer'],
  ['version', 'character varying'],
  ['description', 'character varying'],
  ['type', 'character varying'],
  ['script', 'character varying'],
  ['checksum', 'integer'],
  ['installed_by', 'character varying'],
  ['installed_on', 'timestamp without time zone'],
  ['execution_time', 'integer'],
  ['success', 'boolean'],
];

function described(
  columns: readonly (readonly [string, string])[],
  { schema = 'app', name = 'history', kind = 'table' } = {},
): QueryResult {
  const rows = columns.map(([column, type]) => [schema, name, kind, column, type]);
  return { command: 'SELECT', rowCount: rows.length, columns: [], rows };
}

function refusal(result: QueryResult): FlybackError {
  try {
    checkTable(table, result);
  } catch (error) {
    if (error instanceof FlybackError) return error;
  }
  throw new Error('Not refused.');
}

describe('the name of the history table', () => {
  it('has the default schema, else the first schema, else the current one', () => {
    const settings = { table: 'T', schemas: ['first', 'second'] };
    expect(tableName(flywaySettings({ ...settings, defaultSchema: 'own' }), 'now')).toEqual({
      schema: 'own',
      name: 'T',
    });
    expect(tableName(flywaySettings(settings), 'now')).toEqual({ schema: 'first', name: 'T' });
    expect(tableName(flywaySettings({ table: 'T' }), 'now')).toEqual({ schema: 'now', name: 'T' });
  });

  it('cannot be told without any of them', () => {
    expect(() => tableName(flywaySettings(), null)).toThrow(FlybackError);
  });
});

describe('checking the table', () => {
  it("accepts Flyway's columns, and further ones", () => {
    expect(() => checkTable(table, described([...ownColumns, ['note', 'jsonb']]))).not.toThrow();
  });

  it('names every column that is missing or of another type', () => {
    const wrong = ownColumns
      .filter(([name]) => name !== 'success')
      .map(([name, type]): readonly [string, string] => [name, name === 'checksum' ? 'text' : type]);
    const error = refusal(described(wrong));
    expect(error.code).toBe('history-malformed');
    expect(error.message).toContain('success is missing');
    expect(error.message).toContain('checksum is text instead of integer');
    expect(error.message).not.toContain('version');
  });

  it('refuses a view', () => {
    expect(refusal(described(ownColumns, { kind: 'v' })).code).toBe('history-malformed');
  });

  it('says where a table of that name does exist', () => {
    const error = refusal(described(ownColumns, { schema: 'other' }));
    expect(error.code).toBe('history-missing');
    expect(error.message).toContain('"app"."history"');
    expect(error.hint).toContain('"other"."history"');
  });

  it('says so when there is none at all', () => {
    const error = refusal(described([]));
    expect(error.code).toBe('history-missing');
    expect(error.hint).toContain('before the first flyway migrate');
  });
});

describe('rows', () => {
  it('become entries, the type in upper case', () => {
    const rows = [
      ['1', '1', 'a', 'sql', 'V1__a.sql', '-5', 'app', '2026-01-01 00:00:00.000000', '12', 't'],
      ['2', null, 'v', 'SQL', 'R__v.sql', null, 'app', '2026-01-01 00:00:00.000000', '0', 'f'],
    ];
    expect(parseRows({ command: 'SELECT', rowCount: 2, columns: [], rows })).toEqual([
      historyEntry(1, '1', { description: 'a', script: 'V1__a.sql', checksum: -5, executionTimeMs: 12 }),
      historyEntry(2, null, {
        description: 'v',
        script: 'R__v.sql',
        checksum: null,
        executionTimeMs: 0,
        success: false,
      }),
    ]);
  });

  it('are deleted by a single statement, hostile text quoted', () => {
    const hostile = "x'; DROP TABLE t; --\\";
    const sql = removeRow(postgresql, { schema: 'a"b', name: "t'" }, historyEntry(7, '1', { description: hostile }));
    expect(postgresql.dialect.split(sql).statements).toHaveLength(1);
    expect(sql).toContain(`DELETE FROM "a""b"."t'" WHERE "installed_rank" = '7' AND`);
  });

  it('are deleted by one text for all, whose values identify the row', () => {
    const table = { schema: 'a"b', name: "t'" };
    const hostile = historyEntry(7, null, { description: "x'; --", checksum: null, success: false });
    const command = removeRowValues(postgresql, table, hostile);
    expect(command.values).toEqual(['7', null, 'SQL', "x'; --", hostile.script, null, 'false']);
    expect(removeRowValues(postgresql, table, historyEntry(8, '1')).sql).toBe(command.sql);
    const filledIn = command.sql.replaceAll(/\$(\d)/g, (_match, position: string) => {
      const value = command.values?.[Number(position) - 1] ?? null;
      return value === null ? 'NULL' : postgresql.dialect.quoteLiteral(value);
    });
    expect(removeRow(postgresql, table, hostile)).toBe(filledIn);
  });
});
