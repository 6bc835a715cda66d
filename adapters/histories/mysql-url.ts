/** Whether a tool that is given this URL, or one with jdbc: in front, works on MySQL or MariaDB. */
export function isMysqlUrl(url: string): boolean {
  return /^\s*(?:jdbc:)?(?:mysql|mariadb)\b/i.test(url);
}
