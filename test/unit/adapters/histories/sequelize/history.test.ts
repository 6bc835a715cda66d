import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tools } from '../../../../../adapters/index.js';
import { postgresql } from '../../../../../adapters/databases/postgresql/index.js';
import type { HistoryAdapter } from '../../../../../src/adapter/history.js';
import type { History } from '../../../../../src/history/history.js';
import type { Migration } from '../../../../../src/history/migration.js';
import { sequelizeVersions } from '../../../../../adapters/histories/sequelize/versions.js';

const table = { schema: 'public', name: 'SequelizeMeta' };
const histories: readonly HistoryAdapter[] = [tools.sequelize.history, tools.umzug.history];

function historyOf(history: HistoryAdapter, ...names: readonly string[]): History {
  const rows = names.map((name) => [name]);
  const result = { command: 'SELECT', rowCount: rows.length, columns: ['name'], rows };
  return history.interpret(table, history.parseRows(result, []));
}

function file(script: string): Migration {
  return {
    kind: 'versioned',
    version: sequelizeVersions.parse(script),
    description: '',
    script,
    file: `/project/migrations/${script}`,
    isSql: false,
    checksum: null,
    sql: '',
  };
}

describe('versions', () => {
  it.each([
    ['20260101120000-add-users.js', '20260101120000-add-users'],
    ['2026.01.01T12.00.00.add-users.ts', '2026.01.01T12.00.00.add-users'],
    ['x.up.sql', 'x'],
    ['x.sql', 'x'],
    ['x.cjs', 'x'],
    ['no-extension', 'no-extension'],
  ])('%s is %s', (name, key) => {
    expect(sequelizeVersions.parse(name)).toEqual({ text: key, key });
  });

  it.each(['', '.js', 'a/b.js'])('"%s" is none', (text) => {
    expect(sequelizeVersions.parse(text)).toBeUndefined();
  });

  it('are found by the digits that one of them alone begins with', () => {
    const known = ['20260101-a.js', '20260102-b.js', '20260102-c.js', '2026.01.03T00.00.00.d.js'].flatMap(
      (name) => sequelizeVersions.parse(name) ?? [],
    );
    const find = sequelizeVersions.finder(known);
    expect(find('20260101')?.key).toBe('20260101-a');
    expect(find('20260101-a.js')?.key).toBe('20260101-a');
    expect(find('2026.01.03T00.00.00')?.key).toBe('2026.01.03T00.00.00.d');
    // Two begin so; half of the digits is no name of anything.
    expect(find('20260102')?.key).toBe('20260102');
    expect(find('2026010')?.key).toBe('2026010');
  });

  it('have the order in which the tools sort files', () => {
    const name = fc.stringMatching(/^[0-9a-zA-Z_-]{1,8}$/);
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 12 }), (names) => {
        const files = names.map((text) => `${text}.js`);
        const versions = files.flatMap((text) => sequelizeVersions.parse(text) ?? []);
        const ours = versions.sort((a, b) => sequelizeVersions.compare(a, b)).map(({ key }) => `${key}.js`);
        expect(ours).toEqual([...files].sort());
      }),
    );
  });
});

describe.each(histories)('the history of $words.name', (history) => {
  it('is every name, the last first to go', () => {
    const { applied, findings } = historyOf(history, '1-a.js', '2-b.js');
    expect(applied.map(({ version }) => version?.key)).toEqual(['1-a', '2-b']);
    expect(findings).toEqual([]);
  });

  it('has another fingerprint when a name is gone, and the same when only places shift', () => {
    const all = historyOf(history, '1.js', '2.js', '3.js');
    const rest = history.interpret(
      table,
      all.rows.map(({ entry }) => entry).filter(({ script }) => script !== '2.js'),
    );
    expect(rest.fingerprint).not.toBe(all.fingerprint);
    expect(historyOf(history, '1.js', '3.js').fingerprint).toBe(rest.fingerprint);
  });

  it('cannot be relied on where one migration is there twice', () => {
    expect(historyOf(history, '1.js', '1.ts').findings).toMatchObject([
      { code: 'history-version-repeated', severity: 'error', subject: '1' },
    ]);
  });

  it('tells when the database sorts otherwise than the tool', () => {
    expect(historyOf(history, 'a.js', 'B.js').findings).toMatchObject([{ code: 'history-order-differs' }]);
    expect(historyOf(history, 'B.js', 'a.js').findings).toEqual([]);
  });

  it('foretells that whatever is not in it is applied, below what is there too', () => {
    const foretold = history.forecast(historyOf(history, '1.js', '3.js'), [file('1.js'), file('2.js'), file('3.js')], {
      tool: history.tool,
    });
    expect(foretold).toMatchObject({ willApply: ['2'], refuses: undefined });
    expect(foretold.summary).toContain('takes back 3.js');
  });

  it('warns of a row without its file and of one whose file was renamed, and of nothing else', () => {
    const rows = historyOf(history, '1-a.js', '2-b.js', '3-c.js');
    const found = history.checkMigrations(rows, [file('1-a.js'), file('2-b.ts')], { tool: history.tool });
    expect(found.map(({ version, finding }) => `${version?.key ?? ''} ${finding.code} ${finding.severity}`)).toEqual([
      '2-b migration-renamed warning',
      '3-c migration-missing warning',
    ]);
  });

  it('has no way to mark a row', () => {
    const [entry] = historyOf(history, '1.js').rows;
    expect(entry && history.setSuccess(postgresql, table, entry.entry, false)).toBeUndefined();
  });
});

