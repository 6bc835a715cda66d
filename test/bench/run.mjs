/*
 * The benchmark: npm run bench [-- --sections many,one,version,status --rounds 5]. What it compares, and how to read
 * it: docs/benchmark.md. It asserts nothing about time; it does check that every contender did its work.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { databaseTexts, psqlScript, writeFlywayProject, writePeerFiles, writeToolProject } from './project.mjs';
import { startServer } from './server.mjs';

const allSections = ['many', 'one', 'version', 'status', 'golang-migrate', 'knex', 'sequelize'];
const { values: options } = parseArgs({
  options: {
    sections: { type: 'string', default: allSections.join(',') },
    rounds: { type: 'string', default: '5' },
    versions: { type: 'string', default: '1000' },
    'status-versions': { type: 'string', default: '10000' },
    contenders: { type: 'string', default: '' },
    cli: { type: 'string', default: fileURLToPath(new URL('../../dist/cli.js', import.meta.url)) },
    url: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const sections = options.sections.split(',');
const wrong = sections.filter((section) => !allSections.includes(section));
if (wrong.length > 0) throw new Error(`Sections are ${allSections.join(', ')}; not ${wrong.join(', ')}.`);
const rounds = readCount('rounds');
const versions = readCount('versions');
const statusVersions = readCount('status-versions');
/** Only contenders whose names hold this text. */
const wanted = options.contenders.split(',');

const benchFolder = fileURLToPath(new URL('./', import.meta.url));
const peersFolder = path.join(benchFolder, 'node_modules');
const contender = (name) => path.join(benchFolder, 'contenders', name);
const cli = path.resolve(options.cli);
if (!existsSync(cli)) throw new Error(`There is no ${cli}: build it first with npm run build.`);

const work = mkdtempSync(path.join(os.tmpdir(), 'flyback-bench-'));
const server =
  options.url === undefined
    ? await startServer()
    : { url: options.url, version: undefined, stop: async () => undefined };
const admin = new pg.Client({ connectionString: server.url });
const databases = { template: 'flyback_bench_template', run: 'flyback_bench_run' };
const runUrl = urlOf(databases.run);
const results = [];
try {
  await admin.connect();
  const { rows } = await admin.query('SHOW server_version');
  console.error(
    `PostgreSQL ${rows[0].server_version}, Node ${process.versions.node}, ${os.cpus().length} cores, ${rounds} rounds`,
  );
  for (const section of sections) {
    const make = { many, one, version, status, 'golang-migrate': golangMigrate, knex, sequelize };
    const { title, baselines, contenders } = await make[section]();
    const chosen = contenders.filter(({ name }) => wanted.some((text) => name.includes(text)));
    const measured = await measureInterleaved(chosen);
    results.push({ section, title, baselines, measured });
    if (!options.json) console.log(printSection(title, baselines, measured));
  }
  if (options.json) console.log(JSON.stringify(results, null, 2));
} finally {
  for (const name of Object.values(databases)) await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await admin.end();
  await server.stop();
  rmSync(work, { recursive: true, force: true });
}

function readCount(name) {
  const count = Number(options[name]);
  if (!Number.isInteger(count) || count < 1) throw new Error(`--${name} must be a whole number above 0.`);
  return count;
}

function urlOf(database) {
  const url = new URL(server.url);
  url.pathname = `/${database}`;
  return url.href;
}

