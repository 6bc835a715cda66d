import type { FilledTable, FillReach } from '../../../../src/adapter/proof-queries.js';
import type { QueryResult, Session } from '../../../../src/adapter/database.js';
import { FlybackError } from '../../../../src/errors/error.js';
import { checkOfColumn, hintsOf, namesColumn } from '../../../../src/proof/check-hints.js';
import {
  candidateValues,
  distinctValue,
  plainGuesses,
  type Reach,
  type ValueChoice,
} from '../../../../src/proof/fill-values.js';
import { quoteLiteral } from '../quoting.js';
import {
  readFillFacts,
  type FillCheck,
  type FillColumn,
  type FillFacts,
  type FillTable,
  type ForeignKey,
} from './fill-facts.js';
import { oidsOf, plainSettings, usePlainSettings } from './plain-reading.js';
import { readDigests, rowDigest } from './read-rows.js';

/** How many rows an empty table gets. */
const rowsWanted = 3;
/** How many combinations of candidates the server tries for columns that one check holds together: more where few do. */
const combinationsTried = [1500, 20_000];
/** How many combinations it gives back. */
const combinationsKept = 60;

/** One row to be: column → text of its value, NULL, or its default. */
type Row = ReadonlyMap<string, string | null>;

interface Refused {
  readonly message: string;
  readonly serverCode: string | undefined;
}

/**
 * Puts a few rows into each of the named tables that is empty, and into the empty tables that those refer to. Triggers and
 * rules of the database are off meanwhile, keys and checks hold all the same; no sequence is advanced. The same tables get
 * the same rows. What could not be filled comes with its reason.
 */
export async function fillTables(
  session: Session,
  names: readonly string[],
  reach: FillReach = 'full',
): Promise<readonly FilledTable[]> {
  if (names.length === 0) return [];
  return withSettings(session, async ({ replica, searchPath }) => {
    const facts = await readFillFacts(session, names);
    const filling = new Filling(session, facts, replica, reach);
    // What columns and checks call may name things without their schema, and finds them where the session would.
    const usePath = (path: string): Promise<unknown> =>
      session.query(`SELECT pg_catalog.set_config('search_path', ${quoteLiteral(path)}, true)`);
    await usePath(searchPath);
    await filling.run();
    await usePath(plainSettings['search_path'] ?? '');
    await filling.count();
    return filling.result(names);
  });
}

/**
 * Takes generated rows away again, whichever of them are there unchanged. Throws FlybackError script-failed when other rows
 * refer to them by now; then all are still there.
 */
export async function emptyTables(session: Session, filled: readonly FilledTable[]): Promise<void> {
  const tables = filled.filter(({ digests }) => digests.length > 0);
  if (tables.length === 0) return;
  await withSettings(session, async () => {
    const names = tables.map(({ table }) => table);
    const digests = await readDigests(session, names);
    const commands = tables.flatMap(({ table, digests: ours }) => {
      const digest = digests.get(table);
      if (digest === undefined) return [];
      return [
        `DELETE FROM ONLY ${table} d WHERE d.ctid IN (SELECT ctid FROM (SELECT t.ctid, ${digest} AS digest, row_number() OVER (PARTITION BY ${digest} ORDER BY t.ctid) AS no FROM ONLY ${table} t) x WHERE x.no <= (SELECT count(*) FROM unnest(ARRAY[${ours.map(quoteLiteral).join(', ')}]) u WHERE u = x.digest))`,
      ];
    });
    await session.query('SAVEPOINT flyback_emptying');
    await session.query(commands.join(';\n'));
    const [orphans] = await session.query(orphansSql(names));
    const checks = (orphans?.rows ?? []).map(([, , sql]) => sql ?? '');
    const [found] = checks.length === 0 ? [] : await session.query(checks.join('\nUNION ALL\n'));
    const [first] = found?.rows ?? [];
    if (first !== undefined) {
      await session.query('ROLLBACK TO SAVEPOINT flyback_emptying');
      throw new FlybackError(
        'script-failed',
        `The generated rows cannot be taken away: rows of ${first[0] ?? ''} refer to them.`,
        { hint: 'Prove in a new scratch database.' },
      );
    }
    await session.query('RELEASE SAVEPOINT flyback_emptying');
  });
}

/**
 * Queries that give a row for each foreign key of other tables to these, or to what they are partitions of, of which a row
 * has no parent: (name of the child, name of the key, query). Found by what depends on the tables: no index leads from a
 * parent to its keys.
 */
