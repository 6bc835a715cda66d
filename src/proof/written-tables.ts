import type { Catalog } from './catalog.js';

/** Words without which no statement, and no body of a routine or a block, writes rows; not those of ON DELETE or FOR UPDATE. */
const writing = /(?<!\b(?:on|for|before|after|or|of)\s+)\b(?:update|insert|replace|merge|delete|truncate|copy|load)\b/i;

/**
 * Tables of a catalog that are named in statements that may write rows. Some of them are only read; what a routine writes
 * that is merely called is missing. Pure.
 */
export function writtenTables(statements: readonly string[], { objects }: Catalog): readonly string[] {
  const texts = statements.filter((text) => writing.test(text)).map((text) => text.toLowerCase());
  if (texts.length === 0) return [];
  const words = new Set(texts.flatMap((text) => text.match(/[\p{L}_][\p{L}\p{N}_$]*/gu) ?? []));
  // Only between quotes can a name be more than a word.
  const isQuoted = (name: string): boolean =>
    /[^\p{L}\p{N}_$]/u.test(name) && texts.some((text) => text.includes(name.replaceAll('"', '""')));
  return objects.flatMap(({ kind, name }) => {
    const own = lastPart(name).toLowerCase();
    return kind === 'table' && (words.has(own) || isQuoted(own)) ? [name] : [];
  });
}

/** Of a name as the catalog writes it, without schema and quotes. */
function lastPart(name: string): string {
  const [part = name] = /(?:"(?:[^"]|"")*"|[^".]+)$/.exec(name) ?? [];
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}
