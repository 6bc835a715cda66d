/*
 * Where the body of a stored program ends. The servers know by their grammar; reading the words that open and close a
 * block is enough, because every block but the expression CASE … END stands where a statement begins.
 */

/** Words behind which a statement of a body begins. */
const before = new Set([';', ':', 'THEN', 'ELSE', 'DO', 'LOOP', 'REPEAT', 'BEGIN']);
const openers = new Set(['IF', 'LOOP', 'WHILE', 'REPEAT', 'FOR']);
/** What END may be followed by to say which block it ends. */
const closers = new Set([...openers, 'CASE']);
/** Behind these IF belongs to IF [NOT] EXISTS. */
const programs = new Set(['PROCEDURE', 'FUNCTION', 'TRIGGER', 'EVENT', 'PACKAGE', 'BODY']);
const verbs = new Set(['RETURN', 'SET', 'INSERT', 'UPDATE', 'DELETE', 'SELECT', 'CALL', 'REPLACE', 'SIGNAL', 'WITH']);
/** Before these a verb belongs to the head: BEFORE INSERT, OR REPLACE, CHARACTER SET. */
const headWords = new Set(['BEFORE', 'AFTER', 'OR', 'CHARACTER', 'CHAR', 'CREATE']);

/** Follows the words and signs of one CREATE PROCEDURE, FUNCTION, TRIGGER, EVENT or of one compound statement. */
export class BlockTracker {
  readonly #open: ('block' | 'expression')[] = [];
  #previous = '';
  /** Before the body, where what begins a statement stands behind whatever the head ends with. */
  #head = true;

  get depth(): number {
    return this.#open.length;
  }

  sign(char: string): void {
    this.#previous = char;
  }

  /** `next` is the first character behind the word that is no blank. */
  word(upper: string, next: string): void {
    const previous = this.#previous;
    this.#previous = upper;
    if (previous === 'END' && closers.has(upper)) {
      this.#previous = '';
      return;
    }
    if (upper === 'END') this.#open.pop();
    else if (upper === 'BEGIN') {
      // Elsewhere it may be the name of a column.
      if (!'.,=<>+-*/%)'.includes(next) || next === '') this.#begin('block');
    } else if (upper === 'CASE') {
      this.#begin(this.#startsStatement(previous) ? 'block' : 'expression');
    } else if (openers.has(upper)) {
      if (this.#startsStatement(previous) && !(this.#head && (upper === 'FOR' || programs.has(previous))))
        this.#begin('block');
    } else if (this.#head && verbs.has(upper) && !headWords.has(previous)) {
      this.#head = false;
    }
  }

  #startsStatement(previous: string): boolean {
    return this.#head || (before.has(previous) && this.#open.at(-1) !== 'expression');
  }

  #begin(kind: 'block' | 'expression'): void {
    this.#open.push(kind);
    this.#head = false;
  }
}
