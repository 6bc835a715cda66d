import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { call, clientsOf, createFunctionProject, type FunctionProject } from '../../harness/functions.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';

let database: TestDatabase;
let project: FunctionProject;

beforeAll(async () => {
  database = await createDatabase(newestServer().url);
});
afterAll(() => database.drop());
beforeEach(() => runOn(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public'));
afterEach(() => project.remove());

const columns = async (table: string): Promise<readonly unknown[]> =>
  (
    await runOn(
      database.url,
      `SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('${table}') AND attnum > 0 ORDER BY attnum`,
    )
  ).map(({ attname }) => attname);
const returned = { kind: 'returned' };

describe('functions of migrations of sequelize-cli', () => {
  beforeEach(async () => {
    project = await createFunctionProject('sequelize', database);
  });

  test('run up and down, with query interface and class, and leave no connection', async () => {
    await project.write(
      'migrations/1-a.js',
      `module.exports = {
  up: (queryInterface, Sequelize) => queryInterface.createTable('a', { id: { type: Sequelize.INTEGER, primaryKey: true } }),
  down: async (queryInterface) => { await queryInterface.dropTable('a'); },
};`,
    );
    const functions = project.start(await project.caller());
    for (const direction of ['up', 'down'] as const) {
      const called = { folder: project.folder, database, file: '1-a.js', direction };
      expect(await call(functions, called)).toEqual(returned);
      expect(await columns('a')).toEqual(direction === 'up' ? ['id'] : []);
      // The server notices shortly after the client.
      await expect.poll(() => clientsOf(database), { timeout: 5_000 }).toBe(0);
    }
  });

  test('a transaction of its own, rolled back when it fails', async () => {
    await project.write(
      'migrations/1.js',
      `module.exports.down = (queryInterface) => queryInterface.sequelize.transaction(async (transaction) => {
  await queryInterface.sequelize.query('CREATE TABLE a (x int)', { transaction });
  await queryInterface.sequelize.query('CREATE TABLE b (wrong)', { transaction });
});`,
    );
    expect(await project.run('1.js')).toMatchObject({
      kind: 'failed',
      problem: expect.stringContaining('SequelizeDatabaseError') as string,
    });
    expect(await columns('a')).toEqual([]);
  });

  test.each([
    [
      'a callback',
      `module.exports.down = (q, S, done) => { q.sequelize.query('CREATE TABLE a (x int)').then(() => done(), done); };`,
    ],
    [
      'a default export',
      `exports.__esModule = true; exports.default = { down: (q) => q.sequelize.query('CREATE TABLE a (x int)') };`,
    ],
  ])('%s', async (_, text) => {
    await project.write('migrations/1.js', text);
    expect(await project.run('1.js')).toEqual(returned);
    expect(await columns('a')).toEqual(['x']);
  });

  test('a callback with an error has failed', async () => {
    await project.write('migrations/1.js', `module.exports.down = (q, S, done) => done(new RangeError('pa55word'));`);
    const end = await project.run('1.js');
    expect(end).toMatchObject({ problem: 'failed with RangeError in line 1' });
    expect(JSON.stringify(end)).not.toContain('pa55word');
  });

  test('no promise, no success: as Umzug 2 has it', async () => {
    await project.write('migrations/1.js', `module.exports.down = () => undefined;`);
    expect(await project.run('1.js')).toMatchObject({
      kind: 'failed',
      problem: 'gives no promise, so that nobody knows when it is done',
    });
  });

  test('options of the configuration hold, its connection does not', async () => {
    await project.write(
      'config/config.json',
      JSON.stringify({
        dialect: 'postgres',
        host: 'nowhere.invalid',
        database: 'none',
        define: { underscored: true, timestamps: true },
        timezone: '+02:00',
        dialectOptions: { ssl: { rejectUnauthorized: false } },
      }),
    );
    await project.write(
      'migrations/1.js',
      `module.exports.down = async (queryInterface, Sequelize) => {
  await queryInterface.sequelize.define('Thing', { someName: Sequelize.STRING }).sync();
  await queryInterface.sequelize.query("CREATE TABLE zone AS SELECT current_setting('TimeZone') AS zone");
};`,
    );
    expect(await project.run('1.js')).toEqual(returned);
    expect(await columns('"Things"')).toEqual([]);
    expect(await columns('things')).toEqual(['id', 'some_name', 'created_at', 'updated_at']);
    expect(await runOn(database.url, 'SELECT zone FROM zone')).toEqual([{ zone: '<+02>-02' }]);
  });
});

describe('functions of migrations of Umzug 3', () => {
  beforeEach(async () => {
    project = await createFunctionProject('umzug', database);
  });

  const body = (query: string): string =>
    `async ({ name, path, context }) => { if (!path.endsWith('/migrations/' + name)) throw new Error('x'); await context.${query}('CREATE TABLE a (x int)'); }`;

  test.each([
    ['1.js', `exports.down = ${body('sequelize.query')}`],
    ['1.cjs', `module.exports = { down: ${body('sequelize.query')} }`],
    ['1.mjs', `export const down = ${body('sequelize.query')}`],
  ])('%s gets its name, its path and the query interface', async (file, text) => {
    await project.write(`migrations/${file}`, text);
    expect(await project.run(file)).toEqual(returned);
    expect(await columns('a')).toEqual(['x']);
  });

  test('or Sequelize', async () => {
    await project.write('migrations/1.js', `exports.down = ${body('query')}`);
    expect(await project.run('1.js', 'down', { context: 'sequelize' })).toEqual(returned);
    expect(await columns('a')).toEqual(['x']);
    expect(await project.run('1.js')).toMatchObject({ problem: 'failed with TypeError in line 1' });
  });

  test('a missing down is a failure, where Umzug would take the row out', async () => {
    await project.write('migrations/1.js', 'exports.up = async () => {}');
    expect(await project.run('1.js')).toEqual({ kind: 'failed', problem: 'has no down function', hint: undefined });
  });
});
