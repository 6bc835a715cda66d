import type { Client as PgClient } from 'pg';
import { errorFields, FrameReader, serverError, type Frame } from './lent-session/messages.js';

/** The connection of a session, in other hands. */
export interface TakenWire {
  /** Whole messages of a client. */
  send(bytes: Uint8Array): void;
  /** At ReadyForQuery, or when the connection is lost. */
  giveBack(): void;
}

export interface WireHandlers {
  /** Each message of the server, in order; notices too. */
  readonly onMessage: (frame: Frame) => void;
  /** Once, when nothing more will come. `error`: what the server said at last, or the socket. */
  readonly onLost: (error: Error) => void;
}

interface Stream {
  listeners(event: 'data'): readonly ((chunk: Buffer) => void)[];
  on(event: string, listener: (value: never) => void): void;
  removeListener(event: string, listener: (value: never) => void): void;
  write(bytes: Uint8Array): void;
  destroy(): void;
  readonly destroyed: boolean;
}

/**
 * Takes pg's place as the reader of its socket. Everything else that pg does about it goes on: it notices when the
 * connection breaks, and is told of notices and of a last word.
 */
export function takeOver(client: PgClient, handlers: WireHandlers): TakenWire {
  const { stream } = (client as unknown as { connection: { stream: Stream } }).connection;
  const readers = stream.listeners('data');
  const frames = new FrameReader('typed');
  let isLost = false;
  let lastWord: Error | undefined;
  const lose = (error: Error): void => {
    if (isLost) return;
    isLost = true;
    handlers.onLost(lastWord ?? error);
  };
  const onData = (chunk: Buffer): void => {
    frames.push(chunk);
    try {
      for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
        if (frame.type === 'N') {
          const { S: severity, M: text, D: detail } = errorFields(frame.body);
          client.emit('notice', { severity, message: text, detail });
        }
        if (frame.type === 'E') {
          const { S: shown, V: severity = shown } = errorFields(frame.body);
          if (severity !== 'ERROR') {
            lastWord = serverError(frame.body);
            client.emit('error', lastWord);
          }
        }
        handlers.onMessage(frame);
      }
    } catch (error) {
      stream.destroy();
      lose(error as Error);
    }
  };
  const onClose = (): void => lose(new Error('Connection terminated unexpectedly'));
  for (const reader of readers) stream.removeListener('data', reader);
  stream.on('data', onData);
  stream.on('error', lose);
  stream.on('close', onClose);
  if (stream.destroyed) queueMicrotask(onClose);
  return {
    send: (bytes) => {
      if (!stream.destroyed) stream.write(bytes);
    },
    giveBack: () => {
      stream.removeListener('data', onData);
      stream.removeListener('error', lose);
      stream.removeListener('close', onClose);
      for (const reader of readers) stream.on('data', reader);
    },
  };
}
