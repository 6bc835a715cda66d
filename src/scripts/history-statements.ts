import type { Token } from '../adapter/database.js';

/** A table whose schema may be unknown when a script is read without a connection. */
export interface TableName {
  readonly schema?: string | undefined;
  readonly name: string;
}

/** DELETE FROM the history of one row, as people write it by hand. */
export interface HistoryDelete {
  /** The version that it names; undefined when it names the row by rank. */
  readonly versionText?: string | undefined;
  readonly rank?: number | undefined;
  /** installed_rank = (SELECT max(installed_rank) FROM …): whatever row is the newest. */
  readonly newest: boolean;
}

/** Of Flyway's history; Knex, Sequelize and Umzug keep a file name in `name`. */
const rowColumns = new Set([
  'version',
  'name',
  'description',
  'type',
  'script',
  'checksum',
  'success',
  'installed_rank',
]);

/** Recognises a DELETE of history rows by version or rank; undefined for any other statement. */
export function readHistoryDelete(tokens: readonly Token[], history: TableName): HistoryDelete | undefined {
  const cursor = new Cursor(tokens);
  if (!cursor.takeWords('delete', 'from')) return undefined;
  cursor.takeWords('only');
  if (!cursor.takeTable(history)) return undefined;
  cursor.takeWords('as');
  if (!cursor.atWord('where')) cursor.takeName();
  if (!cursor.takeWords('where')) return undefined;
  let result: HistoryDelete = { newest: false };
  do {
    const condition = readCondition(cursor, history);
    if (condition === undefined) return undefined;
    result = { ...result, ...condition, newest: result.newest || condition.newest === true };
  } while (cursor.takeWords('and'));
  if (cursor.takeWords('limit') && cursor.takeLiteral() === undefined) return undefined;
  if (!cursor.atEnd() && !cursor.atWord('returning')) return undefined;
  return result.versionText !== undefined || result.rank !== undefined || result.newest ? result : undefined;
}

function readCondition(cursor: Cursor, history: TableName): Partial<HistoryDelete> | undefined {
  if (cursor.takeSign('(')) {
    const inner = readCondition(cursor, history);
    return cursor.takeSign(')') ? inner : undefined;
  }
  let column = cursor.takeName();
  if (column !== undefined && cursor.takeSign('.')) column = cursor.takeName();
  if (column === undefined || !rowColumns.has(column)) return undefined;
  if (column === 'success' && (cursor.atEnd() || cursor.atWord('and') || cursor.atWord('returning'))) return {};
  cursor.takeCast();
  let listed = false;
  if (cursor.takeWords('in')) {
    listed = true;
    if (!cursor.takeSign('(')) return undefined;
  } else if (!cursor.takeSign('=') && !cursor.takeWords('is')) {
    return undefined;
  } else if (column === 'installed_rank' && cursor.takeNewestRank(history)) {
    return { newest: true };
  }
  const value = cursor.takeLiteral();
  if (value === undefined) return undefined;
  cursor.takeCast();
  if (listed && !cursor.takeSign(')')) return undefined;
  if (column === 'version' || column === 'name') return { versionText: value };
  if (column === 'installed_rank') return /^\d+$/.test(value) ? { rank: Number(value) } : undefined;
  return {};
}

