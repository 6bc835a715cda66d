import { createHash } from 'node:crypto';
import type { Connection } from 'mysql2/promise';
import { WrongOutcome, type Verdict } from '../state.js';
import { fixtureStatements, versions } from './fixture.js';

/* What a database of the fixture holds, and what it may hold: the model runs the rollbacks' statements by itself. */

/** A database at one moment. */
export interface State {
  /** Tables, views, triggers, rows and history as text, without flyback's own, as if no history row were marked as failed. */
  readonly text: string;
  /** Versions whose history row is marked as failed. */
  readonly failed: readonly string[];
  readonly record: readonly { readonly outcome: string; readonly version: string }[];
  readonly isRecordWhole: boolean;
  readonly journal: readonly { readonly event: string; readonly statement?: number }[];
}

/** `versions` are rolled back completely, and so many statements of the next one. */
export interface Place {
  readonly versions: number;
  readonly statements: number;
  readonly text: string;
}

type Row = Readonly<Record<string, unknown>>;

async function rowsOf(client: Connection, sql: string): Promise<readonly Row[]> {
  const [rows] = await client.query(sql);
  return rows as readonly Row[];
}

/** Empties the database and puts the fixture into it. */
export async function build(client: Connection): Promise<void> {
  await client.query('SET foreign_key_checks = 0');
  const found = await rowsOf(
    client,
    'SELECT table_name AS name, table_type AS kind FROM information_schema.tables WHERE table_schema = DATABASE()',
  );
  for (const { name, kind } of found)
    await client.query(`DROP ${kind === 'VIEW' ? 'VIEW' : 'TABLE'} \`${String(name)}\``);
  await client.query('SET foreign_key_checks = 1');
  for (const statement of fixtureStatements()) await client.query(statement);
}

/** Walks through all rollbacks of a freshly built fixture, which is used up, and notes every state on the way. */
export async function readPlaces(client: Connection): Promise<readonly Place[]> {
  const places: Place[] = [];
  const note = async (done: number, statements: number): Promise<void> => {
    places.push({ versions: done, statements, text: (await readState(client)).text });
  };
  await note(0, 0);
  for (const [done, version] of versions.entries()) {
    for (const [index, statement] of version.down.entries()) {
      await client.query(statement);
      if (!version.isTransactional) await note(done, index + 1);
    }
    await client.query('DELETE FROM flyway_schema_history WHERE version = ?', [version.version]);
    await note(done + 1, 0);
  }
  return places;
}

export async function readState(client: Connection): Promise<State> {
  const names = await rowsOf(
    client,
    'SELECT table_name AS name, table_type AS kind FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name',
  );
  const lines: string[] = [];
  const failed: string[] = [];
  let record: readonly Row[] = [];
  let journal: readonly Row[] = [];
  for (const { name, kind } of names) {
    const table = `\`${String(name)}\``;
    if (name === 'flyback_record')
      record = await rowsOf(client, `SELECT entry, previous_hash, hash FROM ${table} ORDER BY id`);
    else if (name === 'flyback_record_journal')
      journal = await rowsOf(client, `SELECT entry FROM ${table} ORDER BY id`);
    else {
      const [created] = await rowsOf(client, `SHOW CREATE TABLE ${table}`);
      lines.push(String(created?.['Create Table'] ?? created?.['Create View']));
      if (kind === 'VIEW') continue;
      for (const row of await rowsOf(client, `SELECT * FROM ${table}`)) {
        if (name === 'flyway_schema_history' && Number(row['success']) === 0) failed.push(String(row['version']));
        lines.push(
          `${String(name)} ${JSON.stringify(name === 'flyway_schema_history' ? { ...row, success: 1 } : row)}`,
        );
      }
    }
  }
  const triggers = await rowsOf(
    client,
    'SELECT trigger_name AS name, event_object_table AS tbl, action_statement AS body FROM information_schema.triggers WHERE trigger_schema = DATABASE()',
  );
  lines.push(...triggers.map((trigger) => `trigger ${JSON.stringify(trigger)}`));
  return {
    text: lines.sort().join('\n'),
    failed,
    record: record.map(({ entry }) => {
      const { outcome, version } = JSON.parse(String(entry)) as { readonly outcome: string; readonly version: string };
      return { outcome, version };
    }),
    isRecordWhole: isWhole(record),
    journal: journal.map(({ entry }) => JSON.parse(String(entry)) as State['journal'][number]),
  };
}

/** The chain as docs/record.md describes it, computed anew. */
function isWhole(rows: readonly Row[]): boolean {
  let previous = '0'.repeat(64);
  for (const row of rows) {
    const hash = createHash('sha256')
      .update(`${String(row['previous_hash'])}\n${String(row['entry'])}`)
      .digest('hex');
    if (row['previous_hash'] !== previous || row['hash'] !== hash) return false;
    previous = hash;
  }
  return true;
}

/** Throws WrongOutcome for a state that is neither after a version nor interrupted in one, with everybody told so. */
export function judge(state: State, places: readonly Place[]): Verdict {
  const wrong = (why: string): never => {
    throw new WrongOutcome(why);
  };
  if (!state.isRecordWhole) return wrong('the chain of the record is broken');
  const committed = state.record.filter(({ outcome }) => outcome === 'committed').map(({ version }) => version);
  const told = versions.slice(0, committed.length).map(({ version }) => version);
  if (told.join() !== committed.join()) return wrong(`the record tells that ${committed.join()} were committed`);
  const isPending = state.failed.length > 0 || state.journal.length > 0;
  const place = places.find(
    (candidate) =>
      candidate.text === state.text &&
      candidate.versions === committed.length &&
      (isPending || candidate.statements === 0),
  );
  if (place === undefined)
    return wrong(`neither before nor after a version; ${describe(state, places, committed.length)}`);
  if (!isPending) return { kind: 'after', versions: place.versions };
  const version = versions[place.versions];
  if (version === undefined || version.isTransactional) return wrong('interrupted where nothing can be');
  if (state.failed.join() !== version.version) return wrong(`marked as failed: ${state.failed.join() || 'nothing'}`);
  if (state.journal.length === 0) return wrong(`version ${version.version} is marked as failed without a journal`);
  return { kind: 'interrupted', versions: place.versions, statements: place.statements };
}

function describe(state: State, places: readonly Place[], done: number): string {
  const before = places.find((place) => place.versions === done && place.statements === 0);
  const expected = new Set(before?.text.split('\n'));
  const found = new Set(state.text.split('\n'));
  return [
    `failed: ${state.failed.join() || 'none'}; journal: ${state.journal.map(({ event, statement }) => `${event} ${statement ?? ''}`).join() || 'empty'}`,
    `against ${done} versions rolled back:`,
    ...[...expected].filter((line) => !found.has(line)).map((line) => `- ${line}`),
    ...[...found].filter((line) => !expected.has(line)).map((line) => `+ ${line}`),
  ]
    .slice(0, 14)
    .join('\n');
}
