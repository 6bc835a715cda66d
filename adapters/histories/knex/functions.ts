import type { FunctionCaller } from '../../../src/adapter/migration-functions.js';
import { migrationModuleSource } from '../migration-module.js';
import type { KnexSettings } from './settings.js';

/** Calls a function as Knex 3.3 does (migrate/Migrator.js, _waterfallBatch): with a transaction unless it is told otherwise. */
const program = String.raw`
${migrationModuleSource}
async function configOf(knexfile) {
  if (knexfile === null) return { client: 'pg' };
  const module = await import(pathToFileURL(knexfile.file).href);
  let root = module.default ?? module;
  if (typeof root === 'object' && root.default) root = root.default;
  if (typeof root === 'function') root = await root();
  const config = knexfile.environment === null ? root : root[knexfile.environment];
  const { connection, pool, migrations, seeds, ...rest } = config;
  return rest.client === undefined && rest.dialect === undefined ? { client: 'pg', ...rest } : rest;
}

async function prepare({ knexfile, disableTransactions }, address, { file, direction }) {
  const migration = await loadMigration(file);
  if (typeof migration[direction] !== 'function') throw new Refusal('has no ' + direction + ' function');
  const module = fromProject('knex');
  const { host, port, user, password, databaseName: database } = address;
  const knex = (module.knex ?? module.default ?? module)({
    ...(await configOf(knexfile)),
    connection: { host, port, user, password, database, ssl: false },
    pool: { min: 0, max: 4 },
  });
  await knex.raw('SELECT 1');
  const own = migration.config?.transaction;
  const opensTransaction = typeof own === 'boolean' ? own : !disableTransactions;
  return {
    call: async () => {
      if (!opensTransaction) await migration[direction](knex, Promise);
      else await knex.transaction(async (trx) => { await migration[direction](trx, Promise); });
    },
    end: () => knex.destroy(),
  };
}
`;

/** Undefined without consent, and where only a migrationSource of the project's own knows the migrations. */
export function functions(settings: KnexSettings): FunctionCaller | undefined {
  if (!settings.runsFunctions || settings.hasOwnSource) return undefined;
  const { knexfile = null, disableTransactions, workingDirectory } = settings;
  return { source: program, options: { knexfile, disableTransactions }, folder: workingDirectory };
}
