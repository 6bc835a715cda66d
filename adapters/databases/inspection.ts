import type { Inspection } from '../../src/adapter/database.js';

/* How far an interrupted statement came, in words; for the recovery of every database. */

/** Answer to an inspection: text values exactly as the server sent them, or as the journal kept them. */
export type Rows = readonly (readonly (string | null)[])[];

export function done(words: string): Inspection {
  return { state: 'done', words };
}

export function notDone(words: string): Inspection {
  return { state: 'not-done', words };
}

export function unknown(words: string): Inspection {
  return { state: 'unknown', words };
}

export function partly(words: string, repair: readonly string[], afterRepair: 'run-again' | 'done'): Inspection {
  return { state: 'partly', words, repair, afterRepair };
}
