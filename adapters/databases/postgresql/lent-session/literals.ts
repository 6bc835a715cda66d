import { tokenizeStatement } from '../lexer.js';
import { quoteLiteral } from '../quoting.js';

/** What a program hands over for $1, $2 …. */
export interface Parameter {
  /** null: NULL. */
  readonly bytes: Buffer | null;
  readonly isBinary: boolean;
  /** 0: the server tells it from the statement. */
  readonly typeId: number;
}

export interface WrittenStatement {
  readonly text: string;
  /** UTF-16 index into `text` of an index into the text without values. */
  place(index: number): number;
}

/** Types whose numbers are the same on every server (pg_type.dat), by which drivers name them. */
const typeNames: Readonly<Record<number, string>> = {
  16: 'boolean',
  17: 'bytea',
  19: 'name',
  20: 'bigint',
  21: 'smallint',
  23: 'integer',
  25: 'text',
  26: 'oid',
  114: 'json',
  142: 'xml',
  199: 'json[]',
  650: 'cidr',
  700: 'real',
  701: 'double precision',
  869: 'inet',
  1000: 'boolean[]',
  1001: 'bytea[]',
  1005: 'smallint[]',
  1007: 'integer[]',
  1009: 'text[]',
  1015: 'character varying[]',
  1016: 'bigint[]',
  1021: 'real[]',
  1022: 'double precision[]',
  // character alone would be of length 1.
  1042: 'bpchar',
  1043: 'character varying',
  1082: 'date',
  1083: 'time',
  1114: 'timestamp',
  1115: 'timestamp[]',
  1182: 'date[]',
  1184: 'timestamptz',
  1185: 'timestamptz[]',
  1186: 'interval',
  1231: 'numeric[]',
  1266: 'timetz',
  1700: 'numeric',
  2950: 'uuid',
  2951: 'uuid[]',
  3802: 'jsonb',
  3807: 'jsonb[]',
};

/** A place where $n stands, as UTF-16 indexes. */
interface Place {
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

function placesOf(text: string): readonly Place[] {
  if (!text.includes('$')) return [];
  const tokens = tokenizeStatement(text);
  return tokens.flatMap(({ kind, value, offset }, index) => {
    const next = tokens[index + 1];
    if (kind !== 'sign' || value !== '$' || next?.kind !== 'number' || next.offset !== offset + 1) return [];
    const digits = /^\d+/.exec(next.value)?.[0] ?? '';
    return [{ number: Number(digits), start: offset, end: offset + 1 + digits.length }];
  });
}

/** Numbers of the parameters that stand in more than one place. */
export function repeatedParameters(text: string): ReadonlySet<number> {
  const seen = new Set<number>();
  const repeated = new Set<number>();
  for (const { number } of placesOf(text)) (seen.has(number) ? repeated : seen).add(number);
  return repeated;
}

/**
 * The statement with its values written into it. A value has the type that the parameter is given, else the one that the
 * place where it stands gives it, as a parameter would.
 */
export function writeLiterals(text: string, parameters: readonly Parameter[]): WrittenStatement {
  const parts: string[] = [];
  const shifts: { readonly from: number; readonly by: number }[] = [];
  let behind = 0;
  let shift = 0;
  for (const { number, start, end } of parameters.length === 0 ? [] : placesOf(text)) {
    const parameter = parameters[number - 1];
    if (parameter === undefined) continue;
    const literal = literalOf(parameter);
    // Only a parameter may have a field or an element taken from it without more ado.
    const written = /^\s*[.[]/.test(text.slice(end)) ? `(${literal})` : literal;
    parts.push(text.slice(behind, start), written);
    behind = end;
    shift += written.length - (end - start);
    shifts.push({ from: end, by: shift });
  }
  parts.push(text.slice(behind));
  return {
    text: parts.join(''),
    place: (index) => index + (shifts.findLast(({ from }) => from <= index)?.by ?? 0),
  };
}

function literalOf({ bytes, isBinary, typeId }: Parameter): string {
  const typeName = typeNames[typeId];
  const cast = typeName === undefined ? '' : `::${typeName}`;
  if (bytes === null) return `NULL${cast}`;
  const value = isBinary ? textOfBinary(bytes, typeId) : bytes.toString('utf8');
  return `${value === undefined ? `'\\x${bytes.toString('hex')}'` : quoteLiteral(value)}${cast}`;
}

/** Of the types that drivers send so; undefined: anything else, to be taken for bytea. */
function textOfBinary(bytes: Buffer, typeId: number): string | undefined {
  switch (typeId) {
    case 16:
      return bytes[0] === 0 ? 'false' : 'true';
    case 20:
      if (bytes.length === 8) return String(bytes.readBigInt64BE());
      break;
    case 21:
      if (bytes.length === 2) return String(bytes.readInt16BE());
      break;
    case 23:
      if (bytes.length === 4) return String(bytes.readInt32BE());
      break;
    case 26:
      if (bytes.length === 4) return String(bytes.readUInt32BE());
      break;
    case 700:
      // The shortest decimal that reads back as the same single-precision number needs no more digits than this.
      if (bytes.length === 4) return String(Number(bytes.readFloatBE().toPrecision(9)));
      break;
    case 701:
      if (bytes.length === 8) return String(bytes.readDoubleBE());
      break;
    case 19:
    case 25:
    case 114:
    case 142:
    case 1042:
    case 1043:
      return bytes.toString('utf8');
    case 2950:
      return bytes.toString('hex');
    case 3802:
      // Behind the number of its format.
      return bytes.toString('utf8', 1);
  }
  return undefined;
}
