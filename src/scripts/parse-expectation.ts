import type { Expectation } from '../verify/verification.js';

/** What is known of the query that an expectation belongs to. */
export interface QueryShape {
  /** Its select list holds a bare star: a number then means rows, for a row of a star is no single value. */
  readonly selectsStar: boolean;
}

const number = String.raw`[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?`;
const quoted = String.raw`'(?:[^']|'')*'|"(?:[^"]|"")*"|${'`'}[^${'`'}]*${'`'}`;
/** Hand-written expectations explain themselves behind the value: "0 if 002 was rolled back", "200 (the default)". */
const remark = String.raw`(?:\s*[.;,!]?\s*$|\s+(?:if|when|after|because|since|as|for)\b.*$|\s*[(–—].*$|\s+--?\s.*$)`;

const exactNumber = new RegExp(`^(?:exactly\\s+|still\\s+)?(${number})${remark}`, 'i');
const rowCount = new RegExp(
  `^(?:exactly\\s+)?(\\d+)\\s+(?:rows?|records?|results?|entries|entry)\\b(?:\\s+returned)?${remark}`,
  'i',
);
const noRows = new RegExp(
  `^(?:no|zero)\\s+(?:rows?|records?|results?|entries|output)\\b(?:\\s+returned)?${remark}|^(?:nothing|none|empty(?:\\s+(?:result(?:\\s+set)?|set))?)${remark}`,
  'i',
);
const comparison = new RegExp(`^(<=|>=|<>|!=|==?|<|>|≤|≥|≠)\\s*(${number}|${quoted})${remark}`, 'i');
const comparisonWords = new RegExp(
  `^(at least|at most|more than|greater than|less than|fewer than|not)\\s+(${number}|(?:${quoted}))${remark}`,
  'i',
);
const everyRow = new RegExp(
  `^(?:all|every|each)\\s+(?:of\\s+the\\s+)?("[^"]+"|[a-z_]\\w*)\\s*(?:values?\\s+|columns?\\s+)?(?:should\\s+be|must\\s+be|should\\s+equal|to\\s+be|is|are|==?|:)\\s*(${quoted}|${number}|\\w+)${remark}`,
  'i',
);
const quotedValue = new RegExp(`^(${quoted})${remark}`);
const word = new RegExp(`^(true|false|t|f|null|on|off|yes|no)${remark}`, 'i');
const bareWord = /^[\w.:+/@-]+$/;

/**
 * Understands what a query must return, from the words of a comment behind "expect:", "Expected:" or "Should be".
 * Returns undefined for words that leave room for doubt. A table's rows are read elsewhere.
 */
export function parseExpectation(words: string, shape: QueryShape): Expectation | undefined {
  const text = words.trim().replace(/^(?:should\s+(?:be|return)|to\s+be|returns?)\s+/i, '');
  const every = everyRow.exec(text);
  if (every !== null) {
    return { kind: 'every', column: unquote(every[1] as string), value: unquote(every[2] as string) };
  }
  const rows = rowCount.exec(text);
  if (rows !== null) return countOf(Number(rows[1]));
  if (noRows.test(text)) return { kind: 'no-rows' };
  const exact = exactNumber.exec(text);
  if (exact !== null) {
    const value = exact[1] as string;
    return shape.selectsStar && /^\d+$/.test(value) ? countOf(Number(value)) : { kind: 'value', value };
  }
  const compared = comparison.exec(text) ?? comparisonWords.exec(text);
  if (compared !== null) {
    return { kind: 'comparison', operator: operatorOf(compared[1] as string), operand: unquote(compared[2] as string) };
  }
  const literal = quotedValue.exec(text) ?? word.exec(text);
  if (literal !== null) {
    const value = literal[1] as string;
    return { kind: 'value', value: /^null$/i.test(value) ? null : unquote(value) };
  }
  return bareWord.test(text) ? { kind: 'value', value: text } : undefined;
}

function countOf(count: number): Expectation {
  return count === 0 ? { kind: 'no-rows' } : { kind: 'row-count', count };
}

type Operator = Extract<Expectation, { kind: 'comparison' }>['operator'];

const operators: Readonly<Record<string, Operator>> = {
  '<': '<',
  '<=': '<=',
  '≤': '<=',
  'at most': '<=',
  'less than': '<',
  'fewer than': '<',
  '>': '>',
  '>=': '>=',
  '≥': '>=',
  'at least': '>=',
  'more than': '>',
  'greater than': '>',
  '=': '=',
  '==': '=',
  '<>': '<>',
  '!=': '<>',
  '≠': '<>',
  not: '<>',
};

function operatorOf(words: string): Operator {
  return operators[words.toLowerCase().replace(/\s+/g, ' ')] ?? '=';
}

function unquote(text: string): string {
  const quote = text[0];
  if (text.length < 2 || text.at(-1) !== quote || (quote !== "'" && quote !== '"' && quote !== '`')) return text;
  return text.slice(1, -1).replaceAll(quote + quote, quote);
}

/** A row of an expected table: cells between bars; NULL unquoted is null, '…' keeps blanks and bars. */
export function parseTableRow(line: string): readonly (string | null)[] {
  const cells: string[] = [];
  let cell = '';
  let inQuotes = false;
  for (let at = 0; at < line.length; at++) {
    const char = line[at] as string;
    if (char === "'" && (inQuotes || cell.trim() === '')) inQuotes = !inQuotes || line[at + 1] === "'";
    if (inQuotes && char === "'" && line[at + 1] === "'" && cell.trim() !== '') {
      cell += "''";
      at++;
    } else if (char === '|' && !inQuotes) {
      cells.push(cell);
      cell = '';
    } else {
      cell += char;
    }
  }
  cells.push(cell);
  return cells.map((raw) => {
    const text = raw.trim();
    if (/^null$/i.test(text)) return null;
    return text.startsWith("'") ? unquote(text) : text;
  });
}
