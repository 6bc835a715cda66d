import { afterAll, beforeAll, expect, it } from 'vitest';
import { mysql } from '../../../../../adapters/databases/mysql/index.js';
import { refusalOf } from '../../../../../adapters/databases/mysql/refusal.js';
import { connectMysql } from '../../../../../adapters/databases/mysql/session.js';
import type { FlybackError } from '../../../../../src/errors/error.js';
import { buildPlan, type PlanRequest } from '../../../../../src/plan/build-plan.js';
import {
  createDatabase,
  describeWithLocalMysql,
  forEachMysql,
  type MysqlDatabase,
  runOn,
} from '../../../../harness/mysql.js';
import { mysqlSettings } from '../../../../harness/mysql-settings.js';
import { startLocal } from '../../../../harness/mysql-servers.js';

async function messageOf(url: string, initSql?: string): Promise<string | undefined> {
  const session = await connectMysql(mysqlSettings(url, { initSql }));
  try {
    return refusalOf(session.facts)?.message;
  } finally {
    await session.close();
  }
}

forEachMysql('a session in which nothing may be run', (server) => {
  let database: MysqlDatabase;

  beforeAll(async () => {
    database = await createDatabase(server);
  });
  afterAll(() => database.drop());

  it('is told from a good one', async () => {
    expect(await messageOf(database.url)).toBeUndefined();
    expect(await messageOf(database.url, 'SET autocommit = 0')).toContain('autocommit is off');
    expect(await messageOf(database.url, 'SET autocommit = 0; SET autocommit = 1')).toBeUndefined();
    expect(await messageOf(database.url, 'SET sql_safe_updates = 1')).toContain('sql_safe_updates is on');
    expect(await messageOf(database.url, 'SET SESSION TRANSACTION READ ONLY')).toContain('cannot write');
  });

  it('gets no plan, before anything else is looked at', async () => {
    const session = await connectMysql(mysqlSettings(database.url, { initSql: 'SET sql_safe_updates = 1' }));
    try {
      const request = { toolbox: { database: mysql }, session } as unknown as PlanRequest;
      const error = await buildPlan(request).then(
        () => undefined,
        (thrown: unknown) => thrown as FlybackError,
      );
      expect(error).toMatchObject({
        code: 'plan-refused',
        hint: expect.stringContaining('sql_safe_updates=0') as string,
      });
    } finally {
      await session.close();
    }
  });
});

describeWithLocalMysql('a server on which nothing may be run', () => {
  it('is one that is read-only, or whose init_connect switches autocommit off', async () => {
    const own = await startLocal({ settings: { 'read-only': '1', 'init-connect': 'SET autocommit = 0' } });
    try {
      // init_connect holds for accounts without SUPER, read_only for those without READ ONLY ADMIN.
      await runOn(own.url, "CREATE DATABASE d; CREATE USER app@'127.0.0.1'; GRANT ALL ON d.* TO app@'127.0.0.1'");
      const url = own.url.replace('root@', 'app@');
      expect(await messageOf(`${url}d`)).toContain('read-only (read_only is ON)');
      await runOn(own.url, 'SET GLOBAL read_only = 0');
      expect(await messageOf(`${url}d`)).toContain('autocommit is off');
      expect(await messageOf(`${url}d`, 'SET autocommit = 1')).toBeUndefined();
      expect(await messageOf(`${own.url}d`)).toBeUndefined();
    } finally {
      await own.stop();
    }
  }, 60_000);
});
