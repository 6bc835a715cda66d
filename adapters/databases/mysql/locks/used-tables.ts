import { tokenizeStatement } from '../lexer.js';
import { nameOf } from '../recovery/statement-reader.js';
import { dropLevel } from './levels.js';

/** A table that a statement names, as far as its words tell. */
export interface UsedTable {
  readonly schema: string | undefined;
  readonly name: string;
}

export interface StatementUse {
  readonly tables: readonly UsedTable[];
  /** The strongest metadata lock that a statement of this kind takes on its tables. */
  readonly level: string;
}

/** Behind these the name of a table stands, or words of the next line before it. */
const introducers = new Set([
  'from',
  'join',
  'into',
  'update',
  'table',
  'tables',
  'on',
  'to',
  'references',
  'truncate',
]);
const between = new Set(['if', 'not', 'exists', 'ignore', 'only', 'low_priority', 'table', 'as', 'quick']);

/**
 * Which tables a statement that another session runs may be at work on. Names in views and routines do not show, and a name
 * may be that of something else: good enough to tell who is in the way, not to tell that nobody is.
 */
export function usedTables(statement: string): StatementUse {
  const tokens = tokenizeStatement(statement);
  const tables = new Map<string, UsedTable>();
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== 'word' || !introducers.has(token.value)) continue;
    let at = index + 1;
    for (;;) {
      while (tokens[at]?.kind === 'word' && between.has(tokens[at]?.value ?? '')) at++;
      const first = nameOf(tokens[at], statement);
      if (first === undefined) break;
      const hasSchema = tokens[at + 1]?.kind === 'sign' && tokens[at + 1]?.value === '.';
      const second = hasSchema ? nameOf(tokens[at + 2], statement) : undefined;
      const table = second === undefined ? { schema: undefined, name: first } : { schema: first, name: second };
      tables.set(`${table.schema ?? ''}\n${table.name}`, table);
      at += second === undefined ? 1 : 3;
      if (tokens[at]?.kind !== 'sign' || tokens[at]?.value !== ',') break;
      at++;
    }
  }
  return { tables: [...tables.values()], level: levelOfVerb(tokens[0]?.value ?? '') };
}

function levelOfVerb(verb: string): string {
  switch (verb) {
    case 'select':
    case 'with':
    case 'show':
    case 'explain':
      return 'SHARED READ';
    case 'insert':
    case 'update':
    case 'delete':
    case 'replace':
    case 'load':
    case 'call':
      return 'SHARED WRITE';
    default:
      return dropLevel;
  }
}
