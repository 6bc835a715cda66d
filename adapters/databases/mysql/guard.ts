/*
 * Plain SQL has no way to raise an error of one's own. A subquery of two rows where one value is wanted raises one all the
 * same, and IF() runs it only when the condition does not hold; the server then runs nothing that follows in the message.
 */

/** The name of the one column of a guard. No other statement of flyback's, and none of anybody's, gives a column this name. */
const column = 'flyback_guard';

/** "Subquery returns more than 1 row" (ER_SUBQUERY_NO_1_ROW). */
const brokenCode = '1242';

/** The select item of a guard: t, or an error of the server's. NULL does not hold. */
export function guardItem(condition: string, mark: string): string {
  return `IF(${condition}, 't', (SELECT '${mark}' UNION ALL SELECT '')) AS ${column}`;
}

/** The mark of the guard that a failed statement was; undefined for any other statement or failure. */
export function brokenMark(statement: string, serverCode: string | undefined): string | undefined {
  if (serverCode !== brokenCode) return undefined;
  return brokenGuard.exec(statement)?.[1];
}

const brokenGuard = new RegExp(`\\(SELECT '([\\w.]+)' UNION ALL SELECT ''\\)\\) AS ${column}$`);
