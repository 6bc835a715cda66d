/** Columns stand this far apart. */
const gap = '  ';

/**
 * A plain table: a header, aligned columns, no frame, so that it reads well and greps well. Line breaks within a cell
 * become blanks: a row is a line. Only the padding is our own: the table packages tried take quadratic time or draw
 * frames (docs/dependencies.md).
 */
export async function printTable(header: readonly string[], rows: readonly (readonly string[])[]): Promise<string> {
  const widthOf = await loadWidth([header, ...rows]);
  const lines = [header, ...rows].map((row) => row.map((cell) => cell.replace(/\s*[\r\n]+\s*/g, ' ')));
  const widths = header.map((_, column) =>
    lines.reduce((widest, line) => Math.max(widest, widthOf(line[column] ?? '')), 0),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell))))
        .join(gap)
        .trimEnd(),
    )
    .join('\n');
}

const plain = /^[\x20-\x7E]*$/;

/** How many places of a terminal a text takes. Plain ASCII is counted, the package loaded for anything else only. */
async function loadWidth(rows: readonly (readonly string[])[]): Promise<(text: string) => number> {
  if (rows.every((row) => row.every((cell) => plain.test(cell)))) return (text) => text.length;
  const { default: stringWidth } = await import('string-width');
  return (text) => (plain.test(text) ? text.length : stringWidth(text));
}