function orphansSql(names: readonly string[]): string {
  return `SELECT q.child, q.key, format('SELECT %L, %L WHERE EXISTS (SELECT FROM %s c WHERE %s AND NOT EXISTS (SELECT FROM %s p WHERE %s))', q.child, q.key, q.source, q.given, q.target, q.equal) FROM (
 SELECT format('%I.%I', n.nspname, c.relname) AS child, quote_ident(k.conname) AS key,
 CASE c.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || c.oid::regclass AS source, CASE f.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || f.oid::regclass AS target,
 (SELECT string_agg(format('c.%I IS NOT NULL', a.attname), ' AND ') FROM unnest(k.conkey) u(n) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n) AS given,
 (SELECT string_agg(format('p.%I OPERATOR(%I.%s) c.%I', b.attname, w.nspname, o.oprname, a.attname), ' AND ')
  FROM unnest(k.conkey, k.confkey, k.conpfeqop) u(n, m, op) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.m
  JOIN pg_operator o ON o.oid = u.op JOIN pg_namespace w ON w.oid = o.oprnamespace) AS equal
 FROM (WITH RECURSIVE own(oid) AS (SELECT o FROM unnest(${oidsOf(names)}) o UNION SELECT i.inhparent FROM own JOIN pg_inherits i ON i.inhrelid = own.oid)
  SELECT DISTINCT d.objid FROM own JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = own.oid AND d.classid = 'pg_constraint'::regclass) x
 JOIN pg_constraint k ON k.oid = x.objid JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_class f ON f.oid = k.confrelid
 WHERE k.contype = 'f' AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid) AND c.relkind = 'r'
 AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)) q ORDER BY 1, 2`;
}

interface Settings {
  /** Triggers and rules are off. */
  readonly replica: boolean;
  /** What it was before. */
  readonly searchPath: string;
}

/** Runs work with plain settings and, where the role may, in replica mode; the settings are as before afterwards. */
async function withSettings<T>(session: Session, work: (place: Settings) => Promise<T>): Promise<T> {
  const replica = session.facts.mayUseReplicaMode;
  const names = [...Object.keys(plainSettings), ...(replica ? ['session_replication_role'] : [])];
  const [were] = await session.query(
    `SELECT ${names.map((name) => `pg_catalog.current_setting(${quoteLiteral(name)})`).join(', ')}; SAVEPOINT flyback_filling; ${usePlainSettings}${
      replica ? `; SELECT pg_catalog.set_config('session_replication_role', 'replica', true)` : ''
    }`,
  );
  try {
    const values = were?.rows[0] ?? [];
    const result = await work({ replica, searchPath: values[names.indexOf('search_path')] ?? '' });
    await session.query(
      `RELEASE SAVEPOINT flyback_filling; SELECT ${names.map((name, at) => `pg_catalog.set_config(${quoteLiteral(name)}, ${quoteLiteral(values[at] ?? '')}, true)`).join(', ')}`,
    );
    return result;
  } catch (error) {
    await session.query('ROLLBACK TO SAVEPOINT flyback_filling; RELEASE SAVEPOINT flyback_filling');
    throw error;
  }
}

/** What became of one table. */
interface Outcome {
  rows: number;
  reason: string | undefined;
}

/** One filling of several tables. */
class Filling {
  readonly #session: Session;
  readonly #facts: FillFacts;
  readonly #replica: boolean;
  readonly #reaches: readonly Reach[];
  readonly #known = new Map<string, readonly string[]>();
  readonly #outcomes = new Map<string, Outcome>();
  /** Keys to tables whose rows come later: their values are put in at the end. */
  readonly #late = new Map<string, readonly ForeignKey[]>();
  readonly #digests = new Map<string, readonly string[]>();
  /** "id of a table, column": columns that hold the same in tables that refer to each other. */
  readonly #shared: ReadonlySet<string>;

