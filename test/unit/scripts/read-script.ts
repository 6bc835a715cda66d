import { postgresqlDialect } from '../../../adapters/databases/postgresql/dialect.js';
import { flywayVersions } from '../../../adapters/histories/flyway/versions.js';
import { parseRollbackScript, type RollbackScriptInput } from '../../../src/scripts/parse-rollback-script.js';
import type { RollbackScript } from '../../../src/scripts/rollback-script.js';
import type { Version } from '../../../src/history/version.js';

/** A version that the test knows to be one. */
export function versionOf(text: string): Version {
  const version = flywayVersions.parse(text);
  if (version === undefined) throw new Error(`not a version: ${text}`);
  return version;
}

/** Reads a script of version 7 for PostgreSQL and Flyway. */
export function readScript(
  text: string,
  more: Partial<Omit<RollbackScriptInput, 'version'>> & { readonly version?: string } = {},
): RollbackScript {
  return parseRollbackScript({
    description: 'test',
    file: '/project/rollbacks/R7__test.sql',
    source: 'rollback',
    checksum: 'none',
    dialect: postgresqlDialect,
    versions: flywayVersions,
    historyTable: { schema: 'public', name: 'flyway_schema_history' },
    recordTable: { schema: 'public', name: 'flyback_record' },
    ...more,
    text,
    version: versionOf(more.version ?? '7'),
  });
}

/** Codes of the findings with their lines, in order: "psql-refused 3". */
export function codes(script: RollbackScript): readonly string[] {
  return script.findings.map(({ code, location }) =>
    location === undefined ? code : `${code} ${String(location.line)}`,
  );
}

export function errors(script: RollbackScript): readonly string[] {
  return codes({ ...script, findings: script.findings.filter(({ severity }) => severity === 'error') });
}
