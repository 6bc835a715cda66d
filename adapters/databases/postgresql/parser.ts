import type { parseSync } from 'libpg-query';

/** Loads PostgreSQL 18's own grammar (libpg-query, WebAssembly, about 65 ms). */
export async function loadParser(): Promise<typeof parseSync> {
  const parser = await import('libpg-query');
  await parser.loadModule();
  return parser.parseSync;
}
