import * as fs from 'node:fs/promises';

/** The operating-system account that the server runs under when we are root. */
export interface ServerAccount {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Servers refuse to run as root, and initdb wants an account that has a name. Undefined: we are not root (or on Windows),
 * the server runs as we do. As root: the server's usual account, else nobody, else the first account that is not root.
 */
export async function findServerAccount(usual: 'postgres' | 'mysql'): Promise<ServerAccount | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const passwd = await fs.readFile('/etc/passwd', 'utf8').catch(() => '');
  return chooseAccount(passwd, usual);
}

/** Picks the account from the text of /etc/passwd. */
export function chooseAccount(passwd: string, usual: string): ServerAccount {
  const accounts = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name, , uid, gid]) => ({ name: name ?? '', uid: Number(uid), gid: Number(gid) }))
    .filter(({ uid, gid }) => Number.isInteger(uid) && Number.isInteger(gid) && uid > 0);
  const chosen =
    [usual, 'nobody'].map((name) => accounts.find((account) => account.name === name)).find(Boolean) ?? accounts[0];
  // By convention "nobody" where there is no list of accounts at all.
  return chosen === undefined ? { uid: 65534, gid: 65534 } : { uid: chosen.uid, gid: chosen.gid };
}
