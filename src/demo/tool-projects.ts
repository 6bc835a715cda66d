import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { FlybackError } from '../errors/error.js';

/** The story as a project of another tool than Flyway, in which it was written. */
export interface ToolProject {
  /** What the tool calls a version. */
  version(number: number): string;
  /** The digits by which its rollback script is named. */
  digits(number: number): string;
  /** Its migrations are programs, which flyback does not run: their SQL by the names of their files, for the demo to apply. */
  readonly programs: ReadonlyMap<string, string>;
}

/** One migration of the story, with what takes it back where no rollback script does. */
interface Migration {
  readonly number: number;
  /** Words with "_" between them. */
  readonly title: string;
  readonly sql: string;
  readonly undo: string | undefined;
}

interface Shape {
  /** Text of flyback.toml. */
  readonly settings: string;
  version(migration: Pick<Migration, 'number' | 'title'>): string;
  readonly digits: (number: number) => string;
  /** Files by their paths in the project; the first is the migration itself. */
  files(migration: Migration): Readonly<Record<string, string>>;
  readonly arePrograms: boolean;
}

const padded = (number: number): string => String(number).padStart(4, '0');
const dashed = ({ number, title }: Pick<Migration, 'number' | 'title'>): string =>
  `${padded(number)}-${title.replaceAll('_', '-')}`;

const shapes: Readonly<Record<string, Shape>> = {
  'golang-migrate': {
    settings: 'tool = "golang-migrate"\n\n[golang-migrate]\npath = "migrations"\ndatabaseEnv = "DATABASE_URL"\n',
    version: ({ number }) => String(number),
    digits: String,
    files: ({ number, title, sql, undo }) => ({
      [`migrations/${padded(number)}_${title}.up.sql`]: sql,
      ...(undo === undefined ? {} : { [`migrations/${padded(number)}_${title}.down.sql`]: undo }),
    }),
    arePrograms: false,
  },
  dbmate: {
    settings: 'tool = "dbmate"\n',
    version: ({ number }) => padded(number),
    digits: padded,
    files: ({ number, title, sql, undo }) => ({
      [`db/migrations/${padded(number)}_${title}.sql`]: `-- migrate:up\n${sql}\n-- migrate:down\n${undo ?? '-- see rollbacks/\n'}`,
    }),
    arePrograms: false,
  },
  umzug: {
    settings: 'tool = "umzug"\n\n[umzug]\nmigrations = "migrations/*.sql"\ndatabaseEnv = "DATABASE_URL"\n',
    version: dashed,
    digits: padded,
    files: (migration) => ({
      [`migrations/${dashed(migration)}.sql`]: migration.sql,
      ...(migration.undo === undefined ? {} : { [`migrations/down/${dashed(migration)}.sql`]: migration.undo }),
    }),
    arePrograms: false,
  },
  knex: {
    settings: 'tool = "knex"\n\n[knex]\ndirectory = "migrations"\n',
    version: ({ number, title }) => `${padded(number)}_${title}`,
    digits: padded,
    files: ({ number, title, sql, undo }) => ({
      [`migrations/${padded(number)}_${title}.js`]: `exports.up = (knex) => knex.raw(${JSON.stringify(sql)});\nexports.down = () => {};\n`,
      ...(undo === undefined ? {} : { [`rollbacks/R${padded(number)}__${title}.sql`]: undo }),
    }),
    arePrograms: true,
  },
  sequelize: {
    settings: 'tool = "sequelize"\n',
    version: dashed,
    digits: padded,
    files: (migration) => ({
      [`migrations/${dashed(migration)}.js`]: `module.exports = {\n  up: (queryInterface) => queryInterface.sequelize.query(${JSON.stringify(migration.sql)}),\n  down: async () => {},\n};\n`,
      ...(migration.undo === undefined
        ? {}
        : { [`rollbacks/R${padded(migration.number)}__${migration.title}.sql`]: migration.undo }),
    }),
    arePrograms: true,
  },
};

/**
 * Makes the copy of the story in this folder a project of the tool; for Flyway it is one already. Throws FlybackError usage-invalid
 * for a tool that it is not told for.
 */
export async function adaptStory(folder: string, tool: string): Promise<ToolProject> {
  if (tool === 'flyway') return { version: String, digits: String, programs: new Map() };
  const shape = Object.hasOwn(shapes, tool) ? shapes[tool] : undefined;
  if (shape === undefined) {
    throw new FlybackError('usage-invalid', `The demo cannot be told for the tool "${tool}".`, {
      hint: `Use --tool flyway, ${Object.keys(shapes).join(', ')}.`,
    });
  }
  const migrations = await readStory(path.join(folder, 'migrations'));
  for (const name of ['migrations', 'flyway.toml', 'README.md'])
    await rm(path.join(folder, name), { recursive: true, force: true });
  await renameScripts(path.join(folder, 'rollbacks'), shape);
  await writeFile(path.join(folder, 'flyback.toml'), shape.settings);
  const programs = new Map<string, string>();
  for (const migration of migrations) {
    const files = Object.entries(shape.files(migration));
    for (const [name, text] of files) {
      await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
      await writeFile(path.join(folder, name), text);
    }
    const own = files[0]?.[0];
    if (shape.arePrograms && own !== undefined) programs.set(path.basename(own), migration.sql);
  }
  const titles = new Map(migrations.map(({ number, title }) => [number, title]));
  return {
    version: (number) => shape.version({ number, title: titles.get(number) ?? '' }),
    digits: shape.digits,
    programs,
  };
}

/** By number; what only Flyway has, a migration that is repeated, is left out. */
async function readStory(folder: string): Promise<readonly Migration[]> {
  const texts = new Map<string, string>();
  for (const name of await readdir(folder)) texts.set(name, await readFile(path.join(folder, name), 'utf8'));
  return [...texts].flatMap(([name, sql]): readonly Migration[] => {
    const [, digits, title = ''] = /^V(\d+)__(\w+)\.sql$/.exec(name) ?? [];
    return digits === undefined
      ? []
      : [{ number: Number(digits), title, sql, undo: texts.get(`U${digits}__${title}.sql`) }];
  });
}

/** With the tool's own digits, and without the statement that takes the row out of Flyway's table. */
async function renameScripts(folder: string, { digits }: Shape): Promise<void> {
  for (const name of await readdir(folder)) {
    const text = await readFile(path.join(folder, name), 'utf8');
    await rm(path.join(folder, name));
    const renamed = name.replace(/^R(\d+)__/, (_, number: string) => `R${digits(Number(number))}__`);
    await writeFile(path.join(folder, renamed), text.replace(/^DELETE FROM flyway_schema_history\b.*\n\n?/m, ''));
  }
}
