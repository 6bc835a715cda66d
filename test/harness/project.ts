import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { checksumOf } from '../../adapters/histories/flyway/checksum.js';
import { connect, withProject } from '../../src/compose/open-project.js';
import { FlybackError } from '../../src/errors/error.js';
import { planRollback, type PlanOptions } from '../../src/plan/plan-rollback.js';
import type { Plan } from '../../src/plan/plan.js';
import { planResume, resume, type ResumeOptions, type ResumePlan } from '../../src/run/resume.js';
import { rollback, type RollbackOptions } from '../../src/run/rollback.js';
import type { RunEvent, RunResult } from '../../src/run/run-result.js';
import { readCatalog } from './catalog-text.js';
import { flyway, type Flyway } from './flyway/flyway.js';
import type { FlywayMajor } from './flyway/install.js';
import { runOn, type TestDatabase } from './postgres.js';

/*
 * A Flyway project with rollback scripts in a temporary folder, and flyback on it: through the library's functions, or
 * as the built command in a process of its own.
 */

/** One version: `down` undefined leaves it without a rollback script. */
export interface VersionFiles {
  readonly version: string;
  readonly up: string;
  readonly down?: string | undefined;
}

export interface ProjectOptions {
  readonly database: TestDatabase;
  readonly versions?: readonly VersionFiles[];
  /** Further lines for [flyway] in flyway.toml. */
  readonly flyway?: string;
  /** Text of flyback.toml. */
  readonly flyback?: string;
  /** Connection other than the database's own: Flyway's keys of [environments.default]. */
  readonly connection?: Readonly<Record<string, string>>;
  /** The line of Flyway that `flyway` gives; the newest unless said. */
  readonly flywayMajor?: FlywayMajor;
}

/** For projects that are about files alone: nothing answers there. */
export const noDatabase: TestDatabase = {
  name: 'none',
  url: '',
  jdbcUrl: 'jdbc:postgresql://nowhere/none',
  user: 'nobody',
  password: '',
  drop: () => Promise.resolve(),
};

export interface CommandResult {
  /** Exit code, or the signal's name. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TestProject {
  readonly folder: string;
  readonly database: TestDatabase;
  /** Writes or replaces one version's files. */
  write(files: VersionFiles): Promise<void>;
  /** Runs the migrations by ourselves, and writes the history as Flyway 13 would; quicker than a JVM. */
  apply(versions: readonly VersionFiles[]): Promise<void>;
  /** The real Flyway on this project. */
  flyway(config?: Readonly<Record<string, string>>): Flyway;
  /** Starts the built command. */
  start(commandLine: readonly string[], environment?: Readonly<Record<string, string>>): ChildProcess;
  /** Runs the built command to its end. */
  run(commandLine: readonly string[], environment?: Readonly<Record<string, string>>): Promise<CommandResult>;
  remove(): Promise<void>;
}

export const command = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** Writes the folder: flyway.toml, flyback.toml, migrations/, rollbacks/. */
export async function createProject(options: ProjectOptions): Promise<TestProject> {
  const { database, versions = [] } = options;
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-project-'));
  await fs.mkdir(path.join(folder, 'migrations'));
  await fs.mkdir(path.join(folder, 'rollbacks'));
  const connection = options.connection ?? { url: database.jdbcUrl, user: database.user, password: database.password };
  const keys = Object.entries(connection).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  await fs.writeFile(
    path.join(folder, 'flyway.toml'),
    `[environments.default]\n${keys.join('\n')}\n[flyway]\nlocations = ["filesystem:migrations"]\n${options.flyway ?? ''}\n`,
  );
  await fs.writeFile(path.join(folder, 'flyback.toml'), options.flyback ?? '');
  const project: TestProject = {
    folder,
    database,
    write: async ({ version, up, down }) => {
      await fs.writeFile(path.join(folder, 'migrations', `V${version}__step.sql`), up);
      const rollbackFile = path.join(folder, 'rollbacks', `R${version}__step.sql`);
      if (down === undefined) await fs.rm(rollbackFile, { force: true });
      else await fs.writeFile(rollbackFile, down);
    },
    apply: async (list) => {
      for (const files of list) await project.write(files);
      await runOn(database.url, [historyTable, ...list.flatMap((files) => [files.up, historyRow(files)])].join(';\n'));
    },
    flyway: (config = {}) =>
      flyway({ database, locations: [path.join(folder, 'migrations')], config }, options.flywayMajor),
    start: (commandLine, environment = {}) =>
      spawn(process.execPath, [command, ...commandLine], {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env['PATH'], HOME: folder, TZ: process.env['TZ'], ...environment },
      }),
    run: async (commandLine, environment) => finished(project.start(commandLine, environment)),
    remove: () => fs.rm(folder, { recursive: true, force: true }),
  };
  for (const files of versions) await project.write(files);
  return project;
}

/** Waits for the end of a command and gives what it wrote. */
export async function finished(child: ChildProcess): Promise<CommandResult> {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) => {
      resolve(exitCode ?? signal ?? 'unknown');
    });
  });
  return { code, stdout, stderr };
}

