import type { Connection } from 'mysql2';

/** What came back for one statement. Of a procedure that returns several results, the last one with rows. */
export interface Answer {
  readonly columns: readonly string[];
  /** Text as the server sent it; bytes that are no text as 0x…. */
  readonly rows: readonly (readonly (string | null)[])[];
  /** Undefined for a statement that returns rows. */
  readonly affectedRows: number | undefined;
  readonly warnings: number;
  readonly inTransaction: boolean;
}

/** Bit of the status that the server sends with each answer (MySQL Internals, SERVER_STATUS_flags_enum). */
const statusInTransaction = 1;

/** What every answer ends with; the driver shows it for answers without rows only. */
interface Packet {
  isEOF(): boolean;
  eofStatusFlags(): number;
  eofWarningCount(): number;
}
interface DriverQuery {
  row(packet: Packet, connection: unknown): unknown;
  on(event: 'result', listener: (header: Header) => void): void;
  /** Rows and columns of the result that is being read. */
  readonly _currentRows: RawRows;
  readonly _currentFields: readonly Column[];
}
interface Header {
  readonly affectedRows: number;
  readonly serverStatus: number;
  readonly warningStatus: number;
}
interface Column {
  readonly name: string;
  readonly columnType: number;
  readonly characterSet: number;
  readonly encoding: string;
}
type RawRows = readonly (readonly (Buffer | null)[])[];

/** Every result that was complete before the failing one, or all. */
export interface Sent {
  readonly answers: readonly Answer[];
  /** The driver's error. */
  readonly failure: unknown;
}

/** Sends one or more statements as one message: the server goes from one to the next, and stops at the first that fails. */
export async function sendStatements(connection: Connection, sql: string): Promise<Sent> {
  const answers: Answer[] = [];
  return new Promise((resolve) => {
    const query = connection.query({ sql, rowsAsArray: true, typeCast: (field) => field.buffer() }, (failure) => {
      resolve({ answers, failure: failure ?? undefined });
    }) as unknown as DriverQuery;
    // Rows are kept until their last one; what this tells of is an answer without rows.
    query.on('result', ({ affectedRows, serverStatus, warningStatus }) => {
      answers.push({
        columns: [],
        rows: [],
        affectedRows,
        warnings: warningStatus,
        inTransaction: (serverStatus & statusInTransaction) !== 0,
      });
    });
    const prototype = Object.getPrototypeOf(query) as DriverQuery;
    // The driver goes from row to row by the prototype's method, which it looks up here for the first one.
    const row = function (this: DriverQuery, packet: Packet, driver: unknown): unknown {
      if (packet.isEOF()) {
        answers.push({
          columns: this._currentFields.map(({ name }) => name),
          rows: decodeRows(this._currentRows, this._currentFields),
          affectedRows: undefined,
          warnings: packet.eofWarningCount(),
          inTransaction: (packet.eofStatusFlags() & statusInTransaction) !== 0,
        });
      }
      const next = prototype.row.call(this, packet, driver);
      return next === prototype.row ? row : next;
    };
    query.row = row;
  });
}

/** A packet of the driver's, and how to make another one: its buffer begins with room for the header. */
interface OutgoingPacket {
  readonly constructor: new (id: number, buffer: Buffer, start: number, end: number) => OutgoingPacket;
}

const setOption = 0x1b;

/**
 * Whether a message may hold several statements from here on (COM_SET_OPTION). The driver has no command for it: it goes in
 * the place of a ping, whose answer nobody reads. Only while nothing else is under way.
 */
export async function allowSeveral(connection: Connection, isAllowed: boolean): Promise<void> {
  const driver = connection as unknown as { writePacket?: (packet: OutgoingPacket) => void };
  const inherited = Object.getPrototypeOf(driver) as Required<typeof driver>;
  driver.writePacket = (ping) => {
    delete driver.writePacket;
    const bytes = Buffer.from([0, 0, 0, 0, setOption, isAllowed ? 0 : 1, 0]);
    inherited.writePacket.call(driver, new ping.constructor(0, bytes, 0, bytes.length));
  };
  await new Promise<void>((resolve, reject) => {
    connection.ping((error) => {
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
}

/** Sends one statement, which may be a procedure that gives several results. Rejects with the driver's error. */
export async function createQuery(connection: Connection, sql: string): Promise<Answer> {
  const { answers, failure } = await sendStatements(connection, sql);
  if (failure !== undefined) throw failure;
  const end = answers.at(-1);
  if (end === undefined) throw new Error('The server gave no answer.');
  const shown = answers.findLast(({ affectedRows }) => affectedRows === undefined);
  return shown === undefined ? end : { ...shown, warnings: end.warnings, inTransaction: end.inTransaction };
}

function decodeRows(rows: RawRows, columns: readonly Column[]): readonly (readonly (string | null)[])[] {
  const decoders = columns.map(decoderOf);
  return rows.map((row) => row.map((value, index) => (value === null ? null : (decoders[index] ?? toUtf8)(value))));
}

const binaryCharacterSet = 63;
/** Types whose bytes are text unless the character set is "binary": VARCHAR, BIT, the BLOBs, VAR_STRING, STRING. */
const maybeText = new Set([15, 249, 250, 251, 252, 253, 254]);
const neverText = new Set([16, 242, 255]);

function decoderOf({ columnType, characterSet, encoding }: Column): (value: Buffer) => string {
  if (neverText.has(columnType) || (maybeText.has(columnType) && characterSet === binaryCharacterSet)) return toHex;
  // A script may have changed what the server sends.
  if (maybeText.has(columnType) && /^(?:latin1|ascii|windows-?1252|cp1252)$/i.test(encoding)) return toLatin1;
  return toUtf8;
}

const toHex = (value: Buffer): string => `0x${value.toString('hex')}`;
const toUtf8 = (value: Buffer): string => value.toString('utf8');
const toLatin1 = (value: Buffer): string => value.toString('latin1');
