import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { FlybackError } from '../errors/error.js';

/** Bytes; a text of this size still splits in seconds and within a gigabyte. */
export const largestScript = 64 * 1024 * 1024;

export interface ScriptFile {
  readonly file: string;
  /** Without a byte order mark; line endings as in the file. */
  readonly text: string;
  /** SHA-256 (hex) of the bytes. */
  readonly checksum: string;
}

/**
 * Reads a script file as text. Synchronous: scripts are many and small.
 * Throws FlybackError file-unreadable (the system refuses) or script-refused (its bytes are no script).
 */
export function readScriptFile(file: string): ScriptFile {
  const bytes = readBytes(file);
  return { file, text: decodeScript(bytes, file), checksum: checksumOf(bytes) };
}

/** SHA-256 (hex) of a file's bytes. Errors as for readScriptFile. */
export function checksumOfFile(file: string): string {
  return checksumOf(readBytes(file));
}

function checksumOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function readBytes(file: string): Buffer {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const status = fstatSync(descriptor);
    if (!status.isFile()) throw refused(file, 'is not a regular file', 'Put the script itself there.');
    if (status.size > largestScript) throw tooLarge(file, status.size);
    return readAll(descriptor, status.size);
  } catch (error) {
    if (error instanceof FlybackError) throw error;
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new FlybackError('file-unreadable', `The script ${file} cannot be read: ${reason}.`, {
      hint: 'Check that the file exists and that this user may read it.',
      cause: error,
    });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Reads in one call what has this size; whatever else comes (a file that grows, a device) by Node's own means. */
function readAll(descriptor: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size + 1);
  return readSync(descriptor, bytes, 0, size + 1, 0) === size ? bytes.subarray(0, size) : readFileSync(descriptor);
}

function tooLarge(file: string, size: number): FlybackError {
  const megabytes = Math.ceil(size / 1024 / 1024);
  return refused(
    file,
    `has ${String(megabytes)} MB; the limit is ${String(largestScript / 1024 / 1024)} MB`,
    'Load large data apart (COPY from a file on the server, or a table prepared beforehand) and keep the script small.',
  );
}

function refused(file: string, reason: string, hint: string): FlybackError {
  return new FlybackError('script-refused', `The script ${file} ${reason}.`, { hint });
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Bytes → text: UTF-8 only, a byte order mark removed, nothing replaced. Throws FlybackError script-refused that names
 * the line and the byte for bad UTF-8 and for NUL (which the server cannot store in any text), and UTF-16 by its mark.
 */
export function decodeScript(bytes: Uint8Array, file: string): string {
  if (bytes.byteLength > largestScript) throw tooLarge(file, bytes.byteLength);
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw refused(file, 'is in UTF-16', 'Save it as UTF-8.');
  }
  const nul = bytes.indexOf(0);
  if (nul !== -1) {
    throw refused(
      file,
      `holds a NUL byte on line ${String(lineAt(bytes, nul))} (byte ${String(nul)})`,
      'Remove it; if the file is in UTF-16, save it as UTF-8.',
    );
  }
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    const bad = firstBadByte(bytes);
    const shown = (bytes[bad] ?? 0).toString(16).toUpperCase().padStart(2, '0');
    throw refused(
      file,
      `is not valid UTF-8: byte 0x${shown} on line ${String(lineAt(bytes, bad))} (byte ${String(bad)})`,
      'Save it as UTF-8; it may be in Latin-1 or Windows-1252.',
    );
  }
}

function lineAt(bytes: Uint8Array, offset: number): number {
  let line = 1;
  for (let at = 0; at < offset; at++) {
    if (bytes[at] === 0x0a || (bytes[at] === 0x0d && bytes[at + 1] !== 0x0a)) line++;
  }
  return line;
}

/** Offset of the first byte that begins no well-formed sequence (Unicode 15, table 3-7). */
function firstBadByte(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length === 0) return at;
    at += length;
  }
  return at;
}

function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] as number;
  if (lead < 0x80) return 1;
  const follows = (index: number, low = 0x80, high = 0xbf): boolean => {
    const byte = bytes[at + index];
    return byte !== undefined && byte >= low && byte <= high;
  };
  if (lead >= 0xc2 && lead <= 0xdf) return follows(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const second = follows(1, lead === 0xe0 ? 0xa0 : 0x80, lead === 0xed ? 0x9f : 0xbf);
    return second && follows(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const second = follows(1, lead === 0xf0 ? 0x90 : 0x80, lead === 0xf4 ? 0x8f : 0xbf);
    return second && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}