describe('what Sequelize and Umzug differ in', () => {
  it('db:migrate:undo looks a file up by the beginning of its name', () => {
    const { history } = tools.sequelize;
    const rows = historyOf(history, '20260101-a');
    const files = [file('20260101-a-b.js')];
    expect(history.checkMigrations(rows, files, { tool: 'sequelize' })).toMatchObject([
      { finding: { code: 'migration-prefix-match' } },
    ]);
    expect(history.forecast(rows, files, { tool: 'sequelize' }).summary).toContain(
      'runs the down of 20260101-a-b.js for 20260101-a',
    );
  });

  it('a resolver of Umzug may store names without their extension', () => {
    const { history } = tools.umzug;
    const rows = historyOf(history, '1-a', '2-b');
    const files = [file('1-a.ts'), file('2-b.ts'), file('3-c.ts')];
    expect(history.checkMigrations(rows, files, { tool: 'umzug' })).toEqual([]);
    expect(history.forecast(rows, files, { tool: 'umzug' }).willApply).toEqual(['3-c']);
    // sequelize-cli always stores the whole name.
    expect(tools.sequelize.history.forecast(rows, files, { tool: 'sequelize' }).willApply).toEqual([
      '1-a',
      '2-b',
      '3-c',
    ]);
  });
});

describe('the table', () => {
  const described = (
    columns: Readonly<Record<string, string>>,
    name = table.name,
  ): Parameters<HistoryAdapter['checkTable']>[1] => ({
    command: 'SELECT',
    rowCount: 1,
    columns: [],
    rows: Object.entries(columns).map(([column, type]) => ['public', name, 'table', column, type]),
  });
  const text = 'character varying';

  it.each([
    { name: text },
    { name: 'text', createdAt: 'timestamp with time zone', updatedAt: 'timestamp with time zone' },
  ])('is a history with %o', (columns) => {
    expect(() => tools.sequelize.history.checkTable(table, described(columns))).not.toThrow();
  });

  it.each([
    [{ id: 'integer', name: text, batch: 'integer', migration_time: 'timestamp with time zone' }, /Knex/],
    [{ id: 'integer', name: text, timestamp: 'bigint' }, /TypeORM/],
    [{ id: 'integer', name: text, run_on: 'timestamp without time zone' }, /node-pg-migrate/],
    [{ version: text }, /column name is missing/],
    [{ name: 'integer' }, /column name is integer/],
  ] as const)('is none with %o', (columns, message) => {
    expect(() => tools.sequelize.history.checkTable(table, described(columns))).toThrow(message);
  });

  it('may have its names in another column, for Umzug', () => {
    const settings = { tool: 'umzug', column: 'migration' };
    expect(() => tools.umzug.historyFor?.(settings).checkTable(table, described({ migration: text }))).not.toThrow();
    expect(() => tools.umzug.history.checkTable(table, described({ migration: text }))).toThrow(
      /column name is missing/,
    );
  });

  it('is missed by name, with those that could be meant', () => {
    expect(() => tools.umzug.history.checkTable(table, described({ name: text }, 'sequelizemeta'))).toThrow(
      /does not exist/,
    );
  });
});
