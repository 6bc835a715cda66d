import { noHints, textLike, type Hints } from './check-hints.js';

/*
 * Values for generated rows, as the texts that the server reads. They are chosen so that a value that is lost, shortened,
 * rounded, swapped with another column's or replaced by a default is noticed, and are the same on every run.
 */

/** A type as the server's catalog tells it, by its id in a map. */
export interface TypeFacts {
  readonly name: string;
  /** True for the server's own types. */
  readonly isBuiltIn: boolean;
  readonly kind: 'base' | 'array' | 'composite' | 'domain' | 'enum' | 'range' | 'multirange' | 'other';
  /** Of an array its element, of a range or multirange its subtype, of a domain its base. */
  readonly of?: { readonly type: string; readonly modifier: number } | undefined;
  /** A domain that takes no NULL. */
  readonly isNotNull?: boolean | undefined;
  readonly labels?: readonly string[] | undefined;
  readonly attributes?: readonly { readonly type: string; readonly modifier: number }[] | undefined;
}

/**
 * How far values go: full uses what the type allows (texts of the full length, large numbers); modest stays within what a
 * narrower type would hold; small within what a product of several values would.
 */
export type Reach = 'full' | 'modest' | 'small';

export interface ValueChoice {
  readonly types: ReadonlyMap<string, TypeFacts>;
  /** Texts that the server accepts for a type whose values have to be tried out: domains with checks, unknown types. */
  readonly known: ReadonlyMap<string, readonly string[]>;
  readonly reach: Reach;
}

export interface ValueRequest {
  readonly type: string;
  readonly modifier: number;
  /** Tells one column from another: other words, other values. */
  readonly salt: string;
  readonly hints?: Hints | undefined;
}

/** The value for a row by its number, from 0; undefined where no value of the type is known. Pure. */
export function distinctValue(choice: ValueChoice, request: ValueRequest, row: number): string | undefined {
  const { type, modifier, salt } = request;
  const known = choice.known.get(type);
  if (known !== undefined) return known[((hash(salt) % Math.max(Math.min(known.length, 6), 1)) + row) % known.length];
  const facts = choice.types.get(type);
  if (facts === undefined) return undefined;
  switch (facts.kind) {
    case 'enum': {
      const labels = facts.labels ?? [];
      return labels[(hash(salt) + row) % labels.length];
    }
    case 'domain':
      return facts.of === undefined
        ? undefined
        : distinctValue(
            choice,
            { ...facts.of, salt, modifier: facts.of.modifier === -1 ? modifier : facts.of.modifier },
            row,
          );
    case 'array': {
      const of = facts.of;
      if (of === undefined) return undefined;
      const elements = [row, row + 1].map((at) => distinctValue(choice, { type: of.type, modifier, salt }, at));
      return elements.includes(undefined) ? undefined : arrayText(elements as readonly string[]);
    }
    case 'composite': {
      const values = (facts.attributes ?? []).map((attribute, at) =>
        distinctValue(choice, { ...attribute, salt: `${salt}.${at}` }, row),
      );
      return recordText(values);
    }
    case 'range':
    case 'multirange': {
      const of = facts.of;
      const low = of && distinctValue(choice, { type: of.type, modifier: -1, salt }, row);
      if (of === undefined || low === undefined) return undefined;
      const range = rangeText(low, above(low, baseName(choice, of.type), 1));
      return facts.kind === 'range' ? range : `{${range}}`;
    }
    case 'base':
    case 'other':
      return baseValue(facts.name, modifier, salt, row, choice.reach);
  }
}

/**
 * Values to try where a check decides, best first, each once: distinctive ones, some near the literals of the check, and
 * ordinary ones. Pure.
 */
export function candidateValues(choice: ValueChoice, request: ValueRequest): readonly string[] {
  const hints = request.hints ?? noHints;
  const distinct = [0, 1, 2, 3, 4, 5].flatMap((row) => distinctValue(choice, request, row) ?? []);
  const near = others(choice, request, hints);
  // Both kinds come early: of a long list only the beginning may be tried.
  const mixed = distinct.flatMap((value, at) => [value, ...near.slice(at * 3, at * 3 + 3)]);
  return [...new Set([...mixed, ...distinct, ...near])].slice(0, 160);
}

