import path from 'node:path';
import { styleText } from 'node:util';
import type { FlybackError } from '../../errors/error.js';
import { type SourceLocation } from '../../errors/error.js';
import type { Finding, Severity } from '../../errors/finding.js';

type Style = Parameters<typeof styleText>[0];

/** Colours text only where a person reads it on a terminal that wants colours. */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream): string {
  return stream.isTTY && process.env['NO_COLOR'] === undefined ? styleText(style, text) : text;
}

/** A line of the file with a caret under the column. Tabs are kept so that the caret stands right. */
function snippet(location: SourceLocation): string {
  const number = String(location.line);
  const margin = ' '.repeat(number.length);
  // Long lines are cut around the column, so that the caret is on the screen.
  const start = Math.max(0, location.column - 1 - 60);
  const shown = location.lineText.slice(start, start + 110);
  const before = location.lineText.slice(start, location.column - 1).replace(/[^\t]/g, ' ');
  return `  ${shortPath(location.file)}:${number}:${location.column}\n  ${number} | ${shown}\n  ${margin} | ${before}^`;
}

/** Relative where the file lies below the current folder, as editors and terminals take it. */
function shortPath(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative.startsWith('..') || path.isAbsolute(relative) ? file : relative;
}

const severityStyle: Readonly<Record<Severity, Style>> = { error: 'red', warning: 'yellow', info: 'cyan' };

/** One finding in two or three lines. */
export function findingText(finding: Finding, stream: NodeJS.WriteStream): string {
  const head = `${paint(severityStyle[finding.severity], finding.severity, stream)} ${finding.code}: ${finding.message}`;
  return [
    head,
    ...(finding.location === undefined ? [] : [snippet(finding.location)]),
    ...(finding.hint === undefined ? [] : [`  → ${finding.hint}`]),
  ].join('\n');
}

/** What the configuration says that flyback does otherwise than asked, one finding after the other; '' for nothing. */
export function warningsText(findings: readonly Finding[], stream: NodeJS.WriteStream): string {
  return findings
    .filter((finding) => finding.severity === 'warning')
    .map((finding) => findingText(finding, stream))
    .join('\n');
}

/** An error as a person should see it: what, where, why, what next. Never a stack trace. */
export function errorText(error: FlybackError, stream: NodeJS.WriteStream): string {
  // A single problem is the message itself.
  const findings = error.findings.filter((finding) => finding.message !== error.message);
  const shown = findings.slice(0, 20);
  const more = findings.length - shown.length;
  return [
    `${paint('red', 'error', stream)} ${error.code}: ${error.message}${error.serverCode === undefined ? '' : ` [${error.serverCode}]`}`,
    ...(error.location === undefined ? [] : [snippet(error.location)]),
    ...shown.map((finding) => findingText(finding, stream).replaceAll(/^/gm, '  ')),
    ...(more > 0 ? [`  … and ${more} more`] : []),
    ...(error.hint === undefined ? [] : [`→ ${error.hint}`]),
  ].join('\n');
}

/** The same as a value for --json. */
export function errorJson(error: FlybackError): { readonly error: object } {
  return {
    error: {
      code: error.code,
      message: error.message,
      hint: error.hint ?? null,
      location: error.location ?? null,
      serverCode: error.serverCode ?? null,
      findings: error.findings,
    },
  };
}
