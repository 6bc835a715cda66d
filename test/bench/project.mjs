import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';

/*
 * The same project for every contender: version N creates a table tN with an index, its rollback drops both.
 */

const up = (version) =>
  `CREATE TABLE t${version} (id int PRIMARY KEY, name text);\nCREATE INDEX i${version} ON t${version} (name);\n`;
const down = (version) => `DROP INDEX i${version};\nDROP TABLE t${version};\n`;
const verification = (version) =>
  `SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 't${version}';\n-- expect: 0\n`;

/** Names sort as texts in the order of the versions, as the npm tools want them. */
const padded = (version) => String(version).padStart(8, '0');
const numbers = (count) => Array.from({ length: count }, (_, index) => index + 1);

/** Flyway's checksum: CRC-32 of the lines without their ends, as a signed number. */
const checksum = (text) => crc32(text.replaceAll('\n', '')) | 0;

const names = {
  knex: (version) => `${padded(version)}_create_t${version}.js`,
  umzug: (version) => `down_${padded(version)}.sql`,
  sequelize: (version) => `${padded(version)}-create-t${version}.js`,
  nodePgMigrate: (version) => `${1_700_000_000_000 + version}_create-t${version}`,
};

/** Writes a Flyway project with rollback scripts; `url` is a libpq URL. */
export function writeFlywayProject(folder, { versions, url, verified }) {
  mkdirSync(path.join(folder, 'migrations'), { recursive: true });
  mkdirSync(path.join(folder, 'rollbacks'));
  const { host, pathname, username } = new URL(url);
  writeFileSync(
    path.join(folder, 'flyway.toml'),
    `[environments.default]\nurl = "jdbc:postgresql://${host}${pathname}"\nuser = "${username}"\n\n[flyway]\nlocations = ["filesystem:migrations"]\n`,
  );
  for (const version of numbers(versions)) {
    const name = `${version}__create_t${version}.sql`;
    writeFileSync(path.join(folder, 'migrations', `V${name}`), up(version));
    writeFileSync(
      path.join(folder, 'rollbacks', `R${name}`),
      verified ? `${down(version)}\n${verification(version)}` : down(version),
    );
  }
}

/** Writes the files of the other contenders. Returns the paths that their commands need. */
export function writePeerFiles(folder, { versions, peersFolder, url }) {
  const paths = {
    psql: path.join(folder, 'all.sql'),
    psqlQueries: path.join(folder, 'all-with-queries.sql'),
    knex: path.join(folder, 'knexfile.cjs'),
    umzug: path.join(folder, 'umzug'),
    nodePgMigrate: path.join(folder, 'node-pg-migrate'),
  };
  for (const sub of ['knex', 'umzug', 'node-pg-migrate']) mkdirSync(path.join(folder, sub), { recursive: true });
  // knex insists on being installed where its configuration is.
  if (peersFolder !== undefined) symlinkSync(peersFolder, path.join(folder, 'node_modules'), 'junction');
  writeFileSync(paths.psql, psqlScript(numbers(versions).reverse()));
  writeFileSync(paths.psqlQueries, psqlScript(numbers(versions).reverse(), { verified: true }));
  writeFileSync(
    paths.knex,
    `module.exports = { client: 'pg', connection: ${JSON.stringify(url)}, migrations: { directory: './knex' } };\n`,
  );
  for (const version of numbers(versions)) {
    const sql = path.join(paths.umzug, names.umzug(version));
    writeFileSync(sql, down(version));
    writeFileSync(
      path.join(folder, 'knex', names.knex(version)),
      `const { readFileSync } = require('node:fs');\nexports.up = (knex) => knex.raw(${JSON.stringify(up(version))});\nexports.down = (knex) => knex.raw(readFileSync(${JSON.stringify(sql)}, 'utf8'));\n`,
    );
    writeFileSync(
      path.join(paths.nodePgMigrate, `${names.nodePgMigrate(version)}.sql`),
      `-- Up Migration\n${up(version)}\n-- Down Migration\n${down(version)}`,
    );
  }
  return paths;
}

