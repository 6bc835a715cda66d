import type { DatabaseAdapter } from '../src/adapter/database.js';
import type { MigrationTool } from '../src/adapter/migration-tool.js';
import { mysql } from './databases/mysql/index.js';
import { postgresql } from './databases/postgresql/index.js';
import { dbmate } from './histories/dbmate/index.js';
import { flyway } from './histories/flyway/index.js';
import { golangMigrate } from './histories/golang-migrate/index.js';
import { knex } from './histories/knex/index.js';
import { sequelize, umzug } from './histories/sequelize/index.js';

/** The built-in databases; adding one is one line here. */
export const databases = { postgresql, mysql } as const satisfies Record<string, DatabaseAdapter>;

/** The built-in migration tools by their names in flyback.toml; adding one is one line here. */
export const tools = {
  flyway,
  'golang-migrate': golangMigrate,
  knex,
  sequelize,
  umzug,
  dbmate,
} as const satisfies Record<string, MigrationTool>;
