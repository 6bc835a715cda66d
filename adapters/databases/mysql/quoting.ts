import type { QualifiedName } from '../../../src/history/history.js';

/** Quotes an identifier, always, so that case, special characters and key words are kept; whatever ANSI_QUOTES says. */
export function quoteIdentifier(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/**
 * Quotes a text literal so that it reads the same whatever NO_BACKSLASH_ESCAPES and the connection's character set say:
 * what holds a backslash or a NUL is written in hexadecimal digits. For expressions; COMMENT '…' and the like take only a
 * plain string.
 */
export function quoteLiteral(text: string): string {
  if (!text.includes('\\') && !text.includes('\0')) return `'${text.replaceAll("'", "''")}'`;
  return `_utf8mb4 X'${Buffer.from(text, 'utf8').toString('hex')}'`;
}

/** A table with its database. */
export function qualified({ schema, name }: QualifiedName): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}