/** As PostgreSQLDatabase of Flyway 13 creates it. */
export const historyTable = `CREATE TABLE IF NOT EXISTS "flyway_schema_history" (
 "installed_rank" INT NOT NULL, "version" VARCHAR(50), "description" VARCHAR(200) NOT NULL, "type" VARCHAR(20) NOT NULL,
 "script" VARCHAR(1000) NOT NULL, "checksum" INTEGER, "installed_by" VARCHAR(100) NOT NULL,
 "installed_on" TIMESTAMP NOT NULL DEFAULT now(), "execution_time" INTEGER NOT NULL, "success" BOOLEAN NOT NULL,
 CONSTRAINT "flyway_schema_history_pk" PRIMARY KEY ("installed_rank"));
CREATE INDEX IF NOT EXISTS "flyway_schema_history_s_idx" ON "flyway_schema_history" ("success")`;

/** The row that Flyway writes for this migration, with the next rank. */
export function historyRow({ version, up }: VersionFiles): string {
  const stored = version.replaceAll('_', '.');
  return `INSERT INTO "flyway_schema_history" SELECT coalesce(max("installed_rank"), 0) + 1, '${stored}', 'step', 'SQL',
 'V${version}__step.sql', ${String(checksumOf(up))}, current_user, now(), 1, true FROM "flyway_schema_history"`;
}

/** What a run left, or how it was refused. */
export interface TakenBack {
  readonly plan: Plan | undefined;
  /** Undefined when it was refused before anything ran. */
  readonly result: RunResult | undefined;
  /** Why it was refused or stopped. */
  readonly failure: FlybackError | undefined;
  readonly events: readonly RunEvent[];
}

export interface TakeBackOptions extends Partial<PlanOptions>, Partial<RollbackOptions> {
  /** As on the command line, without dashes. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Called between planning and running. */
  readonly between?: () => Promise<unknown>;
  readonly observe?: (event: RunEvent) => void;
}

/** Plans and runs by the library's own functions; never throws a FlybackError. */
export async function takeBack(project: TestProject, options: TakeBackOptions = {}): Promise<TakenBack> {
  const events: RunEvent[] = [];
  let plan: Plan | undefined;
  try {
    const result = await withProject(
      { folder: project.folder, flags: options.flags ?? {}, environment: {} },
      async (opened, config) => {
        const built = await planRollback(opened, { target: { kind: 'steps', steps: 1 }, ...options });
        plan = built.plan;
        await options.between?.();
        return rollback(opened, built, {
          reconnect: () => connect(config),
          ...options,
          onEvent: (event) => {
            events.push(event);
            options.observe?.(event);
          },
        });
      },
    );
    return { plan, result, failure: result.failure, events };
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    return { plan, result: undefined, failure: error, events };
  }
}

/** What resume found and came to. */
export interface CarriedOn {
  /** Undefined when nothing was interrupted, or it was refused before anything was looked at. */
  readonly plan: ResumePlan | undefined;
  readonly result: RunResult | undefined;
  readonly failure: FlybackError | undefined;
}

export interface CarryOnOptions extends ResumeOptions {
  /** As on the command line, without dashes. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Called between looking and carrying on. */
  readonly between?: () => Promise<unknown>;
}

/** Carries an interrupted rollback on by the library's own functions; never throws a FlybackError. */
export async function carryOn(project: TestProject, options: CarryOnOptions = {}): Promise<CarriedOn> {
  let plan: ResumePlan | undefined;
  try {
    const result = await withProject(
      { folder: project.folder, flags: options.flags ?? {}, environment: {} },
      async (opened, config) => {
        const found = await planResume(opened);
        if (found === undefined) return undefined;
        ({ plan } = found);
        await options.between?.();
        return resume(opened, found, { reconnect: () => connect(config), ...options });
      },
    );
    return { plan, result, failure: result?.failure };
  } catch (error) {
    if (!(error instanceof FlybackError)) throw error;
    return { plan, result: undefined, failure: error };
  }
}

/** Everything in the database but flyback's own record: objects, rows, the history. Equal text, equal database. */
export async function snapshot(database: TestDatabase): Promise<string> {
  const catalog = await readCatalog(database.url, { without: [] });
  const lines = [...catalog.objects, ...catalog.columnOrders, ...catalog.rows];
  return lines.filter((line) => !line.includes('flyback_record')).join('\n');
}

/** The record's entries, oldest first. */
export async function recordEntries(database: TestDatabase): Promise<readonly Record<string, unknown>[]> {
  const [table] = await runOn(database.url, `SELECT to_regclass('flyback_record') AS name`);
  if (table?.['name'] === null) return [];
  const rows = await runOn(database.url, 'SELECT entry FROM flyback_record ORDER BY id');
  return rows.map((row) => JSON.parse(String(row['entry'])) as Record<string, unknown>);
}

/** Versions in the history, by rank. */
export async function storedVersions(database: TestDatabase): Promise<readonly string[]> {
  const rows = await runOn(database.url, 'SELECT version FROM flyway_schema_history ORDER BY installed_rank');
  return rows.map((row) => String(row['version']));
}
