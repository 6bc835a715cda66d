import type { MetaCommand, SplitScript, SqlDialect } from '../adapter/database.js';
import { FlybackError } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import type { Version, VersionScheme } from '../history/version.js';
import { journalName } from '../journal/journal.js';
import { commentLines, readDirectives } from './directives.js';
import { readHistoryDelete, writesTo, type HistoryDelete, type TableName } from './history-statements.js';
import { judgePsql } from './psql-commands.js';
import { readVerifications } from './read-verifications.js';
import type { Directives, RollbackScript, ScriptSource, TakenOver } from './rollback-script.js';
import { scriptFindings, ScriptReport, type Place } from './script-findings.js';
import { roleOf, type StatementRole } from './statement-roles.js';
import type { Statement } from './statement.js';

/** Everything that a script's meaning depends on. */
export interface RollbackScriptInput {
  readonly version: Version;
  readonly description: string;
  readonly file: string;
  readonly source: ScriptSource;
  /** Decoded, before placeholder replacement. */
  readonly text: string;
  /** SHA-256 (hex) of the file's bytes. */
  readonly checksum: string;
  readonly dialect: SqlDialect;
  readonly versions: VersionScheme;
  readonly historyTable: TableName;
  /** flyback's own table, which no script may write. */
  readonly recordTable: TableName;
  /** As the migration tool replaces them; may throw FlybackError. Absent: the text is taken as it is. */
  readonly replacePlaceholders?: ((text: string, file: string) => string) | undefined;
  /** The version as the history row or the migration file has it, where known ("001" for a file R1__x.sql). */
  readonly storedVersion?: string | undefined;
}

const instead = {
  begin: 'flyback opens the transaction itself, under the lock of the migration tool.',
  commit: 'flyback commits itself, after the history, the record and the verification.',
  rollback: 'flyback ends the transaction itself.',
  'replica-on': 'flyback switches triggers off while the script runs, and checks foreign keys before it commits.',
  'replica-off': 'flyback switches triggers back on when the script has run.',
  'history-delete': 'flyback deletes exactly this row, by its rank, and checks that it was the one planned.',
} as const;

/**
 * Reads a rollback script: what runs, what verifies, what flyback does itself, what is wrong. Pure; never throws for
 * anything that stands in the text. A script with an error finding must not run.
 */
export function parseRollbackScript(input: RollbackScriptInput): RollbackScript {
  return new ScriptParser(input).parse();
}

/** The script of a file that could not even be read: nothing to run, one finding that says why. */
export function unreadableScript(
  input: Pick<RollbackScriptInput, 'version' | 'description' | 'file' | 'source'>,
  error: FlybackError,
): RollbackScript {
  const { version, description, file, source } = input;
  const finding: Finding = {
    code: 'script-unreadable',
    severity: scriptFindings['script-unreadable'][0],
    subject: file,
    message: error.message,
    hint: error.hint,
  };
  return { ...nothingRead, version, description, file, source, checksum: '', findings: [finding] };
}

/** What stands for a down function as long as nobody has called it. `checksum`: of the file's bytes. */
export function unreadFunction(
  { version, description, file }: Pick<RollbackScriptInput, 'version' | 'description' | 'file'>,
  checksum: string,
): RollbackScript {
  return { ...nothingRead, version, description, file, source: 'function', checksum, findings: [] };
}

const nothingRead = {
  text: '',
  statements: [],
  verifications: [],
  directives: { allowLoss: [], leaves: [], stub: false },
  transaction: 'on',
  takenOver: [],
} as const;

/**
 * Compares a DELETE from the history that the script brought along with the row that will really go. A wrong version
 * text would have matched no row when run by hand; a wrong rank would have deleted another row.
 */
export function historyDeleteFindings(
  script: Pick<RollbackScript, 'takenOver' | 'file'>,
  row: { readonly versionText: string; readonly rank?: number | undefined },
): readonly Finding[] {
  return script.takenOver.flatMap((part): readonly Finding[] => {
    const place = `${script.file}:${String(part.line)}`;
    if (part.versionText !== undefined && part.versionText !== row.versionText) {
      return [
        {
          code: 'history-delete-text',
          severity: 'warning',
          subject: script.file,
          message: `The DELETE in ${place} names version '${part.versionText}'; the history has '${row.versionText}': run by hand, it would delete no row.`,
          hint: `flyback deletes the right row; write version = '${row.versionText}' or leave the statement out.`,
        },
      ];
    }
    if (part.rank !== undefined && row.rank !== undefined && part.rank !== row.rank) {
      return [
        {
          code: 'history-delete-other-version',
          severity: 'error',
          subject: script.file,
          message: `The DELETE in ${place} names installed_rank ${String(part.rank)}; version ${row.versionText} has rank ${String(row.rank)} here.`,
          hint: 'Ranks differ between databases: name the version, or leave the statement out.',
        },
      ];
    }
    return [];
  });
}

