import type { Catalog } from './catalog.js';

/** Words without which no statement, and no body of a routine or a block, writes rows. */
const writing = /\b(?:update|insert|replace|merge|delete|truncate|copy|load)\b/i;

/**
 * Tables of a catalog that are named in statements that may write rows. Some of them are only read; what a routine writes
 * that is merely called is missing. Pure.
 */
export function writtenTables(statements: readonly string[], { objects }: Catalog): readonly string[] {
  const texts = statements.filter((text) => writing.test(text)).map((text) => text.toLowerCase());
  if (texts.length === 0) return [];
  const words = new Set(texts.flatMap((text) => text.match(/[\p{L}_][\p{L}\p{N}_$]*/gu) ?? []));
  return objects.flatMap(({ kind, name }) => {
    if (kind !== 'table') return [];
    const own = lastPart(name).toLowerCase();
    return words.has(own) || (/[^\p{L}\p{N}_$]/u.test(own) && texts.some((text) => text.includes(own))) ? [name] : [];
  });
}

/** Of a name as the catalog writes it, without schema and quotes. */
function lastPart(name: string): string {
  const [part = name] = /(?:"(?:[^"]|"")*"|[^".]+)$/.exec(name) ?? [];
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}
