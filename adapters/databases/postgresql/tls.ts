import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import type { TlsSettings } from '../../../src/config/config.js';
import { FlybackError } from '../../../src/errors/error.js';

/**
 * The ways to open a connection, in the order in which libpq would try them for this sslmode
 * (PostgreSQL manual, "SSL Mode Descriptions"). Unix sockets never use TLS.
 */
export async function tlsAttempts(tls: TlsSettings, host: string): Promise<readonly (false | ConnectionOptions)[]> {
  if (host.startsWith('/') || tls.mode === 'disable') return [false];
  const files = await readFiles(tls);
  const unverified: ConnectionOptions = { ...files, rejectUnauthorized: false };
  switch (tls.mode) {
    case 'allow':
      return [false, unverified];
    case 'prefer':
      return [unverified, false];
    case 'require':
      return [unverified];
    case 'verify-ca':
      return [{ ...files, rejectUnauthorized: true, checkServerIdentity: () => undefined }];
    case 'verify-full':
      return [{ ...files, rejectUnauthorized: true }];
  }
}

async function readFiles(tls: TlsSettings): Promise<ConnectionOptions> {
  const verifies = tls.mode === 'verify-ca' || tls.mode === 'verify-full';
  const ca = tls.rootCertificateFile ?? (verifies ? path.join(homedir(), '.postgresql', 'root.crt') : undefined);
  return {
    ...(ca === undefined ? {} : { ca: await read(ca, 'root certificate (sslrootcert)') }),
    ...(tls.certificateFile === undefined
      ? {}
      : { cert: await read(tls.certificateFile, 'client certificate (sslcert)') }),
    ...(tls.keyFile === undefined ? {} : { key: await read(tls.keyFile, 'client key (sslkey)') }),
    ...(tls.keyPassword === undefined ? {} : { passphrase: tls.keyPassword.reveal() }),
  };
}

async function read(file: string, what: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new FlybackError(
      'config-invalid',
      `Cannot read the ${what} at ${file}: ${(cause as NodeJS.ErrnoException).code ?? 'unreadable'}.`,
      {
        hint: 'Correct the path in the connection URL, or make the file readable for this user.',
        cause,
      },
    );
  }
}
