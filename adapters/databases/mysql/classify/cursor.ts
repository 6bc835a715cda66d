import type { Token } from '../../../../src/adapter/database.js';
import type { ObjectRef } from '../../../../src/risk/change.js';

/** Walks over a part of a statement's tokens; every take moves on only when it succeeds. */
export class Cursor {
  #at: number;

  constructor(
    readonly text: string,
    private readonly tokens: readonly Token[],
    from = 0,
    private readonly end = tokens.length,
  ) {
    this.#at = from;
  }

  get atEnd(): boolean {
    return this.#at >= this.end;
  }

  /** The token so many places ahead (negative: behind); undefined outside of this part. */
  token(ahead = 0): Token | undefined {
    const at = this.#at + ahead;
    return at < this.end ? this.tokens[at] : undefined;
  }

  /** The key word there, in lower case; what is quoted is none. */
  word(ahead = 0): string | undefined {
    const token = this.token(ahead);
    return token?.kind === 'word' ? token.value : undefined;
  }

  isSign(sign: string, ahead = 0): boolean {
    const token = this.token(ahead);
    return token?.kind === 'sign' && token.value === sign;
  }

  skip(count = 1): void {
    this.#at = Math.min(this.#at + count, this.end);
  }

  /** Takes these words in this order, or nothing. */
  take(...words: readonly string[]): boolean {
    if (!words.every((word, index) => this.word(index) === word)) return false;
    this.#at += words.length;
    return true;
  }

  takeOneOf(...words: readonly string[]): string | undefined {
    const word = this.word();
    if (word === undefined || !words.includes(word)) return undefined;
    this.#at++;
    return word;
  }

  /** Takes any number of them, in any order. */
  takeAll(...words: readonly string[]): void {
    while (this.takeOneOf(...words) !== undefined);
  }

  takeSign(sign: string): boolean {
    if (!this.isSign(sign)) return false;
    this.#at++;
    return true;
  }

  takeString(): string | undefined {
    const token = this.token();
    if (token?.kind !== 'string') return undefined;
    this.#at++;
    return token.value;
  }

  /** The text of the token there, as it was written. */
  source(ahead = 0): string {
    const token = this.token(ahead);
    return token === undefined ? '' : this.text.slice(token.offset, token.offset + token.length);
  }

  /**
   * An identifier as it was written, without quotes: names of tables may depend on case. What stands in double quotes where only a
   * name can stand is one under ANSI_QUOTES, and nothing otherwise.
   */
  takeName(): string | undefined {
    const token = this.token();
    // 2nd_table is a name, 2 and 2e5 are not.
    const isName =
      token?.kind === 'name' ||
      token?.kind === 'word' ||
      (token?.kind === 'string' && this.text[token.offset] === '"') ||
      (token?.kind === 'number' && /^\d+[A-Za-z_$]/.test(token.value) && !/^\d+e\d+$|^0[xb]/i.test(token.value));
    if (!isName) return undefined;
    const name = token.kind === 'name' || token.kind === 'string' ? token.value : this.source();
    this.#at++;
    return name;
  }

  /** `schema`.`name`, or the name alone. */
  takeRef(kind: string): ObjectRef | undefined {
    // .t is the t of the default database.
    this.takeSign('.');
    const first = this.takeName();
    if (first === undefined) return undefined;
    if (!this.isSign('.') || this.isSign('*', 1)) return { kind, name: first };
    this.skip();
    const second = this.takeName();
    return second === undefined ? { kind, name: first } : { kind, schema: first, name: second };
  }

  /** 'user'@'host' as user@host; CURRENT_USER and the like as they are. */
  takeAccount(): string | undefined {
    const user = this.takeString() ?? this.takeName();
    if (user === undefined) return undefined;
    this.takeGroup();
    if (!this.takeSign('@')) return user;
    return `${user}@${this.takeString() ?? this.takeName() ?? ''}`;
  }

  /** What stands between the parentheses that open here. */
  takeGroup(): Cursor | undefined {
    if (!this.isSign('(')) return undefined;
    const close = this.#closing(this.#at);
    const group = new Cursor(this.text, this.tokens, this.#at + 1, Math.min(close, this.end));
    this.#at = Math.min(close + 1, this.end);
    return group;
  }

  /** Everything from here on; this cursor is then at its end. */
  takeRest(): Cursor {
    return this.#takeUntil(this.end);
  }

  /** Everything before the next of these key words outside of parentheses, or all of it. */
  takeBefore(...words: readonly string[]): Cursor {
    const stop = this.#find((token) => token.kind === 'word' && words.includes(token.value));
    return this.#takeUntil(stop);
  }

  /** Everything before the next such sign outside of parentheses, or all of it. */
  takeBeforeSign(sign: string): Cursor {
    return this.#takeUntil(this.#find((token) => token.kind === 'sign' && token.value === sign));
  }

  /** The parts between commas outside of parentheses; this cursor is then at its end. */
  takeList(): readonly Cursor[] {
    const parts: Cursor[] = [];
    while (!this.atEnd) {
      parts.push(this.takeBeforeSign(','));
      this.takeSign(',');
    }
    return parts;
  }

  /** Whether these words follow one another somewhere ahead, outside of parentheses. */
  has(...words: readonly string[]): boolean {
    return (
      this.#find((_token, at) =>
        words.every((word, index) => {
          const token = at + index < this.end ? this.tokens[at + index] : undefined;
          return token?.kind === 'word' && token.value === word;
        }),
      ) < this.end
    );
  }

  /** Whether the key word stands anywhere ahead. */
  mentions(word: string): boolean {
    for (let at = this.#at; at < this.end; at++) {
      const token = this.tokens[at];
      if (token?.kind === 'word' && token.value === word) return true;
    }
    return false;
  }

  /** The same part from the same place. */
  copy(): Cursor {
    return new Cursor(this.text, this.tokens, this.#at, this.end);
  }

  /** Behind the last token that was taken, in UTF-16 units of the text. */
  get offset(): number {
    const token = this.tokens[this.#at - 1];
    return token === undefined ? 0 : token.offset + token.length;
  }

  /** What stands from here to the end of this part, as it was written. */
  get rest(): string {
    const last = this.tokens[this.end - 1];
    const first = this.token();
    return first === undefined || last === undefined ? '' : this.text.slice(first.offset, last.offset + last.length);
  }

  #takeUntil(stop: number): Cursor {
    const part = new Cursor(this.text, this.tokens, this.#at, stop);
    this.#at = stop;
    return part;
  }

  #find(matches: (token: Token, at: number) => boolean): number {
    let at = this.#at;
    while (at < this.end) {
      const token = this.tokens[at] as Token;
      if (matches(token, at)) return at;
      at = token.kind === 'sign' && token.value === '(' ? this.#closing(at) + 1 : at + 1;
    }
    return this.end;
  }

  #closing(open: number): number {
    let depth = 0;
    for (let at = open; at < this.end; at++) {
      const token = this.tokens[at] as Token;
      if (token.kind !== 'sign') continue;
      if (token.value === '(') depth++;
      else if (token.value === ')' && --depth === 0) return at;
    }
    return this.end;
  }
}
