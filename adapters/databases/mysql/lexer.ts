import type { Comment, MetaCommand, SplitScript, Token } from '../../../src/adapter/database.js';
import type { Statement } from '../../../src/scripts/statement.js';
import { BlockTracker } from './blocks.js';
import { clientCommand, delimiterArgument, longestDelimiter } from './client-commands.js';
import {
  blockCommentEnd,
  classOf,
  DIGIT,
  lineEnd,
  LineCounter,
  quotedEnd,
  type QuoteModes,
  SPACE,
  startsLineComment,
  unquote,
  versionMarker,
  WORD_START,
  wordEnd,
} from './scan.js';

/*
 * Splits a script where the mysql and mariadb clients end a statement (tests compare with the real client): at the
 * delimiter, which the DELIMITER command changes; and, under another delimiter than the semicolon, also at a semicolon
 * between two statements, where the server itself would cut what the client sends in one piece. Time is linear.
 */

export interface SplitOptions extends QuoteModes {
  /**
   * The script is meant for something that knows where a stored program ends without DELIMITER (the server itself under
   * golang-migrate, Flyway's own parser). Default false: it is meant for the client, and a missing DELIMITER is a problem.
   */
  readonly endsBodiesItself?: boolean | undefined;
}

/** Words that begin a statement of a body only: met at the top, something has cut the body. */
const bodyOnly = new Set(['END', 'ELSE', 'ELSEIF', 'UNTIL', 'LEAVE', 'ITERATE', 'DECLARE', 'RETURN', 'FETCH']);
/** MariaDB runs these outside of stored programs too. */
const compounds = new Set(['IF', 'CASE', 'LOOP', 'WHILE', 'REPEAT', 'FOR']);
/** Behind CREATE, before the word that says what is created: OR REPLACE DEFINER = name AGGREGATE … */
const maxHeadWords = 12;
const programKinds = new Set(['PROCEDURE', 'FUNCTION', 'TRIGGER', 'EVENT', 'PACKAGE']);
const otherKinds = new Set(['TABLE', 'VIEW', 'INDEX', 'DATABASE', 'SCHEMA', 'USER', 'ROLE', 'SEQUENCE', 'SERVER']);

/** What the words of the statement so far may turn out to be. */
type Shape = 'plain' | 'begin' | 'create' | 'program';

class Splitter {
  readonly #statements: Statement[] = [];
  readonly #comments: Comment[] = [];
  readonly #metaCommands: MetaCommand[] = [];
  readonly #problems: { message: string; line: number; column: number; offset: number }[] = [];
  readonly #lines: LineCounter;
  /** Runs ahead of the other: semicolons inside bodies are told by their line too. */
  readonly #cutLines: LineCounter;
  #at = 0;
  #delimiter = ';';
  /** Nothing but blanks and comments has come since the delimiter: only here the client looks for commands. */
  #fresh = true;
  /** First character of the statement being read; -1 between two. */
  #start = -1;
  #startLine = 0;
  #startColumn = 0;
  /** Behind the last token of the statement being read. */
  #end = 0;
  #shape: Shape = 'plain';
  #words = 0;
  #firstWord = '';
  #blocks = new BlockTracker();
  /** Offset of the first semicolon inside a body; -1: none. */
  #cut = -1;
  /** Offset of the versioned comment that is open; -1: none. */
  #versioned = -1;

  constructor(
    private readonly text: string,
    private readonly options: SplitOptions,
  ) {
    this.#lines = new LineCounter(text);
    this.#cutLines = new LineCounter(text);
  }