/** Many versions, all taken back, a transaction for each. */
async function many() {
  const withQueries = 'psql, same queries';
  installPeers();
  const folder = path.join(work, 'many');
  const plain = path.join(folder, 'plain');
  const verified = path.join(folder, 'verified');
  writeFlywayProject(plain, { versions, url: runUrl, verified: false });
  writeFlywayProject(verified, { versions, url: runUrl, verified: true });
  const files = writePeerFiles(folder, { versions, peersFolder, url: runUrl });
  await createTemplate({ versions, withObjects: true });
  const prepared = { prepare: restore, expectTables: 0 };
  return {
    title: `${versions} versions taken back, a transaction each`,
    baselines: ['psql', withQueries],
    contenders: [
      { ...prepared, ...psql(files.psql), history: 'flyway_schema_history' },
      { ...prepared, ...psql(files.psqlQueries, withQueries), history: 'flyway_schema_history' },
      {
        ...prepared,
        name: 'least possible Node',
        command: [process.execPath, contender('least-node.mjs'), path.join(plain, 'rollbacks'), String(versions), '1'],
        history: 'flyway_schema_history',
      },
      { ...prepared, ...flyback('flyback', plain, '--all') },
      { ...prepared, ...flyback('flyback, verifying each', verified, '--all') },
      {
        ...prepared,
        name: 'umzug',
        command: [process.execPath, contender('umzug.mjs'), files.umzug],
        history: 'umzug_migrations',
      },
      {
        ...prepared,
        name: 'node-pg-migrate',
        command: [
          process.execPath,
          path.join(peersFolder, 'node-pg-migrate/bin/node-pg-migrate.js'),
          ...['down', String(versions), '--migrations-dir', files.nodePgMigrate, '--no-single-transaction'],
        ],
        history: 'pgmigrations',
      },
      {
        ...prepared,
        name: 'knex',
        command: [
          process.execPath,
          path.join(peersFolder, 'knex/bin/cli.js'),
          ...['migrate:rollback', '--all', '--knexfile', files.knex],
        ],
        history: 'knex_migrations',
      },
    ],
  };
}

/** The newest version of a small project, and of a large one. */
async function one() {
  const few = 10;
  const folder = path.join(work, 'one');
  const plain = path.join(folder, 'plain');
  const verified = path.join(folder, 'verified');
  writeFlywayProject(plain, { versions: few, url: runUrl, verified: false });
  writeFlywayProject(verified, { versions: few, url: runUrl, verified: true });
  const file = path.join(folder, 'newest.sql');
  writeFileSync(file, psqlScript([few]));
  await createTemplate({ versions: few, withObjects: true });
  const prepared = { prepare: restore, expectTables: few - 1, history: 'flyway_schema_history', expectRows: few - 1 };
  return {
    title: `One version of ${few} taken back`,
    baselines: ['least possible Node', 'psql'],
    contenders: [
      { ...prepared, ...psql(file) },
      {
        ...prepared,
        name: 'least possible Node',
        command: [
          process.execPath,
          contender('least-node.mjs'),
          path.join(plain, 'rollbacks'),
          ...[String(few), String(few)],
        ],
      },
      { ...flyback('flyback', plain), ...prepared },
      { ...flyback('flyback, verifying', verified), ...prepared },
    ],
  };
}

/** Starting up, when nothing else is asked for. */
async function version() {
  const contenders = [
    { name: 'empty Node script', command: [process.execPath, contender('empty.mjs')] },
    { name: 'flyback --version', command: [process.execPath, cli, '--version'] },
  ];
  return {
    title: 'Asking for the version',
    baselines: ['empty Node script'],
    // Some milliseconds each: more of them, for a steadier median.
    contenders: contenders.map((item) => ({ ...item, repeat: 5 })),
  };
}

/** Reading a very large project: files, history, pairs. */
async function status() {
  const folder = path.join(work, 'status');
  mkdirSync(folder);
  writeFlywayProject(folder, { versions: statusVersions, url: urlOf(databases.template), verified: false });
  await createTemplate({ versions: statusVersions, withObjects: false });
  return {
    title: `status on ${statusVersions} versions`,
    baselines: [],
    contenders: [
      {
        name: 'flyback status',
        command: [process.execPath, '--import', contender('report-memory.mjs'), cli, 'status'],
        folder,
        expectLines: statusVersions,
      },
    ],
  };
}

