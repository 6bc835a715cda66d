import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';
import {
  createProject,
  finished,
  historyRow,
  storedVersions,
  type CommandResult,
  type TestProject,
  type VersionFiles,
} from '../../harness/project.js';
import { startProxy, type WireMessage } from '../../harness/proxy.js';
import { bringToEnd, judgeAttempt } from '../aftermath.js';
import { openArena, type Arena, type Ending } from '../arena.js';
import type { Form } from '../fixture.js';
import { WrongOutcome } from '../state.js';

/** Plays with the build whose command lies at this path; says what was wrong, which must be nothing. */
export type Scenario = (cli: string) => Promise<{ readonly wrong: readonly string[] }>;

// ---- the connection breaks

const lanes = 4;

/**
 * The connection of a rollback of three versions is cut at each message of the client that fits, in turn: before it
 * arrives, and before the answer does. What is left is judged, and brought to its end.
 */
export function cutsAround(form: Form, fits: (message: string) => boolean): Scenario {
  return async (cli) => {
    const arena = await openArena({ cli, form, serverUrl: newestServer().url });
    const wrong: string[] = [];
    try {
      for (const what of ['message', 'answer'] as const) {
        let next = 1;
        let isOver = false;
        await Promise.all(
          Array.from({ length: lanes }, async () => {
            while (!isOver && wrong.length === 0) {
              const number = next;
              next += 1;
              const isCut = await inArena(arena, wrong, (database) => playCut(arena, database, { what, number, fits }));
              isOver ||= isCut === false;
            }
          }),
        );
      }
    } finally {
      await arena.close();
    }
    return { wrong };
  };
}

interface Cut {
  readonly what: 'message' | 'answer';
  /** The one of so many messages that fit. */
  readonly number: number;
  readonly fits: (message: string) => boolean;
}

/** Whether the run got so far. */
async function playCut(arena: Arena, database: TestDatabase, { what, number, fits }: Cut): Promise<boolean> {
  let seen = 0;
  let isCut = false;
  const ending = await throughProxy(arena, database, ({ from, connection, bytes }) => {
    if (isCut || connection !== 1) return 'pass';
    if (from === 'client' && fits(bytes.toString('latin1'))) seen += 1;
    if (seen < number || from !== (what === 'message' ? 'client' : 'server')) return 'pass';
    isCut = true;
    return 'cut-before';
  });
  const verdict = await judgeAttempt(arena, database, { command: 'rollback', ending, mayBeCutOff: false });
  await bringToEnd(arena, database, verdict, { tryRefused: false, means: 'library' });
  return isCut;
}

/** The server refuses the opening of each later version as a whole, as when a cancel request meets it just then. */
export const refusedOpening: Scenario = async (cli) => {
  const arena = await openArena({ cli, form: 'transactional', serverUrl: newestServer().url });
  const wrong: string[] = [];
  try {
    await inArena(arena, wrong, async (database) => {
      const ending = await throughProxy(arena, database, ({ from, type, bytes }) => {
        const at = from === 'client' && type === 'P' ? bytes.indexOf('\0BEGIN') : -1;
        return at < 0 ? 'pass' : Buffer.concat([bytes.subarray(0, at + 1), Buffer.from('#'), bytes.subarray(at + 2)]);
      });
      const verdict = await judgeAttempt(arena, database, { command: 'rollback', ending, mayBeCutOff: false });
      if (verdict.versions !== 1) throw new WrongOutcome(`${verdict.versions} versions were rolled back instead of 1`);
      return true;
    });
  } finally {
    await arena.close();
  }
  return { wrong };
};

async function throughProxy(
  arena: Arena,
  database: TestDatabase,
  onMessage: (message: WireMessage) => 'pass' | 'cut-before' | Buffer,
): Promise<Ending> {
  const proxy = await startProxy({ serverUrl: arena.serverUrl, onMessage });
  try {
    const url = `jdbc:postgresql://127.0.0.1:${String(proxy.port)}/${database.name}?sslmode=disable`;
    return await arena.run(database, { command: 'rollback', url }, 'library');
  } finally {
    await proxy.stop();
  }
}

async function inArena<T>(
  arena: Arena,
  wrong: string[],
  play: (database: TestDatabase) => Promise<T>,
): Promise<T | undefined> {
  try {
    return await arena.use(play);
  } catch (error) {
    if (!(error instanceof WrongOutcome)) throw error;
    wrong.push(error.message);
    return undefined;
  }
}

// ---- others are at work

/** Of "public"."flyway_schema_history". */
const toolLock = '77433833903597';

const tables: readonly VersionFiles[] = ['1', '2', '3', '4'].map((version) => ({
  version,
  up: `CREATE TABLE t${version} (id int)`,
  down: `SELECT pg_sleep(0.6);\nDROP TABLE t${version};`,
}));
const [applied, pending] = [tables.slice(0, 3), tables.slice(3)];

