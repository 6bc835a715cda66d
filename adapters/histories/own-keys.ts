import { findNearest } from '../../src/config/nearest.js';
import type { Sourced } from '../../src/config/readers.js';
import type { Finding } from '../../src/errors/finding.js';

/**
 * Reads the table of a migration tool in flyback.toml: texts under these keys. Every other key, and every value that is not a
 * text, becomes a finding.
 */
export function readOwnKeys<Key extends string>(
  tool: string,
  keys: readonly Key[],
  own: ReadonlyMap<string, unknown>,
  findings: Finding[],
): Partial<Record<Key, Sourced>> {
  const found: Partial<Record<Key, Sourced>> = {};
  for (const [key, value] of own) {
    const source = `flyback.toml ${tool}.${key}`;
    const known = keys.find((name) => name === key);
    if (known === undefined) {
      const meant = findNearest(key, keys);
      findings.push({
        code: 'config-key-unknown',
        severity: 'error',
        subject: source,
        message: `flyback.toml has an unknown key ${tool}.${key}.`,
        hint: meant === undefined ? `Known keys: ${keys.join(', ')}.` : `Perhaps ${meant} was meant.`,
      });
    } else if (typeof value !== 'string' || value.trim() === '') {
      findings.push({
        code: 'config-value-invalid',
        severity: 'error',
        subject: source,
        message: `${source} is not a text.`,
        hint: `Write ${key} = "…".`,
      });
    } else {
      found[known] = { value, source };
    }
  }
  return found;
}

/** The URL in the variable of this name. Files alone can be audited without one, so a variable that is not set is no error. */
export function urlOfVariable(
  name: Sourced | undefined,
  environment: Readonly<Record<string, string | undefined>>,
  findings: Finding[],
): Sourced | undefined {
  if (name === undefined) return undefined;
  const value = environment[name.value];
  if (value !== undefined && value !== '') return { value, source: name.value };
  findings.push({
    code: 'config-variable-unset',
    severity: 'warning',
    subject: name.source,
    message: `${name.source} names the variable ${/^\w+$/.test(name.value) ? name.value : '***'}, which is not set.`,
    hint: 'Set it to the URL of the database, or give --url.',
  });
  return undefined;
}
