/*
 * npm run bench:mariadb [-- --rounds 5 --versions 300]: versions whose rollback is DDL, and versions whose rollback is DML,
 * taken back on MariaDB; beside the mariadb client with the same statements and the same journal. docs/benchmark.md.
 */
import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, closeSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { crc32 } from 'node:zlib';
import { createConnection } from 'mysql2/promise';

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, versions: { type: 'string', default: '300' } },
});
const rounds = Number(options.rounds);
const versions = Number(options.versions);
const repository = fileURLToPath(new URL('../../', import.meta.url));
const cli = path.join(repository, 'dist/cli.js');
const work = mkdtempSync(path.join(os.tmpdir(), 'flyback-bench-'));
const database = 'bench';

const kinds = {
  ddl: {
    title: `${versions} versions with DDL taken back, statement by statement`,
    up: (version) => [
      `CREATE TABLE t${version} (id INT PRIMARY KEY, name VARCHAR(40))`,
      `CREATE INDEX i${version} ON t${version} (name)`,
    ],
    down: (version) => [`DROP INDEX i${version} ON t${version}`, `DROP TABLE t${version}`],
  },
  dml: {
    title: `${versions} versions with DML alone taken back, a transaction each`,
    up: (version) => [`INSERT INTO data VALUES (${version}, 'row ${version}')`],
    down: (version) => [`DELETE FROM data WHERE id = ${version}`],
  },
};

const server = await startServer();
try {
  console.error(
    `MariaDB ${server.version}, Node ${process.versions.node}, ${os.cpus().length} cores, ${rounds} rounds`,
  );
  for (const [kind, { title, up, down }] of Object.entries(kinds)) {
    const folder = path.join(work, kind);
    writeProject(folder, up, down);
    const script = path.join(folder, 'all.sql');
    writeFileSync(script, kind === 'ddl' ? journalledScript(down) : transactionalScript(down));
    const contenders = [
      {
        name: kind === 'ddl' ? 'mariadb client, with the journal' : 'mariadb client',
        command: [
          'mariadb',
          '--no-defaults',
          '--protocol=socket',
          `--socket=${server.socketFile}`,
          '-u',
          'root',
          database,
        ],
        input: script,
      },
      { name: 'flyback', command: [process.execPath, cli, 'rollback', '--all', '--yes'], folder },
    ];
    const times = new Map(contenders.map(({ name }) => [name, []]));
    for (let round = 1; round <= rounds; round += 1) {
      for (const contender of contenders) {
        await prepare(up);
        const ms = await measure(contender);
        await checkWork(contender.name);
        times.get(contender.name).push(ms);
        console.error(`round ${round}: ${contender.name} ${ms.toFixed(0)} ms`);
      }
    }
    console.log(table(title, times));
  }
} finally {
  await server.stop();
  rmSync(work, { recursive: true, force: true });
}

/** The server of the tests, on a spare port and a socket. */
async function startServer() {
  const bundle = path.join(repository, 'node_modules', '.cache', 'flyback-bench', 'mariadb.mjs');
  await build({
    entryPoints: [path.join(repository, 'test/harness/mysql-servers.ts')],
    outfile: bundle,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'warning',
  });
  const { startLocal } = await import(pathToFileURL(bundle).href);
  return startLocal();
}

function numbers() {
  return Array.from({ length: versions }, (_, index) => index + 1);
}

function checksum(text) {
  return crc32(text.replaceAll('\n', '')) | 0;
}

function textOf(statements) {
  return statements.map((statement) => `${statement};\n`).join('');
}

function writeProject(folder, up, down) {
  mkdirSync(path.join(folder, 'migrations'), { recursive: true });
  mkdirSync(path.join(folder, 'rollbacks'));
  writeFileSync(
    path.join(folder, 'flyway.toml'),
    `[environments.default]\nurl = "jdbc:mariadb://127.0.0.1:${server.port}/${database}"\nuser = "root"\n\n[flyway]\nlocations = ["filesystem:migrations"]\n`,
  );
  for (const version of numbers()) {
    writeFileSync(path.join(folder, 'migrations', `V${version}__step.sql`), textOf(up(version)));
    writeFileSync(path.join(folder, 'rollbacks', `R${version}__step.sql`), textOf(down(version)));
  }
}

