import { existsSync } from 'node:fs';
import path from 'node:path';
import { FlybackError } from '../../../src/errors/error.js';

/** The programs of a MariaDB or MySQL server on this machine. */
export interface ServerPrograms {
  readonly product: 'MariaDB' | 'MySQL';
  readonly server: string;
  /** Makes a data directory; MySQL's server does that itself. */
  readonly installer: string | undefined;
}

/** Where Debian, Homebrew and hand-made installations keep servers, which is not on everybody's path. */
const usualFolders = ['/usr/sbin', '/usr/local/sbin', '/usr/libexec', '/usr/local/bin', '/opt/homebrew/bin'];

/**
 * Programs found in these folders or in the usual ones, MariaDB's first; where both are there, those of `product`. Throws
 * FlybackError embedded-unavailable.
 */
export function findServerPrograms(
  folders: readonly string[],
  product?: ServerPrograms['product'],
  usual: readonly string[] = usualFolders,
): ServerPrograms {
  const find = (name: string): string | undefined =>
    [...folders, ...usual]
      .filter((folder) => path.isAbsolute(folder))
      .map((folder) => path.join(folder, name))
      .find((file) => existsSync(file));
  const [mariadb, installer, mysql] = [find('mariadbd'), find('mariadb-install-db'), find('mysqld')];
  const found: ServerPrograms[] = [];
  if (mariadb !== undefined && installer !== undefined) found.push({ product: 'MariaDB', server: mariadb, installer });
  // MariaDB's packages call their server mysqld too.
  if (mysql !== undefined && !existsSync(path.join(path.dirname(mysql), 'mariadbd')))
    found.push({ product: 'MySQL', server: mysql, installer: undefined });
  const chosen = found.find((programs) => programs.product === product) ?? found[0];
  if (chosen !== undefined) return chosen;
  throw new FlybackError(
    'embedded-unavailable',
    'No MariaDB or MySQL server can be started here: there is neither mariadbd with mariadb-install-db nor mysqld on the PATH or in /usr/sbin.',
    {
      hint: 'Install one (Debian: mariadb-server), or name a server for proofs: --scratch mysql://user@host:3306/empty_database, or --scratch docker.',
    },
  );
}
