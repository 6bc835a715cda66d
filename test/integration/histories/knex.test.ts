import * as fs from 'node:fs/promises';
import path from 'node:path';
import { describe } from 'vitest';
import { describeHistory, type HistoryFixture } from '../../conformance/history.js';
import { createKnexProject } from '../../harness/knex.js';
import { runOn } from '../../harness/databases.js';

const fixture: HistoryFixture = {
  name: 'knex',
  ownTables: ['knex_migrations'],
  hasDown: true,
  holes: true,
  // It waits for the table, and then reads a history without what went.
  meanwhile: 'waits',
  onMysql: { meanwhile: 'refuses', halfWay: 'refuses' },
  create: async (database, migrations) => {
    const fileOf = (number: number): string => `2024010${String(number)}000000_step.js`;
    const project = await createKnexProject({
      database,
      migrations: migrations.map(({ up, down }, index) => ({ name: fileOf(index + 1), up, down, rollback: down })),
    });
    return {
      folder: project.folder,
      up: () => project.knex('migrate:latest'),
      startUp: () => project.startKnex('migrate:latest'),
      down: () => project.knex('migrate:down'),
      applied: async () => {
        const rows = await runOn(database.url, 'SELECT name FROM knex_migrations ORDER BY name');
        return rows.map((row) => Number(String(row['name']).slice(7, 8)));
      },
      version: (number) => fileOf(number).replace('.js', ''),
      writeRollback: (number, sql) =>
        fs.writeFile(path.join(project.folder, 'rollbacks', `R2024010${String(number)}000000__step.sql`), sql),
      start: (commandLine) => project.start(commandLine),
      remove: () => project.remove(),
    };
  },
};

describe('the history of Knex', () => {
  describeHistory(fixture);
});
