import { describe, expect, it } from 'vitest';
import { createNameParser, type NamingRules } from '../../../../../adapters/histories/flyway/names.js';
import { flywaySettings } from '../../../../harness/history-values.js';

/** A parsed name as one line: kind, version, description; the facts' wording for the rest. */
function describeName(fileName: string, rules: Partial<NamingRules> = {}): string {
  const name = createNameParser(flywaySettings(rules))(fileName);
  switch (name.kind) {
    case 'migration':
      return `${name.isSql ? 'sql' : 'shell'} ${name.migrationKind} ${name.version?.text ?? '-'} "${name.description}"`;
    case 'callback':
      return `callback ${name.event}`;
    case 'misnamed':
      return name.rollbackVersion === undefined ? 'misnamed' : `misnamed rollback ${name.rollbackVersion.text}`;
    case 'other':
      return 'other';
  }
}

describe('the name of a file in a location', () => {
  it.each([
    ['V1__create_orders.sql', 'sql versioned 1 "create orders"'],
    ['V1_2__x.sql', 'sql versioned 1.2 "x"'],
    ['V002__x.SQL', 'sql versioned 002 "x"'],
    ['V1__a__b_c.sql', 'sql versioned 1 "a  b c"'],
    ['V2.sql', 'sql versioned 2 ""'],
    ['V3__.sql', 'sql versioned 3 ""'],
    ['V1__a.verify.sql', 'sql versioned 1 "a.verify"'],
    ['B5__base.sql', 'sql baseline 5 "base"'],
    ['U1__x.sql', 'sql undo 1 "x"'],
    ['R__Rollback_x.sql', 'sql repeatable - "Rollback x"'],
    ['R__notes', 'shell repeatable - "notes"'],
    ['R__x.sh', 'shell repeatable - "x"'],
    ['V7__x.PY', 'shell versioned 7 "x"'],
    ['V7__x.ps1', 'shell versioned 7 "x"'],
    ['beforeMigrate.sql', 'callback beforeMigrate'],
    ['beforeEachMigrateStatement__note.sql', 'callback beforeEachMigrateStatement'],
    ['afterMigrateError.sql', 'callback afterMigrateError'],
    ['R999__Rollback_x.sql', 'misnamed rollback 999'],
    ['V1a__x.sql', 'misnamed'],
    ['v6__x.sql', 'misnamed'],
    ['V 4__x.sql', 'misnamed'],
    ['V__x.sql', 'misnamed'],
    ['Rx__y.sql', 'misnamed'],
    ['beforeMigrate1.sql', 'misnamed'],
    ['notes.sql', 'misnamed'],
    ['V-5__x.sql', 'misnamed'],
    ['V1__x.sql.conf', 'other'],
    ['V1__x.txt', 'other'],
    ['R.sql', 'other'],
    ['README', 'other'],
    ['V1__x.sql.bak', 'other'],
  ])('%s is %s', (fileName, expected) => {
    expect(describeName(fileName)).toBe(expected);
  });

  it('follows prefixes, separator and suffixes of the project, the longest prefix first', () => {
    const rules = {
      sqlMigrationPrefix: 'M',
      repeatableSqlMigrationPrefix: 'MR',
      sqlMigrationSeparator: '-',
      sqlMigrationSuffixes: ['.pgsql', '.ddl'],
    };
    expect(describeName('M1-x_y.ddl', rules)).toBe('sql versioned 1 "x y"');
    expect(describeName('MR-view.pgsql', rules)).toBe('sql repeatable - "view"');
    expect(describeName('V1__x.sql', rules)).toBe('other');
  });

  it('gives a prefix that undo shares with versioned migrations to the versioned ones', () => {
    expect(describeName('U1__x.sql', { sqlMigrationPrefix: 'U' })).toBe('sql versioned 1 "x"');
  });
});