interface Stage {
  readonly database: TestDatabase;
  readonly project: TestProject;
  /** Starts the build under test. */
  start(...commandLine: readonly string[]): Running;
  run(...commandLine: readonly string[]): Promise<CommandResult>;
  /** Opens a session of somebody else. */
  session(): Promise<pg.Client>;
}

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<CommandResult>;
  /** Ended, or said something like it. */
  hasSaid(words: RegExp): boolean;
  hasEnded(): boolean;
}

/** A database with the first three versions applied, and the files of a fourth. */
async function onStage(
  cli: string,
  play: (stage: Stage, wrong: string[]) => Promise<void>,
): Promise<{ wrong: string[] }> {
  const database = await createDatabase(newestServer().url);
  const project = await createProject({ database, versions: pending });
  const children: ChildProcess[] = [];
  const sessions: pg.Client[] = [];
  const start: Stage['start'] = (...commandLine) => {
    const child = spawn(process.execPath, [cli, ...commandLine], {
      cwd: project.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: project.folder },
    });
    children.push(child);
    let said = '';
    let isOver = false;
    child.stderr.on('data', (data: Buffer) => (said += data.toString()));
    const ended = finished(child).finally(() => (isOver = true));
    return { child, ended, hasSaid: (words) => isOver || words.test(said), hasEnded: () => isOver };
  };
  const wrong: string[] = [];
  try {
    await project.apply(applied);
    await play(
      {
        database,
        project,
        start,
        run: (...commandLine) => start(...commandLine).ended,
        session: async () => {
          const client = new pg.Client({ connectionString: database.url, application_name: 'another' });
          client.on('error', () => undefined);
          await client.connect();
          sessions.push(client);
          return client;
        },
      },
      wrong,
    );
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(sessions.map((session) => session.end()));
    await project.remove();
    await database.drop();
  }
  return { wrong };
}

/** The history must list the versions whose tables are there, and each below the newest. */
async function checkAgreement({ database }: Stage, wrong: string[]): Promise<void> {
  const history = (await storedVersions(database)).join();
  const [row] = await runOn(
    database.url,
    `SELECT coalesce(string_agg(substr(relname, 2), ',' ORDER BY relname), '') AS list FROM pg_class WHERE relkind = 'r' AND relname ~ '^t[0-9]$'`,
  );
  const schema = String(row?.['list']);
  if (history !== schema) wrong.push(`the history says ${history}, the schema has ${schema}`);
  if (!['', '1', '1,2', '1,2,3', '1,2,3,4'].includes(history)) wrong.push(`there is a gap in ${history}`);
}

/**
 * A migrate is at work, on two connections as Flyway's: one holds its lock and writes the history at the end, the other
 * runs the migration. A rollback must wait for it.
 */
export const rollbackWhileMigrateWorks: Scenario = (cli) =>
  onStage(cli, async (stage, wrong) => {
    const [fourth] = pending;
    const main = await stage.session();
    const worker = await stage.session();
    await main.query(`BEGIN; SELECT pg_advisory_xact_lock(${toolLock})`);
    await worker.query(`BEGIN; ${fourth?.up ?? ''}`);
    const rollback = stage.start('rollback', '--yes', '--json');
    await until(() => rollback.hasSaid(/waiting/) || isSleeping(stage));
    await worker.query('COMMIT');
    await main.query(`${fourth === undefined ? '' : historyRow(fourth)}; COMMIT`);
    const { code, stdout } = await rollback.ended;
    if (code === 0) wrong.push(`a rollback went through while a migrate was at work: ${stdout}`);
    await checkAgreement(stage, wrong);
  });

/**
 * A migrate comes while the script of a rollback runs: it reads the history, waits for the lock, and then applies what is
 * newer than what it has read, as Flyway does.
 */
export const migrateComesDuringScript: Scenario = (cli) =>
  onStage(cli, async (stage, wrong) => {
    const rollback = stage.start('rollback', '--yes');
    await until(() => isSleeping(stage));
    const migrate = await stage.session();
    const { rows } = await migrate.query<{ newest: number }>(
      'SELECT max(version::int) AS newest FROM flyway_schema_history',
    );
    for (;;) {
      const { rows: answer } = await migrate.query<{ got: boolean }>(`SELECT pg_try_advisory_lock(${toolLock}) AS got`);
      if (answer[0]?.got === true) break;
      await delay(50);
    }
    for (const files of tables.filter(({ version }) => Number(version) > (rows[0]?.newest ?? 0))) {
      await migrate.query(`BEGIN; ${files.up}; ${historyRow(files)}; COMMIT`);
    }
    const { code, stderr } = await rollback.ended;
    if (code !== 0) wrong.push(`the rollback did not go through: ${stderr}`);
    await checkAgreement(stage, wrong);
  });

