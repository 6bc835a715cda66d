import type { Classifier, Token } from '../../../src/adapter/database.js';
import type { ParseProblem } from '../../../src/risk/change.js';
import { Cursor } from './classify/cursor.js';
import { ImpactCollector } from './classify/impact.js';
import { classifyStatement } from './classify/statement.js';
import { inverseOf } from './inverse/inverse.js';
import { tokenizeStatement } from './lexer.js';
import { notTransactional } from './not-transactional.js';
import type { QuoteModes } from './scan.js';

/**
 * Reads what a statement does from its tokens. Names come as they were written, `db`.`t` with its schema; what a comment for
 * some servers only holds counts as text. A statement that is none of either server is a ParseProblem; one that is not
 * understood is 'other', with what it may do at worst.
 */
export async function loadClassifier(modes: QuoteModes = {}): Promise<Classifier> {
  return {
    classify: (statement) => {
      const tokens = tokenizeStatement(statement, undefined, modes);
      const problem = problemOf(statement, tokens);
      if (problem !== undefined) return problem;
      const impact = new ImpactCollector();
      if (!classifyStatement(new Cursor(statement, withoutEnd(tokens)), impact, modes)) {
        const [first] = tokens;
        return {
          message: `No statement of MySQL or MariaDB begins with "${wordOf(statement, first)}"`,
          offset: first?.offset,
        };
      }
      const words = notTransactional(statement, modes);
      return impact.build(words === undefined ? undefined : `${words} commits what is open, and itself.`);
    },
    inverseHints: (statement) => {
      const tokens = tokenizeStatement(statement, undefined, modes);
      const problem = problemOf(statement, tokens);
      if (problem !== undefined) return [`-- This statement cannot be parsed: ${problem.message}.`];
      return inverseOf(new Cursor(statement, withoutEnd(tokens)));
    },
  };
}

function withoutEnd(tokens: readonly Token[]): readonly Token[] {
  const last = tokens.findLastIndex((token) => !isSign(token, ';'));
  return tokens.slice(0, last + 1);
}

function isSign(token: Token | undefined, sign: string): boolean {
  return token?.kind === 'sign' && token.value === sign;
}

function wordOf(text: string, token: Token | undefined): string {
  return token === undefined ? '' : text.slice(token.offset, token.offset + token.length);
}

const compounds = new Set(['if', 'case', 'loop', 'while', 'repeat', 'for']);
const programs = new Set(['procedure', 'function', 'trigger', 'event', 'package']);

/** Whether the statement holds others, with semicolons between them. */
function hasBody(tokens: readonly Token[]): boolean {
  const [first, second] = tokens;
  if (isSign(second, ':')) return true;
  if (first?.kind !== 'word') return false;
  if (first.value === 'create' || first.value === 'alter') {
    // OR REPLACE DEFINER = 'a'@'b' AGGREGATE stand before at most.
    return tokens.slice(1, 16).some(({ kind, value }) => kind === 'word' && programs.has(value));
  }
  return first.value === 'begin' ? second?.kind === 'word' && second.value === 'not' : compounds.has(first.value);
}

/** What is surely wrong, whatever the words mean: nothing to run, more than one statement, parentheses that do not match. */
function problemOf(text: string, tokens: readonly Token[]): ParseProblem | undefined {
  const [first] = tokens;
  if (first === undefined) {
    const message = text.trim() === '' ? 'The statement is empty' : 'There is no statement, only comments';
    return { message, offset: undefined };
  }
  const nul = text.indexOf('\0');
  if (nul >= 0) return { message: 'The statement contains a NUL character', offset: nul };
  const open: Token[] = [];
  const isBody = hasBody(tokens);
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== 'sign') continue;
    if (token.value === '(') open.push(token);
    if (token.value === ')' && open.pop() === undefined) {
      return { message: 'A parenthesis ends here that never began', offset: token.offset };
    }
    if (token.value === ';' && !isBody && tokens.slice(index).some((later) => !isSign(later, ';'))) {
      return { message: 'There is more than one statement', offset: token.offset };
    }
  }
  const last = open.at(-1);
  return last === undefined ? undefined : { message: 'A parenthesis begins here and never ends', offset: last.offset };
}
