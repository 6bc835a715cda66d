import { isAscii, isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';

/** Text of a file, or why its bytes are not text in that encoding. */
export type Decoded =
  { readonly kind: 'text'; readonly text: string } | { readonly kind: 'malformed' } | { readonly kind: 'unsupported' };

/**
 * What windows-1252 has for the bytes 80 to 9F; a blank is a byte without a character, which Java refuses. Written out
 * because the decoder of Node 20 takes windows-1252 for Latin 1.
 */
const windows1252Extras = '€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ';

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
      return decodeWindows1252(bytes);
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

function decodeWindows1252(bytes: Buffer): Decoded {
  const text = bytes
    .toString('latin1')
    .replaceAll(/[\u0080-\u009f]/g, (character) => windows1252Extras.charAt(character.charCodeAt(0) - 0x80));
  const isMalformed = bytes.some((byte) => byte >= 0x80 && byte <= 0x9f && windows1252Extras[byte - 0x80] === ' ');
  return isMalformed ? { kind: 'malformed' } : { kind: 'text', text };
}

function decodeWith(label: string, bytes: Buffer): Decoded {
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(label, { fatal: true, ignoreBOM: true });
  } catch {
    return { kind: 'unsupported' };
  }
  if (decoder.encoding === 'windows-1252') {
    // The web's aliases of Latin 1; windows-1252 under its own names does not come here.
    return { kind: 'text', text: bytes.toString('latin1') };
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
