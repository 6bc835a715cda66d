import type { DatabaseAdapter } from '../src/adapter/database.js';
import type { MigrationTool } from '../src/adapter/migration-tool.js';
import { postgresql } from './databases/postgresql/index.js';
import { flyway } from './histories/flyway/index.js';
import { golangMigrate } from './histories/golang-migrate/index.js';
import { knex } from './histories/knex/index.js';

/** The built-in databases; adding one is one line here. */
export const databases = { postgresql } as const satisfies Record<string, DatabaseAdapter>;

/** The built-in migration tools by their names in flyback.toml; adding one is one line here. */
export const tools = { flyway, 'golang-migrate': golangMigrate, knex } as const satisfies Record<string, MigrationTool>;
