import { beforeAll, describe, expect, it } from 'vitest';
import { loadClassifier } from '../../../adapters/databases/postgresql/classifier.js';
import { postgresqlDialect } from '../../../adapters/databases/postgresql/dialect.js';
import { flywayVersions } from '../../../adapters/histories/flyway/versions.js';
import type { Classifier } from '../../../src/adapter/database.js';
import { assessRisk } from '../../../src/risk/assess.js';
import { parseRollbackScript } from '../../../src/scripts/parse-rollback-script.js';
import type { RollbackScript } from '../../../src/scripts/rollback-script.js';
import { loadTemplates, type StubTemplates } from '../../../src/stub/templates.js';
import { writeStub, type StubRequest } from '../../../src/stub/write-stub.js';

let classifier: Classifier;
let templates: StubTemplates;

beforeAll(async () => {
  classifier = await loadClassifier();
  templates = await loadTemplates();
});

function request(sql: string, changes: Partial<StubRequest> = {}): StubRequest {
  const statements = postgresqlDialect.split(sql).statements.map(({ text, line }) => {
    const impact = classifier.classify(text);
    return { line, text, hints: classifier.inverseHints(text), impact: 'message' in impact ? undefined : impact };
  });
  const impacts = statements.flatMap(({ impact }) => impact ?? []);
  return {
    version: '1.2',
    description: 'add orders',
    migration: 'V1.2__add_orders.sql',
    migrationChecksum: -12345,
    risk: assessRisk(impacts, undefined),
    statements,
    templates,
    ...changes,
  };
}

function read(text: string): RollbackScript {
  return parseRollbackScript({
    version: { text: '1.2', key: '1.2' },
    description: 'add orders',
    file: '/project/rollbacks/R1.2__add_orders.sql',
    source: 'rollback',
    text,
    checksum: '',
    dialect: postgresqlDialect,
    versions: flywayVersions,
    historyTable: { schema: 'public', name: 'flyway_schema_history' },
    recordTable: { schema: 'public', name: 'flyback_record' },
  });
}

/** What a person does in an editor: take the comment marker from these lines. */
function uncomment(stub: string, isWanted: (line: string) => boolean): string {
  return stub
    .split('\n')
    .map((line) => (isWanted(line) ? line.replace(/^-- /, '') : line))
    .join('\n');
}

const migration = `CREATE TABLE shop.orders (id int PRIMARY KEY);
ALTER TABLE customers
  ADD COLUMN "Last Order" int REFERENCES shop.orders;
CREATE INDEX ON customers (name);
UPDATE customers SET name = upper(name);
`;

describe('writeStub', () => {
  it('has no statement that could run, and says that it is a stub of this very migration', () => {
    const script = read(writeStub(request(migration)));
    expect(script.statements).toEqual([]);
    expect(script.verifications).toEqual([]);
    expect(script.directives).toMatchObject({ stub: true, migrationChecksum: -12345 });
  });

  it('is understood by the script parser without any complaint but that it is empty and a stub', () => {
    const codes = read(writeStub(request(migration))).findings.map((finding) => finding.code);
    expect(codes.filter((code) => !['script-stub', 'script-comment-only'].includes(code))).toEqual([]);
  });

  it('takes the statements back in reverse order', () => {
    const lines = writeStub(request(migration)).split('\n');
    const order = [
      '-- Line 5: UPDATE customers SET name = upper(name)',
      '-- DROP INDEX customers_name_idx;',
      '-- ALTER TABLE customers DROP COLUMN "Last Order";',
      '-- DROP TABLE shop.orders;',
    ].map((line) => lines.indexOf(line));
    expect(order).not.toContain(-1);
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  it('becomes a script that runs when the suggestions are uncommented', () => {
    const script = read(
      uncomment(writeStub(request(migration)), (line) => /^-- .*;$/.test(line) && !line.startsWith('-- -- ')),
    );
    expect(script.statements.map((statement) => statement.text)).toEqual(
      expect.arrayContaining([
        'DROP INDEX customers_name_idx',
        'ALTER TABLE customers DROP COLUMN "Last Order"',
        'DROP TABLE shop.orders',
      ]),
    );
  });

  it('becomes a verified script when the skeleton is uncommented', () => {
    const stub = writeStub(request(migration));
    const start = stub.indexOf('-- -- flyback: verify');
    const script = read(stub.slice(0, start) + uncomment(stub.slice(start), (line) => line.startsWith('-- ')));
    expect(script.verifications.map(({ name, expectation }) => ({ name, expectation }))).toEqual([
      { name: 'customers.Last Order gone', expectation: { kind: 'value', value: '0' } },
      { name: 'orders gone', expectation: { kind: 'value', value: '0' } },
    ]);
    expect(script.verifications[1]?.query.text).toContain("table_schema = 'shop' AND table_name = 'orders'");
  });

  it('names version, migration, the stored version and the risk with its action', () => {
    const stub = writeStub(request(migration, { historyVersionText: '001.2' }));
    expect(stub).toContain('Rollback of version 1.2: add orders');
    expect(stub).toContain('V1.2__add_orders.sql');
    expect(stub).toContain("version '001.2'");
    expect(stub).toContain('Risk:       HIGH');
    expect(stub).toContain('Data loss:  YES (if populated)');
  });

  it('leaves the checksum line out where the tool keeps none', () => {
    expect(writeStub(request(migration, { migrationChecksum: null }))).not.toContain('migration-checksum');
  });

  it('writes a stub for a migration of which nothing is known', () => {
    const stub = writeStub(request('', { migration: undefined, risk: undefined, migrationChecksum: null }));
    expect(stub).toContain('Risk:       UNKNOWN');
    expect(read(stub).statements).toEqual([]);
  });

  it('keeps everything a comment, whatever names and templates hold', () => {
    const hostile = request(
      'CREATE TABLE "a\r\nDROP TABLE b;\n" (id int); ALTER TABLE x ADD COLUMN "c\rDROP TABLE d;" int',
      {
        description: 'two\nDROP TABLE e;',
        migration: 'V1__x\rDROP TABLE f;.sql',
        templates: { ...templates, 'statement.sql': 'DROP TABLE g; {{statement}}\r{{hint}}\n/* {{line}}' },
      },
    );
    const script = read(writeStub(hostile));
    expect(script.statements).toEqual([]);
    expect(writeStub(hostile)).not.toMatch(/^(?!--|$)/m);
    expect(writeStub(hostile).replaceAll('\n', '')).not.toContain('\r');
  });

  it('writes the same bytes for the same request', () => {
    expect(writeStub(request(migration))).toBe(writeStub(request(migration)));
  });
});
