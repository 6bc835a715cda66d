import path from 'node:path';
import type { FlywaySettings } from './settings.js';
import type { PlaceholderContext } from '../../../src/adapter/history.js';
import { FlybackError, type SourceLocation } from '../../../src/errors/error.js';

/** Flyway's own placeholders, each written after "flyway" and the placeholder separator. */
const builtIns = [
  'defaultSchema',
  'user',
  'database',
  'timestamp',
  'filename',
  'workingDirectory',
  'table',
  'environment',
] as const;
type BuiltIn = (typeof builtIns)[number];

/** A placeholder that could not be replaced. */
export interface UnresolvedPlaceholder {
  /** As written, with prefix and suffix. */
  readonly placeholder: string;
  readonly name: string;
  /** UTF-16 index of its first character. */
  readonly offset: number;
  readonly reason: 'unknown' | 'unterminated';
}

export type Substitution = { readonly text: string } | { readonly unresolved: UnresolvedPlaceholder };

/**
 * Replaces placeholders in a rollback script as Flyway does in a migration: plain text, also inside comments and
 * quotes, names without regard to case, no escape. Throws FlybackError script-refused, with the place, for a name that
 * has no value. Returns the text unchanged when placeholder replacement is switched off.
 */
export function replacePlaceholders(text: string, settings: FlywaySettings, context: PlaceholderContext): string {
  if (!settings.placeholderReplacement || !text.includes(settings.placeholderPrefix)) {
    return text;
  }
  const values = placeholderValues(settings, {
    defaultSchema: context.defaultSchema,
    user: context.user,
    database: context.databaseName,
    timestamp: context.timestamp,
    filename: path.basename(context.file),
    workingDirectory: settings.workingDirectory,
    table: context.table,
    environment: settings.environment,
  });
  const result = substitutePlaceholders(text, settings, values);
  if ('text' in result) {
    return result.text;
  }
  throw refuse(text, context.file, result.unresolved, settings);
}

/**
 * The placeholders whose values are known without a connection, for the checksum of a repeatable migration. The
 * default schema is among them only where it is configured.
 */
export function offlinePlaceholderValues(settings: FlywaySettings, fileName: string): ReadonlyMap<string, string> {
  return placeholderValues(settings, {
    defaultSchema: settings.defaultSchema ?? settings.schemas[0],
    user: undefined,
    database: undefined,
    timestamp: undefined,
    filename: fileName,
    workingDirectory: settings.workingDirectory,
    table: settings.table,
    environment: settings.environment,
  });
}

/** True for a placeholder of Flyway itself, whose value only a connection can tell. */
export function isBuiltInPlaceholder(name: string, settings: Pick<FlywaySettings, 'placeholderSeparator'>): boolean {
  return builtIns.some((builtIn) => builtInName(builtIn, settings) === name.toLowerCase());
}

function builtInName(builtIn: BuiltIn, { placeholderSeparator }: Pick<FlywaySettings, 'placeholderSeparator'>): string {
  return `flyway${placeholderSeparator ?? ':'}${builtIn}`.toLowerCase();
}

function placeholderValues(
  settings: FlywaySettings,
  ownValues: Readonly<Record<BuiltIn, string | undefined>>,
): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(settings.placeholders)) {
    values.set(name.toLowerCase(), value);
  }
  for (const builtIn of builtIns) {
    const value = ownValues[builtIn];
    if (value !== undefined) {
      values.set(builtInName(builtIn, settings), value);
    }
  }
  return values;
}

/**
 * Substitutes until the first placeholder without a value. Mirrors PlaceholderReplacingReader of 13.0.0, including its
 * way of reading ahead: a character that breaks a half-read prefix is passed on unexamined, so `$${x}` stays as it is.
 */
export function substitutePlaceholders(
  text: string,
  settings: Pick<FlywaySettings, 'placeholderPrefix' | 'placeholderSuffix'>,
  values: ReadonlyMap<string, string>,
): Substitution {
  const { placeholderPrefix: prefix, placeholderSuffix: suffix } = settings;
  if (prefix === '' || !text.includes(prefix)) {
    return { text };
  }
  const parts: string[] = [];
  let copiedTo = 0;
  let position = 0;
  for (;;) {
    position = text.indexOf(prefix.charAt(0), position);
    if (position < 0) {
      break;
    }
    const matched = countMatching(text, position, prefix);
    if (matched < prefix.length) {
      position += matched + 1;
      continue;
    }
    const nameStart = position + prefix.length;
    const nameEnd = text.indexOf(suffix, nameStart);
    if (nameEnd < 0) {
      const rest = text.slice(position).split(/\s/, 1)[0] ?? prefix;
      return {
        unresolved: { placeholder: rest, name: rest.slice(prefix.length), offset: position, reason: 'unterminated' },
      };
    }
    const name = text.slice(nameStart, nameEnd);
    const value = values.get(name.toLowerCase());
    const after = nameEnd + suffix.length;
    if (value === undefined) {
      return { unresolved: { placeholder: text.slice(position, after), name, offset: position, reason: 'unknown' } };
    }
    parts.push(text.slice(copiedTo, position), value);
    copiedTo = after;
    position = after;
  }
  return { text: parts.length === 0 ? text : parts.join('') + text.slice(copiedTo) };
}

function countMatching(text: string, position: number, prefix: string): number {
  let matched = 0;
  while (matched < prefix.length && text[position + matched] === prefix[matched]) {
    matched++;
  }
  return matched;
}

function refuse(text: string, file: string, unresolved: UnresolvedPlaceholder, settings: FlywaySettings): FlybackError {
  const message =
    unresolved.reason === 'unknown'
      ? `Cannot use ${path.basename(file)}: the placeholder ${unresolved.placeholder} has no value.`
      : `Cannot use ${path.basename(file)}: the placeholder that begins with ${unresolved.placeholder} has no end.`;
  const hint =
    unresolved.reason === 'unknown'
      ? `Set flyway.placeholders.${unresolved.name}, or switch placeholders off with flyway.placeholderReplacement=false.`
      : `Close it with ${settings.placeholderSuffix}, or switch placeholders off with flyway.placeholderReplacement=false.`;
  return new FlybackError('script-refused', message, { hint, location: locate(text, file, unresolved.offset) });
}

function locate(text: string, file: string, offset: number): SourceLocation {
  const before = text.slice(0, offset).split(/\r\n|\r|\n/);
  const start = offset - (before.at(-1) ?? '').length;
  const lineText = text.slice(start).split(/\r\n|\r|\n/, 1)[0] ?? '';
  return { file, line: before.length, column: Array.from(before.at(-1) ?? '').length + 1, lineText };
}
