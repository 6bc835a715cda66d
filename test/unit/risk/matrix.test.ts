import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { changeTypes, type ChangeType } from '../../../src/risk/change.js';
import { matrix } from '../../../src/risk/matrix.js';

/** "Rollback Decision Matrix", as teams have it in their procedures. */
const printed = `
| CREATE TABLE | HIGH | Forward fix | YES (if populated) |
| DROP TABLE | CRITICAL | Restore from backup | YES (permanent) |
| ADD COLUMN | LOW | Drop column or keep | Maybe (if populated) |
| DROP COLUMN | CRITICAL | Restore from backup | YES (permanent) |
| ADD INDEX | MINIMAL | Drop index | NO |
| DROP INDEX | LOW | Recreate index | NO |
| ADD CONSTRAINT | MEDIUM | Drop constraint | NO |
| DROP CONSTRAINT | LOW | Add constraint | NO |
| ALTER TYPE | MEDIUM | Restore type | Maybe (truncation) |
| INSERT DATA | LOW | Delete data | NO |
| UPDATE DATA | HIGH | Restore from backup | YES (requires backup) |
| DELETE DATA | CRITICAL | Restore from backup | YES (permanent) |`;

const rows = printed
  .trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()));

describe('the decision matrix', () => {
  it.each(rows)(
    '%s%s keeps the printed risk, action and data loss',
    (_edge, change = '', risk = '', action, loss = '') => {
      const row = matrix[change.toLowerCase().replace(' ', '-') as ChangeType];
      expect(row).toMatchObject({ risk: risk.toLowerCase(), action, dataLossNote: loss, classic: true });
      expect(loss.toLowerCase().startsWith(row.dataLoss)).toBe(true);
    },
  );

  it('has exactly the twelve printed rows as classic ones', () => {
    expect(Object.values(matrix).filter((row) => row.classic)).toHaveLength(12);
  });

  it('has a row for every change type', () => {
    expect(Object.keys(matrix).sort()).toEqual([...changeTypes].sort());
  });

  it('says the same in its note as in its value', () => {
    for (const row of Object.values(matrix))
      expect(row.dataLossNote.toLowerCase()).toMatch(new RegExp(`^${row.dataLoss}\\b`));
  });

  it('is printed in docs/risk.md as it is', () => {
    const documented = readFileSync(new URL('../../../docs/risk.md', import.meta.url), 'utf8');
    const lines = /\n\|(?: -+ \|){5}\n([\s\S]*?)<!-- \/matrix -->/.exec(documented)?.[1]?.trim().split('\n');
    const cells = lines?.map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
    expect(cells).toEqual(
      Object.entries(matrix).map(([change, row]) => [
        `\`${change}\``,
        row.risk,
        row.action,
        row.dataLossNote,
        row.reason,
      ]),
    );
  });
});
