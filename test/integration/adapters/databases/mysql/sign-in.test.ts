import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { connectMysql } from '../../../../../adapters/databases/mysql/session.js';
import type { FlybackError } from '../../../../../src/errors/error.js';
import { mysqlSettings } from '../../../../harness/mysql-settings.js';

/** One packet of the protocol: length, number, payload (MySQL manual, "MySQL Packets"). */
function packet(number: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUIntLE(payload.length, 0, 3);
  head[3] = number;
  return Buffer.concat([head, payload]);
}

/** A server's greeting, protocol 10, without TLS: 4.1 passwords and plugins (bits 9, 15 and 19 of its capabilities). */
const greeting = Buffer.concat([
  Buffer.from('\x0a8.4.0\0', 'latin1'),
  Buffer.from([1, 0, 0, 0]),
  Buffer.from('12345678\0', 'latin1'),
  Buffer.from([0x00, 0x82, 45, 2, 0, 0x08, 0x00, 21]),
  Buffer.alloc(10),
  Buffer.from('123456789012\0mysql_native_password\0', 'latin1'),
]);

/** What becomes of an attempt to sign in at a server that asks for this plugin, and all that it was sent. */
async function signIn(plugin: string): Promise<{ readonly error: FlybackError; readonly received: string }> {
  const received: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write(packet(0, greeting));
    socket.once('data', () =>
      socket.write(packet(2, Buffer.from(`\xfe${plugin}\x0012345678901234567890\0`, 'latin1'))),
    );
    socket.on('data', (data) => received.push(data));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    const error = await connectMysql(mysqlSettings(`mysql://u:correct-horse@127.0.0.1:${String(port)}/d`)).then(
      () => {
        throw new Error('It connected.');
      },
      (reason: unknown) => reason as FlybackError,
    );
    return { error, received: Buffer.concat(received).toString('latin1') };
  } finally {
    server.close();
  }
}

it('a server that asks for the password in clear text does not get it', async () => {
  const { error, received } = await signIn('mysql_clear_password');
  expect(error).toMatchObject({ code: 'authentication-failed', hint: expect.stringContaining('clear text') as string });
  expect(received).toContain('u\0');
  expect(received).not.toContain('correct-horse');
});

it('a plugin that the driver does not know is named', async () => {
  const { error } = await signIn('client_ed25519');
  expect(error).toMatchObject({ code: 'authentication-failed' });
  expect(error.message).toContain('client_ed25519');
  expect(error.hint).toContain('caching_sha2_password');
});
