import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tools } from '../../../adapters/index.js';
import { FlybackError } from '../../../src/errors/error.js';
import type { Version } from '../../../src/history/version.js';
import { parseReceipts, printReceipts, type ReceiptFile } from '../../../src/receipt/receipt-file.js';
import type { Receipt } from '../../../src/receipt/receipt.js';

const { versions } = tools.flyway.history;
const version = (text: string): Version => versions.parse(text) ?? { text, key: text };

function receipt(changes: Partial<Receipt> = {}): Receipt {
  return {
    grade: 'exact',
    major: 18,
    method: 1,
    migrations: 'a'.repeat(32),
    migration: 'b'.repeat(32),
    script: 'c'.repeat(32),
    touched: { 'table public.t': [null, '0123456789abcdef'], 'index public."a ""b"".é"': ['0123456789abcdef', null] },
    around: { 'public.t': '0123abcd4567ef89' },
    ...changes,
  };
}

const text = printReceipts(
  [
    {
      version: version('10'),
      receipt: receipt({ left: ['table public.kept'], notes: ['Rows were generated in public.t.'] }),
    },
    { version: version('2'), receipt: receipt({ grade: 'residue', differs: ['enum public.mood'] }) },
    { version: version('002.1'), receipt: receipt({ fixtures: 'd'.repeat(32) }) },
  ],
  versions,
);
const read = (edited: string): ReceiptFile => parseReceipts(edited, '/p/flyback.lock', versions);

describe('flyback.lock', () => {
  it('has a line for each version, in their order, and reads as it was written', () => {
    expect(text.split('\n').map((line) => line.split(' ')[0])).toEqual(['#', '2', '002.1', '10', '']);
    const { lines } = read(text);
    expect([...lines.keys()]).toEqual(['2', '2.1', '10']);
    expect(lines.get('10')?.receipt).toEqual(
      receipt({ left: ['table public.kept'], notes: ['Rows were generated in public.t.'] }),
    );
    expect(read(text.replaceAll('\n', '\r\n')).lines.get('2')?.receipt).toEqual(lines.get('2')?.receipt);
    expect(read(`\uFEFF${text}`).lines.size).toBe(3);
    expect(read(`${text}\n\n`).lines.size).toBe(3);
  });

  it('shows nothing any more, or is refused, once a single character of a line is another', () => {
    const start = text.indexOf('\n') + 1;
    fc.assert(
      fc.property(
        fc.integer({ min: start, max: text.length - 2 }),
        fc.constantFrom('0', 'f', ' ', '"', '}', '9', 'é', ''),
        (at, other) => {
          const edited = text.slice(0, at) + other + text.slice(at + 1);
          fc.pre(edited !== text);
          let sound: ReceiptFile;
          try {
            sound = read(edited);
          } catch (error) {
            expect(error).toBeInstanceOf(FlybackError);
            expect((error as FlybackError).code).toBe('receipts-invalid');
            return;
          }
          const trusted = [...sound.lines.values()].filter((line) => line.receipt !== undefined).length;
          expect(trusted).toBeLessThan(3);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('trusts no receipt under another version than its own', () => {
    const [, second = ''] = text.split('\n');
    const moved = second.replace(/^2 /, '3 ');
    expect(read(text.replace(second, moved)).lines.get('3')?.receipt).toBeUndefined();
  });

  it.each(['<<<<<<< HEAD', '=======', '>>>>>>> topic', '||||||| base'])('names the mark %s of a merge', (mark) => {
    expect(() => read(`${text}${mark}\n`)).toThrow('line 5: a merge left its marks here');
    expect(() => read(`${mark}\n${text}`)).toThrow('line 1: a merge left its marks here');
  });

  it('takes a line that a merge has doubled for one', () => {
    const [, second = ''] = text.split('\n');
    expect(read(`${text}${second}\n`).lines.get('2')?.receipt?.grade).toBe('residue');
  });
});
