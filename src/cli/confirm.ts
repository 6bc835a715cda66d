import { createInterface } from 'node:readline/promises';
import { FlybackError } from '../errors/error.js';

/**
 * Asks on the terminal. The answer is the name of the database: a habitual "y" must not be enough for production. Throws
 * FlybackError confirmation-missing for any other answer.
 */
export async function confirmDatabase(
  question: string,
  databaseName: string,
  signal: AbortSignal,
  terminal?: Terminal,
): Promise<void> {
  const answer = await ask(
    `\n${question} Type the name of the database (${databaseName}) to go on: `,
    signal,
    terminal,
  );
  if (answer === databaseName) return;
  throw new FlybackError('confirmation-missing', 'Not confirmed; nothing was changed.', {
    hint: 'Run it again and type the name of the database.',
  });
}

export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

/** One trimmed line from the terminal; empty after Ctrl-C or the end of the input. */
export async function ask(
  question: string,
  signal: AbortSignal,
  terminal: Terminal = { input: process.stdin, output: process.stderr },
): Promise<string> {
  const reader = createInterface(terminal);
  const ended = new Promise<string>((resolve) => {
    reader.once('close', () => {
      resolve('');
    });
  });
  try {
    return (await Promise.race([reader.question(question, { signal }), ended])).trim();
  } catch {
    return '';
  } finally {
    reader.close();
  }
}
