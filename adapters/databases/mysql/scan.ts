/*
 * The smallest pieces of MySQL and MariaDB text: characters, quotes, comments. The rules are those of the servers' own
 * scanner (sql/sql_lex.cc), which both servers share. Every function reads each character once at most.
 */

export const SPACE = 1;
export const WORD_START = 2;
export const DIGIT = 4;
export const WORD_PART = WORD_START | DIGIT;

/** How the server reads quotes, by its sql_mode. */
export interface QuoteModes {
  /** ANSI_QUOTES: "…" is a name. */
  readonly ansiQuotes?: boolean | undefined;
  /** NO_BACKSLASH_ESCAPES: a backslash is a character like others. */
  readonly noBackslashEscapes?: boolean | undefined;
}

/** Character classes for ASCII; everything above may stand in a name. */
const classes = buildClasses();

function buildClasses(): Uint8Array {
  const table = new Uint8Array(128);
  for (const char of ' \t\n\r\f\v') table[char.charCodeAt(0)] = SPACE;
  for (const char of '0123456789') table[char.charCodeAt(0)] = DIGIT;
  for (let code = 65; code <= 90; code++) table[code] = table[code + 32] = WORD_START;
  table[0x5f] = WORD_START;
  table[0x24] = WORD_START;
  return table;
}

export function classOf(code: number): number {
  return code < 128 ? (classes[code] as number) : WORD_START;
}

/** Index of the line feed at or after `from`, or the length of the text. A carriage return alone ends no line here. */
export function lineEnd(text: string, from: number): number {
  // A loop, not indexOf: that would read the whole rest of a text without any.
  let at = from;
  while (at < text.length && text.charCodeAt(at) !== 0x0a) at++;
  return at;
}

export function wordEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && (classOf(text.charCodeAt(at)) & WORD_PART) !== 0) at++;
  return at;
}

/** Whether a comment to the end of the line begins at `at` for the server: "#", or "--" before a blank, a control character or the end. */
export function startsLineComment(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  if (code === 0x23) return true;
  if (code !== 0x2d || text.charCodeAt(at + 1) !== 0x2d) return false;
  const third = text.charCodeAt(at + 2);
  return Number.isNaN(third) || third <= 0x20 || third === 0x7f;
}

/** Length of the marker that opens code for some servers only (`/*!`, `/*!50003`, MariaDB's `/*M!100100`); 0: none begins here. */
export function versionMarker(text: string, at: number): number {
  if (text.charCodeAt(at) !== 0x2f || text.charCodeAt(at + 1) !== 0x2a) return 0;
  let end = at + 2;
  if (text.charCodeAt(end) === 0x4d /* M */) end++;
  if (text.charCodeAt(end) !== 0x21) return 0;
  end++;
  // Five or six digits are a version; fewer are already code.
  let digits = 0;
  while (digits < 6 && classOf(text.charCodeAt(end + digits)) === DIGIT) digits++;
  return (digits >= 5 ? end + digits : end) - at;
}

/** Index behind a plain block comment, which holds no others; -1 when it never ends. */
export function blockCommentEnd(text: string, open: number): number {
  const close = text.indexOf('*/', open + 2);
  return close === -1 ? -1 : close + 2;
}

/** Index behind the quoted text that begins at `open` with ', " or `; -1 when it never ends. */
export function quotedEnd(text: string, open: number, modes: QuoteModes): number {
  const quote = text.charCodeAt(open);
  const escapes = isEscaping(quote, modes);
  for (let at = open + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c && escapes) at++;
    else if (code === quote) {
      if (text.charCodeAt(at + 1) !== quote) return at + 1;
      at++;
    }
  }
  return -1;
}

function isEscaping(quote: number, modes: QuoteModes): boolean {
  if (quote === 0x60 || modes.noBackslashEscapes === true) return false;
  return quote === 0x27 || modes.ansiQuotes !== true;
}

const escapes: Readonly<Record<string, string>> = { '0': '\0', b: '\b', n: '\n', r: '\r', t: '\t', Z: '\u001a' };

/** What stands between the quotes, as the server reads it. */
export function unquote(text: string, open: number, end: number, modes: QuoteModes): string {
  const quote = text.charAt(open);
  const inner = text.slice(open + 1, end);
  const doubled = quote + quote;
  if (!isEscaping(quote.charCodeAt(0), modes)) return inner.replaceAll(doubled, quote);
  if (!inner.includes('\\')) return inner.replaceAll(doubled, quote);
  return inner.replace(/\\([^])|''|""/g, (pair: string, escaped: string | undefined) => {
    if (escaped === undefined) return pair === doubled ? quote : pair;
    // \% and \_ stay as they are: they matter to LIKE only.
    return escaped === '%' || escaped === '_' ? pair : (escapes[escaped] ?? escaped);
  });
}

/** Counts lines from offset to ever greater offset. */
export class LineCounter {
  #line = 1;
  #lineStart = 0;
  #at = 0;

  constructor(private readonly text: string) {}

  moveTo(offset: number): { readonly line: number; readonly column: number } {
    for (; this.#at < offset; this.#at++) {
      if (this.text.charCodeAt(this.#at) === 0x0a) {
        this.#line++;
        this.#lineStart = this.#at + 1;
      }
    }
    return { line: this.#line, column: offset - this.#lineStart + 1 };
  }
}
