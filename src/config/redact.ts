import type { Secret } from './config.js';

const mask = '***';

/**
 * Replaces every secret in a text by ***, also where it is percent-encoded, doubled as in SQL literals or escaped as in
 * JSON, and whatever stands where passwords stand: between "//user:" and "@", and after "password=" and its like. A
 * secret of fewer than four characters is replaced where it stands alone only.
 */
export function redact(text: string, secrets: readonly Secret[]): string {
  return applyPatterns(text, secretPatterns(secrets));
}

/** The patterns of these secrets, to be made once where many texts follow. */
export function secretPatterns(secrets: readonly Secret[]): readonly RegExp[] {
  const values = [...new Set(secrets.map((secret) => secret.reveal()))].filter((value) => value !== '');
  // Longest first: a secret may be part of another.
  values.sort((a, b) => b.length - a.length);
  return values.map(secretPattern);
}

/** As redact, with patterns made before. */
export function applyPatterns(text: string, patterns: readonly RegExp[]): string {
  let redacted = text;
  for (const pattern of patterns) redacted = redacted.replaceAll(pattern, mask);
  return redacted
    .replaceAll(/(\/\/[^\s:/?#@'"]*):\S*@/g, `$1:${mask}@`)
    .replaceAll(pairPattern, `$1${mask}`)
    .replaceAll(jsonPairPattern, `$1"${mask}"`);
}

const secretNames = '[\\w.-]*(?:password|passwd|passphrase|pwd|secret|token|api_?key)';
const pairPattern = new RegExp(`(\\b${secretNames}\\s*=\\s*)(?:"[^"]*"|'(?:[^']|'')*'|[^\\s&;,"']+)`, 'gi');
const jsonPairPattern = new RegExp(`("${secretNames}"\\s*:\\s*)"(?:[^"\\\\]|\\\\.)*"`, 'gi');

function secretPattern(value: string): RegExp {
  const body = Array.from(value, alternatives).join('');
  const alone = Array.from(value).length < 4;
  return new RegExp(alone ? `(?<![\\p{L}\\p{N}_])(?:${body})(?![\\p{L}\\p{N}_])` : body, 'gu');
}

/** All ways in which one character of a secret may be written. */
function alternatives(character: string): string {
  const forms = new Set([character, character.replaceAll("'", "''"), JSON.stringify(character).slice(1, -1)]);
  if (character === ' ') forms.add('+');
  const bytes = Buffer.from(character, 'utf8').toString('hex').match(/../g) ?? [];
  const encoded = bytes
    .map((byte) => `%${byte.replaceAll(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`)}`)
    .join('');
  const written = [...forms].sort((a, b) => b.length - a.length).map((form) => escapePattern(form));
  return `(?:${[encoded, ...written].join('|')})`;
}

/** Code points instead of the characters: no character can then mean anything else in a pattern. */
function escapePattern(text: string): string {
  return Array.from(text, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`).join('');
}