/** The history changes while a rollback that has planned waits for the lock. */
export const historyChangesWhileWaiting: Scenario = (cli) =>
  onStage(cli, async (stage, wrong) => {
    const main = await stage.session();
    await main.query(`SELECT pg_advisory_lock(${toolLock})`);
    const rollback = stage.start('rollback', '--yes');
    await until(() => rollback.hasSaid(/waiting/));
    const [fourth] = pending;
    if (fourth !== undefined) await main.query(`${fourth.up}; ${historyRow(fourth)}`);
    await main.query(`SELECT pg_advisory_unlock(${toolLock})`);
    const { code, stderr } = await rollback.ended;
    if (code !== 3) wrong.push(`exit code ${String(code)} although the history had changed: ${stderr}`);
    await checkAgreement(stage, wrong);
  });

/**
 * A version that was missing once: flyway repair has noted its row as deleted, and migrate has applied it again. Three rows
 * have the same version, and the newest goes.
 */
export const versionWithSeveralRows: Scenario = (cli) =>
  onStage(cli, async (stage, wrong) => {
    const row = `SELECT max(installed_rank) + 1, version, description, %, script, checksum, installed_by, now(), 0, true`;
    const append = (type: string): string =>
      `INSERT INTO flyway_schema_history ${row.replace('%', type)} FROM flyway_schema_history WHERE version = '3' GROUP BY version, description, script, checksum, installed_by`;
    await runOn(stage.database.url, `${append(`'DELETE'`)}; ${append(`'SQL'`)}`);
    const { code, stderr } = await stage.run('rollback', '--yes');
    if (code !== 0) wrong.push(`the rollback did not go through: ${stderr}`);
    const ranks = await runOn(stage.database.url, 'SELECT installed_rank FROM flyway_schema_history ORDER BY 1');
    const left = ranks.map((found) => String(found['installed_rank'])).join();
    if (left !== '1,2,3,4') wrong.push(`rows ${left} are left instead of 1,2,3,4`);
  });

// ---- the script

/** What the script leaves is not what it must leave: nothing may have happened. */
export const unmetVerification: Scenario = (cli) =>
  onStage(cli, async (stage, wrong) => {
    const down = 'DROP TABLE t3;\n-- flyback: verify there\nSELECT count(*) FROM t2;\n-- expect: 7\n';
    await stage.project.write({ version: '3', up: 'CREATE TABLE t3 (id int)', down });
    const { code, stderr } = await stage.run('rollback', '--yes');
    if (code !== 1) wrong.push(`exit code ${String(code)}: ${stderr}`);
    const history = (await storedVersions(stage.database)).join();
    if (history !== '1,2,3') wrong.push(`the history has ${history} although the verification failed`);
    await checkAgreement(stage, wrong);
  });

/** CREATE INDEX CONCURRENTLY is ended while it waits for an old snapshot: resume must put right what that has left. */
export const interruptedIndex: Scenario = (cli) =>
  onStage(cli, async (stage, wrong) => {
    const down = 'CREATE INDEX CONCURRENTLY t2_id ON t2 (id);\nDROP TABLE t3;';
    await stage.project.write({ version: '3', up: 'CREATE TABLE t3 (id int)', down });
    const reader = await stage.session();
    await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM t1');
    const rollback = stage.start('rollback', '--yes');
    const isInvalid = `EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('t2_id') AND NOT indisvalid)`;
    await until(async () => rollback.hasEnded() || (await asked(stage, isInvalid)));
    await runOn(
      stage.database.url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX%'`,
    );
    const { code, stderr } = await rollback.ended;
    if (code !== 4) wrong.push(`exit code ${String(code)} of what was interrupted: ${stderr}`);
    await reader.query('ROLLBACK');
    const resumed = await stage.run('resume', '--yes');
    if (resumed.code !== 0) wrong.push(`resume does not come to its end: ${resumed.stderr}`);
    if (await asked(stage, `EXISTS (SELECT FROM pg_index WHERE NOT indisvalid)`))
      wrong.push('an invalid index is left');
    await checkAgreement(stage, wrong);
  });

// ---- looking

async function asked({ database }: Stage, condition: string): Promise<boolean> {
  const [row] = await runOn(database.url, `SELECT ${condition} AS holds`);
  return row?.['holds'] === true;
}

const isSleeping = (stage: Stage): Promise<boolean> =>
  asked(
    stage,
    `EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'SELECT pg_sleep%')`,
  );

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('What the scenario waits for does not come.');
    await delay(10);
  }
}