function others(choice: ValueChoice, request: ValueRequest, hints: Hints): readonly string[] {
  const facts = choice.types.get(request.type);
  if (facts === undefined) return [];
  const known = choice.known.get(request.type);
  if (known !== undefined) return known;
  switch (facts.kind) {
    case 'enum':
      return facts.labels ?? [];
    case 'domain':
      return facts.of === undefined ? [] : others(choice, { ...request, ...facts.of }, hints);
    case 'array': {
      if (facts.of === undefined) return [];
      const elements = candidateValues(choice, { ...request, type: facts.of.type, hints });
      const exact = elements.filter((element) => hints.texts.includes(element) || hints.numbers.includes(element));
      const lengths = hints.numbers
        .map(Number)
        .filter((length) => Number.isInteger(length) && length > 0 && length <= 50);
      const sized = (list: readonly string[], length: number): readonly string[] =>
        list.length === 0 ? [] : [arrayText(Array.from({ length }, (_, at) => list[at % list.length] ?? ''))];
      return [
        ...exact.map((element, at) => arrayText([element, exact[(at + 1) % exact.length] ?? element])),
        ...lengths.flatMap((length) =>
          [length, length + 1, length - 1].flatMap((size) => [
            ...sized(elements, size),
            ...sized(elements.slice(1), size),
            ...sized(exact, size),
          ]),
        ),
        ...elements.slice(0, 40).map((element) => arrayText([element])),
        ...sized(elements, 3),
        '{}',
      ];
    }
    case 'composite': {
      const attributes = facts.attributes ?? [];
      return Array.from({ length: 24 }, (_, at) =>
        recordText(
          attributes.map((attribute, position) => {
            const list = candidateValues(choice, { ...attribute, salt: `${request.salt}.${position}`, hints });
            return list[at % Math.max(list.length, 1)];
          }),
        ),
      );
    }
    case 'range':
    case 'multirange': {
      if (facts.of === undefined) return [];
      const name = baseName(choice, facts.of.type);
      const lows = candidateValues(choice, { ...request, type: facts.of.type, modifier: -1, hints }).slice(0, 30);
      const ranges = [
        ...lows.flatMap((low) => [rangeText(low, above(low, name, 1)), rangeText(low, above(low, name, 5))]),
        ...lows.slice(0, 3).flatMap((low) => [`["${low}",)`, `(,"${low}")`]),
        '(,)',
        'empty',
      ];
      return facts.kind === 'range' ? ranges : [...ranges.map((range) => (range === 'empty' ? '{}' : `{${range}}`))];
    }
    case 'base':
    case 'other':
      return baseCandidates(facts.name, request.modifier, request.salt, hints);
  }
}

function baseName({ types }: ValueChoice, type: string): string {
  const facts = types.get(type);
  return facts?.kind === 'domain' && facts.of !== undefined
    ? (types.get(facts.of.type)?.name ?? '')
    : (facts?.name ?? '');
}

/** 32 bits that differ for different words (FNV-1a, mixed once more). */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  return (value ^ (value >>> 13)) >>> 0;
}

const letters = 'abcdefghijklmnopqrstuvwxyz';

/** Letters without a pattern, always the same ones. */
function letterStream(salt: string, length: number): string {
  let state = hash(salt) || 1;
  let text = '';
  while (text.length < length) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text += letters[Math.floor((state / 4_294_967_296) * 26)] ?? '';
  }
  return text;
}

/** Longest text that is made where a column would take more. */
const longestText = 2000;