/** Walks over the tokens; every take moves on only when it succeeds. */
class Cursor {
  #at = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  atEnd(): boolean {
    return this.#at >= this.tokens.length;
  }

  atWord(word: string): boolean {
    const token = this.tokens[this.#at];
    return token?.kind === 'word' && token.value === word;
  }

  takeWords(...words: readonly string[]): boolean {
    const start = this.#at;
    for (const word of words) {
      if (!this.atWord(word)) {
        this.#at = start;
        return false;
      }
      this.#at++;
    }
    return true;
  }

  takeSign(sign: string): boolean {
    const token = this.tokens[this.#at];
    if (token?.kind !== 'sign' || token.value !== sign) return false;
    this.#at++;
    return true;
  }

  takeName(): string | undefined {
    const token = this.tokens[this.#at];
    if (token?.kind !== 'word' && token?.kind !== 'name') return undefined;
    this.#at++;
    return token.value;
  }

  takeTable(table: TableName): boolean {
    const mention = mentionAt(this.tokens, this.#at, table) ?? mentionAt(this.tokens, this.#at + 2, table);
    if (mention?.start !== this.#at) return false;
    this.#at = mention.end;
    return true;
  }

  takeLiteral(): string | undefined {
    const minus = this.takeSign('-') ? '-' : '';
    const token = this.tokens[this.#at];
    const isLiteral =
      token?.kind === 'string' ||
      token?.kind === 'number' ||
      (token?.kind === 'word' && ['true', 'false', 'null'].includes(token.value));
    if (!isLiteral) return undefined;
    this.#at++;
    return minus + token.value;
  }

  takeCast(): void {
    if (this.takeSign(':')) {
      this.takeSign(':');
      this.takeName();
    }
  }

  takeNewestRank(table: TableName): boolean {
    const start = this.#at;
    const taken =
      this.takeSign('(') &&
      this.takeWords('select', 'max') &&
      this.takeSign('(') &&
      this.takeName() === 'installed_rank' &&
      this.takeSign(')') &&
      this.takeWords('from') &&
      this.takeTable(table) &&
      this.takeSign(')');
    if (!taken) this.#at = start;
    return taken;
  }
}

interface Mention {
  /** Index of the first token of the name, the schema included. */
  readonly start: number;
  readonly end: number;
}

/** The table's name at token `at`, unless another schema qualifies it. Case is ignored: better one finding too many. */
function mentionAt(tokens: readonly Token[], at: number, table: TableName): Mention | undefined {
  const token = tokens[at];
  if (token?.kind !== 'word' && token?.kind !== 'name') return undefined;
  if (token.value.toLowerCase() !== table.name.toLowerCase()) return undefined;
  const qualified = tokens[at - 1]?.value === '.' && tokens[at - 1]?.kind === 'sign';
  if (!qualified) return { start: at, end: at + 1 };
  const schema = tokens[at - 2]?.value.toLowerCase();
  if (table.schema !== undefined && schema !== table.schema.toLowerCase()) return undefined;
  return { start: at - 2, end: at + 1 };
}

const readers = new Set(['from', 'join', 'using', 'of', 'like']);
const listWriters = new Set(['truncate', 'drop', 'rename', 'lock', 'grant', 'revoke', 'analyze', 'vacuum']);
/** Statements that only tell what is there. */
const tellers = new Set(['show', 'describe', 'desc']);

/**
 * Whether the statement does anything else with the table than read it: names it as a target, drops its schema, or
 * mentions it in the code of a DO block or of MySQL's PREPARE. In doubt yes.
 */
export function writesTo(tokens: readonly Token[], table: TableName): boolean {
  const first = tokens[0]?.value ?? '';
  if (first === 'do') return tokens.some((token) => token.value.toLowerCase().includes(table.name.toLowerCase()));
  if (tellers.has(first)) return false;
  if (runsText(tokens)) {
    return tokens.some(
      ({ kind, value }) => kind === 'string' && value.toLowerCase().includes(table.name.toLowerCase()),
    );
  }
  if (first === 'drop' && (tokens[1]?.value === 'schema' || tokens[1]?.value === 'database')) {
    return tokens.slice(2).some(({ value }) => value.toLowerCase() === table.schema?.toLowerCase());
  }
  return tokens.some((_token, index) => {
    const mention = mentionAt(tokens, index, table);
    return mention !== undefined && isTarget(tokens, mention, first);
  });
}

/** PREPARE s FROM '…' and EXECUTE IMMEDIATE '…'. */
function runsText(tokens: readonly Token[]): boolean {
  const [first, second, third] = tokens;
  return first?.value === 'prepare'
    ? third?.value === 'from'
    : first?.value === 'execute' && second?.value === 'immediate';
}

const deleteModifiers = new Set(['low_priority', 'quick', 'ignore']);

/**
 * MySQL writes several tables at once: UPDATE a JOIN b … SET b.c = …, DELETE b FROM a JOIN b …, DELETE FROM b USING a JOIN
 * b …; which of them is not worth finding out.
 */
function isOneOfMany(tokens: readonly Token[], mention: Mention, first: string): boolean {
  const indexOf = (word: string): number => tokens.findIndex((token) => token.kind === 'word' && token.value === word);
  if (first === 'update') return mention.start < indexOf('set');
  if (first !== 'delete') return false;
  const start = tokens.findIndex((token, index) => index > 0 && !deleteModifiers.has(token.value));
  if (tokens[start]?.value !== 'from') return true;
  const using = indexOf('using');
  if (using === -1 || mention.start < using) return false;
  const alias = tokens[mention.end]?.value === 'as' ? tokens[mention.end + 1] : tokens[mention.end];
  const names = [tokens[mention.end - 1]?.value, alias?.value];
  return tokens.slice(start + 1, using).some(({ kind, value }) => kind !== 'sign' && names.includes(value));
}

function isTarget(tokens: readonly Token[], mention: Mention, first: string): boolean {
  // A column qualified with the table's name.
  if (
    tokens[mention.end]?.value === '.' &&
    tokens[mention.end]?.kind === 'sign' &&
    tokens[mention.end + 1]?.value !== '*'
  ) {
    return false;
  }
  if (isOneOfMany(tokens, mention, first)) return true;
  let at = mention.start - 1;
  if (tokens[at]?.value === 'only') at--;
  const before = tokens[at];
  if (before?.kind === 'sign') return before.value === ',' ? listWriters.has(first) : before.value !== '(';
  if (before?.value === 'table') return first !== 'table' && first !== '(' && first !== 'with';
  if (before?.value === 'from') return tokens[at - 1]?.value === 'delete';
  return before === undefined || !readers.has(before.value);
}
