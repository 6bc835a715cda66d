import { quoteIdentifier } from '../quoting.js';

/** A possibly qualified name as SQL writes it. */
export function nameText(ref: { readonly schema?: string | undefined; readonly name: string } | undefined): string {
  if (ref === undefined) return '…';
  const name = quoteIdentifier(ref.name);
  return ref.schema === undefined ? name : `${quoteIdentifier(ref.schema)}.${name}`;
}

/** 'user'@'host' of an account that was read as user@host. */
export function accountText(account: string): string {
  const at = account.lastIndexOf('@');
  const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;
  return at === -1 ? quote(account) : `${quote(account.slice(0, at))}@${quote(account.slice(at + 1))}`;
}

/** A line of a hint that is no SQL but an advice: it stays a comment when the hint is uncommented. */
export function advice(text: string): string {
  return `-- ${text}`;
}
