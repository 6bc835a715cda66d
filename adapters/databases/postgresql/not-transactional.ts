import type { Token } from '../../../src/adapter/database.js';
import { tokenizeStatement } from './lexer.js';

const candidates = /^(?:alter|cluster|commit|create|discard|drop|reindex|rollback|vacuum)\b/i;

/**
 * The words by which a statement is known that PostgreSQL refuses inside a transaction block, else undefined. A test
 * holds it to the servers themselves. What only the catalog tells (REINDEX TABLE of a partitioned table, a procedure
 * that commits) is taken to be allowed: refused inside a transaction, it leaves nothing behind. DROP SUBSCRIPTION is
 * taken to be refused, as it is unless the subscription has no slot.
 */
export function notTransactional(statement: string): string | undefined {
  const first = candidates.exec(statement)?.[0].toLowerCase();
  switch (first) {
    case undefined:
      return undefined;
    case 'vacuum':
      return 'VACUUM';
    case 'cluster':
      return cluster(tokenizeStatement(statement));
    case 'discard':
      return wordAt(tokenizeStatement(statement, 2), 1) === 'all' ? 'DISCARD ALL' : undefined;
    case 'commit':
    case 'rollback':
      return wordAt(tokenizeStatement(statement, 2), 1) === 'prepared' ? `${first} prepared`.toUpperCase() : undefined;
    case 'reindex':
      return reindex(tokenizeStatement(statement));
    case 'alter':
      return alter(statement);
    default:
      return createOrDrop(first, statement);
  }
}

function wordAt(tokens: readonly Token[], index: number): string | undefined {
  const token = tokens.at(index);
  return token?.kind === 'word' ? token.value : undefined;
}

function isSign(token: Token | undefined, sign: string): boolean {
  return token?.kind === 'sign' && token.value === sign;
}

interface OptionList {
  /** Whether each is switched on; of two of the same name the later counts. */
  readonly switches: ReadonlyMap<string, boolean>;
  /** Index of the token behind the closing parenthesis. */
  readonly end: number;
}

/** Reads `( name [[=] value], … )`; without an opening parenthesis at that index the list is empty. */
function optionsAt(tokens: readonly Token[], open: number): OptionList {
  const switches = new Map<string, boolean>();
  if (!isSign(tokens[open], '(')) return { switches, end: open };
  let name: Token | undefined;
  let last: Token | undefined;
  for (let at = open + 1; at < tokens.length; at++) {
    const token = tokens[at];
    const closes = isSign(token, ')');
    if (!closes && !isSign(token, ',')) {
      name ??= token;
      last = token;
      continue;
    }
    if (name !== undefined) switches.set(name.value, name === last || !/^(?:false|off|0)$/i.test(last?.value ?? ''));
    name = undefined;
    if (closes) return { switches, end: at + 1 };
  }
  return { switches, end: tokens.length };
}

/** CLUSTER [VERBOSE | (options)], and no table behind it. */
function cluster(tokens: readonly Token[]): string | undefined {
  const { end } = optionsAt(tokens, 1);
  const behind = end === 1 && wordAt(tokens, 1) === 'verbose' ? 2 : end;
  return behind === tokens.length ? 'CLUSTER without a table' : undefined;
}

/** REINDEX [(options)] kind [CONCURRENTLY] [name] */
function reindex(tokens: readonly Token[]): string | undefined {
  const { switches, end } = optionsAt(tokens, 1);
  if (wordAt(tokens, end + 1) === 'concurrently' || switches.get('concurrently') === true)
    return 'REINDEX CONCURRENTLY';
  const kind = wordAt(tokens, end);
  return kind === 'schema' || kind === 'database' || kind === 'system' ? `REINDEX ${kind.toUpperCase()}` : undefined;
}

const rareObjects = /\b(?:database|tablespace|subscription|concurrently)\b/i;

function createOrDrop(first: string, statement: string): string | undefined {
  if (!rareObjects.test(statement)) return undefined;
  const [, second, third, fourth] = tokenizeStatement(statement, 4).map((token) =>
    token.kind === 'word' ? token.value : undefined,
  );
  if (second === 'database' || second === 'tablespace') return `${first} ${second}`.toUpperCase();
  if (second === 'subscription') {
    return first === 'drop' || createsSlot(tokenizeStatement(statement))
      ? `${first} subscription`.toUpperCase()
      : undefined;
  }
  if (second === 'index' && third === 'concurrently') return `${first} index concurrently`.toUpperCase();
  if (second === 'unique' && third === 'index' && fourth === 'concurrently') return 'CREATE UNIQUE INDEX CONCURRENTLY';
  return undefined;
}

/** A slot is created unless that, or the connection for it, is switched off. */
function createsSlot(tokens: readonly Token[]): boolean {
  const { switches } = behindWith(tokens);
  return switches.get('create_slot') ?? switches.get('connect') ?? true;
}

function behindWith(tokens: readonly Token[]): OptionList {
  const index = tokens.findIndex((token, at) => token.kind === 'word' && token.value === 'with' && at > 0);
  return optionsAt(tokens, index === -1 ? tokens.length : index + 1);
}

function alter(statement: string): string | undefined {
  switch (wordAt(tokenizeStatement(statement, 2), 1)) {
    case 'system':
      return 'ALTER SYSTEM';
    case 'database':
      return movesDatabase(tokenizeStatement(statement, 5)) ? 'ALTER DATABASE … SET TABLESPACE' : undefined;
    case 'subscription':
      return alterSubscription(tokenizeStatement(statement));
    case 'table':
      return /\bconcurrently\b/i.test(statement) && detaches(tokenizeStatement(statement))
        ? 'DETACH PARTITION … CONCURRENTLY'
        : undefined;
    default:
      return undefined;
  }
}

/** ALTER DATABASE name SET TABLESPACE, and the two other ways to write it: [WITH] TABLESPACE [=]. */
function movesDatabase(tokens: readonly Token[]): boolean {
  const verb = wordAt(tokens, 3);
  return verb === 'tablespace' || ((verb === 'set' || verb === 'with') && wordAt(tokens, 4) === 'tablespace');
}

function detaches(tokens: readonly Token[]): boolean {
  if (wordAt(tokens, -1) !== 'concurrently') return false;
  return tokens.some((_, at) => wordAt(tokens, at) === 'detach' && wordAt(tokens, at + 1) === 'partition');
}

/** Which parameters change the slot at the publisher: failover since PostgreSQL 17, two_phase = false since 18. */
function alterSubscription(tokens: readonly Token[]): string | undefined {
  const verb = wordAt(tokens, 3);
  if (verb === 'refresh') return 'ALTER SUBSCRIPTION … REFRESH';
  if (verb === 'set' && isSign(tokens[4], '(')) {
    const { switches } = optionsAt(tokens, 4);
    if (switches.has('failover')) return 'ALTER SUBSCRIPTION … SET (failover)';
    return switches.get('two_phase') === false ? 'ALTER SUBSCRIPTION … SET (two_phase)' : undefined;
  }
  const changesList = verb === 'set' || verb === 'add' || verb === 'drop';
  if (!changesList || wordAt(tokens, 4) !== 'publication') return undefined;
  return (behindWith(tokens).switches.get('refresh') ?? true) ? 'ALTER SUBSCRIPTION … WITH (refresh)' : undefined;
}
