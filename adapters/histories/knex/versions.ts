import type { Version, VersionScheme } from '../../../src/history/version.js';

/** A compiled .ts is a .js: the same migration to a person, though not to Knex. */
const extension = /\.(?:co|coffee|eg|iced|js|cjs|mjs|litcoffee|ls|ts|cts|mts|sql)$/i;

/**
 * Knex knows a migration by its file name and asks nothing of that name. Here the version is the name without its
 * extension; they order as Knex orders files, by their characters.
 */
export const knexVersions: VersionScheme = {
  form: 'A version is the name of a migration file without its extension, or the digits that it begins with where no other begins with them.',

  parse(text: string): Version | undefined {
    const name = text.trim().replace(extension, '');
    // A path or a line of text is no name of a file.
    return name === '' || /[/\\\p{Cc}]/u.test(name) ? undefined : { text: name, key: name };
  },

  finder(known: readonly Version[]) {
    const byKey = new Map(known.map((version) => [version.key, version]));
    const byDigits = collect(byKey.values(), (digits) => digits);
    const byNumber = collect(byKey.values(), withoutZeros);
    return (text) => {
      const parsed = knexVersions.parse(text);
      if (parsed === undefined) return undefined;
      const same = byKey.get(parsed.key);
      if (same !== undefined || !/^\d+$/.test(parsed.key)) return same ?? parsed;
      const exact = byDigits.get(parsed.key) ?? [];
      const meant = exact.length > 0 ? exact : (byNumber.get(withoutZeros(parsed.key)) ?? []);
      return meant.length === 1 ? meant[0] : parsed;
    };
  },

  compare: (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
};

/** The digits that a name begins with, and the words after them. */
export function splitName(name: string): { readonly digits: string; readonly words: string } {
  const bare = name.replace(extension, '');
  const digits = /^\d+/.exec(bare)?.[0] ?? '';
  return { digits, words: bare.slice(digits.length).replaceAll(/[_-]+/g, ' ').trim() };
}

function collect(
  versions: Iterable<Version>,
  keyOf: (digits: string) => string,
): ReadonlyMap<string, readonly Version[]> {
  const groups = new Map<string, Version[]>();
  for (const version of versions) {
    const { digits } = splitName(version.key);
    if (digits === '') continue;
    const key = keyOf(digits);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [version]);
    else group.push(version);
  }
  return groups;
}

function withoutZeros(digits: string): string {
  return digits.replace(/^0+(?=\d)/, '');
}
