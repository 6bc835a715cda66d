import type { ServerFacts } from '../adapter/database.js';

/** Which server a proof was made on, as far as it matters: servers of two products word the same thing differently. */
export interface ServerEdition {
  readonly product: 'PostgreSQL' | 'MySQL' | 'MariaDB';
  readonly major: number;
}

export function editionOf({ mysql, majorVersion }: Pick<ServerFacts, 'mysql' | 'majorVersion'>): ServerEdition {
  return { product: mysql?.product ?? 'PostgreSQL', major: majorVersion };
}

/** The server of a receipt, which names PostgreSQL by leaving the product out. */
export function editionOfReceipt({
  product,
  major,
}: {
  readonly product?: 'MySQL' | 'MariaDB' | undefined;
  readonly major: number;
}): ServerEdition {
  return { product: product ?? 'PostgreSQL', major };
}

export function isSameEdition(a: ServerEdition, b: ServerEdition): boolean {
  return a.product === b.product && a.major === b.major;
}

/** "PostgreSQL 18". */
export function editionText({ product, major }: ServerEdition): string {
  return `${product} ${major}`;
}
