import type { SourceLocation } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import { isSecretName } from './readers.js';

export type TomlReading = { readonly document: Readonly<Record<string, unknown>> } | { readonly finding: Finding };

/** A parsed document, or what is wrong with it and where. `label` names the file in messages, `file` is its path. */
export async function parseToml(text: string, file: string, label: string): Promise<TomlReading> {
  const { parse, TomlError } = await import('smol-toml');
  try {
    return { document: parse(text) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The library appends the lines around the mistake to its message; these may hold a password.
    const reason = (error.message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '');
    const finding: Finding = {
      code: 'config-file-invalid',
      severity: 'error',
      subject: label,
      message: `Cannot read ${label}: not valid TOML at line ${error.line}, column ${error.column}: ${reason}.`,
      hint: 'Correct that line; text values stand in double quotes.',
      location: locate(text, file, error.line, error.column),
    };
    return { finding };
  }
}

function locate(text: string, file: string, line: number, column: number): SourceLocation {
  return { file, line, column, lineText: hideValue(text.split(/\r?\n/)[line - 1] ?? '') };
}

/** A line of a configuration file that may be shown: values that may be secret are replaced by ***. */
function hideValue(line: string): string {
  const equals = line.indexOf('=');
  if (equals === -1) return /^\s*(\[|#|$)/.test(line) ? line : '***';
  const key = line.slice(0, equals).trim();
  const harmless =
    !isSecretName(key.replaceAll(/["']/g, '')) && !/url|conn|dsn|user/i.test(key) && !line.includes('://');
  return harmless ? line : `${line.slice(0, equals + 1)} ***`;
}
