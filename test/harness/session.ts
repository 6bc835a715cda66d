import type { Session } from '../../src/adapter/database.js';
import { connect, loadProjectConfig } from '../../src/compose/open-project.js';
import type { TestDatabase } from './postgres.js';

/** A session of flyback's own on a database, as any command opens it. */
export async function connectTo({ jdbcUrl, user }: Pick<TestDatabase, 'jdbcUrl' | 'user'>): Promise<Session> {
  return connect(await loadProjectConfig({ folder: '/', flags: { url: jdbcUrl, user }, environment: {} }));
}
