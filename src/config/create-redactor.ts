import type { Secret } from './config.js';
import { redact } from './redact.js';

/** A function that takes these secrets out of any text. */
export function createRedactor(secrets: readonly Secret[]): (text: string) => string {
  return (text) => redact(text, secrets);
}
