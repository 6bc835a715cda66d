/*
 * What the text of a check constraint says about the values that it lets through. No attempt is made to understand it:
 * its literals are collected, values near them are proposed, and the server decides.
 */

/** Literals of an expression, in the order in which they stand there, each once. */
export interface Hints {
  readonly numbers: readonly string[];
  readonly texts: readonly string[];
  /** Regular expressions (PostgreSQL manual, "POSIX Regular Expressions"), and LIKE and SIMILAR TO patterns turned into such. */
  readonly patterns: readonly string[];
}

export const noHints: Hints = { numbers: [], texts: [], patterns: [] };

type TokenKind = 'text' | 'name' | 'quoted name' | 'number' | 'other';
interface Token {
  readonly kind: TokenKind;
  /** Without quotes. */
  readonly value: string;
  readonly source: string;
}

const tokenPattern =
  /(?<text>[eE]?'(?:[^']|'')*')|"(?<quoted>(?:[^"]|"")*)"|(?<name>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|(?<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<space>\s+)|(?<operator>!?~~?\*?(?![+\-*/<>=~!@#%^&|`?])|::|.)/gsu;

/** Tokens of an expression as the server writes it, spaces left out. */
function tokens(expression: string): readonly Token[] {
  return [...expression.matchAll(tokenPattern)].flatMap((match): readonly Token[] => {
    const { text, quoted, name, number, space } = match.groups ?? {};
    const [source] = match;
    if (space !== undefined) return [];
    if (text !== undefined) return [{ kind: 'text', value: unquoted(text), source }];
    if (quoted !== undefined) return [{ kind: 'quoted name', value: quoted.replaceAll('""', '"'), source }];
    if (name !== undefined) return [{ kind: 'name', value: name, source }];
    if (number !== undefined) return [{ kind: 'number', value: number, source }];
    return [{ kind: 'other', value: source, source }];
  });
}

function unquoted(literal: string): string {
  const escaped = /^[eE]/.test(literal);
  const inner = literal.slice(escaped ? 2 : 1, -1).replaceAll("''", "'");
  return escaped ? inner.replace(/\\(.)/gs, '$1') : inner;
}

/** Whether an expression names this column (or something else of the same name). */
export function namesColumn(expression: string, column: string): boolean {
  return tokens(expression).some(({ kind, value }) => (kind === 'name' || kind === 'quoted name') && value === column);
}

/** The check of a domain, said of a column instead of VALUE. */
export function checkOfColumn(domainCheck: string, quotedColumn: string): string {
  return domainCheck.replace(tokenPattern, (source, ...rest) => {
    const groups = rest.at(-1) as Record<string, string | undefined>;
    return groups['name'] === 'VALUE' ? quotedColumn : source;
  });
}

/** The literals of expressions. Pure. */
export function hintsOf(expressions: readonly string[]): Hints {
  const numbers = new Set<string>();
  const texts = new Set<string>();
  const patterns = new Set<string>();
  for (const expression of expressions) {
    const list = tokens(expression);
    for (const [at, { kind, value }] of list.entries()) {
      if (kind === 'number') numbers.add(value);
      if (kind !== 'text') continue;
      const before = list
        .slice(Math.max(0, at - 4), at)
        .filter((token) => token.value !== '(')
        .at(-1)?.value;
      if (before === '~' || before === '~*') patterns.add(value);
      else if (before === '~~' || before === '~~*') patterns.add(ofLike(value));
      else if (before === 'similar_to_escape') patterns.add(ofSimilar(value));
      else if (/^[+-]?\d+(\.\d+)?$/.test(value)) {
        numbers.add(value);
        texts.add(value);
      } else if (/^\{.*\}$/s.test(value) && !value.includes(':')) {
        for (const element of value.slice(1, -1).split(',')) texts.add(element.replace(/^"(.*)"$/, '$1'));
        texts.add(value);
      } else texts.add(value);
    }
  }
  return { numbers: [...numbers], texts: [...texts], patterns: [...patterns] };
}

function ofLike(pattern: string): string {
  const body = pattern.replace(/\\(.)|([%_])|([.^$*+?()[\]{}|])/gs, (_, escaped, wildcard, special) =>
    escaped !== undefined
      ? `\\${String(escaped)}`
      : wildcard === '%'
        ? '\\w{3,9}'
        : wildcard === '_'
          ? '\\w'
          : `\\${String(special)}`,
  );
  return `^${body}$`;
}

function ofSimilar(pattern: string): string {
  return `^(${pattern.replaceAll('%', '\\w{3,9}').replaceAll('_', '\\w')})$`;
}

/** One step of a pattern: what it may be, and how often. */
interface Piece {
  readonly choices: readonly string[] | readonly (readonly Piece[])[];
  readonly least: number;
  readonly most: number;
}

const classes: Readonly<Record<string, string>> = {
  d: '0123456789',
  w: 'abcdefghijkmnpqrstuvwxyz0123456789',
  s: ' ',
  D: 'abcdef',
  W: '-',
  S: 'abcdefgh',
  alpha: 'abcdefghijklm',
  alnum: 'abcdefgh0123',
  digit: '0123456789',
  lower: 'abcdefghijklm',
  upper: 'ABCDEFGHIJKLM',
  space: ' ',
  punct: '-',
  xdigit: '0123456789abcdef',
};
const printable = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. @/:,+#';

