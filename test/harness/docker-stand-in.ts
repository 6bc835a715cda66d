import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { startEmbedded } from '../../adapters/databases/postgresql/embedded.js';
import { findBinaries } from './servers.js';

/*
 * Stands in for the docker command where no Docker engine runs: answers the few subcommands that flyback uses, and a
 * "container" is an embedded server of the major that the image's tag names. DOCKER_STAND_IN is its folder: a file for each
 * container, and calls.txt with the arguments of every call. Images: postgres:<major>, "gone:…" which nobody can pull, and
 * "dies:…" which prints its password and ends.
 */

interface Container {
  readonly label: string;
  readonly image: string;
  readonly password: string;
  readonly port?: number;
}

const folder = process.env['DOCKER_STAND_IN'] ?? '';
const [subcommand = '', ...words] = process.argv.slice(2);
appendFileSync(path.join(folder, 'calls.txt'), `${[subcommand, ...words].join(' ')}\n`);

const fileOf = (name: string): string => path.join(folder, `${name}.json`);
const isRunning = (name: string): boolean => existsSync(path.join(folder, `${name}.running`));
const read = (name: string): Container => JSON.parse(readFileSync(fileOf(name), 'utf8')) as Container;
const valueOf = (flag: string): string => words[words.indexOf(flag) + 1] ?? '';
const last = words.at(-1) ?? '';

switch (subcommand) {
  case 'ps':
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
      const name = file.slice(0, -'.json'.length);
      console.log(`${name}\t${read(name).label}`);
    }
    break;
  case 'create': {
    const image = words.find((word) => /^(?:postgres|gone|dies):/.test(word)) ?? '';
    if (image.startsWith('gone:')) {
      console.error(`Unable to find image '${image}' locally`);
      console.error('Error response from daemon: pull access denied for gone, repository does not exist');
      process.exitCode = 1;
      break;
    }
    const password = process.env['POSTGRES_PASSWORD'] ?? '';
    const label = valueOf('--label').replace(/^[^=]*=/, '');
    writeFileSync(fileOf(valueOf('--name')), JSON.stringify({ label, image, password } satisfies Container));
    console.log('5f0c');
    break;
  }
  case 'start':
    await run(last);
    break;
  case 'port': {
    const port = existsSync(fileOf(words[0] ?? '')) ? read(words[0] ?? '').port : undefined;
    if (port === undefined) process.exitCode = 1;
    else console.log(`127.0.0.1:${port}`);
    break;
  }
  case 'rm':
    rmSync(fileOf(last), { force: true });
    while (isRunning(last)) await delay(20);
    break;
  default:
    process.exitCode = 125;
}

async function run(name: string): Promise<void> {
  const container = read(name);
  if (container.image.startsWith('dies:')) {
    console.log(`first line\ninitdb: error: refused with the password ${container.password}`);
    rmSync(fileOf(name));
    process.exitCode = 1;
    return;
  }
  const major = Number(container.image.replace(/^.*:/, ''));
  const server = await startEmbedded({ listen: 'tcp', major, binariesFolder: await findBinaries(major) });
  writeFileSync(path.join(folder, `${name}.running`), '');
  const client = new pg.Client({ connectionString: server.url, ssl: false });
  await client.connect();
  await client.query(`ALTER ROLE postgres PASSWORD '${container.password}'`);
  writeFileSync(path.join(server.dataFolder, 'pg_hba.conf'), 'host all all 127.0.0.1/32 scram-sha-256\n');
  await client.query('SELECT pg_reload_conf()');
  await client.end();
  console.log('database system is ready to accept connections');
  if (existsSync(fileOf(name))) writeFileSync(fileOf(name), JSON.stringify({ ...container, port: server.port }));
  // Nobody but "rm" ends it.
  process.on('SIGTERM', () => undefined);
  while (existsSync(fileOf(name))) await delay(20);
  await server.stop();
  rmSync(path.join(folder, `${name}.running`));
}
