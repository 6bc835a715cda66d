import { spawn } from 'node:child_process';
import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describeHistory, type HistoryFixture } from '../../conformance/history.js';
import { describeWithGolangMigrate, golangMigrate } from '../../harness/golang-migrate.js';
import { runOn } from '../../harness/postgres.js';
import { command } from '../../harness/project.js';

const fixture: HistoryFixture = {
  name: 'golang-migrate',
  holes: false,
  meanwhile: 'waits',
  create: async (database, migrations) => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-golang-migrate-'));
    const path_ = path.join(folder, 'db', 'migrations');
    await fs.mkdir(path_, { recursive: true });
    await fs.mkdir(path.join(folder, 'rollbacks'));
    await fs.writeFile(
      path.join(folder, 'flyback.toml'),
      'tool = "golang-migrate"\n[golang-migrate]\npath = "db/migrations"\ndatabaseEnv = "DATABASE_URL"\n',
    );
    const name = (number: number, direction: string): string =>
      path.join(path_, `${String(number).padStart(6, '0')}_step.${direction}.sql`);
    for (const [index, { up, down }] of migrations.entries()) {
      await fs.writeFile(name(index + 1, 'up'), up);
      await fs.writeFile(name(index + 1, 'down'), down);
    }
    const url = `${database.url}?sslmode=disable`;
    const tool = golangMigrate(path_, url);
    return {
      folder,
      up: () => tool.run('up'),
      startUp: () => tool.start('up'),
      down: () => tool.run('down', '1'),
      applied: async () => {
        const rows = await runOn(database.url, 'SELECT version, dirty FROM schema_migrations');
        const [row] = rows;
        if (rows.length > 1 || row?.['dirty'] === true) throw new Error(`Not a clean history: ${JSON.stringify(rows)}`);
        return Array.from({ length: Number(row?.['version'] ?? 0) }, (_, index) => index + 1);
      },
      version: String,
      writeRollback: (number, sql) => fs.writeFile(path.join(folder, 'rollbacks', `R${String(number)}__step.sql`), sql),
      start: (commandLine) =>
        spawn(process.execPath, [command, ...commandLine], {
          cwd: folder,
          stdio: ['ignore', 'pipe', 'pipe'],
          env: { PATH: process.env['PATH'], HOME: folder, DATABASE_URL: url },
        }),
      remove: () => fs.rm(folder, { recursive: true, force: true }),
    };
  },
};

describeWithGolangMigrate('the history of golang-migrate', () => {
  describeHistory(fixture);
});