/**
 * A text that matches a regular expression, another one for each number; undefined for what is not understood (look-around,
 * back references). Not all of it may match: the server has the last word.
 */
export function textLike(pattern: string, number: number): string | undefined {
  try {
    const reader = { text: pattern.replace(/^\*\*\*[:=]|^\(\?[a-z]+\)/, ''), at: 0 };
    const alternatives = readAlternatives(reader);
    if (reader.at < reader.text.length) return undefined;
    let state = (number * 2_654_435_761 + 12_345) >>> 0;
    const next = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 4_294_967_296) * below);
    };
    return write(alternatives, next, { characters: longestText });
  } catch (error) {
    if (error instanceof NotUnderstood) return undefined;
    throw error;
  }
}

class NotUnderstood extends Error {}

interface Reader {
  readonly text: string;
  at: number;
}

function readAlternatives(reader: Reader): readonly (readonly Piece[])[] {
  const alternatives: (readonly Piece[])[] = [];
  for (;;) {
    alternatives.push(readSequence(reader));
    if (reader.text[reader.at] !== '|') return alternatives;
    reader.at++;
  }
}

function readSequence(reader: Reader): readonly Piece[] {
  const pieces: Piece[] = [];
  while (reader.at < reader.text.length) {
    const character = reader.text[reader.at] ?? '';
    if (character === '|' || character === ')') break;
    reader.at++;
    if (character === '^' || character === '$') continue;
    const choices = readChoices(reader, character);
    if (choices !== undefined) pieces.push({ choices, ...readCount(reader) });
  }
  return pieces;
}

function readChoices(reader: Reader, character: string): Piece['choices'] | undefined {
  if (character === '(') {
    if (reader.text.startsWith('?:', reader.at)) reader.at += 2;
    else if (reader.text[reader.at] === '?') throw new NotUnderstood();
    const group = readAlternatives(reader);
    if (reader.text[reader.at] !== ')') throw new NotUnderstood();
    reader.at++;
    return group;
  }
  if (character === '[') return readClass(reader);
  if (character === '.') return Array.from('abcdefghijklmnopqrstuvwxyz');
  if (character === '\\') {
    const escaped = reader.text[reader.at++];
    if (escaped === undefined || /[1-9]/.test(escaped)) throw new NotUnderstood();
    // Word boundaries and ends stand for no character.
    if (/[AZmMyYbB]/.test(escaped)) return undefined;
    return Array.from(classes[escaped] ?? escaped);
  }
  if ('*+?{'.includes(character)) throw new NotUnderstood();
  return [character];
}

function readCount(reader: Reader): Pick<Piece, 'least' | 'most'> {
  const match = /^(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/.exec(reader.text.slice(reader.at));
  if (match === null) return { least: 1, most: 1 };
  reader.at += match[0].length;
  const [, sign, least, comma, most] = match;
  if (sign !== undefined) return { least: sign === '+' ? 1 : 0, most: sign === '?' ? 1 : 6 };
  const from = Number(least);
  return { least: from, most: comma === '' ? from : most === '' ? from + 4 : Number(most) };
}

function readClass(reader: Reader): readonly string[] {
  const negated = reader.text[reader.at] === '^';
  if (negated) reader.at++;
  const members = new Set<string>();
  for (let first = true; ; first = false) {
    const character = reader.text[reader.at++];
    if (character === undefined) throw new NotUnderstood();
    if (character === ']' && !first) break;
    if (character === '[' && reader.text[reader.at] === ':') {
      const end = reader.text.indexOf(':]', reader.at);
      if (end === -1) throw new NotUnderstood();
      for (const member of classes[reader.text.slice(reader.at + 1, end)] ?? '') members.add(member);
      reader.at = end + 2;
      continue;
    }
    let low = character;
    if (character === '\\') {
      const escaped = reader.text[reader.at++] ?? '';
      if (classes[escaped] !== undefined) {
        for (const member of classes[escaped]) members.add(member);
        continue;
      }
      low = escaped;
    }
    const high = reader.text[reader.at] === '-' ? reader.text[reader.at + 1] : undefined;
    if (high !== undefined && high !== ']') {
      reader.at += 2;
      for (let code = low.charCodeAt(0); code <= Math.min(high.charCodeAt(0), low.charCodeAt(0) + 200); code++) {
        members.add(String.fromCharCode(code));
      }
    } else members.add(low);
  }
  const list = negated ? Array.from(printable).filter((character) => !members.has(character)) : [...members];
  if (list.length === 0) throw new NotUnderstood();
  return list;
}

/** What is longer is no value that anybody would write. */
const longestText = 5000;

function write(
  alternatives: readonly (readonly Piece[])[],
  next: (below: number) => number,
  left: { characters: number },
): string {
  let text = '';
  for (const { choices, least, most } of alternatives[next(alternatives.length)] ?? []) {
    const times = least + next(Math.min(most - least, 200) + 1);
    for (let time = 0; time < times; time++) {
      if (--left.characters < 0) throw new NotUnderstood();
      const choice = choices[next(choices.length)];
      text += typeof choice === 'string' ? choice : write(choices as readonly (readonly Piece[])[], next, left);
    }
  }
  return text;
}
