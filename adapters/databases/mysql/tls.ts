import { readFile } from 'node:fs/promises';
import type { TlsSettings } from '../../../src/config/config.js';
import { FlybackError } from '../../../src/errors/error.js';

/** The subset of the driver's TLS options that flyback uses. */
export interface DriverTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  readonly rejectUnauthorized: boolean;
  /** Whether the name in the certificate must be the host's. */
  readonly verifyIdentity: boolean;
}

/**
 * The ways to open a connection, in order (MySQL manual, "Command Options for Encrypted Connections"). The second one, for
 * prefer and allow, counts only when the server offers no TLS at all. Unix sockets never use TLS.
 */
export async function tlsAttempts(tls: TlsSettings, host: string): Promise<readonly (DriverTls | undefined)[]> {
  if (host.startsWith('/') || tls.mode === 'disable') return [undefined];
  const files = {
    ...(tls.rootCertificateFile === undefined
      ? {}
      : { ca: await read(tls.rootCertificateFile, "file of the server's certificate or its authority") }),
    ...(tls.certificateFile === undefined ? {} : { cert: await read(tls.certificateFile, 'client certificate') }),
    ...(tls.keyFile === undefined ? {} : { key: await read(tls.keyFile, 'client key') }),
    ...(tls.keyPassword === undefined ? {} : { passphrase: tls.keyPassword.reveal() }),
  };
  const unverified: DriverTls = { ...files, rejectUnauthorized: false, verifyIdentity: false };
  switch (tls.mode) {
    case 'allow':
    case 'prefer':
      return [unverified, undefined];
    case 'require':
      return [unverified];
    case 'verify-ca':
      return [{ ...files, rejectUnauthorized: true, verifyIdentity: false }];
    case 'verify-full':
      return [{ ...files, rejectUnauthorized: true, verifyIdentity: true }];
  }
}

async function read(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new FlybackError(
      'config-invalid',
      `Cannot read the ${what} at ${file}: ${(cause as NodeJS.ErrnoException).code ?? 'unreadable'}.`,
      { hint: 'Correct the path in the connection URL, or make the file readable for this user.', cause },
    );
  }
}
