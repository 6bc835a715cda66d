import type { Token } from '../../../../src/adapter/database.js';
import { roleOf } from '../../../../src/scripts/statement-roles.js';
import type { Statement } from '../../../../src/scripts/statement.js';
import { postgresqlDialect } from '../dialect.js';

/** What a statement of a program is to the transaction that is open. */
export type Judgement =
  /** Nothing but what it does to the database. */
  | { readonly kind: 'statement' }
  /** Of the program's own transaction. */
  | { readonly kind: 'control'; readonly control: Control }
  /** Goes back to a savepoint of the program's own. */
  | { readonly kind: 'goes-back' }
  /** Must not be sent; the sentence tells why. */
  | { readonly kind: 'refused'; readonly reason: string };

/** modes: sets what is so anyway. */
export type Control = 'begin' | 'commit' | 'rollback' | 'modes';

export const copyRefused = 'COPY through a program cannot be shown in a plan.';

export function judge(statement: Statement): Judgement {
  const role = roleOf(statement, postgresqlDialect);
  const tokens = (): readonly Token[] => postgresqlDialect.tokenize(statement.text, 24);
  switch (role.kind) {
    case 'begin': {
      if (!role.modes) return control('begin');
      const words = wordsOf(tokens()).filter((word) => word !== 'work' && word !== 'transaction');
      return areUsual(words.slice(1))
        ? control('begin')
        : refused(`begins a transaction with modes of its own (${words.slice(1).join(' ')})`);
    }
    case 'commit':
    case 'rollback':
      return control(role.kind);
    case 'refused': {
      const words = wordsOf(tokens());
      if (role.words === 'ROLLBACK TO') return { kind: 'goes-back' };
      if (role.words === 'SET TRANSACTION' && words[1] === 'transaction' && areUsual(words.slice(2))) {
        return control('modes');
      }
      return refused(`sent ${role.words}`);
    }
    case 'strings-off':
      return refused('switched standard_conforming_strings off, with which its statements cannot be read');
    case 'setting':
      return wordsOf(tokens()).slice(1, 4).includes('authorization')
        ? refused('sent SESSION AUTHORIZATION')
        : { kind: 'statement' };
    default:
      return copiesThroughClient(statement) ? { kind: 'refused', reason: copyRefused } : { kind: 'statement' };
  }
}

function control(what: Control): Judgement {
  return { kind: 'control', control: what };
}

function refused(what: string): Judgement {
  return {
    kind: 'refused',
    reason: `The program ${what}, which has no place in a transaction that is not its own.`,
  };
}

function wordsOf(tokens: readonly Token[]): readonly string[] {
  return tokens.flatMap(({ kind, value }) => (kind === 'word' ? [value] : []));
}

/** Whether these modes of a transaction are those that a server begins one with when nothing is said. */
function areUsual(words: readonly string[]): boolean {
  return /^(?:(?:isolation level read (?:un)?committed|read write|not deferrable)(?: |$))*$/.test(words.join(' '));
}

function copiesThroughClient({ text }: Statement): boolean {
  if (!/^copy\b/i.test(text)) return false;
  const tokens = postgresqlDialect.tokenize(text);
  return tokens.some(
    ({ kind, value }, index) =>
      kind === 'word' &&
      ((value === 'stdin' && tokens[index - 1]?.value === 'from') ||
        (value === 'stdout' && tokens[index - 1]?.value === 'to')),
  );
}
