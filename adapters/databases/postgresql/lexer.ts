import type { Comment, MetaCommand, SplitScript, Token } from '../../../src/adapter/database.js';
import type { Statement } from '../../../src/scripts/statement.js';

/*
 * The rules follow the server's own scanner (tests compare with libpg-query, the grammar of PostgreSQL 18), with
 * standard_conforming_strings on, and of psql for what only psql understands. Every loop moves forward, and nothing is
 * searched for twice, so the time is linear in the length of the text whatever the text is.
 */

const SPACE = 1;
const WORD_START = 2;
const DIGIT = 4;
const DOLLAR = 8;
const WORD_PART = WORD_START | DIGIT | DOLLAR;

/** Character classes of the scanner for ASCII; everything above is a letter to it, the no-break space included. */
const classes = buildClasses();

function buildClasses(): Uint8Array {
  const table = new Uint8Array(128);
  for (const char of ' \t\n\r\f\v') table[char.charCodeAt(0)] = SPACE;
  for (const char of '0123456789') table[char.charCodeAt(0)] = DIGIT;
  for (let code = 65; code <= 90; code++) table[code] = table[code + 32] = WORD_START;
  table[0x5f] = WORD_START;
  table[0x24] = DOLLAR;
  return table;
}

function classOf(code: number): number {
  return code < 128 ? (classes[code] as number) : WORD_START;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const QUOTE = 0x27;
const DOUBLE_QUOTE = 0x22;
const DOLLAR_SIGN = 0x24;
const BACKSLASH = 0x5c;
const DASH = 0x2d;
const SLASH = 0x2f;
const STAR = 0x2a;
const SEMICOLON = 0x3b;
const COLON = 0x3a;
const DOT = 0x2e;

/** Index of the line ending at or after `from`, or the length of the text. */
function lineEnd(text: string, from: number): number {
  // A loop, not indexOf('\r'): that would read the whole rest of the text for each comment of a file without any.
  let at = from;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === NEWLINE || code === RETURN) break;
  }
  return at;
}

/** Index of the first character of the next line. */
function nextLine(text: string, end: number): number {
  if (text.charCodeAt(end) === RETURN && text.charCodeAt(end + 1) === NEWLINE) return end + 2;
  return Math.min(end + 1, text.length);
}

/** Index behind a quoted text that begins at `open`, with doubled quotes inside; -1 when it never ends. */
function quotedEnd(text: string, open: number, quote: "'" | '"'): number {
  let at = text.indexOf(quote, open + 1);
  while (at !== -1 && text[at + 1] === quote) at = text.indexOf(quote, at + 2);
  return at === -1 ? -1 : at + 1;
}

/** As quotedEnd for E'…': backslashes escape, and a literal carried on over a line ending keeps its escapes. */
function escapedEnd(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) {
      at++;
    } else if (code === QUOTE) {
      if (text.charCodeAt(at + 1) === QUOTE) at++;
      else {
        const carriedOn = continuation(text, at + 1);
        if (carriedOn === -1) return at + 1;
        at = carriedOn;
      }
    }
  }
  return -1;
}

/** Index of the quote that carries the literal ending before `from` on: blanks with a line ending between; else -1. */
function continuation(text: string, from: number): number {
  let newlines = 0;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return newlines > 0 ? at : -1;
    if (code === NEWLINE || code === RETURN) newlines++;
    else if (code === DASH && text.charCodeAt(at + 1) === DASH) at = lineEnd(text, at) - 1;
    else if (classOf(code) !== SPACE) return -1;
  }
  return -1;
}

/** Index behind a block comment, which may hold others; -1 when it never ends. */
function blockCommentEnd(text: string, open: number): number {
  let depth = 1;
  for (let at = open + 2; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === STAR && text.charCodeAt(at + 1) === SLASH) {
      at++;
      if (--depth === 0) return at + 1;
    } else if (code === SLASH && text.charCodeAt(at + 1) === STAR) {
      at++;
      depth++;
    }
  }
  return -1;
}

/** The opening $tag$ at `at`, or undefined when the dollar sign begins something else. */
function dollarTag(text: string, at: number): string | undefined {
  let end = at + 1;
  if (classOf(text.charCodeAt(end)) === DIGIT) return undefined;
  while (end < text.length && (classOf(text.charCodeAt(end)) & (WORD_START | DIGIT)) !== 0) end++;
  return text.charCodeAt(end) === DOLLAR_SIGN ? text.slice(at, end + 1) : undefined;
}

function wordEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && (classOf(text.charCodeAt(at)) & WORD_PART) !== 0) at++;
  return at;
}

function isWord(text: string, start: number, end: number, upper: string): boolean {
  if (end - start !== upper.length) return false;
  for (let index = 0; index < upper.length; index++) {
    // Folds ASCII letters only, as the server folds key words.
    const code = text.charCodeAt(start + index);
    if ((code >= 97 && code <= 122 ? code - 32 : code) !== upper.charCodeAt(index)) return false;
  }
  return true;
}

/** Counts lines from offset to ever greater offset; a carriage return alone ends a line too. */
class LineCounter {
  #line = 1;
  #lineStart = 0;
  #at = 0;

  constructor(private readonly text: string) {}

  moveTo(offset: number): { readonly line: number; readonly column: number } {
    const { text } = this;
    for (; this.#at < offset; this.#at++) {
      const code = text.charCodeAt(this.#at);
      if (code === NEWLINE || (code === RETURN && text.charCodeAt(this.#at + 1) !== NEWLINE)) {
        this.#line++;
        this.#lineStart = this.#at + 1;
      }
    }
    return { line: this.#line, column: offset - this.#lineStart + 1 };
  }
}

/** What the words of the statement so far may turn out to be. */
type Shape = 'create' | 'create-or' | 'create-or-replace' | 'routine' | 'copy' | 'copy-from' | 'copy-in' | 'plain';

class Splitter {
  readonly #statements: Statement[] = [];
  readonly #comments: Comment[] = [];
  readonly #metaCommands: MetaCommand[] = [];
  readonly #problems: { message: string; line: number; column: number; offset: number }[] = [];
  readonly #lines: LineCounter;
  #at = 0;
  /** First character of the statement being read; -1 between two. */
  #start = -1;
  #startLine = 0;
  #startColumn = 0;
  /** Behind the last token of the statement being read. */
  #end = 0;
  #shape: Shape = 'plain';
  #words = 0;
  #parentheses = 0;
  /** Offset of the outermost parenthesis that is open. */
  #openParenthesis = 0;
  #brackets = 0;
  /** Inside BEGIN ATOMIC … END, where a semicolon ends a statement of the body only. */
  #atomic = false;
  /** True at the first token of a statement of an atomic body: only there END ends the body. */
  #atomicStart = false;
  #afterBegin = false;
  #afterFrom = false;

  constructor(private readonly text: string) {
    this.#lines = new LineCounter(text);
  }

  run(): SplitScript {
    const { text } = this;
    const { length } = text;
    while (this.#at < length) {
      const code = text.charCodeAt(this.#at);
      const kind = classOf(code);
      if (kind === SPACE) this.#at++;
      else if (kind === WORD_START) this.#word();
      else this.#sign(code);
    }
    this.#finish('end');
    return {
      statements: this.#statements,
      comments: this.#comments,
      metaCommands: this.#metaCommands,
      problems: this.#problems,
    };
  }

  /** Notes that a token begins here: the first one begins a statement. */
  #token(): void {
    if (this.#start === -1) {
      const place = this.#lines.moveTo(this.#at);
      this.#start = this.#at;
      this.#startLine = place.line;
      this.#startColumn = place.column;
      this.#shape = 'plain';
      this.#words = 0;
    }
  }

  /** Ends the token before `end` and forgets what only counts for adjacent words. */
  #passed(end: number): void {
    this.#at = end;
    this.#end = end;
    this.#atomicStart = false;
    this.#afterBegin = false;
    this.#afterFrom = false;
  }

  #word(): void {
    const { text } = this;
    const start = this.#at;
    const end = wordEnd(text, start);
    if (end - start === 1 && text.charCodeAt(end) === QUOTE && (text[start] === 'e' || text[start] === 'E')) {
      this.#quoted(escapedEnd(text, end), 'string');
      return;
    }
    if (this.#start === -1) this.#token();
    if (this.#shape === 'plain' && this.#words > 0) {
      this.#at = end;
      this.#end = end;
      return;
    }
    const atomicStart = this.#atomicStart;
    const afterBegin = this.#afterBegin;
    const afterFrom = this.#afterFrom;
    this.#passed(end);
    this.#shape = this.#nextShape(start, end);
    this.#words++;
    if (this.#parentheses > 0) return;
    if (this.#shape === 'routine') {
      if (this.#atomic) {
        if (atomicStart && isWord(text, start, end, 'END')) this.#atomic = false;
      } else if (afterBegin && isWord(text, start, end, 'ATOMIC')) {
        this.#atomic = true;
        this.#atomicStart = true;
      } else {
        this.#afterBegin = isWord(text, start, end, 'BEGIN');
      }
    } else if (this.#shape === 'copy-from' && afterFrom && isWord(text, start, end, 'STDIN')) {
      this.#shape = 'copy-in';
    }
  }

  #nextShape(start: number, end: number): Shape {
    const { text } = this;
    const is = (word: string): boolean => isWord(text, start, end, word);
    if (this.#words === 0) {
      // A statement that begins with a sign has no shape.
      if (start !== this.#start) return 'plain';
      return is('CREATE') ? 'create' : is('COPY') ? 'copy' : 'plain';
    }
    switch (this.#shape) {
      case 'create':
        return is('FUNCTION') || is('PROCEDURE') ? 'routine' : is('OR') ? 'create-or' : 'plain';
      case 'create-or':
        return is('REPLACE') ? 'create-or-replace' : 'plain';
      case 'create-or-replace':
        return is('FUNCTION') || is('PROCEDURE') ? 'routine' : 'plain';
      case 'copy':
        if (this.#parentheses === 0 && is('FROM')) {
          this.#afterFrom = true;
          return 'copy-from';
        }
        return 'copy';
      default:
        return this.#shape;
    }
  }

  #sign(code: number): void {
    const { text } = this;
    switch (code) {
      case QUOTE:
        this.#quoted(quotedEnd(text, this.#at, "'"), 'string');
        return;
      case DOUBLE_QUOTE:
        this.#quoted(quotedEnd(text, this.#at, '"'), 'quoted identifier');
        return;
      case DOLLAR_SIGN:
        this.#dollar();
        return;
      case DASH:
        if (text.charCodeAt(this.#at + 1) === DASH) this.#comment(lineEnd(text, this.#at), 2, 0);
        else this.#other();
        return;
      case SLASH:
        if (text.charCodeAt(this.#at + 1) === STAR) this.#blockComment();
        else this.#other();
        return;
      case SEMICOLON:
        this.#semicolon();
        return;
      case BACKSLASH:
        this.#metaCommand();
        return;
      case COLON:
        this.#colon();
        return;
      default:
        this.#other();
        if (code === 0x28 /* ( */) this.#open();
        else if (code === 0x29 /* ) */) this.#parentheses = Math.max(0, this.#parentheses - 1);
        else if (code === 0x5b /* [ */) this.#brackets++;
        else if (code === 0x5d /* ] */) this.#brackets = Math.max(0, this.#brackets - 1);
    }
  }

  #other(): void {
    this.#token();
    this.#passed(this.#at + 1);
  }

  #open(): void {
    if (this.#parentheses++ === 0) this.#openParenthesis = this.#at - 1;
  }

  #quoted(end: number, what: string): void {
    this.#token();
    if (end === -1) {
      this.#problem(`A ${what} begins here and never ends.`, this.#lines.moveTo(this.#at), this.#at);
      this.#passed(this.text.length);
    } else {
      this.#passed(end);
    }
  }

  #dollar(): void {
    const tag = dollarTag(this.text, this.#at);
    if (tag === undefined) {
      this.#other();
      return;
    }
    const close = this.text.indexOf(tag, this.#at + tag.length);
    this.#quoted(close === -1 ? -1 : close + tag.length, `string quoted with ${tag}`);
  }

  #blockComment(): void {
    const end = blockCommentEnd(this.text, this.#at);
    if (end === -1) {
      this.#problem('A comment begins here and never ends.', this.#lines.moveTo(this.#at), this.#at);
      this.#comment(this.text.length, 2, 0);
    } else {
      this.#comment(end, 2, 2);
    }
  }

  #comment(end: number, opening: number, closing: number): void {
    this.#comments.push({
      text: this.text.slice(this.#at + opening, end - closing).trim(),
      line: this.#lines.moveTo(this.#at).line,
      offset: this.#at,
      afterStatement: this.#statements.length - 1,
      inside: this.#start !== -1,
    });
    this.#at = end;
  }

  #semicolon(): void {
    if (this.#start !== -1 && (this.#atomic || this.#parentheses > 0)) {
      this.#passed(this.#at + 1);
      this.#atomicStart = this.#atomic && this.#parentheses === 0;
      return;
    }
    const copyIn = this.#start !== -1 && this.#shape === 'copy-in';
    this.#finish('semicolon');
    this.#at++;
    if (copyIn) this.#copyData();
  }

  /** Closes the statement being read, if any; comments behind its last token then belong after it. */
  #finish(by: 'semicolon' | 'meta-command' | 'end'): void {
    if (this.#start === -1) return;
    const index = this.#statements.length;
    this.#statements.push({
      text: this.text.slice(this.#start, this.#end),
      offset: this.#start,
      line: this.#startLine,
      column: this.#startColumn,
    });
    for (let last = this.#comments.length - 1; last >= 0; last--) {
      const comment = this.#comments[last] as Comment;
      if (comment.offset < this.#end) break;
      this.#comments[last] = { ...comment, afterStatement: index, inside: false };
    }
    if (by !== 'semicolon' && this.#problems.length === 0) {
      if (this.#atomic) {
        this.#problem(
          'BEGIN ATOMIC of this statement has no END.',
          { line: this.#startLine, column: this.#startColumn },
          this.#start,
        );
      } else if (this.#parentheses > 0) {
        const offset = this.#openParenthesis;
        const place = new LineCounter(this.text).moveTo(offset);
        this.#problem('A parenthesis opens here and is never closed.', place, offset);
      }
    }
    if (by === 'end' && this.#shape === 'copy-in') {
      this.#problem(
        'COPY … FROM STDIN needs a semicolon and its data on the lines below.',
        { line: this.#startLine, column: this.#startColumn },
        this.#start,
      );
    }
    this.#start = -1;
    this.#shape = 'plain';
    this.#parentheses = 0;
    this.#brackets = 0;
    this.#atomic = false;
    this.#atomicStart = false;
    this.#afterBegin = false;
    this.#afterFrom = false;
  }

  /** Reads the data lines below COPY … FROM STDIN; like psql, up to a line that holds nothing but \. */
  #copyData(): void {
    const { text } = this;
    const sameLine = lineEnd(text, this.#at);
    const rest = text.slice(this.#at, sameLine).trim();
    if (rest.startsWith('--')) {
      while (text.charCodeAt(this.#at) !== DASH) this.#at++;
      this.#comment(sameLine, 2, 0);
    } else if (rest !== '') {
      this.#problem(
        'The data of COPY … FROM STDIN begins on the next line: nothing else may follow on this one.',
        this.#lines.moveTo(this.#at),
        this.#at,
      );
    }
    const begin = nextLine(text, sameLine);
    let lineStart = begin;
    while (lineStart < text.length) {
      const end = lineEnd(text, lineStart);
      if (end - lineStart === 2 && text.charCodeAt(lineStart) === BACKSLASH && text.charCodeAt(lineStart + 1) === DOT) {
        this.#attachData(text.slice(begin, lineStart));
        this.#at = end;
        return;
      }
      lineStart = nextLine(text, end);
    }
    const copy = this.#statements.at(-1) as Statement;
    this.#problem(
      'The data of this COPY … FROM STDIN never ends: a line with \\. is missing.',
      { line: copy.line, column: copy.column },
      copy.offset,
    );
    this.#attachData(text.slice(begin));
    this.#at = text.length;
  }

  #attachData(copyData: string): void {
    const last = this.#statements.length - 1;
    this.#statements[last] = { ...(this.#statements[last] as Statement), copyData };
  }

  /** A backslash outside quotes is never SQL: what psql would do with it is not for the server. */
  #metaCommand(): void {
    const end = lineEnd(this.text, this.#at);
    const { line } = this.#lines.moveTo(this.#at);
    const inside = this.#start !== -1;
    // Commands such as \gexec end the statement before them; ending it for all of them keeps the texts contiguous.
    this.#finish('meta-command');
    this.#metaCommands.push({
      text: this.text.slice(this.#at, end).trimEnd(),
      line,
      offset: this.#at,
      afterStatement: this.#statements.length - 1,
      inside,
    });
    this.#at = end;
  }

  /**
   * A colon alone is SQL only in array slices and between the key and value of JSON_OBJECT; before a name and behind a
   * blank or a sign it is a psql variable, which the server would refuse without saying what it is.
   */
  #colon(): void {
    const { text } = this;
    const next = text.charCodeAt(this.#at + 1);
    if (next === COLON || next === 0x3d /* = */) {
      this.#token();
      this.#passed(this.#at + 2);
      return;
    }
    const before = this.#at === 0 ? SPACE : classOf(text.charCodeAt(this.#at - 1));
    const begins = before === SPACE || '(,=<>+-*/|;!~%'.includes(text[this.#at - 1] ?? ' ');
    const named =
      classOf(next) === WORD_START || next === QUOTE || next === DOUBLE_QUOTE || text.startsWith('{?', this.#at + 1);
    if (begins && named && this.#brackets === 0) {
      const rest = text.slice(this.#at, this.#at + 80);
      const shown = /^:(?:\{\?)?(?:'[^'\n]*'|"[^"\n]*"|[^\s,;()'"]+)/.exec(rest)?.[0] ?? ':';
      this.#metaCommands.push({
        text: shown,
        line: this.#lines.moveTo(this.#at).line,
        offset: this.#at,
        afterStatement: this.#statements.length - 1,
        inside: true,
      });
    }
    this.#other();
  }

  #problem(message: string, place: { readonly line: number; readonly column: number }, offset: number): void {
    this.#problems.push({ message, line: place.line, column: place.column, offset });
  }
}

/** Splits a script at the semicolons that end statements. Never throws; linear in the length of the text. */
export function splitScript(text: string): SplitScript {
  return new Splitter(text).run();
}

/**
 * The tokens of one statement in order, without comments and blanks, at most `limit` of them. Names are folded as the
 * server folds them; strings come without quotes and escapes resolved only where doubling a quote is the escape.
 */
export function tokenizeStatement(text: string, limit = Number.POSITIVE_INFINITY): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length && tokens.length < limit) {
    const code = text.charCodeAt(at);
    const kind = classOf(code);
    if (kind === SPACE) {
      at++;
    } else if (code === DASH && text.charCodeAt(at + 1) === DASH) {
      at = lineEnd(text, at);
    } else if (code === SLASH && text.charCodeAt(at + 1) === STAR) {
      const end = blockCommentEnd(text, at);
      at = end === -1 ? text.length : end;
    } else {
      const token = readToken(text, at, kind);
      tokens.push(token);
      at = token.offset + token.length;
    }
  }
  return tokens;
}

function readToken(text: string, at: number, kind: number): Token {
  const code = text.charCodeAt(at);
  if (kind === WORD_START) {
    const end = wordEnd(text, at);
    const prefix = text.slice(at, end);
    if (text.charCodeAt(end) === QUOTE && /^[ebxn]$/i.test(prefix)) {
      const close = /e/i.test(prefix) ? escapedEnd(text, end) : quotedEnd(text, end, "'");
      return quotedToken('string', text, at, end + 1, close, "'");
    }
    return { kind: 'word', value: foldName(prefix), offset: at, length: end - at };
  }
  if (kind === DIGIT) {
    const number = /[0-9][0-9A-Za-z_.]*/y;
    number.lastIndex = at;
    const value = number.exec(text)?.[0] ?? text.charAt(at);
    return { kind: 'number', value, offset: at, length: value.length };
  }
  if (code === QUOTE) return quotedToken('string', text, at, at + 1, quotedEnd(text, at, "'"), "'");
  if (code === DOUBLE_QUOTE) return quotedToken('name', text, at, at + 1, quotedEnd(text, at, '"'), '"');
  if (code === DOLLAR_SIGN) {
    const tag = dollarTag(text, at);
    if (tag !== undefined) {
      const close = text.indexOf(tag, at + tag.length);
      const end = close === -1 ? text.length : close;
      const value = text.slice(at + tag.length, end);
      return { kind: 'code', value, offset: at, length: (close === -1 ? end : end + tag.length) - at };
    }
  }
  return { kind: 'sign', value: text.charAt(at), offset: at, length: 1 };
}

function quotedToken(
  kind: 'string' | 'name',
  text: string,
  at: number,
  inner: number,
  close: number,
  quote: string,
): Token {
  const end = close === -1 ? text.length : close;
  const value = text.slice(inner, close === -1 ? end : end - 1).replaceAll(quote + quote, quote);
  return { kind, value, offset: at, length: end - at };
}

/** Lower case for ASCII letters, as the server folds names in a UTF-8 database. */
function foldName(name: string): string {
  if (!/[A-Z]/.test(name)) return name;
  return /^[\x20-\x7e]*$/.test(name) ? name.toLowerCase() : name.replace(/[A-Z]+/g, (word) => word.toLowerCase());
}
