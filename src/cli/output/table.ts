/** Columns stand this far apart. */
const gap = '  ';

/** Marks that combine with what is before them take no place; ideographs, Hangul, Kana and emoji take two. */
const zeroWidth = /\p{Mark}|\p{Cf}/gu;
const doubleWidth =
  /\p{Emoji_Presentation}|[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uA960-\uA97C\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6\u{20000}-\u{3FFFD}]/gu;

/**
 * A plain table: a header, aligned columns, no frame, so that it reads well and greps well. Line breaks within a cell
 * become blanks: a row is a line.
 */
export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows].map((row) => row.map((cell) => cell.replace(/\s*[\r\n]+\s*/g, ' ')));
  const widths = header.map((_, column) =>
    lines.reduce((widest, line) => Math.max(widest, displayWidth(line[column] ?? '')), 0),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - displayWidth(cell))))
        .join(gap)
        .trimEnd(),
    )
    .join('\n');
}

/** How many places of a terminal the text takes. */
function displayWidth(text: string): number {
  if (/^[\x20-\x7E]*$/.test(text)) return text.length;
  const visible = text.replace(zeroWidth, '');
  return Array.from(visible).length + (visible.match(doubleWidth)?.length ?? 0);
}
