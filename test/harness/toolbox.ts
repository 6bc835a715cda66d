import { databases, tools } from '../../adapters/index.js';
import type { Toolbox } from '../../src/adapter/toolbox.js';

/** The adapters that most tests are about: Flyway on PostgreSQL. */
export const toolbox: Toolbox = { database: databases.postgresql, history: tools.flyway.history };
