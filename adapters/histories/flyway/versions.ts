import type { Version, VersionScheme } from '../../../src/history/version.js';

/**
 * Words that Flyway reads as targets, never as a version of a migration. The number is Java's Long.MAX_VALUE, which
 * Flyway takes for `latest`.
 */
const reservedWords = new Set(['current', 'latest', 'next', '9223372036854775807']);

const versionPattern = /^[0-9]+(?:\.[0-9]+)*$/;

/**
 * Flyway's version rules (MigrationVersion, unchanged from 7.15 to 13.0): `_` counts as `.`, parts are whole numbers of
 * any size, leading zeros and trailing zero parts mean nothing. Signs and digits outside ASCII, which Flyway accepts by
 * accident of Java's number parser, are refused: no order that a person expects exists for them.
 */
export const flywayVersions: VersionScheme = {
  form: 'A version is digits with dots or underscores between them, as in 7, 1.2 or 2025_11_22_001.',

  finder: () => (text) => flywayVersions.parse(text),

  parse(text: string): Version | undefined {
    const normalized = text.replaceAll('_', '.');
    if (!versionPattern.test(normalized) || reservedWords.has(normalized)) {
      return undefined;
    }
    return { text: normalized, key: canonicalKey(normalized) };
  },

  compare(a: Version, b: Version): number {
    if (a.key === b.key) {
      return 0;
    }
    if (!a.key.includes('.') && !b.key.includes('.')) {
      return compareWholeNumbers(a.key, b.key);
    }
    const left = a.key.split('.');
    const right = b.key.split('.');
    const length = Math.max(left.length, right.length);
    for (let index = 0; index < length; index++) {
      const order = compareWholeNumbers(left[index] ?? '0', right[index] ?? '0');
      if (order !== 0) {
        return order;
      }
    }
    return 0;
  },
};

/**
 * True for text that Flyway accepts as a version only because Java's number parser does: signs and digits outside
 * ASCII. Such rows are readable for Flyway but have no place in flyback's order.
 */
export function isAccidentalVersion(text: string): boolean {
  return !versionPattern.test(text) && /^[+-]?\p{Nd}+(?:\.\p{Nd}+)*$/u.test(text.replaceAll('_', '.'));
}

function canonicalKey(normalized: string): string {
  const parts = normalized.split('.').map((part) => part.replace(/^0+(?=[0-9])/, ''));
  while (parts.length > 1 && parts.at(-1) === '0') {
    parts.pop();
  }
  return parts.join('.');
}

/** Without leading zeros the longer number is the greater one, so no part needs to fit a machine number. */
function compareWholeNumbers(a: string, b: string): number {
  if (a.length !== b.length) {
    return a.length - b.length;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}
