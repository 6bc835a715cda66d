/*
 * The part of Flyway's configuration that decides what flyback must know, by the names of flyway.conf without "flyway."
 * (Flyway 13: ConfigUtils.convertKey, EnvironmentModel, FlywayEnvironmentModel, the PostgreSQL and baseline extensions).
 */

export type ValueKind = 'text' | 'boolean' | 'integer' | 'list';

/** Keys under [flyway] that flyback reads, with the kind of their value. */
export const flywayKeys = {
  environment: 'text',
  defaultSchema: 'text',
  table: 'text',
  locations: 'list',
  callbackLocations: 'list',
  sqlMigrationPrefix: 'text',
  repeatableSqlMigrationPrefix: 'text',
  undoSqlMigrationPrefix: 'text',
  baselineMigrationPrefix: 'text',
  sqlMigrationSeparator: 'text',
  sqlMigrationSuffixes: 'list',
  encoding: 'text',
  detectEncoding: 'boolean',
  placeholderReplacement: 'boolean',
  placeholderPrefix: 'text',
  placeholderSuffix: 'text',
  placeholderSeparator: 'text',
  outOfOrder: 'boolean',
  validateOnMigrate: 'boolean',
  ignoreMigrationPatterns: 'list',
  validateMigrationNaming: 'boolean',
  group: 'boolean',
  mixed: 'boolean',
  executeInTransaction: 'boolean',
  lockRetryCount: 'integer',
  'postgresql.transactional.lock': 'boolean',
  installedBy: 'text',
} as const satisfies Record<string, ValueKind>;
export type FlywayKey = keyof typeof flywayKeys;

/** Keys of one environment: in TOML they stand in [environments.NAME], in .conf under "flyway.". */
export const environmentKeys = {
  url: 'text',
  user: 'text',
  password: 'text',
  driver: 'text',
  displayName: 'text',
  schemas: 'list',
  connectRetries: 'integer',
  connectRetriesInterval: 'integer',
  initSql: 'text',
  provisioner: 'text',
} as const satisfies Record<string, ValueKind>;
export type EnvironmentKey = keyof typeof environmentKeys;

/** Keys that [environments.NAME.flyway] cannot override: they are no fields of FlywayEnvironmentModel. */
export const notPerEnvironment: readonly FlywayKey[] = [
  'environment',
  'undoSqlMigrationPrefix',
  'baselineMigrationPrefix',
  'postgresql.transactional.lock',
];

/** Variables whose names flyway itself maps; FLYWAY_ENVIRONMENT is not among them, only flyway_environment works. */
const variables: ReadonlyMap<string, string> = new Map(
  [...Object.keys(flywayKeys), ...Object.keys(environmentKeys)]
    .filter((key) => !['environment', 'displayName', 'provisioner'].includes(key))
    .map((key) => [`FLYWAY_${upperSnake(key)}`, key]),
);

function upperSnake(key: string): string {
  return key
    .replaceAll(/([A-Z])/g, '_$1')
    .replaceAll('.', '_')
    .toUpperCase();
}

/**
 * The key that a FLYWAY_… variable sets, without "flyway.", or undefined for variables that mean nothing here.
 * Placeholder and driver-property names come out in lower case, as in ConfigUtils.convertKey.
 */
export function keyOfVariable(name: string): string | undefined {
  const placeholder = /^FLYWAY_PLACEHOLDERS_(.+)$/.exec(name)?.[1];
  if (placeholder !== undefined) return `placeholders.${placeholder.toLowerCase()}`;
  const property = /^FLYWAY_JDBC_PROPERTIES_(.+)$/.exec(name)?.[1];
  if (property !== undefined) {
    return `jdbcProperties.${property === 'ACCESSTOKEN' ? 'accessToken' : property.toLowerCase()}`;
  }
  return variables.get(name);
}
