/** The longest file name that common file systems take, in bytes, with room for a temporary suffix. */
const maxBytes = 240;

const encoder = new TextEncoder();

/**
 * File name of a version's rollback script: R<version>__<description_with_underscores>.sql. The version stays as it is
 * written; whatever a file system or a shell would stumble over in the description becomes an underscore.
 */
export function stubFileName(version: string, description: string): string {
  const words = description
    .normalize('NFC')
    // Letters, digits and marks of every script stay; a dot could end in a second suffix, a dash could start an option.
    .replaceAll(/[^\p{L}\p{N}\p{M}]+/gu, '_')
    .replaceAll(/^_+|_+$/g, '');
  const start = `R${version}__`;
  let kept = '';
  let bytes = encoder.encode(`${start}.sql`).length;
  for (const character of words) {
    bytes += encoder.encode(character).length;
    if (bytes > maxBytes) break;
    kept += character;
  }
  return `${start}${kept === '' ? 'rollback' : kept}.sql`;
}
