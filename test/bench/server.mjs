import { build } from 'esbuild';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const repository = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Starts the embedded PostgreSQL server of the tests on a spare port: fsync off, and no autovacuum, which would work at
 * moments of its own choice. Resolves to its URL and a function that stops it.
 */
export async function startServer() {
  const bundle = path.join(repository, 'node_modules', '.cache', 'flyback-bench', 'embedded.mjs');
  await build({
    entryPoints: [path.join(repository, 'adapters/databases/postgresql/embedded.ts')],
    outfile: bundle,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'warning',
  });
  const { startEmbedded } = await import(pathToFileURL(bundle).href);
  const server = await startEmbedded({ listen: 'tcp', settings: { autovacuum: 'off' } });
  return { url: server.url, version: server.version, stop: () => server.stop() };
}
