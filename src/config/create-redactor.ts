import type { Secret } from './config.js';
import { applyPatterns, secretPatterns } from './redact.js';

/** A function that takes these secrets out of any text. */
export function createRedactor(secrets: readonly Secret[]): (text: string) => string {
  const patterns = secretPatterns(secrets);
  return (text) => applyPatterns(text, patterns);
}
