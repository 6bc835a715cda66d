import type { Expectation, Verification } from '../verify/verification.js';
import type { CommentLine, VerificationMark } from './directives.js';
import { parseExpectation, parseTableRow } from './parse-expectation.js';
import type { ScriptReport } from './script-findings.js';
import type { StatementRole } from './statement-roles.js';
import type { Statement } from './statement.js';

export interface VerificationSource {
  readonly statements: readonly Statement[];
  readonly roles: readonly StatementRole[];
  readonly lines: readonly CommentLine[];
  readonly marks: readonly VerificationMark[];
  readonly report: ScriptReport;
}

export interface ReadVerifications {
  readonly verifications: readonly Verification[];
  /** Indexes of the statements that verify and therefore do not run with the script. */
  readonly verifying: ReadonlySet<number>;
}

const handWritten =
  /^(?:(?:expect(?:ed|s)?|should)(?:\s+(?:results?|values?|outputs?|counts?|answer))?\s*[:=]\s*|should\s+(?:be|return|equal|give|show)\s+:?\s*|expect(?:ed|s)?(?:\s+to\s+be|\s+to\s+return)?\s+(?=[\d'"<>=]|no\b|zero\b|at\b|all\b|every\b|true\b|false\b|null\b|exactly\b))(.*)$/i;
const vague = /\b(?:expect|should|must|verif|check|ought)\w*/i;

/** Pairs queries with what must come of them; whatever seems meant as a check and is none becomes a finding. */
export function readVerifications(source: VerificationSource): ReadVerifications {
  return new VerificationReader(source).read();
}

class VerificationReader {
  readonly #verifications: Verification[] = [];
  readonly #verifying = new Set<number>();
  readonly #names = new Map<string, number>();
  /** A `verify` whose expectation has not come yet. */
  #pending: { readonly name: string; readonly mark: VerificationMark; readonly target: number } | undefined;
  /** Name of the verify directive by the statement it is for. */
  readonly #named = new Map<number, string>();

  /** Comment lines that are rows of an expected table: data, whatever their words. */
  readonly #tableRows = new Set<number>();
  readonly #marks: ReadonlyMap<number, VerificationMark>;

  constructor(private readonly source: VerificationSource) {
    this.#marks = new Map(source.marks.map((mark) => [mark.index, mark]));
  }

  read(): ReadVerifications {
    const { lines } = this.source;
    for (const [index, line] of lines.entries()) {
      const mark = this.#marks.get(index);
      if (mark?.kind === 'verify') this.#verify(mark);
      else if (mark !== undefined) this.#expect(mark);
      else this.#handWritten(line, index);
    }
    this.#settlePending(undefined);
    for (const [index, line] of lines.entries()) {
      if (!this.#marks.has(index) && !this.#tableRows.has(index)) this.#vague(line);
    }
    return { verifications: this.#verifications, verifying: this.#verifying };
  }

  #verify(mark: VerificationMark): void {
    this.#settlePending(undefined);
    const target = mark.line.afterStatement + 1;
    const statement = this.source.statements[target];
    if (statement === undefined || this.source.roles[target]?.kind !== 'query') {
      this.source.report.add(
        'verify-without-expectation',
        mark.line,
        statement === undefined ? 'No query follows verify.' : 'The statement behind verify is no query.',
        'Put a SELECT right below it, and then -- expect: … with what it must return.',
      );
      return;
    }
    this.#pending = { name: mark.words, mark, target };
  }

  #settlePending(target: number | undefined): void {
    if (this.#pending === undefined) return;
    if (this.#pending.target === target) {
      if (this.#pending.name !== '') this.#named.set(target, this.#pending.name);
    } else {
      this.source.report.add(
        'verify-without-expectation',
        this.#pending.mark.line,
        'The query behind verify has no expectation.',
        'Add -- expect: … behind the query.',
      );
    }
    this.#pending = undefined;
  }

  #expect({ words, line, index }: VerificationMark): void {
    const { report, roles } = this.source;
    const target = targetOf(line);
    const role = roles[target];
    if (role?.kind !== 'query' || (this.#pending !== undefined && this.#pending.target > target)) {
      report.add(
        'expectation-without-query',
        line,
        'No query stands before this expectation.',
        'Put the expectation behind the semicolon of its query.',
      );
      return;
    }
    this.#settlePending(target);
    const expectation = /^table\b/i.test(words)
      ? this.#table(words, index, role.ordered)
      : parseExpectation(words, { selectsStar: role.selectsStar });
    if (expectation === undefined) {
      report.add(
        'expectation-invalid',
        line,
        `"${words}" is no expectation that flyback knows.`,
        "Write a value ('text', 200, NULL), no rows, 3 rows, >= 10, every column = 'value', or table with its rows below.",
      );
      // The query is a check that nobody can make; it does not silently become a part of the script.
      this.#verifying.add(target);
      return;
    }
    this.#add(target, expectation);
  }

  #table(words: string, index: number, ordered: boolean): Expectation | undefined {
    const header = /^table\s*(?:\(([^)]*)\))?\s*$/i.exec(words);
    if (header === null) return undefined;
    const columns = header[1]?.split(',').map((name) => name.trim());
    const rows: (readonly (string | null)[])[] = [];
    let last = this.source.lines[index] as CommentLine;
    for (let at = index + 1; at < this.source.lines.length; at++) {
      const line = this.source.lines[at] as CommentLine;
      const adjacent = line.line === last.line + 1 && targetOf(line) === targetOf(last);
      if (!adjacent || line.text === '' || this.#marks.has(at)) break;
      rows.push(parseTableRow(line.text));
      this.#tableRows.add(at);
      last = line;
    }
    const width = columns?.length ?? rows[0]?.length;
    if (rows.length === 0 || rows.some((row) => row.length !== width)) return undefined;
    return { kind: 'table', rows, ordered, ...(columns === undefined ? {} : { columns }) };
  }

  #handWritten(line: CommentLine, index: number): void {
    const words = handWritten.exec(line.text)?.[1];
    if (words === undefined || this.#tableRows.has(index)) return;
    const target = targetOf(line);
    const role = this.source.roles[target];
    if (role?.kind !== 'query') {
      this.#notUnderstood(line, 'follows no query');
      return;
    }
    if (this.#belongsToNext(line)) {
      this.#notUnderstood(line, 'may belong to the query before it or to the one below');
      return;
    }
    const expectation = parseExpectation(words, { selectsStar: role.selectsStar });
    if (expectation === undefined) {
      this.#notUnderstood(line, 'has no form that can be checked');
      return;
    }
    this.#settlePending(target);
    this.#add(target, expectation);
  }

  /** A blank line above and a statement right below: a heading of the next query rather than a word on the last. */
  #belongsToNext(line: CommentLine): boolean {
    const { statements } = this.source;
    const before = statements[line.afterStatement];
    const after = statements[line.afterStatement + 1];
    if (line.inside || before === undefined || after === undefined) return false;
    const endLine = before.line + (before.text.match(/\r\n|\r|\n/g) ?? []).length;
    return after.line === line.line + 1 && line.line > endLine + 1;
  }

  #vague(line: CommentLine): void {
    const target = targetOf(line);
    if (line.inside || this.source.roles[target]?.kind !== 'query' || this.#verifying.has(target)) return;
    if (!vague.test(line.text) || handWritten.test(line.text)) return;
    const next = this.source.statements[target + 1];
    // A heading above the next statement, perhaps of several lines.
    if (next !== undefined && !this.#onLastLine(line, target)) return;
    this.#notUnderstood(line, 'states no value that can be checked');
  }

  #onLastLine(line: CommentLine, target: number): boolean {
    const statement = this.source.statements[target] as Statement;
    return line.line === statement.line + (statement.text.match(/\r\n|\r|\n/g) ?? []).length;
  }

  #notUnderstood(line: CommentLine, reason: string): void {
    this.source.report.add(
      'expectation-not-understood',
      line,
      `"${line.text.slice(0, 200)}" ${reason}: nothing is verified by it.`,
      'Write -- expect: … with a value, a row count, no rows or a comparison right behind its query.',
    );
  }

  #add(target: number, expectation: Expectation): void {
    const query = this.source.statements[target] as Statement;
    const name = this.#named.get(target) ?? `query on line ${String(query.line)}`;
    const count = (this.#names.get(name) ?? 0) + 1;
    this.#names.set(name, count);
    this.#verifying.add(target);
    this.#verifications.push({ name: count === 1 ? name : `${name} (${String(count)})`, query, expectation });
  }
}

/** The statement that a comment line speaks about: the one it lies in, or the one before it. */
function targetOf(line: CommentLine): number {
  return line.inside ? line.afterStatement + 1 : line.afterStatement;
}
