import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { call, clientsOf, createFunctionProject, type FunctionProject } from '../../harness/functions.js';
import { createDatabase, newestServer, runOn, type TestDatabase } from '../../harness/postgres.js';

describe('functions of Knex migrations', () => {
  let database: TestDatabase;
  let project: FunctionProject;

  beforeAll(async () => {
    database = await createDatabase(newestServer().url);
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    await runOn(database.url, 'DROP SCHEMA IF EXISTS ops CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    project = await createFunctionProject('knex', database);
  });
  afterEach(() => project.remove());

  const tables = async (): Promise<readonly unknown[]> =>
    (
      await runOn(
        database.url,
        `SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
          WHERE nspname IN ('public', 'ops') AND relkind = 'r' ORDER BY 1`,
      )
    ).map(({ relname }) => relname);
  const returned = { kind: 'returned' };

  test('run up and down, in one process, and leave no connection', async () => {
    await project.write(
      'migrations/1_a.js',
      `exports.up = (knex) => knex.schema.createTable('a', (table) => table.increments());
exports.down = async (knex) => { await knex.schema.dropTable('a'); };`,
    );
    const functions = project.start(await project.caller());
    const ready: string[] = [];
    for (const direction of ['up', 'down', 'up'] as const) {
      const called = { folder: project.folder, database, file: '1_a.js', direction };
      expect(await call(functions, called, () => ready.push(direction))).toEqual(returned);
      expect(await tables()).toEqual(direction === 'up' ? ['a'] : []);
      // The server notices shortly after the client.
      await expect.poll(() => clientsOf(database), { timeout: 5_000 }).toBe(0);
    }
    expect(ready).toEqual(['up', 'down', 'up']);
  });

  test('several calls at once come one after the other', async () => {
    await project.write(
      'migrations/1_a.js',
      `let running = 0;
exports.up = async (knex) => {
  if (running++ > 0) throw new Error('not alone');
  await knex.raw('SELECT pg_sleep(0.1)');
  running--;
};`,
    );
    const functions = project.start(await project.caller());
    const called = { folder: project.folder, database, file: '1_a.js', direction: 'up' } as const;
    expect(await Promise.all([1, 2, 3].map(() => call(functions, called)))).toEqual([returned, returned, returned]);
  });

  test.each([
    ['1.cjs', 'exports.up = (knex) => knex.raw("CREATE TABLE a ()")', {}],
    ['1.mjs', 'export const up = (knex) => knex.raw("CREATE TABLE a ()")', {}],
    ['1.js', 'export async function up(knex) { await knex.raw("CREATE TABLE a ()"); }', { type: 'module' }],
    ['1.js', 'exports.up = (knex, Promise) => Promise.all([knex.raw("CREATE TABLE a ()")])', { type: 'commonjs' }],
  ])('%s: %s', async (file, text, packageFile) => {
    await project.write('package.json', JSON.stringify(packageFile));
    await project.write(`migrations/${file}`, text);
    expect(await project.run(file, 'up')).toEqual(returned);
    expect(await tables()).toEqual(['a']);
  });

  const twoStatements = `exports.down = async (knex) => {
  await knex.raw('CREATE TABLE first ()');
  await knex.raw('CREATE TABLE second (wrong)');
};`;

  test('a transaction is around it, as Knex has one', async () => {
    await project.write('migrations/1.js', twoStatements);
    expect(await project.run('1.js')).toMatchObject({ kind: 'failed' });
    expect(await tables()).toEqual([]);
  });

  test.each([
    ['config.transaction = false', 'exports.config = { transaction: false };', {}, ['first']],
    ['disableTransactions', '', { disableTransactions: true }, ['first']],
    ['config.transaction = true', 'exports.config = { transaction: true };', { disableTransactions: true }, []],
  ])('%s decides whether', async (_, config, own, expected) => {
    await project.write('migrations/1.js', `${config}\n${twoStatements}`);
    expect(await project.run('1.js', 'down', own)).toMatchObject({ kind: 'failed' });
    expect(await tables()).toEqual(expected);
  });

  test('a transaction inside becomes a savepoint', async () => {
    await project.write(
      'migrations/1.js',
      `exports.down = async (knex) => {
  await knex.schema.createTable('kept', (table) => table.increments());
  await knex.transaction(async (inner) => {
    await inner.schema.createTable('gone', (table) => table.increments());
    throw new Error('as planned');
  }).catch(() => undefined);
};`,
    );
    expect(await project.run('1.js')).toEqual(returned);
    expect(await tables()).toEqual(['kept']);
  });

  const knexfile = `module.exports = async () => ({
  client: 'pg',
  connection: 'postgres://nobody@nowhere.invalid/none',
  pool: { min: 4, afterCreate: () => { throw new Error('not this'); } },
  searchPath: ['ops', 'public'],
  wrapIdentifier: (name, wrap) => wrap(name.replace(/[A-Z]/g, (letter) => '_' + letter.toLowerCase())),
});`;
  const mapped = `exports.down = (knex) => knex.schema.createTable('orderLines', (table) => table.increments());`;

  test('the knexfile says how, but not where', async () => {
    await runOn(database.url, 'CREATE SCHEMA ops');
    await project.write('knexfile.js', knexfile);
    await project.write('migrations/1.js', mapped);
    expect(await project.run('1.js', 'down', { load: true })).toEqual(returned);
    expect(await runOn(database.url, `SELECT to_regclass('ops.order_lines') IS NOT NULL AS there`)).toEqual([
      { there: true },
    ]);
  });

  test('a knexfile that may not be loaded says nothing', async () => {
    await runOn(database.url, 'CREATE SCHEMA ops');
    await project.write('knexfile.js', knexfile);
    await project.write('migrations/1.js', mapped);
    expect(await project.run('1.js', 'down', { load: false })).toEqual(returned);
    expect(await runOn(database.url, `SELECT to_regclass('public."orderLines"') IS NOT NULL AS there`)).toEqual([
      { there: true },
    ]);
  });

  test('the environment of the knexfile is the one that was taken', async () => {
    await runOn(database.url, 'CREATE SCHEMA ops');
    await project.write(
      'knexfile.mjs',
      `export default { development: { client: 'pg' }, production: { client: 'pg', searchPath: 'ops' } };`,
    );
    await project.write('migrations/1.js', `exports.down = (knex) => knex.raw('CREATE TABLE a ()');`);
    expect(await project.run('1.js', 'down', { load: true, environment: 'production' })).toEqual(returned);
    expect(await runOn(database.url, `SELECT to_regclass('ops.a') IS NOT NULL AS there`)).toEqual([{ there: true }]);
  });
});
