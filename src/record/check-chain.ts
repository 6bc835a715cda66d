import type { Finding } from '../errors/finding.js';
import { chainHash, genesisHash } from './record-entry.js';

/** One stored row of the record table. */
export interface StoredRecord {
  readonly id: number;
  readonly entry: string;
  readonly previousHash: string;
  readonly hash: string;
}

/**
 * Recomputes the chain over all rows in order of id. Pure. Every break is a finding that names the entry; an empty
 * record is whole. Removing the newest entries leaves a shorter, whole chain: only a head hash kept elsewhere
 * (`expectedHash`) shows that.
 */
export function checkChain(rows: readonly StoredRecord[], expectedHash?: string): readonly Finding[] {
  const findings: Finding[] = [];
  let previous = genesisHash;
  for (const row of rows) {
    const subject = `record entry ${row.id}`;
    if (row.previousHash !== previous) {
      findings.push({
        code: 'record-chain-broken',
        severity: 'error',
        subject,
        message: `Entry ${row.id} does not follow the entry before it: an entry was removed, inserted or moved.`,
        hint: 'Compare with a backup or with a head hash that was kept elsewhere.',
      });
    }
    if (chainHash(row.previousHash, row.entry) !== row.hash) {
      findings.push({
        code: 'record-entry-changed',
        severity: 'error',
        subject,
        message: `Entry ${row.id} does not match its own hash: it was changed after it was written.`,
        hint: 'Compare with a backup or with a head hash that was kept elsewhere.',
      });
    }
    previous = row.hash;
  }
  if (expectedHash !== undefined && !rows.some((row) => row.hash === expectedHash)) {
    findings.push({
      code: 'record-head-missing',
      severity: 'error',
      subject: 'record',
      message: `No entry has the hash ${expectedHash}: entries were removed from the end, or this is another record.`,
      hint: 'Compare with a backup.',
    });
  }
  return findings;
}
