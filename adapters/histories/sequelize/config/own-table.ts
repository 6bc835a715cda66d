import type { Sourced } from '../../../../src/config/readers.js';
import { findNearest } from '../../../../src/config/nearest.js';
import type { Finding } from '../../../../src/errors/finding.js';

type Kind = 'text' | 'texts' | 'switch';

/** What the tool's own table in flyback.toml says, checked: every key and value that is wrong is a finding. */
export interface OwnTable<Key extends string> {
  text(key: Key): Sourced | undefined;
  texts(key: Key): Sourced<readonly string[]> | undefined;
  truth(key: Key): Sourced<boolean> | undefined;
}

export function readOwnTable<Key extends string>(
  tool: string,
  own: ReadonlyMap<string, unknown>,
  kinds: Readonly<Record<Key, Kind>>,
  findings: Finding[],
): OwnTable<Key> {
  const source = (key: string): string => `flyback.toml ${tool}.${key}`;
  const reject = (key: string, problem: string, hint: string): void => {
    findings.push({
      code: 'config-value-invalid',
      severity: 'error',
      subject: source(key),
      message: `${source(key)} ${problem}.`,
      hint,
    });
  };
  const known = Object.keys(kinds);
  for (const key of own.keys()) {
    if (known.includes(key)) continue;
    const meant = findNearest(key, known);
    findings.push({
      code: 'config-key-unknown',
      severity: 'error',
      subject: source(key),
      message: `flyback.toml has an unknown key ${key} under [${tool}].`,
      hint: /^passw/i.test(key)
        ? 'Never write a password here: put it into FLYBACK_PASSWORD.'
        : meant === undefined
          ? `Known keys: ${known.join(', ')}.`
          : `Perhaps ${meant} was meant.`,
    });
  }
  const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';
  return {
    text: (key) => {
      const value = own.get(key);
      if (value === undefined) return undefined;
      if (isText(value)) return { value, source: source(key) };
      reject(key, 'must be a text in double quotes, and not empty', `Correct ${key} under [${tool}].`);
      return undefined;
    },
    texts: (key) => {
      const value = own.get(key);
      if (value === undefined) return undefined;
      const list: readonly unknown[] = Array.isArray(value) ? value : [value];
      if (list.length > 0 && list.every(isText)) return { value: list, source: source(key) };
      reject(key, 'must be a text in double quotes, or a list of such texts', `Correct ${key} under [${tool}].`);
      return undefined;
    },
    truth: (key) => {
      const value = own.get(key);
      if (value === undefined) return undefined;
      if (typeof value === 'boolean') return { value, source: source(key) };
      reject(key, 'must be true or false, without quotes', `Correct ${key} under [${tool}].`);
      return undefined;
    },
  };
}