  run(): SplitScript {
    const { text } = this;
    if (text.charCodeAt(0) === 0xfeff) this.#at = 1;
    while (this.#at < text.length) {
      const code = text.charCodeAt(this.#at);
      const kind = classOf(code);
      if (text.startsWith(this.#delimiter, this.#at)) this.#delimiterFound();
      else if (kind === SPACE) this.#at++;
      else if (kind === WORD_START || kind === DIGIT) this.#word();
      else this.#sign(code);
    }
    this.#finish(true);
    return {
      statements: this.#statements,
      comments: this.#comments,
      metaCommands: this.#metaCommands,
      problems: this.#problems,
    };
  }

  /** A token begins here and ends before `end`; the first one begins a statement. */
  #token(end: number): void {
    this.#fresh = false;
    if (this.#start === -1) {
      const place = this.#lines.moveTo(this.#at);
      this.#start = this.#at;
      this.#startLine = place.line;
      this.#startColumn = place.column;
      this.#shape = 'plain';
      this.#words = 0;
      this.#firstWord = '';
    }
    this.#at = end;
    this.#end = end;
  }

  #word(): void {
    const { text } = this;
    const start = this.#at;
    if (this.#fresh ? this.#command() : this.#strayDelimiter()) return;
    const end = this.#cutWord(start, wordEnd(text, start));
    this.#token(end);
    if (this.#words > 0 && this.#shape === 'plain') return;
    const upper = text.slice(start, end).toUpperCase();
    this.#shape = this.#nextShape(upper);
    this.#words++;
    if (this.#shape === 'program') this.#blocks.word(upper, this.#nextCharacter(end));
  }

  /** The client ends a statement at its delimiter even in the middle of a word. */
  #cutWord(start: number, end: number): number {
    if (classOf(this.#delimiter.charCodeAt(0)) === 0) return end;
    for (let at = start + 1; at < end; at++) if (this.text.startsWith(this.#delimiter, at)) return at;
    return end;
  }

  #nextCharacter(from: number): string {
    let at = from;
    while (at < this.text.length && classOf(this.text.charCodeAt(at)) === SPACE) at++;
    return this.text.charAt(at);
  }

  #nextShape(upper: string): Shape {
    if (this.#words === 0) {
      this.#firstWord = upper;
      if (compounds.has(upper)) return this.#program();
      return upper === 'BEGIN' ? 'begin' : upper === 'CREATE' || upper === 'ALTER' ? 'create' : 'plain';
    }
    switch (this.#shape) {
      case 'begin':
        if (upper !== 'NOT') return 'plain';
        this.#program();
        this.#blocks.word('BEGIN', '');
        return 'program';
      case 'create':
        if (programKinds.has(upper)) return this.#program();
        return otherKinds.has(upper) || this.#words > maxHeadWords ? 'plain' : 'create';
      case 'plain':
      case 'program':
        return this.#shape;
    }
  }

  #program(): Shape {
    this.#blocks = new BlockTracker();
    this.#cut = -1;
    return 'program';
  }

  #sign(code: number): void {
    const { text } = this;
    const at = this.#at;
    if (code === 0x27 || code === 0x22 || code === 0x60) {
      this.#quoted();
    } else if (code === 0x5c) {
      this.#backslash();
    } else if (startsLineComment(text, at) || (this.#fresh && text.startsWith('--', at))) {
      // Between two statements the client takes "--" for a comment whatever follows.
      this.#comment(lineEnd(text, at), code === 0x23 ? 1 : 2, 0);
    } else if (code === 0x2f && text.charCodeAt(at + 1) === 0x2a) {
      this.#blockComment();
    } else if (code === 0x2a && text.charCodeAt(at + 1) === 0x2f && this.#versioned !== -1) {
      this.#versioned = -1;
      this.#token(at + 2);
    } else if (code === 0x3b) {
      this.#semicolon();
    } else {
      this.#token(at + 1);
      this.#blocks.sign(text.charAt(at));
    }
  }

  #quoted(): void {
    const end = quotedEnd(this.text, this.#at, this.options);
    if (end === -1) {
      const what = this.text[this.#at] === '`' ? 'quoted name' : 'string';
      this.#problem(`A ${what} begins here and never ends.`, this.#at);
    }
    this.#token(end === -1 ? this.text.length : end);
    this.#blocks.sign("'");
  }

  #blockComment(): void {
    const marker = versionMarker(this.text, this.#at);
    if (marker > 0) {
      const open = this.#at;
      this.#token(open + marker);
      this.#versioned = open;
      return;
    }
    const end = blockCommentEnd(this.text, this.#at);
    if (end === -1) this.#problem('A comment begins here and never ends.', this.#at);
    else if (this.#versioned !== -1 && this.options.endsBodiesItself !== true)
      this.#problem(
        'A comment stands here inside one for some servers only: the mysql client loses what follows it.',
        this.#at,
      );
    this.#comment(end === -1 ? this.text.length : end, 2, end === -1 ? 0 : 2);
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

  /** A semicolon while another delimiter is set. */
  #semicolon(): void {
    if (this.#start !== -1 && this.#shape !== 'program') this.#finish();
    else this.#blocks.sign(';');
    this.#fresh = false;
    this.#at++;
  }

  #delimiterFound(): void {
    const isBody = this.#start !== -1 && this.#shape === 'program' && this.#blocks.depth > 0;
    if (this.#delimiter === ';' && isBody) {
      if (this.#cut === -1) this.#cut = this.#at;
      this.#blocks.sign(';');
      this.#at++;
      return;
    }
    if (this.#start === -1 || !this.#commandBeforeDelimiter()) this.#finish();
    this.#fresh = true;
    this.#at += this.#delimiter.length;
  }

  /** The client also takes `exit;` for its command, wherever the line began. */
  #commandBeforeDelimiter(): boolean {
    const text = this.text.slice(this.#start, this.#at).trimEnd();
    // What stands in comments does not count, and no other delimiter can.
    const command = this.#words > 0 ? clientCommand(text, undefined) : undefined;
    if (command === undefined || command === 'use') return false;
    const place = { line: this.#startLine, column: this.#startColumn };
    if (command === 'delimiter')
      this.#problem('DELIMITER must stand at the beginning of a line of its own.', this.#start, place);
    this.#metaCommands.push({
      text,
      line: place.line,
      offset: this.#start,
      afterStatement: this.#statements.length - 1,
      inside: false,
    });
    this.#start = -1;
    return true;
  }

  /** Closes the statement being read, if any; comments behind its last token then belong after it. */
  #finish(atEnd = false): void {
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
    this.#checkEnd(atEnd);
    this.#start = -1;
    this.#shape = 'plain';
    this.#versioned = -1;
    this.#cut = -1;
  }

  #checkEnd(atEnd: boolean): void {
    const begin = { line: this.#startLine, column: this.#startColumn };
    if (this.#versioned !== -1) {
      this.#problem(
        'A comment for some servers only begins in this statement and does not end in it.',
        this.#start,
        begin,
      );
    }
    if (this.#delimiter !== ';') return;
    if (this.#shape === 'program' && this.#cut !== -1) {
      if (this.options.endsBodiesItself !== true) {
        const { line } = this.#cutLines.moveTo(this.#cut);
        this.#problem(
          `A DELIMITER command is missing before this statement: the mysql client ends it at the first semicolon of its body, on line ${line}.`,
          this.#start,
          begin,
        );
      }
      if (atEnd && this.#blocks.depth > 0) this.#problem('The body of this statement has no END.', this.#start, begin);
    } else if (bodyOnly.has(this.#firstWord)) {
      this.#problem(
        `${this.#firstWord} stands here outside of any body: a DELIMITER command is missing before the statement that it belongs to.`,
        this.#start,
        begin,
      );
    }
  }

  /** Reads a command of the client that stands at the beginning of a line between two statements; false: none does. */
  #command(): boolean {
    const { text } = this;
    const start = this.#at;
    if (!this.#isLineStart(start)) return false;
    const end = lineEnd(text, start);
    const line = text.slice(start, end).trimEnd();
    const command = clientCommand(line, this.#delimiter);
    if (command === undefined) return false;
    if (command === 'use') {
      // The server knows it too.
      this.#token(start + line.length);
      this.#finish();
      this.#fresh = true;
    } else if (command === 'delimiter') {
      this.#setDelimiter(delimiterArgument(line, 'delimiter'.length));
    } else {
      this.#meta(line, false);
    }
    this.#at = end;
    return true;
  }

  /** A DELIMITER line in the middle of a statement is text for the client; the statement before it has lost its end. */
  #strayDelimiter(): boolean {
    const { text } = this;
    const start = this.#at;
    const code = text.charCodeAt(start);
    if ((code !== 0x64 && code !== 0x44) || !this.#isLineStart(start)) return false;
    const line = /^delimiter[ \t]+([^\s\w,()=]{1,15})\s*$/i.exec(
      text.slice(start, Math.min(lineEnd(text, start), start + 80)),
    );
    if (line === null) return false;
    this.#problem(
      `DELIMITER stands in the middle of a statement: the one before it has no ${this.#delimiter} at its end.`,
      start,
    );
    this.#finish();
    this.#fresh = true;
    this.#setDelimiter(line[1] ?? ';');
    this.#at = lineEnd(text, start);
    return true;
  }

  #setDelimiter(delimiter: string): void {
    if (delimiter === '') this.#problem('DELIMITER must be followed by the text that shall end statements.', this.#at);
    else if (delimiter.includes('\\')) this.#problem('A delimiter cannot hold a backslash.', this.#at);
    else if (delimiter.length > longestDelimiter)
      this.#problem(`A delimiter cannot be longer than ${longestDelimiter} characters.`, this.#at);
    else this.#delimiter = delimiter;
  }

  #isLineStart(at: number): boolean {
    let before = at - 1;
    while (before >= 0 && this.text.charCodeAt(before) !== 0x0a && classOf(this.text.charCodeAt(before)) === SPACE)
      before--;
    const code = this.text.charCodeAt(before);
    return before < 0 || code === 0x0a || (before === 0 && code === 0xfeff);
  }

  /** A backslash outside quotes: \N is NULL, \g and \G end a statement, everything else is for the client. */
  #backslash(): void {
    const { text } = this;
    const letter = text.charAt(this.#at + 1);
    if (letter === 'N') {
      this.#token(this.#at + 2);
    } else if (letter === 'g' || letter === 'G') {
      this.#finish();
      this.#fresh = true;
      this.#at += 2;
    } else {
      const end = this.#backslashEnd();
      const inside = this.#start !== -1;
      this.#finish();
      if (letter === 'd') this.#setDelimiter(delimiterArgument(text.slice(this.#at, end).trimEnd(), 2));
      else this.#meta(text.slice(this.#at, end).trimEnd(), inside);
      this.#at = end;
    }
  }

  /** A backslash command ends with the line, or before the delimiter. */
  #backslashEnd(): number {
    const end = lineEnd(this.text, this.#at);
    if (this.text[this.#at + 1] === 'd') return end;
    for (let at = this.#at + 2; at < end; at++) if (this.text.startsWith(this.#delimiter, at)) return at;
    return end;
  }

  #meta(text: string, inside: boolean): void {
    this.#metaCommands.push({
      text,
      line: this.#lines.moveTo(this.#at).line,
      offset: this.#at,
      afterStatement: this.#statements.length - 1,
      inside,
    });
  }

  #problem(message: string, offset: number, place?: { readonly line: number; readonly column: number }): void {
    const { line, column } = place ?? this.#lines.moveTo(offset);
    this.#problems.push({ message, line, column, offset });
  }
}

/** Splits a script into the statements that the client would send. Never throws; linear in the length of the text. */
export function splitScript(text: string, options: SplitOptions = {}): SplitScript {
  return new Splitter(text, options).run();
}

/**
 * The tokens of one statement in order, without comments and blanks, at most `limit` of them. Words are in lower case; names
 * of tables may depend on case, so take those from the statement's text. Versioned comments are read as the code that they hold.
 */
export function tokenizeStatement(
  text: string,
  limit = Number.POSITIVE_INFINITY,
  modes: QuoteModes = {},
): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let versioned = false;
  while (at < text.length && tokens.length < limit) {
    const code = text.charCodeAt(at);
    const kind = classOf(code);
    const marker = versionMarker(text, at);
    if (kind === SPACE) at++;
    else if (startsLineComment(text, at)) at = lineEnd(text, at);
    else if (marker > 0) {
      versioned = true;
      at += marker;
    } else if (versioned && text.startsWith('*/', at)) {
      versioned = false;
      at += 2;
    } else if (text.startsWith('/*', at)) {
      const end = blockCommentEnd(text, at);
      at = end === -1 ? text.length : end;
    } else {
      const token = readToken(text, at, kind, modes);
      tokens.push(token);
      at = token.offset + token.length;
    }
  }
  return tokens;
}

function readToken(text: string, at: number, kind: number, modes: QuoteModes): Token {
  const char = text.charAt(at);
  if (kind === DIGIT) {
    const number = /[0-9][0-9A-Za-z_$.]*/y;
    number.lastIndex = at;
    const value = number.exec(text)?.[0] ?? char;
    return { kind: 'number', value, offset: at, length: value.length };
  }
  if (kind === WORD_START) {
    const end = wordEnd(text, at);
    const word = text.slice(at, end);
    const quote = text.charAt(end);
    // N'…', X'…', b'…' and a character set before a string are parts of it.
    if ((quote === "'" || quote === '"') && /^(?:[nxb]|_\w+)$/i.test(word)) return quotedToken(text, at, end, modes);
    return { kind: 'word', value: word.toLowerCase(), offset: at, length: end - at };
  }
  if (char === "'" || char === '"' || char === '`') return quotedToken(text, at, at, modes);
  // NULL.
  if (char === '\\' && text[at + 1] === 'N') return { kind: 'word', value: '\\N', offset: at, length: 2 };
  return { kind: 'sign', value: char, offset: at, length: 1 };
}

function quotedToken(text: string, at: number, open: number, modes: QuoteModes): Token {
  const close = quotedEnd(text, open, modes);
  const end = close === -1 ? text.length : close;
  const isName = text[open] === '`' || (text[open] === '"' && modes.ansiQuotes === true);
  return {
    kind: isName ? 'name' : 'string',
    value: unquote(text, open, close === -1 ? end : end - 1, modes),
    offset: at,
    length: end - at,
  };
}
