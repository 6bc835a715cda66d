import type { Version, VersionScheme } from '../../../src/history/version.js';

/** What comes off a file name to make a version; of what Umzug's own conventions know, and what Node.js runs. */
const extension = /(?:\.up\.sql|\.sql|\.[cm]?[jt]s)$/i;

/** The digits that a name begins with, or the time that Umzug puts there (2026.01.31T10.20.30). */
const leadingText = /^\d[\dT.]*$/;

/**
 * A version is a file name without its extension, so that x.js and the x.ts that it was compiled from are one. Both tools put
 * files in the order of their whole names, by UTF-16 units: that is also the order here, the extension counting as .js.
 */
export const sequelizeVersions: VersionScheme = {
  form: 'A version is the name of a migration file without its extension, or the digits that it begins with, where no other begins with the same.',

  parse(text: string): Version | undefined {
    const name = withoutExtension(text);
    // A name with a slash is a path, and no migration is called like nothing.
    return name === '' || /[/\\\0]/.test(name) ? undefined : { text: name, key: name };
  },

  finder(known) {
    const byKey = new Map(known.map((version) => [version.key, version]));
    const byDigits = new Map<string, Version | undefined>();
    return (text) => {
      const version = sequelizeVersions.parse(text);
      if (version === undefined || byKey.has(version.key) || !leadingText.test(text)) return version;
      if (!byDigits.has(text)) {
        const meant = [...byKey.values()].filter(({ key }) => beginsWith(key, text));
        byDigits.set(text, meant.length === 1 ? meant[0] : undefined);
      }
      return byDigits.get(text) ?? version;
    };
  },

  compare: (a, b) => compareNames(`${a.key}.js`, `${b.key}.js`),
};

/** By UTF-16 units, as Array.prototype.sort without a function. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function withoutExtension(name: string): string {
  return name.replace(extension, '');
}

/** What a name tells besides its time: "20260131102030-add-users.js" → "add users". */
export function descriptionOf(name: string): string {
  const words = withoutExtension(name).replace(/^\d[\dT.]*[-_.]?/, '');
  return (words === '' ? withoutExtension(name) : words).replaceAll(/[-_.]+/g, ' ').trim();
}

function beginsWith(key: string, digits: string): boolean {
  return key.startsWith(digits) && !/[0-9A-Za-z]/.test(key.charAt(digits.length));
}
