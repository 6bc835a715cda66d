/*
 * The benchmark of proofs: npm run bench:prove [-- --versions 100 --rounds 5]. psql applies, takes back and applies again,
 * and compares nothing; flyback proves, start-up apart. Both on one server, one after the other. How to read it:
 * docs/benchmark.md. It asserts nothing about time; it does check that every version was proven.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { psqlProof, writeFlywayProject } from './project.mjs';
import { startServer } from './server.mjs';

const { values: options } = parseArgs({
  options: {
    versions: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '5' },
  },
});
const [versions, rounds] = [Number(options.versions), Number(options.rounds)];
const contender = fileURLToPath(new URL('contenders/prove.mjs', import.meta.url));
const work = mkdtempSync(path.join(os.tmpdir(), 'flyback-bench-'));
const server = await startServer();
const admin = new pg.Client({ connectionString: server.url });
const empty = 'flyback_bench_empty';
const urlOf = (database) => Object.assign(new URL(server.url), { pathname: `/${database}` }).href;
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
try {
  await admin.connect();
  await admin.query(`CREATE DATABASE ${empty}`);
  const folder = path.join(work, 'project');
  writeFlywayProject(folder, { versions, url: server.url, verified: false });
  const script = path.join(work, 'proof.sql');
  writeFileSync(script, psqlProof(versions));
  const measured = [];
  for (let round = 0; round < rounds; round += 1) {
    await admin.query('CREATE DATABASE flyback_bench_run');
    const started = performance.now();
    execFileSync('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', script, urlOf('flyback_bench_run')]);
    const psql = performance.now() - started;
    await admin.query('DROP DATABASE flyback_bench_run');
    const scratch = urlOf(empty).replace(/^postgresql:\/\/([^@]*)@/, 'jdbc:postgresql://');
    const told = execFileSync(process.execPath, [contender, folder, `${scratch}?user=postgres`]);
    measured.push({ psql, ...JSON.parse(told.toString()) });
  }
  const of = (pick) => median(measured.map(pick)).toFixed(2);
  console.log(
    [
      `${versions} versions, ${rounds} rounds, medians`,
      `psql, nothing compared: ${of(({ psql }) => psql)} ms`,
      `flyback prove, start-up apart: ${of(({ total }) => total)} ms`,
      `ratio: ${of(({ psql, total }) => total / psql)} (rounds: ${measured.map(({ psql, total }) => (total / psql).toFixed(2)).join(', ')})`,
      `last tenth / first tenth: ${of(({ first, last }) => last / first)}`,
      `first proof after ${of(({ firstProof }) => firstProof)} ms of its process, memory ${of(({ memory }) => memory)} MB`,
    ].join('\n'),
  );
} finally {
  await admin.query(`DROP DATABASE IF EXISTS ${empty} WITH (FORCE)`);
  await admin.end();
  await server.stop();
  rmSync(work, { recursive: true, force: true });
}
