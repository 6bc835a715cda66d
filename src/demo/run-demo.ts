import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, loadProjectConfig, toolboxFor } from '../compose/open-project.js';
import { startScratchServer } from '../compose/scratch-server.js';
import { FlybackError } from '../errors/error.js';
import { adaptStory, type ToolProject } from './tool-projects.js';
import { applyMigrations, inOrder } from '../scratch/apply-migrations.js';

/** The worked set that the demo tells. */
const storySet = 'shop';

/** One scene: what is said, and the command line that is run. */
export interface Scene {
  readonly title: string;
  readonly commandLine: readonly string[];
  /** Exit code that belongs to the story. */
  readonly expected: number;
  /** A mistake in a file that is there during this scene alone: this piece of it is missing. */
  readonly mistake?: { readonly file: string; readonly piece: string };
}

/** Told of a tool: what it calls versions, and whether it has a lock to take; of one whose migrations are programs nothing is proven. */
function scenesFor(
  project: ToolProject,
  { name, hasLock }: { readonly name: string; readonly hasLock: boolean },
): readonly Scene[] {
  const stays = ['--to', project.version(6)];
  const proofs: readonly Scene[] = [
    {
      title:
        'A rollback that looks right: it runs without an error, and its verification passes. Only, one line was forgotten.',
      commandLine: ['prove', project.version(10), '--no-write'],
      expected: 1,
      mistake: {
        file: `rollbacks/R${project.digits(10)}__orders_can_be_returned.sql`,
        piece: ",\n    ALTER COLUMN state SET DEFAULT 'new'",
      },
    },
    {
      title: 'With that line, everything comes back as it was.',
      commandLine: ['prove', project.version(10), '--no-write'],
      expected: 0,
    },
  ];
  return [
    { title: 'Ten versions are applied. Which of them could be taken back?', commandLine: ['status'], expected: 0 },
    {
      title: 'The gate for a pull request: has every version a rollback worth the name?',
      commandLine: ['audit'],
      expected: 0,
    },
    ...(project.programs.size === 0 ? proofs : []),
    {
      title: 'A release went wrong. What would taking back everything above version 6 do?',
      commandLine: ['plan', ...stays],
      expected: 0,
    },
    {
      title: 'A rehearsal: all of it is run, verified, and rolled back.',
      commandLine: ['rollback', ...stays, '--dry-run'],
      expected: 0,
    },
    {
      title: `For real: ${hasLock ? `under the lock of ${name}, ` : ''}verified before commit.`,
      commandLine: ['rollback', ...stays, '--yes', '--reason', 'demo: order totals are wrong'],
      expected: 0,
    },
    { title: 'The verification queries again, alone.', commandLine: ['verify'], expected: 0 },
    { title: 'Where the history stands now.', commandLine: ['status'], expected: 0 },
    { title: 'The record: who, what, when, why.', commandLine: ['log'], expected: 0 },
    { title: 'And it is whole.', commandLine: ['log', '--verify'], expected: 0 },
  ];
}

export interface DemoOptions {
  /** A new folder for the demo project that is to stay; undefined: a temporary one. */
  readonly keep: string | undefined;
  /** The migration tool whose project it is to be. */
  readonly tool: string;
  /** Runs one command line of flyback in the demo project; resolves to its exit code. */
  readonly runCommand: (commandLine: readonly string[]) => Promise<number>;
  readonly say: (text: string) => void;
}

/**
 * Tells the whole story on an embedded database, with the very commands that a user types. Throws FlybackError
 * embedded-unavailable where no server can be started, and internal when a scene does not end as it should.
 */
export async function runDemo(options: DemoOptions): Promise<void> {
  const started = performance.now();
  const folder = await demoFolder(options.keep);
  try {
    const project = await adaptStory(folder, options.tool);
    options.say('Starting a PostgreSQL of the demo’s own …');
    const server = await startScratchServer();
    try {
      await tell(options, project, folder, server);
    } finally {
      await server.stop();
    }
    options.say(
      `\nThe demo took ${((performance.now() - started) / 1000).toFixed(1)} s; its database is gone.${options.keep === undefined ? '' : ` Its project is in ${folder}.`}`,
    );
  } finally {
    if (options.keep === undefined) await rm(folder, { recursive: true, force: true });
  }
}

