import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWithLocalMysql, forEachMysql } from '../../harness/mysql.js';
import { startLocal, type LocalServer } from '../../harness/mysql-servers.js';
import { isFull, masterSeed, replayed } from '../extent.js';
import { summaryText } from '../summary.js';
import { runRounds, type Fault } from './rounds.js';

/* Faults at random moments on MySQL and MariaDB, where a rollback with DDL has no transaction to fall back on. */

/** Rounds of each fault; 300 altogether. */
const extents = isFull ? { kill: 80, terminate: 60, cut: 100, crash: 60 } : { kill: 4, terminate: 3, cut: 6, crash: 3 };

async function strike(fault: Fault, title: string, server: Parameters<typeof runRounds>[0]['server']): Promise<void> {
  const summary = await runRounds({
    fault,
    rounds: replayed === undefined ? extents[fault] : 1,
    seed: replayed === undefined ? masterSeed : Number(replayed),
    isReplay: replayed !== undefined,
    server,
  });
  console.log(summaryText(`${title}, MySQL`, summary, `FLYBACK_FAULTS_SEED=${masterSeed}`));
  expect(summary.wrong).toEqual([]);
}

forEachMysql('struck at random moments', (server) => {
  test('kill -9 of flyback', () => strike('kill', 'kill -9', server));
  test('KILL of its connection', () => strike('terminate', 'KILL', server));
  test('its connection cut at a message', () => strike('cut', 'connection cut', server));
});

describeWithLocalMysql('struck at random moments, a server of its own', () => {
  let local: LocalServer;

  beforeAll(async () => {
    local = await startLocal();
  });
  afterAll(() => local.stop());

  test('crash of the server', () =>
    strike('crash', 'crash of the server', { url: local.url, product: local.product, local }));
});