function textValue(salt: string, row: number, limit: number | undefined, reach: Reach): string {
  const wanted = {
    full: Math.min(limit ?? 60, longestText),
    modest: Math.min(limit ?? 12, 12),
    small: Math.min(limit ?? 6, 6),
  }[reach];
  if (wanted <= 2) {
    const symbols = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
    const at = (hash(salt) + row * 7) % 36;
    return wanted <= 0 ? '' : `${symbols[at] ?? ''}${wanted === 2 ? (symbols[(at + 5) % 36] ?? '') : ''}`;
  }
  // A letter outside ASCII and a space show what an encoding or a trim would do; the last letters what a cut would.
  const start = wanted >= 24 ? `${['Zoë', 'André', 'Jörg'][row % 3] ?? ''} ${row + 1}  ` : '';
  return `${start}${letterStream(`${salt}#${row}`, wanted - start.length)}`;
}

const day = 86_400_000_000n;

/** Microseconds since 1970 of a day that differs by column and row, with all six decimals. */
function momentOf(salt: string, row: number): bigint {
  const days = BigInt(12_053 + (hash(salt) % 5000) + row * 41);
  return (
    days * day +
    (BigInt(hash(`${salt}@${row}`)) % (day / 1_000_000n)) * 1_000_000n +
    BigInt(100_001 + (hash(`${salt}!${row}`) % 89_999) * 10 + 1)
  );
}

function pad(value: bigint | number, length: number): string {
  return String(value).padStart(length, '0');
}

function dateText(micros: bigint): string {
  return new Date(Number(micros / 1000n)).toISOString().slice(0, 10);
}

function timeText(micros: bigint): string {
  const rest = ((micros % day) + day) % day;
  const seconds = rest / 1_000_000n;
  return `${pad(seconds / 3600n, 2)}:${pad((seconds / 60n) % 60n, 2)}:${pad(seconds % 60n, 2)}.${pad(rest % 1_000_000n, 6)}`;
}

function integerValue(bytes: 2 | 4 | 8, salt: string, row: number, reach: Reach): string {
  const seed = hash(salt);
  if (reach === 'small') return String(11 + (seed % 19) + row * 23);
  if (reach === 'modest') return String(20_000 + (seed % 9000) + row * 101);
  if (bytes === 2) return String(30_000 + (seed % 2000) + row * 103);
  if (bytes === 4) return String(1_100_000_000 + (seed % 900_000_000) + row * 1013);
  return String(
    4_000_000_000_000_000_000n +
      ((BigInt(seed) * 1_000_000_007n) % 4_000_000_000_000_000_000n) +
      BigInt(row * 1_000_003),
  );
}

/** Precision and scale of a numeric's modifier (numeric.c, numerictypmodin); undefined: without limit. */
export function numericLimits(modifier: number): { readonly precision: number; readonly scale: number } | undefined {
  if (modifier < 4) return undefined;
  return { precision: ((modifier - 4) >> 16) & 0xffff, scale: (((modifier - 4) & 0x7ff) ^ 1024) - 1024 };
}

function digits(salt: string, length: number): string {
  let text = '';
  for (let at = 0; at < length; at++) text += String(1 + (hash(`${salt}/${at}`) % 9));
  return text;
}

function numericValue(modifier: number, salt: string, row: number, reach: Reach): string {
  const limits = numericLimits(modifier);
  const decimals = Math.min(Math.max(limits?.scale ?? (reach === 'full' ? 12 : 4), 0), 60);
  const whole = limits === undefined ? 9 : Math.min(Math.max(limits.precision - limits.scale, 0), 60);
  const wanted = { full: whole, modest: Math.min(whole, 3), small: Math.min(whole, 1) }[reach];
  const zeros = limits !== undefined && limits.scale > limits.precision ? limits.scale - limits.precision : 0;
  const fraction =
    '0'.repeat(Math.min(zeros, decimals)) + digits(`${salt}.${row}`, decimals - Math.min(zeros, decimals));
  const end = limits !== undefined && limits.scale < 0 ? '0'.repeat(Math.min(-limits.scale, wanted)) : '';
  const head = digits(`${salt}-${row}`, wanted - end.length);
  // Rows differ in the last digit in any case.
  const differing = (text: string): string =>
    text === '' ? '' : `${text.slice(0, -1)}${String(1 + ((hash(salt) + row) % 9))}`;
  return fraction === '' ? `${differing(head)}${end}` || '0' : `${head || '0'}.${differing(fraction)}`;
}

