/*
 * Messages of protocol version 3 as bytes (PostgreSQL manual, "Message Formats"): both what a server reads and what it
 * writes, because the door is a server to the program and a client to the database.
 */

/** One message, whole. */
export interface Frame {
  /** The type byte as a character; empty for what opens a connection. */
  readonly type: string;
  /** Behind type and length. */
  readonly body: Buffer;
  /** Type and length included. */
  readonly bytes: Buffer;
}

/** The other side does not speak the protocol. */
export class ProtocolViolation extends Error {}

/** The server's own bound for what a client that has not logged in yet may send. */
export const openingLimit = 10_000;
/** The server's own bound for any message. */
export const messageLimit = 0x3fffffff;

/** Cuts a stream of bytes into messages, wherever its chunks end. */
export class FrameReader {
  #isTyped: boolean;
  #limit: number;
  #chunks: Buffer[] = [];
  #size = 0;
  /** Bytes that must be there before anything more can be told. */
  #needed: number;

  /** `opening`: the first messages of a client, which have no type. */
  constructor(kind: 'opening' | 'typed') {
    this.#isTyped = kind === 'typed';
    this.#limit = this.#isTyped ? messageLimit : openingLimit;
    this.#needed = this.#headerLength;
  }

  get #headerLength(): number {
    return this.#isTyped ? 5 : 4;
  }

  /** From here on each message has a type. */
  startTyped(): void {
    this.#isTyped = true;
    this.#needed = this.#headerLength;
  }

  liftLimit(): void {
    this.#limit = messageLimit;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  /** The next whole message; undefined: more must come. Throws ProtocolViolation. */
  next(): Frame | undefined {
    if (this.#size < this.#needed) return undefined;
    const all = this.#gather();
    const typeLength = this.#isTyped ? 1 : 0;
    // The length counts itself, but not the type.
    const length = all.readInt32BE(typeLength);
    if (length < 4 || length > this.#limit)
      throw new ProtocolViolation(`A message claims a length of ${length} bytes.`);
    const end = typeLength + length;
    if (this.#size < end) {
      this.#needed = end;
      return undefined;
    }
    this.#needed = this.#headerLength;
    this.#size -= end;
    this.#chunks = this.#size === 0 ? [] : [all.subarray(end)];
    return {
      type: all.toString('latin1', 0, typeLength),
      body: all.subarray(typeLength + 4, end),
      bytes: all.subarray(0, end),
    };
  }

  #gather(): Buffer {
    const [only] = this.#chunks;
    if (only !== undefined && this.#chunks.length === 1) return only;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}

/** Reads the fields of a message in order. Throws ProtocolViolation behind its end. */
export class BodyReader {
  #at = 0;

  constructor(private readonly body: Buffer) {}

  text(): string {
    const end = this.body.indexOf(0, this.#at);
    if (end === -1) throw new ProtocolViolation('A text in a message has no end.');
    const text = this.body.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  char(): string {
    return this.bytes(1).toString('latin1');
  }

  int16(): number {
    return this.bytes(2).readInt16BE();
  }

  int32(): number {
    return this.bytes(4).readInt32BE();
  }

  uint32(): number {
    return this.bytes(4).readUInt32BE();
  }

  bytes(length: number): Buffer {
    const end = this.#at + length;
    if (length < 0 || end > this.body.length) throw new ProtocolViolation('A message ends too soon.');
    const bytes = this.body.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  rest(): Buffer {
    return this.body.subarray(this.#at);
  }

  /** A count and as many items. */
  list<T>(read: () => T): readonly T[] {
    return Array.from({ length: this.bytes(2).readUInt16BE() }, read);
  }
}

export function message(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? text(part) : part)));
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`, 'utf8');
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** What a transaction block looks like from outside: none, open, failed. */
export type TransactionStatus = 'I' | 'T' | 'E';

export function readyForQuery(status: TransactionStatus): Buffer {
  return message('Z', Buffer.from(status, 'latin1'));
}

export function errorResponse(severity: 'ERROR' | 'FATAL', sqlState: string, sentence: string): Buffer {
  return message('E', `S${severity}`, `V${severity}`, `C${sqlState}`, `M${sentence}`, Buffer.alloc(1));
}

/** Fields of an ErrorResponse or NoticeResponse by their letters. */
export function errorFields(body: Buffer): Readonly<Record<string, string>> {
  const reader = new BodyReader(body);
  const fields: Record<string, string> = {};
  for (let letter = reader.char(); letter !== '\0'; letter = reader.char()) fields[letter] = reader.text();
  return fields;
}

/** As pg would throw it. */
export function serverError(body: Buffer): Error {
  const fields = errorFields(body);
  return Object.assign(new Error(fields['M'] ?? ''), {
    severity: fields['S'],
    code: fields['C'],
    ...(fields['D'] === undefined ? {} : { detail: fields['D'] }),
    ...(fields['H'] === undefined ? {} : { hint: fields['H'] }),
    ...(fields['P'] === undefined ? {} : { position: fields['P'] }),
  });
}

/** Number of rows that a command tag ends with; null where it tells none. */
export function rowCountOf(body: Buffer): number | null {
  const [, count] = /^[A-Z ]*?(?: \d+)? (\d+)$/.exec(new BodyReader(body).text()) ?? [];
  return count === undefined ? null : Number(count);
}

export const sync = message('S');
export const flush = message('H');
export const query = (sql: string): Buffer => message('Q', sql);
export const closeStatement = (name: string): Buffer => message('C', Buffer.from('S'), name);
export const closePortal = (name: string): Buffer => message('C', Buffer.from('P'), name);
export const describePortal = (name: string): Buffer => message('D', Buffer.from('P'), name);
export const describeStatement = (name: string): Buffer => message('D', Buffer.from('S'), name);
