import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { isRunning, ownProcess } from '../../adapters/databases/scratch-server/lease.js';
import type { Session } from '../adapter/database.js';
import type { DockerImages } from '../adapter/scratch-servers.js';
import { Secret, type ConnectionSettings } from '../config/config.js';
import { createRedactor } from '../config/create-redactor.js';
import { FlybackError } from '../errors/error.js';

/** A running server in a container of this process's own. */
export interface DockerServer {
  readonly image: string;
  /** Without a database; of an account that may do everything. */
  readonly settings: Omit<ConnectionSettings, 'databaseName'>;
  /** To the database that is there from the start. The caller closes it. */
  readonly maintenance: Session;
  /** Removes the container with its data. Never throws. */
  stop(): Promise<void>;
}

export interface DockerOptions {
  readonly image: string;
  readonly images: DockerImages;
  readonly connect: (settings: ConnectionSettings) => Promise<Session>;
}

/** Holds the process that a container belongs to: which machine, which process. */
const label = 'dev.flyback.scratch';

const readyTimeoutMs = 60_000;
const pollMs = 50;
const keptLogBytes = 8192;

/**
 * Starts a container of a database's image by the docker command, on a spare port of 127.0.0.1, and waits until it accepts
 * connections. It is removed on stop and when this process exits; of a process that was killed, by the next start. Throws
 * FlybackError docker-unavailable, which quotes what Docker or the container said.
 */
export async function startDocker({ image, images, connect }: DockerOptions): Promise<DockerServer> {
  await sweep();
  const password = new Secret(randomBytes(24).toString('base64url'));
  const redact = createRedactor([password]);
  const name = `flyback-scratch-${process.pid}-${randomBytes(4).toString('hex')}`;
  const remove = async (): Promise<void> => {
    await docker(['rm', '--force', '--volumes', name]);
  };
  const removeAtExit = (): void => {
    spawnSync('docker', ['rm', '--force', '--volumes', name], { stdio: 'ignore', timeout: 10_000 });
  };
  process.once('exit', removeAtExit);
  let output: Output | undefined;
  const stop = async (): Promise<void> => {
    await remove();
    output?.child.kill();
    process.off('exit', removeAtExit);
  };
  try {
    await create(name, image, images, password);
    output = follow(name);
    const { settings, maintenance } = await waitUntilReady({ name, port: images.port }, output, async (port) => {
      const own = { ...images.base, hosts: [{ host: '127.0.0.1', port }], password };
      return {
        settings: own,
        maintenance: await connect({ ...own, databaseName: images.databaseName, connectTimeoutMs: 2000 }),
      };
    });
    return { image, settings, maintenance, stop };
  } catch (error) {
    await stop();
    if (!(error instanceof ContainerFailure)) throw error;
    throw unavailable(redact(`The container of ${image} ${error.message}`), 'See what it says, or name another image.');
  }
}

/** Removes the containers of processes of this machine that are no more. */
async function sweep(): Promise<void> {
  const format = `{{.Names}}\t{{.Label "${label}"}}`;
  const listed = await docker(['ps', '--all', '--no-trunc', '--filter', `label=${label}`, '--format', format]);
  if (listed.kind === 'missing') {
    throw unavailable('There is no docker command on the PATH.', 'Install Docker, or leave out --scratch docker.');
  }
  if (listed.kind === 'failed') {
    throw unavailable(`No Docker engine answers: ${listed.words}`, 'Start Docker, or leave out --scratch docker.');
  }
  for (const line of listed.text.split('\n')) {
    const [name = '', owner = ''] = line.split('\t');
    const [machine, ...rest] = owner.split(' | ');
    if (name === '' || machine !== hostname() || isRunning(rest.join(' | '))) continue;
    await docker(['rm', '--force', '--volumes', name]);
  }
}