  constructor(session: Session, facts: FillFacts, replica: boolean, reach: FillReach) {
    this.#session = session;
    this.#facts = facts;
    this.#replica = replica;
    this.#reaches = reach === 'full' ? ['full', 'modest', 'small'] : ['modest', 'small'];
    this.#shared = new Set(
      [...facts.tables].flatMap(([oid, { foreignKeys }]) =>
        foreignKeys.flatMap(({ beside, parent }) => beside.flatMap((name) => [`${oid} ${name}`, `${parent} ${name}`])),
      ),
    );
  }

  async run(): Promise<void> {
    await this.#learnTypes();
    for (const table of this.#inOrder()) this.#outcomes.set(table.oid, await this.#fill(table));
    await this.#putLateKeys();
    await this.#dropOrphans();
  }

  /** With plain settings: looks at which rows there are, and remembers them. */
  async count(): Promise<void> {
    const filled = [...this.#outcomes].flatMap(([oid, { rows }]) => {
      const table = this.#facts.tables.get(oid);
      return rows === 0 || table?.kind !== 'r' ? [] : [table];
    });
    const [read] =
      filled.length === 0
        ? []
        : await this.#session.query(
            filled
              .map((table) => {
                const columns = table.columns.filter(({ isVirtual }) => !isVirtual).map(({ name }) => `t.${name}`);
                return `SELECT ${quoteLiteral(table.name)}, ${rowDigest(columns.join(', '))} FROM ONLY ${table.name} t`;
              })
              .join('\nUNION ALL\n'),
          );
    for (const [name, digest] of read?.rows ?? []) {
      this.#digests.set(name ?? '', [...(this.#digests.get(name ?? '') ?? []), digest ?? '']);
    }
    for (const { oid, name } of filled) {
      const rows = this.#digests.get(name)?.length ?? 0;
      const reason = rows === 0 ? `${name} could not be filled: a trigger or a rule took the rows away.` : undefined;
      this.#outcomes.set(oid, { rows, reason });
    }
  }

  /** The tables asked for, in that order, then others that got rows. */
  result(names: readonly string[]): readonly FilledTable[] {
    const askedIds = names.map((name) => this.#facts.asked.get(name));
    const asked = names.map((name, at): FilledTable => {
      const oid = askedIds[at];
      const table = oid === undefined ? undefined : this.#facts.tables.get(oid);
      if (table === undefined) return { table: name, rows: 0, reason: `${name} does not exist.`, digests: [] };
      return this.#told(table, name);
    });
    const others = [...this.#outcomes.keys()].flatMap((oid) => {
      const table = this.#facts.tables.get(oid);
      if (table?.kind !== 'r' || askedIds.includes(oid)) return [];
      const told = this.#told(table, table.name);
      return told.rows === 0 ? [] : [told];
    });
    return [...asked, ...others];
  }

  #told(table: FillTable, name: string): FilledTable {
    const { rows = 0, reason } = this.#outcomes.get(table.oid) ?? {};
    return { table: name, rows, reason, digests: this.#digests.get(table.name) ?? [] };
  }

  /** Values of types that only the server can tell: domains with checks, types of extensions that are not known here. */
  async #learnTypes(): Promise<void> {
    const { types, domainChecks, typeTexts } = this.#facts;
    const visited = new Set<string>();
    const visit = async (oid: string): Promise<void> => {
      if (visited.has(oid)) return;
      visited.add(oid);
      const facts = types.get(oid);
      if (facts === undefined) return;
      if (facts.of !== undefined) await visit(facts.of.type);
      for (const { type } of facts.attributes ?? []) await visit(type);
      const choice = this.#choice('full');
      const checks = domainChecks.get(oid);
      const base = facts.of;
      if (checks !== undefined && base !== undefined) {
        const hints = hintsOf(checks);
        const values = this.#reaches.flatMap((reach) =>
          candidateValues(this.#choice(reach), { ...base, salt: facts.name, hints }),
        );
        this.#known.set(
          oid,
          await this.#accepted(typeTexts.get(baseOf(types, oid)) ?? '', [...new Set(values)], checks),
        );
      } else if (facts.kind === 'base' && !facts.isBuiltIn) {
        const request = { type: oid, modifier: -1, salt: facts.name };
        const first = distinctValue(choice, request, 0);
        const typeText = typeTexts.get(oid) ?? '';
        if (first === undefined || (await this.#accepted(typeText, [first], [])).length === 0) {
          const guesses: string[] = [];
          for (const guess of plainGuesses) guesses.push(...(await this.#accepted(typeText, [guess], [])));
          this.#known.set(oid, guesses);
        }
      }
    };
    for (const oid of types.keys()) await visit(oid);
  }

  /** Those of the texts that the server reads as values of a type, and for which no check of VALUE is false. */
  async #accepted(typeText: string, texts: readonly string[], checks: readonly string[]): Promise<readonly string[]> {
    const ask = (list: readonly string[]): Promise<readonly QueryResult[] | Refused> =>
      this.#try(
        `SELECT format('%s', v.value) FROM (SELECT u.i, CAST(u.t AS ${typeText}) AS value FROM unnest(${textArray(list)}) WITH ORDINALITY u(t, i)) v WHERE ${['true', ...checks.map((check) => `(${check}) IS NOT FALSE`)].join(' AND ')} ORDER BY v.i LIMIT 60`,
      );
    const valuesOf = (answer: readonly QueryResult[]): readonly string[] =>
      (answer[0]?.rows ?? []).flatMap(([value]) => value ?? []);
    const all = await ask(texts);
    if (!('message' in all)) return [...new Set(valuesOf(all))];
    if (texts.length === 1) return [];
    // Some of them makes the check itself fail; one by one the others still count.
    const passed: string[] = [];
    for (const text of texts.slice(0, 80)) {
      const one = await ask([text]);
      if (!('message' in one)) passed.push(...valuesOf(one));
    }
    return [...new Set(passed)];
  }

  #choice(reach: Reach): ValueChoice {
    return { types: this.#facts.types, known: this.#known, reach };
  }

  /** Tables after those that they refer to, partitioned tables after their partitions; the keys that close a circle are noted. */
  #inOrder(): readonly FillTable[] {
    const { tables, asked } = this.#facts;
    const order: FillTable[] = [];
    const states = new Map<string, 'begun' | 'done'>();
    const visit = (oid: string): void => {
      const table = tables.get(oid);
      if (table === undefined || states.has(oid)) return;
      states.set(oid, 'begun');
      for (const partition of table.partitions) visit(partition);
      const late: ForeignKey[] = [];
      for (const key of table.foreignKeys) {
        visit(key.parent);
        const parents = [key.parent, ...(tables.get(key.parent)?.partitions ?? [])];
        if (parents.some((parent) => states.get(parent) === 'begun') && tables.get(key.parent)?.isEmpty !== false) {
          late.push(key);
        }
      }
      this.#late.set(oid, late);
      states.set(oid, 'done');
      order.push(table);
    };
    for (const oid of [...asked.values(), ...tables.keys()]) if (oid !== undefined) visit(oid);
    return order;
  }

  async #fill(table: FillTable): Promise<Outcome> {
    if (table.refusal !== undefined) return { rows: 0, reason: `${table.name} ${table.refusal}.` };
    if (table.kind === 'p') {
      const parts = table.partitions.map((oid) => this.#outcomes.get(oid));
      const rows = parts.reduce((sum, part) => sum + (part?.rows ?? 0), 0);
      const isEmpty = table.partitions.every((oid) => this.#facts.tables.get(oid)?.isEmpty !== false);
      if (table.partitions.length === 0)
        return { rows: 0, reason: `${table.name} has no partition that could take a row.` };
      return {
        rows,
        reason: rows === 0 && isEmpty ? parts.find((part) => part?.reason !== undefined)?.reason : undefined,
      };
    }
    if (!table.isEmpty) return { rows: 0, reason: undefined };
    const choices: (readonly Row[])[] = [];
    let why = '';
    const areShared = table.foreignKeys.some(({ beside }) => beside.length > 0) ? [true, false] : [false];
    for (const [reach, isShared] of this.#reaches.flatMap((each) =>
      areShared.map((shared) => [each, shared] as const),
    )) {
      const rows = await this.#chooseRows(table, reach, isShared);
      if (typeof rows === 'string') {
        if (!isShared) why ||= rows;
        continue;
      }
      choices.push(rows);
      const answer = await this.#try(insertSql(table, rows));
      if (!('message' in answer)) return { rows: rows.length, reason: undefined };
      why = `the server refused every row that was tried: ${answer.message}`;
    }
    for (const rows of choices) {
      let count = 0;
      for (const row of rows) if (!('message' in (await this.#try(insertSql(table, [row]))))) count++;
      if (count > 0) return { rows: count, reason: undefined };
    }
    return { rows: 0, reason: `${table.name} could not be filled: ${why.replace(/\.$/, '')}.` };
  }

  /**
   * Rows that should do, fewer than wanted where its keys allow no more; or why there is none. `isShared`: what stands
   * beside a key has the value of the row referred to.
   */
  async #chooseRows(table: FillTable, reach: Reach, isShared: boolean): Promise<readonly Row[] | string> {
    const prepared: (Question | readonly Row[])[] = [];
    for (const group of this.#groupsOf(table, isShared)) {
      const question = await this.#prepare(table, group, reach);
      if (typeof question === 'string') return question;
      prepared.push(question);
    }
    const questions = prepared.filter((question) => 'group' in question);
    const [few = 0] = combinationsTried;
    const asked =
      questions.length === 0
        ? []
        : await this.#try(questions.map((question) => this.#combinationsSql(table, question, few)).join('; '));
    const groups: (readonly Row[])[] = [];
    for (const question of prepared) {
      const at = 'group' in question ? questions.indexOf(question) : -1;
      const options =
        'group' in question
          ? await this.#optionsOf(table, question, 'message' in asked ? undefined : asked[at])
          : question;
      if (typeof options === 'string') return options;
      groups.push(options);
    }
    const rows: Row[] = [];
    while (rows.length < rowsWanted) {
      const row = nextRow(groups, rows, table.uniqueKeys);
      if (row === undefined) break;
      rows.push(row);
    }
    return rows.length > 0 ? rows : 'it has no columns that could be filled';
  }

  /** Columns that a check or a key holds together, with what holds them. */
  #groupsOf(table: FillTable, isShared: boolean): readonly Group[] {
    const { columns } = table;
    const late = this.#late.get(table.oid) ?? [];
    const keys = table.foreignKeys
      .filter((key) => !late.includes(key))
      .map((key) => (isShared ? withShared(key) : key));
    const links = [
      ...table.checks.map((check) => ({ check, columns: usedColumns(table, check.expression) })),
      ...keys.map((key) => ({ key, columns: columns.filter(({ name }) => key.columns.includes(name)) })),
    ];
    const settable = columns.filter(({ generated }) => generated === undefined);
    const groupOf = new Map<FillColumn, number>(settable.map((column, at) => [column, at]));
    for (const link of links) {
      const numbers = link.columns.flatMap((column) => groupOf.get(column) ?? []);
      const [first] = numbers;
      if (first === undefined) continue;
      for (const [column, number] of groupOf) if (numbers.includes(number)) groupOf.set(column, first);
    }
    return [...new Set(groupOf.values())].map((number) => {
      const members = settable.filter((column) => groupOf.get(column) === number);
      const own = links.filter((link) => link.columns.some((column) => members.includes(column)));
      return {
        columns: members,
        checks: own.flatMap((link) => ('check' in link ? [link.check] : [])),
        keys: own.flatMap((link) => ('key' in link ? [link.key] : [])),
        lateKeys: late,
      };
    });
  }

  /** What the server has to be asked for values of a group of columns, or the values themselves; or why there is none. */
  async #prepare(table: FillTable, group: Group, reach: Reach): Promise<Question | readonly Row[] | string> {
    const nothing = new Set<string>();
    const keys: ForeignKey[] = [];
    for (const key of group.keys) {
      const parent = this.#facts.tables.get(key.parent);
      const outcome = this.#outcomes.get(key.parent);
      if (parent?.isEmpty === false || (outcome?.rows ?? 0) > 0 || (await this.#hasRows(parent))) {
        keys.push(key);
        continue;
      }
      const free = group.columns.filter((column) => key.columns.includes(column.name) && !column.isNotNull);
      if (free.length === 0) {
        return `its key ${key.name} needs a row of ${parent?.name ?? 'another table'}, and ${outcome?.reason ?? 'there is none'}`;
      }
      for (const column of free) nothing.add(column.name);
    }
    const lists = new Map<FillColumn, readonly (string | null)[]>();
    for (const column of group.columns) {
      if (keys.some((key) => key.columns.includes(column.name))) continue;
      const list = this.#candidates(table, column, group, reach, nothing);
      if (list.length === 0) {
        if (column.hasPlainDefault && group.columns.length === 1) return [new Map()];
        return `no value of the type ${column.typeText} is known for its column ${column.name}`;
      }
      lists.set(column, list);
    }
    const [single] = group.columns;
    if (group.checks.length === 0 && keys.length === 0 && single !== undefined && group.columns.length === 1) {
      return (lists.get(single) ?? []).map((value) => new Map([[single.name, value]]));
    }
    return { group, keys, lists };
  }

  /** Combinations of values of a group of columns, best first; or why there is none. `first`: what few combinations gave. */
  async #optionsOf(
    table: FillTable,
    question: Question,
    first: QueryResult | undefined,
  ): Promise<readonly Row[] | string> {
    const { group, keys, lists } = question;
    const isEnough = (found: QueryResult | undefined): boolean =>
      (found?.rows.length ?? 0) >= rowsWanted * 3 || (found !== undefined && keys.length + lists.size === 1);
    let answer: readonly QueryResult[] | Refused = first === undefined ? [] : [first];
    for (const most of first === undefined ? combinationsTried : combinationsTried.slice(1)) {
      if ('message' in answer || isEnough(answer[0])) break;
      answer = await this.#try(this.#combinationsSql(table, question, most));
    }
    if (!('message' in answer)) {
      const options = (answer[0]?.rows ?? []).map(
        (row): Row => new Map(group.columns.map(({ name }, at) => [name, row[at] ?? null])),
      );
      if (options.length > 0) return options;
      const checks = group.checks.map(({ name }) => name);
      return `no values were found for ${listed(group.columns.map(({ name }) => name))} that satisfy ${checks.length === 0 ? `the keys ${listed(keys.map(({ name }) => name))}` : listed(checks)}`;
    }
    if (keys.length > 0) return `the server could not try values: ${answer.message}`;
    return this.#oneByOne(group, lists, answer);
  }

  /** Where a check fails with an error for some values, combinations are tried one at a time. */
  async #oneByOne(
    group: Group,
    lists: ReadonlyMap<FillColumn, readonly (string | null)[]>,
    refused: Refused,
  ): Promise<readonly Row[] | string> {
    const found: Row[] = [];
    for (let at = 0; at < 120 && found.length < rowsWanted * 3; at++) {
      // First all lists at the same place, then against each other.
      const shift = Math.floor(at / 40);
      const row: Row = new Map(
        group.columns.map((column, position) => {
          const list = lists.get(column) ?? [];
          return [column.name, list[(at + shift * position * 3) % Math.max(list.length, 1)] ?? null];
        }),
      );
      const values = group.columns
        .map(({ name, typeText }) => {
          const value = row.get(name) ?? null;
          return `CAST(${value === null ? 'NULL' : quoteLiteral(value)} AS ${typeText}) AS ${name}`;
        })
        .join(', ');
      const answer = await this.#try(
        `SELECT FROM (SELECT ${values}) x WHERE ${group.checks.map(({ expression }) => `(${expression}) IS NOT FALSE`).join(' AND ') || 'true'}`,
      );
      if (!('message' in answer) && (answer[0]?.rowCount ?? 0) > 0) found.push(row);
    }
    return found.length > 0 ? found : `the server could not try values: ${refused.message}`;
  }

  #candidates(
    table: FillTable,
    column: FillColumn,
    { checks, columns, lateKeys }: Group,
    reach: Reach,
    nothing: ReadonlySet<string>,
  ): readonly (string | null)[] {
    const nullable: readonly null[] = column.isNotNull || this.#isNotNullDomain(column) ? [] : [null];
    if (nothing.has(column.name)) return nullable;
    const isLate = lateKeys.some((key) => key.columns.includes(column.name));
    // Without replica mode the server looks for the parent at once.
    if (isLate && !this.#replica && nullable.length > 0) return nullable;
    // The same values in each of the tables, or a row could not refer to two of them.
    const salt = this.#shared.has(`${table.oid} ${column.name}`) ? column.name : `${table.name}.${column.name}`;
    const request = { type: column.type, modifier: column.modifier, salt };
    const choice = this.#choice(reach);
    if (checks.length === 0) {
      const values = [0, 1, 2, 3, 4, 5].flatMap((row) => distinctValue(choice, request, row) ?? []);
      return values.length > 0 ? [...new Set(values)] : nullable;
    }
    const hints = hintsOf([
      ...checks.map(({ expression }) => expression),
      ...columns.flatMap(({ generated }) => generated ?? []),
    ]);
    const values = candidateValues(choice, { ...request, hints });
    // Of a list only the first are tried where many columns hang together, and checks on several columns are often about NULL.
    return [...values.slice(0, 2), ...nullable, ...values.slice(2)];
  }

  #isNotNullDomain(column: FillColumn): boolean {
    return this.#facts.types.get(column.type)?.isNotNull === true;
  }

  #combinationsSql(table: FillTable, { group, keys, lists }: Question, combinationsAtMost: number): string {
    const sources: string[] = [];
    const places = new Map<string, string>();
    const equalities: string[] = [];
    const several = group.checks.filter(({ expression }) => usedColumns(table, expression).length > 1);
    const perSource = Math.max(2, Math.floor(combinationsAtMost ** (1 / (keys.length + lists.size))));
    for (const [at, key] of keys.entries()) {
      const alias = `k${at}`;
      const parent = this.#facts.tables.get(key.parent);
      const own = key.columns.map((name) => table.columns.find((column) => column.name === name));
      const selected = key.columns.map((name, index) => `p.${key.parentColumns[index] ?? ''} AS ${name}`).join(', ');
      const given = key.parentColumns.map((name) => `p.${name} IS NOT NULL`).join(' AND ');
      const mayBeMissing = several.length > 0 && own.every((column) => column?.isNotNull === false);
      const missing = mayBeMissing ? ` UNION ALL SELECT ${key.columns.map(() => 'NULL').join(', ')}, 1000` : '';
      sources.push(
        `(SELECT k.*, row_number() OVER () AS "flyback no" FROM (SELECT DISTINCT ${selected} FROM ${parent?.kind === 'p' ? '' : 'ONLY '}${parent?.name ?? ''} p WHERE ${given} ORDER BY ${key.columns.map((_, index) => index + 1).join(', ')} LIMIT ${Math.min(perSource, 12)}) k${missing}) ${alias}`,
      );
      for (const column of own) {
        if (column === undefined) continue;
        const first = places.get(column.name);
        if (first === undefined) places.set(column.name, `CAST(${alias}.${column.name} AS ${column.typeText})`);
        else equalities.push(`${first} = CAST(${alias}.${column.name} AS ${column.typeText})`);
      }
    }
    for (const [column, list] of lists) {
      const alias = `v${sources.length}`;
      const domainChecks = this.#facts.domainChecks.get(column.type) ?? [];
      const isDomain = this.#facts.types.get(column.type)?.kind === 'domain';
      const typeText = isDomain
        ? (this.#facts.typeTexts.get(baseOf(this.#facts.types, column.type)) ?? '')
        : column.typeText;
      const alone = [
        ...group.checks
          .filter(({ expression }) => {
            const used = usedColumns(table, expression);
            return (
              used.length === 1 &&
              used[0] === column &&
              column.generated === undefined &&
              !namesGenerated(table, expression)
            );
          })
          .map(({ expression }) => expression),
        ...domainChecks.map((check) => checkOfColumn(check, column.name)),
      ];
      sources.push(
        `(SELECT s.${column.name}, row_number() OVER (ORDER BY s."flyback no") AS "flyback no" FROM (SELECT u.i AS "flyback no", CAST(u.t AS ${typeText}) AS ${column.name} FROM unnest(${textArray(list)}) WITH ORDINALITY u(t, i)) s${alone.length === 0 ? '' : ` WHERE ${alone.map((check) => `(${check}) IS NOT FALSE`).join(' AND ')}`} ORDER BY s."flyback no" LIMIT ${Math.min(perSource, 60)}) ${alias}`,
      );
      places.set(column.name, `${alias}.${column.name}`);
    }
    const numbers = sources.map((source) => `${source.slice(source.lastIndexOf(' ') + 1)}."flyback no"`).join(', ');
    const inner = `SELECT ${group.columns.map(({ name }) => `${places.get(name) ?? 'NULL'} AS ${name}`).join(', ')}, greatest(${numbers}) - least(${numbers}) AS "flyback spread", greatest(${numbers}) AS "flyback far" FROM ${sources.join(' CROSS JOIN ')}${equalities.length === 0 ? '' : ` WHERE ${equalities.join(' AND ')}`}`;
    const generated = table.columns.filter(
      (column) =>
        column.generated !== undefined &&
        group.checks.some(({ expression }) => namesColumn(expression, column.rawName)),
    );
    const laterals = generated.map(
      (column, at) =>
        ` CROSS JOIN LATERAL (SELECT CAST((${column.generated ?? ''}) AS ${column.typeText}) AS ${column.name}) g${at}`,
    );
    const conditions = group.checks.map(({ expression }) => `(${expression}) IS NOT FALSE`);
    return `SELECT ${group.columns.map(({ name }) => `CASE WHEN num_nulls(x.${name}) = 0 THEN format('%s', x.${name}) END`).join(', ')} FROM (${inner}) x${laterals.join('')}${conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`} ORDER BY x."flyback spread", x."flyback far" LIMIT ${combinationsKept}`;
  }

  async #hasRows(table: FillTable | undefined): Promise<boolean> {
    if (table?.kind !== 'p') return false;
    const [answer] = await this.#session.query(`SELECT EXISTS (SELECT FROM ${table.name})`);
    return answer?.rows[0]?.[0] === 't';
  }

  /** Now that all rows are there, keys that close a circle get the values of real rows. */
  async #putLateKeys(): Promise<void> {
    if (!this.#replica) return;
    for (const [oid, keys] of this.#late) {
      const table = this.#facts.tables.get(oid);
      if (table === undefined || (this.#outcomes.get(oid)?.rows ?? 0) === 0 || table.kind !== 'r') continue;
      for (const key of keys) await this.#putLateKey(table, key);
    }
  }

  async #putLateKey(table: FillTable, key: ForeignKey): Promise<void> {
    const parent = this.#facts.tables.get(key.parent);
    if (parent === undefined) return;
    const from = `${parent.kind === 'p' ? '' : 'ONLY '}${parent.name}`;
    const taken = key.columns.map((name, at) => `${name} = p.c${at}`).join(', ');
    const parents = `SELECT ${key.parentColumns.map((name, at) => `q.${name} AS c${at}`).join(', ')}, row_number() OVER (ORDER BY q.tableoid, q.ctid) - 1 AS no, count(*) OVER () AS many FROM ${from} q`;
    const numbered = `SELECT t.ctid AS place, row_number() OVER (ORDER BY t.ctid) - 1 AS no FROM ONLY ${table.name} t`;
    const shifts = parent.oid === table.oid ? [1, 0] : [0, 1];
    const together = key.beside.map((name) => `q.${name}`).join(', ');
    const attempts = [
      ...(key.beside.length === 0
        ? []
        : [
            `UPDATE ONLY ${table.name} u SET ${taken} FROM (SELECT DISTINCT ON (${together}) ${together}, ${key.parentColumns.map((name, at) => `q.${name} AS c${at}`).join(', ')} FROM ${from} q ORDER BY ${together}, q.tableoid, q.ctid) p WHERE ${key.beside.map((name) => `u.${name} = p.${name}`).join(' AND ')}`,
          ]),
      // Each row refers to another one than its neighbour does, never to itself where that can be.
      ...shifts.map(
        (shift) =>
          `UPDATE ONLY ${table.name} u SET ${taken} FROM (${numbered}) n, (${parents}) p WHERE u.ctid = n.place AND p.no = (n.no + ${shift}) % p.many`,
      ),
    ];
    const free = key.columns.filter(
      (name) => table.columns.find((column) => column.name === name)?.isNotNull === false,
    );
    if (free.length > 0) {
      attempts.push(`UPDATE ONLY ${table.name} SET ${free.map((name) => `${name} = NULL`).join(', ')}`);
    }
    const child = this.#outcomes.get(key.parent);
    const chosen = (child?.rows ?? 0) === 0 && parent.isEmpty ? attempts.slice(-1) : attempts;
    for (const attempt of chosen) {
      // The division fails where a row has no parent.
      const answer = await this.#try(`${attempt}; SELECT 1 / (1 - EXISTS (${this.#orphansOf(table, key)})::int)`);
      if (!('message' in answer)) return;
    }
  }

  /** Replica mode looks at no foreign key: rows without their parent are not there in earnest, and go. */
  async #dropOrphans(): Promise<void> {
    if (!this.#replica) return;
    for (;;) {
      const keys = [...this.#outcomes].flatMap(([oid, { rows }]) => {
        const table = this.#facts.tables.get(oid);
        if (rows === 0 || table?.kind !== 'r') return [];
        return table.foreignKeys.map((key) => ({ table, key }));
      });
      if (keys.length === 0) return;
      const [found] = await this.#session.query(
        keys
          .map(({ table, key }, at) => `SELECT ${at} WHERE EXISTS (${this.#orphansOf(table, key)})`)
          .join('\nUNION ALL\n'),
      );
      const first = keys[Number(found?.rows[0]?.[0] ?? -1)];
      if (first === undefined) return;
      const { table, key } = first;
      await this.#session.query(`DELETE FROM ONLY ${table.name}`);
      this.#outcomes.set(table.oid, {
        rows: 0,
        reason: `${table.name} could not be filled: no rows were found for its key ${key.name} to refer to.`,
      });
    }
  }

  /** A query for rows that have no parent. */
  #orphansOf(table: FillTable, { columns, parent, parentColumns, operators }: ForeignKey): string {
    const { kind, name } = this.#facts.tables.get(parent) ?? { kind: 'r', name: parent };
    const given = columns.map((column) => `c.${column} IS NOT NULL`).join(' AND ');
    const equal = columns.map((column, at) => `p.${parentColumns[at] ?? ''} ${operators[at] ?? '='} c.${column}`);
    return `SELECT FROM ONLY ${table.name} c WHERE ${given} AND NOT EXISTS (SELECT FROM ${kind === 'p' ? '' : 'ONLY '}${name} p WHERE ${equal.join(' AND ')})`;
  }

  /** Runs a statement in a savepoint of its own. */
  async #try(sql: string): Promise<readonly QueryResult[] | Refused> {
    const sent = await this.#session.pipeline([`SAVEPOINT flyback_try; ${sql}; RELEASE SAVEPOINT flyback_try`]);
    if (sent.failure === undefined) return sent.results[0]?.slice(1, -1) ?? [];
    await this.#session.query('ROLLBACK TO SAVEPOINT flyback_try; RELEASE SAVEPOINT flyback_try');
    return { message: sent.failure.error.message, serverCode: sent.failure.error.serverCode };
  }
}

