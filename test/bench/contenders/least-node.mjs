/*
 * The least that Node and pg can do: read each script from disk, send it with its history row in one message, wait for
 * the answer. No lock, no check, no record. Arguments: folder of the scripts, newest version, oldest version.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';

const [folder, newest, oldest] = process.argv.slice(2);
const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
for (let version = Number(newest); version >= Number(oldest); version -= 1) {
  const script = readFileSync(path.join(folder, `R${version}__create_t${version}.sql`), 'utf8');
  await client.query(`BEGIN;${script};DELETE FROM flyway_schema_history WHERE installed_rank = ${version};COMMIT`);
}
await client.end();
