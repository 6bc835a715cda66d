import { startEmbedded } from '../../adapters/databases/postgresql/embedded.js';

/** A throw-away server of this process's own; it ends with the process. */
export interface ScratchServer {
  readonly version: string;
  /** libpq URL of an empty database. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts the npm-shipped PostgreSQL on a private socket. Throws FlybackError embedded-unavailable. */
export async function startScratchServer(): Promise<ScratchServer> {
  return startEmbedded({ listen: 'socket' });
}