class ScriptParser {
  #isStub = false;
  /** Index of the first statement that the server refuses inside a transaction, and its key words. */
  #needsNone: { readonly index: number; readonly words: string } | undefined;
  readonly #input: RollbackScriptInput;
  readonly #report: ScriptReport;
  readonly #split: SplitScript;
  readonly #roles: readonly StatementRole[];
  readonly #takenOver: TakenOver[] = [];
  /** Indexes of statements that do not run with the script. */
  readonly #removed = new Set<number>();
  /** Indexes behind the script's own COMMIT. */
  readonly #afterCommit = new Set<number>();
  /** Whether the tables' names occur at all: most scripts need no closer look. */
  readonly #mentions: RegExp | undefined;

  /** Only on MySQL and MariaDB DDL commits. */
  readonly #isMysql: boolean;

  constructor(input: RollbackScriptInput) {
    this.#input = input;
    this.#isMysql = input.dialect.ddl === 'commits';
    let text = input.text;
    let unreplaced: FlybackError | undefined;
    try {
      text = input.replacePlaceholders?.(text, input.file) ?? text;
    } catch (error) {
      if (!(error instanceof FlybackError)) throw error;
      unreplaced = error;
    }
    this.#report = new ScriptReport(input.file, text);
    if (unreplaced !== undefined) {
      this.#report.add('placeholder-unknown', undefined, unreplaced.message, unreplaced.hint);
    }
    this.#split = input.dialect.split(text);
    this.#roles = this.#split.statements.map((statement) => roleOf(statement, input.dialect));
    const mentions = mentionsOf(input.historyTable.name, input.recordTable.name);
    this.#mentions = mentions.test(text) ? mentions : undefined;
  }

