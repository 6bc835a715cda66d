import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { postgresqlDialect } from '../../adapters/databases/postgresql/dialect.js';
import { flywayVersions } from '../../adapters/histories/flyway/versions.js';
import type { RollbackScript } from '../../src/scripts/rollback-script.js';
import { loadRollbackScripts, type LoadedScripts } from '../../src/scripts/script-files.js';

const setsFolder = fileURLToPath(new URL('../../rollbacks/', import.meta.url));
const sets = ['foreign-key-actions', 'partitioned-table', 'server-settings', 'shop'];

function load(set: string): LoadedScripts {
  return loadRollbackScripts({
    folder: path.join(setsFolder, set, 'rollbacks'),
    migrations: [],
    functions: 'leave',
    versions: flywayVersions,
    known: [],
    dialect: postgresqlDialect,
    historyTable: { schema: 'public', name: 'flyway_schema_history' },
    recordTable: { schema: 'public', name: 'flyback_record' },
    replacePlaceholders: (text) => text,
  });
}

function scriptOf(set: string, version: string): RollbackScript {
  const script = load(set).scripts.find((candidate) => candidate.version.text === version);
  if (script === undefined) throw new Error(`${set} has no script for ${version}.`);
  return script;
}

describe('the worked sets under rollbacks/', () => {
  it.each(sets)('are read without a single finding: %s', (set) => {
    const { scripts, findings } = load(set);
    expect(findings).toEqual([]);
    expect(scripts.flatMap((script) => script.findings)).toEqual([]);
    expect(scripts).toHaveLength(readdirSync(path.join(setsFolder, set, 'rollbacks')).length);
  });

  it('show every kind of verification in the shop', () => {
    const kinds = load('shop').scripts.flatMap((script) =>
      script.verifications.map(({ expectation }) => expectation.kind),
    );
    expect([...new Set(kinds)].sort()).toEqual(['comparison', 'every', 'no-rows', 'row-count', 'table', 'value']);
  });

  it.each([
    ['foreign-key-actions', '2025.11.22.001', 'delete_rule', 'NO ACTION'],
    ['shop', '6', 'price_cents', '0'],
  ])(
    'have a script in the form written by hand in %s, of which the frame is taken over',
    (set, version, column, value) => {
      const script = scriptOf(set, version);
      expect(script.text).toMatch(/^BEGIN;$/m);
      expect(script.text).toMatch(/^COMMIT;$/m);
      expect(script.takenOver).toHaveLength(5);
      expect(script.statements.map(({ text }) => text).join('\n')).not.toMatch(
        /session_replication_role|flyway_schema_history|^(?:BEGIN|COMMIT|SELECT)/m,
      );
      expect(script.verifications[0]?.expectation).toEqual({ kind: 'every', column, value });
    },
  );

  it('declare what the lossy rollback of the shop loses', () => {
    expect(scriptOf('shop', '5').directives.allowLoss).toEqual(['orders.gift_note']);
  });

  it('leave out the transaction only where the server refuses one', () => {
    const without = sets.flatMap((set) =>
      load(set).scripts.flatMap((script) => (script.transaction === 'off' ? [`${set} ${script.version.text}`] : [])),
    );
    expect(without).toEqual(['server-settings 1', 'server-settings 999']);
  });

  it.each(sets)('describe themselves and point Flyway and flyback at their folders: %s', (set) => {
    const read = (file: string): string => readFileSync(path.join(setsFolder, set, file), 'utf8');
    expect(read('README.md')).toMatch(/^# \w/);
    expect(read('flyway.toml')).toContain('locations = ["filesystem:migrations"]');
    expect(read('flyback.toml')).toContain('rollbacks = "rollbacks"');
  });
});
