import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { FlybackError } from '../../../src/errors/error.js';
import { decodeScript, largestScript, readScriptFile } from '../../../src/scripts/read-script-file.js';

const folder = mkdtempSync(join(tmpdir(), 'flyback-read-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function failure(run: () => unknown): FlybackError {
  try {
    run();
  } catch (error) {
    if (error instanceof FlybackError) return error;
    throw error;
  }
  throw new Error('did not fail');
}

const bytes = (...parts: readonly (string | readonly number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'utf8') : Buffer.from(part))));

describe('decodeScript', () => {
  test('removes a byte order mark and keeps line endings', () => {
    expect(decodeScript(bytes([0xef, 0xbb, 0xbf], 'DROP TABLE é;\r\n'), 'f')).toBe('DROP TABLE é;\r\n');
  });

  test.each([
    ['Latin-1', bytes('-- a\n-- b\r\n-- caf', [0xe9], '\n'), 'byte 0xE9 on line 3 (byte 17)'],
    ['a lone continuation byte', bytes([0x80]), 'byte 0x80 on line 1 (byte 0)'],
    ['an overlong form', bytes('a\r', [0xc0, 0xaf]), 'byte 0xC0 on line 2 (byte 2)'],
    ['a surrogate', bytes([0xed, 0xa0, 0x80]), 'byte 0xED on line 1 (byte 0)'],
    ['a sequence cut off by the end', bytes('é', [0xf0, 0x9f, 0x98]), 'byte 0xF0 on line 1 (byte 2)'],
  ])('refuses %s with its place', (_name, input, place) => {
    const error = failure(() => decodeScript(input, 'R1__x.sql'));
    expect(error.code).toBe('script-refused');
    expect(error.message).toBe(`The script R1__x.sql is not valid UTF-8: ${place}.`);
    expect(error.hint).toContain('UTF-8');
  });

  test('refuses NUL with its line', () => {
    expect(failure(() => decodeScript(bytes('a\nb\0c'), 'R1__x.sql')).message).toContain(
      'a NUL byte on line 2 (byte 3)',
    );
  });

  test('recognises UTF-16 by its mark', () => {
    for (const mark of [
      [0xff, 0xfe],
      [0xfe, 0xff],
    ]) {
      expect(failure(() => decodeScript(bytes(mark, 'a'), 'R1__x.sql')).message).toContain('is in UTF-16');
    }
  });

  test('gives text exactly when the runtime finds the bytes well-formed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ min: 1 }), (input) => {
        const known = Buffer.from(input).toString('utf8');
        const wellFormed = Buffer.from(known, 'utf8').equals(Buffer.from(input));
        if (input[0] === 0xff || input[0] === 0xfe) return;
        if (wellFormed) expect(decodeScript(input, 'f')).toBe(known.replace(/^\uFEFF/, ''));
        else expect(failure(() => decodeScript(input, 'f')).message).toMatch(/byte 0x[0-9A-F]{2} on line/);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('readScriptFile', () => {
  test('gives the text and the SHA-256 of the bytes', () => {
    const file = join(folder, 'R1__bom.sql');
    const content = bytes([0xef, 0xbb, 0xbf], 'DROP TABLE a;');
    writeFileSync(file, content);
    expect(readScriptFile(file)).toEqual({
      file,
      text: 'DROP TABLE a;',
      checksum: createHash('sha256').update(content).digest('hex'),
    });
  });

  // The files of /proc claim to be empty.
  test.runIf(existsSync('/proc/version'))('reads a file to its end that is larger than it says', () => {
    const text = readFileSync('/proc/version', 'utf8');
    expect(text).toContain('version');
    expect(readScriptFile('/proc/version')).toEqual({
      file: '/proc/version',
      text,
      checksum: createHash('sha256').update(text).digest('hex'),
    });
  });

  test('reads a file of 50 MB', () => {
    const file = join(folder, 'R2__large.sql');
    writeFileSync(file, Buffer.alloc(50 * 1024 * 1024, '-- é\n'));
    expect(readScriptFile(file).text.startsWith('-- é\n-- é')).toBe(true);
  });

  test('refuses a file above the limit without reading it', () => {
    const file = join(folder, 'R3__huge.sql');
    writeFileSync(file, '');
    truncateSync(file, largestScript + 1);
    expect(failure(() => readScriptFile(file))).toMatchObject({
      code: 'script-refused',
      message: expect.stringContaining('65 MB; the limit is 64 MB') as string,
    });
  });

  test('refuses a folder, and a file that is not there', () => {
    expect(failure(() => readScriptFile(folder)).code).toBe('script-refused');
    expect(failure(() => readScriptFile(join(folder, 'none.sql')))).toMatchObject({
      code: 'file-unreadable',
      message: expect.stringContaining('ENOENT') as string,
    });
  });
});
