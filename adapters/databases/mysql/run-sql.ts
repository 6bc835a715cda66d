import type { DatabaseSql } from '../../../src/adapter/database.js';

/** SQL texts of the runner for MySQL and MariaDB. */
export const mysqlSql: DatabaseSql = undefined as never;
