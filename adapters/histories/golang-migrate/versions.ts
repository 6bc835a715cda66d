import type { Version, VersionScheme } from '../../../src/history/version.js';

/** The column is a signed 64-bit integer. */
const greatest = 9_223_372_036_854_775_807n;

/**
 * Whole numbers from 0 on; leading zeros mean nothing (source/parse.go). Zero is a version like any other.
 */
export const golangMigrateVersions: VersionScheme = {
  form: 'A version is a whole number, as in 7, 000012 or 20251122083000.',

  finder: () => (text) => golangMigrateVersions.parse(text),

  parse(text: string): Version | undefined {
    if (!/^[0-9]{1,64}$/.test(text)) return undefined;
    const number = BigInt(text);
    if (number > greatest) return undefined;
    return { text: String(number), key: String(number) };
  },

  compare(a: Version, b: Version): number {
    // Without leading zeros the longer number is the greater one.
    if (a.key.length !== b.key.length) return a.key.length - b.key.length;
    return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
  },
};
