import type { parseSync } from 'libpg-query';

let prepare: () => Promise<void> = () => Promise.resolve();

/** What a process wants to have done before the parser is loaded; it may be that it never is. */
export function beforeParser(work: () => Promise<void>): void {
  prepare = work;
}

/** Loads PostgreSQL 18's own grammar (libpg-query, WebAssembly, about 65 ms). */
export async function loadParser(): Promise<typeof parseSync> {
  await prepare();
  const parser = await import('libpg-query');
  await parser.loadModule();
  return parser.parseSync;
}
