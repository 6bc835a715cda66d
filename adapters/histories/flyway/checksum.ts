import { crc32 } from 'node:zlib';

/**
 * Flyway's checksum of a script's decoded text (ChecksumCalculator, same from 4.0 to 13.0): CRC-32 over the UTF-8 bytes
 * of the lines without their endings, one byte order mark at the very start left out, read as a signed 32-bit number.
 */
export function checksumOf(text: string): number {
  const withoutMark = text.startsWith('\ufeff') ? text.slice(1) : text;
  return crc32(withoutMark.replaceAll(/[\r\n]/g, '')) | 0;
}

/**
 * True if a stored checksum belongs to a file with this one. Before 9.0.1 Flyway could read the 0 of an empty file
 * back as NULL, so these two count as equal; any other NULL matches only a file without a checksum.
 */
export function checksumsEqual(stored: number | null, ofFile: number | null): boolean {
  return stored === ofFile || (stored === 0 && ofFile === null) || (stored === null && ofFile === 0);
}
