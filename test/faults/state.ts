import { createHash } from 'node:crypto';
import type pg from 'pg';
import { readCatalogIn } from '../harness/catalog-text.js';
import { historyRow, historyTable } from '../harness/project.js';
import { filesOf, fixtureVersions, ground, type FixtureVersion, type Form } from './fixture.js';

/*
 * What a database of the fixture holds, and what it may hold: the model runs the rollbacks' statements by itself, one
 * after the other, without the product.
 */

/** A database at one moment. */
export interface State {
  /**
   * Objects, rows and history as text, without flyback's own tables; as if no history row were marked as failed and no
   * invalid index were there, both of which are told apart.
   */
  readonly catalog: string;
  /** Versions whose history row is marked as failed. */
  readonly failed: readonly string[];
  /** Lines of indexes that an interrupted CONCURRENTLY has left. */
  readonly invalid: readonly string[];
  /** Outcome and version of the record's entries, oldest first. */
  readonly record: readonly { readonly outcome: string; readonly version: string }[];
  /** The chain of the record was recomputed and holds. */
  readonly isRecordWhole: boolean;
  /** The journal, oldest first. */
  readonly journal: readonly { readonly event: string; readonly statement?: number }[];
}

/** Where a database of the fixture may be: `versions` rolled back completely, and statements of the next one. */
interface Place {
  readonly versions: number;
  readonly statements: number;
  readonly catalog: string;
}

/** Every state that one form of the fixture may be in. */
export interface Model {
  readonly versions: readonly FixtureVersion[];
  readonly places: readonly Place[];
}

/** A state that may be: so many versions are rolled back, and nothing is pending; or the next one is, after so many statements. */
export type Verdict =
  | { readonly kind: 'after'; readonly versions: number }
  | { readonly kind: 'interrupted'; readonly versions: number; readonly statements: number };

/** What must never be: of the database, or of what the command says about it. */
export class WrongOutcome extends Error {
  override readonly name = 'WrongOutcome';
}

/** Whatever was there before, it leaves everything up to the three applied versions, and the history as Flyway writes it. */
export function fixtureSql(form: Form): string {
  const oldestFirst = fixtureVersions(form).toReversed();
  const applied = oldestFirst.flatMap((version) => [version.up, historyRow(filesOf(version))]);
  // The judge compares every value, and a model is for many databases.
  const appliedThen = `UPDATE flyway_schema_history SET installed_on = '2026-01-02 03:04:05.678901'`;
  return ['DROP SCHEMA public CASCADE; CREATE SCHEMA public', ground, historyTable, ...applied, appliedThen].join(
    ';\n',
  );
}

/** Walks through all rollbacks of a freshly built fixture, which is used up, and notes every state on the way. */
export async function readModel(client: pg.Client, form: Form): Promise<Model> {
  const versions = fixtureVersions(form);
  const places: Place[] = [];
  const note = async (done: number, statements: number): Promise<void> => {
    places.push({ versions: done, statements, catalog: (await readState(client)).catalog });
  };
  await note(0, 0);
  for (const [done, version] of versions.entries()) {
    for (const [index, statement] of version.down.entries()) {
      await client.query(statement);
      if (!version.transactional) await note(done, index + 1);
    }
    await client.query('DELETE FROM flyway_schema_history WHERE version = $1', [version.version]);
    await note(done + 1, 0);
  }
  return { versions, places };
}

const failedMark = /^public\.flyway_schema_history .*"success": false/;

