import { isAscii, isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';

/** Text of a file, or why its bytes are not text in that encoding. */
export type Decoded =
  { readonly kind: 'text'; readonly text: string } | { readonly kind: 'malformed' } | { readonly kind: 'unsupported' };

/** Bytes without a character in windows-1252, which web decoders map to control characters and Java refuses. */
const unassignedInWindows1252 = new Set([0x81, 0x8d, 0x8f, 0x90, 0x9d]);

/**
 * Decodes a file as Flyway does with a Java charset name: malformed bytes are an error, a byte order mark stays in the
 * text (the checksum removes it), except in UTF-16, where it tells the byte order and big-endian is the default.
 */
export function decodeText(bytes: Buffer, charset: string): Decoded {
  switch (canonicalCharset(charset)) {
    case 'utf8':
      return isUtf8(bytes) ? { kind: 'text', text: bytes.toString('utf8') } : { kind: 'malformed' };
    case 'usascii':
      return isAscii(bytes) ? { kind: 'text', text: bytes.toString('latin1') } : { kind: 'malformed' };
    case 'iso88591':
      return { kind: 'text', text: bytes.toString('latin1') };
    case 'windows1252':
      return bytes.some((byte) => unassignedInWindows1252.has(byte))
        ? { kind: 'malformed' }
        : decodeWith('windows-1252', bytes);
    case 'utf16': {
      if (bytes[0] === 0xff && bytes[1] === 0xfe) {
        return decodeWith('utf-16le', bytes.subarray(2));
      }
      return decodeWith('utf-16be', bytes[0] === 0xfe && bytes[1] === 0xff ? bytes.subarray(2) : bytes);
    }
    default:
      return decodeWith(charset, bytes);
  }
}

function decodeWith(label: string, bytes: Buffer): Decoded {
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(label, { fatal: true, ignoreBOM: true });
  } catch {
    return { kind: 'unsupported' };
  }
  try {
    return { kind: 'text', text: decoder.decode(bytes) };
  } catch {
    return { kind: 'malformed' };
  }
}

/** Java's many aliases of the common charsets; web labels would make windows-1252 of Latin 1 and of ASCII. */
function canonicalCharset(charset: string): string {
  const folded = charset.toLowerCase().replaceAll(/[-_]/g, '');
  switch (folded) {
    case 'ascii':
    case 'iso646us':
      return 'usascii';
    case 'latin1':
    case 'l1':
    case 'cp819':
      return 'iso88591';
    case 'cp1252':
      return 'windows1252';
    default:
      return folded;
  }
}
