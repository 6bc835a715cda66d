import type { TestProject } from 'vitest/node';
import { startServers, type StartedServer, type TestServer } from './servers.js';

declare module 'vitest' {
  interface ProvidedContext {
    readonly servers: readonly TestServer[];
  }
}

interface SharedServers {
  users: number;
  readonly starting: Promise<readonly StartedServer[]>;
}

const key = Symbol.for('flyback.test.servers');
const shared = globalThis as { [key]?: SharedServers | undefined };

/** Starts the servers before the first project of a run that needs them, and stops them after the last. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // Each vitest project loads this file anew; the process is what they share.
  const servers = (shared[key] ??= { users: 0, starting: startServers(process.env) });
  servers.users += 1;
  const started = await servers.starting;
  project.provide(
    'servers',
    started.map(({ major, url, origin }) => ({ major, url, origin })),
  );
  return async () => {
    servers.users -= 1;
    if (servers.users > 0) return;
    shared[key] = undefined;
    await Promise.all(started.map((server) => server.stop()));
  };
}
