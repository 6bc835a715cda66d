import { readdirSync, readFileSync } from 'node:fs';
import type { Finding } from '../../src/errors/finding.js';

/** Names of the files in a folder of migrations, not below it, in order; none, and a finding with this hint, where it cannot be read. */
export function fileNamesIn(folder: string, hint: string, findings: Finding[]): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    findings.push({
      code: 'location-missing',
      severity: 'error',
      subject: folder,
      message: `The folder of the migrations, ${folder}, cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown reason'}.`,
      hint,
    });
    return [];
  }
}

/** The text of a migration, or undefined, and a finding about the file of this name, where it cannot be read as UTF-8. */
export function readMigrationText(file: string, name: string, findings: Finding[]): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(file));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const isEncoding = code === 'ERR_ENCODING_INVALID_ENCODED_DATA';
    findings.push({
      code: isEncoding ? 'migration-encoding' : 'migration-unreadable',
      severity: 'error',
      subject: name,
      message: isEncoding ? `${name} is not valid UTF-8.` : `${name} cannot be read: ${code ?? 'unknown reason'}.`,
      hint: isEncoding ? 'Save it as UTF-8.' : 'Let this user read it.',
    });
    return undefined;
  }
}
