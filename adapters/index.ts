import type { DatabaseAdapter } from '../src/adapter/database.js';
import type { HistoryAdapter } from '../src/adapter/history.js';
import { postgresql } from './databases/postgresql/index.js';
import { flywayHistory } from './histories/flyway/index.js';

/** The built-in databases; adding one is one line here. */
export const databases = { postgresql } as const satisfies Record<string, DatabaseAdapter>;

/** The built-in migration tools; adding one is one line here. */
export const histories = { flyway: flywayHistory } as const satisfies Record<string, HistoryAdapter>;
