import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkChain, type StoredRecord } from '../../../src/record/check-chain.js';
import { chainHash, genesisHash } from '../../../src/record/record-entry.js';

function chain(entries: readonly string[]): readonly StoredRecord[] {
  let previousHash = genesisHash;
  return entries.map((entry, index) => {
    const row = { id: index + 1, entry, previousHash, hash: chainHash(previousHash, entry) };
    previousHash = row.hash;
    return row;
  });
}

const rows = chain(['{"a":1}', '{"b":2}', '{"c":3}', '{"d":4}']);
const codes = (changed: readonly StoredRecord[], expected?: string): readonly string[] =>
  checkChain(changed, expected).map((finding) => `${finding.code} ${finding.subject}`);

describe('checkChain', () => {
  it('finds nothing in an untouched record, nor in an empty one', () => {
    expect(codes(rows)).toEqual([]);
    expect(codes([])).toEqual([]);
    expect(codes(rows, rows[1]?.hash)).toEqual([]);
  });

  it('chains with SHA-256 of previous hash, newline and entry', () => {
    // sha256sum of 64 zeros, a newline and {"a":1}
    expect(rows[0]?.hash).toBe('f21735afd2cd6af4fc5804b0045cebfd545aef8396d29d030c39cb8880b45b7f');
  });

  it('names an entry whose text was changed', () => {
    const changed = rows.map((row) => (row.id === 2 ? { ...row, entry: '{"b":9}' } : row));
    expect(codes(changed)).toEqual(['record-entry-changed record entry 2']);
  });

  it('notices a changed entry whose own hash was made to fit', () => {
    const changed = rows.map((row) =>
      row.id === 2 ? { ...row, entry: '{"b":9}', hash: chainHash(row.previousHash, '{"b":9}') } : row,
    );
    expect(codes(changed)).toEqual(['record-chain-broken record entry 3']);
  });

  it('notices a removed, a moved and an inserted entry', () => {
    expect(codes(rows.filter((row) => row.id !== 2))).toEqual(['record-chain-broken record entry 3']);
    expect(codes(rows.filter((row) => row.id !== 1))).toEqual(['record-chain-broken record entry 2']);
    const [first, second, third, fourth] = rows as [StoredRecord, StoredRecord, StoredRecord, StoredRecord];
    expect(codes([first, third, second, fourth]).length).toBeGreaterThan(0);
    expect(codes([first, { ...second, id: 9 }, second, third, fourth]).length).toBeGreaterThan(0);
  });

  it('needs a hash that was kept elsewhere to notice a cut tail', () => {
    const cut = rows.slice(0, 2);
    expect(codes(cut)).toEqual([]);
    expect(codes(cut, rows[3]?.hash)).toEqual(['record-head-missing record']);
  });

  it('notices any single changed character', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string(), { minLength: 1, maxLength: 6 }),
        fc.nat(),
        fc.string({ minLength: 1 }),
        (entries, at, extra) => {
          const whole = chain(entries);
          const index = at % whole.length;
          const changed = whole.map((row, position) =>
            position === index ? { ...row, entry: row.entry + extra } : row,
          );
          expect(codes(changed).length).toBeGreaterThan(0);
        },
      ),
    );
  });
});
