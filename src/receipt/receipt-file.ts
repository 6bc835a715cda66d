import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { FlybackError, type SourceLocation } from '../errors/error.js';
import type { Finding } from '../errors/finding.js';
import { sha256 } from '../fingerprint/fingerprint.js';
import type { Version, VersionScheme } from '../history/version.js';
import { parseReceipt, printReceipt, type Receipt } from './receipt.js';

export const receiptFileName = 'flyback.lock';

/** The format of the file that this flyback writes. */
const fileFormat = 1;
const header = `# flyback.lock, format ${fileFormat}. Written by flyback prove: commit it, do not edit it.`;

/** One version's line. */
export interface ReceiptLine {
  readonly version: Version;
  /** Undefined: the line was changed after flyback wrote it, so it shows nothing. */
  readonly receipt: Receipt | undefined;
  readonly location: SourceLocation;
}

export interface ReceiptFile {
  readonly file: string;
  /** By the key of the version. */
  readonly lines: ReadonlyMap<string, ReceiptLine>;
}

/** Reads flyback.lock of a project; undefined when there is none. Throws FlybackError receipts-invalid, file-unreadable. */
export async function readReceipts(folder: string, versions: VersionScheme): Promise<ReceiptFile | undefined> {
  const file = path.join(folder, receiptFileName);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new FlybackError('file-unreadable', `Cannot read ${file}: ${code ?? 'unreadable'}.`, {
      hint: 'Make it a file that this user may read.',
      cause,
    });
  }
  return parseReceipts(text, file, versions);
}

/**
 * Reads the text of flyback.lock: a header, then a line for each version with the version, its receipt and a checksum
 * over both. Throws FlybackError receipts-invalid with everything that is wrong, each with its line.
 */
export function parseReceipts(text: string, file: string, versions: VersionScheme): ReceiptFile {
  const [first = '', ...rest] = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const findings: Finding[] = [];
  const refuse = (line: number, lineText: string, problem: string, hint: string): void => {
    findings.push({
      code: 'receipts-invalid',
      severity: 'error',
      subject: receiptFileName,
      message: `${receiptFileName}, line ${line}: ${problem}.`,
      hint,
      location: { file, line, column: 1, lineText },
    });
  };
  const format = /^# flyback\.lock, format (\d{1,6})\b/.exec(first)?.[1];
  if (format !== undefined && Number(format) > fileFormat) {
    throw new FlybackError(
      'receipts-invalid',
      `${receiptFileName} has the format ${format}; this flyback knows ${fileFormat}.`,
      {
        hint: 'Use the flyback that wrote it, or a newer one.',
        location: { file, line: 1, column: 1, lineText: first },
      },
    );
  }
  if (format === undefined && !isConflict(first)) {
    refuse(1, first, `it does not begin with "${header}"`, 'Restore the file, or remove it and run: flyback prove');
  }
  const lines = new Map<string, ReceiptLine>();
  for (const [index, line] of [first, ...rest].entries()) {
    if (line.trim() === '' || (index === 0 && !isConflict(line))) continue;
    // A conflict about the first line: it stands within the marks.
    if (isConflict(first) && line.startsWith('# flyback.lock, format ')) continue;
    const number = index + 1;
    if (isConflict(line)) {
      refuse(number, line, 'a merge left its marks here', 'Keep one line for each version, then run: flyback prove');
      continue;
    }
    const [, versionText = '', body = '', sum = ''] = /^(\S+) (\{.*\}) ([0-9a-f]{16})$/.exec(line) ?? [];
    const version = versions.parse(versionText);
    if (version === undefined) {
      refuse(
        number,
        line,
        'it is not a version with its receipt',
        'Restore the line, or remove it and run: flyback prove',
      );
      continue;
    }
    const location = { file, line: number, column: 1, lineText: line };
    const twin = lines.get(version.key);
    if (twin !== undefined && twin.location.lineText !== line) {
      const problem = `version ${version.text} has another receipt in line ${twin.location.line}`;
      refuse(number, line, problem, 'Remove both, then run: flyback prove');
      continue;
    }
    if (sumOf(versionText, body) !== sum) {
      lines.set(version.key, { version, receipt: undefined, location });
      continue;
    }
    const receipt = parseReceipt(body);
    if (typeof receipt === 'string') {
      refuse(number, line, receipt, 'Remove the line, then run: flyback prove');
      continue;
    }
    lines.set(version.key, { version, receipt, location });
  }
  const [only] = findings;
  if (only === undefined) return { file, lines };
  throw findings.length === 1
    ? new FlybackError('receipts-invalid', only.message, { hint: only.hint, location: only.location, findings })
    : new FlybackError('receipts-invalid', `${receiptFileName} cannot be read: ${findings.length} lines are wrong.`, {
        hint: 'Put each of them right, or restore the file.',
        findings,
      });
}

/** As git marks both sides of a conflict. */
function isConflict(line: string): boolean {
  return /^(?:<{7}|={7}|>{7}|\|{7})(?: |$)/.test(line);
}

function sumOf(version: string, body: string): string {
  return sha256(`${version} ${body}`).slice(0, 16);
}

/** The text of flyback.lock, versions ascending. */
export function printReceipts(
  receipts: readonly { readonly version: Version; readonly receipt: Receipt }[],
  versions: VersionScheme,
): string {
  const lines = [...receipts]
    .sort((a, b) => versions.compare(a.version, b.version))
    .map(({ version, receipt }) => {
      const body = printReceipt(receipt);
      return `${version.text} ${body} ${sumOf(version.text, body)}`;
    });
  return [header, ...lines, ''].join('\n');
}

/** Puts the file in place at once: whoever reads meanwhile sees the one before or this one. */
export async function writeReceipts(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  try {
    await writeFile(draft, text);
    await rename(draft, file);
  } catch (cause) {
    await rm(draft, { force: true });
    throw new FlybackError(
      'file-unreadable',
      `Cannot write ${file}: ${(cause as NodeJS.ErrnoException).code ?? 'refused'}.`,
      { hint: 'Make the project folder one that this user may write to, or give --no-write.', cause },
    );
  }
}