export async function readState(client: pg.Client): Promise<State> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const { rows: found } = await client.query<{ record: string | null; journal: string | null }>(
    `SELECT to_regclass('public.flyback_record') AS record, to_regclass('public.flyback_record_journal') AS journal`,
  );
  const record = found[0]?.record
    ? await client.query<{ entry: string; previous_hash: string; hash: string }>(
        'SELECT entry, previous_hash, hash FROM public.flyback_record ORDER BY id',
      )
    : undefined;
  const journal = found[0]?.journal
    ? await client.query<{ entry: string }>('SELECT entry FROM public.flyback_record_journal ORDER BY id')
    : undefined;
  const { rows: invalidNames } = await client.query<{ name: string }>(
    `SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid OR NOT indisready`,
  );
  const catalog = await readCatalogIn(client, { without: [] });
  await client.query('COMMIT; RESET search_path');
  const lines = [...catalog.objects, ...catalog.columnOrders, ...catalog.rows].filter(
    (line) => !line.includes('flyback_record'),
  );
  const isInvalid = (line: string): boolean =>
    / valid f /.test(line) ||
    / ready f /.test(line) ||
    invalidNames.some(({ name }) => line.startsWith(`relation public.${name} `));
  const failed = lines.filter((line) => failedMark.test(line));
  return {
    catalog: lines
      .filter((line) => !isInvalid(line))
      .map((line) => (failedMark.test(line) ? line.replace('"success": false', '"success": true') : line))
      .sort()
      .join('\n'),
    failed: failed.map((line) => /"version": "([^"]*)"/.exec(line)?.[1] ?? line),
    invalid: lines.filter(isInvalid),
    record: (record?.rows ?? []).map(({ entry }) => {
      const { outcome, version } = JSON.parse(entry) as { readonly outcome: string; readonly version: string };
      return { outcome, version };
    }),
    isRecordWhole: isWhole(record?.rows ?? []),
    journal: (journal?.rows ?? []).map(({ entry }) => JSON.parse(entry) as State['journal'][number]),
  };
}

/** The chain as docs/record.md describes it, computed anew. */
function isWhole(rows: readonly { entry: string; previous_hash: string; hash: string }[]): boolean {
  let previous = '0'.repeat(64);
  for (const row of rows) {
    const hash = createHash('sha256').update(`${row.previous_hash}\n${row.entry}`).digest('hex');
    if (row.previous_hash !== previous || row.hash !== hash) return false;
    previous = hash;
  }
  return true;
}

/** Throws WrongOutcome for a state that is neither after a version nor interrupted in one, with everybody told so. */
export function judge(state: State, model: Model): Verdict {
  const wrong = (why: string): never => {
    throw new WrongOutcome(why);
  };
  if (!state.isRecordWhole) return wrong('the chain of the record is broken');
  const committed = state.record.filter(({ outcome }) => outcome === 'committed').map(({ version }) => version);
  const isPending = state.failed.length > 0 || state.journal.length > 0;
  const places = model.places.filter(
    (place) => place.catalog === state.catalog && (isPending || place.statements === 0),
  );
  const told = model.versions.slice(0, committed.length).map(({ version }) => version);
  if (told.join() !== committed.join()) return wrong(`the record tells that ${committed.join()} were committed`);
  const place = places.find(({ versions }) => versions === committed.length);
  if (place === undefined) {
    return wrong(
      places.length > 0
        ? `${places[0]?.versions} versions are rolled back, the record tells of ${committed.length}`
        : `neither before nor after a version; ${describe(state, model, committed.length)}`,
    );
  }
  if (!isPending) {
    if (state.invalid.length > 0) return wrong(`left over: ${state.invalid.join('; ')}`);
    return { kind: 'after', versions: place.versions };
  }
  const version = model.versions[place.versions];
  if (version === undefined || version.transactional)
    return wrong(`interrupted where nothing can be: ${describe(state, model, committed.length)}`);
  if (state.failed.join() !== version.version) return wrong(`marked as failed: ${state.failed.join() || 'nothing'}`);
  if (state.journal.length === 0) return wrong(`version ${version.version} is marked as failed without a journal`);
  return { kind: 'interrupted', versions: place.versions, statements: place.statements };
}

/** How a state differs from the place that the record speaks of. */
function describe(state: State, model: Model, versions: number): string {
  const before = model.places.find((place) => place.versions === versions && place.statements === 0);
  const expected = new Set(before?.catalog.split('\n'));
  const found = new Set(state.catalog.split('\n'));
  const differences = [
    ...[...expected].filter((line) => !found.has(line)).map((line) => `- ${line}`),
    ...[...found].filter((line) => !expected.has(line)).map((line) => `+ ${line}`),
  ];
  return [
    `failed: ${state.failed.join() || 'none'}; journal: ${state.journal.map(({ event }) => event).join() || 'empty'}`,
    `against ${versions} versions rolled back:`,
    ...differences.slice(0, 12),
  ].join('\n');
}