function textLimit(name: string, modifier: number): number | undefined {
  if (name === 'name') return 63;
  if (name === 'varchar' || name === 'bpchar') return modifier < 4 ? undefined : modifier - 4;
  return undefined;
}

const textNames = new Set(['text', 'varchar', 'bpchar', 'name', 'citext', 'refcursor']);
const wholeNames: Readonly<Record<string, 2 | 4 | 8>> = { int2: 2, int4: 4, int8: 8 };

function baseValue(name: string, modifier: number, salt: string, row: number, reach: Reach): string | undefined {
  const seed = hash(salt);
  const size = wholeNames[name];
  if (size !== undefined) return integerValue(size, salt, row, reach);
  if (textNames.has(name)) return textValue(salt, row, textLimit(name, modifier), reach);
  const moment = momentOf(salt, row);
  const byte = (at: number): number => hash(`${salt}:${row}:${at}`) % 256;
  const hex = (count: number): string =>
    Array.from({ length: count }, (_, at) => byte(at).toString(16).padStart(2, '0')).join('');
  const place = row * 5000 + (seed % 1000);
  const near = (x: number, y: number): string => `(${place + x}.25,${place + y}.5)`;
  switch (name) {
    case 'bool':
      return (seed + row) % 2 === 0 ? 'true' : 'false';
    case 'numeric':
      return numericValue(modifier, salt, row, reach);
    case 'money':
      return `${reach === 'full' ? 10_000 + (seed % 80_000) : 10 + (seed % 80)}.${pad(11 + row * 7, 2)}`;
    case 'float4':
      return `${1000 + (seed % 7000)}.${11 + row * 7}`;
    case 'float8':
      return `${1000 + (seed % 7000) + row}.${digits(`${salt}~${row}`, 12)}`;
    case 'char':
      return letters[(seed + row) % 26];
    case 'bytea':
      return `\\x00ff${hex(reach === 'full' ? 30 : 4)}5c27`;
    case 'date':
      return dateText(moment);
    case 'time':
      return timeText(moment);
    case 'timetz':
      return `${timeText(moment)}+0${1 + (row % 9)}`;
    case 'timestamp':
      return `${dateText(moment)} ${timeText(moment)}`;
    case 'timestamptz':
      return `${dateText(moment)} ${timeText(moment)}+00`;
    case 'interval':
      return `${1 + (seed % 9)} years ${1 + row} mons ${1 + (seed % 27)} days ${timeText(moment)}`;
    case 'uuid':
      return `${hex(4)}-${hex(10).slice(8, 12)}-4${hex(10).slice(13, 16)}-a${hex(12).slice(17, 20)}-${hex(16).slice(20, 32)}`;
    case 'json':
      return `{"row":  ${row + 1}, "b": 1.50, "a": ["${letterStream(`${salt}${row}`, 8)}", null, true], "a": {}}`;
    case 'jsonb':
      return `{"a": ["${letterStream(`${salt}${row}`, 8)}", null, true], "b": 1.50, "row": ${row + 1}}`;
    case 'jsonpath':
      return `$."${letterStream(`${salt}${row}`, 5)}"[*]`;
    case 'xml':
      return `<row n="${row + 1}"><!-- kept --><a>${letterStream(`${salt}${row}`, 8)}</a></row>`;
    case 'inet':
      return `10.${byte(1)}.${byte(2)}.${1 + (byte(3) % 250)}/${28 + (row % 4)}`;
    case 'cidr':
      return `10.${byte(1)}.${(seed + row) % 256}.0/24`;
    case 'macaddr':
      return [hex(6).match(/../g)].flat().join(':');
    case 'macaddr8':
      return [hex(8).match(/../g)].flat().join(':');
    case 'bit':
    case 'varbit': {
      const length = modifier > 0 ? Math.min(modifier, 4000) : name === 'bit' ? 1 : 19;
      const bits = Array.from({ length }, (_, at) => String(hash(`${salt}b${row}b${at}`) % 2));
      // Few bits still differ from row to row.
      const code = ((seed % 4) + row).toString(2).slice(-length);
      return `${bits.join('').slice(0, length - code.length)}${code}`;
    }
    case 'point':
      return near(0, 1);
    case 'line':
      return `{${1 + (seed % 9)},-2.5,${row + 1}.25}`;
    case 'lseg':
      return `[${near(0, 1)},${near(2, 4)}]`;
    case 'box':
      return `${near(3, 4)},${near(0, 1)}`;
    case 'path':
      return `[${near(0, 1)},${near(2, 4)},${near(5, 3)}]`;
    case 'polygon':
      return `(${near(0, 1)},${near(2, 4)},${near(5, 3)})`;
    case 'circle':
      return `<${near(0, 1)},${1 + (seed % 9)}.5>`;
    case 'tsvector':
      return `'${letterStream(`${salt}${row}`, 6)}':1A,3 'kept':2`;
    case 'tsquery':
      return `'${letterStream(`${salt}${row}`, 6)}' & !'lost':B`;
    case 'oid':
    case 'xid':
    case 'cid':
      return String(3_000_000_000 + (seed % 1_000_000_000) + row);
    case 'xid8':
      return String(5_000_000_000 + (seed % 1_000_000_000) + row);
    case 'tid':
      return `(${1 + (seed % 9999)},${row + 1})`;
    case 'pg_lsn':
      return `${row + 1}/${(1 + (seed % 0xffffff)).toString(16).toUpperCase()}`;
    case 'txid_snapshot':
    case 'pg_snapshot':
      return `${100 + row}:${200 + row}:${150 + row}`;
    case 'int2vector':
    case 'oidvector':
      return `${1 + (seed % 999)} ${row + 1} 7`;
    case 'regclass':
      return ['pg_class', 'pg_type', 'pg_proc', 'pg_index', 'pg_attribute', 'pg_namespace'][row % 6];
    case 'regtype':
      return ['int4', 'text', 'bool', 'int8', 'date', 'uuid'][row % 6];
    case 'regproc':
      return ['now', 'pi', 'version', 'pg_backend_pid'][row % 4];
    case 'regprocedure':
      return ['lower(text)', 'upper(text)', 'pi()', 'now()', 'md5(text)', 'initcap(text)'][row % 6];
    case 'regoperator':
      return ['=(integer,integer)', '<(integer,integer)', '>(integer,integer)', '<>(integer,integer)'][row % 4];
    case 'regnamespace':
      return ['pg_catalog', 'information_schema', 'pg_toast'][row % 3];
    case 'regrole':
      return ['pg_monitor', 'pg_read_all_settings', 'pg_read_all_stats'][row % 3];
    case 'regconfig':
      return ['simple', 'english', 'german'][row % 3];
    case 'regdictionary':
      return ['simple', 'english_stem', 'german_stem'][row % 3];
    case 'regcollation':
      return ['"C"', '"POSIX"', '"default"'][row % 3];
    case 'hstore':
      return `"row"=>"${row + 1}", "kept"=>"${letterStream(`${salt}${row}`, 6)}", "null"=>NULL`;
    case 'ltree':
      return `top.${letterStream(`${salt}${row}`, 6)}.leaf${row + 1}`;
    case 'cube':
    case 'seg':
      return `${place}.25`;
    case 'geometry':
    case 'geography':
      return `POINT(${(seed % 90) + row}.25 ${(seed % 45) + row}.5)`;
    default:
      return undefined;
  }
}