async function tell(
  options: DemoOptions,
  project: ToolProject,
  folder: string,
  { url, version }: { readonly url: string; readonly version: string },
): Promise<void> {
  const config = await loadProjectConfig({ folder, flags: { url }, environment: {} });
  const toolbox = toolboxFor(config);
  const session = await connect(config);
  try {
    const { migrations } = await toolbox.history.loadMigrations(config.tool);
    const ordered = inOrder(
      migrations.map((migration) => {
        const sql = project.programs.get(migration.script);
        return sql === undefined ? migration : { ...migration, sql, isSql: true };
      }),
      toolbox,
    );
    await applyMigrations({
      session,
      toolbox,
      settings: config.tool,
      table: toolbox.history.tableName(config.tool, session.facts.currentSchema),
      migrations: ordered,
    });
    options.say(`PostgreSQL ${version}, ${ordered.length} migrations of the worked set "${storySet}" applied.`);
  } finally {
    await session.close();
  }
  const hasLock = !['sequelize', 'umzug', 'dbmate'].includes(options.tool);
  for (const scene of scenesFor(project, { name: toolbox.history.words.name, hasLock })) {
    options.say(`\n── ${scene.title}\n$ flyback ${scene.commandLine.map(quoteWord).join(' ')}\n`);
    const mend = await makeMistake(folder, scene.mistake);
    const exitCode = await options.runCommand([...scene.commandLine, '--project', folder, '--url', url]);
    await mend();
    if (exitCode !== scene.expected) {
      throw new FlybackError(
        'internal',
        `The scene "flyback ${scene.commandLine.join(' ')}" ended with ${exitCode} instead of ${scene.expected}.`,
        {
          hint: 'Please report it with the output above.',
        },
      );
    }
  }
}

/** Gives back how to put the file right again. */
async function makeMistake(folder: string, mistake: Scene['mistake']): Promise<() => Promise<void>> {
  if (mistake === undefined) return () => Promise.resolve();
  const file = path.join(folder, mistake.file);
  const right = await readFile(file, 'utf8');
  if (!right.includes(mistake.piece)) {
    throw new FlybackError('internal', `${mistake.file} of the demo does not have the line that a scene leaves out.`);
  }
  await writeFile(file, right.replace(mistake.piece, ''));
  return () => writeFile(file, right);
}

function quoteWord(word: string): string {
  return /^[\w.=/:-]+$/.test(word) ? word : `'${word}'`;
}

async function demoFolder(keep: string | undefined): Promise<string> {
  const source = await packagedSet();
  let folder: string;
  if (keep === undefined) {
    folder = await mkdtemp(path.join(tmpdir(), 'flyback-demo-'));
  } else {
    folder = path.resolve(keep);
    try {
      await mkdir(folder, { recursive: false });
    } catch (cause) {
      throw new FlybackError(
        'usage-invalid',
        `Cannot make the demo folder ${folder}: ${(cause as NodeJS.ErrnoException).code ?? 'failed'}.`,
        {
          hint: 'Name a folder that does not exist yet, inside one that does.',
          cause,
        },
      );
    }
  }
  await cp(source, folder, { recursive: true });
  return folder;
}

/** The set lies in the package, beside dist (built) or beside src (from the sources). */
async function packagedSet(): Promise<string> {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const candidate = path.join(folder, 'rollbacks', storySet);
    if (
      await stat(candidate).then(
        (found) => found.isDirectory(),
        () => false,
      )
    )
      return candidate;
    const parent = path.dirname(folder);
    if (parent === folder) {
      throw new FlybackError('internal', `The worked set "${storySet}" is missing from the package.`, {
        hint: 'Install flyback again.',
      });
    }
    folder = parent;
  }
}
