import { quoteIdentifier } from '../quoting.js';

/** A name as the pictures of the catalog have it: in backquotes where SQL would need them. */
export function shown(name: string): string {
  return /^[A-Za-z_$\u0080-\uffff][\w$\u0080-\uffff]*$/.test(name) ? name : quoteIdentifier(name);
}

/** The name that was shown so. */
export function unshown(text: string): string {
  return text.startsWith('`') ? text.slice(1, -1).replaceAll('``', '`') : text;
}

const literal = String.raw`'(?:[^'\\]|\\.|'')*'`;

/** A definition as the server writes it, without the name of the database that it is in. */
export function withoutSchema(text: string, schema: string): string {
  const own = quoteIdentifier(schema).replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return text.replace(new RegExp(`(${literal})|${own}\\.`, 'gs'), (_, kept: string | undefined) => kept ?? '');
}