/** Texts that types of unknown extensions may accept; the server is asked. */
export const plainGuesses: readonly string[] = [
  '1',
  '2',
  '3',
  'a',
  'b',
  'c',
  '1.5',
  '(1,2)',
  '(2,3)',
  '{1,2}',
  '[1,2]',
  '<1,2>',
  '{}',
  '2020-01-02',
  'a=>1',
  'a.b',
  'POINT(1 2)',
  '1 USD',
  '',
];

/** A little above a value of a numeric or calendar type; the value itself for others. */
function above(low: string, name: string, by: number): string {
  if (/^int[248]$/.test(name)) return String(BigInt(low) + BigInt(by * 17));
  if (name === 'numeric' || /^float[48]$/.test(name)) {
    const [whole = '0', fraction = ''] = low.split('.');
    return /^-?\d+$/.test(whole)
      ? `${String(BigInt(whole) + BigInt(by * 2))}${fraction === '' || whole.startsWith('-') ? '' : `.${fraction}`}`
      : low;
  }
  if (['date', 'timestamp', 'timestamptz'].includes(name)) {
    const micros = microsOf(low);
    return micros === undefined ? low : momentText(micros + BigInt(by * 9) * day, name);
  }
  return low;
}

function momentText(micros: bigint, name: string): string {
  const date = dateText(micros);
  return name === 'date' ? date : `${date} ${timeText(micros)}${name === 'timestamptz' ? '+00' : ''}`;
}