function installPeers() {
  if (existsSync(path.join(peersFolder, 'sequelize-cli'))) return;
  console.error('installing the npm tools to compare with …');
  execFileSync('npm', ['ci', '--prefix', benchFolder, '--no-audit', '--no-fund'], { stdio: ['ignore', 2, 2] });
}

/** A tool's own way down against flyback's, on the history and the files of that tool. */
async function againstTool(tool, own, history, expectRows = 0) {
  await createTemplate({ versions, withObjects: true, golangMigrate: tool === 'golang-migrate' });
  const prepared = { prepare: restore, expectTables: 0, history, expectRows };
  return {
    title: `${versions} versions of ${tool} taken back`,
    baselines: [own.name],
    contenders: [
      { ...prepared, ...own },
      {
        ...prepared,
        name: 'flyback',
        command: [process.execPath, cli, 'rollback', '--all', '--yes', ...(own.url ?? [])],
        folder: own.folder,
      },
    ],
  };
}

async function golangMigrate() {
  const folder = path.join(work, 'golang-migrate');
  writeToolProject('golang-migrate', folder, { versions, url: runUrl });
  const program = installGolangMigrate();
  return againstTool(
    'golang-migrate',
    {
      name: 'migrate down -all',
      command: [
        program,
        '-path',
        path.join(folder, 'migrations'),
        '-database',
        `${runUrl}?sslmode=disable`,
        'down',
        '-all',
      ],
      folder,
      // It takes a URL without sslmode for one that requires TLS.
      url: ['--url', `${runUrl}?sslmode=disable`],
    },
    'schema_migrations',
  );
}

/** The tool's own build; Go keeps what it has compiled. */
function installGolangMigrate() {
  const target = path.join(work, 'bin');
  console.error('building golang-migrate …');
  execFileSync('go', ['install', '-tags', 'postgres', 'github.com/golang-migrate/migrate/v4/cmd/migrate@v4.18.3'], {
    env: { ...process.env, GOBIN: target, GOFLAGS: '-mod=mod' },
    stdio: ['ignore', 2, 2],
  });
  return path.join(target, 'migrate');
}

async function knex() {
  installPeers();
  const folder = path.join(work, 'knex');
  writeToolProject('knex', folder, { versions, url: runUrl, peersFolder });
  return againstTool(
    'knex',
    {
      name: 'knex migrate:rollback --all',
      command: [process.execPath, path.join(peersFolder, 'knex/bin/cli.js'), 'migrate:rollback', '--all'],
      folder,
    },
    'knex_migrations',
  );
}

async function sequelize() {
  installPeers();
  const folder = path.join(work, 'sequelize');
  writeToolProject('sequelize', folder, { versions, url: runUrl, peersFolder });
  return againstTool(
    'sequelize',
    {
      name: 'sequelize db:migrate:undo:all',
      command: [
        process.execPath,
        path.join(peersFolder, 'sequelize-cli/lib/sequelize'),
        'db:migrate:undo:all',
        '--env',
        'production',
      ],
      folder,
    },
    '"SequelizeMeta"',
  );
}

function psql(file, name = 'psql') {
  return { name, command: ['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', runUrl, '-f', file] };
}

function flyback(name, folder, ...target) {
  return {
    name,
    command: [process.execPath, cli, 'rollback', ...target, '--yes'],
    folder,
    history: 'flyway_schema_history',
  };
}

/** The database that each run starts from a copy of. */
async function createTemplate(what) {
  for (const name of Object.values(databases)) await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await admin.query(`CREATE DATABASE ${databases.template} TEMPLATE template0`);
  await onDatabase(databases.template, async (client) => {
    for (const text of databaseTexts(what)) await client.query(text);
    await client.query('VACUUM ANALYZE');
  });
}

async function restore() {
  await admin.query(`DROP DATABASE IF EXISTS ${databases.run} WITH (FORCE)`);
  await admin.query(`CREATE DATABASE ${databases.run} TEMPLATE ${databases.template}`);
  // The first connection to a database builds its cache file: it must not be on one contender's account.
  await onDatabase(databases.run, (client) => client.query('SELECT 1'));
  await admin.query('CHECKPOINT');
}

