import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { createDatabase, describeWithLocalMysql, forEachMysql, runOn } from '../../harness/mysql.js';
import { startLocal } from '../../harness/mysql-servers.js';

forEachMysql('MariaDB and MySQL for tests', (server) => {
  it('a database has a user of its own who sees nothing else', async () => {
    const [one, other] = [await createDatabase(server), await createDatabase(server)];
    try {
      await runOn(one.url, 'CREATE TABLE t (id INT); INSERT INTO t VALUES (1), (2)');
      expect(await runOn(one.url, 'SELECT COUNT(*) AS n FROM t')).toEqual([{ n: 2 }]);
      expect(await runOn(one.url, 'SELECT 1; SELECT DATABASE() AS d')).toEqual([{ d: one.name }]);
      await expect(runOn(one.url, `USE ${other.name}`)).rejects.toThrow(/denied/);
    } finally {
      await one.drop();
      await other.drop();
    }
    await expect(runOn(one.url, 'SELECT 1')).rejects.toThrow(/denied/);
    expect(await runOn(server.url, `SHOW DATABASES LIKE '${one.name}'`)).toEqual([]);
  });
});

describeWithLocalMysql("MariaDB servers of a test's own", () => {
  it('a server of its own keeps what was committed, and only that, when it crashes', async () => {
    const own = await startLocal({ settings: { 'sql-mode': 'ANSI_QUOTES' } });
    try {
      await runOn(own.url, 'CREATE DATABASE d; CREATE TABLE d.t (id INT); INSERT INTO d.t VALUES (1)');
      const open = runOn(own.url, 'BEGIN; INSERT INTO d.t VALUES (2); SELECT SLEEP(60)').catch(() => 'cut');
      await expect
        .poll(() => runOn(own.url, "SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'"))
        .toHaveLength(1);
      await own.crash();
      expect(await open).toBe('cut');
      await expect(runOn(own.url, 'SELECT 1')).rejects.toThrow();
      await own.restart();
      expect(await runOn(own.url, 'SELECT id FROM d.t')).toEqual([{ id: 1 }]);
      expect(await runOn(own.url, 'SELECT @@sql_mode AS m')).toEqual([{ m: 'ANSI_QUOTES' }]);
    } finally {
      await own.stop();
    }
    expect(existsSync(path.dirname(own.socketFile))).toBe(false);
  });

  it('a server goes with the process that started it, also when that is killed', async () => {
    const work = await fs.mkdtemp(path.join(os.tmpdir(), 'flyback-mysql-child-'));
    const outfile = path.join(work, 'child.mjs');
    await build({
      stdin: {
        contents: `import { startLocal } from './mysql-servers.js';
          const { port, socketFile } = await startLocal();
          process.stdout.write(JSON.stringify({ port, socketFile }) + '\\n');
          setInterval(() => undefined, 1000);`,
        resolveDir: fileURLToPath(new URL('../../harness/', import.meta.url)),
        loader: 'ts',
      },
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      external: ['testcontainers'],
      banner: { js: "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);" },
    });
    const child = spawn(process.execPath, [outfile], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
      const { port, socketFile } = JSON.parse(line) as { port: number; socketFile: string };
      expect(await runOn(`mysql://root@127.0.0.1:${String(port)}/`, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      child.kill('SIGKILL');
      await expect.poll(() => existsSync(path.dirname(socketFile)), { timeout: 10_000 }).toBe(false);
      await expect(runOn(`mysql://root@127.0.0.1:${String(port)}/`, 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
    } finally {
      child.kill('SIGKILL');
      await fs.rm(work, { recursive: true });
    }
  });
});