/** Microseconds since 1970 of an ISO date with or without a time; undefined for anything else. */
function microsOf(text: string): bigint | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:([+-]\d\d)(?::?(\d\d))?)?)?$/.exec(
    text,
  );
  if (match === null) return undefined;
  const [, year, month, date, hours = '0', minutes = '0', seconds = '0', fraction = '', zone = '0'] = match;
  const base = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(date),
    Number(hours) - Number(zone),
    Number(minutes),
    Number(seconds),
  );
  return Number.isNaN(base) ? undefined : BigInt(base) * 1000n + BigInt(fraction.padEnd(6, '0'));
}

/** Values near literals, and ordinary ones. Literals that the type cannot hold are left out. */
function baseCandidates(name: string, modifier: number, salt: string, hints: Hints): readonly string[] {
  const rows = [0, 1, 2];
  const modest = rows.flatMap((row) => baseValue(name, modifier, salt, row, 'modest') ?? []);
  const small = rows.flatMap((row) => baseValue(name, modifier, salt, row, 'small') ?? []);
  if (wholeNames[name] !== undefined || ['numeric', 'float4', 'float8', 'money', 'oid'].includes(name)) {
    return [
      ...nearNumbers(name, modifier, hints.numbers),
      ...modest,
      ...small,
      '1',
      '2',
      '3',
      '10',
      '100',
      '0',
      '-1',
      '-7',
      '2021',
    ].filter((text) => fitsNumber(text, name, modifier));
  }
  if (textNames.has(name) || name === 'char') return textCandidates(name, modifier, salt, hints, [...modest, ...small]);
  if (['date', 'timestamp', 'timestamptz'].includes(name)) {
    const moments = sortedMoments(hints.texts);
    const between = moments
      .slice(1)
      .flatMap((high, at) =>
        [3n, 5n, 7n].map((part) => (moments[at] ?? 0n) + ((high - (moments[at] ?? 0n)) * part) / 11n),
      );
    const near = moments.flatMap((moment) =>
      [1n, 9n, -1n, -9n, 40n].map((days) => moment + days * day + (name === 'date' ? 0n : 12_345_678_901n)),
    );
    // Early and late ones, so that of two columns either can be the later; days and minutes without a rest.
    const spread = rows.flatMap((row) => {
      const [early, late] = [7000n, 23_000n].map((days) => (days + BigInt((hash(salt) % 300) + row * 41)) * day);
      const moment = momentOf(salt, row);
      return [early ?? 0n, late ?? 0n, moment - (moment % day), moment - (moment % 60_000_000n)];
    });
    return [...new Set([...between, ...near, ...moments, ...spread])]
      .map((moment) => momentText(moment, name))
      .concat(['infinity', '-infinity']);
  }
  const exact = hints.texts.filter((text) => looksLike(name, text));
  switch (name) {
    case 'bool':
      return ['true', 'false'];
    case 'time':
    case 'timetz':
      return [...exact, '09:30:00.123456', '12:00:01', '17:45:00', '23:59:59', '00:00:00'];
    case 'interval':
      return [...exact, '1 second', '1 minute', '90 minutes', '1 day', '2 days', '1 mon', '1 year', '-1 day', '0'];
    case 'json':
    case 'jsonb':
      return jsonCandidates(hints);
    case 'bytea':
      return hints.numbers
        .map(Number)
        .filter((length) => Number.isInteger(length) && length > 0 && length <= 4096)
        .flatMap((length) =>
          [length, length - 1, length + 1].flatMap((size) => rows.map((row) => `\\x${pad(row + 1, 2).repeat(size)}`)),
        );
    case 'inet':
    case 'cidr':
      return [...exact, '192.168.1.0/24', '10.0.0.1/32', '2001:db8::/32', '127.0.0.1/32'];
    case 'bit':
    case 'varbit':
      return exact;
    default:
      return looksOpaque(name) ? exact : [];
  }
}

