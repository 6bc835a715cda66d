import type { ConnectionSettings } from '../config/config.js';
import type { Session } from './database.js';

/** A running server for scratch databases, of this process's own. */
export interface StartedServer {
  /** To a database that is there from the start, as an account that may do everything. Whoever closes the server closes it before. */
  readonly maintenance: Session;
  readonly settings: Omit<ConnectionSettings, 'databaseName'>;
  /** Where it comes from, for people: "embedded". */
  readonly place: string;
  /** Ends the server and removes its data. May be called twice; never throws. */
  readonly stop: () => Promise<void>;
}

/** How scratch databases are had on a database product. */
export interface ScratchServers {
  /** Product and version, for people: "PostgreSQL 18.4". */
  describe(session: Session): string;
  /** Starts a server from programs on this machine. Throws FlybackError embedded-unavailable. */
  start(projectFolder: string | undefined): Promise<StartedServer>;
  /** Why no proofs can be made beside the database of this session, with what to do about it; undefined: they can. */
  unfitness(session: Session, display: string): Promise<{ readonly reason: string; readonly hint: string } | undefined>;
  /**
   * Statements that make a database, empty or as a copy of another one to which nobody is connected; undefined: none copies
   * databases there.
   */
  create(name: string, copyOf: string | undefined): string | undefined;
  drop(name: string): string;
  readonly docker: DockerImages;
}

/** How a container of the product is started. */
export interface DockerImages {
  /** The official image of the version that the target runs. */
  imageFor(target: Session): string;
  /** For the hint where no image can be chosen: "docker:postgres:16". */
  readonly example: string;
  readonly port: number;
  /** Where the data lies: in memory. */
  readonly dataFolder: string;
  /** Variables of the container; those in `secrets` get the password. */
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  /** Behind the image's name. */
  readonly words: readonly string[];
  /** As the account that may do everything; host, port, and password are the container's. */
  readonly base: Omit<ConnectionSettings, 'hosts' | 'databaseName'>;
  /** There from the start. */
  readonly databaseName: string;
}