/** Writes a project of one tool: its migrations with their own way down, and rollback scripts with the same statements. */
export function writeToolProject(tool, folder, { versions, url, peersFolder }) {
  const migrations = path.join(folder, 'migrations');
  mkdirSync(migrations, { recursive: true });
  mkdirSync(path.join(folder, 'rollbacks'));
  const { hostname, port, pathname, username } = new URL(url);
  const database = pathname.slice(1);
  const files = {
    'golang-migrate': () => {
      writeFileSync(
        path.join(folder, 'flyback.toml'),
        `tool = "golang-migrate"\n\n[golang-migrate]\npath = "migrations"\n`,
      );
      return (version) => {
        const name = path.join(migrations, `${padded(version)}_create_t${version}`);
        writeFileSync(`${name}.up.sql`, up(version));
        writeFileSync(`${name}.down.sql`, down(version));
      };
    },
    knex: () => {
      writeFileSync(
        path.join(folder, 'knexfile.js'),
        `module.exports = { client: 'pg', connection: ${JSON.stringify(url)}, migrations: { directory: './migrations' } };\n`,
      );
      writeFileSync(path.join(folder, 'flyback.toml'), `tool = "knex"\n\n[knex]\nload = true\n`);
      return (version) => {
        const body = (sql) => `(knex) => knex.raw(${JSON.stringify(sql)})`;
        writeFileSync(
          path.join(migrations, names.knex(version)),
          `exports.up = ${body(up(version))};\nexports.down = ${body(down(version))};\n`,
        );
        writeFileSync(path.join(folder, 'rollbacks', `R${padded(version)}__create_t${version}.sql`), down(version));
      };
    },
    sequelize: () => {
      mkdirSync(path.join(folder, 'config'));
      const production = {
        dialect: 'postgres',
        host: hostname,
        port: Number(port),
        database,
        username,
        password: null,
        logging: false,
      };
      writeFileSync(path.join(folder, 'config', 'config.json'), JSON.stringify({ production }));
      writeFileSync(path.join(folder, 'flyback.toml'), `tool = "sequelize"\n`);
      return (version) => {
        const body = (sql) => `(queryInterface) => queryInterface.sequelize.query(${JSON.stringify(sql)})`;
        writeFileSync(
          path.join(migrations, names.sequelize(version)),
          `module.exports = { up: ${body(up(version))}, down: ${body(down(version))} };\n`,
        );
        writeFileSync(path.join(folder, 'rollbacks', `R${padded(version)}__create_t${version}.sql`), down(version));
      };
    },
  };
  if (peersFolder !== undefined) symlinkSync(peersFolder, path.join(folder, 'node_modules'), 'junction');
  const write = files[tool]();
  for (const version of numbers(versions)) write(version);
}

/** What somebody with psql alone would run: a transaction for each version, in one file. Nobody looks at the queries' answers. */
export function psqlScript(versions, { verified = false } = {}) {
  return versions
    .map(
      (version) =>
        `BEGIN;\n${down(version)}DELETE FROM flyway_schema_history WHERE installed_rank = ${version};\n${verified ? verification(version) : ''}COMMIT;\n`,
    )
    .join('');
}

/** Texts that fill an empty database: the objects of `applied` versions, and the tables of every tool. */
export function databaseTexts({ versions, withObjects, golangMigrate = false }) {
  const texts = [
    `CREATE TABLE flyway_schema_history (installed_rank int NOT NULL, version varchar(50), description varchar(200) NOT NULL,
 type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum int, installed_by varchar(100) NOT NULL,
 installed_on timestamp NOT NULL DEFAULT now(), execution_time int NOT NULL, success boolean NOT NULL,
 CONSTRAINT flyway_schema_history_pk PRIMARY KEY (installed_rank));
CREATE INDEX flyway_schema_history_s_idx ON flyway_schema_history (success);
CREATE TABLE knex_migrations (id serial PRIMARY KEY, name varchar(255), batch int, migration_time timestamptz);
CREATE TABLE knex_migrations_lock (index serial PRIMARY KEY, is_locked int);
INSERT INTO knex_migrations_lock (is_locked) VALUES (0);
CREATE TABLE umzug_migrations (name text PRIMARY KEY);
CREATE TABLE "SequelizeMeta" (name varchar(255) PRIMARY KEY);
CREATE TABLE pgmigrations (id serial PRIMARY KEY, name varchar(255) NOT NULL, run_on timestamp NOT NULL)`,
  ];
  if (golangMigrate) {
    texts.push(
      `CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL); INSERT INTO schema_migrations VALUES (${versions}, false)`,
    );
  }
  // A message is one transaction, and a transaction can hold only so many locks.
  const chunk = 200;
  for (let first = 1; first <= versions; first += chunk) {
    const part = numbers(Math.min(chunk, versions - first + 1)).map((number) => first + number - 1);
    const rows = (table, columns, row) => `INSERT INTO ${table} (${columns}) VALUES ${part.map(row).join(', ')};`;
    texts.push(
      (withObjects ? part.map(up).join('') : '') +
        rows(
          'flyway_schema_history',
          'installed_rank, version, description, type, script, checksum, installed_by, execution_time, success',
          (version) =>
            `(${version}, '${version}', 'create t${version}', 'SQL', 'V${version}__create_t${version}.sql', ${checksum(up(version))}, 'postgres', 1, true)`,
        ) +
        rows(
          'knex_migrations',
          'name, batch, migration_time',
          (version) => `('${names.knex(version)}', ${version}, now())`,
        ) +
        rows('umzug_migrations', 'name', (version) => `('${names.umzug(version)}')`) +
        rows('"SequelizeMeta"', 'name', (version) => `('${names.sequelize(version)}')`) +
        rows(
          'pgmigrations',
          'name, run_on',
          (version) => `('${names.nodePgMigrate(version)}', now() + interval '${version} ms')`,
        ),
    );
  }
  return texts;
}

/** What psql runs to try every version out without comparing anything: apply, take back, apply again. */
export function psqlProof(versions) {
  const alone = (sql) => `BEGIN;\n${sql}COMMIT;\n`;
  return numbers(versions)
    .map((version) => alone(up(version)) + alone(down(version)) + alone(up(version)))
    .join('');
}