  parse(): RollbackScript {
    const { version, description, file, source, checksum } = this.#input;
    const { statements } = this.#split;
    for (const problem of this.#split.problems) {
      this.#report.add(
        'statement-unsplittable',
        problem,
        problem.message,
        'Close it; nothing behind it can be told apart.',
      );
    }
    for (const command of this.#split.metaCommands) this.#psql(command);
    this.#transaction();
    for (const [index, statement] of statements.entries()) this.#statement(statement, index);
    const lines = commentLines(this.#report.text, this.#split.comments);
    const { directives, marks } = readDirectives(lines, this.#report);
    const { verifications, verifying } = readVerifications({
      statements,
      roles: this.#roles,
      lines,
      marks,
      report: this.#report,
    });
    this.#queries(verifying);
    this.#directives(directives);
    const transaction = this.#transactionMode(directives);
    this.#replicaWindow(directives);
    const kept = statements.filter((_statement, index) => !this.#removed.has(index) && !verifying.has(index));
    this.#effect(verifying);
    if (this.#input.storedVersion !== undefined) this.#storedVersion(this.#input.storedVersion);
    return {
      version,
      description,
      file,
      source,
      checksum,
      text: this.#report.text,
      statements: kept,
      verifications,
      directives,
      transaction,
      takenOver: this.#takenOver.sort((a, b) => a.line - b.line),
      findings: this.#report.findings,
    };
  }

  #psql(command: MetaCommand): void {
    const followed = command.afterStatement < this.#split.statements.length - 1;
    const verdict = judgePsql(command, followed);
    if (verdict.understood) {
      this.#takenOver.push({ part: 'psql', line: command.line, text: command.text, instead: verdict.instead });
    } else {
      this.#report.add('psql-refused', command, `${firstWords(command.text)} ${verdict.reason}.`, verdict.remedy);
    }
  }

  #takeOver(index: number, part: keyof typeof instead, more: Pick<TakenOver, 'versionText' | 'rank'> = {}): void {
    const statement = this.#split.statements[index] as Statement;
    this.#removed.add(index);
    this.#takenOver.push({ part, line: statement.line, text: statement.text, instead: instead[part], ...more });
  }

  #refuse(index: number, what: string, remedy: string): void {
    this.#removed.add(index);
    this.#report.add('transaction-control', this.#split.statements[index], `${what}.`, remedy);
  }

  /** One BEGIN before anything that acts and one COMMIT behind it are the form of a script for psql; all else is refused. */
  #transaction(): void {
    let phase: 'before' | 'inside' | 'after' = 'before';
    let acted = false;
    let begin: Statement | undefined;
    for (const [index, role] of this.#roles.entries()) {
      const statement = this.#split.statements[index] as Statement;
      switch (role.kind) {
        case 'begin':
          if (phase === 'inside') this.#refuse(index, 'BEGIN inside a transaction', 'Remove it.');
          else if (phase === 'after') {
            this.#refuse(
              index,
              'A second transaction begins here',
              'Roll back one version in one transaction: join the two.',
            );
          } else if (acted) {
            this.#refuse(
              index,
              'BEGIN in the middle of the script',
              'Move it before the first statement, or remove it.',
            );
          } else {
            phase = 'inside';
            begin = statement;
            this.#takeOver(index, 'begin');
            if (role.modes) this.#modes(statement);
          }
          break;
        case 'commit':
        case 'rollback':
          this.#endOf(index, role.kind, phase);
          if (phase === 'inside') phase = 'after';
          break;
        case 'refused':
          this.#refuse(index, `${role.words} has no place in a rollback script`, role.remedy);
          break;
        case 'strings-off':
          this.#report.add(
            'strings-nonstandard',
            statement,
            this.#isMysql
              ? 'Under this sql_mode, strings would end elsewhere than flyback reads them.'
              : 'With standard_conforming_strings off, strings would end elsewhere than flyback reads them.',
            this.#isMysql
              ? 'Leave ANSI_QUOTES and NO_BACKSLASH_ESCAPES out, and quote names with backticks.'
              : "Leave it on, and write strings with backslashes as E'…'.",
          );
          break;
        default:
          acted ||= role.kind === 'effect' || role.kind === 'query';
          if (phase === 'after') this.#afterCommit.add(index);
      }
    }
    if (phase === 'inside' && begin !== undefined) {
      this.#report.add(
        'transaction-not-ended',
        begin,
        'This BEGIN has no COMMIT: run by psql, the script would change nothing.',
        'Add COMMIT at the end, or remove BEGIN.',
      );
    }
  }

  #modes(statement: Statement): void {
    this.#report.add(
      'transaction-mode-ignored',
      statement,
      `flyback runs in ${this.#isMysql ? 'REPEATABLE READ' : 'READ COMMITTED'}, read and write, whatever "${firstWords(statement.text)}" says.`,
      `Remove the mode, and lock what must not change meanwhile (${this.#isMysql ? 'SELECT … FOR UPDATE' : 'LOCK TABLE'}).`,
    );
  }

  #endOf(index: number, kind: 'commit' | 'rollback', phase: 'before' | 'inside' | 'after'): void {
    const statement = this.#split.statements[index] as Statement;
    if (phase !== 'inside') {
      this.#refuse(
        index,
        `${firstWords(statement.text)} would end the transaction of flyback`,
        'Remove it: flyback commits when the script, the history, the record and the verification agree.',
      );
      return;
    }
    this.#takeOver(index, kind);
    if (kind === 'rollback') {
      this.#report.add(
        'script-unreviewed',
        statement,
        'The script ends with ROLLBACK: as it stands, it changes nothing.',
        'Review and test it (rollback --dry-run), then change ROLLBACK to COMMIT.',
      );
    }
  }

  #statement(statement: Statement, index: number): void {
    const role = this.#roles[index] as StatementRole;
    if (role.kind === 'replica-on' || role.kind === 'replica-off') {
      this.#takeOver(index, role.kind);
      return;
    }
    const words = role.kind === 'effect' ? this.#input.dialect.notTransactional(statement.text) : undefined;
    if (words !== undefined) this.#needsNone ??= { index, words };
    if (this.#mentions?.test(statement.text) === true && this.#history(statement, index)) return;
    if (this.#afterCommit.has(index) && (role.kind === 'effect' || role.kind === 'setting')) {
      this.#report.add(
        'statement-after-commit',
        statement,
        `${firstWords(statement.text)} stands behind the end of the transaction.`,
        'Move it before COMMIT, or into a script of its own.',
      );
    }
  }

  /** Returns true when the statement is one that flyback does itself. */
  #history(statement: Statement, index: number): boolean {
    const { dialect, historyTable, recordTable } = this.#input;
    const tokens = dialect.tokenize(statement.text);
    const removal = readHistoryDelete(tokens, historyTable);
    if (removal !== undefined) {
      this.#historyDelete(statement, index, removal);
      return true;
    }
    if (writesTo(tokens, historyTable)) {
      this.#report.add(
        'history-touched',
        statement,
        `${firstWords(statement.text)} would change the history table ${historyTable.name}.`,
        'Remove it: flyback deletes the row of the version itself.',
      );
    } else if (
      writesTo(tokens, recordTable) ||
      writesTo(tokens, { ...recordTable, name: journalName(recordTable.name) })
    ) {
      this.#report.add(
        'record-touched',
        statement,
        `${firstWords(statement.text)} would change flyback's record ${recordTable.name}.`,
        'Remove it: the record is append-only.',
      );
    }
    return false;
  }

  #historyDelete(statement: Statement, index: number, { versionText, rank }: HistoryDelete): void {
    const { version, versions } = this.#input;
    const named = versionText === undefined ? undefined : versions.parse(versionText);
    if (versionText !== undefined && named?.key !== version.key) {
      this.#report.add(
        'history-delete-other-version',
        statement,
        `The script rolls back version ${version.text}, but deletes version '${versionText}' from the history.`,
        'Correct the version, rename the file, or leave the statement out: flyback deletes the right row itself.',
      );
    }
    this.#takeOver(index, 'history-delete', { versionText, rank });
  }

  #storedVersion(versionText: string): void {
    const { historyTable } = this.#input;
    for (const finding of historyDeleteFindings(
      { takenOver: this.#takenOver, file: this.#input.file },
      { versionText },
    )) {
      const part = this.#takenOver.find((candidate) => candidate.part === 'history-delete');
      const statement = this.#split.statements.find(({ line, text }) => line === part?.line && text === part.text);
      // A delete of another version has its own finding already.
      if (
        part?.versionText === undefined ||
        this.#input.versions.parse(part.versionText)?.key !== this.#input.version.key
      ) {
        continue;
      }
      this.#report.add(
        'history-delete-text',
        statement,
        `${historyTable.name} has version '${versionText}', not '${part.versionText}': run by hand, this would delete no row.`,
        finding.hint,
      );
    }
  }

  #queries(verifying: ReadonlySet<number>): void {
    for (const [index, role] of this.#roles.entries()) {
      if (role.kind !== 'query') continue;
      const statement = this.#split.statements[index] as Statement;
      if (!verifying.has(index)) {
        // SELECT pg_reload_conf() is there for what it does.
        if (role.mayAct) continue;
        this.#report.add(
          'query-without-expectation',
          statement,
          'Nobody checks what this query returns; it runs as any other statement.',
          'Write -- expect: … behind it to verify it before the commit.',
        );
      } else if (this.#afterCommit.has(index)) {
        this.#report.add(
          'verification-after-commit',
          statement,
          'A verification behind COMMIT comes too late to prevent anything: flyback runs it before its own commit.',
        );
      }
    }
  }

  #directives(directives: Directives): void {
    if (directives.stub) {
      this.#isStub = true;
      this.#report.add(
        'script-stub',
        this.#find(/flyback\s*:\s*stub/i),
        'This is a stub: it is neither run nor counted as a rollback.',
        'Finish and review it, then remove the line with flyback: stub.',
      );
    }
  }

  /** One statement that the server refuses inside a transaction makes the whole script run statement by statement. */
  #transactionMode(directives: Directives): 'on' | 'off' {
    if (this.#needsNone === undefined && directives.transaction !== 'off') return 'on';
    if (this.#needsNone !== undefined) {
      const { index, words } = this.#needsNone;
      const statement = this.#split.statements[index] as Statement;
      const commits = this.#isMysql;
      if (directives.transaction === 'on') {
        this.#report.add(
          'needs-no-transaction',
          statement,
          `${words} ${commits ? 'commits what is open' : 'cannot run inside a transaction'}, and the directive transaction on asks for one.`,
          'Remove the directive: flyback then runs the script statement by statement, journalled.',
        );
        return 'on';
      }
      const begin = this.#takenOver.find((part) => part.part === 'begin');
      if (begin === undefined) {
        // Where every DDL commits, that it does so is no surprise; the plan says it of each statement.
        if (directives.transaction === undefined && !commits) {
          this.#report.add(
            'runs-without-transaction',
            statement,
            `${words} cannot run inside a transaction: the script runs statement by statement, journalled.`,
            'Write -- flyback: transaction off to say that this is meant.',
          );
        }
      } else {
        this.#report.add(
          'transaction-impossible',
          statement,
          commits
            ? `${words} commits what is open: BEGIN and COMMIT of this script hold nothing together.`
            : `${words} cannot run between the BEGIN and COMMIT of this script: run by psql, it would fail here.`,
          'flyback runs the script statement by statement, journalled; remove BEGIN and COMMIT.',
        );
      }
    }
    for (const [index, role] of this.#roles.entries()) {
      const statement = this.#split.statements[index] as Statement;
      // To MySQL, LOCAL is another word for SESSION.
      if (role.kind === 'setting' && !this.#isMysql && /^set\s+local\b/i.test(statement.text)) {
        this.#report.add(
          'set-local-without-transaction',
          statement,
          'SET LOCAL ends with the statement here, for each has a transaction of its own.',
          'Write SET: it holds for the statements behind it.',
        );
      }
    }
    return 'off';
  }

  #find(pattern: RegExp): Place | undefined {
    return this.#split.comments.find((comment) => pattern.test(comment.text));
  }

  /** flyback runs the whole script in replica mode; a script that meant a part of it must be told. */
  #replicaWindow(directives: Directives): void {
    const first = this.#roles.findIndex((role) => role.kind === 'replica-on');
    if (first === -1) return;
    if (directives.triggers !== undefined && directives.triggers !== 'replica') {
      this.#report.add(
        'triggers-contradict',
        this.#split.statements[first],
        `The script sets replica mode, and its directive says triggers ${directives.triggers}; the directive counts.`,
        'Remove one of the two.',
      );
      return;
    }
    let on = false;
    for (const [index, role] of this.#roles.entries()) {
      if (role.kind === 'replica-on') on = true;
      else if (role.kind === 'replica-off') on = false;
      else if (role.kind === 'effect' && !on && !this.#removed.has(index)) {
        this.#report.add(
          'replica-mode-partial',
          this.#split.statements[index],
          'This statement stands outside the replica mode of the script; flyback runs all of it with triggers off.',
          'If its triggers must fire, write -- flyback: triggers keep and remove SET session_replication_role.',
        );
        return;
      }
    }
  }

  #effect(verifying: ReadonlySet<number>): void {
    const { statements, problems, comments, metaCommands } = this.#split;
    if (problems.length > 0) return;
    if (statements.length === 0) {
      // A stub is nothing but comments; that it is a stub says it all.
      if (this.#isStub) return;
      const blank = comments.length === 0 && metaCommands.length === 0;
      this.#report.add(
        blank ? 'script-empty' : 'script-comment-only',
        undefined,
        blank ? 'The script is empty.' : 'The script holds only comments: it would roll nothing back.',
        'Write the statements that take the version back, or delete the file.',
      );
      return;
    }
    const acts = this.#roles.some(
      (role, index) =>
        !this.#removed.has(index) &&
        !verifying.has(index) &&
        (role.kind === 'effect' || role.kind === 'strings-off' || (role.kind === 'query' && role.mayAct)),
    );
    // A refused statement shows that something was meant; its own finding says what.
    if (acts || this.#roles.some((role) => role.kind === 'refused')) return;
    this.#report.add(
      'script-no-effect',
      undefined,
      'Apart from what flyback does itself, the script only asks questions: it would roll nothing back.',
      'Write the statements that take the version back.',
    );
  }
}

/** The beginning of a statement for a message: one line, at most sixty characters, no values. */
function firstWords(text: string): string {
  const words = /^[^\s'"$(;]*(?:\s+[A-Za-z_][\w.]*){0,4}/.exec(text)?.[0] ?? '';
  return (words === '' ? text : words).replace(/\s+/g, ' ').slice(0, 60);
}

let lastMentions: { readonly history: string; readonly record: string; readonly pattern: RegExp } | undefined;

/** Finds texts that may concern one of the two tables. Built once for all scripts of a project. */
function mentionsOf(history: string, record: string): RegExp {
  if (lastMentions?.history !== history || lastMentions.record !== record) {
    // DROP SCHEMA takes the tables along without a word about them; MySQL says DATABASE too.
    const pattern = new RegExp(`${escapeRegExp(history)}|${escapeRegExp(record)}|\\b(?:schema|database)\\b`, 'i');
    lastMentions = { history, record, pattern };
  }
  return lastMentions.pattern;
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
