import pg from 'pg';
import { startEmbedded, type EmbeddedOptions } from '../../adapters/databases/postgresql/embedded.js';

/*
 * A program that starts an embedded server, for the tests that need to end such a program in every way. Its only
 * argument is the options as JSON; it prints one line of JSON; what it reads is "stop" (stop the server, go on living)
 * or "leave" (end without stopping it).
 */

const options = JSON.parse(process.argv[2] ?? '{}') as EmbeddedOptions;
try {
  const server = await startEmbedded(options);
  const client = new pg.Client({ connectionString: server.url, ssl: false });
  await client.connect();
  const { rows } = await client.query<Record<string, unknown>>(
    "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'listen_addresses', 'server_encoding', 'lc_collate', 'max_connections')",
  );
  await client.end();
  process.stdout.write(
    `${JSON.stringify({ ...server, settings: Object.fromEntries(rows.map((row) => [row['name'], row['setting']])) as unknown })}\n`,
  );
  process.stdin.setEncoding('utf8').on('data', (command: string) => {
    if (command.trim() === 'leave') process.exit();
    void server.stop().then(() => process.stdout.write('{"stopped":true}\n'));
  });
} catch (error) {
  const { code, message, hint } = error as { code?: string; message: string; hint?: string };
  process.stdout.write(`${JSON.stringify({ failure: { code, message, hint } })}\n`);
}
