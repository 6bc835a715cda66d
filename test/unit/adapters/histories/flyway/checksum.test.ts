import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checksumOf, checksumsEqual } from '../../../../../adapters/histories/flyway/checksum.js';
import { decodeText } from '../../../../../adapters/histories/flyway/encoding.js';

// Expected values were computed with Flyway's own class.
describe('the checksum of a script', () => {
  it.each([
    ['CREATE TABLE t (id INT);\n', 1556295178],
    ['\ufeffCREATE TABLE t (id INT);\r\n', 1556295178],
    ['CREATE TABLE\n t (id INT);\n', 1556295178],
    ['-- Über\nCREATE TABLE t (\n  id INT\n);\n\nINSERT INTO t VALUES (1);', 1807575992],
    ['-- Über\r\nCREATE TABLE t (\r\n  id INT\r\n);\r\n\r\nINSERT INTO t VALUES (1);\r\n', 1807575992],
    ['-- Über\rCREATE TABLE t (\r  id INT\r);\r\rINSERT INTO t VALUES (1);\r', 1807575992],
    ['CREATE TABLE t (id INT); \n', 166061429],
    ['a\n\ufeffb\n', -444179588],
    ['', 0],
    ['\n\r\n\n', 0],
    ['SELECT ${x};\n', 160378602],
    ['SELECT 1;\n', 78787420],
  ])('of %j is %d', (text, expected) => {
    expect(checksumOf(text)).toBe(expected);
  });

  it('does not depend on where lines end', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (lines) => {
        const plain = lines.map((line) => line.replaceAll(/[\r\n]/g, ''));
        expect(checksumOf(plain.join('\r\n'))).toBe(checksumOf(plain.join('\n') + '\n'));
      }),
    );
  });

  it('takes U+2028, NEL, VT and FF for ordinary characters', () => {
    for (const character of ['\u2028', '\u0085', '\v', '\f']) {
      expect(checksumOf(`a${character}b`)).not.toBe(checksumOf('ab'));
    }
  });
});

describe('comparing a stored checksum with a file', () => {
  it('takes 0 and NULL for equal, both ways, and nothing else', () => {
    expect(checksumsEqual(0, null)).toBe(true);
    expect(checksumsEqual(null, 0)).toBe(true);
    expect(checksumsEqual(null, null)).toBe(true);
    expect(checksumsEqual(5, 5)).toBe(true);
    expect(checksumsEqual(5, -5)).toBe(false);
    expect(checksumsEqual(null, 5)).toBe(false);
    expect(checksumsEqual(5, null)).toBe(false);
  });
});

describe('decoding a script', () => {
  const text = (charset: string, bytes: readonly number[]): string => {
    const decoded = decodeText(Buffer.from(bytes), charset);
    return decoded.kind === 'text' ? decoded.text : decoded.kind;
  };

  it('gives one checksum for one text in any encoding', () => {
    const expected = checksumOf('-- Über');
    expect(checksumOf(text('ISO-8859-1', [...Buffer.from('-- Über', 'latin1')]))).toBe(expected);
    expect(checksumOf(text('windows-1252', [...Buffer.from('-- Über', 'latin1')]))).toBe(expected);
    expect(checksumOf(text('UTF-16LE', [...Buffer.from('-- Über', 'utf16le')]))).toBe(expected);
    expect(checksumOf(text('UTF-8', [...Buffer.from('\ufeff-- Über')]))).toBe(expected);
  });

  it('reads UTF-16 by its byte order mark, and as big-endian without one, like Java', () => {
    expect(text('UTF-16', [0xff, 0xfe, 0x61, 0x00])).toBe('a');
    expect(text('UTF-16', [0xfe, 0xff, 0x00, 0x61])).toBe('a');
    expect(text('UTF-16', [0x00, 0x61])).toBe('a');
  });

  it('keeps Latin 1 and windows-1252 apart', () => {
    expect(text('ISO-8859-1', [0x80])).toBe('\u0080');
    expect(text('ISO8859_1', [0x80])).toBe('\u0080');
    expect(text('windows-1252', [0x80])).toBe('€');
    expect(text('Cp1252', [0x80])).toBe('€');
  });

  it('calls malformed bytes malformed, and an unknown charset unsupported', () => {
    expect(text('UTF-8', [0x61, 0xff])).toBe('malformed');
    expect(text('utf8', [0xc3])).toBe('malformed');
    expect(text('US-ASCII', [0xe4])).toBe('malformed');
    expect(text('windows-1252', [0x81])).toBe('malformed');
    expect(text('UTF-16LE', [0x00, 0xd8])).toBe('malformed');
    expect(text('Shift_JIS', [0x81])).toBe('malformed');
    expect(text('IBM-KLINGON', [0x61])).toBe('unsupported');
  });
});
