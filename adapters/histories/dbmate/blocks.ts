/** What a file of dbmate's says: what to do, and how to take it back. */
export interface Blocks {
  /** The file's text with everything but one block blanked out, so that lines keep their numbers. */
  readonly up: string;
  readonly down: string;
  readonly upInTransaction: boolean;
}

const directive = /^--\s*migrate:(up|down)(?=\s|$)(.*)$/gm;

/**
 * Splits a file as dbmate does (pkg/dbmate/migration.go): `-- migrate:up` with options on its line, then `-- migrate:down`. Gives
 * the end of a sentence where dbmate refuses the file, or where its releases disagree: up to 2.28 a second up block is part of
 * the first down block.
 */
export function readBlocks(text: string): Blocks | string {
  const [up, down, ...more] = [...text.matchAll(directive)].map((match) => ({
    direction: match[1],
    options: match[2] ?? '',
    start: match.index,
  }));
  if (up?.direction !== 'up') return 'does not begin with a "-- migrate:up" block';
  if (
    text
      .slice(0, up.start)
      .split('\n')
      .some((line) => !/^\s*(?:--.*)?$/.test(line))
  ) {
    return 'has statements before its "-- migrate:up"';
  }
  if (down?.direction !== 'down') return 'has no "-- migrate:down" block after its up block';
  if (more.length > 0) return 'has more than one up and one down block, which releases of dbmate take differently';
  const blank = (part: string): string => part.replaceAll(/[^\n]/g, '');
  return {
    up: blank(text.slice(0, up.start)) + text.slice(up.start, down.start),
    down: blank(text.slice(0, down.start)) + text.slice(down.start),
    upInTransaction: !/(?:^|\s)transaction:false(?:\s|$)/.test(up.options),
  };
}