/** Columns whose values the server finds: some are those of parents, for the others there are candidates. */
interface Question {
  readonly group: Group;
  readonly keys: readonly ForeignKey[];
  readonly lists: ReadonlyMap<FillColumn, readonly (string | null)[]>;
}

interface Group {
  readonly columns: readonly FillColumn[];
  readonly checks: readonly FillCheck[];
  readonly keys: readonly ForeignKey[];
  readonly lateKeys: readonly ForeignKey[];
}

/** The same key as if it demanded what stands beside it. In that order, the first parents of every key have the same. */
function withShared(key: ForeignKey): ForeignKey {
  const { beside, columns, parentColumns } = key;
  return { ...key, columns: [...beside, ...columns], parentColumns: [...beside, ...parentColumns] };
}

function baseOf(types: FillFacts['types'], oid: string): string {
  const facts = types.get(oid);
  return facts?.kind === 'domain' && facts.of !== undefined ? baseOf(types, facts.of.type) : oid;
}

/** Columns on which an expression depends, those behind a generated column included. */
function usedColumns(table: FillTable, expression: string): readonly FillColumn[] {
  return table.columns.filter(
    (column) =>
      column.generated === undefined &&
      (namesColumn(expression, column.rawName) ||
        table.columns.some(
          ({ rawName, generated }) =>
            generated !== undefined && namesColumn(expression, rawName) && namesColumn(generated, column.rawName),
        )),
  );
}

