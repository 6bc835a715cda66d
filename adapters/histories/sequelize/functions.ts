import type { FunctionCaller } from '../../../src/adapter/migration-functions.js';
import { migrationModuleSource } from '../migration-module.js';
import type { SequelizeSettings, ToolName } from './settings.js';

const connectSource = String.raw`
${migrationModuleSource}
async function connect(options, { host, port, user: username, password, databaseName: database }) {
  const module = fromProject('sequelize');
  const Sequelize = module.Sequelize ?? module.default ?? module;
  const sequelize = new Sequelize({
    ...options,
    dialect: 'postgres',
    host,
    port,
    username,
    password,
    database,
    dialectOptions: { ...options.dialectOptions, ssl: false },
    logging: false,
    pool: { min: 0, max: 4 },
  });
  await sequelize.authenticate();
  return { sequelize, Sequelize, end: () => sequelize.close() };
}
`;

const programs: Readonly<Record<ToolName, string>> = {
  /**
   * As Umzug 2.3 under sequelize-cli 6 (lib/migration.js, core/migrator.js): required, a default export before its own, called
   * with query interface and class. One that takes three parameters has the callback of older versions.
   */
  sequelize: String.raw`
${connectSource}
async function prepare({ sequelize: options }, address, { file, direction }) {
  const migration = createRequire(file)(file);
  const called = migration.default?.[direction] ?? migration[direction];
  if (typeof called !== 'function') throw new Refusal('has no ' + direction + ' function');
  const { sequelize, Sequelize, end } = await connect(options, address);
  const given = [sequelize.getQueryInterface(), Sequelize];
  return {
    call: async () => {
      if (called.length === 3) {
        await new Promise((resolve, reject) => {
          called.call(migration, ...given, (error) => (error ? reject(error) : resolve()));
        });
        return;
      }
      const result = called.apply(migration, given);
      if (typeof result?.then === 'function') await result;
      else throw new Refusal('gives no promise, so that nobody knows when it is done', 'Return the promise of its last call.');
    },
    end,
  };
}
`,
  /** As the default resolver of Umzug 3. */
  umzug: String.raw`
${connectSource}
async function prepare({ sequelize: options, context }, address, { file: path, name, direction }) {
  const migration = await loadMigration(path);
  if (typeof migration[direction] !== 'function') throw new Refusal('has no ' + direction + ' function');
  const { sequelize, end } = await connect(options, address);
  const given = { name, path, context: context === 'sequelize' ? sequelize : sequelize.getQueryInterface() };
  return { call: async () => { await migration[direction](given); }, end };
}
`,
};

/** Undefined without consent. */
export function functions(settings: SequelizeSettings): FunctionCaller | undefined {
  const { tool, runsFunctions, sequelizeOptions, context, projectFolder } = settings;
  if (!runsFunctions) return undefined;
  return { source: programs[tool], options: { sequelize: sequelizeOptions, context }, folder: projectFolder };
}
