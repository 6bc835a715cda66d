import type { CatalogChange } from './compare-catalogs.js';
import { standsBehind } from './compare-sequences.js';
import type { VersionProof } from './proof.js';

/**
 * What a proof found, for a person: one object after the other, "-" for what was there before the migration, "+" for what is
 * there now. Empty when nothing differs.
 */
export function differenceText({ changes, rows }: Pick<VersionProof, 'changes' | 'rows'>): string {
  return [
    ...changes.map(changeText),
    ...rows.map(({ table, before, after }) =>
      before?.count === after?.count
        ? `rows of ${table}: ${before?.count ?? 0}, with other values`
        : `rows of ${table}:\n  - ${before?.count ?? 0}\n  + ${after?.count ?? 0}`,
    ),
  ].join('\n');
}

function changeText(change: CatalogChange): string {
  const head = `${change.kind} ${change.name}`;
  switch (change.change) {
    case 'missing':
      return `${head} is missing`;
    case 'left-over':
      return `${head} is left over`;
    case 'different':
      return [
        `${head} is not as it was${standsBehind(change) ? ': values that it gave before come again, as duplicates' : ''}`,
        ...change.properties.flatMap((property) => [
          ...lines('-', property, change.before.properties[property]),
          ...lines('+', property, change.after.properties[property]),
        ]),
      ].join('\n');
  }
}

function lines(sign: '-' | '+', property: string, value: string | undefined): readonly string[] {
  if (value === undefined) return [];
  const [first = '', ...rest] = value.split('\n');
  return [`  ${sign} ${property}: ${first}`, ...rest.map((line) => `  ${sign}   ${line}`)];
}