function namesGenerated(table: FillTable, expression: string): boolean {
  return table.columns.some(({ rawName, generated }) => generated !== undefined && namesColumn(expression, rawName));
}

/** The next row: in each group the option whose values are newest, so that no unique key is violated; undefined: there is none. */
function nextRow(
  groups: readonly (readonly Row[])[],
  rows: readonly Row[],
  keys: readonly (readonly string[])[],
): Row | undefined {
  const ordered = groups.map((options) => {
    // A value that was there already is worse than a new one, and none at all is worse still.
    const seen = (option: Row): number =>
      rows.reduce((sum, row) => sum + [...option].filter(([name, value]) => row.get(name) === value).length, 0) +
      [...option.values()].filter((value) => value === null).length * (rowsWanted + 0.5);
    return options
      .map((option, at) => ({ option, at, count: seen(option) }))
      .sort((a, b) => a.count - b.count || a.at - b.at)
      .map(({ option }) => option);
  });
  const isNew = (row: Row): boolean =>
    keys.every((key) =>
      rows.every((other) =>
        key.some((name) => !row.has(name) || row.get(name) === null || row.get(name) !== other.get(name)),
      ),
    );
  const combined = (choice: readonly number[]): Row =>
    new Map(ordered.flatMap((options, at) => [...(options[choice[at] ?? 0] ?? new Map<string, string | null>())]));
  const first = combined([]);
  if (isNew(first)) return first;
  const involved = keys.flat();
  const varied = ordered.flatMap((options, at) =>
    options.length > 1 && [...(options[0]?.keys() ?? [])].some((name) => involved.includes(name)) ? [at] : [],
  );
  const choice = ordered.map(() => 0);
  for (let step = 0; step < 4000; step++) {
    // Counting: the first group changes fastest.
    let carried = true;
    for (const at of varied) {
      choice[at] = ((choice[at] ?? 0) + 1) % (ordered[at]?.length ?? 1);
      if (choice[at] !== 0) {
        carried = false;
        break;
      }
    }
    if (carried) return undefined;
    const row = combined(choice);
    if (isNew(row)) return row;
  }
  return undefined;
}

function insertSql(table: FillTable, rows: readonly Row[]): string {
  const columns = table.columns.filter(
    ({ name, generated }) => generated === undefined && rows.some((row) => row.has(name)),
  );
  if (columns.length === 0) return rows.map(() => `INSERT INTO ${table.name} DEFAULT VALUES`).join('; ');
  const tuples = rows.map(
    (row) =>
      `(${columns
        .map(({ name }) => {
          const value = row.get(name);
          return value === undefined ? 'DEFAULT' : value === null ? 'NULL' : quoteLiteral(value);
        })
        .join(', ')})`,
  );
  return `INSERT INTO ${table.name} (${columns.map(({ name }) => name).join(', ')}) OVERRIDING SYSTEM VALUE VALUES ${tuples.join(', ')}`;
}

function textArray(list: readonly (string | null)[]): string {
  return `ARRAY[${list.map((text) => (text === null ? 'NULL' : quoteLiteral(text))).join(', ')}]::text[]`;
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}