function looksOpaque(name: string): boolean {
  return ['uuid', 'macaddr', 'macaddr8', 'ltree', 'tsquery', 'xml'].includes(name);
}

function looksLike(name: string, text: string): boolean {
  const shapes: Readonly<Record<string, RegExp>> = {
    time: /^\d\d:\d\d(:\d\d(\.\d+)?)?$/,
    timetz: /^\d\d:\d\d(:\d\d(\.\d+)?)?[+-]\d\d$/,
    interval: /^(-?\d+ (years?|mons?|days?) ?)*(-?\d\d:\d\d:\d\d(\.\d+)?)?$/,
    uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
    inet: /^[\da-f.:]+(\/\d+)?$/i,
    cidr: /^[\da-f.:]+\/\d+$/i,
    macaddr: /^([\da-f]{2}:){5}[\da-f]{2}$/i,
    macaddr8: /^([\da-f]{2}:){7}[\da-f]{2}$/i,
    ltree: /^\w+(\.\w+)*$/,
    bit: /^[01]+$/,
    varbit: /^[01]+$/,
  };
  return text !== '' && (shapes[name]?.test(text) ?? false);
}

function sortedMoments(texts: readonly string[]): readonly bigint[] {
  return texts.flatMap((text) => microsOf(text) ?? []).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Decimal places that numbers near literals are computed with. */
const places = 12;

function scaled(text: string): bigint | undefined {
  const match = /^([+-]?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const value = BigInt(`${match[2] ?? '0'}${(match[3] ?? '').slice(0, places).padEnd(places, '0')}`);
  return match[1] === '-' ? -value : value;
}

function unscaled(value: bigint, decimals: number): string {
  const kept = value / 10n ** BigInt(places - decimals);
  const text = pad(kept < 0n ? -kept : kept, decimals + 1);
  const sign = kept < 0n ? '-' : '';
  return decimals === 0 ? `${sign}${text}` : `${sign}${text.slice(0, -decimals)}.${text.slice(-decimals)}`;
}

function decimalsOf(name: string, modifier: number): number {
  if (wholeNames[name] !== undefined || name === 'oid') return 0;
  if (name === 'money') return 2;
  const limits = name === 'numeric' ? numericLimits(modifier) : undefined;
  return limits === undefined ? 4 : Math.min(Math.max(limits.scale, 0), places);
}

function nearNumbers(name: string, modifier: number, literals: readonly string[]): readonly string[] {
  const decimals = decimalsOf(name, modifier);
  const unit = 10n ** BigInt(places - decimals);
  const one = 10n ** BigInt(places);
  const values = literals.flatMap((text) => scaled(text) ?? []).flatMap((value) => [value, -value]);
  const sorted = [...new Set([...values, 0n])].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const between = sorted.slice(1).flatMap((high, at) => {
    const low = sorted[at] ?? 0n;
    return [3n, 5n, 8n].map(
      (part) =>
        ((low + ((high - low) * part) / 11n) / unit) * unit + (high - low > 10n * unit && decimals > 0 ? unit : 0n),
    );
  });
  const near = values.flatMap((value) => [
    value + unit,
    value - unit,
    value + one,
    value - one,
    value + 7n * one,
    value * 2n,
    value / 2n,
  ]);
  return [...between, ...near, ...values].map((value) => unscaled(value, decimals));
}

function fitsNumber(text: string, name: string, modifier: number): boolean {
  const value = scaled(text);
  if (value === undefined) return false;
  const size = wholeNames[name];
  const whole = (value < 0n ? -value : value) / 10n ** BigInt(places);
  if (size !== undefined) return !text.includes('.') && whole < 2n ** BigInt(size * 8 - 1);
  if (name === 'oid') return value >= 0n && whole < 2n ** 32n;
  const limits = name === 'numeric' ? numericLimits(modifier) : undefined;
  return limits === undefined || whole < 10n ** BigInt(Math.max(limits.precision - limits.scale, 0)) || whole === 0n;
}

function textCandidates(
  name: string,
  modifier: number,
  salt: string,
  hints: Hints,
  plain: readonly string[],
): readonly string[] {
  const limit = name === 'char' ? 1 : textLimit(name, modifier);
  const lengths = hints.numbers
    .map(Number)
    .filter((length) => Number.isInteger(length) && length >= 0 && length <= longestText);
  const word = (row: number, length: number): string => letterStream(`${salt}+${row}`, length);
  const number = (row: number, length: number): string => digits(`${salt}+${row}`, length);
  const shaped = [0, 1, 2].flatMap((row) => [
    `${word(row, 7)}@example.org`,
    word(row, 5),
    word(row, 5).toUpperCase(),
    `${word(row, 1).toUpperCase()}${word(row, 6).slice(1)}`,
    number(row, 6),
    `https://example.org/${word(row, 6)}`,
    `${word(row, 4)}-${word(row + 7, 3)}`,
    `${word(row, 4)}_${word(row + 7, 3)}`,
    `+49${number(row, 9)}`,
    `/${word(row, 4)}/${word(row + 7, 3)}.txt`,
    `#${number(row, 6)}`,
    `${row + 1}.${row + 2}.3`,
    `10.0.${row}.1`,
    `{"a": ${row}}`,
  ]);
  const words = [
    ...[
      'EUR',
      'USD',
      'GBP',
      'de',
      'en',
      'fr',
      'DE',
      'US',
      'FR',
      'en_US',
      'de_DE',
      'UTC',
      'Europe/Berlin',
      'Asia/Tokyo',
    ],
    ...['true', 'a', 'b', 'c', 'A', 'B', 'C', '1', '2', '3', '0', 'M', 'F', 'Y', 'N', '2024-01-02', '12:30', ''],
  ];
  const patterned = hints.patterns.flatMap((pattern) =>
    [0, 1, 2, 3, 4, 5, 6, 7].flatMap((at) => textLike(pattern, (hash(salt) % 997) + at) ?? []),
  );
  const sized = lengths.flatMap((length) =>
    [length, length + 1, length - 1]
      .filter((size) => size >= 0)
      .flatMap((size) =>
        [0, 1, 2].flatMap((row) => [word(row, size), word(row, size).toUpperCase(), number(row, size)]),
      ),
  );
  return [...patterned, ...hints.texts, ...sized, ...plain, ...shaped, ...words].filter(
    (text) => limit === undefined || Array.from(text).length <= limit,
  );
}

function jsonCandidates({ texts, numbers }: Hints): readonly string[] {
  const quoted = texts.map((text) => JSON.stringify(text));
  const object = (value: string): string => `{${quoted.map((key) => `${key}: ${value}`).join(', ')}}`;
  const objects = [...quoted, ...numbers, '1', '7', '"kept"', 'true', '["kept"]', '{"a": 1}'].map(object);
  const words = ['[1, 2, 3]', '["a", "b"]', '{"a": 1}', '"kept"', '7.50', 'true', '[]', '{}', 'null'];
  return [...(texts.length === 0 ? [] : objects), ...words, ...quoted, ...texts.filter(isJson)];
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function arrayText(elements: readonly string[]): string {
  return `{${elements.map((element) => `"${element.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}

function recordText(values: readonly (string | undefined)[]): string {
  return `(${values.map((value) => (value === undefined ? '' : `"${value.replace(/["\\]/g, '$&$&')}"`)).join(',')})`;
}

function rangeText(low: string, high: string): string {
  return `["${low}","${high}"${low === high ? ']' : ')'}`;
}
