import type { RowChange, TableRows } from './proof.js';

/** Tables whose rows differ, by name. A table without rows counts as absent. Pure. */
export function compareRows(
  before: ReadonlyMap<string, TableRows>,
  after: ReadonlyMap<string, TableRows>,
): readonly RowChange[] {
  const tables = [...new Set([...before.keys(), ...after.keys()])].sort();
  return tables.flatMap((table) => {
    const [was, is] = [before.get(table), after.get(table)];
    if (was?.count === is?.count && was?.digest === is?.digest) return [];
    return [{ table, before: was, after: is }];
  });
}
