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

/** Sends one statement as text. Rejects with the driver's error. */
export async function createQuery(connection: Connection, sql: string): Promise<Answer> {
  let status = 0;
  let warnings = 0;
  return new Promise((resolve, reject) => {
    const query = connection.query(
      { sql, rowsAsArray: true, typeCast: (field) => field.buffer() },
      (error, results: unknown, fields: unknown) => {
        if (error !== null) {
          reject(error);
          return;
        }
        const isMany = Array.isArray(fields) && fields.every((each) => each === undefined || Array.isArray(each));
        const all = (isMany ? results : [results]) as readonly unknown[];
        const columns = (isMany ? fields : [fields]) as readonly (readonly Column[] | undefined)[];
        const last = all.findLastIndex((each) => Array.isArray(each));
        const header = all.findLast((each) => !Array.isArray(each)) as Header | undefined;
        const shown = columns[last] ?? [];
        resolve({
          columns: shown.map(({ name }) => name),
          rows: last === -1 ? [] : decodeRows(all[last] as RawRows, shown),
          affectedRows: last === -1 ? header?.affectedRows : undefined,
          warnings: Math.max(warnings, header?.warningStatus ?? 0),
          inTransaction: ((header?.serverStatus ?? status) & statusInTransaction) !== 0,
        });
      },
    ) as unknown as DriverQuery;
    const prototype = Object.getPrototypeOf(query) as DriverQuery;
    // The driver goes from row to row by the prototype's method, which it looks up here for the first one.
    const row = function (this: unknown, packet: Packet, driver: unknown): unknown {
      if (packet.isEOF()) {
        status = packet.eofStatusFlags();
        warnings = packet.eofWarningCount();
      }
      const next = prototype.row.call(this, packet, driver);
      return next === prototype.row ? row : next;
    };
    query.row = row;
  });
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
