import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { deferred } from './deferred.js';
import { ExtendedUnits } from './extended-units.js';
import type { Lending } from './lending.js';
import {
  BodyReader,
  errorResponse,
  FrameReader,
  int32,
  message,
  ProtocolViolation,
  readyForQuery,
  type Frame,
} from './messages.js';
import { runSimpleQuery } from './simple-query.js';

/** What a connection has to know of the door. */
export interface Door {
  readonly user: string;
  readonly password: string;
  readonly databaseName: string;
  /** Undefined while nothing is lent. */
  readonly lending: Lending | undefined;
  cancel(processId: number, secret: number): void;
}

/** What is passed on in one piece. */
type Segment =
  | { readonly kind: 'query'; readonly text: string }
  | { readonly kind: 'flush' | 'sync'; readonly messages: readonly Frame[] }
  | { readonly kind: 'function-call' };

/** Codes in the place of a protocol version (PostgreSQL manual, "Message Formats"). */
const cancelRequest = 80877102;
const encryptionRequests: readonly number[] = [80877103, 80877104];
const protocol3 = 3;

/** How long a client may take to log in. */
const loginMs = 10_000;

/** One connection of a program, from its first byte to its last. Whatever it sends, nothing is thrown. */
export class ProgramConnection {
  readonly processId: number;
  readonly secret = randomBytes(4).readInt32BE();
  /** When nothing of it is on the server any more. */
  readonly ended: Promise<void>;
  /** How much it has sent of what its set-up is. */
  setUpSent = 0;
  isSetUp = false;
  readonly #socket: Socket;
  readonly #door: Door;
  readonly #frames = new FrameReader('opening');
  readonly #units: ExtendedUnits;
  readonly #loginTimer: NodeJS.Timeout;
  readonly #hasEnded = deferred();
  #phase: 'opening' | 'password' | 'open' | 'ending' = 'opening';
  #lending: Lending | undefined;
  #messages: Frame[] = [];
  /** Between the first message of an extended unit and its Sync. */
  #isWithinUnit = false;
  readonly #segments: Segment[] = [];
  #wakeUp: (() => void) | undefined;
  #isGone = false;
  /** What came before it is done all the same, as a server does it. */
  #saidGoodbye = false;
  #hasRightUser = false;

