import type { Session } from '../../../src/adapter/database.js';
import type { ScratchServers } from '../../../src/adapter/scratch-servers.js';
import type { ConnectionSettings } from '../../../src/config/config.js';
import { quoteIdentifier } from './quoting.js';
import { startScratchServer } from './scratch-server.js';

const ownConnection: Omit<ConnectionSettings, 'hosts' | 'databaseName'> = {
  database: 'mysql',
  user: 'root',
  password: undefined,
  tls: { mode: 'disable' },
  targetServer: 'any',
  searchPath: [],
  options: undefined,
  applicationName: 'flyback',
  connectTimeoutMs: 10_000,
  initSql: undefined,
  display: 'the scratch server',
};

/** Objects in the session's database: tables and views, routines, events. */
const contentsSql = `SELECT (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE())
 + (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE())
 + (SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE())`;

/** Privileges on the whole server of the account and of the roles that are on. SUPER came to be many others on both products. */
const privilegesSql = `SELECT DISTINCT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES`;

const needed = ['CREATE', 'DROP', 'ALTER', 'INDEX', 'SELECT', 'INSERT', 'UPDATE', 'DELETE', 'CREATE VIEW', 'TRIGGER'];

/** Scratch databases on MariaDB and MySQL. */
export const mysqlScratch: ScratchServers = {
  // "10.11.19-MariaDB-0+deb12u1" names the package too.
  describe: ({ facts }) => `${facts.mysql?.product ?? 'MySQL'} ${facts.version.replace(/-.*$/, '')}`,
  start: () => startScratchServer(ownConnection),
  unfitness: async (session, display) => {
    const [contents] = await session.query(contentsSql);
    if (contents?.rows[0]?.[0] !== '0') {
      return {
        reason: `The database ${session.facts.databaseName} of ${display} is not empty.`,
        hint: 'Name an empty database of a server that nobody needs; databases for the proofs are made beside it.',
      };
    }
    const has = await privilegesOf(session);
    const missing = needed.filter((privilege) => !has.has(privilege));
    if (missing.length > 0) {
      return {
        reason: `The account ${session.facts.user} lacks ${missing.join(', ')} on *.* of ${display}.`,
        hint: 'Proofs make databases there and apply migrations of every kind: connect as an account with GRANT ALL PRIVILEGES ON *.*.',
      };
    }
    return undefined;
  },
  create: (name, copyOf) => (copyOf === undefined ? `CREATE DATABASE ${quoteIdentifier(name)}` : undefined),
  drop: (name) => `DROP DATABASE ${quoteIdentifier(name)}`,
  docker: {
    imageFor: ({ facts }) => {
      const [version = ''] = /^\d+\.\d+/.exec(facts.version) ?? [];
      return `${facts.mysql?.product === 'MariaDB' ? 'mariadb' : 'mysql'}:${version}`;
    },
    example: 'docker:mariadb:10.11',
    port: 3306,
    dataFolder: '/var/lib/mysql',
    environment: { MYSQL_ROOT_HOST: '%', MARIADB_ROOT_HOST: '%' },
    secrets: ['MYSQL_ROOT_PASSWORD', 'MARIADB_ROOT_PASSWORD'],
    words: [
      ...['--innodb-flush-log-at-trx-commit=0', '--skip-log-bin', '--event-scheduler=OFF'],
      ...['--log-bin-trust-function-creators=1', '--character-set-server=utf8mb4'],
    ],
    // The password of a container that only this machine reaches, to a server that may ask for TLS to take it.
    base: { ...ownConnection, tls: { mode: 'prefer' } },
    databaseName: 'mysql',
  },
};

async function privilegesOf(session: Session): Promise<ReadonlySet<string>> {
  const [answer] = await session.query(privilegesSql);
  return new Set((answer?.rows ?? []).flatMap(([privilege]) => privilege ?? []));
}
