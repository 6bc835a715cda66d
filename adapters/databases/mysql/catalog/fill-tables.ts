import type { ServerFailure, Session } from '../../../../src/adapter/database.js';
import type { FilledTable, FillReach } from '../../../../src/adapter/proof-queries.js';
import { FlybackError } from '../../../../src/errors/error.js';
import { namesColumn } from '../../../../src/proof/check-hints.js';
import { hash, type Reach } from '../../../../src/proof/fill-values.js';
import { quoteIdentifier, quoteLiteral } from '../quoting.js';
import { valuesOf } from './fill-column.js';
import { readFillFacts, type FillTable, type ForeignKey } from './fill-facts.js';
import { shown, unshown } from './names.js';
import { ask, withPlainSettings } from './plain-reading.js';
import { readTableColumns, rowDigest } from './read-rows.js';

/** How many rows an empty table gets. */
const rowsWanted = 3;
/** How many combinations of values are tried for one row. */
const triesAtMost = 300;
/** How many different parents are looked at. */
const parentsAtMost = 12;

/** Stands among the digests of a table for what AUTO_INCREMENT gave next before it got rows. */
const nextValueMark = 'AUTO_INCREMENT = ';

/**
 * Puts a few rows into each of the named tables that is empty, and into the empty tables that those refer to. Keys and checks
 * hold; a table with triggers that would fire is left alone, since they cannot be switched off. The same tables get the same
 * rows.
 */
export async function fillTables(
  session: Session,
  names: readonly string[],
  reach: FillReach = 'full',
): Promise<readonly FilledTable[]> {
  if (names.length === 0) return [];
  return withPlainSettings(session, async () => {
    const facts = await readFillFacts(session, names.map(unshown));
    const filling = new Filling(session, facts, reach);
    for (const name of names) await filling.fill(unshown(name));
    return filling.result(names);
  });
}

/**
 * Takes generated rows away again, whichever of them are there unchanged, and puts AUTO_INCREMENT back, which commits. Throws
 * FlybackError script-failed when other rows refer to them by now.
 */
export async function emptyTables(session: Session, filled: readonly FilledTable[]): Promise<void> {
  let left = filled.filter(({ digests }) => digests.length > 0);
  if (left.length === 0) return;
  await withPlainSettings(session, async () => {
    const columns = await readTableColumns(
      session,
      [],
      left.map(({ table }) => table),
    );
    const done: FilledTable[] = [];
    // Tables that others refer to become free as those are emptied.
    while (left.length > 0) {
      const kept: FilledTable[] = [];
      let refused = '';
      for (const table of left) {
        const own = columns.get(unshown(table.table));
        const digests = table.digests.filter((digest) => !digest.startsWith(nextValueMark)).map(quoteLiteral);
        const { failure } = await session.pipeline(
          own === undefined
            ? []
            : [`DELETE FROM ${quoted(table.table)} WHERE ${rowDigest(own)} IN (${digests.join(', ')})`],
        );
        if (failure === undefined) done.push(table);
        else {
          kept.push(table);
          refused = failure.error.message;
        }
      }
      if (kept.length === left.length) {
        throw new FlybackError('script-failed', `The generated rows cannot be taken away: ${refused}`, {
          hint: 'Prove in a new scratch database.',
        });
      }
      left = kept;
    }
    await ask(
      session,
      'AUTO_INCREMENT of a table',
      done.flatMap(({ table, digests }) => {
        const mark = digests.find((digest) => digest.startsWith(nextValueMark));
        return mark === undefined || !columns.has(unshown(table)) ? [] : [`ALTER TABLE ${quoted(table)} ${mark}`];
      }),
    );
  });
}

function quoted(shownName: string): string {
  return quoteIdentifier(unshown(shownName));
}

interface Outcome {
  readonly rows: number;
  readonly reason: string | undefined;
  readonly digests: readonly string[];
}

const nothing: Outcome = { rows: 0, reason: undefined, digests: [] };

