import type { Version, VersionScheme } from '../../../src/history/version.js';

/** The digits that a file name begins with, as text: 001 and 1 are two versions, and 10 comes before 9. */
export const dbmateVersions: VersionScheme = {
  form: 'A version is the digits that a file name begins with, as in 20251122083000.',
  finder: () => (text) => dbmateVersions.parse(text),
  parse: (text: string): Version | undefined => (/^[0-9]+$/.test(text) ? { text, key: text } : undefined),
  compare: (a: Version, b: Version): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
};