  constructor(socket: Socket, number: number, door: Door) {
    this.processId = number;
    this.#socket = socket;
    this.#door = door;
    this.ended = this.#hasEnded.promise;
    this.#units = new ExtendedUnits(this, `flyback_lent_${number}`);
    this.#loginTimer = setTimeout(() => this.destroy(), loginMs).unref();
    socket.setNoDelay(true);
    socket.on('error', () => this.destroy());
    socket.on('close', () => this.#close());
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  /** What it has sent and what has not begun is not to be done any more. */
  get isGone(): boolean {
    return this.#isGone && !this.#saidGoodbye;
  }

  /** It has a turn and does not use it. */
  get waitsForProgram(): boolean {
    return this.#units.waitsForProgram;
  }

  destroy(): void {
    this.#saidGoodbye = false;
    this.#socket.destroy();
    this.#close();
  }

  write(...messages: readonly Buffer[]): void {
    if (this.#socket.writable)
      this.#socket.write(messages.length === 1 ? (messages[0] as Buffer) : Buffer.concat(messages));
  }

  #close(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    clearTimeout(this.#loginTimer);
    this.#phase = 'ending';
    if (this.#lending === undefined) this.#hasEnded.resolve();
    this.#wakeUp?.();
  }

  #read(chunk: Buffer): void {
    this.#lending?.touch();
    this.#frames.push(chunk);
    try {
      while (this.#phase !== 'ending') {
        const frame = this.#frames.next();
        if (frame === undefined) return;
        if (this.#phase === 'opening') this.#open(frame.body);
        else if (this.#phase === 'password') this.#logIn(frame);
        else this.#take(frame);
      }
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#turnAway('08P01', error.message);
    }
  }

  #turnAway(sqlState: string, sentence: string): void {
    this.#phase = 'ending';
    if (this.#socket.writable) this.#socket.end(errorResponse('FATAL', sqlState, sentence));
    this.#wakeUp?.();
  }

  #open(body: Buffer): void {
    const reader = new BodyReader(body);
    const code = reader.int32();
    if (encryptionRequests.includes(code)) {
      // The connection does not leave this machine.
      this.write(Buffer.from('N'));
      return;
    }
    if (code === cancelRequest) {
      this.#door.cancel(reader.int32(), reader.int32());
      this.#phase = 'ending';
      this.#socket.end();
      return;
    }
    if (code >> 16 !== protocol3) throw new ProtocolViolation('Protocol version 3 is spoken here.');
    const options = new Map<string, string>();
    for (let name = reader.text(); name !== ''; name = reader.text()) options.set(name, reader.text());
    const unknown = [...options.keys()].filter((name) => name.startsWith('_pq_.'));
    if ((code & 0xffff) !== 0 || unknown.length > 0) {
      this.write(message('v', int32(protocol3 << 16), int32(unknown.length), ...unknown));
    }
    this.#frames.startTyped();
    if (this.#door.lending === undefined) {
      this.#turnAway('57P03', 'flyback lends its session only while it calls a function of a migration.');
    } else if ((options.get('database') ?? options.get('user')) !== this.#door.databaseName) {
      this.#turnAway('3D000', 'This door leads to another database.');
    } else if (options.has('replication')) {
      this.#turnAway('0A000', 'A session that is lent cannot replicate.');
    } else if (!/^'?(?:utf-?8|unicode|auto)?'?$/i.test(options.get('client_encoding') ?? '')) {
      this.#turnAway('0A000', 'A session that is lent speaks UTF-8 only.');
    } else {
      this.#phase = 'password';
      // Any user may ask: a wrong one is told after the password, as a wrong password.
      this.#hasRightUser = options.get('user') === this.#door.user;
      this.write(message('R', int32(3)));
    }
  }

  #logIn({ type, body }: Frame): void {
    const lending = this.#door.lending;
    if (type !== 'p') throw new ProtocolViolation('A password was expected.');
    if (!isSame(new BodyReader(body).text(), this.#door.password) || !this.#hasRightUser) {
      this.#turnAway('28P01', 'The password is not the one of this door.');
      return;
    }
    if (lending?.admit(this) !== true) {
      this.#turnAway('57P03', 'flyback lends its session only while it calls a function of a migration.');
      return;
    }
    clearTimeout(this.#loginTimer);
    this.#lending = lending;
    this.#phase = 'open';
    this.#frames.liftLimit();
    lending.touch();
    this.write(
      message('R', int32(0)),
      ...[...lending.parameters].map(([name, value]) => message('S', name, value)),
      message('K', int32(this.processId), int32(this.secret)),
      readyForQuery('I'),
    );
    void this.#serve(lending);
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case 'Q':
        if (this.#isWithinUnit) throw new ProtocolViolation('A simple query came before the Sync of an extended one.');
        this.#put({ kind: 'query', text: new BodyReader(frame.body).text() });
        return;
      case 'P':
      case 'B':
      case 'D':
      case 'E':
      case 'C':
        this.#isWithinUnit = true;
        this.#messages.push(frame);
        return;
      case 'H':
      case 'S':
        this.#isWithinUnit = frame.type === 'H';
        this.#put({ kind: frame.type === 'H' ? 'flush' : 'sync', messages: this.#messages });
        this.#messages = [];
        return;
      case 'F':
        this.#put({ kind: 'function-call' });
        return;
      case 'X':
        this.#phase = 'ending';
        this.#saidGoodbye = true;
        this.#wakeUp?.();
        return;
      case 'c':
      case 'd':
      case 'f':
        // Data for a COPY that was refused: a server passes over it too.
        return;
      default:
        throw new ProtocolViolation('A message is of a type that is none.');
    }
  }

  #put(segment: Segment): void {
    this.#segments.push(segment);
    this.#wakeUp?.();
  }

  /** One segment after the other, until the program has said good-bye and what it had sent before is done. */
  async #serve(lending: Lending): Promise<void> {
    try {
      for (;;) {
        const segment = await this.#next();
        if (segment === undefined) break;
        if (segment.kind === 'query') await runSimpleQuery(this, lending, segment.text);
        else if (segment.kind === 'function-call') this.#refuseCall(lending);
        else await this.#units.run(lending, segment.messages, segment.kind === 'sync');
      }
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) lending.verdict.fault(error);
      this.#turnAway('08P01', error instanceof ProtocolViolation ? error.message : 'flyback failed.');
    }
    try {
      await this.#units.leave(lending);
    } finally {
      this.#socket.destroySoon();
      this.#close();
      lending.leave(this);
      this.#hasEnded.resolve();
    }
  }

  #refuseCall(lending: Lending): void {
    lending.verdict.refuse('The program called a function by its number, which cannot be shown in a plan.');
    this.write(errorResponse('ERROR', '0A000', lending.verdict.refusal ?? ''), readyForQuery(lending.statusFor(this)));
  }

  async #next(): Promise<Segment | undefined> {
    while (!this.isGone) {
      const segment = this.#segments.shift();
      if (segment !== undefined) return segment;
      if (this.#phase === 'ending') return undefined;
      await new Promise<void>((resolve) => (this.#wakeUp = resolve));
      this.#wakeUp = undefined;
    }
    return undefined;
  }
}

function isSame(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
