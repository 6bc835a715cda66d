import type { CatalogChange } from './compare-catalogs.js';
import { standsBehind } from './compare-sequences.js';
import type { VersionProof } from './proof.js';

/**
 * What a proof found, for a person: one object after the other, "-" for what was there before the migration, "+" for what is
 * there now. Empty when nothing differs.
 */
export async function differenceText({
  changes,
  rows,
  generated = [],
}: Pick<VersionProof, 'changes' | 'rows'> & Partial<Pick<VersionProof, 'generated'>>): Promise<string> {
  const name = (table: string): string => (generated.includes(table) ? `${table} (generated)` : table);
  return [
    ...(await Promise.all(changes.map(changeText))),
    ...rows.map(({ table, before, after }) =>
      before?.count === after?.count
        ? `rows of ${name(table)}: ${before?.count ?? 0}, with other values`
        : `rows of ${name(table)}:\n  - ${before?.count ?? 0}\n  + ${after?.count ?? 0}`,
    ),
  ].join('\n');
}

async function changeText(change: CatalogChange): Promise<string> {
  const head = `${change.kind} ${change.name}`;
  switch (change.change) {
    case 'missing':
      return `${head} is missing`;
    case 'left-over':
      return `${head} is left over`;
    case 'different':
      return [
        `${head} is not as it was${standsBehind(change) ? ': values that it gave before come again, as duplicates' : ''}`,
        ...(
          await Promise.all(
            change.properties.map((property) =>
              propertyLines(property, change.before.properties[property], change.after.properties[property]),
            ),
          )
        ).flat(),
      ].join('\n');
  }
}

/** Values of several lines, such as the body of a function, as a unified diff with three lines around each change. */
async function propertyLines(
  property: string,
  before: string | undefined,
  after: string | undefined,
): Promise<readonly string[]> {
  if (before?.includes('\n') === true && after?.includes('\n') === true) {
    const { structuredPatch } = await import('diff');
    const { hunks } = structuredPatch('', '', before, after, '', '', { context: 3 });
    return [
      `  ${property}:`,
      ...hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines }) => [
        `  @@ -${oldStart},${oldLines} +${newStart},${newLines} @@`,
        ...lines.filter((line) => !line.startsWith('\\')).map((line) => `  ${line}`),
      ]),
    ];
  }
  return [...valueLines('-', property, before), ...valueLines('+', property, after)];
}

function valueLines(sign: '-' | '+', property: string, value: string | undefined): readonly string[] {
  if (value === undefined) return [];
  const [first = '', ...rest] = value.split('\n');
  return [`  ${sign} ${property}: ${first}`, ...rest.map((line) => `  ${sign}   ${line}`)];
}
