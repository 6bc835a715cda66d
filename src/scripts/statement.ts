/** One SQL statement inside a script, as the splitter of the database's dialect found it. */
export interface Statement {
  /** Exact text from its first token to its last, without the terminating semicolon. */
  readonly text: string;
  /** UTF-16 index of the first character in the script's text. */
  readonly offset: number;
  /** 1-based line and column (UTF-16 units) of the first character. */
  readonly line: number;
  readonly column: number;
  /** Data lines of COPY … FROM STDIN, exactly as written, without the closing \. line. */
  readonly copyData?: string | undefined;
}
