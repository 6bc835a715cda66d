/*
 * Umzug as its users write it: a file for each migration, the names of what was run in a table. Argument: folder of the
 * scripts.
 */
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { Umzug } from 'umzug';

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
const umzug = new Umzug({
  migrations: {
    glob: ['down_*.sql', { cwd: process.argv[2] }],
    resolve: ({ name, path }) => ({
      name,
      up: async () => undefined,
      down: () => client.query(`BEGIN;${readFileSync(path, 'utf8')};COMMIT`),
    }),
  },
  storage: {
    executed: async () =>
      (await client.query('SELECT name FROM umzug_migrations ORDER BY name')).rows.map(({ name }) => name),
    logMigration: ({ name }) => client.query('INSERT INTO umzug_migrations (name) VALUES ($1)', [name]),
    unlogMigration: ({ name }) => client.query('DELETE FROM umzug_migrations WHERE name = $1', [name]),
  },
  logger: undefined,
});
await umzug.down({ to: 0 });
await client.end();
