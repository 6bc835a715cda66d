import type { Finding, Severity } from '../errors/finding.js';

/** Every finding about a rollback script file, with its severity; the sentences are those of docs/script-format.md. */
export const scriptFindings = {
  'script-unreadable': ['error', 'the file cannot be read, or is not UTF-8 text of at most 64 MB without NUL'],
  'script-name-invalid': [
    'warning',
    'an .sql file in the rollbacks folder whose name is not R<version>__<description>.sql',
  ],
  'script-without-version': ['error', 'R__description.sql: Flyway would take this name for a repeatable migration'],
  'script-duplicate': ['error', 'two files roll back the same version'],
  'script-shadows-undo': ['info', 'an R file and a U file exist for the same version; the R file is used'],
  'rollbacks-folder-missing': ['warning', 'the rollbacks folder does not exist'],
  'script-empty': ['error', 'the file holds nothing but blanks'],
  'script-comment-only': ['error', 'the file holds comments but no statement'],
  'script-no-effect': [
    'error',
    'the file holds only queries and parts that flyback takes over: nothing would be rolled back',
  ],
  'script-stub': ['error', 'the file is a stub that nobody has reviewed'],
  'script-unreviewed': ['error', 'the script ends with ROLLBACK: whoever wrote it has not approved it'],
  'statement-unsplittable': ['error', 'a quote, comment, parenthesis or COPY block begins and never ends'],
  'statement-after-commit': ['error', 'a statement after COMMIT would run outside the transaction'],
  'transaction-control': ['error', 'a statement would end, nest or change the transaction of flyback'],
  'transaction-not-ended': ['error', 'BEGIN without COMMIT: run by psql, the script would change nothing'],
  'transaction-mode-ignored': [
    'warning',
    'BEGIN with a mode (isolation level, READ ONLY) that flyback does not take over',
  ],
  'needs-no-transaction': [
    'error',
    'the server refuses this statement inside a transaction, and the script asks for one (transaction on)',
  ],
  'runs-without-transaction': [
    'info',
    'a statement that the server refuses inside a transaction: flyback runs the script statement by statement, journalled',
  ],
  'transaction-impossible': [
    'warning',
    'BEGIN … COMMIT around a statement that the server refuses inside a transaction: run by psql, the script would fail',
  ],
  'set-local-without-transaction': ['warning', 'SET LOCAL in a script that runs without a transaction has no effect'],
  'strings-nonstandard': [
    'error',
    'standard_conforming_strings off, or ANSI_QUOTES and the like in sql_mode, changes where strings end',
  ],
  'replica-mode-partial': [
    'warning',
    'statements outside the replica mode of the script; flyback runs all of them inside',
  ],
  'triggers-contradict': ['warning', 'the triggers directive and SET session_replication_role disagree'],
  'history-touched': ['error', 'a statement writes to the history table in a way that flyback does not take over'],
  'record-touched': ['error', "a statement writes to flyback's own record"],
  'history-delete-other-version': ['error', 'DELETE from the history for another version than the one of the file'],
  'history-delete-text': ['warning', 'DELETE from the history with a version text that the row does not have'],
  'psql-refused': ['error', 'a psql command that changes what runs, or a psql variable'],
  'placeholder-unknown': ['error', 'a placeholder has no value'],
  'directive-unknown': ['error', 'a flyback directive that does not exist'],
  'directive-invalid': ['error', 'a flyback directive with a value that it does not take'],
  'directive-repeated': ['error', 'a flyback directive that may be given once is given twice'],
  'verify-without-expectation': ['error', 'verify without a query and what it must return'],
  'expectation-without-query': ['error', 'expect without a query before it'],
  'expectation-invalid': ['error', 'expect with words that are none of the known forms'],
  'expectation-not-understood': [
    'warning',
    'a comment that seems to state an expectation, but none that can be checked',
  ],
  'verification-after-commit': ['info', 'a verification after COMMIT; flyback runs it before its own commit'],
  'query-without-expectation': ['info', 'a query whose result nobody checks'],
} as const satisfies Record<string, readonly [Severity, string]>;
export type ScriptFindingCode = keyof typeof scriptFindings;

/** A place in the text of a script; the line as the splitter counted it. */
export interface Place {
  readonly offset: number;
  readonly line: number;
}

/** Collects the findings of one script and gives each its place. */
export class ScriptReport {
  readonly #findings: Finding[] = [];

  constructor(
    readonly file: string,
    readonly text: string,
  ) {}

  add(code: ScriptFindingCode, place: Place | undefined, message: string, hint?: string): void {
    this.#findings.push({
      code,
      severity: scriptFindings[code][0],
      subject: this.file,
      message,
      hint,
      location: place === undefined ? undefined : locate(this.file, this.text, place),
    });
  }

  /** In the order of the places in the file; those about the whole file first. */
  get findings(): readonly Finding[] {
    return [...this.#findings].sort(
      (a, b) =>
        (a.location?.line ?? 0) - (b.location?.line ?? 0) || (a.location?.column ?? 0) - (b.location?.column ?? 0),
    );
  }
}

/** Lines are shown to people: a dump's line of a megabyte is cut. */
const shownLine = 500;

function locate(file: string, text: string, place: Place): NonNullable<Finding['location']> {
  let start = place.offset;
  while (start > 0 && !isLineEnd(text.charCodeAt(start - 1))) start--;
  let end = place.offset;
  while (end < text.length && end - start < shownLine && !isLineEnd(text.charCodeAt(end))) end++;
  return { file, line: place.line, column: place.offset - start + 1, lineText: text.slice(start, end) };
}

function isLineEnd(code: number): boolean {
  return code === 0x0a || code === 0x0d;
}
