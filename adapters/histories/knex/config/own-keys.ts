import { parseDuration } from '../../../../src/config/duration.js';
import { findNearest } from '../../../../src/config/nearest.js';
import type { Finding } from '../../../../src/errors/finding.js';

/** [knex] in flyback.toml: how the knexfile is loaded, and what stands in its place. Each key with what it takes. */
const keys = {
  load: 'switch',
  loadTimeout: 'duration',
  down: 'switch',
  knexfile: 'text',
  environment: 'text',
  directory: 'texts',
  tableName: 'text',
  schemaName: 'text',
  loadExtensions: 'texts',
  sortDirsSeparately: 'switch',
  disableTransactions: 'switch',
  disableMigrationsListValidation: 'switch',
} as const;

type Kind = (typeof keys)[keyof typeof keys];
type Value<K extends Kind> = K extends 'switch'
  ? boolean
  : K extends 'duration'
    ? number
    : K extends 'texts'
      ? readonly string[]
      : string;

/** What the table says: checked, durations in milliseconds. */
export type OwnKeys = { readonly [K in keyof typeof keys]?: Value<(typeof keys)[K]> };

const expected: Readonly<Record<Kind, string>> = {
  switch: 'true or false, without quotes',
  duration: 'a time in double quotes, such as "10s"',
  text: 'a text in double quotes, and not empty',
  texts: 'a text in double quotes, or a list of them',
};

/** Reads the table; what is wrong with it becomes findings. */
export function readOwnKeys(own: ReadonlyMap<string, unknown>, findings: Finding[]): OwnKeys {
  const result: Record<string, unknown> = {};
  for (const [key, written] of own) {
    const subject = `flyback.toml knex.${key}`;
    if (!Object.hasOwn(keys, key)) {
      const meant = findNearest(key, Object.keys(keys));
      findings.push({
        code: 'config-key-unknown',
        severity: 'error',
        subject,
        message: `flyback.toml has an unknown key knex.${key}.`,
        hint:
          meant === undefined
            ? `Known keys of [knex]: ${Object.keys(keys).join(', ')}. The connection is the knexfile's, or --url.`
            : `Perhaps knex.${meant} was meant.`,
      });
      continue;
    }
    const kind = keys[key as keyof typeof keys];
    const value = valueOf(kind, written);
    if (value === undefined) {
      findings.push({
        code: 'config-value-invalid',
        severity: 'error',
        subject,
        message: `${subject} must be ${expected[kind]}.`,
        hint: `Correct ${key} under [knex].`,
      });
    } else result[key] = value;
  }
  return result;
}

function valueOf(kind: Kind, written: unknown): unknown {
  const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';
  switch (kind) {
    case 'switch':
      return typeof written === 'boolean' ? written : undefined;
    case 'duration':
      return isText(written) ? parseDuration(written) : undefined;
    case 'text':
      return isText(written) ? written : undefined;
    case 'texts':
      if (isText(written)) return [written];
      return Array.isArray(written) && written.length > 0 && written.every(isText) ? written : undefined;
  }
}
