import { FlybackError } from '../errors/error.js';
import type { Version, VersionScheme } from './version.js';

/** The version that a person means by this text, among these or by itself. Throws FlybackError version-invalid. */
export function findVersion(text: string, versions: VersionScheme, known: readonly Version[]): Version {
  const version = versions.finder(known)(text);
  if (version !== undefined) return version;
  throw new FlybackError('version-invalid', `"${text}" is not a version.`, {
    hint: `${versions.form} flyback status lists the versions.`,
  });
}