async function onDatabase(name, use) {
  const client = new pg.Client({ connectionString: urlOf(name) });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** A B C, A B C, …: what else the machine does falls on all of them alike. */
async function measureInterleaved(contenders) {
  const runs = new Map(contenders.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const item of contenders) {
      for (let again = 0; again < (item.repeat ?? 1); again += 1) {
        await item.prepare?.();
        const run = await measure(item);
        await checkWork(item, run);
        runs.get(item.name).push(run);
        if (item.repeat === undefined) console.error(`round ${round}: ${item.name} ${run.ms.toFixed(0)} ms`);
      }
    }
  }
  return [...runs].map(([name, list]) => ({
    name,
    ms: list.map(({ ms }) => ms),
    memoryMb: list.map(({ memoryMb }) => memoryMb),
  }));
}

async function measure({ name, command, folder }) {
  const environment = { ...process.env, DATABASE_URL: runUrl, NO_COLOR: '1' };
  const started = process.hrtime.bigint();
  const child = spawn(command[0], command.slice(1), {
    cwd: folder ?? work,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const texts = ['', '', '', ''];
  for (const descriptor of [1, 2, 3]) {
    child.stdio[descriptor].setEncoding('utf8').on('data', (text) => (texts[descriptor] += text));
  }
  let ended = 0n;
  child.once('exit', () => (ended = process.hrtime.bigint()));
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${texts[2].slice(-2000)}${texts[1].slice(-2000)}`);
  return {
    ms: Number(ended - started) / 1e6,
    output: texts[1],
    memoryMb: texts[3] === '' ? undefined : Number(texts[3]) / 1024,
  };
}

/** A contender that is fast because it did nothing must not win. */
async function checkWork({ name, history, expectRows = 0, expectTables, expectLines }, { output }) {
  if (expectLines !== undefined && output.split('\n').length < expectLines) {
    throw new Error(
      `${name} printed ${output.split('\n').length} lines instead of ${expectLines}: ${output.slice(-500)}`,
    );
  }
  if (history === undefined) return;
  const { tables, left } = await onDatabase(databases.run, async (client) => {
    const answer = await client.query(
      `SELECT (SELECT count(*)::int FROM pg_class WHERE relname ~ '^[ti][0-9]+$') AS tables, (SELECT count(*)::int FROM ${history}) AS left`,
    );
    return answer.rows[0];
  });
  if (left !== expectRows || tables !== 2 * expectTables) {
    throw new Error(`${name} left ${left} history rows and ${tables} tables and indexes behind.`);
  }
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return Number.isInteger(middle) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[Math.floor(middle)];
}

function printSection(title, baselines, measured) {
  const known = baselines.flatMap((name) => measured.filter((item) => item.name === name));
  const hasMemory = measured.some(({ memoryMb }) => memoryMb.some((value) => value !== undefined));
  const header = [
    '',
    'median ms',
    'min',
    'max',
    ...known.map(({ name }) => `× ${name}`),
    ...(hasMemory ? ['peak MB'] : []),
  ];
  const lines = measured.map(({ name, ms, memoryMb }) => [
    name,
    ...[median(ms), Math.min(...ms), Math.max(...ms)].map((value) => value.toFixed(0)),
    // Round by round: neighbours in time had the same machine.
    ...known.map((base) => median(ms.map((value, index) => value / base.ms[index])).toFixed(2)),
    ...(hasMemory ? [Math.max(...memoryMb.map((value) => value ?? 0)).toFixed(0)] : []),
  ]);
  const widths = header.map((_, column) => Math.max(...[header, ...lines].map((line) => line[column].length)));
  const row = (line) =>
    `| ${line.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join(' | ')} |`;
  const rule = `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return `\n### ${title}\n\n${[row(header), rule, ...lines.map(row)].join('\n')}\n`;
}