/** The password goes through the environment: everybody on the machine can read arguments. */
async function create(name: string, image: string, images: DockerImages, password: Secret): Promise<void> {
  const { port, dataFolder, environment, secrets } = images;
  const words = [
    ...['create', '--rm', '--name', name, '--label', `${label}=${hostname()} | ${ownProcess()}`],
    ...['--publish', `127.0.0.1::${port}`, '--tmpfs', dataFolder],
    ...Object.entries(environment).flatMap(([variable, value]) => ['--env', `${variable}=${value}`]),
    ...secrets.flatMap((variable) => ['--env', variable]),
    image,
    ...images.words,
  ];
  const made = await docker(words, Object.fromEntries(secrets.map((variable) => [variable, password.reveal()])));
  if (made.kind === 'done') return;
  throw unavailable(
    `No container can be made of the image ${image}: ${made.kind === 'failed' ? made.words : 'the docker command is gone'}`,
    `Try it by hand: docker pull ${image}`,
  );
}

/** What a container writes, from its first line on: once it has ended nobody can ask. */
interface Output {
  readonly child: ChildProcess;
  /** The last lines. */
  readonly text: () => string;
  readonly hasEnded: () => boolean;
}

function follow(name: string): Output {
  // In a group of its own: Ctrl-C in a terminal must not reach the server through it.
  const child = spawn('docker', ['start', '--attach', '--sig-proxy=false', name], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let text = '';
  let ended = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => (text = (text + chunk).slice(-keptLogBytes)));
    // It must not keep this process alive.
    (stream as unknown as { unref?(): void }).unref?.();
  }
  child.once('error', (error) => (text += error.message));
  child.once('close', () => (ended = true));
  child.unref();
  return { child, text: () => text.trim().split('\n').slice(-5).join('\n'), hasEnded: () => ended };
}

/** Ends the sentence "The container of IMAGE …". */
class ContainerFailure extends Error {}

/** While an image sets itself up, its server listens to nobody outside; the first connection is to the one that stays. */
async function waitUntilReady<T>(
  container: { readonly name: string; readonly port: number },
  output: Output,
  connect: (port: number) => Promise<T>,
): Promise<T> {
  const deadline = Date.now() + readyTimeoutMs;
  let problem = '';
  for (;;) {
    if (output.hasEnded()) throw new ContainerFailure(`has ended by itself: ${output.text() || 'it said nothing.'}`);
    const port = await publishedPort(container);
    if (port !== undefined) {
      try {
        return await connect(port);
      } catch (error) {
        if (!(error instanceof FlybackError)) throw error;
        problem = error.message;
      }
    }
    if (Date.now() > deadline) {
      throw new ContainerFailure(
        `accepts no connections after ${readyTimeoutMs / 1000} s: ${[problem, output.text()].filter((part) => part !== '').join('\n')}`,
      );
    }
    await delay(pollMs);
  }
}

/** Undefined as long as the container has none. */
async function publishedPort({
  name,
  port: inside,
}: {
  readonly name: string;
  readonly port: number;
}): Promise<number | undefined> {
  const asked = await docker(['port', name, `${inside}/tcp`]);
  const port = asked.kind === 'done' ? /:(\d+)\s*$/m.exec(asked.text)?.[1] : undefined;
  return port === undefined ? undefined : Number(port);
}

type Answer =
  | { readonly kind: 'done'; readonly text: string }
  | { readonly kind: 'failed'; readonly words: string }
  | { readonly kind: 'missing' };

function docker(words: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...environment }, maxBuffer: 1 << 24 };
    execFile('docker', words, options, (error, stdout, stderr) => {
      if (error === null) resolve({ kind: 'done', text: stdout });
      else if (error.code === 'ENOENT') resolve({ kind: 'missing' });
      else resolve({ kind: 'failed', words: lastWords(stderr) || error.message });
    });
  });
}

/** Without the progress of a download and the advice that follows an error. */
function lastWords(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  const error = lines.find((line) => /^docker: |error|cannot|denied/i.test(line)) ?? lines.find((line) => line !== '');
  return error?.replace(/^docker: /, '') ?? '';
}

function unavailable(message: string, hint: string): FlybackError {
  return new FlybackError('docker-unavailable', message, { hint });
}
