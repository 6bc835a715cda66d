import { quoteIdentifier } from './quoting.js';

/*
 * Plain SQL has no way to raise an error of one's own. An overflow raises one all the same, in every sql_mode (MySQL manual,
 * "Out-of-Range and Overflow Handling"), and the server then runs nothing that follows in the message.
 */

/** ER_DATA_OUT_OF_RANGE. */
const brokenCode = '1690';

/** The greatest BIGINT, and one more when the condition does not hold; NULL does not hold. The mark names the column. */
export function guardItem(condition: string, mark: string): string {
  return `9223372036854775807 + IF(${condition}, 0, 1) AS ${quoteIdentifier(mark)}`;
}

const guard = /^SELECT 9223372036854775807 \+ IF\([^]*, 0, 1\) AS `(flyback\.\w+)`$/;

/** The mark of the guard that a failed statement was; undefined for any other statement or failure. */
export function brokenMark(statement: string, serverCode: string | undefined): string | undefined {
  return serverCode === brokenCode ? guard.exec(statement)?.[1] : undefined;
}