/** One filling of several tables. */
class Filling {
  readonly #session: Session;
  readonly #facts: ReadonlyMap<string, FillTable>;
  readonly #reaches: readonly Reach[];
  readonly #outcomes = new Map<string, Outcome>();
  readonly #begun = new Set<string>();

  constructor(session: Session, facts: ReadonlyMap<string, FillTable>, reach: FillReach) {
    this.#session = session;
    this.#facts = facts;
    this.#reaches = reach === 'full' ? ['full', 'modest', 'small'] : ['modest', 'small'];
  }

  /** The tables asked for, in that order, then others that got rows. */
  result(names: readonly string[]): readonly FilledTable[] {
    const asked = new Set(names.map(unshown));
    const others = [...this.#outcomes].filter(([name, { rows }]) => rows > 0 && !asked.has(name));
    return [
      ...names.map((table) => ({ table, ...(this.#outcomes.get(unshown(table)) ?? nothing) })),
      ...others.map(([name, outcome]) => ({ table: shown(name), ...outcome })),
    ];
  }

  async fill(name: string): Promise<void> {
    if (this.#begun.has(name)) return;
    this.#begun.add(name);
    this.#outcomes.set(name, await this.#outcomeOf(name));
  }

  async #outcomeOf(name: string): Promise<Outcome> {
    const table = this.#facts.get(name);
    if (table === undefined) return { ...nothing, reason: `${shown(name)} does not exist.` };
    if (table.refusal !== undefined) return { ...nothing, reason: `${shown(name)} ${table.refusal}.` };
    if (!table.isEmpty) return nothing;
    const keys: ForeignKey[] = [];
    const absent = new Set<string>();
    for (const key of table.foreignKeys) {
      await this.fill(key.parent);
      const parent = this.#facts.get(key.parent);
      const outcome = this.#outcomes.get(key.parent);
      if (parent?.isEmpty === false || (outcome?.rows ?? 0) > 0) {
        keys.push(key);
        continue;
      }
      const free = table.columns.filter((column) => key.columns.includes(column.name) && column.isNullable);
      if (free.length === 0) {
        const why = outcome?.reason ?? (key.parent === name ? 'it refers to itself' : 'the two refer to each other');
        return {
          ...nothing,
          reason: `${shown(name)} could not be filled: its key ${shown(key.name)} needs a row of ${shown(key.parent)}, and ${why}`,
        };
      }
      for (const column of free) absent.add(column.name);
    }
    const counts = await this.#countParents(keys);
    let why = '';
    let rows = 0;
    for (const reach of this.#reaches) {
      for (let row = rows; row < rowsWanted; row++) {
        const refused = await this.#insertRow({ table, keys, counts, absent, reach, row });
        if (refused === undefined) rows++;
        else why ||= refused;
      }
      if (rows > 0) break;
    }
    if (rows === 0) {
      return { ...nothing, reason: `${shown(name)} could not be filled: ${why.replace(/\.$/, '')}.` };
    }
    return { rows, reason: undefined, digests: await this.#digestsOf(table) };
  }

  async #digestsOf({ name, nextValue }: FillTable): Promise<readonly string[]> {
    const columns = (await readTableColumns(this.#session, [], [shown(name)])).get(name) ?? [];
    const [answer] = await ask(this.#session, 'Generated rows', [
      `SELECT ${rowDigest(columns)} FROM ${quoteIdentifier(name)}`,
    ]);
    return [
      ...(answer?.rows ?? []).flatMap(([digest]) => digest ?? []),
      ...(nextValue === undefined ? [] : [`${nextValueMark}${nextValue}`]),
    ];
  }

  async #countParents(keys: readonly ForeignKey[]): Promise<readonly number[]> {
    const answers = await ask(
      this.#session,
      'Rows to refer to',
      keys.map((key) => `SELECT COUNT(*) FROM (${parentsSql(key)} LIMIT ${parentsAtMost}) k`),
    );
    return answers.map(({ rows }) => Number(rows[0]?.[0] ?? 0));
  }

  /** Tries values until the server takes the row; resolves with why it takes none. */
  async #insertRow({ table, keys, counts, absent, reach, row }: RowRequest): Promise<string | undefined> {
    const keyed = new Set(keys.flatMap(({ columns }) => columns));
    const own = table.columns.filter(({ name }) => !keyed.has(name));
    const lists = new Map<string, readonly string[]>();
    /** Whose value decides whether a check holds. */
    const checked = new Set<string>();
    for (const column of own) {
      const checks = table.checks.filter(({ expression }) => namesColumn(expression, column.name));
      if (checks.length > 0) checked.add(column.name);
      const values = absent.has(column.name)
        ? []
        : valuesOf(
            column,
            table.name,
            reach,
            checks.map(({ expression }) => expression),
          );
      if (values.length === 0 && !column.isNullable) {
        return `no value of the type ${column.fullType} is known for its column ${shown(column.name)}`;
      }
      lists.set(column.name, values.length === 0 ? ['NULL'] : values);
    }
    let why = '';
    let isTaken = false;
    for (let attempt = 0; attempt < triesAtMost; attempt++) {
      const value = (column: string): string => {
        const list = lists.get(column) ?? [];
        if (!checked.has(column) && !isTaken) return list[row % list.length] ?? 'NULL';
        // First all lists at the same place, then against each other.
        const at = attempt < 12 ? row + attempt : hash(`${column}/${row}/${attempt}`);
        return list[at % list.length] ?? 'NULL';
      };
      const sources = keys.map((key, at) => {
        const offset = (row + attempt) % Math.max(counts[at] ?? 1, 1);
        return `(${parentsSql(key)} LIMIT 1 OFFSET ${offset}) k${at}`;
      });
      const placed = [...keyed].map((column) => {
        const at = keys.findIndex(({ columns }) => columns.includes(column));
        return { column, value: `k${at}.c${keys[at]?.columns.indexOf(column) ?? 0}` };
      });
      const all = [...own.map(({ name }) => ({ column: name, value: value(name) })), ...placed];
      const names = all.map(({ column }) => quoteIdentifier(column)).join(', ');
      const values = all.map((each) => each.value).join(', ');
      const { failure } = await this.#session.pipeline([
        `INSERT INTO ${quoteIdentifier(table.name)} (${names}) SELECT ${values}${sources.length === 0 ? '' : ` FROM ${sources.join(', ')}`}`,
      ]);
      if (failure === undefined) return undefined;
      why ||= refusalWords(failure.error);
      isTaken ||= failure.error.condition === 'key-taken';
      // Neither a check nor a key: other values of the same kind would not do either.
      const isWorthTrying = ['constraint-violated', 'key-taken'].includes(failure.error.condition ?? '');
      if (!isWorthTrying && attempt >= 3) break;
    }
    return `the server refused every row that was tried: ${why}`;
  }
}

interface RowRequest {
  readonly table: FillTable;
  /** Keys to tables that have rows, and how many each has. */
  readonly keys: readonly ForeignKey[];
  readonly counts: readonly number[];
  /** Columns that stay NULL, for want of a row to refer to. */
  readonly absent: ReadonlySet<string>;
  readonly reach: Reach;
  readonly row: number;
}

/** The different values of a key's parents, as columns c0, c1 …, in a stable order. */
function parentsSql({ parent, parentColumns }: ForeignKey): string {
  const columns = parentColumns.map((column, at) => `${quoteIdentifier(column)} AS c${at}`).join(', ');
  const given = parentColumns.map((column) => `${quoteIdentifier(column)} IS NOT NULL`).join(' AND ');
  const order = parentColumns.map((_, at) => String(at + 1)).join(', ');
  return `SELECT DISTINCT ${columns} FROM ${quoteIdentifier(parent)} WHERE ${given} ORDER BY ${order}`;
}

function refusalWords({ message }: ServerFailure): string {
  return message.replace(/^\(conn:[^)]*\) /, '');
}
