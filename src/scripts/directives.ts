import type { Comment } from '../adapter/database.js';
import { risks, type Risk } from '../risk/change.js';
import type { Directives, TriggersMode } from './rollback-script.js';
import type { Place, ScriptReport } from './script-findings.js';

/** One line of a comment, with what it stands behind. */
export interface CommentLine extends Place {
  readonly text: string;
  readonly afterStatement: number;
  readonly inside: boolean;
}

/** A directive about verification; the others are settled by readDirectives. */
export interface VerificationMark {
  readonly kind: 'verify' | 'expect';
  readonly words: string;
  readonly line: CommentLine;
  /** Index of the line among all comment lines. */
  readonly index: number;
}

export interface ReadDirectives {
  readonly directives: Directives;
  readonly marks: readonly VerificationMark[];
}

/** Every directive by name; the test of the documentation compares this list with docs/script-format.md. */
export const directiveNames = [
  'transaction',
  'triggers',
  'risk',
  'allow-loss',
  'leaves',
  'approval',
  'stub',
  'migration-checksum',
  'verify',
  'expect',
] as const;
type DirectiveName = (typeof directiveNames)[number];

/** Lines of all comments. Only a block comment has several. */
export function commentLines(text: string, comments: readonly Comment[]): readonly CommentLine[] {
  return comments.flatMap((comment): readonly CommentLine[] => {
    const { afterStatement, inside } = comment;
    if (!/[\r\n]/.test(comment.text) && !text.startsWith('/*', comment.offset)) return [comment];
    let offset = text.indexOf(comment.text, comment.offset + 2);
    let line = comment.line + countLines(text.slice(comment.offset, offset));
    return comment.text.split(/\r\n|\r|\n/).map((raw) => {
      const stripped = raw.replace(/^[\s*]+/, '');
      const place = { offset: offset + raw.length - stripped.length, line };
      offset += raw.length;
      offset += text.startsWith('\r\n', offset) ? 2 : 1;
      line++;
      return { ...place, text: stripped.trim(), afterStatement, inside };
    });
  });
}

function countLines(text: string): number {
  return (text.match(/\r\n|\r|\n/g) ?? []).length;
}

const directive = /^flyback\s*:\s*(.*)$/i;
const ownExpectation = /^expect\s*:\s*(.*)$/;
const nearlyDirective = /^([a-z]{4,9})\s*([:=]?)\s+([a-z-]+)/i;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Reads the `flyback:` and `expect:` comments; whatever is misspelt becomes an error finding with the nearest word. */
export function readDirectives(lines: readonly CommentLine[], report: ScriptReport): ReadDirectives {
  const found: Writable<Directives> = { allowLoss: [], leaves: [], stub: false };
  const marks: VerificationMark[] = [];
  const seen = new Set<string>();
  for (const [index, line] of lines.entries()) {
    const own = ownExpectation.exec(line.text);
    if (own !== null) {
      marks.push({ kind: 'expect', words: own[1] ?? '', line, index });
      continue;
    }
    const words = directive.exec(line.text)?.[1]?.trim();
    if (words === undefined) {
      reportNearly(line, report);
      continue;
    }
    const name = /^[^\s:=]*/.exec(words)?.[0].toLowerCase() ?? '';
    const value = words.slice(name.length).replace(/^\s*[:=]?\s*/, '');
    if (!isDirective(name)) {
      reportUnknown(name, line, report);
      continue;
    }
    if (name === 'verify' || name === 'expect') {
      marks.push({ kind: name, words: value, line, index });
      continue;
    }
    if (seen.has(name) && name !== 'allow-loss' && name !== 'leaves') {
      report.add('directive-repeated', line, `The directive ${name} is given twice.`, 'Keep one of them.');
      continue;
    }
    seen.add(name);
    const problem = apply(found, name, value);
    if (problem !== undefined) report.add('directive-invalid', line, `The directive ${name} ${problem}.`);
  }
  return { directives: found, marks };
}

function isDirective(name: string): name is DirectiveName {
  return (directiveNames as readonly string[]).includes(name);
}

/** Sets the directive, or says what is wrong with its value. */
function apply(
  found: Writable<Directives>,
  name: Exclude<DirectiveName, 'verify' | 'expect'>,
  value: string,
): string | undefined {
  const word = value.toLowerCase();
  switch (name) {
    case 'transaction':
      if (word !== 'on' && word !== 'off') return `takes on or off, not "${value}"`;
      found.transaction = word;
      return undefined;
    case 'triggers':
      if (word !== 'replica' && word !== 'disable' && word !== 'keep') {
        return `takes replica, disable or keep, not "${value}"`;
      }
      found.triggers = word satisfies TriggersMode;
      return undefined;
    case 'risk':
      if (!(risks as readonly string[]).includes(word)) return `takes one of ${risks.join(', ')}, not "${value}"`;
      found.risk = word as Risk;
      return undefined;
    case 'allow-loss': {
      const names = value.split(',').map((part) => part.trim());
      if (names.some((part) => part === '')) return 'needs the names of what may be lost, separated by commas';
      found.allowLoss = [...found.allowLoss, ...names];
      return undefined;
    }
    case 'leaves': {
      const names = value.split(',').map((part) => part.trim());
      if (names.some((part) => part === '')) return 'needs the names of what stays behind, separated by commas';
      found.leaves = [...found.leaves, ...names];
      return undefined;
    }
    case 'approval':
      if (value === '') return 'needs a text: who approved, or where the approval is kept';
      found.approval = value;
      return undefined;
    case 'stub':
      // Words may follow: the templates explain the line to whoever edits the file.
      found.stub = true;
      return undefined;
    case 'migration-checksum': {
      const checksum = Number(value);
      if (!/^-?\d{1,10}$/.test(value) || checksum !== Math.trunc(checksum) || checksum !== (checksum | 0)) {
        return `needs a whole number of 32 bits, not "${value}"`;
      }
      found.migrationChecksum = checksum;
      return undefined;
    }
  }
}

function reportUnknown(name: string, line: CommentLine, report: ScriptReport): void {
  const near = nearest(name, directiveNames);
  report.add(
    'directive-unknown',
    line,
    name === '' ? 'A flyback directive has no name.' : `There is no directive "${name}".`,
    near === undefined ? `Known: ${directiveNames.join(', ')}.` : `Did you mean "${near}"?`,
  );
}

/** A slip in the word flyback itself, or a forgotten colon, must not turn a directive into prose. */
function reportNearly(line: CommentLine, report: ScriptReport): void {
  const match = nearlyDirective.exec(line.text);
  const [, tool = '', colon = '', name = ''] = match ?? [];
  if (tool === '' || !isDirective(name.toLowerCase())) return;
  // Without a colon it may be prose ("playback risk"): then only the nearest spellings count.
  if (distance(tool.toLowerCase(), 'flyback') > (colon === '' ? 1 : 2)) return;
  report.add(
    'directive-unknown',
    line,
    `"${tool} ${name}" looks like a directive but is not one.`,
    `Write "-- flyback: ${name.toLowerCase()} …".`,
  );
}

/** The known word with the fewest slips, at most two and less than half of its letters. */
function nearest(word: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, slips: distance(word, candidate) }))
    .filter(({ candidate, slips }) => slips <= 2 && slips * 2 < candidate.length)
    .sort((a, b) => a.slips - b.slips);
  return best?.candidate;
}

/** Levenshtein distance; words here are short. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      current.push(
        Math.min(
          (previous[column] as number) + 1,
          (current[column - 1] as number) + 1,
          (previous[column - 1] as number) + same,
        ),
      );
    }
    previous = current;
  }
  return previous[b.length] as number;
}
