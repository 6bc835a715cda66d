import type { Token } from '../../../../src/adapter/database.js';
import { tokenizeStatement } from '../lexer.js';

/** As the statement names it; without a schema it is in the session's database. */
export interface ObjectName {
  readonly schema: string | undefined;
  readonly name: string;
}

/** Goes through the tokens of one statement from the left. */
export class StatementReader {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokenizeStatement(text);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  /** The key word here or further on, in lower case; undefined where something else stands. */
  word(ahead = 0): string | undefined {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === 'word' ? token.value : undefined;
  }

  /** Whether exactly these key words come next; then they are read. */
  takes(...words: readonly string[]): boolean {
    if (!words.every((word, index) => this.word(index) === word)) return false;
    this.#at += words.length;
    return true;
  }

  takesSign(sign: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'sign' || token.value !== sign) return false;
    this.#at++;
    return true;
  }

  skip(): Token | undefined {
    return this.#tokens[this.#at++];
  }

  /** Reads `name` or `schema.name`; undefined where neither stands, and then nothing is read. */
  name(): ObjectName | undefined {
    const first = this.#namePart(this.#at);
    if (first === undefined) return undefined;
    this.#at++;
    const dot = this.#tokens[this.#at];
    const second = dot?.kind === 'sign' && dot.value === '.' ? this.#namePart(this.#at + 1) : undefined;
    if (second === undefined) return { schema: undefined, name: first };
    this.#at += 2;
    return { schema: first, name: second };
  }

  /** Reads names with commas between them; undefined where something else stands among them. */
  names(): readonly ObjectName[] | undefined {
    const names: ObjectName[] = [];
    do {
      const name = this.name();
      if (name === undefined) return undefined;
      names.push(name);
    } while (this.takesSign(','));
    return names;
  }

  /** Reads to the end: the tokens between commas that stand in no parentheses. */
  items(): readonly (readonly Token[])[] {
    const items: Token[][] = [[]];
    let depth = 0;
    for (; !this.isAtEnd; this.#at++) {
      const token = this.#tokens[this.#at] as Token;
      if (token.kind === 'sign' && token.value === '(') depth++;
      if (token.kind === 'sign' && token.value === ')') depth--;
      if (depth === 0 && token.kind === 'sign' && token.value === ',') items.push([]);
      else items.at(-1)?.push(token);
    }
    return items;
  }

  /** What has not been read yet, as it is written. */
  rest(): string {
    const token = this.#tokens[this.#at];
    return token === undefined ? '' : this.#text.slice(token.offset);
  }

  #namePart(index: number): string | undefined {
    return nameOf(this.#tokens[index], this.#text);
  }
}

/**
 * The name that a token is where only a name can stand: as it is written, because case may count. What stands in double
 * quotes there is a name under ANSI_QUOTES and nothing otherwise.
 */
export function nameOf(token: Token | undefined, text: string): string | undefined {
  if (token === undefined) return undefined;
  if (token.kind === 'name') return token.value;
  if (token.kind === 'word') return text.slice(token.offset, token.offset + token.length);
  return token.kind === 'string' && text.charAt(token.offset) === '"' ? token.value : undefined;
}
