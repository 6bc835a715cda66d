/*
 * Every setting of flyback's own: one line each, from which the flag, the variable and the key in flyback.toml follow.
 */

export type OptionKind =
  | 'text'
  | 'path'
  | 'duration'
  | 'count'
  | 'triggers'
  | 'risk'
  | 'codes'
  | 'tool'
  | 'variable'
  | 'grades'
  | 'policy'
  | 'switch';

export interface Option {
  /** Dotted key in flyback.toml; undefined: it has its place in the migration tool's own configuration. */
  readonly key: string | undefined;
  readonly variable: string;
  readonly flag: string;
  readonly kind: OptionKind;
}

/** By the names that loadConfig's flags have. */
export const options = {
  tool: { key: 'tool', variable: 'FLYBACK_TOOL', flag: '--tool', kind: 'tool' },
  rollbacks: { key: 'rollbacks', variable: 'FLYBACK_ROLLBACKS', flag: '--rollbacks', kind: 'path' },
  templates: { key: 'templates', variable: 'FLYBACK_TEMPLATES', flag: '--templates', kind: 'path' },
  passwordEnv: { key: 'passwordEnv', variable: 'FLYBACK_PASSWORD_ENV', flag: '--password-env', kind: 'variable' },
  recordSchema: { key: 'record.schema', variable: 'FLYBACK_RECORD_SCHEMA', flag: '--record-schema', kind: 'text' },
  recordTable: { key: 'record.table', variable: 'FLYBACK_RECORD_TABLE', flag: '--record-table', kind: 'text' },
  lockTimeout: { key: 'run.lockTimeout', variable: 'FLYBACK_LOCK_TIMEOUT', flag: '--lock-timeout', kind: 'duration' },
  statementTimeout: {
    key: 'run.statementTimeout',
    variable: 'FLYBACK_STATEMENT_TIMEOUT',
    flag: '--statement-timeout',
    kind: 'duration',
  },
  lockRetries: { key: 'run.lockRetries', variable: 'FLYBACK_LOCK_RETRIES', flag: '--lock-retries', kind: 'count' },
  lockRetryPause: {
    key: 'run.lockRetryPause',
    variable: 'FLYBACK_LOCK_RETRY_PAUSE',
    flag: '--lock-retry-pause',
    kind: 'duration',
  },
  concurrentWait: {
    key: 'run.concurrentWait',
    variable: 'FLYBACK_CONCURRENT_WAIT',
    flag: '--concurrent-wait',
    kind: 'duration',
  },
  toolLockWait: {
    key: 'run.toolLockWait',
    variable: 'FLYBACK_TOOL_LOCK_WAIT',
    flag: '--tool-lock-wait',
    kind: 'duration',
  },
  triggers: { key: 'run.triggers', variable: 'FLYBACK_TRIGGERS', flag: '--triggers', kind: 'triggers' },
  maxRisk: { key: 'audit.maxRisk', variable: 'FLYBACK_MAX_RISK', flag: '--max-risk', kind: 'risk' },
  ignore: { key: 'audit.ignore', variable: 'FLYBACK_IGNORE', flag: '--ignore', kind: 'codes' },
  passes: { key: 'prove.passes', variable: 'FLYBACK_PASSES', flag: '--passes', kind: 'grades' },
  requireProof: {
    key: 'prove.requireProof',
    variable: 'FLYBACK_REQUIRE_PROOF',
    flag: '--require-proof',
    kind: 'policy',
  },
  sameMajor: { key: 'prove.sameMajor', variable: 'FLYBACK_SAME_MAJOR', flag: '--same-major', kind: 'switch' },
  drift: { key: 'prove.drift', variable: 'FLYBACK_DRIFT', flag: '--drift', kind: 'policy' },
  scratch: { key: 'prove.scratch', variable: 'FLYBACK_SCRATCH', flag: '--scratch', kind: 'text' },
  proofTimeout: {
    key: 'prove.statementTimeout',
    variable: 'FLYBACK_PROVE_STATEMENT_TIMEOUT',
    flag: '--prove-statement-timeout',
    kind: 'duration',
  },
  fixtures: { key: 'prove.fixtures', variable: 'FLYBACK_FIXTURES', flag: '--fixtures', kind: 'path' },
  url: { key: undefined, variable: 'FLYBACK_URL', flag: '--url', kind: 'text' },
  user: { key: undefined, variable: 'FLYBACK_USER', flag: '--user', kind: 'text' },
  environment: { key: undefined, variable: 'FLYBACK_ENVIRONMENT', flag: '--environment', kind: 'text' },
  schemas: { key: undefined, variable: 'FLYBACK_SCHEMAS', flag: '--schemas', kind: 'text' },
  defaultSchema: { key: undefined, variable: 'FLYBACK_DEFAULT_SCHEMA', flag: '--default-schema', kind: 'text' },
  table: { key: undefined, variable: 'FLYBACK_TABLE', flag: '--table', kind: 'text' },
  locations: { key: undefined, variable: 'FLYBACK_LOCATIONS', flag: '--locations', kind: 'text' },
  loadConfig: { key: undefined, variable: 'FLYBACK_LOAD_CONFIG', flag: '--load-config', kind: 'switch' },
  configFiles: { key: undefined, variable: 'FLYBACK_CONFIG_FILES', flag: '--config-files', kind: 'text' },
  workingDirectory: {
    key: undefined,
    variable: 'FLYBACK_WORKING_DIRECTORY',
    flag: '--working-directory',
    kind: 'path',
  },
} as const satisfies Record<string, Option>;
export type OptionName = keyof typeof options;

/** The password itself, from a variable only: arguments are visible to every user of a machine, files are committed. */
export const passwordVariable = 'FLYBACK_PASSWORD';

/** Set to anything: a fault of flyback itself is shown with its stack trace. */
export const debugVariable = 'FLYBACK_DEBUG';