/** What somebody with the client would run who wants to know, after a crash, how far the script came. */
function journalledScript(down) {
  const note = (event, version, index) =>
    `INSERT INTO journal (run, entry) VALUES ('0192f0c1-7b1e-4c7e-9a63-3f2f4a1d9c55', '{"event":"${event}","at":"2026-11-22T01:02:03.456Z","version":"${version}","statement":${index},"hash":"${'0'.repeat(64)}"}');\n`;
  return numbers()
    .reverse()
    .map(
      (version) =>
        `START TRANSACTION;\nUPDATE flyway_schema_history SET success = 0 WHERE installed_rank = ${version};\n${note('begun', version, 0)}COMMIT;\n` +
        down(version)
          .map(
            (statement, index) =>
              `${note('started', version, index)}${statement};\n${note('finished', version, index)}`,
          )
          .join('') +
        `START TRANSACTION;\nDELETE FROM flyway_schema_history WHERE installed_rank = ${version};\n${record(version)}DELETE FROM journal;\nCOMMIT;\n`,
    )
    .join('');
}

function transactionalScript(down) {
  return numbers()
    .reverse()
    .map(
      (version) =>
        `START TRANSACTION;\n${textOf(down(version))}DELETE FROM flyway_schema_history WHERE installed_rank = ${version};\n${record(version)}COMMIT;\n`,
    )
    .join('');
}

function record(version) {
  return `INSERT INTO record (entry) VALUES ('${JSON.stringify({ version, outcome: 'committed', text: 'x'.repeat(900) })}');\n`;
}

async function prepare(up) {
  await withServer(undefined, async (client) => {
    await client.query(`DROP DATABASE IF EXISTS ${database}; CREATE DATABASE ${database}`);
  });
  await withServer(database, async (client) => {
    await client.query(`CREATE TABLE flyway_schema_history (
 installed_rank INT NOT NULL PRIMARY KEY, version VARCHAR(50), description VARCHAR(200) NOT NULL, type VARCHAR(20) NOT NULL, script VARCHAR(1000) NOT NULL, checksum INT,
 installed_by VARCHAR(100) NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, execution_time INT NOT NULL, success BOOL NOT NULL, KEY flyway_schema_history_s_idx (success));
CREATE TABLE journal (id BIGINT AUTO_INCREMENT PRIMARY KEY, run VARCHAR(64) NOT NULL, entry LONGTEXT NOT NULL);
CREATE TABLE record (id BIGINT AUTO_INCREMENT PRIMARY KEY, entry LONGTEXT NOT NULL);
CREATE TABLE data (id INT PRIMARY KEY, text VARCHAR(40))`);
    for (const version of numbers()) {
      await client.query(
        `${textOf(up(version))}INSERT INTO flyway_schema_history VALUES (${version}, '${version}', 'step', 'SQL', 'V${version}__step.sql', ${checksum(textOf(up(version)))}, 'root', NOW(), 1, 1)`,
      );
    }
  });
}

async function withServer(name, use) {
  const client = await createConnection({ uri: server.url, database: name, multipleStatements: true });
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

async function measure({ name, command, input, folder }) {
  const stdin = input === undefined ? 'ignore' : openSync(input, 'r');
  const started = process.hrtime.bigint();
  const child = spawn(command[0], command.slice(1), { cwd: folder ?? work, stdio: [stdin, 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', () => undefined);
  child.stderr.setEncoding('utf8').on('data', (part) => (text += part));
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const ms = Number(process.hrtime.bigint() - started) / 1e6;
  if (typeof stdin === 'number') closeSync(stdin);
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${text.slice(-2000)}`);
  return ms;
}

/** A contender that is fast because it did nothing must not win. */
async function checkWork(name) {
  await withServer(database, async (client) => {
    const [[found]] = await client.query(
      `SELECT (SELECT COUNT(*) FROM flyway_schema_history) AS history, (SELECT COUNT(*) FROM data) AS data, (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '${database}' AND table_name REGEXP '^t[0-9]+$') AS tables`,
    );
    if (found.history + found.data + found.tables > 0) throw new Error(`${name} left ${JSON.stringify(found)} behind.`);
  });
}

function median(list) {
  const sorted = [...list].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}

function table(title, times) {
  const [base] = [...times.values()];
  const lines = [...times].map(
    ([name, ms]) =>
      `| ${name} | ${median(ms).toFixed(0)} | ${Math.min(...ms).toFixed(0)} | ${Math.max(...ms).toFixed(0)} | ${median(ms.map((value, index) => value / base[index])).toFixed(2)} |`,
  );
  return `\n### ${title}\n\n| | median ms | min | max | × client |\n| --- | ---: | ---: | ---: | ---: |\n${lines.join('\n')}\n`;
}
